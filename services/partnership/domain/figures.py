"""A school's share in an area, from published figures."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """What a snapshot says of one school and one competency; all None when it is suppressed."""

    learners: int | None
    strength: float | None
    need: float | None


def share(role: str, figures: Iterable[Figure]) -> float | None:
    """The mean strength of a school that offers, the mean need of one that seeks, weighted by learners.

    Suppressed figures are left out. None when nothing is left: not enough is known, and nobody guesses.
    """
    total, learners = 0.0, 0
    for figure in figures:
        value = figure.strength if role == "offers" else figure.need
        if value is not None and figure.learners:
            total += value * figure.learners
            learners += figure.learners
    return total / learners if learners else None
