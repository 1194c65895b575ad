"""How assessment keeps what it knows; equal to the migrations, which a test proves. Only the store imports this."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel


class Base(SQLModel):
    """Tables of the assessment service."""

    metadata = MetaData()


def _instant(*, now: bool = False) -> Any:
    return Column(DateTime(timezone=True), nullable=False, server_default=text("now()") if now else None)


def _no() -> Any:
    return Column(Boolean, nullable=False, server_default=text("false"))


def _number() -> Any:
    return Column(Double, nullable=True)


class Form(Base, table=True):
    """A form of the district's source, and which of its versions is sat now."""

    __tablename__ = "forms"
    __table_args__ = (UniqueConstraint("district_id", "code"),)

    id: UUID = Field(primary_key=True)
    district_id: UUID
    code: str = Field(sa_type=Text)
    current_version_id: UUID


class FormVersion(Base, table=True):
    """A version of a form, in the words of the file; `competencies` are our ids by the identifiers it names."""

    __tablename__ = "form_versions"
    __table_args__ = (UniqueConstraint("form_id", "number"),)

    id: UUID = Field(primary_key=True)
    district_id: UUID
    form_id: UUID = Field(foreign_key="forms.id")
    number: int
    content_hash: str = Field(sa_type=Text)
    content: dict[str, Any] = Field(sa_type=JSONB)
    competencies: dict[str, str] = Field(sa_type=JSONB)
    parameter_version: str | None = Field(sa_type=Text)
    published_at: datetime = Field(sa_column=_instant(now=True))


class Administration(Base, table=True):
    """A testing window: `opens_at` inclusive, `closes_at` exclusive."""

    __tablename__ = "administrations"
    __table_args__ = (
        UniqueConstraint("district_id", "code"),
        Index("administrations_by_opening", "district_id", "opens_at", "id"),
        CheckConstraint("purpose IN ('diagnostic', 'formative', 'summative')"),
        CheckConstraint("opens_at < closes_at"),
    )

    id: UUID = Field(primary_key=True)
    district_id: UUID
    code: str = Field(sa_type=Text)
    title: str = Field(sa_type=Text)
    purpose: str = Field(sa_type=Text)
    opens_at: datetime = Field(sa_column=_instant())
    closes_at: datetime = Field(sa_column=_instant())


class AdministrationForm(Base, table=True):
    """A form that may be sat in an administration."""

    __tablename__ = "administration_forms"

    administration_id: UUID = Field(sa_column=Column(ForeignKey("administrations.id"), primary_key=True))
    form_id: UUID = Field(sa_column=Column(ForeignKey("forms.id"), primary_key=True))
    district_id: UUID


class Attempt(Base, table=True):
    """An answer sheet, scored: its latest version. `responses` and `scores` in the order of the form's items.

    Its id follows from the student, the administration, the form and the time. `origin_id` is whose it was before they
    were merged into the student. One that is withdrawn says what it said before it was.
    """

    __tablename__ = "attempts"
    __table_args__ = (
        CheckConstraint("(reason IS NULL) = (theta IS NOT NULL) AND (theta IS NULL) = (standard_error IS NULL)"),
    )

    student_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    district_id: UUID
    administration_id: UUID
    form_id: UUID
    form_version_id: UUID
    completed_at: datetime = Field(sa_column=_instant())
    recorded_at: datetime = Field(sa_column=_instant(now=True))
    theta: float | None = Field(sa_column=_number())
    standard_error: float | None = Field(sa_column=_number())
    raw_score: int
    maximum: int
    version: int
    modality: int = Field(sa_type=SmallInteger)
    reason: str | None = Field(sa_type=Text)
    parameter_version: str | None = Field(sa_type=Text)
    engine_version: str = Field(sa_type=Text)
    responses: str = Field(sa_type=Text)
    scores: bytes = Field(sa_type=LargeBinary)
    withdrawn: bool = Field(sa_column=_no())
    origin_id: UUID | None


class FormerAttempt(Base, table=True):
    """What an attempt said before it was corrected."""

    __tablename__ = "attempt_history"

    attempt_id: UUID = Field(primary_key=True)
    version: int = Field(primary_key=True)
    district_id: UUID
    student_id: UUID
    form_version_id: UUID
    recorded_at: datetime = Field(sa_column=_instant())
    superseded_at: datetime = Field(sa_column=_instant(now=True))
    theta: float | None = Field(sa_column=_number())
    standard_error: float | None = Field(sa_column=_number())
    raw_score: int
    maximum: int
    modality: int = Field(sa_type=SmallInteger)
    reason: str | None = Field(sa_type=Text)
    parameter_version: str | None = Field(sa_type=Text)
    engine_version: str = Field(sa_type=Text)
    responses: str = Field(sa_type=Text)
    scores: bytes = Field(sa_type=LargeBinary)
    withdrawn: bool = Field(sa_column=_no())


class Placement(Base, table=True):
    """Where a student is enrolled, from `begin_on` (inclusive) to `end_on` (exclusive)."""

    __tablename__ = "placements"
    __table_args__ = (Index("placements_school", "school_id", "student_id"),)

    district_id: UUID = Field(primary_key=True)
    student_id: UUID = Field(primary_key=True)
    ordinal: int = Field(primary_key=True)
    school_id: UUID
    begin_on: date | None
    end_on: date | None


class Merger(Base, table=True):
    """Whom the roster has said to be whom; `holds` until it was taken back, as of this revision of the roster's."""

    __tablename__ = "mergers"
    __table_args__ = (Index("mergers_into", "district_id", "person_id"),)

    district_id: UUID = Field(primary_key=True)
    absorbed_id: UUID = Field(primary_key=True)
    person_id: UUID = Field(primary_key=True)
    revision: int = Field(sa_type=BigInteger)
    holds: bool
