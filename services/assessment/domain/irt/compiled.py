"""The kernels compiled with numba, in float32 tables: the numbers of `plain` to 1e-5, many times faster.

A student is a product of table rows, each divided by its maximum. Nothing may become a denormal number, which is slow
and inexact: the product begins at START, a row is nowhere less than FLOOR and the product nowhere less than LEAST. A
weight that these two have raised is at most FLOOR · START, so it is below 1e-8 of a total above GUARD; a student whose
total is below is computed again from the float64 logarithms. So are those whose answers contradict each other over
hundreds of items, and everybody on tests so long that no node is likely.

The E-step is the same table backwards: each posterior is added to the rows the student was made of, in float32 for
CHUNK students and in float64 over the chunks; the patterns are taken apart into items only once, at the end.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from services.assessment.domain.irt.lanes import LANES, LEAST, add_to_rows, posterior
from services.assessment.domain.irt.maxima_compiled import highest as highest  # a part of every kernel
from services.assessment.domain.irt.models import Floats
from services.assessment.domain.irt.packing import PATTERNS, Bytes, Entries, Layout, Packed
from services.assessment.domain.irt.tables import Expected, Groups, Moments, Tables, group_of, patterns

VERSION = "numba"
CHUNK = 8192  # students whose posteriors are added up in float32
START = np.float32(1e34)
FLOOR = np.float32(1e-34)
GUARD = np.float32(1e8)
NARROW = np.float32(0.01)  # a variance that is less of the squared mean is added up anew around the mean
FACTORS = 4  # totals, each below 1e37, whose product float64 holds

Rows = NDArray[np.float32]

# numba describes its functions as taking nothing; Any, so that they may be called.
compiled: Any = njit(nogil=True, cache=True, error_model="numpy")
inlined: Any = njit(nogil=True, cache=True, error_model="numpy", forceinline=True)


def moments(packed: Packed, table: Tables, groups: Groups | None = None) -> Moments:
    """As `plain.moments`; a student's estimate has the same bits whoever else is in the batch."""
    group = group_of(groups, packed, table)
    lookup = _Lookup(packed.layout, table, isinstance(packed, Bytes))
    mean, sd, marginal, edge = (np.empty(packed.students) for _ in range(4))
    again = np.empty(CHUNK, dtype=np.int64)
    for start in range(0, packed.students, CHUNK):
        part = slice(start, min(start + CHUNK, packed.students))
        given = *_source(packed, part), *lookup.arrays, group[part], lookup.places
        found = mean[part], sd[part], marginal[part], edge[part], np.empty(part.stop - start, dtype=np.float32)
        left = _moments(*given, *found, again)
        # For nobody too: both are compiled in a machine's first use, not this one when the first long test comes.
        _moments_again(again[:left], *given, *found)
        marginal[part] += np.log(found[-1], dtype=np.float64)
    centre, half = lookup.scale
    mean *= half
    mean += centre
    sd *= half
    return Moments(mean, sd, marginal, edge)


def exactly(packed: Entries, table: Tables) -> Moments:
    """As `plain.exactly`: without tables of bytes or float32, for the few whose posterior is far from the prior."""
    table.check(packed.layout)
    mean, sd, marginal, edge = (np.empty(packed.students) for _ in range(4))
    given = np.ascontiguousarray(packed.bounds), np.ascontiguousarray(packed.rows), np.ascontiguousarray(table.logs)
    _moments_exactly(*given, np.ascontiguousarray(table.log_prior[0]), table.nodes, mean, sd, marginal, edge)
    return Moments(mean, sd, marginal, edge)


def expected(packed: Packed, table: Tables, groups: Groups | None = None) -> Expected:
    """As `plain.expected`."""
    group = group_of(groups, packed, table)
    lookup = _Lookup(packed.layout, table, isinstance(packed, Bytes))
    shape = len(lookup.rows), len(lookup.places)
    sums, mass = np.zeros(shape), np.zeros((len(table.log_prior), shape[1]))
    part_sums = np.zeros(shape, dtype=np.float32)
    log_likelihood = 0.0
    for start in range(0, packed.students, CHUNK):
        part = slice(start, min(start + CHUNK, packed.students))
        part_sums[:] = 0.0
        log_likelihood += _expected(*_source(packed, part), *lookup.arrays, group[part], lookup.places, part_sums, mass)
        sums += part_sums
    nodes = len(table.nodes)
    if isinstance(packed, Bytes):
        counts = _taken_apart(packed.layout, sums[:-1, :nodes].reshape(-1, PATTERNS, nodes))
    else:
        counts = sums[:-1, :nodes].copy()
    return Expected(log_likelihood, counts, mass[:, :nodes].copy())


