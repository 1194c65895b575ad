"""Many sequences of evidence at once, each from its beginning: what was believed before and after every response."""

import numpy as np

from services.mastery.domain.tracing.skill import LANES, Floats, Ints, Skills
from services.mastery.domain.tracing.update import after_gap, after_response, kept, likelihoods


def replay(
    start: Floats, lengths: Ints, days: Floats, credit: Floats, difficulty: Floats, each: Skills
) -> tuple[Floats, Floats]:
    """Belief before and after every response, shapes (3, responses) by lane.

    `start` (3, sequences) is the belief each sequence begins with, `lengths` (sequences,) how many responses it has, at
    least one. The responses come sequence after sequence, each in the order of evidence: `days` (responses,) since the
    evidence before it (0 at a sequence's first), `credit` 0 to 1, `difficulty` in logits, `each` the parameters of each
    response (see `Skills.take`). The belief before a response is that of its moment, the time since the last gone by.
    """
    before = np.empty((LANES, len(credit)))
    after = np.empty((LANES, len(credit)))
    if not len(lengths):
        return before, after
    left = kept(days, each.decay)
    if_known, if_unknown = likelihoods(credit, difficulty, each)
    longest_first = np.argsort(-lengths, kind="stable")
    position = (np.cumsum(lengths) - lengths)[longest_first]
    known = start[:, longest_first]
    going_on = len(lengths) - np.cumsum(np.bincount(lengths))  # [step]: sequences with more than `step` responses
    for step in range(int(lengths.max())):
        still = int(going_on[step])
        at = position[:still] + step
        known = after_gap(known[:, :still], left[at], each.prior[:, at])
        before[:, at] = known
        known = after_response(known, if_known[:, at], if_unknown[:, at], each.learn[:, at], each.forget[:, at])
        after[:, at] = known
    return before, after
