"""Everything a matching is computed from, in one value that can be kept as JSON and taken up again."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from services.partnership.domain.programme import SECTOR, Balance, Equity, Fit, Programme, priced

MASTERY, INDEX = "mastery", "index"
Pair: TypeAlias = tuple[UUID, UUID, str]
"""Host, guest and area."""


@dataclass(frozen=True, slots=True)
class School:
    """A school as the roster knows it: degrees of latitude and longitude, or None."""

    id: UUID
    name: str
    sector: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    """What the programme declares of it: name and value."""

    def value_of(self, attribute: str) -> str | None:
        """Its value of an attribute, if it has one."""
        return self.sector if attribute == SECTOR else dict(self.attributes).get(attribute)


@dataclass(frozen=True, slots=True)
class Willing:
    """A school that said it is willing, in one area; `offers` or `seeks`.

    `share` is its measured strength (a host's) or need (a guest's), 0 to 1, where it allowed the use of its published
    figures and there are any; None where it is known by what it declares alone.
    """

    school: UUID
    area: str
    role: str
    eagerness: int
    capacity: int
    share: float | None = None
    in_context: bool = False
    """Whether `share` compares the school with schools that have like students, or is its published figure."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many partnerships there are in an area."""

    area: str
    at_least: int | None
    at_most: int | None


@dataclass(frozen=True, slots=True)
class Instance:
    """A programme's rules and the schools that are willing; nobody else is in it."""

    matching: UUID
    areas: tuple[tuple[str, str], ...]
    """Code and title."""
    schools: tuple[School, ...]
    willing: tuple[Willing, ...]
    partnerships: int
    """The most there may be by number."""
    affordable: int
    """The most there may be by money, each at the price of the cheapest area."""
    max_distance_km: float | None = None
    balance: tuple[Balance, ...] = ()
    conflicts: tuple[tuple[UUID, UUID], ...] = ()
    declined: tuple[Pair, ...] = ()
    """What one side said no to, in this programme."""
    locked: tuple[Pair, ...] = ()
    """What both sides said yes to: it uses capacity, number and money."""
    elsewhere: tuple[Pair, ...] = ()
    """What both sides said yes to in other programmes, in areas of this one: it uses capacity alone."""
    snapshot_on: str | None = None
    """The day of the snapshot that the shares are from, as ISO 8601."""
    programme_at: str | None = None
    """When the programme that this is made of was last changed, as ISO 8601."""
    limits: tuple[Limit, ...] = ()
    budget: int | None = None
    """In units of money, where areas differ in what a partnership costs; or else `affordable` says it all."""
    costs: tuple[tuple[str, int], ...] = ()
    """What a partnership costs in each area, in the same units; none without a `budget`."""
    equity: Equity | None = None
    fit: tuple[Fit, ...] = ()
    required: tuple[Pair, ...] = ()
    """What the programme wants to be among the proposals."""
    preferences: tuple[tuple[UUID, UUID, float], ...] = ()
    """Two schools and how many times as much they weigh together."""
    previous: tuple[Pair, ...] = ()
    """What is proposed already."""
    keep: float = 0.0
    """How much more, as a share, a previous pair weighs."""
    gap: float | None = None
    """How far below the best, as a share of it, the choice may be; None: `optimum.allowed_gap`."""
    shares: str = MASTERY
    """What the shares of schools are of: learners who have mastered an area, or `INDEX`, 0 to 1."""
    seed: int = 0
    """Another seed decides between equals in another way."""

    def ordered(self) -> "Instance":
        """The same, in the order of ids, whatever order it was gathered in."""
        return replace(
            self,
            areas=tuple(sorted(self.areas)),
            schools=tuple(sorted(self.schools, key=lambda each: each.id)),
            willing=tuple(sorted(self.willing, key=lambda each: (each.area, each.school))),
            balance=tuple(sorted(self.balance, key=lambda each: (each.attribute, each.value))),
            conflicts=tuple(sorted(self.conflicts)),
            declined=tuple(sorted(self.declined)),
            locked=tuple(sorted(self.locked)),
            elsewhere=tuple(sorted(self.elsewhere)),
            limits=tuple(sorted(self.limits, key=lambda each: each.area)),
            costs=tuple(sorted(self.costs)),
            fit=tuple(sorted(self.fit, key=lambda each: each.attribute)),
            required=tuple(sorted(self.required)),
            preferences=tuple(sorted(self.preferences)),
            previous=tuple(sorted(self.previous)),
        )


