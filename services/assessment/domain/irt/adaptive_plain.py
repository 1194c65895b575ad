"""Adaptive tests of many students at once, in numpy: the items that `adaptive_compiled` has to give too."""

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.irt.adaptive import Given, Indices, Pool, Stop, nothing_given
from services.assessment.domain.irt.models import Floats, logistic


def administer(pool: Pool, true_theta: Floats, draws: Floats, eligible: NDArray[np.bool_] | None) -> Given:
    """An adaptive test for every student of these abilities (n,).

    `draws` (n, longest) are uniform numbers that decide the answers, `eligible` (n, items) the items a student may see.
    """
    students, longest = len(true_theta), pool.longest
    made = nothing_given(students, longest)
    left = np.arange(students)
    posterior = np.tile(pool.prior, (students, 1))
    free = np.ones((students, pool.items), dtype=bool)
    had = np.zeros((students, len(pool.shares)), dtype=np.int64)
    ratio = np.zeros((students, len(pool.cuts)))
    theta = np.full(students, (pool.prior * pool.nodes).sum())
    for turn in range(longest):
        if not len(left):
            break
        item = _chosen(pool, theta, turn, had, free, None if eligible is None else eligible[left])
        score = _answered(pool, item, true_theta[left], draws[left, turn])
        row = pool.first[item] + score
        posterior = posterior * pool.chances[row]
        posterior /= posterior.sum(axis=1, keepdims=True)
        theta = (posterior * pool.nodes).sum(axis=1)
        away = pool.nodes - theta[:, np.newaxis]
        se = np.sqrt((posterior * away * away).sum(axis=1))
        ratio += pool.ratios[:, row].T
        each = np.arange(len(left))
        free[each, item] = False
        had[each, pool.area[item]] += 1
        made.theta[left], made.se[left], made.length[left] = theta, se, turn + 1
        made.items[left, turn], made.scores[left, turn] = item, score
        stop = _stopped(pool, turn + 1, theta, se, ratio)
        made.stop[left] = stop
        on = stop == 0
        left, posterior, free, had, ratio, theta = (of[on] for of in (left, posterior, free, had, ratio, theta))
    return made


def _chosen(
    pool: Pool,
    theta: Floats,
    turn: int,
    had: NDArray[np.int64],
    free: NDArray[np.bool_],
    eligible: NDArray[np.bool_] | None,
) -> Indices:
    """Every student's next item: as `adaptive.next_item`."""
    place = np.floor((theta - pool.low) / pool.spacing + 0.5).astype(np.int64)
    place = np.clip(place, 0, pool.ranked.shape[1] - 1)
    area = np.argmax(pool.shares * (turn + 1) - had, axis=1)
    allowed = free if eligible is None else free & eligible
    item = np.full(len(theta), -1, dtype=np.int64)
    for among, those in ((allowed, area), (allowed, np.full_like(area, -1)), (free, np.full_like(area, -1))):
        open_ = np.flatnonzero(item < 0)
        if not len(open_):
            break
        ranked = pool.ranked[those[open_], place[open_]]
        fit = among[open_[:, np.newaxis], ranked] & (ranked >= 0)
        first = np.argmax(fit, axis=1)
        each = np.arange(len(open_))
        item[open_] = np.where(fit[each, first], ranked[each, first], -1)
    return item


def _answered(pool: Pool, item: Indices, theta: Floats, draw: Floats) -> Indices:
    """Scores drawn from the model: how many of P(X ≥ 1), P(X ≥ 2), … exceed the draw."""
    b = pool.thresholds[item]
    is_step = np.isfinite(b)
    z = pool.slopes[item, np.newaxis] * (theta[:, np.newaxis] - np.where(is_step, b, 0.0))
    c = pool.asymptotes[item, np.newaxis]
    at_least = c + (1 - c) * logistic(z)
    exponents = np.where(is_step, np.cumsum(z, axis=1), -np.inf)
    top = np.maximum(exponents.max(axis=1, keepdims=True), 0.0)
    odds = np.exp(exponents - top)
    beyond = np.cumsum(odds[:, ::-1], axis=1)[:, ::-1]
    adding = beyond / (beyond[:, :1] + np.exp(-top))
    at_least = np.where(pool.steps_add[item, np.newaxis], adding, at_least)
    return np.asarray(((draw[:, np.newaxis] < at_least) & is_step).sum(axis=1), dtype=np.int64)


def _stopped(pool: Pool, given: int, theta: Floats, se: Floats, ratio: Floats) -> NDArray[np.uint8]:
    """Why every student stops, 0 for those who go on."""
    rules = pool.rules
    stop = np.zeros(len(theta), dtype=np.uint8)
    if given >= pool.longest:
        stop[:] = Stop.LENGTH if given >= rules.longest else Stop.EXHAUSTED
    if given < rules.shortest:
        return stop
    if len(pool.cuts):
        if rules.decide == "sprt":
            known = np.abs(ratio) >= pool.bound
        else:
            known = np.abs(theta[:, np.newaxis] - pool.cuts) >= pool.z * se[:, np.newaxis]
        stop[known.all(axis=1)] = Stop.CLASSIFIED
    if rules.se is not None:
        stop[se <= rules.se] = Stop.PRECISE
    return stop
