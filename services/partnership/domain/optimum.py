"""The choice of pairs with the largest total weight, and how near to the best it certainly is (HiGHS, one thread).

Maximise the sum of weights over the chosen pairs, subject to the rows of `rows.program`.

Weights are integers, so an optimum can be exact: a linear relaxation gives a bound and reduced costs (Dantzig 1951);
where it is not integral already, pairs whose reduced cost is beyond the gap to a known solution cannot be in a better
one and are left out (reduced-cost fixing), and a small integer program over the rest finds the optimum. It may stop
earlier, when the choice is within an allowed gap of the bound: of many pairs, one in ten thousand of the whole weight.
Where nothing but capacities and the number bind, the relaxation is a flow in a network and so integral.

Ties are broken by a number from 0 to 255 that is drawn from the pair's ids and the seed, so that nobody is favoured by
where it stands in a file. Divided by more than twice what a whole solution's ties can add up to, these numbers come to
less than half a unit of weight together: they choose among optima and can never change the optimum.
"""

import hashlib
from dataclasses import dataclass
from math import floor, inf

import highspy
import numpy as np
from numpy.typing import NDArray

from services.partnership.domain.candidates import ALL, Bools, Candidates, Floats, Integers, Rules
from services.partnership.domain.instance import Instance
from services.partnership.domain.rows import Program, capacity_left, number_left, program

ALLOWED_GAP = 1e-4
EXACT_UP_TO = 5_000
"""Pairs up to which the choice is the best there is, unless the programme allows a gap."""
LINEAR, INTEGER, NOTHING = "linear", "integer", "nothing"
_INTEGRAL = 1e-6
_LARGEST_TIE = 255
_FIRST_OF_A_SCHOOL = 8
"""Pairs of each host, and of each guest, that the linear program begins with."""
_MORE_AT_ONCE = 5_000
"""Pairs that come into it at once."""
_FIRST_LOOK = 500
"""Pairs beside those of the relaxation that the first integer program looks at."""


class NotSolved(Exception):
    """HiGHS ended without an answer: a mistake of ours, or of its own."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A choice of candidates and its certificate: no choice weighs more than `bound`.

    `relaxed` is the worth of the linear relaxation, which bounds all choices too. `method` says how it was found:
    `flow`, `linear` (the relaxation's best solution is whole), `integer`, or `nothing` where there is no candidate.
    `reduced` is, for each candidate, what `relaxed` falls by at least when the pair is forced in (or, negative, when a
    pair of the relaxation is forced out).
    """

    pairs: Bools
    weight: int
    bound: int
    method: str
    reduced: Floats
    relaxed: float = 0.0

    @property
    def gap(self) -> float:
        """How far below the bound the weight is, as a share of the weight."""
        return gap_of(self.weight, self.bound)


def gap_of(weight: int, bound: int) -> float:
    """How far below the bound a weight is, as a share of the weight."""
    return (bound - weight) / max(1, weight)


def allowed_gap(instance: Instance, found: Candidates) -> float:
    """How far below the best a choice may be: what the programme says, or nothing for few pairs, or little."""
    if instance.gap is not None:
        return instance.gap
    return 0.0 if len(found) <= EXACT_UP_TO else ALLOWED_GAP


def best(instance: Instance, found: Candidates) -> Chosen | None:
    """Which candidates to propose; None when no choice meets the rules."""
    if not len(found):
        return Chosen(np.zeros(0, np.bool_), 0, 0, NOTHING, np.zeros(0)) if feasible(instance, found) else None
    return choose(
        program(instance, found), worth_of(instance, found), found.weight, likely_pairs(found),
        allowed_gap(instance, found),
    )  # fmt: skip


