"""Many response sequences as a forest of distinct beginnings: what begins alike is computed once.

Of 220,070 responses in 32,769 sequences some 88,000 distinct beginnings are left. A node is one response after one
beginning, its parent the beginning without it; how many sequences pass through it and how many end there is all that
an expectation over the sequences needs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.mastery.domain.tracing.skill import Floats, Ints

Nodes = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Forest:
    """The nodes of skill s are those from `bounds[s]` to `bounds[s + 1]`, every parent before its children.

    `parent` (nodes,) is -1 for a first response; `symbol` (nodes,) says which response it was and `gap` (nodes,) which
    time had passed before it (0: none); `passing` and `ending` (nodes,) count sequences; `starting` (skills,) all of a
    skill. `depth` (nodes,) is 0 for a first response.
    """

    bounds: Ints
    parent: Nodes
    symbol: Nodes
    gap: Nodes
    depth: Nodes
    passing: Floats
    ending: Floats
    starting: Floats
    symbols: int
    gaps: int

    def __len__(self) -> int:
        return len(self.parent)


def forest_of(skill: Ints, lengths: Ints, symbol: Ints, gap: Ints, *, skills: int, symbols: int, gaps: int) -> Forest:
    """The forest of these sequences.

    `skill` and `lengths` (sequences,), `symbol` below `symbols` and `gap` below `gaps` (responses,), sequence after
    sequence.
    """
    codes = symbols * gaps
    code = symbol * gaps + gap
    longest_first = np.argsort(-lengths, kind="stable")
    first = (np.cumsum(lengths) - lengths)[longest_first]
    longer = len(lengths) - np.cumsum(np.bincount(lengths, minlength=1))  # [t]: sequences with more than t responses
    owner = skill[longest_first]
    stands = owner  # where each sequence stands: its skill, then the node of its last response
    made, parents, codes_of, owners, passing, ending = 0, [], [], [], [], []
    for depth in range(len(longer) - 1):
        alive = int(longer[depth])
        key = stands[:alive] * codes + code[first[:alive] + depth]
        distinct, where, number = np.unique(key, return_inverse=True, return_counts=True)
        parents.append(distinct // codes if depth else np.full(len(distinct), -1, dtype=np.int64))
        codes_of.append(distinct % codes)
        of_node = np.empty(len(distinct), dtype=np.int64)
        of_node[where] = owner[:alive]
        owners.append(of_node)
        passing.append(number)
        ending.append(np.bincount(where[int(longer[depth + 1]) :], minlength=len(distinct)))
        stands = made + where
        made += len(distinct)
    depths = np.repeat(np.arange(len(parents)), [len(level) for level in parents])
    return _by_skill(
        _joined(owners), depths, _joined(parents), _joined(codes_of), _joined(passing), _joined(ending),
        np.bincount(skill, minlength=skills), symbols, gaps,
    )  # fmt: skip


def _joined(levels: list[Ints]) -> Ints:
    return np.concatenate([np.empty(0, dtype=np.int64), *levels])


def _by_skill(
    owner: Ints,
    depth: Ints,
    parent: Ints,
    code: Ints,
    passing: Ints,
    ending: Ints,
    starting: Ints,
    symbols: int,
    gaps: int,
) -> Forest:
    """Nodes made level by level put skill by skill; within a skill the levels stay in order."""
    order = np.argsort(owner, kind="stable")
    place = np.empty(len(order) + 1, dtype=np.int64)
    place[order] = np.arange(len(order))
    place[-1] = -1  # the parent of a first response
    return Forest(
        np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(np.bincount(owner, minlength=len(starting)))]),
        place[parent[order]].astype(np.int32),
        (code[order] // gaps).astype(np.int32),
        (code[order] % gaps).astype(np.int32),
        depth[order].astype(np.int32),
        passing[order].astype(np.float64),
        ending[order].astype(np.float64),
        starting.astype(np.float64),
        symbols,
        gaps,
    )
