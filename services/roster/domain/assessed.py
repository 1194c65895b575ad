"""What assessments found out, as others announced it, in columns or as few values as will do."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVELS = ("unknown", "beginning", "developing", "mastered")
"""Mastery's words for a belief; a level's place here is its code."""
MASTERED_AT = 0.85
DEVELOPING_AT = 0.50
SURE_AT = 0.50
LEAST_EVIDENCE = 3
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


@dataclass(slots=True)
class Attempts:
    """Scored attempts in columns, each attempt once; `scores` have a byte for each item, `points` are their sums."""

    sourced_ids: list[str] = field(default_factory=list)
    withdrawn: list[bool] = field(default_factory=list)
    students: list[UUID] = field(default_factory=list)
    pairs: list[tuple[UUID, UUID]] = field(default_factory=list)
    """Administration and form."""
    versions: list[int] = field(default_factory=list)
    points: list[int] = field(default_factory=list)
    days: list[date] = field(default_factory=list)
    modalities: list[int] = field(default_factory=list)
    abilities: list[float | None] = field(default_factory=list)
    standard_errors: list[float | None] = field(default_factory=list)
    scores: list[bytes] = field(default_factory=list)

    def only(self, pairs: Container[tuple[UUID, UUID]]) -> "Attempts":
        """Those of these administrations and forms."""
        rows = [row for row, pair in enumerate(self.pairs) if pair in pairs]
        return Attempts(*([column[row] for row in rows] for column in self.columns()))

    def columns(self) -> tuple[list[Any], ...]:
        return tuple(getattr(self, one.name) for one in fields(self))


def levels(probabilities: Floats, lowers: Floats, counts: Ints) -> Ints:
    """The codes of beliefs' levels, by mastery's rules, which a test holds these against."""
    mastered = (probabilities >= MASTERED_AT) & (lowers >= SURE_AT) & (counts >= LEAST_EVIDENCE)
    codes = 1 + (probabilities >= DEVELOPING_AT).astype(np.int64) + mastered
    return np.where(counts > 0, codes, 0)


def packed(probabilities: Floats, codes: Ints) -> Ints:
    """A belief in one number: the probability in millionths, and in the last digit the level's code."""
    return np.rint(probabilities * 1_000_000).astype(np.int64) * 10 + codes
