"""What binds the choice of pairs together: the rows of the integer program, and the rule that each is for.

Of a choice x of candidates: the capacity of each school in each area; one partnership for each two schools; and the
rules of the programme, each by its name, with what accepted partnerships have used of it taken off.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import ceil, inf

import numpy as np

from services.partnership.domain.candidates import ALL, Bools, Candidates, Floats, Integers, Rules
from services.partnership.domain.instance import Instance, Pair

NUMBER, BUDGET, CAPACITY, EQUITY = "number", "budget", "capacity", "equity"
DISTANCE, CONFLICTS, DECLINED = "distance", "conflicts", "declined"
"""Rules that there is at most one of."""


def balance_rule(attribute: str, value: str, kind: str) -> str:
    """The name of a rule of balance; the kind is `at_least` or `at_most`."""
    return f"balance\0{attribute}\0{value}\0{kind}"


def area_rule(area: str, kind: str) -> str:
    """The name of a rule about how many partnerships an area has."""
    return f"area\0{area}\0{kind}"


def locked_rule(pair: Pair) -> str:
    """The name of the rule that wants a pair."""
    return f"locked\0{pair[0]}\0{pair[1]}\0{pair[2]}"


@dataclass(frozen=True, slots=True)
class Program:
    """The rows of the integer program over some candidates: `row` and `column` of each entry and its value."""

    row: Integers
    column: Integers
    value: Floats
    lower: Floats
    upper: Floats
    columns: int
    rules: tuple[tuple[str, int], ...] = ()
    """The programme's rules and their rows, those of capacity and of two schools left out."""

    def take(self, keep: Bools) -> "Program":
        """The same rows over fewer columns."""
        number = np.cumsum(keep) - 1
        kept = keep[self.column]
        return Program(
            self.row[kept], number[self.column[kept]], self.value[kept], self.lower, self.upper, int(keep.sum()),
            self.rules,
        )  # fmt: skip

    def activity(self, values: Floats) -> Floats:
        """What each row comes to."""
        activity = np.bincount(self.row, self.value * values[self.column], minlength=len(self.lower))
        return activity.astype(np.float64)

    def holds(self, values: Floats, within: float = 1e-6) -> bool:
        """Whether a choice keeps every row."""
        activity = self.activity(values)
        return bool((activity >= self.lower - within).all() and (activity <= self.upper + within).all())


@dataclass(frozen=True, slots=True)
class Row:
    """One rule of the programme: for each candidate what it adds, and the bounds that are left of the rule."""

    rule: str
    value: Floats
    lower: float
    upper: float


def capacity_left(instance: Instance) -> Integers:
    """By position in `willing`: the places that accepted partnerships leave; capacity serves every programme."""
    capacity = np.array([each.capacity for each in instance.willing], np.int64)
    at = {(each.school, each.area): place for place, each in enumerate(instance.willing)}
    for host, guest, area in (*instance.locked, *instance.elsewhere):
        for school in (host, guest):
            if (school, area) in at:
                capacity[at[school, area]] -= 1
    return np.maximum(capacity, 0)


def number_left(instance: Instance, rules: Rules = ALL) -> float:
    """How many partnerships there may be beside those that are accepted; infinite without a rule."""
    number = min(
        instance.partnerships if rules.has(NUMBER) else inf,
        instance.affordable if rules.has(BUDGET) and instance.budget is None else inf,
    )
    return max(0, number - len(instance.locked))


def rules_of(instance: Instance, found: Candidates, rules: Rules = ALL) -> Iterator[Row]:
    """The programme's rules as rows over these candidates."""
    one = np.ones(len(found))
    willing_area = np.array([each.area for each in instance.willing], object)
    area = willing_area[found.host] if len(found) else np.zeros(0, object)
    accepted = instance.locked
    if (number := number_left(instance, rules)) < inf:
        yield Row(NUMBER, one, -inf, number)
    if instance.budget is not None and rules.has(BUDGET):
        costs = dict(instance.costs)
        spent = sum(costs.get(about, min(costs.values())) for _, _, about in accepted)
        price = np.array([costs[about] for about in area], np.float64)
        yield Row(BUDGET, price, -inf, max(0, instance.budget - spent))
    for limit in instance.limits:
        there = (area == limit.area).astype(np.float64)
        used = sum(about == limit.area for _, _, about in accepted)
        yield from _bounded(
            rules, there, used, limit.at_least, limit.at_most, partial(area_rule, limit.area)
        )  # fmt: skip
    for each in instance.balance:
        values = {school.id: school.value_of(each.attribute) for school in instance.schools}
        used = sum(values.get(school) == each.value for host, guest, _ in accepted for school in (host, guest))
        taken = places(instance, found, each.attribute, each.value).astype(np.float64)
        yield from _bounded(
            rules, taken, used, each.at_least, each.at_most,
            partial(balance_rule, each.attribute, each.value),
        )  # fmt: skip
    if instance.equity is not None and rules.has(EQUITY):
        part, whole = instance.equity.at_least.as_integer_ratio()
        needy = in_need(instance)
        at = {(each.school, each.area): place for place, each in enumerate(instance.willing)}
        met = sum((guest, about) in at and bool(needy[at[guest, about]]) for _, guest, about in accepted)
        value = np.where(needy[found.guest], whole - part, -part) / whole if len(found) else np.zeros(0)
        yield Row(EQUITY, value, (part * len(accepted) - whole * met) / whole, inf)
    settled = set(accepted)
    for pair in instance.required:
        name = locked_rule(pair)
        if rules.has(name) and pair not in settled:
            yield Row(name, (of_pair(instance, found, pair)).astype(np.float64), 1, inf)


