"""The highest point of each student's likelihood, with or without something added to it: MAP, ML and Warm's WLE.

All three are the root of a slope g(θ) = Σ s(θ) + extra(θ) over the items a student answered, where the extra is nothing
(ML), −(θ − μ)/σ² (MAP) or J/(2I) (WLE); the standard error is 1/sqrt(−g'(θ̂)), with the observed information. A search
begins at the highest node of a grid, so that of several maxima (3PL) the highest is found, and goes on by secants that
never leave the bracket once there is one.
"""

from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.irt.models import (
    DICHOTOMOUS,
    Floats,
    Parameters,
    derivatives,
    information,
    log_probabilities,
    probabilities,
)
from services.assessment.domain.irt.responses import NOT_PRESENTED, Codes

NODES = 161
BATCH = 4096
TOLERANCE = 1e-9
STEP = 1e-4
"""Half of the distance over which the slope of Warm's correction is taken, logits."""


class NoMaximum(ValueError):
    """The search for the highest point of a likelihood did not end."""


class Extra(StrEnum):
    """What is added to the likelihood."""

    NOTHING = "nothing"
    PRIOR = "prior"
    WARM = "warm"


def highest(
    codes: Codes, items: Sequence[Parameters], extra: Extra, mean: float = 0.0, sd: float = 1.0
) -> tuple[Floats, Floats]:
    """Where each student's likelihood is highest and its standard error, both (students,), logits.

    `codes` (students, items) 0..m or 255. Of an infinite one both are infinite; students without any response get NaN.
    """
    theta, error = np.full(len(codes), np.nan), np.full(len(codes), np.nan)
    nodes = grid(items, mean, sd) if items else np.zeros(1)
    answered = np.flatnonzero((codes != NOT_PRESENTED).any(axis=1))
    for start in range(0, len(answered), BATCH):
        part = answered[start : start + BATCH]
        theta[part], error[part] = _climb(codes[part], items, extra, mean, sd, nodes)
    return theta, error


def grid(items: Sequence[Parameters], mean: float, sd: float) -> Floats:
    """Where searches begin, shape (161,): past the thresholds of every item by six of its own units, 40 at most."""
    reach = [min(6.0 / max(abs(item.a), 1e-300), 40.0) for item in items]
    low = min(min(item.b) - far for item, far in zip(items, reach, strict=True))
    high = max(max(item.b) + far for item, far in zip(items, reach, strict=True))
    return np.linspace(min(low, mean - 4 * sd), max(high, mean + 4 * sd), NODES)


def limits(item: Parameters) -> tuple[Floats, Floats]:
    """Log-probability of each score where ability goes to −∞ and to +∞, each (m + 1,)."""
    low, high = np.full(item.categories, -np.inf), np.full(item.categories, -np.inf)
    low[0] = high[-1] = 0.0
    if item.model in DICHOTOMOUS and item.c > 0:
        low[:] = np.log1p(-item.c), np.log(item.c)
    return (low, high) if item.a > 0 else (high, low)


def _climb(
    codes: Codes, items: Sequence[Parameters], extra: Extra, mean: float, sd: float, nodes: Floats
) -> tuple[Floats, Floats]:
    heights, edges = _heights(codes, items, extra, mean, sd, nodes)
    best = heights.argmax(axis=1)
    theta = nodes[best]
    wide = nodes[1] - nodes[0]
    infinite = (edges == 0.0).any(axis=1) if extra is Extra.NOTHING else np.zeros(len(codes), dtype=bool)
    left = np.flatnonzero(~infinite)
    low, high = np.full(len(codes), -np.inf), np.full(len(codes), np.inf)
    before, slope_before = np.full(len(codes), np.nan), np.full(len(codes), np.nan)
    for _ in range(200):
        if not len(left):
            break
        slope, bend = _slope(codes[left], items, extra, mean, sd, theta[left])
        low[left] = np.where(slope > 0, theta[left], low[left])
        high[left] = np.where(slope <= 0, theta[left], high[left])
        with np.errstate(divide="ignore", invalid="ignore"):
            secant = -slope * (theta[left] - before[left]) / (slope - slope_before[left])
        uphill = np.isfinite(secant) & (secant * slope > 0)
        if extra is Extra.NOTHING:
            infinite[left] |= _rises_for_ever(theta[left], slope, edges[left], nodes)
        step = np.where(uphill, secant, slope / np.maximum(np.abs(bend), 1e-12))
        after = theta[left] + np.clip(step, -wide, wide)
        outside = (after <= low[left]) | (after >= high[left])
        bracketed = np.isfinite(low[left]) & np.isfinite(high[left])
        outside &= bracketed
        after[outside] = 0.5 * (low[left] + high[left])[outside]
        before[left], slope_before[left] = theta[left], slope
        done = (np.abs(after - theta[left]) < TOLERANCE * (1 + np.abs(after))) | infinite[left]
        theta[left] = after
        left = left[~done]
    if len(left):
        raise NoMaximum("the search for the highest likelihood did not end")
    error = _errors(codes, items, extra, mean, sd, theta)
    if extra is Extra.NOTHING:
        found = _log_likelihood(codes, items, theta)
        beyond = edges.max(axis=1)
        infinite |= beyond >= found - 1e-9
        theta[infinite] = np.where(edges[infinite, 1] >= edges[infinite, 0], np.inf, -np.inf)
        error[infinite] = np.inf
    return theta, error


