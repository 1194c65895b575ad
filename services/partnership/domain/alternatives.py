"""What the whole would lose: without a pair that is proposed, or with a pair for a school that has none.

Of few pairs it is found by solving again without the pair, or with one of the school's pairs among the choice, to the
last millionth. Of many, it is what is lost at least: for a pair by the bound of the linear relaxation without it
(solved again from where it stood), for a school by the smallest reduced cost of its pairs.
"""

from dataclasses import dataclass
from math import inf

import highspy
import numpy as np

from services.partnership.domain.candidates import Candidates, Floats, Integers
from services.partnership.domain.optimum import Chosen, choose, likely_pairs, model_of, quiet
from services.partnership.domain.rows import Program

SOLVED_AGAIN, RELAXED, AT_LEAST = "solved again", "relaxation", "reduced costs"
_MOST_WORK = 300_000
"""Pairs times questions up to which all is solved again."""
_MOST_RELAXED = 1_000
"""Proposals up to which the relaxation is solved without each."""
_NEAR = 4_000
"""Columns beside the relaxation's that come into it then."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What is lost, as a share of the whole weight; infinite when the rules could not be met. `found` says how."""

    share: float
    found: str


@dataclass(frozen=True, slots=True)
class Differences:
    """By candidate, for those chosen; and by position in `willing`, for those that have a pair but no partner."""

    without: dict[int, Difference]
    within: dict[int, Difference]


def differences(
    rules: Program, worth: Floats, found: Candidates, chosen: Chosen, alone: Integers, gap: float
) -> Differences:
    """The difference to the next-best alternative of each chosen candidate and of each of these willing schools."""
    total = max(1, chosen.weight)
    proposed = np.flatnonzero(chosen.pairs)
    with_pairs = [int(at) for at in alone if ((found.host == at) | (found.guest == at)).any()] if len(found) else []
    questions = len(proposed) + len(with_pairs)
    if len(found) * questions <= _MOST_WORK:
        again = _Again(rules, worth, found, gap)
        without = {int(at): again.lost(chosen.weight, total, out=int(at)) for at in proposed}
        return Differences(without, {at: again.lost(chosen.weight, total, school=at) for at in with_pairs})
    least = _least(found, chosen, with_pairs)
    within = {at: Difference(max(0.0, least[at]) / total, AT_LEAST) for at in with_pairs}
    if len(proposed) > _MOST_RELAXED:
        return Differences({}, within)
    return Differences(_relaxed(rules, worth, chosen, proposed, total), within)


class _Again:
    """Solves again, with one thing changed."""

    def __init__(self, rules: Program, worth: Floats, found: Candidates, gap: float) -> None:
        self._rules, self._worth, self._found, self._gap = rules, worth, found, gap
        self._likely = likely_pairs(found)

    def lost(self, weight: int, total: int, *, out: int | None = None, school: int | None = None) -> Difference:
        """What is lost without a candidate, or with at least one pair of a school."""
        keep = np.ones(len(self._found), np.bool_)
        rules = self._rules
        if out is not None:
            keep[out] = False
        if school is not None:
            rules = _with_one(rules, np.flatnonzero((self._found.host == school) | (self._found.guest == school)))
        if not keep.any():
            empty = bool((rules.lower <= 0).all())
            return Difference(1.0 if empty else inf, SOLVED_AGAIN)
        other = choose(rules.take(keep), self._worth[keep], self._found.weight[keep], self._likely[keep], self._gap)
        return Difference(inf if other is None else max(0, weight - other.weight) / total, SOLVED_AGAIN)


def _with_one(rules: Program, columns: Integers) -> Program:
    """The same program, and one of these columns at least."""
    return Program(
        np.concatenate([rules.row, np.full(len(columns), len(rules.lower))]),
        np.concatenate([rules.column, columns]),
        np.concatenate([rules.value, np.ones(len(columns))]),
        np.append(rules.lower, 1.0),
        np.append(rules.upper, inf),
        rules.columns,
        rules.rules,
    )


def _least(found: Candidates, chosen: Chosen, schools: list[int]) -> dict[int, float]:
    """For each school the smallest reduced cost of its pairs, less what the relaxation is above the choice."""
    size = max([int(found.host.max()), int(found.guest.max()), *schools]) + 1
    smallest = np.full(size, np.inf)
    for side in (found.host, found.guest):
        np.minimum.at(smallest, side, chosen.reduced)
    return {at: float(smallest[at]) - (chosen.relaxed - chosen.weight) for at in schools}


def _relaxed(rules: Program, worth: Floats, chosen: Chosen, proposed: Integers, total: int) -> dict[int, Difference]:
    """How much the choice is above the relaxation's bound without each: that is lost at least.

    The relaxation is solved over the columns that are near; one with a column farther off is worth less than the first
    bound by that column's reduced cost at least.
    """
    order = np.argsort(chosen.reduced, kind="stable")
    near = np.zeros(len(worth), np.bool_)
    near[order[: len(proposed) + _NEAR]] = True
    near |= chosen.pairs
    farthest = inf if near.all() else float(chosen.reduced[~near].min())
    solver = quiet()
    solver.passModel(model_of(rules.take(near), worth[near], integral=False))
    solver.run()
    best = -solver.getInfo().objective_function_value
    number = np.cumsum(near) - 1
    found: dict[int, Difference] = {}
    for at in proposed.tolist():
        solver.changeColBounds(int(number[at]), 0.0, 0.0)
        solver.run()
        whole = solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
        other = -solver.getInfo().objective_function_value if whole else -inf
        most = max(other, best - farthest)
        found[at] = Difference(max(0.0, chosen.weight - most) / total, RELAXED)
        solver.changeColBounds(int(number[at]), 0.0, 1.0)
    return found


def without_pair(difference: Difference | None) -> str | None:
    """In a sentence, for a pair that is proposed."""
    if difference is None:
        return None
    if difference.share == inf:
        return "Without this pair the programme's rules could not all be met."
    if difference.found == SOLVED_AGAIN and difference.share == 0:
        return "Without this pair another choice would weigh the same."
    return f"Without this pair the best choice would weigh {_less(difference)}."


def with_pair(difference: Difference | None) -> str | None:
    """In a sentence, for a school that has no partner."""
    if difference is None:
        return None
    if difference.share == inf:
        return "No choice that meets the programme's rules gives it a partner here."
    if difference.found == SOLVED_AGAIN and difference.share == 0:
        return "Another choice, with a partner for it, would weigh the same."
    return f"With a partner for it the best choice would weigh {_less(difference)}."


def _less(difference: Difference) -> str:
    share = difference.share
    if difference.found == SOLVED_AGAIN:
        return f"{'under 0.01%' if share < 0.0001 else _percent(share)} less"
    how = "the linear relaxation" if difference.found == RELAXED else "reduced costs"
    if share < 0.0001:
        return f"the same or less, which {how} cannot tell"
    return f"at least {_percent(share)} less (by {how})"


def _percent(share: float) -> str:
    return f"{share:.2%}" if share < 0.1 else f"{share:.0%}"
