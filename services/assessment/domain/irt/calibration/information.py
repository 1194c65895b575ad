"""The observed information of the marginal likelihood, exactly, from one more pass over the students.

Louis (1982, "Finding the observed information matrix when using the EM algorithm", JRSS B 44, 226–233):

    I = Σ_i { E[−∂² log L_i(θ)] − Cov[S_i(θ)] },   S_i(θ) = ∂ log L_i(θ)

over each student's posterior, L_i(θ) being the likelihood of the responses together with the weight of θ. The first
term is made of the expected counts and stands in blocks, item by item. The second, the information that is missing
because abilities are not seen, joins every pair of parameters:

* `separable`: nobody misses anything and every item is of the credit family. Then S = (u_h − P(X ≥ h)) θ or without
  the θ, u_h telling whether step h was reached, and all that is needed are products of matrices (students, steps).
* `looked_up`: anything else kept densely; the scores are looked up node by node.
* `listed`: sparse responses; each student's own few parameters, added at their places.

Matrix products are in float32 over some thousand students and summed in float64.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.irt.calibration import families, latent, mstep
from services.assessment.domain.irt.calibration.families import Family
from services.assessment.domain.irt.calibration.mstep import Priors
from services.assessment.domain.irt.calibration.unknowns import Flags, Unknowns
from services.assessment.domain.irt.models import Floats
from services.assessment.domain.irt.responses import NOT_PRESENTED, Codes, Indices, Responses, Sparse
from services.assessment.domain.irt.tables import Expected

Singles = NDArray[np.float32]
BATCH = 4096
LISTED_BATCH = 256


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


def observed(point: Point, responses: Responses | Sparse, expected: Expected, priors: Priors) -> Floats:
    """Observed information of the free values, (free, free); with priors that of the posterior."""
    complete = _complete(point, expected, priors)
    missing = np.zeros_like(complete)
    if isinstance(responses, Sparse):
        _listed(point, responses, missing)
    elif _is_separable(point.unknowns, responses):
        _separable(point, responses.codes, missing)
    else:
        _looked_up(point, responses.codes, missing)
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


def _is_separable(unknowns: Unknowns, responses: Responses) -> bool:
    simple = all(block.family is Family.CREDIT for block in unknowns.blocks)
    return simple and not any((part == NOT_PRESENTED).any() for _, part in _batches(responses.codes, 16 * BATCH))


def _batches(codes: Codes, size: int) -> Iterator[tuple[slice, Codes]]:
    for start in range(0, len(codes), size):
        part = slice(start, start + size)
        yield part, codes[part]


def _posterior(logs: Singles) -> Singles:
    """Weights of each student at the nodes from log-likelihood + log weight, rows of sum 1."""
    logs -= logs.max(axis=1, keepdims=True)
    np.exp(logs, out=logs)
    logs /= logs.sum(axis=1, keepdims=True)
    return logs


def _add(made: Floats, places: Indices, own: Floats) -> None:
    np.add.at(made, (places[:, np.newaxis], places[np.newaxis, :]), own)


def _separable(point: Point, codes: Codes, missing: Floats) -> None:
    """Group by group: with u (students, F), E = P(X ≥ h) (F, Q) and posterior p (students, Q),

    Σ_i Σ_q p (u − E)(u − E)ᵀ θ^r = uᵀ diag(p θ^r) u − uᵀ(p (Eθ^r)ᵀ) − its transpose + Σ_q mass θ^r E Eᵀ,  r = 0, 1, 2.
    """
    theta, unknowns = point.theta, point.unknowns
    item, step, slope_at, step_at, z, reached, rest = _steps(point)
    features = len(item)
    powers = np.stack([np.ones_like(theta), theta, theta * theta])
    for each, prior in enumerate(point.log_weights):
        latent_at = np.array([unknowns.means[each], unknowns.sds[each]])
        first = latent.scores(theta, *point.values[latent_at])
        # one product with the posterior gives its moments, E θ^r of every step, and the latent scores
        wanted = np.concatenate(
            [
                powers,
                first,
                *(reached * power for power in powers),
                np.concatenate([first[0] * powers[:2], first[1] * powers[:2]]),
            ]
        )
        right = np.ascontiguousarray(wanted.T, dtype=np.float32)
        slopes, offset = z.astype(np.float32), (prior + rest).astype(np.float32)
        by_power = np.zeros((3, features, features))
        by_latent = np.zeros((4, features))
        cross = np.zeros((2 * features + 2, 2 * features + 2))
        mass = np.zeros(len(theta))
        own_rows = np.flatnonzero(point.group == each)
        for start in range(0, len(own_rows), BATCH):
            u = (codes[own_rows[start : start + BATCH]][:, item] >= step).astype(np.float32)
            weights = _posterior(u @ slopes + offset)
            mass += weights.sum(axis=0, dtype=np.float64)
            found = weights @ right
            observed_scores = np.empty((len(u), 2 * features + 2), dtype=np.float32)
            for power in range(3):
                expected = found[:, 5 + power * features : 5 + (power + 1) * features]
                half = u.T @ (0.5 * u * found[:, power : power + 1] - expected)
                by_power[power] += half + half.T
                if power < 2:
                    place = slice((1 - power) * features, (2 - power) * features)
                    observed_scores[:, place] = u * found[:, power : power + 1] - expected
            observed_scores[:, -2:] = found[:, 3:5]
            cross += observed_scores.T @ observed_scores
            by_latent += found[:, -4:].T @ u
        by_power += np.einsum("rq,fq,gq->rfg", powers * mass, reached, reached, optimize=True)
        by_latent -= np.concatenate([first[0] * powers[:2], first[1] * powers[:2]]) * mass @ reached.T
        both = np.empty_like(cross)
        both[:-2, :-2] = np.block([[by_power[2], by_power[1]], [by_power[1], by_power[0]]])
        for which in range(2):
            both[:features, -2 + which] = both[-2 + which, :features] = by_latent[2 * which + 1]
            both[features:-2, -2 + which] = both[-2 + which, features:-2] = by_latent[2 * which]
        both[-2:, -2:] = (first * mass) @ first.T
        _add(missing, np.concatenate([slope_at, step_at, latent_at]), both - cross)


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


def _looked_up(point: Point, codes: Codes, missing: Floats) -> None:
    table = _lookup(point)
    logs, first_row = _log_rows(point)
    most = np.array(point.unknowns.categories, dtype=np.int64)
    by_latent, latent_at = _latent_columns(point)
    by_node = np.ascontiguousarray(table.rows.T)
    width = len(table.item)
    for each, prior in enumerate(point.log_weights.astype(np.float32)):
        places = np.concatenate([table.place, latent_at[each]])
        total = np.zeros((width + 2, width + 2))
        own_rows = np.flatnonzero(point.group == each)
        for start in range(0, len(own_rows), BATCH):
            own = np.minimum(codes[own_rows[start : start + BATCH]], most)  # not presented: the row after the last
            weights = np.broadcast_to(prior, (len(own), len(prior))).copy()
            for item in range(own.shape[1]):
                weights += logs[first_row[item] + own[:, item]]
            roots = np.sqrt(_posterior(weights))
            index = table.first + own[:, table.item]
            scores = np.zeros((len(own), width + 2), dtype=np.float32)
            at_node = np.empty_like(scores)
            for node in range(len(point.theta)):
                root = roots[:, node : node + 1]
                np.take(by_node[node], index, out=at_node[:, :width], mode="clip")
                at_node[:, width:] = by_latent[each, :, node]
                at_node *= root
                total += at_node.T @ at_node
                at_node *= root
                scores += at_node
            total -= scores.T @ scores
        _add(missing, places, total)


def _listed(point: Point, responses: Sparse, missing: Floats) -> None:
    table = _lookup(point)
    logs, first_row = _log_rows(point)
    by_latent, latent_at = _latent_columns(point)
    # columns of one item stand together; students of like length share a batch, padded with a column of zeros
    order = np.argsort(table.item, kind="stable")
    starts = np.searchsorted(table.item[order], np.arange(responses.width + 1))
    zero = len(table.rows)
    rows = np.concatenate([table.rows, np.zeros((1, len(point.theta)), dtype=np.float32)])
    size = len(missing)
    flat = np.zeros((size + 1) * (size + 1))
    lengths = np.diff(responses.bounds)
    by_length = np.argsort(lengths, kind="stable")
    for begin in range(0, len(by_length), LISTED_BATCH):
        students = by_length[begin : begin + LISTED_BATCH]
        longest = int(lengths[students].max())
        entry = responses.bounds[students, np.newaxis] + np.arange(longest)
        there = np.arange(longest) < lengths[students, np.newaxis]
        entry = np.where(there, entry, 0)
        item = np.where(there, responses.items[entry], 0) if longest else np.zeros_like(entry)
        score = np.where(there, responses.scores[entry], NOT_PRESENTED) if longest else np.zeros_like(entry)
        there &= score != NOT_PRESENTED
        weights = point.log_weights[point.group[students]].astype(np.float32)
        weights += np.where(there[:, :, np.newaxis], logs[first_row[item] + np.where(there, score, 0)], 0).sum(axis=1)
        roots = np.sqrt(_posterior(weights))
        row, place = _columns(table, order, starts, item, score, there, zero, size)
        scores = np.concatenate([rows[row], by_latent[point.group[students]].astype(np.float32)], axis=1)
        place = np.concatenate([place, latent_at[point.group[students]]], axis=1)
        scores *= roots[:, np.newaxis]
        own = scores @ scores.transpose(0, 2, 1)
        mean = (scores * roots[:, np.newaxis]).sum(axis=2)
        own -= mean[:, :, np.newaxis] * mean[:, np.newaxis, :]
        where = place[:, :, np.newaxis] * (size + 1) + place[:, np.newaxis, :]
        np.add.at(flat, where.ravel(), own.ravel().astype(np.float64))
    missing += flat.reshape(size + 1, size + 1)[:size, :size]


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
