"""A programme: what schools help each other in, how many partnerships are paid for, and by which rules.

`reading.parse` reads it from TOML.
"""

from dataclasses import dataclass
from decimal import Decimal
from math import gcd
from uuid import UUID, uuid5

FORMAT = "trellis-programme/1"
SECTORS = ("district", "charter", "private")
SECTOR = "sector"
"""The attribute of a school that the roster itself keeps; others are declared by the programme."""
MOST_PARTNERSHIPS = 100_000
MOST_AREAS = 100
FARTHEST_KM = 20_038.0  # half the way round the earth
_DECIMALS = 4  # of money


@dataclass(frozen=True, slots=True)
class Area:
    """What schools help each other in; without competencies it rests on what they declare.

    `cost` is that of one partnership in this area, where it is not the programme's.
    """

    code: str
    title: str
    identifiers: tuple[str, ...] = ()
    """CASE identifiers of CFItems, as the file writes them."""
    at_least: int | None = None
    at_most: int | None = None
    cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Attribute:
    """Something the programme declares of schools, such as their borough: for each value, who has it (sourcedIds)."""

    name: str
    values: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Context:
    """A number that says who goes to a school, such as its economic need: the schools' (sourcedIds) values."""

    name: str
    values: tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True, slots=True)
class Balance:
    """How many places go to schools with this value of an attribute. A partnership has two, one for each school."""

    value: str
    at_least: int | None
    at_most: int | None
    attribute: str = SECTOR


@dataclass(frozen=True, slots=True)
class Equity:
    """The share of partnerships, at least, that go to guests in need.

    These are, area by area, the `neediest` part of the schools that seek help, by measured need; or, with an
    attribute, those that have one of these values.
    """

    at_least: Decimal
    neediest: Decimal | None = None
    attribute: str | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fit:
    """By how much a pair weighs less when its two schools differ in an attribute: a factor from 0 to 1."""

    attribute: str
    differing: Decimal


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two schools, by sourcedId, that are not brought together."""

    schools: tuple[str, str]
    reason: str


@dataclass(frozen=True, slots=True)
class Locked:
    """A partnership that must be among the proposals; both schools must be willing all the same."""

    host: str
    guest: str
    area: str


@dataclass(frozen=True, slots=True)
class Preference:
    """Two schools that would rather have each other: together they weigh so many times as much."""

    schools: tuple[str, str]
    times: Decimal


@dataclass(frozen=True, slots=True)
class Programme:
    """A programme as its file says it."""

    code: str
    title: str
    partnerships: int
    budget: Decimal
    cost_per_partnership: Decimal
    currency: str
    max_distance_km: float | None
    areas: tuple[Area, ...]
    balance: tuple[Balance, ...]
    conflicts: tuple[Conflict, ...]
    attributes: tuple[Attribute, ...] = ()
    equity: Equity | None = None
    fit: tuple[Fit, ...] = ()
    locked: tuple[Locked, ...] = ()
    preferences: tuple[Preference, ...] = ()
    keep: Decimal = Decimal(0)
    """How much more, as a share, a pair weighs that is proposed already."""
    gap: Decimal | None = None
    """How far below the best, as a share of it, a matching may end; None: as `optimum.allowed_gap` has it."""
    context: tuple[Context, ...] = ()


def programme_id(district: UUID, code: str) -> UUID:
    """A programme keeps its id as long as it keeps its code."""
    return uuid5(district, f"programme:{code}")


def affordable(partnerships: int, budget: Decimal, cost: Decimal) -> int:
    """How many partnerships there may be: as many as are wanted, and as many as the budget pays for."""
    return min(partnerships, int(budget // cost))


def schools_named(programme: Programme) -> list[str]:
    """Every school that a rule names, by sourcedId."""
    named = [school for each in programme.conflicts for school in each.schools]
    named += [school for each in programme.locked for school in (each.host, each.guest)]
    named += [school for each in programme.preferences for school in each.schools]
    named += [school for each in programme.attributes for _, schools in each.values for school in schools]
    named += [school for each in programme.context for school, _ in each.values]
    return list(dict.fromkeys(named))


def attributes_used(programme: Programme) -> list[tuple[str, str]]:
    """The attributes that rules speak of, each with the dotted key of its rule."""
    used = [(f"rules.balance.{each.attribute}", each.attribute) for each in programme.balance]
    used += [(f"rules.fit.{each.attribute}", each.attribute) for each in programme.fit]
    if programme.equity is not None and programme.equity.attribute is not None:
        used.append(("rules.equity.attribute", programme.equity.attribute))
    return list(dict.fromkeys(used))


def priced(programme: Programme) -> tuple[int, dict[str, int]]:
    """The budget, and what one partnership costs area by area, in the largest unit that counts all costs whole.

    What of the budget is less than a unit pays for nothing.
    """
    costs = {area.code: area.cost or programme.cost_per_partnership for area in programme.areas}
    whole = {code: int(cost.scaleb(_DECIMALS)) for code, cost in costs.items()}
    unit = gcd(*whole.values())
    return int(programme.budget.scaleb(_DECIMALS)) // unit, {code: cost // unit for code, cost in whole.items()}