def _taken_apart(layout: Layout, sums: Floats) -> Floats:
    """Sums by byte and pattern (bytes, 256, Q) as sums by item and score (sum of categories, Q)."""
    counts = np.empty((int(layout.offsets[-1]), sums.shape[2]))
    for place, (first, end) in enumerate(layout.groups):
        rest = sums[place, : layout.patterns[place]]
        for item in range(first, end):
            digits = rest.reshape(layout.radices[item], -1, sums.shape[2])
            own = digits[: layout.categories[item]].sum(axis=1)
            counts[layout.offsets[item] : layout.offsets[item + 1]] = own
            rest = digits.sum(axis=0)
    return counts


def _source(packed: Packed, part: slice) -> tuple[Any, Any, Any]:
    """Where these students' rows are found: in bytes, bounds None; or in entries within bounds."""
    if isinstance(packed, Bytes):
        return np.ascontiguousarray(packed.codes[part]), None, None
    no_codes = np.zeros((0, 0), dtype=np.uint8)
    return no_codes, np.ascontiguousarray(packed.bounds[part.start : part.stop + 1]), np.ascontiguousarray(packed.rows)


class _Lookup:
    """The tables as the compiled functions read them: rows padded to whole lanes, a last row that changes nothing."""

    def __init__(self, layout: Layout, table: Tables, in_bytes: bool) -> None:
        table.check(layout)
        nodes = len(table.nodes)
        wide = -(-nodes // LANES) * LANES
        if in_bytes:
            self.logs = np.zeros((len(layout.groups) * PATTERNS + 1, nodes))
            for place, own in enumerate(patterns(table, layout)):
                self.logs[place * PATTERNS : place * PATTERNS + len(own)] = own
        else:
            self.logs = np.concatenate([table.logs, np.zeros((1, nodes))])
        self.tops = self.logs.max(axis=1)
        self.rows: Rows = np.zeros((len(self.logs), wide), dtype=np.float32)
        np.exp(self.logs - self.tops[:, np.newaxis], out=self.rows[:, :nodes], casting="same_kind")
        np.maximum(self.rows, FLOOR, out=self.rows)
        self.log_prior = np.ascontiguousarray(table.log_prior)
        self.prior: Rows = np.zeros((len(table.log_prior), wide), dtype=np.float32)
        tops = table.log_prior.max(axis=1, keepdims=True)
        self.prior[:, :nodes] = START * np.exp(table.log_prior - tops)
        np.maximum(self.prior, LEAST, out=self.prior)
        self.prior_tops = tops[:, 0] - np.log(np.float64(START))
        # Places instead of nodes, from −1 to 1: their squares do not overflow whatever the scale is.
        self.scale = (0.5 * (table.nodes[0] + table.nodes[-1]), max(0.5 * (table.nodes[-1] - table.nodes[0]), 1e-300))
        self.places: Rows = np.zeros(wide, dtype=np.float32)
        self.places[:nodes] = (table.nodes - self.scale[0]) / self.scale[1]

    @property
    def arrays(self) -> tuple[Any, ...]:
        """What both compiled functions take, in their order."""
        return self.rows, self.tops, self.logs, self.prior, self.prior_tops, self.log_prior


@inlined
def _find_rows(codes: Any, bounds: Any, entries: Any, student: int, found: NDArray[np.int64]) -> Any:
    """The rows this student is made of, and how many they are."""
    if bounds is None:
        count = codes.shape[1]
        for place in range(count):
            found[place] = place * PATTERNS + codes[student, place]
        return count
    first = bounds[student]
    count = bounds[student + 1] - first
    for place in range(count):
        found[place] = entries[first + place]
    return count


@compiled
def _most_rows(codes: Any, bounds: Any) -> Any:
    """Room for the rows of any student."""
    if bounds is None:
        return max(codes.shape[1], 1)
    most = 1
    for student in range(len(bounds) - 1):
        most = max(most, bounds[student + 1] - bounds[student])
    return most


@compiled
def _exactly(found: Any, count: int, logs: Any, log_prior: Any, weights: Any) -> Any:
    """weights = the posterior of sum 1, in float64 from the logarithms; the log marginal likelihood."""
    nodes = len(log_prior)
    weights[:nodes] = log_prior
    for place in range(count):
        own = logs[found[place]]
        for node in range(nodes):
            weights[node] += own[node]
    top = weights[:nodes].max()
    total = 0.0
    for node in range(nodes):
        weights[node] = np.exp(weights[node] - top)
        total += weights[node]
    for node in range(nodes):
        weights[node] /= total
    return np.log(total) + top


@compiled
def _moments(
    codes: Any,
    bounds: Any,
    entries: Any,
    rows: Any,
    tops: Any,
    logs: Any,
    prior: Any,
    prior_tops: Any,
    log_prior: Any,
    group: Any,
    places: Any,
    mean: Any,
    sd: Any,
    top: Any,
    edge: Any,
    total: Any,
    again: Any,
) -> Any:
    """Moments in places; log marginal likelihood = top + log(total); how many are too narrow or unlikely, and who."""
    found = np.empty(_most_rows(codes, bounds), np.int64)
    weights = np.empty(len(places), np.float32)
    last = log_prior.shape[1] - 1
    left = 0
    for student in range(len(group)):
        count = _find_rows(codes, bounds, entries, student, found)
        own = group[student]
        mass, first, second = posterior(found, count, rows, prior, own, places, np.float32(0.0), weights)
        middle = first / mass
        variance = second / mass - middle * middle
        total[student], mean[student], sd[student] = mass, middle, np.sqrt(variance)
        edge[student] = max(weights[0], weights[last]) / mass
        log = prior_tops[own]
        for place in range(count):
            log += tops[found[place]]
        top[student] = log
        if mass < GUARD or variance < NARROW * middle * middle:
            again[left] = student
            left += 1
    return left


@compiled
def _moments_again(
    again: Any,
    codes: Any,
    bounds: Any,
    entries: Any,
    rows: Any,
    tops: Any,
    logs: Any,
    prior: Any,
    prior_tops: Any,
    log_prior: Any,
    group: Any,
    places: Any,
    mean: Any,
    sd: Any,
    top: Any,
    edge: Any,
    total: Any,
) -> None:
    """The same for those students: unlikely ones from the logarithms, narrow ones around their mean."""
    found = np.empty(_most_rows(codes, bounds), np.int64)
    weights, exact = np.empty(len(places), np.float32), np.zeros(len(places))
    for student in again:
        count = _find_rows(codes, bounds, entries, student, found)
        own = group[student]
        if total[student] < GUARD:
            top[student] = _exactly(found, count, logs, log_prior[own], exact)
            total[student] = 1.0
            mean[student] = (exact * places).sum()
            sd[student] = np.sqrt((exact * (places - mean[student]) ** 2).sum())
            edge[student] = max(exact[0], exact[log_prior.shape[1] - 1])
        else:
            middle = np.float32(mean[student])
            mass, first, second = posterior(found, count, rows, prior, own, places, middle, weights)
            mean[student] = middle + first / mass
            sd[student] = np.sqrt(second / mass - (first / mass) ** 2)


@compiled
def _moments_exactly(
    bounds: Any, rows: Any, logs: Any, log_prior: Any, nodes: Any, mean: Any, sd: Any, marginal: Any, edge: Any
) -> None:
    """Moments in logits and log marginal likelihood of students given by entries."""
    weights = np.empty(len(nodes))
    for student in range(len(mean)):
        own = rows[bounds[student] : bounds[student + 1]]
        marginal[student] = _exactly(own, len(own), logs, log_prior, weights)
        middle = 0.0
        for node in range(len(nodes)):
            middle += weights[node] * nodes[node]
        variance = 0.0
        for node in range(len(nodes)):
            variance += weights[node] * (nodes[node] - middle) ** 2
        mean[student], sd[student] = middle, np.sqrt(variance)
        edge[student] = max(weights[0], weights[-1])


@compiled
def _expected(
    codes: Any,
    bounds: Any,
    entries: Any,
    rows: Any,
    tops: Any,
    logs: Any,
    prior: Any,
    prior_tops: Any,
    log_prior: Any,
    group: Any,
    places: Any,
    sums: Any,
    mass: Any,
) -> Any:
    """Adds every posterior to the rows it was made of and to its group; the log-likelihood of all."""
    nodes = len(places)
    found = np.empty(_most_rows(codes, bounds), np.int64)
    weights, exact = np.empty(nodes, np.float32), np.zeros(nodes)
    log_likelihood, product, factors = 0.0, 1.0, 0
    for student in range(len(group)):
        own = group[student]
        count = _find_rows(codes, bounds, entries, student, found)
        total, _, _ = posterior(found, count, rows, prior, own, places, np.float32(0.0), weights)
        if total >= GUARD:
            share = np.float32(1.0) / total
            log_likelihood += prior_tops[own]
            for place in range(count):
                log_likelihood += tops[found[place]]
            product *= total
            factors += 1
            if factors == FACTORS:
                log_likelihood += np.log(product)
                product, factors = 1.0, 0
        else:
            log_likelihood += _exactly(found, count, logs, log_prior[own], exact)
            share = np.float32(1.0)
            for node in range(nodes):
                weights[node] = np.float32(exact[node])
        add_to_rows(found, count, share, weights, sums)
        for node in range(nodes):
            mass[own, node] += np.float64(weights[node] * share)
    return log_likelihood + np.log(product)
