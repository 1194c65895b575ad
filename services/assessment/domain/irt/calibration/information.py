"""The observed information of the marginal likelihood, exactly, from one more pass over the students.

Louis (1982, "Finding the observed information matrix when using the EM algorithm", JRSS B 44, 226–233):

    I = Σ_i { E[−∂² log L_i(θ)] − Cov[S_i(θ)] },   S_i(θ) = ∂ log L_i(θ)

over each student's posterior, L_i(θ) being the likelihood of the responses together with the weight of θ. The first
term is made of the expected counts and stands in blocks, item by item. The second, the information that is missing
because abilities are not seen, joins every pair of parameters:

* `separable`: nobody misses anything and every item is of the credit family. Then S = (u_h − P(X ≥ h)) θ or without
  the θ, u_h telling whether step h was reached, and all that is needed are products of matrices (students, steps).
* `paired`: anything else with few scores in all. Pairs of scores are counted node by node as the E-step counts scores.
* `listed`: sparse responses and long tests; each student's own parameters, added at their places.

Matrix products are in float32 over some thousand students and summed in float64.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.irt.calibration import families, latent, mstep
from services.assessment.domain.irt.calibration.families import Family
from services.assessment.domain.irt.calibration.mstep import Priors
from services.assessment.domain.irt.calibration.pairs import Pairs
from services.assessment.domain.irt.calibration.unknowns import Flags, Unknowns
from services.assessment.domain.irt.models import Floats
from services.assessment.domain.irt.responses import NOT_PRESENTED, Codes, Indices, Responses, Sparse
from services.assessment.domain.irt.tables import Expected

Singles = NDArray[np.float32]
BATCH = 4096
LISTED_BATCH = 256
MOST_PAIRED = 300
"""Scores of all items together, up to which pairs of them are counted: 300² × 61 float64 are 44 MB."""
SETTLED = 8
"""Batches after which counts in float32 are added to those in float64."""
FAINTEST = -60.0
"""Log of the least weight of a node: nothing beside 1, and far from the denormal numbers that cost tenfold time."""


@dataclass(frozen=True, slots=True)
class Point:
    """Where the information is asked for: values (V,), nodes, each student's group, what is estimated (V,)."""

    unknowns: Unknowns
    values: Floats
    theta: Floats
    group: Indices
    free: Flags

    @property
    def log_weights(self) -> Floats:
        """Log weights of the groups, (G, Q)."""
        return latent.log_weights(self.theta, self.values[self.unknowns.means], self.values[self.unknowns.sds])


def observed(point: Point, responses: Responses | Sparse, expected: Expected, priors: Priors, adding: Pairs) -> Floats:
    """Observed information of the free values, (free, free); with priors that of the posterior."""
    complete = _complete(point, expected, priors)
    missing = np.zeros_like(complete)
    separable = is_separable(point.unknowns, responses)
    if isinstance(responses, Sparse) or (sum(point.unknowns.categories) > MOST_PAIRED and not separable):
        _listed(point, responses, missing, adding)
    elif separable:
        _separable(point, responses.codes, missing)
    else:
        _paired(point, responses.codes, missing, adding)
    at = np.flatnonzero(point.free)
    made = (complete - missing)[np.ix_(at, at)]
    return np.asarray((made + made.T) / 2, dtype=np.float64)


def gradient(point: Point, expected: Expected, priors: Priors) -> Floats:
    """First derivatives of the log-likelihood (and log prior) by all values, (V,) (Fisher's identity)."""
    unknowns, made = point.unknowns, np.zeros(len(point.values))
    for block in unknowns.blocks:
        if block.estimated:
            x = point.values[block.where]
            own = mstep.gradient(block, x, expected.counts[block.rows], point.theta)
            own += mstep.log_prior_slope(block, x, priors)
            np.add.at(made, block.where, np.where(block.free, own, 0.0))
    for each, (mean, sd) in enumerate(zip(unknowns.means, unknowns.sds, strict=True)):
        first = latent.scores(point.theta, point.values[mean], point.values[sd])
        made[[mean, sd]] += first @ expected.mass[each]
    return np.where(point.free, made, 0.0)


def _complete(point: Point, expected: Expected, priors: Priors) -> Floats:
    """What the information would be if abilities were seen; (V, V)."""
    unknowns, made = point.unknowns, np.zeros((len(point.values), len(point.values)))
    for block in unknowns.blocks:
        if block.estimated:
            x = point.values[block.where]
            own = families.curvature(block.family, x, point.theta, expected.counts[block.rows])
            own += mstep.log_prior_curvature(block, x, priors)
            np.subtract.at(made, (block.where[:, :, np.newaxis], block.where[:, np.newaxis, :]), own)
    for each, (mean, sd) in enumerate(zip(unknowns.means, unknowns.sds, strict=True)):
        own = latent.curvature(point.theta, point.values[mean], point.values[sd], expected.mass[each])
        made[np.ix_([mean, sd], [mean, sd])] -= own
    return made


