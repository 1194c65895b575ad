"""The choice of pairs with the largest total weight: an integer program, solved exactly (HiGHS, one thread).

Maximise the sum of weights over the chosen pairs, subject to: the capacity of each school in each area, one partnership
for each two schools, the number of partnerships, and the balance between sectors in places.

Weights are integers, so an optimum can be exact: a linear relaxation gives a bound and reduced costs (Dantzig 1951);
where it is not integral already, pairs whose reduced cost is beyond the gap to a known solution cannot be in a better
one and are left out (reduced-cost fixing), and a small integer program over the rest finds the optimum.

Ties are broken by a number from 0 to 255 that is drawn from the pair's ids, so that nobody is favoured by where it
stands in a file. Divided by more than twice what a whole solution's ties can add up to, these numbers come to less
than half a unit of weight together: they choose among optima and can never change the optimum.
"""

import hashlib
from dataclasses import dataclass
from math import inf

import highspy
import numpy as np

from services.partnership.domain.candidates import ALL, Bools, Candidates, Floats, Integers, Rules
from services.partnership.domain.instance import Instance

_INTEGRAL = 1e-6
_LARGEST_TIE = 255
_FIRST_OF_A_SCHOOL = 8
"""Pairs of each host, and of each guest, that the linear program begins with."""
_MORE_AT_ONCE = 5_000
"""Pairs that come into it at once."""
_FIRST_LOOK = 2_000
"""Pairs beside those of the relaxation that the first integer program looks at."""


class NotSolved(Exception):
    """HiGHS ended without an answer: a mistake of ours, or of its own."""


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a limit after the partnerships that are locked."""

    number: float
    capacity: Integers  # by position in `willing`
    balance: tuple[tuple[str, str, float], ...]
    """(sector, at_least or at_most, places)."""


@dataclass(frozen=True, slots=True)
class Program:
    """The rows of the integer program over some candidates: `row` and `column` of each entry and its value."""

    row: Integers
    column: Integers
    value: Floats
    lower: Floats
    upper: Floats
    columns: int

    def take(self, keep: Bools) -> "Program":
        """The same rows over fewer columns."""
        number = np.cumsum(keep) - 1
        kept = keep[self.column]
        return Program(
            self.row[kept], number[self.column[kept]], self.value[kept], self.lower, self.upper, int(keep.sum())
        )


def left(instance: Instance, rules: Rules = ALL) -> Left:
    """What the partnerships both sides have accepted leave to be used; capacity serves every programme."""
    number = min(
        instance.partnerships if rules.number else inf,
        instance.affordable if rules.budget else inf,
    )
    capacity = np.array([each.capacity for each in instance.willing], np.int64)
    at = {(each.school, each.area): place for place, each in enumerate(instance.willing)}
    sector = {school.id: school.sector for school in instance.schools}
    used: dict[str, int] = {}
    for host, guest, _ in instance.locked:
        for school in (host, guest):
            used[str(sector.get(school))] = used.get(str(sector.get(school)), 0) + 1
    for host, guest, area in (*instance.locked, *instance.elsewhere):
        for school in (host, guest):
            if (school, area) in at:
                capacity[at[school, area]] -= 1
    balance: list[tuple[str, str, float]] = []
    for each in instance.balance:
        for kind, places in (("at_least", each.at_least), ("at_most", each.at_most)):
            if places is not None and (each.sector, kind) not in rules.dropped_balance:
                balance.append((each.sector, kind, max(0, places - used.get(each.sector, 0))))
    return Left(max(0, number - len(instance.locked)), np.maximum(capacity, 0), tuple(balance))


def places(instance: Instance, found: Candidates, sector: str) -> Integers:
    """How many places each candidate takes of a sector's: 0, 1 or 2."""
    sectors = {school.id: school.sector for school in instance.schools}
    mine = np.array([sectors[each.school] == sector for each in instance.willing], np.int64)
    return mine[found.host] + mine[found.guest] if len(found) else np.zeros(0, np.int64)


def program(instance: Instance, found: Candidates, rules: Rules = ALL) -> Program:
    """The rows that bind these candidates together."""
    limits = left(instance, rules)
    every = np.arange(len(found))
    rows: list[tuple[Integers, Integers, Integers]] = []
    lower: list[float] = []
    upper: list[float] = []

    def add(row: Integers, column: Integers, value: Integers, low: list[float], high: list[float]) -> None:
        rows.append((row + len(lower), column, value))
        lower.extend(low)
        upper.extend(high)

    one = np.ones(len(found), np.int64)
    if rules.capacity:
        size = len(instance.willing)
        both = np.concatenate([found.host, found.guest])
        add(both, np.tile(every, 2), np.tile(one, 2), [-inf] * size, limits.capacity.tolist())
    pair = _pairs(instance, found)
    _, back, times = np.unique(pair, return_inverse=True, return_counts=True)
    several = times[back] > 1 if len(found) else np.zeros(0, np.bool_)
    if several.any():
        groups, number = np.unique(pair[several], return_inverse=True)
        add(number, every[several], one[several], [-inf] * len(groups), [1.0] * len(groups))
    if limits.number < inf:
        add(np.zeros(len(found), np.int64), every, one, [-inf], [limits.number])
    for sector, kind, count in limits.balance:
        value = places(instance, found, sector)
        takes = value > 0
        low, high = (count, inf) if kind == "at_least" else (-inf, count)
        add(np.zeros(int(takes.sum()), np.int64), every[takes], value[takes], [low], [high])
    if not rows:
        none = np.zeros(0, np.int64)
        rows.append((none, none, none))
    return Program(
        np.concatenate([each[0] for each in rows]),
        np.concatenate([each[1] for each in rows]),
        np.concatenate([each[2] for each in rows]).astype(np.float64),
        np.array(lower, np.float64),
        np.array(upper, np.float64),
        len(found),
    )


