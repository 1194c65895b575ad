"""Responses of many students: how they are kept, dense or as lists of entries, and what a missing one counts as."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]
Indices = NDArray[np.int64]

NOT_REACHED, OMITTED, NOT_PRESENTED = 253, 254, 255
HIGHEST_SCORE = 250


class Counts(StrEnum):
    """What a response that is none counts as."""

    WRONG = "wrong"
    NOT_PRESENTED = "not presented"


@dataclass(frozen=True, slots=True)
class Policy:
    """How a test takes the three ways of giving no answer."""

    omitted: Counts = Counts.WRONG
    not_reached: Counts = Counts.NOT_PRESENTED
    not_presented: Counts = Counts.NOT_PRESENTED


USUAL = Policy()
"""Omitted is wrong; not reached and not presented say nothing."""


def usable(codes: Codes, policy: Policy = USUAL) -> Codes:
    """The codes with nothing but scores and 255: what the policy makes of 253, 254 and 255."""
    instead = np.arange(256).astype(np.uint8)
    for code, counts in (
        (OMITTED, policy.omitted),
        (NOT_REACHED, policy.not_reached),
        (NOT_PRESENTED, policy.not_presented),
    ):
        instead[code] = 0 if counts is Counts.WRONG else NOT_PRESENTED
    return np.asarray(instead[codes], dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Responses:
    """Every student's response to every item: codes (students, items), 0..m the category, 255 not presented."""

    codes: Codes

    @property
    def students(self) -> int:
        """How many students there are."""
        return int(self.codes.shape[0])

    @property
    def width(self) -> int:
        """How many items there are."""
        return int(self.codes.shape[1])


@dataclass(frozen=True, slots=True)
class Sparse:
    """Only what was presented: student s answered items[k] with scores[k] for bounds[s] <= k < bounds[s + 1].

    `bounds` (students + 1,) int64, `items` (entries,) int32, `scores` (entries,) uint8; `width` says how many items
    there are. A score of 255 is not presented, as in the dense form.
    """

    bounds: Indices
    items: NDArray[np.int32]
    scores: Codes
    width: int

    @property
    def students(self) -> int:
        """How many students there are."""
        return len(self.bounds) - 1
