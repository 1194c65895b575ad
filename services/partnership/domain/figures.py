"""A school's share in an area, from published figures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from services.partnership.domain.strength import NotEnoughSchools, Results, strengths

_LEAST, _MOST = 0.005, 0.995  # strengths are published in hundredths


@dataclass(frozen=True, slots=True)
class Figure:
    """What a snapshot says of one school and one competency; numbers are None when it is suppressed."""

    learners: int | None
    strength: float | None
    need: float | None
    competency: str = ""


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


def shares_in_context(
    roles: Mapping[UUID, str], figures: Mapping[UUID, Sequence[Figure]], context: Mapping[UUID, Sequence[float]]
) -> dict[UUID, float]:
    """For schools that offer, the probability that they do better than a school with like students; for those that
    seek, that they do worse (`strength.Strengths.share`).

    Competencies are the strata of the comparison. Schools of unknown context or with too few results are left out.
    Empty when there are too few schools to compare.
    """
    schools = sorted(school for school in figures if school in context)
    competencies = sorted({figure.competency for school in schools for figure in figures[school]})
    stratum_of = {competency: number for number, competency in enumerate(competencies)}
    cells = [
        (at, stratum_of[figure.competency], min(max(figure.strength, _LEAST), _MOST), figure.learners)
        for at, school in enumerate(schools)
        for figure in figures[school]
        if figure.strength is not None and figure.learners
    ]
    if not cells:
        return {}
    school, stratum, strength, learners = (np.array(column) for column in zip(*cells, strict=True))
    value = np.log(strength / (1 - strength))
    results = Results(school, stratum, value, 1 / (learners * strength * (1 - strength)), learners)
    try:
        found = strengths(results, np.array([context[each] for each in schools]), [str(each) for each in schools])
    except NotEnoughSchools:
        return {}
    better = found.share
    return {
        each: float(better[at] if roles[each] == "offers" else 1 - better[at])
        for at, each in enumerate(schools)
        if found.enough[at]
    }