def _bounded(
    rules: Rules, value: Floats, used: int, at_least: int | None, at_most: int | None, name: Callable[[str], str]
) -> Iterator[Row]:
    for kind, count in (("at_least", at_least), ("at_most", at_most)):
        if count is not None and rules.has(name(kind)):
            left = max(0, count - used)
            yield Row(name(kind), value, *((left, inf) if kind == "at_least" else (-inf, left)))


def places(instance: Instance, found: Candidates, attribute: str, value: str) -> Integers:
    """How many places each candidate takes of those for an attribute's value: 0, 1 or 2."""
    values = {school.id: school.value_of(attribute) for school in instance.schools}
    mine = np.array([values[each.school] == value for each in instance.willing], np.int64)
    return mine[found.host] + mine[found.guest] if len(found) else np.zeros(0, np.int64)


def of_pair(instance: Instance, found: Candidates, pair: Pair) -> Bools:
    """Which candidate is this pair; none where it is not among them."""
    at = {(each.school, each.area): place for place, each in enumerate(instance.willing)}
    host, guest, area = pair
    mask: Bools = (found.host == at.get((host, area), -1)) & (found.guest == at.get((guest, area), -1))
    return mask


def in_need(instance: Instance) -> Bools:
    """By position in `willing`: the guests that the floor of equity is for.

    The neediest part of an area's guests, by measured need, is rounded up to whole schools; those that need as much as
    the last of them are among them. A guest of which nothing is measured is not.
    """
    needy = np.zeros(len(instance.willing), np.bool_)
    if instance.equity is None:
        return needy
    if instance.equity.attribute is not None:
        values = {school.id: school.value_of(instance.equity.attribute) for school in instance.schools}
        for at, each in enumerate(instance.willing):
            needy[at] = each.role == "seeks" and values[each.school] in instance.equity.values
        return needy
    for area in {each.area for each in instance.willing}:
        guests = [at for at, w in enumerate(instance.willing) if w.area == area and w.role == "seeks"]
        measured = sorted((share for at in guests if (share := instance.willing[at].share) is not None), reverse=True)
        if not measured:
            continue
        count = min(ceil((instance.equity.neediest or 0) * len(guests)), len(measured))
        for at in guests:
            share = instance.willing[at].share
            needy[at] = share is not None and share >= measured[count - 1]
    return needy


def program(instance: Instance, found: Candidates, rules: Rules = ALL) -> Program:
    """The rows that bind these candidates together."""
    every = np.arange(len(found))
    rows: list[tuple[Integers, Integers, Floats]] = []
    lower: list[float] = []
    upper: list[float] = []
    named: list[tuple[str, int]] = []

    def add(row: Integers, column: Integers, value: Floats, low: list[float], high: list[float]) -> None:
        rows.append((row + len(lower), column, value))
        lower.extend(low)
        upper.extend(high)

    one = np.ones(len(found))
    if rules.has(CAPACITY):
        size = len(instance.willing)
        both = np.concatenate([found.host, found.guest])
        add(both, np.tile(every, 2), np.tile(one, 2), [-inf] * size, capacity_left(instance).tolist())
    pair = two_schools(instance, found)
    _, back, times = np.unique(pair, return_inverse=True, return_counts=True)
    several = times[back] > 1 if len(found) else np.zeros(0, np.bool_)
    if several.any():
        groups, number = np.unique(pair[several], return_inverse=True)
        add(number, every[several], one[several], [-inf] * len(groups), [1.0] * len(groups))
    for each in rules_of(instance, found, rules):
        takes = each.value != 0
        named.append((each.rule, len(lower)))
        add(np.zeros(int(takes.sum()), np.int64), every[takes], each.value[takes], [each.lower], [each.upper])
    if not rows:
        none = np.zeros(0, np.int64)
        rows.append((none, none, np.zeros(0)))
    return Program(
        np.concatenate([each[0] for each in rows]),
        np.concatenate([each[1] for each in rows]),
        np.concatenate([each[2] for each in rows]),
        np.array(lower, np.float64),
        np.array(upper, np.float64),
        len(found),
        tuple(named),
    )


def two_schools(instance: Instance, found: Candidates) -> Integers:
    """A number for each two schools, whichever of them is the host and whatever the area."""
    number = {school.id: place for place, school in enumerate(instance.schools)}
    school = np.array([number[each.school] for each in instance.willing], np.int64)
    if not len(found):
        return np.zeros(0, np.int64)
    one, other = school[found.host], school[found.guest]
    pairs: Integers = np.minimum(one, other) * len(number) + np.maximum(one, other)
    return pairs