def is_separable(unknowns: Unknowns, responses: Responses | Sparse) -> bool:
    """Whether nobody misses anything and every item is of the credit family."""
    if isinstance(responses, Sparse):
        return False
    simple = all(block.family is Family.CREDIT for block in unknowns.blocks)
    return simple and not any((part == NOT_PRESENTED).any() for _, part in _batches(responses.codes, 16 * BATCH))


def _batches(codes: Codes, size: int) -> Iterator[tuple[slice, Codes]]:
    for start in range(0, len(codes), size):
        part = slice(start, start + size)
        yield part, codes[part]


def _posterior(logs: Singles, axis: int) -> Singles:
    """Weights of each student at the nodes, along `axis`, from log-likelihood + log weight; they sum to 1."""
    logs -= logs.max(axis=axis, keepdims=True)
    np.maximum(logs, FAINTEST, out=logs)
    np.exp(logs, out=logs)
    logs /= logs.sum(axis=axis, keepdims=True)
    return logs


def _add(made: Floats, places: Indices, own: Floats) -> None:
    np.add.at(made, (places[:, np.newaxis], places[np.newaxis, :]), own)


def _separable(point: Point, codes: Codes, missing: Floats) -> None:
    """With u (F, students), E = P(X ≥ h) (F, Q), posterior p (Q, students) and counts r = u pᵀ, for k = 0, 1, 2

        Σ_i Σ_q p (u − E)(u − E)ᵀ θ^k = u diag(θ^k p) uᵀ − r (Eθ^k)ᵀ − (Eθ^k) rᵀ + (Eθ^k) diag(mass) Eᵀ

    and each student's mean scores are u (θ^k p) − (Eθ^k) p. A group's own scores, of its mean and sd, join them.
    """
    theta, unknowns = point.theta, point.unknowns
    item, step, slope_at, step_at, z, reached, rest = _steps(point)
    features = len(item)
    powers = np.stack([np.ones_like(theta), theta, theta * theta])
    first_z = np.ascontiguousarray(z.T, dtype=np.float32)
    for each, prior in enumerate(point.log_weights):
        latent_at = np.array([unknowns.means[each], unknowns.sds[each]])
        own = latent.scores(theta, *point.values[latent_at])
        # one product with the posterior gives its moments, the latent scores, and E and Eθ of every step
        wanted = np.concatenate([powers[1:], own, reached * theta, reached]).astype(np.float32)
        offset = (prior + rest).astype(np.float32)[:, np.newaxis]
        by_power = np.zeros((3, features, features))
        counts, mass = np.zeros((features, len(theta))), np.zeros(len(theta))
        cross = np.zeros((2 * features + 2, 2 * features + 2))
        students = np.flatnonzero(point.group == each)
        for start in range(0, len(students), BATCH):
            answers = np.ascontiguousarray(codes[students[start : start + BATCH]].T)
            u = (answers[item] >= step[:, np.newaxis]).astype(np.float32)
            posterior = _posterior(first_z @ u + offset, axis=0)
            found = wanted @ posterior
            tilted = u * found[0]
            by_power[0] += u @ u.T
            by_power[1] += tilted @ u.T
            by_power[2] += (u * found[1]) @ u.T
            counts += u @ posterior.T
            mass += posterior.sum(axis=1)
            means = found[2:]
            means[2 : 2 + features] -= tilted
            means[2 + features :] -= u
            cross += means @ means.T
        made = np.empty_like(cross)
        apart = []
        for power, gram in zip(powers, by_power, strict=True):
            half = (0.5 * mass * reached - counts) * power @ reached.T
            apart.append(gram + half + half.T)
        made[2:, 2:] = np.block([[apart[2], apart[1]], [apart[1], apart[0]]])
        away = reached * mass - counts
        made[:2, 2:] = own @ np.concatenate([away * theta, away]).T
        made[2:, :2] = made[:2, 2:].T
        made[:2, :2] = (own * mass) @ own.T
        # the steps' scores stand with their sign turned, in `means` as in `made`; the latent ones do not
        sign = np.concatenate([np.ones(2), -np.ones(2 * features)])
        _add(missing, np.concatenate([latent_at, slope_at, step_at]), (made - cross) * sign[:, np.newaxis] * sign)


