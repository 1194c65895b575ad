"""Tables of counts as one list of cells and the sums that tie them together."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Key: TypeAlias = Hashable

TOTAL = -1
"""Stands for "all of them" in the place of a category."""


class BadTable(ValueError):
    """Counts are negative, or do not add up; the message names the cell."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Counts, and which are sums of which.

    `keys` names each cell, `counts` (cells,) are whole and not negative. In each of `sums` the first cell is the total
    of the others.
    """

    keys: tuple[Key, ...]
    counts: Integers
    sums: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if (self.counts < 0).any():
            raise BadTable(f"{self.keys[int(np.argmin(self.counts))]}: a count is never negative.")
        for total, *parts in self.sums:
            if int(self.counts[total]) != int(self.counts[parts].sum()):
                raise BadTable(
                    f"{self.keys[total]}: {int(self.counts[total])} is not the sum of its parts, "
                    f"{int(self.counts[parts].sum())}."
                )

    def __len__(self) -> int:
        return len(self.keys)


def cube(counts: Integers) -> Cells:
    """A table of any number of dimensions with all its margins.

    A cell's key has a category for each dimension, or TOTAL. Every cell with a TOTAL is the sum along that dimension.
    """
    sizes = counts.shape
    padded = counts.astype(np.int64)
    for axis in range(counts.ndim):
        padded = np.concatenate([padded, padded.sum(axis=axis, keepdims=True)], axis=axis)
    keys = list(product(*((*range(size), TOTAL) for size in sizes)))
    at = {key: number for number, key in enumerate(keys)}
    sums = [
        (at[key], *(at[(*key[:axis], part, *key[axis + 1 :])] for part in range(sizes[axis])))
        for key in keys
        for axis in range(len(sizes))
        if key[axis] == TOTAL
    ]
    return Cells(tuple(keys), padded.ravel(), tuple(sums))


def tree(counts: Mapping[Key, int], parent: Mapping[Key, Key | None]) -> Cells:
    """Cells each of which is the sum of those whose parent it is; `counts` has all of them."""
    keys = tuple(counts)
    at = {key: number for number, key in enumerate(keys)}
    parts: dict[Key, list[int]] = {}
    for key in keys:
        if (above := parent.get(key)) is not None:
            parts.setdefault(above, []).append(at[key])
    sums = tuple((at[above], *below) for above, below in parts.items())
    return Cells(keys, np.array([counts[key] for key in keys], np.int64), sums)


def linked(tables: Mapping[str, Cells], same: Sequence[Sequence[tuple[str, Key]]] = ()) -> Cells:
    """Several tables together. Each of `same` lists cells (table, key) that count the same people and are one cell.

    Raises BadTable when cells that are one have different counts.
    """
    one: dict[tuple[str, Key], tuple[str, Key]] = {}
    for group in same:
        first = one.get(group[0], group[0])
        for each in group:
            one[each] = first
    keys: list[tuple[str, Key]] = []
    counts: list[int] = []
    at: dict[tuple[str, Key], int] = {}
    sums: list[tuple[int, ...]] = []
    for name, cells in tables.items():
        for key, count in zip(cells.keys, cells.counts.tolist(), strict=True):
            cell = one.get((name, key), (name, key))
            if cell not in at:
                at[cell] = len(keys)
                keys.append(cell)
                counts.append(count)
            elif counts[at[cell]] != count:
                raise BadTable(f"{(name, key)}: {count} here, {counts[at[cell]]} in {cell}.")
            at[name, key] = at[cell]
        sums += [tuple(at[name, cells.keys[each]] for each in group) for group in cells.sums]
    return Cells(tuple(keys), np.array(counts, np.int64), tuple(sums))
