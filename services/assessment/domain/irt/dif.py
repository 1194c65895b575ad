"""Differential item functioning by observed scores: is an item harder for one group than for its equals in another?

Mantel & Haenszel (1959) as Holland & Thayer (1988, "Differential item performance and the Mantel-Haenszel procedure")
use it. At matching score s the two groups make a table of right and wrong,

              right  wrong
    reference   A_s    B_s
    focal       C_s    D_s        T_s students

    α = Σ A D/T ⁄ Σ B C/T                         common odds ratio, above 1 when the item favours the reference group
    Δ = −2.35 ln α                                the delta scale of ETS: negative when the item is harder for the focal
    χ² = (|Σ (A − E A)| − ½)² ⁄ Σ var A           one degree of freedom, with continuity correction (as published: the
                                                  correction is made even where the sum is within ½ of nothing)

The standard error of ln α is that of Phillips & Holland (1987) and Robins, Breslow & Greenland (1986):

    var ln α = Σ (AD + αBC)(A + D + α(B + C))/T² ⁄ 2(Σ AD/T)².

**Classes** (Zieky 1993): C when |Δ| ≥ 1.5 and Δ is significantly above 1 in size ((|Δ| − 1)/SE > 1.645), A when |Δ| < 1
or p ≥ .05, else B.

**Items of more than two scores** get Mantel's (1963) test, the same χ² for the focal group's sum of scores, and instead
of Δ the standardised mean difference SMD = Σ w (mean focal − mean reference), w the focal group's share at each score
(Dorans & Schmitt 1991). Their classes are those of NAEP and ETS: C when p < .05 and |SMD| > .25 of the item's standard
deviation, A when p ≥ .05 or |SMD| ≤ .17 of it, else B.

**Purification**: items with p < .05 leave the matching score, the studied item always stays in, until the set of those
items is one that was there before.

**Missing responses**: see `strata`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, sqrt
from typing import Literal

import numpy as np

from services.assessment.domain.irt.purification import compare_purified
from services.assessment.domain.irt.strata import (
    Bools,
    Codes,
    Counter,
    Counts,
    Floats,
    Matched,
    Students,
    match,
    students,
)
from services.assessment.domain.irt.strata_plain import matched_counts

DELTA = -2.35
SIGNIFICANCE = 0.05
ONE_SIDED = 1.6448536269514722
MODERATE, LARGE = 1.0, 1.5
MODERATE_SMD, LARGE_SMD = 0.17, 0.25

Class = Literal["A", "B", "C"]


@dataclass(frozen=True, slots=True)
class MantelHaenszel:
    """Each item's comparison; all arrays (items,), NaN or infinite only where `reasons` says why or where told here.

    `delta` and its `se` on the ETS scale and `alpha`, the odds ratio, are of items of two scores and NaN for others;
    `chi2` with one degree of freedom and its `p`; `smd` the standardised mean difference in points of the item,
    `standardised_p` in proportion of its maximum (Dorans & Kulick 1986). `classes` A, B, C or None; `purified` the
    items left out of the matching score, by position; `rounds` how often the score was made anew; `converged` whether
    the last set is the one before it (it is not when sets alternate, or when every item is flagged and none is left to
    match by); `thin` whether the groups are smaller than Zieky (1993) recommends: 100 each and 500 together.
    """

    delta: Floats
    se: Floats
    chi2: Floats
    p: Floats
    classes: tuple[Class | None, ...]
    alpha: Floats
    smd: Floats
    standardised_p: Floats
    reasons: tuple[str | None, ...]
    purified: tuple[int, ...]
    rounds: int
    converged: bool
    thin: bool


@dataclass(frozen=True, slots=True)
class _Comparison:
    alpha: Floats
    variance: Floats
    chi2: Floats
    p: Floats
    smd: Floats
    spread: Floats
    reasons: tuple[str | None, ...]


def mantel_haenszel(
    scores: Codes,
    focal: Bools,
    purify: bool = True,
    *,
    names: Sequence[str] | None = None,
    counter: Counter = matched_counts,
    smallest_group: int = 10,
) -> MantelHaenszel:
    """Mantel-Haenszel differential item functioning of every item; scores (students, items), focal (students,) truth.

    An item that all students answer alike, or that only one group was presented, has no comparison: its numbers
    are NaN and its reason says so. Raises `GroupTooSmall`, `NothingToMatch` and `UnreadableScores` of `strata`.
    """
    group = students(scores, focal, names=names, smallest_group=smallest_group)
    result = compare_purified(
        group.scores.shape[1], lambda anchors: _compare(group, match(group, anchors, counter)), _flagged, purify
    )
    found = result.found
    with np.errstate(divide="ignore"):  # an odds ratio of 0 or infinity has a reason and an infinite delta
        delta, se = DELTA * np.log(found.alpha), abs(DELTA) * np.sqrt(found.variance)
    return MantelHaenszel(
        delta=delta,
        se=se,
        chi2=found.chi2,
        p=found.p,
        classes=_classes(group, found, delta, se),
        alpha=found.alpha,
        smd=found.smd,
        standardised_p=found.smd / np.maximum(group.highest, 1),
        reasons=found.reasons,
        purified=result.without,
        rounds=result.rounds,
        converged=result.converged,
        thin=group.thin,
    )


def _flagged(found: _Comparison) -> tuple[int, ...]:
    return tuple(int(item) for item in np.flatnonzero(found.p < SIGNIFICANCE))


def _compare(group: Students, matched: Matched) -> _Comparison:
    """All comparisons at one matching score."""
    counts = matched.counts.astype(np.float64)
    chi2, reasons = _mantel(group, matched)
    two = matched.highest == 1
    with np.errstate(divide="ignore", invalid="ignore"):
        alpha, variance = _odds(counts)
        smd, spread = _mean_difference(counts)
        compared = np.array([reason is None for reason in reasons], dtype=np.bool_)
        alpha = np.where(two & compared, alpha, np.nan)
        variance = np.where(two & compared, variance, np.nan)
    reasons = tuple(
        reason or _one_sided(group.names[item], float(alpha[item])) if two[item] else reason
        for item, reason in enumerate(reasons)
    )
    variance[~((alpha > 0) & (alpha < np.inf))] = np.nan
    p = np.array([erfc(sqrt(value / 2)) if value == value else np.nan for value in chi2])
    return _Comparison(alpha, variance, chi2, p, smd, spread, reasons)


def _one_sided(name: str, alpha: float) -> str | None:
    """An odds ratio of 0 or infinity is what the data say, but it has no standard error."""
    if alpha == 0 or alpha == np.inf:
        return f"{name}: wherever the groups meet one of them gave only one score, so the odds ratio has no bound."
    return None


def _odds(counts: Floats) -> tuple[Floats, Floats]:
    """Common odds ratio and the variance of its logarithm, both (items,), from the first two scores of each item."""
    a, b = counts[:, :, 0, 1:2].sum(axis=2), counts[:, :, 0, 0]
    c, d = counts[:, :, 1, 1:2].sum(axis=2), counts[:, :, 1, 0]
    total = np.maximum(a + b + c + d, 1)
    favours_reference = (a * d / total).sum(axis=1)
    alpha = favours_reference / (b * c / total).sum(axis=1)
    ratio = alpha[:, np.newaxis]
    terms = (a * d + ratio * b * c) * (a + d + ratio * (b + c)) / total**2
    return alpha, terms.sum(axis=1) / (2 * favours_reference**2)


def _mantel(group: Students, matched: Matched) -> tuple[Floats, tuple[str | None, ...]]:
    """Mantel's χ² of the focal group's sum of scores, (items,): for right and wrong it is that of Mantel-Haenszel.

    Given the margins of a stratum the sum has mean n_F Σ y m_y/T and variance
    n_R n_F (T Σ y² m_y − (Σ y m_y)²) ⁄ T²(T − 1). The correction of ½ is half the distance of two scores.
    """
    counts = matched.counts.astype(np.float64)
    points = np.arange(counts.shape[3], dtype=np.float64)
    reference, focal = counts[:, :, 0].sum(axis=2), counts[:, :, 1].sum(axis=2)
    total = reference + focal
    margin = counts.sum(axis=2)
    first, second = margin @ points, margin @ points**2
    met = np.maximum(total, 1)
    surprise = (counts[:, :, 1] @ points - focal * first / met).sum(axis=1)
    spread = reference * focal * (total * second - first**2) / (met**2 * np.maximum(total - 1, 1))
    variance = spread.sum(axis=1)
    reasons = tuple(
        _reason(group.names[item], matched.counts[item], bool(variance[item] > 0)) for item in range(len(counts))
    )
    compared = np.array([reason is None for reason in reasons], dtype=np.bool_)
    chi2 = np.full(len(counts), np.nan)
    chi2[compared] = (np.abs(surprise[compared]) - 0.5) ** 2 / variance[compared]
    return chi2, reasons


def _reason(name: str, counts: Counts, varies: bool) -> str | None:
    if varies:
        return None
    if not counts.any():
        return f"{name}: nobody answered it."
    if (counts.sum(axis=(0, 1)) > 0).sum() == 1:
        return f"{name}: everybody got the same score."
    if (counts.sum(axis=(0, 2)) > 0).sum() == 1:
        return f"{name}: only one of the groups answered it."
    return f"{name}: at no matching score do the groups meet with different scores."


def _mean_difference(counts: Floats) -> tuple[Floats, Floats]:
    """Standardised mean difference and the item's standard deviation over both groups, in points, both (items,)."""
    points = np.arange(counts.shape[3], dtype=np.float64)
    number = counts.sum(axis=3)
    means = (counts @ points) / np.maximum(number, 1)
    weight = np.where(number[:, :, 0] > 0, number[:, :, 1], 0)
    smd = (weight * (means[:, :, 1] - means[:, :, 0])).sum(axis=1) / weight.sum(axis=1)
    margin = counts.sum(axis=(1, 2))
    every = margin.sum(axis=1)
    mean = margin @ points / every
    return smd, np.sqrt(np.maximum(margin @ points**2 / every - mean**2, 0))


def _classes(group: Students, found: _Comparison, delta: Floats, se: Floats) -> tuple[Class | None, ...]:
    made: list[Class | None] = []
    for item, reason in enumerate(found.reasons):
        if reason is not None:
            made.append(None)
        elif group.highest[item] == 1:
            made.append(ets_class(float(delta[item]), float(se[item]), float(found.p[item])))
        else:
            made.append(naep_class(float(found.smd[item] / found.spread[item]), float(found.p[item])))
    return tuple(made)


def ets_class(delta: float, se: float, p: float) -> Class:
    """A negligible, B moderate, C large (Zieky 1993)."""
    if abs(delta) >= LARGE and abs(delta) - ONE_SIDED * se > MODERATE:
        return "C"
    return "A" if abs(delta) < MODERATE or p >= SIGNIFICANCE else "B"


def naep_class(effect: float, p: float) -> Class:
    """A, B or C of an item of several scores; `effect` is the standardised mean difference in standard deviations."""
    if p >= SIGNIFICANCE or abs(effect) <= MODERATE_SMD:
        return "A"
    return "C" if abs(effect) > LARGE_SMD else "B"
