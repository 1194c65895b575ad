"""Tables of scores by total score, observed and expected, and how their sparse cells are put together.

The expected table of an item is Orlando & Thissen's (2000): with S the recursive distribution of the other items' total
at an ability (Lord & Wingersky 1984) and w the weights of the abilities,

    E(k | total t) = ∫ P_k S(t − k) w ⁄ Σ_j ∫ P_j S(t − j) w.

The lowest and the highest total say nothing of an item and are left out. **Collapsing** follows R mirt 1.47, so that
results can be compared:

1. totals too low or too high for some score of the item join the nearest total at which every score is possible;
2. totals nobody has are dropped; a total of a single student joins the next, the last one that before it;
3. for items of more than two scores, within a total the cell that expects least joins its lesser neighbour until all
   expect `smallest` or two are left, and what is left moves to the left; then a rightmost column that expects less than
   one for every ten totals, and columns filled in under 5 % of the totals, join their left neighbour;
4. a total with a cell that still expects less joins the neighbouring total with fewer students.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.irt.models import Floats

Counts = NDArray[np.int64]


def with_item(totals: Floats, chances: Floats) -> Floats:
    """Distribution of the total with one more item (Lord & Wingersky 1984): (t, nodes) by (k, nodes)."""
    made = np.zeros((len(totals) + len(chances) - 1, totals.shape[1]))
    for score, chance in enumerate(chances):
        made[score : score + len(totals)] += totals * chance
    return made


def without_each(tables: Sequence[Floats]) -> Iterator[Floats]:
    """For each item in turn the distribution of the other items' total at every node.

    Halves are multiplied on and handed down, so that n items need n·log₂ n steps instead of n²,
    and nothing is ever divided out again, which would lose digits.
    """

    def below(first: int, last: int, totals: Floats) -> Iterator[Floats]:
        if last - first == 1:
            yield totals
            return
        middle = (first + last) // 2
        for start, end, others in ((first, middle, range(middle, last)), (middle, last, range(first, middle))):
            grown = totals
            for other in others:
                grown = with_item(grown, tables[other])
            yield from below(start, end, grown)

    yield from below(0, len(tables), np.ones((1, tables[0].shape[1])))


def expected_shares(tables: Sequence[Floats], weights: Floats) -> Iterator[Floats]:
    """For each item the share of every score at each total but the lowest and highest, (totals, scores)."""
    for chances, others in zip(tables, without_each(tables), strict=True):
        size = len(others) + len(chances) - 1
        joint = np.zeros((size, len(chances)))
        for score, chance in enumerate(chances):
            joint[score : score + len(others), score] = (others * chance) @ weights
        inner = joint[1:-1]
        total = inner.sum(axis=1, keepdims=True)
        yield np.where(total > 0, inner / np.where(total > 0, total, 1), 0.0)


def observed(scores: Counts, totals: Counts, categories: int, highest: int) -> Floats:
    """How many students of each total but the lowest and highest got each score, (totals, scores)."""
    found = np.bincount(totals * categories + scores, minlength=(highest + 1) * categories)
    return found.reshape(highest + 1, categories)[1:-1].astype(np.float64)


def collapse(seen: Floats, expected: Floats, smallest: float = 1.0) -> tuple[Floats, Floats]:
    """Observed and expected tables with sparse cells put together; a cell that is gone expects 0."""
    seen, expected = _unreachable(seen), _unreachable(expected)
    here = seen.sum(axis=1) > 0
    seen, expected = seen[here], expected[here]
    sparse = np.asarray((expected < smallest).any(axis=1), dtype=np.bool_)
    seen, expected, sparse = _lone_students(seen, expected, sparse)
    if expected.shape[1] > 2:
        seen, expected = _across(seen, expected, sparse, smallest)
        seen, expected = _rare_columns(seen, expected, smallest)
    return _neighbours(seen, expected, smallest)


def _unreachable(table: Floats) -> Floats:
    """Totals t < m, where score m cannot be, join t = m; t > M − m, where 0 cannot be, join M − m (rows are t − 1)."""
    spare = table.shape[1] - 2
    if not spare or len(table) < 2 * spare + 1:
        return table
    inner = table[spare : len(table) - spare].copy()
    inner[0] += table[:spare].sum(axis=0)
    inner[-1] += table[len(table) - spare :].sum(axis=0)
    return inner


def _join(table: Floats, place: int, into: int) -> Floats:
    table = table.copy()
    table[into] += table[place]
    return np.delete(table, place, axis=0)


def _lone_students(
    seen: Floats, expected: Floats, sparse: NDArray[np.bool_]
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    place = 0
    while place < len(seen) and len(seen) > 1:
        if seen[place].sum() == 1:
            into = place + 1 if place < len(seen) - 1 else place - 1
            seen, expected = _join(seen, place, into), _join(expected, place, into)
            sparse = np.delete(sparse, place)
        else:
            place += 1
    return seen, expected, sparse


def _across(seen: Floats, expected: Floats, sparse: NDArray[np.bool_], smallest: float) -> tuple[Floats, Floats]:
    """Within a total, the least expected score joins the lesser of its neighbours."""
    made_seen, made_expected = np.zeros_like(seen), np.zeros_like(expected)
    for total in range(len(expected)):
        counts, hopes = seen[total], expected[total]
        while sparse[total] and len(hopes) > 2 and (hopes < smallest).any():
            least = int(np.flatnonzero(hopes == hopes.min()).max())
            if least == 0:
                into = 1
            elif least == len(hopes) - 1 or hopes[least - 1] <= hopes[least + 1]:
                into = least - 1
            else:
                into = least + 1
            counts, hopes = _join(counts, least, into), _join(hopes, least, into)
        made_seen[total, : len(counts)], made_expected[total, : len(hopes)] = counts, hopes
    return made_seen, made_expected


def _rare_columns(seen: Floats, expected: Floats, smallest: float) -> tuple[Floats, Floats]:
    fewest = smallest * np.ceil(len(expected) * 0.1)
    while expected.shape[1] > 2 and expected[:, -1].sum() < fewest:
        last = expected.shape[1] - 1
        seen, expected = _join(seen.T, last, last - 1).T, _join(expected.T, last, last - 1).T
    for column in range(expected.shape[1] - 1, 0, -1):
        if (expected[:, column] > 0).mean() < 0.05:
            seen, expected = _join(seen.T, column, column - 1).T, _join(expected.T, column, column - 1).T
    return seen, expected


def _neighbours(seen: Floats, expected: Floats, smallest: float) -> tuple[Floats, Floats]:
    while len(expected) > 1:
        short = ((expected < smallest) & (expected != 0)).any(axis=1)
        if not short.any():
            break
        place = int(np.argmax(short))
        if place == 0:
            into = 1
        elif place == len(expected) - 1 or seen[place - 1].sum() <= seen[place + 1].sum():
            into = place - 1
        else:
            into = place + 1
        seen, expected = _join(seen, place, into), _join(expected, place, into)
    return seen, expected
