"""What assessments found out, as others announced it, in columns or as few values as will do."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]

LEVELS = ("unknown", "beginning", "developing", "mastered")
"""Mastery's words for a belief; a level's place here is its code."""
MASTERED_AT = 0.85
DEVELOPING_AT = 0.50
SURE_AT = 0.50
LEAST_EVIDENCE = 3
HIGHEST_SCORE = 250
"""Higher bytes say why an item has no score."""
MASTERY = "mastery"
"""The assessment line item that standings are results of."""


@dataclass(frozen=True, slots=True)
class Form:
    """A version of a form. `items` and `objectives` are parallel: which item bears on which of `competencies`.

    `identifiers` are what CASE calls the competencies, None where that is not said.
    """

    id: UUID
    title: str
    maxima: Sequence[int]
    competencies: Sequence[UUID]
    identifiers: Sequence[str | None]
    items: Sequence[int]
    objectives: Sequence[int]


@dataclass(frozen=True, slots=True)
class Window:
    """An administration, as it is planned now."""

    id: UUID
    code: str
    title: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Attempts:
    """Scored attempts in columns, each attempt once; ids are their 16 bytes, `scores` have a byte for each item.

    `of` are administrations and forms, `days` count from 1970, `abilities` and `standard_errors` are NaN for none.
    """

    ids: list[bytes]
    students: list[bytes]
    of: list[tuple[bytes, bytes]]
    scores: list[bytes]
    versions: Ints
    days: Ints
    modalities: Ints
    abilities: Floats
    standard_errors: Floats
    withdrawn: Flags


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What is believed of students of whom the same competencies are known: a row of `packed` beliefs for each."""

    competencies: Sequence[bytes]
    students: list[bytes]
    packed: Ints


def points(scores: Bytes) -> Ints:
    """The sums of rows of scores; what is above `HIGHEST_SCORE` says why there is none."""
    found: Ints = np.where(scores <= HIGHEST_SCORE, scores, 0).sum(axis=1, dtype=np.int64)
    return found


def levels(probabilities: Floats, lowers: Floats, counts: Ints) -> Ints:
    """The codes of beliefs' levels, by mastery's rules, which a test holds these against."""
    mastered = (probabilities >= MASTERED_AT) & (lowers >= SURE_AT) & (counts >= LEAST_EVIDENCE)
    codes = 1 + (probabilities >= DEVELOPING_AT).astype(np.int64) + mastered
    return np.where(counts > 0, codes, 0)


def packed(probabilities: Floats, codes: Ints) -> Ints:
    """A belief in one number: the probability in millionths, and in the last digit the level's code."""
    return np.rint(probabilities * 1_000_000).astype(np.int64) * 10 + codes
