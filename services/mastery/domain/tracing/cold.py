"""Where a student begins who has shown nothing yet: priors by group (such as a grade) and from prerequisites."""

from dataclasses import dataclass

import numpy as np

from services.mastery.domain.tracing.skill import BOUNDS, PROBABILITY, Floats, Ints, Skills
from services.mastery.domain.tracing.update import after_gap, kept, likelihoods

GROUP_STRENGTH = 20.0
"""A group's prior is drawn towards its skill's as if so many more students had said so."""

_ROUNDS = 200
_SETTLED = 1e-8
MOST_CERTAIN = BOUNDS["prior"][1]


@dataclass(frozen=True, slots=True)
class Beginnings:
    """How likely each sequence is from a student who knew at its beginning and from one who did not, (sequences,).

    Each pair is scaled so that the larger is 1: only their ratio matters.
    """

    if_known: Floats
    if_unknown: Floats


def beginnings(lengths: Ints, days: Floats, credit: Floats, difficulty: Floats, each: Skills) -> Beginnings:
    """Backward through every sequence, longest first; arguments as those of `replay`."""
    by_known, by_unknown = (one[PROBABILITY] for one in likelihoods(credit, difficulty, each))
    left = kept(days, each.decay)
    ends = np.cumsum(lengths)
    known, unknown = np.ones(len(lengths)), np.ones(len(lengths))
    learn, forget, prior = each.learn[PROBABILITY], each.forget[PROBABILITY], each.prior[PROBABILITY]
    for back in range(1, int(lengths.max(initial=0)) + 1):
        rows = np.flatnonzero(lengths >= back)
        at = ends[rows] - back
        a, b = by_known[at] * known[rows], by_unknown[at] * unknown[rows]
        first = lengths[rows] == back
        redrawn = a * prior[at] + b * (1 - prior[at])
        a, b = (np.where(first, one, after_gap(one, left[at], redrawn)) for one in (a, b))
        from_known = np.where(first, a, a * (1 - forget[at]) + b * forget[at])
        from_unknown = np.where(first, b, a * learn[at] + b * (1 - learn[at]))
        most = np.maximum(from_known, from_unknown)
        known[rows], unknown[rows] = from_known / most, from_unknown / most
    return Beginnings(known, unknown)


def priors_by_group(found: Beginnings, group: Ints, groups: int, prior: Floats) -> Floats:
    """The prior of each group, (groups,), by EM over its sequences; `prior` (groups,) is what each is drawn towards.

    A group is a skill and a grade, say; one without students has its `prior`.
    """
    number = np.bincount(group, minlength=groups)
    least, most = BOUNDS["prior"]
    each = np.asarray(prior, dtype=np.float64).copy()
    for _ in range(_ROUNDS):
        known = each[group] * found.if_known
        share = known / (known + (1 - each[group]) * found.if_unknown)
        drawn = np.bincount(group, share, minlength=groups) + GROUP_STRENGTH * prior
        better = np.clip(drawn / (number + GROUP_STRENGTH), least, most)
        moved = float(np.abs(better - each).max(initial=0.0))
        each = better
        if moved < _SETTLED:
            break
    return each


def prior_from_prerequisites(prior: Floats, prerequisites: Floats, usual: Floats, dependence: float = 0.5) -> Floats:
    """The prior of a skill for a student of whom its prerequisites are believed with `prerequisites`, (skills, …).

    With q the probability that all of them are known and q₀ the same where nothing has been shown (`usual`, the
    prerequisites' own priors):

        unprepared = prior (1 - dependence),  prepared = (prior - (1 - q₀) unprepared) / q₀,
        q prepared + (1 - q) unprepared,

    so that nothing shown of the prerequisites leaves the prior as it is. `dependence` 0 makes them irrelevant, 1
    indispensable. The prerequisites are taken as independent (Falmagne's surmise relation with uncertainty). At most
    `MOST_CERTAIN` comes out, and at least the least prior that is allowed.
    """
    if not 0 <= dependence <= 1:
        raise ValueError(f"dependence must lie between 0 and 1, not {dependence}")
    ready, usually = np.prod(prerequisites, axis=0), np.prod(usual, axis=0)
    unprepared = np.asarray(prior) * (1 - dependence)
    prepared = np.minimum((prior - (1 - usually) * unprepared) / usually, MOST_CERTAIN)
    return np.asarray(np.maximum(ready * prepared + (1 - ready) * unprepared, BOUNDS["prior"][0]))
