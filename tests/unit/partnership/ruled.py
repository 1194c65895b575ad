"""Small programmes with every rule there is, and the direct integer program over all pairs, by the rules' own words."""

import random
from dataclasses import replace
from decimal import Decimal
from math import ceil
from uuid import UUID

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

from services.partnership.domain.instance import Instance, Limit
from services.partnership.domain.programme import Balance, Equity, Fit
from tests.unit.partnership.instances import Edge, drawn, edges

BOROUGHS = ("Bronx", "Queens", None)


def ruled(seed: int) -> Instance:
    """As `drawn`, with attributes, a budget by area, floors, locked pairs, preferences, all by chance."""
    instance, chance = drawn(seed), random.Random(seed + 1_000_000)
    schools = tuple(
        replace(each, attributes=() if borough is None else (("borough", borough),))
        for each in instance.schools
        for borough in [chance.choice(BOROUGHS)]
    )
    areas = [code for code, _ in instance.areas]
    hosts = [each for each in instance.willing if each.role == "offers"]
    guests = [each for each in instance.willing if each.role == "seeks"]

    def a_pair(area: str) -> tuple[UUID, UUID] | None:
        mine = [w.school for w in hosts if w.area == area], [w.school for w in guests if w.area == area]
        return (chance.choice(mine[0]), chance.choice(mine[1])) if all(mine) else None

    pairs = [(*two, area) for area in areas for two in [a_pair(area)] if two is not None]
    equity = [
        None, None, Equity(Decimal("0.5"), Decimal("0.4")), Equity(Decimal("0.25"), None, "borough", ("Bronx",)),
        Equity(Decimal("0.3"), Decimal("0.2")),
    ]  # fmt: skip
    return replace(
        instance,
        schools=schools,
        balance=(
            *instance.balance,
            *([Balance("Bronx", chance.choice([None, 1]), 3, "borough")] * chance.randint(0, 1)),
        ),
        limits=tuple(
            Limit(area, chance.choice([None, 1, 2]), chance.choice([None, 2, 3]))
            for area in areas
            if chance.random() < 0.5
        ),
        budget=chance.choice([None, 9, 15]),
        costs=tuple((area, chance.choice([2, 3, 5])) for area in areas),
        equity=chance.choice(equity),
        fit=(Fit("borough", Decimal("0.5")),) if chance.random() < 0.4 else (),
        required=tuple(chance.sample(pairs, 1)) if pairs and chance.random() < 0.3 else (),
        preferences=((*pairs[0][:2], 2.5),) if pairs and chance.random() < 0.3 else (),
        previous=tuple(pairs) if chance.random() < 0.3 else (),
        keep=0.1,
    )


def neediest(instance: Instance) -> set[tuple[UUID, str]]:
    """The guests that the floor of equity is for, by school and area."""
    equity = instance.equity
    assert equity is not None
    guests = [each for each in instance.willing if each.role == "seeks"]
    schools = {each.id: each for each in instance.schools}
    if equity.attribute is not None:
        return {(g.school, g.area) for g in guests if schools[g.school].value_of(equity.attribute) in equity.values}
    found: set[tuple[UUID, str]] = set()
    for area in {each.area for each in guests}:
        mine = [g for g in guests if g.area == area]
        known = sorted((g for g in mine if g.share is not None), key=lambda g: -(g.share or 0))
        count = min(ceil(equity.neediest * len(mine)), len(known)) if equity.neediest else 0
        for g in known:
            if count and (g.share or 0) >= (known[count - 1].share or 0):
                found.add((g.school, g.area))
    return found


def direct(instance: Instance) -> int | None:
    """The largest total weight, by one integer program over all pairs (HiGHS through scipy); None without a choice."""
    every, locked = edges(instance), instance.locked
    schools = {each.id: each for each in instance.schools}
    rows: list[list[float]] = []
    lower: list[float] = []
    upper: list[float] = []

    def add(row: list[float], low: float, high: float) -> None:
        rows.append(row)
        lower.append(low)
        upper.append(high)

    number = max(0, min(instance.partnerships, instance.affordable if instance.budget is None else 10**6) - len(locked))
    add([1.0] * len(every), -np.inf, number)
    if instance.budget is not None:
        costs = dict(instance.costs)
        left = max(0, instance.budget - sum(costs[area] for _, _, area in locked))
        add([costs[each.area] for each in every], -np.inf, left)
    for w in instance.willing:
        used = sum(area == w.area and w.school in (h, g) for h, g, area in locked)
        row = [float(each.area == w.area and w.school in (each.host, each.guest)) for each in every]
        add(row, -np.inf, max(0, w.capacity - used))
    for two in {frozenset((each.host, each.guest)) for each in every}:
        add([float({each.host, each.guest} == two) for each in every], -np.inf, 1)
    for limit in instance.limits:
        used = sum(area == limit.area for _, _, area in locked)
        row = [float(each.area == limit.area) for each in every]
        low = -np.inf if limit.at_least is None else max(0, limit.at_least - used)
        add(row, low, np.inf if limit.at_most is None else max(0, limit.at_most - used))
    for rule in instance.balance:

        def mine(*of: UUID, rule: Balance = rule) -> int:
            return sum(schools[each].value_of(rule.attribute) == rule.value for each in of)

        used = sum(mine(h, g) for h, g, _ in locked)
        low = -np.inf if rule.at_least is None else max(0, rule.at_least - used)
        high = np.inf if rule.at_most is None else max(0, rule.at_most - used)
        add([float(mine(each.host, each.guest)) for each in every], low, high)
    if instance.equity is not None:
        needy, share = neediest(instance), float(instance.equity.at_least)
        met = sum((g, area) in needy for _, g, area in locked)
        row = [((each.guest, each.area) in needy) - share for each in every]
        add(row, share * len(locked) - met, np.inf)
    for pair in instance.required:
        if pair not in locked:
            add([float((each.host, each.guest, each.area) == pair) for each in every], 1, np.inf)
    if not every:
        return 0 if max(lower, default=-1) <= 1e-9 and min(upper) >= -1e-9 else None
    weight = np.array([each.weight for each in every], np.float64)
    found = milp(
        -weight, constraints=LinearConstraint(np.array(rows), lower, upper), integrality=np.ones(len(every)),
        bounds=Bounds(0, 1), options={"mip_rel_gap": 0.0},
    )  # fmt: skip
    return None if found.x is None else round(float(weight[found.x > 0.5].sum()))


def chosen_edges(every: list[Edge], pairs: set[tuple[UUID, UUID, str]]) -> list[Edge]:
    """The pairs of a choice, with what they weigh by the words of the rules."""
    return [each for each in every if (each.host, each.guest, each.area) in pairs]
