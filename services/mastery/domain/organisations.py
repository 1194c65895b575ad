"""The district's organisations as a tree of places, from the top down, for counting and for hiding."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_NONE = -1


@dataclass(frozen=True, slots=True)
class Organisation:
    """An organisation as the roster knows it: its id, what it is part of, whether it is a school."""

    id: bytes
    parent: bytes | None
    is_school: bool


@dataclass(frozen=True, slots=True)
class Tree:
    """Places, parents before their children, siblings by id.

    A place is an organisation or, `is_own`, those who are placed in an organisation itself although it has parts: they
    count as a part of it that is never shown. `parent` (places,) is -1 at the top. `place_of` is where the learners of
    an organisation are counted.
    """

    ids: tuple[bytes, ...]
    parent: Ints
    is_school: tuple[bool, ...]
    is_own: tuple[bool, ...]
    place_of: dict[bytes, int]

    def __len__(self) -> int:
        return len(self.ids)

    def totals(self, own: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over every place and all below it, of what is counted at each place; shape (places, …) kept."""
        total = own.copy()
        for place in range(len(self) - 1, -1, -1):
            if self.parent[place] != _NONE:
                total[self.parent[place]] += total[place]
        return total


def tree_of(organisations: Sequence[Organisation], placed_in: Sequence[bytes] = ()) -> Tree:
    """The tree. A parent that is not there counts as none, and a circle is opened at its smallest id.

    `placed_in` are organisations that have learners: those the roster does not tell stand alone.
    """
    known = {one.id: one for one in organisations}
    known |= {one: Organisation(one, None, is_school=True) for one in placed_in if one not in known}
    parent = {id_: one.parent if one.parent in known else None for id_, one in known.items()}
    _open_circles(parent)
    children: dict[bytes | None, list[bytes]] = {}
    for id_ in sorted(known):
        children.setdefault(parent[id_], []).append(id_)
    ids: list[bytes] = []
    parents: list[int] = []
    own: list[bool] = []
    place_of: dict[bytes, int] = {}
    waiting = [(id_, _NONE) for id_ in reversed(children.get(None, []))]
    while waiting:
        id_, above = waiting.pop()
        here = place_of[id_] = len(ids)
        ids.append(id_)
        parents.append(above)
        own.append(False)
        if id_ in children:
            place_of[id_] = len(ids)
            ids.append(id_)
            parents.append(here)
            own.append(True)
            waiting += [(child, here) for child in reversed(children[id_])]
    return Tree(
        tuple(ids),
        np.array(parents, dtype=np.int64),
        tuple(known[id_].is_school for id_ in ids),
        tuple(own),
        place_of,
    )


def _open_circles(parent: dict[bytes, bytes | None]) -> None:
    clear: set[bytes] = set()
    for start in sorted(parent):
        walk: dict[bytes, None] = {}
        at: bytes | None = start
        while at is not None and at not in clear:
            if at in walk:
                ring = list(walk)[list(walk).index(at) :]
                parent[min(ring)] = None
                break
            walk[at] = None
            at = parent[at]
        clear |= set(walk)
