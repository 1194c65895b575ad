"""The kernels in numpy and float64: the numbers that `compiled` has to meet, and what the platform computes with.

`moments` is elementwise or a sum along one student's row: a student's estimate has the same bits whoever else is in
the batch. `expected` adds up students with matrix products, whose last bits may depend on the machine.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.irt.adaptive import Given, Pool, Stop
from services.assessment.domain.irt.models import Floats, logistic
from services.assessment.domain.irt.packing import Bytes, Entries, Packed
from services.assessment.domain.irt.responses import HIGHEST_SCORE, Codes, Indices
from services.assessment.domain.irt.tables import Expected, Groups, Moments, Tables, group_of, patterns

VERSION = "numpy"
BATCH = 512  # students at a time: 512 × 61 float64 stay in the second-level cache


def moments(packed: Packed, table: Tables, groups: Groups | None = None) -> Moments:
    """Posterior mean Σ θ p, standard deviation sqrt Σ (θ − mean)² p and log marginal likelihood of every student."""
    group = group_of(groups, packed, table)
    mean, sd, marginal = (np.empty(packed.students) for _ in range(3))
    for part, logs in _log_likelihoods(packed, table):
        weights, marginal[part] = _posterior(logs, table.log_prior[group[part]])
        mean[part] = (weights * table.nodes).sum(axis=1)
        away = table.nodes - mean[part][:, np.newaxis]
        sd[part] = np.sqrt((weights * away * away).sum(axis=1))
    return Moments(mean, sd, marginal)


def expected(packed: Packed, table: Tables, groups: Groups | None = None) -> Expected:
    """Expected number of students with each score at each node, given their responses (Bock & Aitkin 1981)."""
    group = group_of(groups, packed, table)
    counts, mass = np.zeros_like(table.logs), np.zeros_like(table.log_prior)
    log_likelihood = 0.0
    for part, logs in _log_likelihoods(packed, table):
        weights, marginal = _posterior(logs, table.log_prior[group[part]])
        log_likelihood += float(marginal.sum())
        for each in range(len(mass)):
            mass[each] += weights[group[part] == each].sum(axis=0)
        if isinstance(packed, Bytes):
            _count_bytes(packed, part, weights, counts)
        else:
            _count_entries(packed, part, weights, counts)
    return Expected(log_likelihood, counts, mass)


def _posterior(logs: Floats, log_prior: Floats) -> tuple[Floats, Floats]:
    """Weights of every student at the nodes, rows of sum 1, and the log of what they were divided by."""
    logs = logs + log_prior
    top = logs.max(axis=1)
    weights = np.exp(logs - top[:, np.newaxis])
    total = weights.sum(axis=1)
    weights /= total[:, np.newaxis]
    return weights, np.log(total) + top


def _log_likelihoods(packed: Packed, table: Tables) -> Iterator[tuple[slice, Floats]]:
    """Log-likelihood of the students at the nodes, (batch, Q), batch by batch."""
    table.check(packed.layout)
    if isinstance(packed, Bytes):
        rows = patterns(table, packed.layout)
        for start in range(0, packed.students, BATCH):
            part = slice(start, min(start + BATCH, packed.students))
            total = np.zeros((part.stop - part.start, len(table.nodes)))
            found = np.empty_like(total)
            for place, own in enumerate(rows):
                # Into a place of its own and without a check of the rows, which are all there: half the time.
                np.take(own, packed.codes[part, place], axis=0, out=found, mode="clip")
                total += found
            yield part, total
        return
    for start in range(0, packed.students, BATCH):
        part = slice(start, min(start + BATCH, packed.students))
        rows_of, starts, answered = _entries_of(packed, part)
        total = np.zeros((part.stop - part.start, len(table.nodes)))
        if len(rows_of):
            total[answered] = np.add.reduceat(table.logs[rows_of], starts, axis=0)
        yield part, total


def _entries_of(packed: Entries, part: slice) -> tuple[NDArray[np.int32], Indices, Indices]:
    """The rows of these students, where each student's begin, and who has any."""
    bounds = packed.bounds[part.start : part.stop + 1]
    answered = np.flatnonzero(np.diff(bounds))
    return packed.rows[bounds[0] : bounds[-1]], (bounds[:-1] - bounds[0])[answered], answered


def _count_bytes(packed: Bytes, part: slice, weights: Floats, counts: Floats) -> None:
    layout = packed.layout
    for place, (first, end) in enumerate(layout.groups):
        value = packed.codes[part, place].astype(np.int64)
        for item in range(end - 1, first - 1, -1):
            value, digit = np.divmod(value, layout.radices[item])
            is_score = digit[:, np.newaxis] == np.arange(layout.categories[item])
            counts[layout.offsets[item] : layout.offsets[item + 1]] += is_score.T.astype(np.float64) @ weights


def _count_entries(packed: Entries, part: slice, weights: Floats, counts: Floats) -> None:
    rows, _, _ = _entries_of(packed, part)
    student = np.repeat(np.arange(part.stop - part.start), np.diff(packed.bounds[part.start : part.stop + 1]))
    order = np.argsort(rows, kind="stable")
    found, starts = np.unique(rows[order], return_index=True)
    if len(found):
        counts[found] += np.add.reduceat(weights[student[order]], starts, axis=0)


# Adaptive tests


def administer(pool: Pool, true_theta: Floats, draws: Floats, eligible: NDArray[np.bool_] | None) -> Given:
    """An adaptive test for every student of these abilities (n,).

    `draws` (n, longest) are uniform numbers that decide the answers, `eligible` (n, items) the items a student may see.
    """
    students, longest = len(true_theta), pool.longest
    made = Given(
        np.empty(students),
        np.empty(students),
        np.full((students, longest), -1, dtype=np.int32),
        np.full((students, longest), 255, dtype=np.uint8),
        np.zeros(students, dtype=np.int32),
        np.zeros(students, dtype=np.uint8),
    )
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


# Matched groups: what the comparisons of `dif` and `logistic` count.


def matched_counts(
    scores: Codes,
    focal: NDArray[np.bool_],
    anchors: NDArray[np.bool_],
    highest: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """Count every present response into `counts` (items, strata, 2, categories) at its student's matching score.

    `scores` (students, items), `focal` (students,), `anchors` and `highest` (items,); see `strata` for the score.
    """
    present = scores <= HIGHEST_SCORE
    complete = bool(present.all())
    points = scores if complete else np.where(present, scores, 0).astype(np.uint8)
    earned = points[:, anchors].sum(axis=1, dtype=np.int64)
    every = int(highest[anchors].sum())
    possible = np.full(len(scores), every) if complete else present[:, anchors] @ highest[anchors]
    at_anchors = (2 * every * earned + possible) // np.maximum(2 * possible, 1)
    strata, _, categories = counts.shape[1:]
    for item in range(scores.shape[1]):
        here = present[:, item]
        stratum = at_anchors
        if not anchors[item]:
            full, most = every + int(highest[item]), np.maximum(2 * (possible + highest[item]), 1)
            stratum = (2 * full * (earned + points[:, item]) + most // 2) // most
        place = (stratum * 2 + focal) * categories + points[:, item]
        found = np.bincount(place if complete else place[here], minlength=strata * 2 * categories)
        counts[item] += found.reshape(strata, 2, categories)
