"""What one response, or the time without one, does to what is believed: the only place where evidence becomes belief.

Bayesian knowledge tracing (Corbett & Anderson 1995, "Knowledge tracing", UMUAI 4, 253-278) with forgetting at every
response and over elapsed time, and with the item's difficulty inside guess and slip (a continuous form of KT-IDEM,
Pardos & Heffernan 2011). With k the probability of knowing, a response of credit c at difficulty d after Δ days does

    r = exp(-decay Δ),  k ← k r + (1 - r) prior
    if_known = c (1 - slip_d) + (1 - c) slip_d,  if_unknown = c guess_d + (1 - c)(1 - guess_d)
    k ← k if_known / (k if_known + (1 - k) if_unknown)
    k ← k (1 - forget) + (1 - k) learn

Every belief has three lanes along the first axis: what is believed, and the least and the most that it could be while
the parameters stay in their box. Each step of the lower lane takes the end of the box that makes it lower, so the lanes
enclose every model in the box (robust Bayes; Walley 1991, "Statistical reasoning with imprecise probabilities").

Beyond the tables made beforehand only elementwise sums, products, quotients and comparisons are used, each rounded once
by IEEE 754: a sequence gives the same bits alone or among a million, in one go or continued from where it stood,
compiled or not.
"""

import numpy as np

from services.mastery.domain.tracing.skill import LOWER, PROBABILITY, UPPER, Floats, Skills

HARDEST = 4.0
"""Difficulties beyond ± this many logits count as this."""


def at_difficulty(chance: Floats, shift: Floats) -> Floats:
    """A guess or slip moved by `shift` logits inside (0, 1/2): ½ σ(logit(2 chance) + shift), elementwise.

    Written as chance e / (1 + 2 chance (e - 1)) with e = exp(shift), so that no shift gives exactly `chance` and one
    half stays one half, which rounding may not exceed.
    """
    return np.minimum(chance * np.exp(shift) / (1 + 2 * chance * np.expm1(shift)), 0.5)


def likelihoods(credit: Floats, difficulty: Floats, skills: Skills) -> tuple[Floats, Floats]:
    """How probable a response is from who knows and from who does not, shapes (3, *shape) by lane.

    `credit` is points over the maximum, 0 to 1: partial credit counts as that share of a right answer and the rest of a
    wrong one. `difficulty` in logits, 0 where it is average or unknown. Both broadcast to the shape of `skills` (see
    `Skills.take`). The lower lane has the parameters that make this response the weakest evidence of knowing.
    """
    shift = skills.weight * np.clip(difficulty, -HARDEST, HARDEST)
    guess = at_difficulty(skills.guess, -shift)
    slip = at_difficulty(skills.slip, shift)
    right = np.broadcast_to(
        np.asarray(credit, dtype=np.float64), np.broadcast_shapes(np.shape(credit), guess.shape[1:])
    )
    most = right >= 0.5  # where right counts for more than wrong, a likelier guess or slip weakens the evidence
    guess_lanes = np.stack(
        [_wide(guess[0], right), np.where(most, guess[2], guess[1]), np.where(most, guess[1], guess[2])]
    )
    slip_lanes = np.stack([_wide(slip[0], right), np.where(most, slip[2], slip[1]), np.where(most, slip[1], slip[2])])
    if_known = right * (1 - slip_lanes) + (1 - right) * slip_lanes
    if_unknown = right * guess_lanes + (1 - right) * (1 - guess_lanes)
    return if_known, if_unknown


def _wide(values: Floats, like: Floats) -> Floats:
    return np.broadcast_to(values, like.shape)


def kept(days: Floats, decay: Floats) -> Floats:
    """How much of a belief is left after so many days without evidence: exp(-decay days), elementwise, 0 to 1.

    Days below 0 count as none.
    """
    return np.exp(-np.asarray(decay) * np.maximum(days, 0.0))


def after_gap(belief: Floats, left: Floats, prior: Floats) -> Floats:
    """Belief after a time without evidence of which `left` is kept; elementwise, lanes first where there are lanes.

    What is not kept is as if it had never been shown: the prior. Nothing changes, to the last bit, where all is kept.
    """
    return np.asarray(belief * left + (1 - left) * prior)


def after_evidence(belief: Floats, if_known: Floats, if_unknown: Floats) -> Floats:
    """Bayes' rule for one response, elementwise: a right answer never lowers it, a wrong one never raises it."""
    evidence = belief * if_known
    return np.asarray(evidence / (evidence + (1 - belief) * if_unknown))


def after_practice(belief: Floats, learn: Floats, forget: Floats) -> Floats:
    """Belief after what is learnt, or lost, at a response, elementwise."""
    return np.asarray(belief * (1 - forget) + (1 - belief) * learn)


def after_response(belief: Floats, if_known: Floats, if_unknown: Floats, learn: Floats, forget: Floats) -> Floats:
    """Belief after one more response: Bayes' rule, then what is learnt or lost at it. All shapes (3, ...), by lane."""
    after = after_practice(after_evidence(belief, if_known, if_unknown), learn, forget)
    np.minimum(after[LOWER], after[PROBABILITY], out=after[LOWER])  # rounding must not make the lanes cross
    np.maximum(after[UPPER], after[PROBABILITY], out=after[UPPER])
    return np.asarray(after)