def choose(rules: Program, worth: Floats, weight: Integers, likely: Bools, gap: float) -> Chosen | None:
    """The best choice of columns, or one whose weight is within `gap` (relative) of a bound on all; None without any.

    `worth` is the integer `weight` with less than a half added for ties; `likely` are the columns to begin with.
    """
    relaxed = relaxation(rules, worth, likely)
    if relaxed is None:
        return None
    chosen = _whole(relaxed.values)
    if chosen is not None:
        return _certified(chosen, weight, relaxed.worth, LINEAR, relaxed)
    enough = relaxed.worth * (1 - gap) if gap else inf
    first = min(_FIRST_LOOK + int((relaxed.values > _INTEGRAL).sum()), len(worth) - 1)
    nearest = float(np.partition(relaxed.reduced, first)[first])
    looked = (relaxed.reduced <= max(nearest, _INTEGRAL)) | (relaxed.values > _INTEGRAL)
    solution, bound = _among(rules, worth, looked, enough)
    while not looked.all():
        # What a solution would lose by a pair outside is at least the pair's reduced cost.
        bound = max(bound, relaxed.worth - float(relaxed.reduced[~looked].min()))
        value = -inf if solution is None else float(worth[solution].sum())
        if bound <= value + 0.5 or bound * (1 - gap) <= value:
            break
        wanted = looked | (relaxed.reduced <= relaxed.worth - value + _INTEGRAL)
        if (wanted == looked).all():
            break
        looked = wanted
        solution, bound = _among(rules, worth, looked, enough)
    return None if solution is None else _certified(solution, weight, min(bound, relaxed.worth), INTEGER, relaxed)


def _certified(chosen: Bools, weight: Integers, bound: float, method: str, relaxed: "Relaxed") -> Chosen:
    total = int(weight[chosen].sum())
    return Chosen(chosen, total, max(total, floor(bound + _INTEGRAL)), method, relaxed.reduced, relaxed.worth)


def feasible(instance: Instance, found: Candidates, rules: Rules = ALL) -> bool:
    """Whether any choice of these candidates meets the rules."""
    asked = program(instance, found, rules)
    if not len(found):
        return bool((asked.lower <= 0).all() and (asked.upper >= 0).all())
    return run(asked, np.zeros(len(found)), integral=True) is not None


def worth_of(instance: Instance, found: Candidates) -> Floats:
    """Weights, with ties broken by the pairs' ids and the seed."""
    worth: Floats = found.weight + ties(instance, found) / tie_unit(instance, found)
    return worth


def tie_unit(instance: Instance, found: Candidates) -> int:
    """More than twice what the ties of a whole solution can add up to."""
    most = int(min(number_left(instance), int(capacity_left(instance).sum()), len(found)))
    return 2 * most * _LARGEST_TIE + 2


def ties(instance: Instance, found: Candidates) -> Floats:
    """For each candidate a number from 0 to 255 that its schools' ids, its area and the seed decide."""
    salt = instance.seed.to_bytes(8, "big", signed=True) if instance.seed else b""

    def drawn(side: bytes) -> NDArray[np.uint64]:
        digests = [
            hashlib.blake2b(each.school.bytes + each.area.encode(), digest_size=8, key=salt, person=side).digest()
            for each in instance.willing
        ]
        return np.frombuffer(b"".join(digests), ">u8").astype(np.uint64)

    if not len(found):
        return np.zeros(0)
    mixed = drawn(b"host")[found.host] + drawn(b"guest")[found.guest]
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)  # SplitMix64 (Steele et al. 2014)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((mixed ^ (mixed >> np.uint64(31))) & np.uint64(_LARGEST_TIE)).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Relaxed:
    """A solution, what it is worth, and what none is worth more than.

    Of a relaxation `reduced` is what a solution loses, at least, by each pair, and `prices` what each rule's last unit
    is worth.
    """

    values: Floats
    worth: float
    bound: float
    reduced: Floats
    prices: Floats


def likely_pairs(found: Candidates) -> Bools:
    """The pairs that weigh most for their host or for their guest: a linear program begins with these."""
    likely = np.zeros(len(found), np.bool_)
    for school in (found.host, found.guest):
        order = np.lexsort((-found.weight, school))
        first = np.searchsorted(school[order], school[order])  # where this school's pairs begin
        likely[order[np.arange(len(order)) - first < _FIRST_OF_A_SCHOOL]] = True
    return likely


