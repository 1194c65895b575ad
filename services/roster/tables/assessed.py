"""What the assessment service and mastery found out, as they announced it: derived, and made anew from their facts."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Double, Identity, Index, Integer, LargeBinary, SmallInteger, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field

from services.roster.tables.records import C_TEXT, Base


class _Derived(Base):
    """What every such record has, as the others have it."""

    district_id: UUID = Field(primary_key=True)
    sourced_id: str = Field(sa_type=C_TEXT, primary_key=True)
    status: str = Field(sa_type=Text)
    ended_on: date | None
    revision: int = Field(sa_type=BigInteger)
    since: int = Field(sa_type=BigInteger)
    until: int | None = Field(sa_type=BigInteger)


class AssessedCompetency(Base, table=True):
    """A competency: what mastery calls it, a short number for it here, and its CASE identifier where it is known."""

    __tablename__ = "assessed_competencies"

    district_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    number: int = Field(sa_type=Integer, sa_column_args=(Identity(always=True),))
    identifier: str | None = Field(sa_type=Text)


class AssessedForm(Base, table=True):
    """A version of a form: its items' maxima; and, side by side, which item (from 0) bears on which competency."""

    __tablename__ = "assessed_forms"

    district_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    title: str = Field(sa_type=Text)
    maxima: list[int] = Field(sa_type=ARRAY(SmallInteger))
    items: list[int] = Field(sa_type=ARRAY(SmallInteger))
    objectives: list[int] = Field(sa_type=ARRAY(Integer))


class AssessedItem(_Derived, table=True):
    """An administration; a form as it was given in one (`parent`); or, of the name mastery, mastery itself."""

    __tablename__ = "assessed_items"
    __table_args__ = (Index("assessed_items_by_revision", "district_id", "revision"),)

    title: str = Field(sa_type=Text)
    parent: str | None = Field(sa_type=Text)
    form_id: UUID | None
    result_value_max: float | None = Field(sa_type=Double)
    about: dict[str, Any] = Field(sa_type=JSONB, nullable=False)


class ScoredAttempt(_Derived, table=True):
    """A scored attempt: `scores` as the fact has them, a byte for each item."""

    __tablename__ = "scored_attempts"
    __table_args__ = (
        Index("scored_attempts_of_person", "district_id", "person_id"),
        Index("scored_attempts_by_revision", "district_id", "revision"),
    )

    person_id: UUID
    item: str = Field(sa_type=Text)
    form_id: UUID
    version: int
    score: float = Field(sa_type=Double)
    score_date: date
    modality: int = Field(sa_type=SmallInteger)
    ability: float | None = Field(sa_type=Double)
    standard_error: float | None = Field(sa_type=Double)
    scores: bytes = Field(sa_type=LargeBinary)


class Standing(_Derived, table=True):
    """All that is believed of a student: competencies by number; of each the millionths, last the level's code."""

    __tablename__ = "standings"
    __table_args__ = (Index("standings_by_revision", "district_id", "revision"),)

    person_id: UUID
    score_date: date
    competencies: list[int] = Field(sa_type=ARRAY(Integer))
    beliefs: list[int] = Field(sa_type=ARRAY(Integer))