def _pairs(instance: Instance, found: Candidates) -> Integers:
    """A number for each two schools, whichever of them is the host and whatever the area."""
    number = {school.id: place for place, school in enumerate(instance.schools)}
    school = np.array([number[each.school] for each in instance.willing], np.int64)
    if not len(found):
        return np.zeros(0, np.int64)
    one, other = school[found.host], school[found.guest]
    pairs: Integers = np.minimum(one, other) * len(number) + np.maximum(one, other)
    return pairs


def best(instance: Instance, found: Candidates) -> Bools | None:
    """Which candidates to propose: the largest total weight there is, exactly. None when no choice meets the rules."""
    if not len(found):
        return np.zeros(0, np.bool_) if feasible(instance, found) else None
    rules = program(instance, found)
    worth = worth_of(instance, found)
    relaxed = relaxation(rules, worth, likely_pairs(found))
    if relaxed is None:
        return None
    chosen = _whole(relaxed.values)
    if chosen is not None:
        return chosen
    reduced = relaxed.reduced
    beyond = np.partition(reduced, min(_FIRST_LOOK, len(reduced) - 1))[min(_FIRST_LOOK, len(reduced) - 1)]
    looked = (reduced <= max(beyond, _INTEGRAL)) | (relaxed.values > _INTEGRAL)
    solution = _among(rules, worth, looked)
    while not looked.all():
        # What a solution would lose by a pair outside is at least the pair's reduced cost.
        gap = inf if solution is None else relaxed.worth - float(worth[solution].sum())
        wanted = looked | (reduced <= gap + _INTEGRAL)
        if (wanted == looked).all():
            break
        looked = wanted
        solution = _among(rules, worth, looked)
    return solution


def feasible(instance: Instance, found: Candidates, rules: Rules = ALL) -> bool:
    """Whether any choice of these candidates meets the rules."""
    asked = program(instance, found, rules)
    if not len(found):
        return bool((asked.lower <= 0).all())
    return run(asked, np.zeros(len(found)), integral=True) is not None


def worth_of(instance: Instance, found: Candidates) -> Floats:
    """Weights, with ties broken by the pairs' ids."""
    limits = left(instance)
    most = int(min(limits.number, int(limits.capacity.sum()), len(found)))
    schools = [each.school for each in instance.willing]
    areas = [each.area for each in instance.willing]
    tie = np.fromiter(
        (
            hashlib.blake2b(schools[h].bytes + schools[g].bytes + areas[h].encode(), digest_size=1).digest()[0]
            for h, g in zip(found.host.tolist(), found.guest.tolist(), strict=True)
        ),
        np.float64,
        len(found),
    )
    worth: Floats = found.weight + tie / (2 * most * _LARGEST_TIE + 2)
    return worth


@dataclass(frozen=True, slots=True)
class Relaxed:
    """A solution and what it is worth.

    Of a relaxation `reduced` is what a solution loses, at least, by each pair, and `prices` what each rule's last unit
    is worth.
    """

    values: Floats
    worth: float
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
            return Relaxed(values, part.worth, reduced, part.prices)
        most = np.partition(reduced[better], min(_MORE_AT_ONCE, int(better.sum()) - 1))
        looked |= better & (reduced <= most[min(_MORE_AT_ONCE, len(most) - 1)])


def _whole(values: Floats) -> Bools | None:
    chosen: Bools = values > 0.5
    return chosen if bool((np.abs(values - chosen) < _INTEGRAL).all()) else None


def _among(rules: Program, worth: Floats, looked: Bools) -> Bools | None:
    solved = run(rules.take(looked), worth[looked], integral=True)
    if solved is None:
        return None
    chosen = np.zeros(len(worth), np.bool_)
    chosen[looked] = solved.values > 0.5
    return chosen


def run(rules: Program, worth: Floats, *, integral: bool) -> Relaxed | None:
    """Solve; None when nothing meets the rules."""
    solver = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy types its methods, not its constructor
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("parallel", "off")
    solver.setOptionValue("random_seed", 0)
    solver.setOptionValue("mip_rel_gap", 0.0)
    solver.setOptionValue("mip_abs_gap", 1e-6)
    solver.passModel(_model(rules, worth, integral=integral))
    solver.run()
    status = solver.getModelStatus()
    if status == highspy.HighsModelStatus.kInfeasible:
        return None
    if status != highspy.HighsModelStatus.kOptimal:
        raise NotSolved(f"HiGHS ended with {solver.modelStatusToString(status)}")
    solution = solver.getSolution()
    values = np.array(solution.col_value, np.float64)
    reduced = np.zeros(0) if integral else np.array(solution.col_dual, np.float64)
    prices = np.zeros(0) if integral else np.array(solution.row_dual, np.float64)
    return Relaxed(values, -solver.getInfo().objective_function_value, reduced, prices)


def _model(rules: Program, worth: Floats, *, integral: bool) -> highspy.HighsLp:
    order = np.lexsort((rules.column, rules.row))
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = rules.columns, len(rules.lower)
    model.col_cost_ = -worth  # HiGHS minimises
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