def relaxation(rules: Program, worth: Floats, begin: Bools) -> Relaxed | None:
    """The linear relaxation over all pairs, by column generation (Gilmore & Gomory 1961); None when there is none.

    It is solved over a part of the pairs; those outside whose reduced cost says that they would better it come in,
    until none does. The last solution is then the best over all of them.
    """
    looked = begin.copy()
    while True:
        part = run(rules.take(looked), worth[looked], integral=False)
        if part is None:
            if looked.all():
                return None
            looked[:] = True  # what is left out may be what the rules need
            continue
        reduced = -worth - np.bincount(rules.column, rules.value * part.prices[rules.row], minlength=len(worth))
        better = ~looked & (reduced < -_INTEGRAL)
        if not better.any():
            values = np.zeros(len(worth))
            values[looked] = part.values
            return Relaxed(values, part.worth, part.worth, reduced, part.prices)
        most = np.partition(reduced[better], min(_MORE_AT_ONCE, int(better.sum()) - 1))
        looked |= better & (reduced <= most[min(_MORE_AT_ONCE, len(most) - 1)])


def _whole(values: Floats) -> Bools | None:
    chosen: Bools = values > 0.5
    return chosen if bool((np.abs(values - chosen) < _INTEGRAL).all()) else None


def _among(rules: Program, worth: Floats, looked: Bools, enough: float) -> tuple[Bools | None, float]:
    """The best choice among some columns, or one worth `enough`, and a bound on all choices among them."""
    solved = run(rules.take(looked), worth[looked], integral=True, enough=enough)
    if solved is None:
        return None, -inf
    chosen = np.zeros(len(worth), np.bool_)
    chosen[looked] = solved.values > 0.5
    if not rules.holds(chosen.astype(np.float64)):
        raise NotSolved("HiGHS ended with a choice that breaks a rule")
    return chosen, solved.bound


def run(rules: Program, worth: Floats, *, integral: bool, enough: float = inf) -> Relaxed | None:
    """Solve, or stop at a solution that is worth `enough`; None when nothing meets the rules."""
    solver = quiet()
    if enough < inf:
        solver.setOptionValue("objective_target", -enough)
    solver.passModel(model_of(rules, worth, integral=integral))
    solver.run()
    status = solver.getModelStatus()
    if status == highspy.HighsModelStatus.kInfeasible:
        return None
    if status not in (highspy.HighsModelStatus.kOptimal, highspy.HighsModelStatus.kObjectiveTarget):
        raise NotSolved(f"HiGHS ended with {solver.modelStatusToString(status)}")
    solution, info = solver.getSolution(), solver.getInfo()
    values = np.array(solution.col_value, np.float64)
    reduced = np.zeros(0) if integral else np.array(solution.col_dual, np.float64)
    prices = np.zeros(0) if integral else np.array(solution.row_dual, np.float64)
    bound = -(info.mip_dual_bound if integral else info.objective_function_value)
    return Relaxed(values, -info.objective_function_value, bound, reduced, prices)


def quiet() -> highspy.Highs:
    """A solver that says nothing, does the same each time and stops at nothing less than the optimum."""
    solver = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy types its methods, not its constructor
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("parallel", "off")
    solver.setOptionValue("random_seed", 0)
    solver.setOptionValue("mip_rel_gap", 0.0)
    solver.setOptionValue("mip_abs_gap", 1e-6)
    return solver


def model_of(rules: Program, worth: Floats, *, integral: bool) -> highspy.HighsLp:
    """The program as HiGHS takes it: it minimises, so the worth is a cost below zero."""
    order = np.lexsort((rules.column, rules.row))
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = rules.columns, len(rules.lower)
    model.col_cost_ = -worth
    model.col_lower_, model.col_upper_ = np.zeros(rules.columns), np.ones(rules.columns)
    model.row_lower_ = np.where(np.isinf(rules.lower), -highspy.kHighsInf, rules.lower)
    model.row_upper_ = np.where(np.isinf(rules.upper), highspy.kHighsInf, rules.upper)
    matrix = model.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kRowwise
    matrix.num_col_, matrix.num_row_ = model.num_col_, model.num_row_
    matrix.start_ = np.concatenate([[0], np.cumsum(np.bincount(rules.row, minlength=model.num_row_))]).astype(np.int32)
    matrix.index_ = rules.column[order].astype(np.int32)
    matrix.value_ = rules.value[order]
    if integral:
        model.integrality_ = [highspy.HighsVarType.kInteger] * rules.columns
    return model
