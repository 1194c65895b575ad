"""The expectation over a forest in numpy: the twin of `compiled`, level by level instead of node by node."""

from itertools import pairwise

import numpy as np

from services.mastery.domain.tracing.counts import Counts, Tables
from services.mastery.domain.tracing.forest import Forest
from services.mastery.domain.tracing.skill import Floats, Ints


def expected(forest: Forest, tables: Tables, active: Ints) -> Counts:
    """Expected counts of the `active` skills (Baum-Welch); those of all others are 0.

    Forward, belief k before a response and posterior after it, down every branch once; backward, the weight each state
    carries for all that follows, added up where branches meet.
    """
    starts = tables.prior.shape[1]
    counts = Counts.none(forest, starts)
    nodes = np.concatenate([np.empty(0, dtype=np.int64), *(np.arange(*forest.bounds[s : s + 2]) for s in active)])
    if not len(nodes):
        return counts
    skill = np.repeat(active, np.diff(forest.bounds)[active])
    order = np.argsort(forest.depth[nodes], kind="stable")
    nodes, skill = nodes[order], skill[order]
    cuts = np.searchsorted(forest.depth[nodes], np.arange(int(forest.depth[nodes].max()) + 2))
    levels = [(nodes[begins:ends], skill[begins:ends]) for begins, ends in pairwise(cuts.tolist())]
    post, before, chance = (np.empty((len(forest), starts)) for _ in range(3))
    for at, of in levels:
        before[at] = _before(forest, tables, post, at, of)
        evidence = before[at] * tables.if_known[of, forest.symbol[at]]
        chance[at] = evidence + (1 - before[at]) * tables.if_unknown[of, forest.symbol[at]]
        post[at] = evidence / chance[at]
        np.add.at(counts.log_likelihood, of, forest.passing[at, np.newaxis] * np.log(chance[at]))
    weight_known = np.repeat(forest.ending[:, np.newaxis], starts, axis=1)
    weight_unknown = weight_known.copy()
    for at, of in reversed(levels):
        known = tables.if_known[of, forest.symbol[at]] * weight_known[at] / chance[at]
        unknown = tables.if_unknown[of, forest.symbol[at]] * weight_unknown[at] / chance[at]
        np.add.at(counts.known, (of, forest.symbol[at]), before[at] * known)
        np.add.at(counts.unknown, (of, forest.symbol[at]), (1 - before[at]) * unknown)
        if forest.depth[at[0]] == 0:
            np.add.at(counts.first, of, before[at] * known)
            continue
        _to_parents(forest, tables, counts, at, of, known, unknown, post, weight_known, weight_unknown)
    return counts


def _before(forest: Forest, tables: Tables, post: Floats, at: Ints, of: Ints) -> Floats:
    """Belief before these responses, all at one depth."""
    if forest.depth[at[0]] == 0:
        return tables.prior[of]
    believed = post[forest.parent[at]]
    moved = believed * (1 - tables.forget[of]) + (1 - believed) * tables.learn[of]
    left = tables.left[of, forest.gap[at]]
    return np.asarray(moved * left + (1 - left) * tables.prior[of])


def _to_parents(
    forest: Forest, tables: Tables, counts: Counts, at: Ints, of: Ints, known: Floats, unknown: Floats, post: Floats,
    weight_known: Floats, weight_unknown: Floats,
) -> None:  # fmt: skip
    """Count the moves between a response and the one before it, and hand the weights on to that one."""
    parent, gap = forest.parent[at], forest.gap[at]
    left, prior = tables.left[of, gap], tables.prior[of]
    drawn_known = (1 - left) * prior * known
    drawn = drawn_known + (1 - left) * (1 - prior) * unknown
    np.add.at(counts.redrawn, (of, gap), drawn)
    np.add.at(counts.redrawn_known, of, drawn_known)
    to_known, to_unknown = left * known + drawn, left * unknown + drawn
    believed, learn, forget = post[parent], tables.learn[of], tables.forget[of]
    moves = (
        believed * (1 - forget) * to_known,
        believed * forget * to_unknown,
        (1 - believed) * learn * to_known,
        (1 - believed) * (1 - learn) * to_unknown,
    )
    for kind, move in enumerate(moves):
        np.add.at(counts.moves[:, kind], of, move)
    np.add.at(weight_known, parent, (1 - forget) * to_known + forget * to_unknown)
    np.add.at(weight_unknown, parent, learn * to_known + (1 - learn) * to_unknown)