def _steps(point: Point) -> tuple[Indices, Codes, Indices, Indices, Floats, Floats, Floats]:
    """Of every step of every item: item, number, place of slope and intercept, z and P(X ≥ h) at the nodes (F, Q).

    Last the rest of the log-likelihood, −Σ_items log Σ_k exp Σ_{h ≤ k} z_h, (Q,).
    """
    items, numbers, slopes, places, zs, reached = [], [], [], [], [], []
    rest = np.zeros(len(point.theta))
    for block in point.unknowns.blocks:
        x = point.values[block.where]
        for h in range(block.steps):
            items.append(block.items)
            numbers.append(np.full(len(block.items), h + 1, dtype=np.uint8))
            slopes.append(block.where[:, 0])
            places.append(block.where[:, h + 1])
            zs.append(x[:, :1] * point.theta + x[:, h + 1 : h + 2])
        reached.append(families.at_least(x, point.theta).transpose(1, 0, 2).reshape(-1, len(point.theta)))
        rest += families.log_probabilities(Family.CREDIT, x, point.theta)[:, 0].sum(axis=0)
    return (
        np.concatenate(items),
        np.concatenate(numbers),
        np.concatenate(slopes),
        np.concatenate(places),
        np.concatenate(zs),
        np.concatenate(reached),
        rest,
    )


@dataclass(frozen=True, slots=True)
class _Lookup:
    """Scores of every free parameter of every item by response, in one table with a row for not presented.

    Column c belongs to item `item[c]`, stands at `place[c]`, and its score for category k is row `first[c]` + k.
    """

    item: Indices
    place: Indices
    first: Indices
    rows: Singles


def _lookup(point: Point) -> _Lookup:
    item, place, first, rows, count = [], [], [], [], 0
    for block in point.unknowns.blocks:
        if not block.estimated:
            continue
        x = point.values[block.where]
        own = families.scores(block.family, x, point.theta)
        for which, column in np.ndindex(block.where.shape):
            if point.free[block.where[which, column]]:
                item.append(block.items[which])
                place.append(block.where[which, column])
                first.append(count)
                rows.append(own[which, column])
                rows.append(np.zeros((1, len(point.theta))))
                count += block.steps + 2
    table = np.concatenate(rows) if rows else np.zeros((0, len(point.theta)))
    return _Lookup(
        np.array(item, dtype=np.int64),
        np.array(place, dtype=np.int64),
        np.array(first, dtype=np.int64),
        table.astype(np.float32),
    )


def _log_rows(point: Point) -> tuple[Singles, Indices]:
    """Log-probabilities by item and category, with a row of zeros at the end of each item; first row of each item."""
    logs = point.unknowns.table(point.values, point.theta)
    ends = np.concatenate([[0], np.cumsum(point.unknowns.categories)]).astype(np.int64)
    spread = np.zeros((len(logs) + len(ends) - 1, len(point.theta)), dtype=np.float32)
    item = np.repeat(np.arange(len(ends) - 1), point.unknowns.categories)
    spread[np.arange(len(logs)) + item] = logs
    return spread, ends[:-1] + np.arange(len(ends) - 1)


def _latent_columns(point: Point) -> tuple[Floats, Indices]:
    """Scores of mean and sd of every group, (G, 2, Q), and their places (G, 2)."""
    unknowns = point.unknowns
    places = np.stack([unknowns.means, unknowns.sds], axis=1)
    return np.stack([latent.scores(point.theta, *point.values[own]) for own in places]), places


def _paired(point: Point, codes: Codes, missing: Floats, adding: Pairs) -> None:
    """With N(r, s, q) students who gave the scores r and s, expected at node q: Σ_i E[S Sᵀ] = Σ_q S_q N_q S_qᵀ."""
    unknowns, table = point.unknowns, _lookup(point)
    logs = unknowns.table(point.values, point.theta).astype(np.float32)
    size, nodes = logs.shape
    ends = np.concatenate([[0], np.cumsum(unknowns.categories)]).astype(np.int64)
    most = np.array(unknowns.categories, dtype=np.int64)
    by_latent, latent_at = _latent_columns(point)
    width = len(table.item)
    own_scores = np.zeros((nodes, size, width))  # of each score, by each free parameter
    for column, (item, first) in enumerate(zip(table.item, table.first, strict=True)):
        own_scores[:, ends[item] : ends[item + 1], column] = table.rows[first : first + most[item]].T
    for each, prior in enumerate(point.log_weights.astype(np.float32)):
        pairs, part = np.zeros((size, size, nodes)), np.zeros((size, size, nodes), dtype=np.float32)
        cross = np.zeros((width + 2, width + 2))
        counts, mass = np.zeros((size, nodes)), np.zeros(nodes)
        students = np.flatnonzero(point.group == each)
        for number, start in enumerate(range(0, len(students), BATCH)):
            own = codes[students[start : start + BATCH]]
            rows = np.where(own < most, own + ends[:-1], -1).astype(np.int32)
            given = np.zeros((len(own), size + 1), dtype=np.float32)
            given[np.arange(len(own))[:, np.newaxis], rows] = 1.0
            given = given[:, :-1]
            weights = _posterior(given @ logs + prior, axis=1)
            adding.add_pairs(rows, weights, part)
            counts += given.T @ weights
            mass += weights.sum(axis=0)
            found = weights @ table.rows.T
            index = table.first + np.minimum(own, most)[:, table.item]
            means = np.concatenate([np.take_along_axis(found, index, axis=1), weights @ by_latent[each].T], axis=1)
            cross += means.T @ means
            if number % SETTLED == SETTLED - 1:
                pairs += part
                part[:] = 0
        pairs += part
        total = -cross
        for node in range(nodes):
            half = pairs[:, :, node]
            whole = half + half.T - np.diag(np.diag(half))
            total[:width, :width] += own_scores[node].T @ whole @ own_scores[node]
        with_latent = np.einsum("qrc,rq,lq->lc", own_scores, counts, by_latent[each], optimize=True)
        total[width:, :width] += with_latent
        total[:width, width:] += with_latent.T
        total[width:, width:] += (by_latent[each] * mass) @ by_latent[each].T
        _add(missing, np.concatenate([table.place, latent_at[each]]), total)


