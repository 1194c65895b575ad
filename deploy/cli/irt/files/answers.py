"""What a file of responses says, in bytes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deploy.cli.refusal import Refused
from services.assessment.domain.irt.responses import NOT_PRESENTED, Codes, Responses, Sparse

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Grouping:
    """A group for every student."""

    column: str
    labels: tuple[str, ...]
    """Sorted as text."""
    codes: NDArray[np.int32]
    """Position of each student's label, shape (students,); −1 where the cell is empty."""


@dataclass(frozen=True)
class ResponseFile:
    """Students' scores as category indices 0..m, 255 where the item was not presented.

    Exactly one of `dense` (students, items) and `entries` is there: a long file in which less than a fifth of the cells
    is filled stays a list of entries, so a matrix of all items is never made.
    """

    path: Path
    items: tuple[str, ...]
    categories: tuple[tuple[int, ...], ...]
    """The scores that the indices stand for, per item, rising."""
    dense: Codes | None
    entries: Sparse | None
    students: tuple[str, ...] | None
    """Identifiers in row order, when the file has them."""
    grouping: Grouping | None
    seconds: Floats | None
    """Seconds each answer took, shape as the answers'; NaN where not said. None when the file has no times."""
    place_of: Callable[[int, int], str]
    """Where a student's answer to an item stands in the file, in words: `line 17`."""

    @property
    def size(self) -> int:
        """How many students."""
        if self.dense is not None:
            return len(self.dense)
        assert self.entries is not None
        return len(self.entries.bounds) - 1

    @property
    def answered(self) -> NDArray[np.int64]:
        """How many answers each student gave, shape (students,)."""
        if self.dense is not None:
            return np.asarray((self.dense != NOT_PRESENTED).sum(axis=1, dtype=np.int64))
        assert self.entries is not None
        return np.diff(self.entries.bounds)

    def name_of(self, student: int) -> str:
        """The student's identifier, or the row number from 1."""
        return self.students[student] if self.students else str(student + 1)

    @property
    def responses(self) -> Responses | Sparse:
        """The answers as the domain takes them."""
        if self.dense is not None:
            return Responses(self.dense)
        assert self.entries is not None
        return self.entries

    def rows(self) -> Codes:
        """The whole matrix (students, items); only for methods that need it."""
        if self.dense is not None:
            return self.dense
        assert self.entries is not None
        made = np.full((self.size, len(self.items)), NOT_PRESENTED, dtype=np.uint8)
        owners = np.repeat(np.arange(self.size), np.diff(self.entries.bounds))
        made[owners, self.entries.items] = self.entries.scores
        return made

    def times(self) -> Floats | None:
        """Seconds of every answer as a matrix (students, items), NaN where not said; None without times."""
        if self.seconds is None or self.entries is None:
            return self.seconds
        made = np.full((self.size, len(self.items)), np.nan)
        made[np.repeat(np.arange(self.size), np.diff(self.entries.bounds)), self.entries.items] = self.seconds
        return made

    def recoded(self, targets: Sequence[tuple[int, ...]]) -> "ResponseFile":
        """The same answers with these categories; an answer outside them is refused by item, row and value.

        Raises: Refused.
        """
        if tuple(targets) == self.categories:
            return self
        codes = np.tile(np.arange(256, dtype=np.uint8), (len(self.items), 1))
        for position, (found, wanted) in enumerate(zip(self.categories, targets, strict=True)):
            index = {score: code for code, score in enumerate(wanted)}
            for code, score in enumerate(found):
                if score not in index:
                    raise Refused(self._outside(position, code, wanted))
                codes[position, code] = index[score]
        dense, entries = self.dense, self.entries
        if dense is not None:
            dense = np.empty_like(dense)
            for position in range(len(self.items)):
                np.take(codes[position], self.dense[:, position], out=dense[:, position])  # type: ignore[index]  # dense is there
        if entries is not None:
            entries = Sparse(entries.bounds, entries.items, codes[entries.items, entries.scores], entries.width)
        return ResponseFile(
            self.path, self.items, tuple(targets), dense, entries, self.students, self.grouping, self.seconds,
            self.place_of,
        )  # fmt: skip

    def _outside(self, position: int, code: int, wanted: tuple[int, ...]) -> str:
        if self.dense is not None:
            student = int(np.flatnonzero(self.dense[:, position] == code)[0])
        else:
            assert self.entries is not None
            found = np.flatnonzero((self.entries.items == position) & (self.entries.scores == code))[0]
            student = int(np.searchsorted(self.entries.bounds, found, side="right")) - 1
        who = f", student {self.students[student]}" if self.students else ""
        return (
            f"{self.path}, {self.place_of(student, position)}{who}: item {self.items[position]} has score "
            f"{self.categories[position][code]}, but its categories are {', '.join(map(str, wanted))}."
        )
