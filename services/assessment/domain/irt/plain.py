"""The kernels in numpy and float64: the numbers that `compiled` has to meet, and what the platform computes with.

`moments` is elementwise or a sum along one student's row: a student's estimate has the same bits whoever else is in
the batch. `expected` adds up students with matrix products, whose last bits may depend on the machine.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.irt.maxima import highest as highest  # a part of every kernel
from services.assessment.domain.irt.models import Floats
from services.assessment.domain.irt.packing import Bytes, Entries, Packed
from services.assessment.domain.irt.responses import Indices
from services.assessment.domain.irt.tables import Expected, Groups, Moments, Tables, group_of, patterns

VERSION = "numpy"
BATCH = 512  # students at a time: 512 × 61 float64 stay in the second-level cache
NUMBERS = 2**22  # most numbers at a time that are looked up for students' entries; a student alone may have more


def moments(packed: Packed, table: Tables, groups: Groups | None = None) -> Moments:
    """Posterior mean Σ θ p, standard deviation sqrt Σ (θ − mean)² p and log marginal likelihood of every student."""
    group = group_of(groups, packed, table)
    mean, sd, marginal, edge = (np.empty(packed.students) for _ in range(4))
    for part, logs in _log_likelihoods(packed, table):
        weights, marginal[part] = _posterior(logs, table.log_prior[group[part]])
        mean[part] = (weights * table.nodes).sum(axis=1)
        away = table.nodes - mean[part][:, np.newaxis]
        sd[part] = np.sqrt((weights * away * away).sum(axis=1))
        edge[part] = np.maximum(weights[:, 0], weights[:, -1])
    return Moments(mean, sd, marginal, edge)


def exactly(packed: Entries, table: Tables) -> Moments:
    """The moments of the first group, which here are exact already."""
    return moments(packed, table)


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
    for part in _parts(packed, NUMBERS // len(table.nodes)):
        rows_of, starts, answered = _entries_of(packed, part)
        total = np.zeros((part.stop - part.start, len(table.nodes)))
        if len(rows_of):
            total[answered] = np.add.reduceat(table.logs[rows_of], starts, axis=0)
        yield part, total


def _parts(packed: Entries, most: int) -> Iterator[slice]:
    """Students in order: BATCH at a time, or fewer, so that they have no more entries than that; at least one."""
    start = 0
    while start < packed.students:
        full = int(np.searchsorted(packed.bounds, packed.bounds[start] + most, side="right")) - 1
        stop = min(max(full, start + 1), start + BATCH, packed.students)
        yield slice(start, stop)
        start = stop


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