_NOT_YET: dict[str, Any] = {  # in what was kept before there were these rules
    "limits": [], "budget": None, "costs": [], "equity": None, "fit": [], "required": [], "preferences": [],
    "previous": [], "keep": 0.0, "gap": None, "seed": 0, "shares": MASTERY,
}  # fmt: skip


def instance_of(
    programme: Programme,
    ids: Mapping[str, UUID],
    *,
    matching: UUID,
    schools: Iterable[School],
    willing: Iterable[Willing],
) -> Instance:
    """The instance of a programme. `ids` are those of every school that its rules name, by sourcedId."""
    values: dict[UUID, list[tuple[str, str]]] = {}
    for attribute in programme.attributes:
        for value, named in attribute.values:
            for school in named:
                values.setdefault(ids[school], []).append((attribute.name, value))
    budget, costs = priced(programme)
    differ = len(set(costs.values())) > 1
    return Instance(
        matching=matching,
        areas=tuple((area.code, area.title) for area in programme.areas),
        schools=tuple(
            replace(school, attributes=tuple(sorted({*school.attributes, *values.get(school.id, ())})))
            for school in schools
        ),
        willing=tuple(willing),
        partnerships=programme.partnerships,
        affordable=min(programme.partnerships, budget // min(costs.values())),
        max_distance_km=programme.max_distance_km,
        balance=programme.balance,
        conflicts=tuple((ids[each.schools[0]], ids[each.schools[1]]) for each in programme.conflicts),
        limits=tuple(
            Limit(area.code, area.at_least, area.at_most)
            for area in programme.areas
            if area.at_least is not None or area.at_most is not None
        ),
        budget=budget if differ else None,
        costs=tuple(costs.items()) if differ else (),
        equity=programme.equity,
        fit=programme.fit,
        required=tuple((ids[each.host], ids[each.guest], each.area) for each in programme.locked),
        preferences=tuple(
            (ids[each.schools[0]], ids[each.schools[1]], float(each.times)) for each in programme.preferences
        ),
        keep=float(programme.keep),
        gap=None if programme.gap is None else float(programme.gap),
    )


def to_json(instance: Instance) -> str:
    """As it is kept."""
    return json.dumps(asdict(instance), default=str)


def from_json(kept: str) -> Instance:
    """As it was kept."""
    said: dict[str, Any] = _NOT_YET | json.loads(kept)  # our own words, written by to_json
    pairs: dict[str, Any] = {  # fields by name
        name: tuple((UUID(host), UUID(guest), area) for host, guest, area in said[name])
        for name in ("declined", "locked", "elsewhere", "required", "previous")
    }
    plain: dict[str, Any] = {
        name: said[name]
        for name in (
            "partnerships", "affordable", "max_distance_km", "snapshot_on", "programme_at", "budget", "keep", "gap",
            "seed", "shares",
        )
    }  # fmt: skip
    return Instance(
        matching=UUID(said["matching"]),
        areas=tuple((code, title) for code, title in said["areas"]),
        schools=tuple(_school(each) for each in said["schools"]),
        willing=tuple(Willing(**{**each, "school": UUID(each["school"])}) for each in said["willing"]),
        balance=tuple(balance_of(each) for each in said["balance"]),
        conflicts=tuple((UUID(one), UUID(other)) for one, other in said["conflicts"]),
        limits=tuple(Limit(**each) for each in said["limits"]),
        costs=tuple((area, cost) for area, cost in said["costs"]),
        equity=None if said["equity"] is None else equity_of(said["equity"]),
        fit=tuple(Fit(each["attribute"], Decimal(each["differing"])) for each in said["fit"]),
        preferences=tuple((UUID(one), UUID(other), times) for one, other, times in said["preferences"]),
        **pairs,
        **plain,
    )


def balance_of(kept: Mapping[str, Any]) -> Balance:
    """A rule of balance as JSON keeps it; before there were other attributes, `sector` was its value."""
    if "sector" in kept:
        return Balance(kept["sector"], kept["at_least"], kept["at_most"])
    return Balance(kept["value"], kept["at_least"], kept["at_most"], kept["attribute"])


def equity_of(kept: Mapping[str, Any]) -> Equity:
    """A floor of equity as JSON keeps it, numbers as text."""
    neediest = kept["neediest"]
    return Equity(
        Decimal(kept["at_least"]),
        None if neediest is None else Decimal(neediest),
        kept["attribute"],
        tuple(kept["values"]),
    )


def _school(kept: dict[str, Any]) -> School:
    attributes = tuple((name, value) for name, value in kept.get("attributes", ()))
    return School(**{**kept, "id": UUID(kept["id"]), "attributes": attributes})
