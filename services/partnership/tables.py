"""How partnership keeps what it knows; equal to the migrations, which a test proves. Only the store imports this."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    MetaData,
    Numeric,
    Text,
    text,
)
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as Uuid
from sqlmodel import Field, SQLModel


class Base(SQLModel):
    """Tables of the partnership service."""

    metadata = MetaData()


def _instant(*, now: bool = False, nullable: bool = False) -> Any:
    return Column(DateTime(timezone=True), nullable=nullable, server_default=text("now()") if now else None)


class Programme(Base, table=True):
    """Partnerships that somebody pays for; `balance` and `rules` are as `store.rules` writes them."""

    __tablename__ = "programmes"
    __table_args__ = (Unique("district_id", "code"), Index("programmes_by_title", "district_id", "title", "id"))

    id: UUID = Field(primary_key=True)
    district_id: UUID
    code: str = Field(sa_type=Text)
    title: str = Field(sa_type=Text)
    partnerships: int
    budget: Decimal = Field(sa_type=Numeric)
    cost_per_partnership: Decimal = Field(sa_type=Numeric)
    currency: str = Field(sa_type=Text)
    max_distance_km: float | None = Field(sa_type=Double)
    balance: list[dict[str, Any]] = Field(sa_type=JSONB)
    rules: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False, server_default=text("'{}'::jsonb")))
    updated_at: datetime = Field(sa_column=_instant(now=True))


class Area(Base, table=True):
    """What schools help each other in; `identifiers` are CFItems as the file names them, `competencies` our ids."""

    __tablename__ = "areas"

    programme_id: UUID = Field(sa_column=Column(ForeignKey("programmes.id"), primary_key=True))
    ordinal: int = Field(primary_key=True)
    district_id: UUID
    code: str = Field(sa_type=Text)
    title: str = Field(sa_type=Text)
    identifiers: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    competencies: list[UUID] = Field(sa_column=Column(ARRAY(Uuid(as_uuid=True)), nullable=False))


class Conflict(Base, table=True):
    """Two schools that a programme does not bring together."""

    __tablename__ = "conflicts"

    programme_id: UUID = Field(sa_column=Column(ForeignKey("programmes.id"), primary_key=True))
    ordinal: int = Field(primary_key=True)
    district_id: UUID
    school_id: UUID
    other_school_id: UUID
    reason: str = Field(sa_type=Text)


class Willingness(Base, table=True):
    """What a school declares in one area, as it holds now."""

    __tablename__ = "willingness"
    __table_args__ = (
        Index("willingness_area", "district_id", "area"),
        CheckConstraint("role IN ('offers', 'seeks')"),
        CheckConstraint("eagerness BETWEEN 1 AND 5"),
        CheckConstraint("capacity > 0"),
    )

    school_id: UUID = Field(primary_key=True)
    area: str = Field(sa_type=Text, primary_key=True)
    district_id: UUID
    role: str = Field(sa_type=Text)
    eagerness: int
    capacity: int
    diagnostics_allowed: bool
    version: int
    declared_at: datetime = Field(sa_column=_instant(now=True))
    declared_by: str = Field(sa_type=Text)


class Declared(Base, table=True):
    """Everything a school ever declared in one area, taking it back (`withdrawn`) included: consent on record."""

    __tablename__ = "willingness_history"
    __table_args__ = (CheckConstraint("role IN ('offers', 'seeks', 'withdrawn')"),)

    school_id: UUID = Field(primary_key=True)
    area: str = Field(sa_type=Text, primary_key=True)
    version: int = Field(primary_key=True)
    district_id: UUID
    role: str = Field(sa_type=Text)
    eagerness: int
    capacity: int
    diagnostics_allowed: bool
    declared_at: datetime = Field(sa_column=_instant(now=True))
    declared_by: str = Field(sa_type=Text)


class Matching(Base, table=True):
    """One matching of a programme and how far it is."""

    __tablename__ = "matchings"
    __table_args__ = (
        Index("matchings_programme", "programme_id", "requested_at", "id"),
        CheckConstraint("state IN ('queued', 'solving', 'proposed', 'infeasible', 'failed')"),
    )

    id: UUID = Field(primary_key=True)
    district_id: UUID
    programme_id: UUID = Field(foreign_key="programmes.id")
    state: str = Field(sa_type=Text)
    requested_at: datetime = Field(sa_column=_instant(now=True))
    requested_by: str = Field(sa_type=Text)
    finished_at: datetime | None = Field(sa_column=_instant(nullable=True))
    done: int
    total: int
    proposals: int
    unmatched: int
    explanation: str | None = Field(sa_type=Text)
    snapshot_at: datetime | None = Field(sa_column=_instant(nullable=True))
    weight: int | None = Field(sa_type=BigInteger)
    bound: int | None = Field(sa_type=BigInteger)
    method: str | None = Field(sa_type=Text)


class Inputs(Base, table=True):
    """What a matching is computed from, frozen before it begins: killed in the middle, it starts over from the same."""

    __tablename__ = "matching_inputs"

    matching_id: UUID = Field(sa_column=Column(ForeignKey("matchings.id"), primary_key=True))
    district_id: UUID
    inputs: dict[str, Any] = Field(sa_type=JSONB)
    frozen_at: datetime = Field(sa_column=_instant(now=True))


class Proposal(Base, table=True):
    """A partnership that is proposed; `grounds` is what its reason is put into words from."""

    __tablename__ = "proposals"
    __table_args__ = (
        Index("proposals_programme", "programme_id", "state", "id"),
        Index("proposals_matching", "matching_id", "id"),
        Index("proposals_host", "host_id"),
        Index("proposals_guest", "guest_id"),
        CheckConstraint("state IN ('proposed', 'accepted', 'declined', 'withdrawn', 'superseded')"),
        CheckConstraint("host_id <> guest_id"),
    )

    id: UUID = Field(primary_key=True)
    district_id: UUID
    programme_id: UUID = Field(foreign_key="programmes.id")
    matching_id: UUID = Field(foreign_key="matchings.id")
    area: str = Field(sa_type=Text)
    host_id: UUID
    guest_id: UUID
    state: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    host_basis: str = Field(sa_type=Text)
    guest_basis: str = Field(sa_type=Text)
    distance_km: float | None = Field(sa_type=Double)
    grounds: dict[str, Any] = Field(sa_type=JSONB)
    host_answer: str | None = Field(sa_type=Text)
    guest_answer: str | None = Field(sa_type=Text)
    declined_because: str | None = Field(sa_type=Text)
    proposed_at: datetime = Field(sa_column=_instant(now=True))
    alternative: str | None = Field(sa_type=Text)


class Answer(Base, table=True):
    """Who answered a proposal for a school, and when."""

    __tablename__ = "answers"

    proposal_id: UUID = Field(sa_column=Column(ForeignKey("proposals.id"), primary_key=True))
    school_id: UUID = Field(primary_key=True)
    district_id: UUID
    answer: str = Field(sa_type=Text)
    because: str | None = Field(sa_type=Text)
    answered_at: datetime = Field(sa_column=_instant(now=True))
    answered_by: str = Field(sa_type=Text)


class Unmatched(Base, table=True):
    """A willing school without a proposal in an area, and why."""

    __tablename__ = "unmatched"
    __table_args__ = (Index("unmatched_matching", "matching_id", "id"),)

    id: UUID = Field(primary_key=True)
    district_id: UUID
    matching_id: UUID = Field(foreign_key="matchings.id")
    school_id: UUID
    area: str = Field(sa_type=Text)
    role: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    alternative: str | None = Field(sa_type=Text)
