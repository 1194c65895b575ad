"""The compiled kernels of tracing, and all of them: the twin of `plain` and of `update`, in one module.

Nothing here is reordered or fused (no fastmath), the interpreter lock is released, and machine code is kept on disk
between processes.
"""

from math import log

import numpy as np
from numba import njit

from services.mastery.domain.tracing.counts import Counts, Tables
from services.mastery.domain.tracing.forest import Forest
from services.mastery.domain.tracing.skill import Floats, Ints

_SMALL = 1e-250


def expected(forest: Forest, tables: Tables, active: Ints) -> Counts:
    """Expected counts of the `active` skills (Baum-Welch); those of all others are 0. See `plain.expected`."""
    starts = tables.prior.shape[1]
    counts = Counts.none(forest, starts)
    most = int(np.diff(forest.bounds)[active].max(initial=0))
    _expected(  # type: ignore[call-arg]  # numba is untyped: mypy sees a dispatcher without arguments
        forest.bounds, active, forest.parent, forest.symbol, forest.gap, forest.passing, forest.ending,
        tables.prior, tables.learn, tables.forget, tables.left, tables.if_known, tables.if_unknown,
        *(np.empty((most, starts)) for _ in range(5)),
        counts.known, counts.unknown, counts.first, counts.moves, counts.redrawn, counts.redrawn_known,
        counts.log_likelihood,
    )  # fmt: skip
    return counts


@njit(nogil=True, cache=True)
def _expected(  # type: ignore[no-untyped-def]  # numba infers the types of the arrays
    bounds, active, parent, symbol, gap, passing, ending,
    prior, learn, forget, left, if_known, if_unknown,
    before, post, inverse, weight_known, weight_unknown,
    known, unknown, first, moves, redrawn, redrawn_known, log_likelihood,
):  # fmt: skip
    # whole indices throughout: a row taken as a view would cost more than the arithmetic on it
    starts = prior.shape[1]
    together = np.empty(starts)  # product of chances whose logarithm is still to be taken
    for which in range(len(active)):
        s = active[which]
        begins = bounds[s]
        size = bounds[s + 1] - begins
        together[:] = 1.0
        for n in range(size):
            i = begins + n
            y, g, up, end = symbol[i], gap[i], parent[i] - begins, ending[i]
            for j in range(starts):
                if up < 0:
                    k = prior[s, j]
                else:
                    k = post[up, j] * (1 - forget[s, j]) + (1 - post[up, j]) * learn[s, j]
                    if g > 0:
                        k = k * left[s, g, j] + (1 - left[s, g, j]) * prior[s, j]
                evidence = k * if_known[s, y, j]
                chance = evidence + (1 - k) * if_unknown[s, y, j]
                before[n, j] = k
                inverse[n, j] = 1 / chance
                post[n, j] = evidence / chance
                weight_known[n, j] = end
                weight_unknown[n, j] = end
                if passing[i] == 1.0:
                    together[j] *= chance
                    if together[j] < _SMALL:
                        log_likelihood[s, j] += log(together[j])
                        together[j] = 1.0
                else:
                    log_likelihood[s, j] += passing[i] * log(chance)
        for j in range(starts):
            log_likelihood[s, j] += log(together[j])
        for n in range(size - 1, -1, -1):
            i = begins + n
            y, g, up = symbol[i], gap[i], parent[i] - begins
            for j in range(starts):
                k = before[n, j]
                to_known = if_known[s, y, j] * weight_known[n, j] * inverse[n, j]
                to_unknown = if_unknown[s, y, j] * weight_unknown[n, j] * inverse[n, j]
                known[s, y, j] += k * to_known
                unknown[s, y, j] += (1 - k) * to_unknown
                if up < 0:
                    first[s, j] += k * to_known
                    continue
                if g > 0:
                    kept = left[s, g, j]
                    drawn_known = (1 - kept) * prior[s, j] * to_known
                    drawn = drawn_known + (1 - kept) * (1 - prior[s, j]) * to_unknown
                    redrawn[s, g, j] += drawn
                    redrawn_known[s, j] += drawn_known
                    to_known = kept * to_known + drawn
                    to_unknown = kept * to_unknown + drawn
                k = post[up, j]
                kk, ku = (1 - forget[s, j]) * to_known, forget[s, j] * to_unknown
                uk, uu = learn[s, j] * to_known, (1 - learn[s, j]) * to_unknown
                moves[s, 0, j] += k * kk
                moves[s, 1, j] += k * ku
                moves[s, 2, j] += (1 - k) * uk
                moves[s, 3, j] += (1 - k) * uu
                weight_known[up, j] += kk + ku
                weight_unknown[up, j] += uk + uu


def updated(
    beliefs: Floats, student: Ints, skill: Ints, symbol: Ints, if_known: Floats, if_unknown: Floats, learn: Floats,
    forget: Floats,
) -> None:  # fmt: skip
    """Let many responses, in the order given, each change the belief about its student and skill, in place.

    `beliefs` (students, skills, lanes) with three lanes, or with the first alone; `student`, `skill` and `symbol`
    (responses,) integers of any width; `if_known` and `if_unknown` (skills, symbols, lanes), `learn` and `forget`
    (skills, lanes). The same bits as `update.after_response`, one response after the other.
    """
    _updated(beliefs, student, skill, symbol, if_known, if_unknown, learn, forget)


@njit(nogil=True, cache=True)
def _updated(  # type: ignore[no-untyped-def]  # numba infers the types of the arrays
    beliefs, student, skill, symbol, if_known, if_unknown, learn, forget
):
    lanes = beliefs.shape[2]
    if lanes == 1:  # the loop over lanes costs a third
        for n in range(len(student)):
            u, s, y = student[n], skill[n], symbol[n]
            k = beliefs[u, s, 0]
            evidence = k * if_known[s, y, 0]
            believed = evidence / (evidence + (1 - k) * if_unknown[s, y, 0])
            beliefs[u, s, 0] = believed * (1 - forget[s, 0]) + (1 - believed) * learn[s, 0]
        return
    for n in range(len(student)):
        u, s, y = student[n], skill[n], symbol[n]
        for j in range(lanes):
            k = beliefs[u, s, j]
            evidence = k * if_known[s, y, j]
            believed = evidence / (evidence + (1 - k) * if_unknown[s, y, j])
            beliefs[u, s, j] = believed * (1 - forget[s, j]) + (1 - believed) * learn[s, j]
        if lanes == 3:
            beliefs[u, s, 1] = min(beliefs[u, s, 1], beliefs[u, s, 0])
            beliefs[u, s, 2] = max(beliefs[u, s, 2], beliefs[u, s, 0])
