"""The nouns of the roster as the store hands them out."""

from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True)
class School:
    """An organisation that teaches, and where it is."""

    id: UUID
    sourced_id: str
    name: str
    type: str
    sector: str | None
    latitude: float | None
    longitude: float | None
    parent: UUID | None


@dataclass(frozen=True, slots=True)
class Organisation:
    """Where an organisation stands in the district's tree."""

    id: UUID
    parent: UUID | None
    type: str


@dataclass(frozen=True, slots=True)
class Section:
    """A class of a school (`class` is a word of Python's)."""

    id: UUID
    sourced_id: str
    title: str
    school: UUID


@dataclass(frozen=True, slots=True)
class Student:
    """A person with the role student, or enrolled as one.

    `absorbed` and `also` are other ids and sourcedIds that they were asked for by: of who is one with them now.
    """

    id: UUID
    sourced_id: str
    given_name: str
    family_name: str
    absorbed: list[UUID] = field(default_factory=list)
    also: list[str] = field(default_factory=list)