def _listed(point: Point, responses: Responses | Sparse, missing: Floats, adding: Pairs) -> None:
    table = _lookup(point)
    logs, first_row = _log_rows(point)
    log_weights = point.log_weights.astype(np.float32)
    by_latent, latent_at = _latent_columns(point)
    # columns of one item stand together; a batch is padded with a column of zeros
    order = np.argsort(table.item, kind="stable")
    starts = np.searchsorted(table.item[order], np.arange(responses.width + 1))
    zero = len(table.rows)
    rows = np.concatenate([table.rows, np.zeros((1, len(point.theta)), dtype=np.float32)])
    size = len(missing)
    padded = np.zeros((size + 1, size + 1))
    for students, item, score in _lists(responses):
        there = score != NOT_PRESENTED
        score = np.where(there, score, 0)
        weights = log_weights[point.group[students]]
        weights += np.where(there[:, :, np.newaxis], logs[first_row[item] + score], 0).sum(axis=1)
        roots = np.sqrt(_posterior(weights, axis=1))
        row, place = _columns(table, order, starts, item, score, there, zero, size)
        scores = np.concatenate([rows[row], by_latent[point.group[students]].astype(np.float32)], axis=1)
        place = np.concatenate([place, latent_at[point.group[students]]], axis=1)
        scores *= roots[:, np.newaxis]
        own = scores @ scores.transpose(0, 2, 1)
        mean = (scores * roots[:, np.newaxis]).sum(axis=2)
        own -= mean[:, :, np.newaxis] * mean[:, np.newaxis, :]
        adding.add_products(place, own, padded)
    missing += padded[:size, :size]


def _lists(responses: Responses | Sparse) -> Iterator[tuple[Indices, Indices, Indices]]:
    """Some students, and the items and scores of each, (students, longest); padding has the score 255."""
    if isinstance(responses, Responses):
        batch = max(1, LISTED_BATCH * 40 // max(responses.width, 1))
        for part, codes in _batches(responses.codes, batch):
            students = np.arange(part.start, part.start + len(codes))
            yield students, np.broadcast_to(np.arange(responses.width), codes.shape), codes.astype(np.int64)
        return
    lengths = np.diff(responses.bounds)
    by_length = np.argsort(lengths, kind="stable")
    for begin in range(0, len(by_length), LISTED_BATCH):
        students = by_length[begin : begin + LISTED_BATCH]
        steps = np.arange(max(1, int(lengths[students].max())))
        there = steps < lengths[students, np.newaxis]
        entry = np.where(there, responses.bounds[students, np.newaxis] + steps, 0)
        item = np.where(there, responses.items[entry], 0).astype(np.int64)
        yield students, item, np.where(there, responses.scores[entry], NOT_PRESENTED).astype(np.int64)


def _columns(
    table: _Lookup, order: Indices, starts: Indices, item: Indices, score: Indices, there: Flags, zero: int, size: int
) -> tuple[Indices, Indices]:
    """Rows of the look-up and places of every student's parameters, (students, columns); padding is `zero`, `size`."""
    most = int(np.diff(starts).max(initial=0))
    which = starts[item][:, :, np.newaxis] + np.arange(most)
    has = there[:, :, np.newaxis] & (which < starts[item + 1][:, :, np.newaxis])
    column = order[np.where(has, which, 0)] if len(order) else np.zeros(which.shape, dtype=np.int64)
    row = np.where(has, table.first[column] + score[:, :, np.newaxis], zero)
    place = np.where(has, table.place[column], size)
    students = len(item)
    return row.reshape(students, -1), place.reshape(students, -1)
