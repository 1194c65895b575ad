"""Growth between two windows, with everything that is uncertain about it.

A student's growth on the scale of the later window is g = θ₂ − (A θ₁ + B), with

    SE² = SE₂² + A² SE₁² + θ₁² var A + 2 θ₁ cov(A, B) + var B:

both measurements and the link. Inside 1.96 SE the answer is "no measurable change". For the mean of a group measurement
errors average out, the link's error does not: every student's growth is wrong by the same A and B, so

    SE² = Σ (SE₂² + A² SE₁²)/n² + θ̄₁² var A + 2 θ̄₁ cov(A, B) + var B.

**Which abilities.** Weighted likelihood (WLE) or maximum likelihood with SE = 1/sqrt(I), never EAP or MAP, which are
drawn to the mean of their prior: two windows that measure with different precision draw differently, which looks like
growth where there is none, and real growth comes out too small. The study docs/studies/growth.md says how often a claim
is wrong.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.irt.linking import IDENTITY, Link
from services.assessment.domain.irt.models import Floats

Z = 1.959963984540054


class BadAbilities(ValueError):
    """These abilities cannot be compared."""


class Change(StrEnum):
    """What may be said of a student."""

    GREW = "grew"
    FELL = "fell"
    NO_MEASURABLE_CHANGE = "no measurable change"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, eq=False)
class Growth:
    """Growth of every student on the scale of the later window, in logits: (students,), NaN where it is unknown.

    `direction` is 1 where the student measurably grew, −1 where fell, 0 for no measurable change or unknown;
    `is_known` tells the two apart.
    """

    growth: Floats
    se: Floats
    direction: NDArray[np.int8]
    is_known: NDArray[np.bool_]

    def change(self, student: int) -> Change:
        """What may be said of this student."""
        if not self.is_known[student]:
            return Change.UNKNOWN
        return (Change.FELL, Change.NO_MEASURABLE_CHANGE, Change.GREW)[int(self.direction[student]) + 1]


def growth(
    before: Floats, se_before: Floats, after: Floats, se_after: Floats, link: Link = IDENTITY, z: float = Z
) -> Growth:
    """Growth of students whose WLE or ML abilities in two windows stand in the same order, all (students,).

    An ability that is null (NaN) or infinite with its SE makes growth unknown. Raises BadAbilities for arrays of
    different lengths and negative or zero SE, CannotLink for a link without covariance.
    """
    _check(before, se_before, after, se_after)
    known = np.isfinite(before) & np.isfinite(se_before) & np.isfinite(after) & np.isfinite(se_after)
    start = np.where(known, before, 0.0)
    change = np.where(known, after, np.nan) - link.theta(start)
    measured = np.where(known, se_after**2 + (link.A * se_before) ** 2, np.nan)
    se = np.sqrt(measured + link.variance(start))
    outside = known & (np.abs(np.where(known, change, 0.0)) > z * np.where(known, se, np.inf))
    return Growth(change, se, np.where(outside, np.sign(np.where(known, change, 0.0)), 0).astype(np.int8), known)


@dataclass(frozen=True, slots=True)
class MeanGrowth:
    """Mean growth of the students measured in both windows, its SE, and the part of the SE that is linking error."""

    students: int
    growth: float
    se: float
    se_measurement: float
    se_linking: float
    change: Change


def mean_growth(
    before: Floats, se_before: Floats, after: Floats, se_after: Floats, link: Link = IDENTITY, z: float = Z
) -> MeanGrowth:
    """Mean growth of these very students (not of those whom they might stand for). Raises as `growth`.

    Without a student known in both windows it raises BadAbilities.
    """
    each = growth(before, se_before, after, se_after, link, z)
    known = each.is_known
    if not known.any():
        raise BadAbilities("no student has an ability in both windows")
    students = int(known.sum())
    start = np.asarray(before)[known]
    measured = np.sqrt((se_after[known] ** 2 + (link.A * se_before[known]) ** 2).sum()) / students
    linked = float(np.sqrt(link.variance(start.mean(keepdims=True))[0]))
    change = float(each.growth[known].mean())
    se = float(np.hypot(measured, linked))
    said = Change.NO_MEASURABLE_CHANGE
    if abs(change) > z * se:
        said = Change.GREW if change > 0 else Change.FELL
    return MeanGrowth(students, change, se, float(measured), linked, said)


def _check(before: Floats, se_before: Floats, after: Floats, se_after: Floats) -> None:
    if len({each.shape for each in (before, se_before, after, se_after)}) != 1 or before.ndim != 1:
        raise BadAbilities("abilities and standard errors of both windows are one number for each student")
    for window, se in (("before", se_before), ("after", se_after)):
        wrong = np.flatnonzero(se <= 0)
        if len(wrong):
            raise BadAbilities(f"student {int(wrong[0])}: a standard error {window} of {se[wrong[0]]} is none")
