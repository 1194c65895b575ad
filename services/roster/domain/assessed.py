"""What assessments found out, as others announced it, in columns or as few values as will do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

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


@dataclass(frozen=True, slots=True)
class Attempt:
    """A scored attempt; `scores` has a byte for each item."""

    sourced_id: str
    student: UUID
    administration: UUID
    form: UUID
    version: int
    day: date
    modality: int
    ability: float | None
    standard_error: float | None
    scores: bytes
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class Beliefs:
    """What is believed of a student now, of the competencies that changed: probabilities and codes of levels."""

    student: UUID
    competencies: Sequence[bytes]
    probabilities: Sequence[float]
    levels: Sequence[int]


def level(probability: float, lower: float, count: int) -> int:
    """The code of a belief's level, by mastery's rules, which its tests hold this against."""
    if not count:
        return 0
    mastered = probability >= MASTERED_AT and lower >= SURE_AT and count >= LEAST_EVIDENCE
    return 1 + (probability >= DEVELOPING_AT) + mastered
