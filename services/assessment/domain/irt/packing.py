"""Responses packed for the kernels: several items in a byte, or one number for each response that there is.

A byte is a number in mixed radix, one digit an item, the first item the most significant: eight right/wrong items
(then it is `numpy.packbits` of them), five where some were not presented, four with four scores. What a byte says of
ability is one row of a table, so a student is a handful of table rows whatever the items are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.irt.responses import NOT_PRESENTED, Codes, Indices, Responses, Sparse

PATTERNS = 256


class ScoreOutOfRange(ValueError):
    """A response has a score that its item does not have."""


class PackingMismatch(ValueError):
    """Packed responses do not belong to these items."""


@dataclass(frozen=True)
class Layout:
    """How items share bytes: categories of every item, and whether an item may be not presented (one digit more)."""

    categories: tuple[int, ...]
    missing: bool

    @cached_property
    def groups(self) -> tuple[tuple[int, int], ...]:
        """First item and end (exclusive) of every byte."""
        found: list[tuple[int, int]] = []
        first, patterns = 0, 1
        for item, radix in enumerate(self.radices):
            if patterns * radix > PATTERNS:
                found.append((first, item))
                first, patterns = item, 1
            patterns *= radix
        if self.categories:
            found.append((first, len(self.categories)))
        return tuple(found)

    @cached_property
    def radices(self) -> tuple[int, ...]:
        """How many digits each item has; with `missing` the last one is not presented."""
        return tuple(each + self.missing for each in self.categories)

    @cached_property
    def patterns(self) -> tuple[int, ...]:
        """How many values each byte can have."""
        return tuple(int(np.prod(self.radices[first:end])) for first, end in self.groups)

    @cached_property
    def offsets(self) -> Indices:
        """Where each item's rows begin in a table of one row per item and category; the last entry is their number."""
        return np.concatenate([[0], np.cumsum(self.categories, dtype=np.int64)]).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Bytes:
    """Every student's bytes, shape (students, bytes of the layout)."""

    layout: Layout
    codes: Codes

    @property
    def students(self) -> int:
        """How many students there are."""
        return int(self.codes.shape[0])

    @classmethod
    def from_bits(cls, bits: Codes, items: int) -> "Bytes":
        """Right/wrong answers without any missing one, as `numpy.packbits(right, axis=1)` packs them."""
        layout = Layout((2,) * items, missing=False)
        if bits.shape[1] != len(layout.groups):
            raise PackingMismatch(f"{items} items are {len(layout.groups)} bytes a student, not {bits.shape[1]}")
        spare = -items % 8
        codes = bits
        if spare:
            codes = bits.copy()
            codes[:, -1] >>= spare
        return cls(layout, np.ascontiguousarray(codes))


@dataclass(frozen=True, slots=True)
class Entries:
    """What each student answered: rows[k] for bounds[s] <= k < bounds[s + 1], row = offset of the item + score."""

    layout: Layout
    bounds: Indices
    rows: NDArray[np.int32]

    @property
    def students(self) -> int:
        """How many students there are."""
        return len(self.bounds) - 1


Packed = Bytes | Entries


def entries(packed: Packed, students: Indices) -> Entries:
    """What these students answered, one number a response, whichever way it was packed."""
    if isinstance(packed, Entries):
        counts = np.diff(packed.bounds)[students]
        bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        within = np.arange(bounds[-1]) - np.repeat(bounds[:-1], counts)
        return Entries(packed.layout, bounds, packed.rows[np.repeat(packed.bounds[students], counts) + within])
    layout = packed.layout
    digits = np.empty((len(students), len(layout.categories)), dtype=np.int64)
    for place, (first, end) in enumerate(layout.groups):
        value = packed.codes[students, place].astype(np.int64)
        for item in range(end - 1, first - 1, -1):
            value, digits[:, item] = np.divmod(value, layout.radices[item])
    there = digits < np.array(layout.categories, dtype=np.int64)
    bounds = np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int64)
    return Entries(layout, bounds, (digits + layout.offsets[:-1])[there].astype(np.int32))


def pack(responses: Responses | Sparse, categories: Sequence[int], *, missing: bool | None = None) -> Packed:
    """The responses packed; categories (items,) says how many scores each item has.

    Dense responses become bytes; `missing` says whether the layout keeps room for not presented (asked of the
    responses when None). Errors: ScoreOutOfRange names item and student.
    """
    if len(categories) != responses.width:
        raise PackingMismatch(f"{responses.width} items, but categories of {len(categories)}")
    if isinstance(responses, Sparse):
        return _entries(responses, categories)
    codes = responses.codes
    _check(codes, categories)
    if missing is None:
        missing = bool((codes == NOT_PRESENTED).any())
    layout = Layout(tuple(int(each) for each in categories), missing)
    packed = np.zeros((len(codes), len(layout.groups)), dtype=np.uint8)
    for place, (first, end) in enumerate(layout.groups):
        value = packed[:, place]
        for item in range(first, end):
            value *= np.uint8(layout.radices[item])
            value += np.minimum(codes[:, item], np.uint8(layout.categories[item]))
    return Bytes(layout, packed)


def _check(codes: Codes, categories: Sequence[int]) -> None:
    most = np.array(categories, dtype=np.int64)
    for start in range(0, len(codes), 65_536):
        part = codes[start : start + 65_536]
        wrong = (part >= most) & (part != NOT_PRESENTED)
        if wrong.any():
            student, item = (int(each) for each in np.argwhere(wrong)[0])
            raise ScoreOutOfRange(
                f"item {item} of student {start + student} has score {part[student, item]}, "
                f"but only the scores 0 to {most[item] - 1} exist"
            )


def _entries(responses: Sparse, categories: Sequence[int]) -> Entries:
    layout = Layout(tuple(int(each) for each in categories), missing=True)
    presented = responses.scores != NOT_PRESENTED
    items, scores = responses.items[presented], responses.scores[presented]
    if len(items) and (items.min() < 0 or items.max() >= responses.width):
        raise ScoreOutOfRange(f"a response names item {int(items.max())}, but the items are 0 to {responses.width - 1}")
    wrong = np.flatnonzero(scores >= np.array(categories, dtype=np.int64)[items])
    if len(wrong):
        entry = int(np.flatnonzero(presented)[wrong[0]])
        student = int(np.searchsorted(responses.bounds, entry, side="right")) - 1
        item = int(responses.items[entry])
        raise ScoreOutOfRange(
            f"item {item} of student {student} has score {responses.scores[entry]}, "
            f"but only the scores 0 to {categories[item] - 1} exist"
        )
    before = np.concatenate([[0], np.cumsum(presented)]).astype(np.int64)
    rows = layout.offsets[items] + scores
    return Entries(layout, before[responses.bounds], rows.astype(np.int32))
