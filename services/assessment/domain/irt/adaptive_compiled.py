"""Adaptive tests of many students at once, compiled with numba, in float64: the items of `adaptive_plain`."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from services.assessment.domain.irt.adaptive import Given, Pool, Stop, nothing_given
from services.assessment.domain.irt.models import Floats

PRECISE, CLASSIFIED, LENGTH, EXHAUSTED = (int(stop) for stop in Stop)


def administer(pool: Pool, true_theta: Floats, draws: Floats, eligible: NDArray[np.bool_] | None) -> Given:
    """As `adaptive_plain.administer`: the same items, abilities to 1e-12."""
    rules, sprt = pool.rules, pool.rules.decide == "sprt"
    made = nothing_given(len(true_theta), pool.longest)
    limits = (
        0.0 if rules.se is None else rules.se,
        rules.shortest,
        rules.longest,
        pool.bound if sprt else pool.z,
        sprt,
    )
    bank = (pool.slopes, pool.asymptotes, pool.thresholds, pool.steps_add)
    tables = (pool.nodes, pool.prior, pool.first, pool.chances, pool.cuts, pool.ratios)
    choice = (pool.ranked, pool.area, pool.shares, pool.low, pool.spacing)
    offered = (
        eligible is None,
        np.ones((1, 1), dtype=np.bool_) if eligible is None else np.ascontiguousarray(eligible),
    )
    filled = (made.theta, made.se, made.items, made.scores, made.length, made.stop)
    _administer(bank, tables, choice, limits, true_theta, draws, offered, filled)
    return made


@njit(nogil=True, cache=True, error_model="numpy")
def _answer(bank: Any, item: int, theta: float, draw: float) -> int:
    """A score drawn from the model: how many of P(X ≥ 1), P(X ≥ 2), … exceed the draw."""
    slopes, asymptotes, thresholds, steps_add = bank
    a, c, b = slopes[item], asymptotes[item], thresholds[item]
    score = 0
    if not steps_add[item]:
        for k in range(len(b)):
            if b[k] == np.inf or draw >= c + (1 - c) / (1 + np.exp(-a * (theta - b[k]))):
                break
            score += 1
        return score
    exponents, steps = np.zeros(len(b) + 1), 0
    while steps < len(b) and b[steps] != np.inf:
        exponents[steps + 1] = exponents[steps] + a * (theta - b[steps])
        steps += 1
    odds = np.exp(exponents[: steps + 1] - exponents[: steps + 1].max())
    total, beyond = odds.sum(), 0.0
    for k in range(steps, 0, -1):
        beyond += odds[k]
        if draw < beyond / total:
            return k
    return 0


@njit(nogil=True, cache=True, error_model="numpy")
def _choose(choice: Any, theta: float, turn: int, had: Any, used: Any, student: int, offered: Any) -> int:
    """The next item: as `adaptive.next_item`."""
    ranked, _, shares, low, spacing = choice
    everything, seen = offered
    place = min(max(int(np.floor((theta - low) / spacing + 0.5)), 0), ranked.shape[1] - 1)
    area, most = 0, -np.inf
    for k in range(len(shares)):
        wanted = shares[k] * (turn + 1) - had[k]
        if wanted > most:
            area, most = k, wanted
    for attempt in range(3):
        among = ranked[area if attempt == 0 else len(shares), place]
        for item in among:
            if item < 0:
                break
            if used[item] != student and (everything or attempt == 2 or seen[student, item]):
                return int(item)
    return -1


@njit(nogil=True, cache=True, error_model="numpy")
def _administer(
    bank: Any, tables: Any, choice: Any, limits: Any, true_theta: Any, draws: Any, offered: Any, made: Any
) -> None:
    """Fills what is made of every student."""
    theta, se, items, scores, length, stop = made
    nodes, prior, first, chances, cuts, ratios = tables
    enough, shortest, longest, bound, sprt = limits
    area = choice[1]
    used = np.full(len(area), -1)
    had, ratio = np.zeros(len(choice[2]), np.int64), np.zeros(len(cuts))
    posterior = np.empty(len(nodes))
    start = 0.0
    for node in range(len(nodes)):
        start += prior[node] * nodes[node]
    for student in range(len(true_theta)):
        posterior[:] = prior
        had[:] = 0
        ratio[:] = 0.0
        mean, sd = start, 0.0
        for turn in range(items.shape[1]):
            item = _choose(choice, mean, turn, had, used, student, offered)
            score = _answer(bank, item, true_theta[student], draws[student, turn])
            used[item] = student
            had[area[item]] += 1
            items[student, turn], scores[student, turn] = item, score
            row = chances[first[item] + score]
            total, moment = 0.0, 0.0
            for node in range(len(nodes)):
                posterior[node] *= row[node]
                total += posterior[node]
                moment += posterior[node] * nodes[node]
            mean = moment / total
            spread = 0.0
            for node in range(len(nodes)):
                posterior[node] /= total
                spread += posterior[node] * (nodes[node] - mean) ** 2
            sd = np.sqrt(spread)
            known = len(cuts) > 0
            for cut in range(len(cuts)):
                ratio[cut] += ratios[cut, first[item] + score]
                known &= abs(ratio[cut]) >= bound if sprt else abs(mean - cuts[cut]) >= bound * sd
            given = turn + 1
            length[student] = given
            if given >= shortest and sd <= enough:
                stop[student] = PRECISE
            elif given >= shortest and known:
                stop[student] = CLASSIFIED
            elif given >= longest:
                stop[student] = LENGTH
            elif given >= items.shape[1]:
                stop[student] = EXHAUSTED
            if stop[student]:
                break
        theta[student], se[student] = mean, sd
