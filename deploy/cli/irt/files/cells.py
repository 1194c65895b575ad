"""Cells: what is a score, and what is said when one is none."""

import math
import re

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.assessment.domain.irt.responses import HIGHEST_SCORE, NOT_PRESENTED

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
MISSING = ("", "NA")


class BadCell(Exception):
    """A cell that is no score: the row within its batch, and what is wrong with it."""

    def __init__(self, row: int, wrong: str) -> None:
        super().__init__(wrong)
        self.row = row
        self.wrong = wrong


def score_of(value: object) -> int | None:
    """The score that a cell says; None when the item was not presented.

    Raises: ValueError with what is wrong, when it is neither.
    """
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        if text in MISSING:
            return None
        if not NUMBER.fullmatch(text):
            raise ValueError(f"{_shown(value)} is no score (an empty cell or NA is an item that was not presented)")
        number = float(text)
    elif isinstance(value, (bool, int, float)):
        number = float(value)
    else:
        raise ValueError(f"{_shown(value)} is no score")
    if math.isnan(number):
        raise ValueError("NaN is no score (an empty cell or NA is an item that was not presented)")
    if not math.isfinite(number):
        raise ValueError(f"{_shown(value)} is no score")
    if number != int(number):
        raise ValueError(f"{_shown(value)} is no whole number")
    if not 0 <= number <= HIGHEST_SCORE:
        raise ValueError(f"{_shown(value)} is out of range: scores are whole numbers from 0 to {HIGHEST_SCORE}")
    return int(number)


def _shown(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= 40 else f"{text[:40]}…")


class ScoreColumn:
    """Turns the cells of a column into codes in order of first appearance, and those into categories at the end."""

    def __init__(self) -> None:
        self._code_of: dict[int, int] = {}

    def codes(self, column: pa.Array) -> NDArray[np.uint8]:
        """A code for each cell of this batch, 255 where there is none.

        Raises: BadCell.
        """
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        values = column.dictionary.to_pylist()
        indices = column.indices.fill_null(len(values)).to_numpy(zero_copy_only=False)
        table = np.full(len(values) + 1, NOT_PRESENTED, dtype=np.uint8)
        bad: dict[int, str] = {}
        # A dictionary may hold values that no cell of this batch has: they are neither wrong nor categories.
        for position in np.flatnonzero(np.bincount(indices, minlength=len(values) + 1)[:-1]).tolist():
            try:
                score = score_of(values[position])
            except ValueError as wrong:
                bad[position] = str(wrong)
                continue
            if score is not None:
                table[position] = self._code_of.setdefault(score, len(self._code_of))
        if bad:
            row = int(np.flatnonzero(np.isin(indices, list(bad)))[0])
            raise BadCell(row, bad[int(indices[row])])
        return np.asarray(table[indices], dtype=np.uint8)

    @property
    def categories(self) -> tuple[int, ...]:
        """The distinct scores so far, in order."""
        return tuple(sorted(self._code_of))

    @property
    def in_order(self) -> NDArray[np.uint8]:
        """Category index of each code, shape (256,); 255 stays 255."""
        rank = np.arange(256, dtype=np.uint8)
        for index, score in enumerate(self.categories):
            rank[self._code_of[score]] = index
        return rank