def _rises_for_ever(theta: Floats, slope: Floats, edges: Floats, nodes: Floats) -> NDArray[np.bool_]:
    """Who is past all items and still goes up, to where the likelihood does not vanish; (students,)."""
    below = (theta < nodes[0]) & (slope < 0) & np.isfinite(edges[:, 0])
    above = (theta > nodes[-1]) & (slope > 0) & np.isfinite(edges[:, 1])
    return np.asarray(below | above)


def _heights(
    codes: Codes, items: Sequence[Parameters], extra: Extra, mean: float, sd: float, nodes: Floats
) -> tuple[Floats, Floats]:
    """What is to be maximised at the nodes (students, nodes), and the log-likelihood at −∞ and +∞ (students, 2)."""
    heights, facts = np.zeros((len(codes), len(nodes))), np.zeros((len(codes), len(nodes)))
    edges = np.zeros((len(codes), 2))
    for place, item in enumerate(items):
        row = np.minimum(codes[:, place], item.categories)
        heights += _and_nothing(log_probabilities(item, nodes))[row]
        edges += _and_nothing(np.stack(limits(item), axis=1))[row]
        if extra is Extra.WARM:
            facts += (row < item.categories)[:, np.newaxis] * information(item, nodes)
    if extra is Extra.PRIOR:
        heights -= 0.5 * ((nodes - mean) / sd) ** 2
    elif extra is Extra.WARM:
        with np.errstate(divide="ignore"):
            heights += 0.5 * np.log(facts)
    return heights, edges


def _and_nothing(table: Floats) -> Floats:
    """With a last row of zeros for what was not presented."""
    return np.concatenate([table, np.zeros((1, table.shape[1]))])


def _sums(
    codes: Codes, items: Sequence[Parameters], theta: Floats, *, warm: bool
) -> tuple[Floats, Floats, Floats, Floats]:
    """Σ s, Σ h over the responses, I and J of the items presented, at each student's own ability; all (students,)."""
    first, second, fact, correction = (np.zeros(len(codes)) for _ in range(4))
    student = np.arange(len(codes))
    for place, item in enumerate(items):
        code = codes[:, place]
        there = code != NOT_PRESENTED
        row = np.where(there, code, 0)
        slopes, bends = derivatives(item, theta)
        first += there * slopes[row, student]
        second += there * bends[row, student]
        if warm:
            chances = probabilities(item, theta)
            fact += there * (chances * slopes * slopes).sum(axis=0)
            correction += there * (chances * slopes * (slopes * slopes + bends)).sum(axis=0)
    return first, second, fact, correction


def _slope(
    codes: Codes, items: Sequence[Parameters], extra: Extra, mean: float, sd: float, theta: Floats
) -> tuple[Floats, Floats]:
    """The slope g and about its own slope, both (students,)."""
    first, second, fact, correction = _sums(codes, items, theta, warm=extra is Extra.WARM)
    if extra is Extra.PRIOR:
        return first - (theta - mean) / sd**2, second - 1 / sd**2
    if extra is Extra.WARM:
        return first + correction / (2 * fact), -fact
    return first, second


def _errors(codes: Codes, items: Sequence[Parameters], extra: Extra, mean: float, sd: float, theta: Floats) -> Floats:
    """1/sqrt(−g'); by the expected information where the likelihood is no hill (3PL)."""
    _, second, fact, _ = _sums(codes, items, theta, warm=True)
    bend = -second
    if extra is Extra.PRIOR:
        bend, fact = bend + 1 / sd**2, fact + 1 / sd**2
    elif extra is Extra.WARM:
        _, _, fact_up, up = _sums(codes, items, theta + STEP, warm=True)
        _, _, fact_down, down = _sums(codes, items, theta - STEP, warm=True)
        bend -= (up / (2 * fact_up) - down / (2 * fact_down)) / (2 * STEP)
    with np.errstate(divide="ignore"):
        return np.asarray(1 / np.sqrt(np.where(bend > 0, bend, fact)), dtype=np.float64)


def _log_likelihood(codes: Codes, items: Sequence[Parameters], theta: Floats) -> Floats:
    total, student = np.zeros(len(codes)), np.arange(len(codes))
    for place, item in enumerate(items):
        there = codes[:, place] != NOT_PRESENTED
        total += there * log_probabilities(item, theta)[np.where(there, codes[:, place], 0), student]
    return total
