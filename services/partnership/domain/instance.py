"""Everything a matching is computed from, in one value that can be kept as JSON and taken up again."""

import json
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias
from uuid import UUID

from services.partnership.domain.programme import Balance

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
    """The most there may be by money."""
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

    def ordered(self) -> "Instance":
        """The same, in the order of ids, whatever order it was gathered in."""
        return Instance(
            matching=self.matching,
            areas=tuple(sorted(self.areas)),
            schools=tuple(sorted(self.schools, key=lambda each: each.id)),
            willing=tuple(sorted(self.willing, key=lambda each: (each.area, each.school))),
            partnerships=self.partnerships,
            affordable=self.affordable,
            max_distance_km=self.max_distance_km,
            balance=tuple(sorted(self.balance, key=lambda each: each.sector)),
            conflicts=tuple(sorted(self.conflicts)),
            declined=tuple(sorted(self.declined)),
            locked=tuple(sorted(self.locked)),
            elsewhere=tuple(sorted(self.elsewhere)),
            snapshot_on=self.snapshot_on,
            programme_at=self.programme_at,
        )


def to_json(instance: Instance) -> str:
    """As it is kept."""
    return json.dumps(asdict(instance), default=str)


def from_json(kept: str) -> Instance:
    """As it was kept."""
    said: dict[str, Any] = json.loads(kept)  # our own words, written by to_json
    return Instance(
        matching=UUID(said["matching"]),
        areas=tuple((code, title) for code, title in said["areas"]),
        schools=tuple(School(**{**each, "id": UUID(each["id"])}) for each in said["schools"]),
        willing=tuple(Willing(**{**each, "school": UUID(each["school"])}) for each in said["willing"]),
        partnerships=said["partnerships"],
        affordable=said["affordable"],
        max_distance_km=said["max_distance_km"],
        balance=tuple(Balance(**each) for each in said["balance"]),
        conflicts=tuple((UUID(one), UUID(other)) for one, other in said["conflicts"]),
        declined=tuple(_pair(each) for each in said["declined"]),
        locked=tuple(_pair(each) for each in said["locked"]),
        elsewhere=tuple(_pair(each) for each in said["elsewhere"]),
        snapshot_on=said["snapshot_on"],
        programme_at=said["programme_at"],
    )


def _pair(kept: list[str]) -> Pair:
    host, guest, area = kept
    return UUID(host), UUID(guest), area
