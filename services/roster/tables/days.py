"""Attendance and closures, day by day, and what was known of them before it was corrected."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Text
from sqlmodel import Field, SQLModel

from services.roster.tables.records import Base


class _Attended(SQLModel):
    district_id: UUID = Field(primary_key=True)
    person_id: UUID = Field(primary_key=True)
    day: date = Field(primary_key=True)
    school_id: UUID = Field(primary_key=True)
    code: str = Field(sa_type=Text)
    modality: str | None = Field(sa_type=Text)
    recorded_at: datetime = Field(sa_type=DateTime(timezone=True))


class Attendance(Base, _Attended, table=True):
    """Whether a student was at a school on a day: the district's own code."""

    __tablename__ = "attendance"


class AttendanceHeld(Base, _Attended, table=True):
    """What was known of a student's day until it was corrected or taken back."""

    __tablename__ = "attendance_history"

    replaced_at: datetime = Field(sa_type=DateTime(timezone=True), primary_key=True)


class _Shut(SQLModel):
    district_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    school_id: UUID
    class_id: UUID | None
    begin_on: date
    end_on: date | None
    modality: str | None = Field(sa_type=Text)
    reason: str | None = Field(sa_type=Text)
    recorded_at: datetime = Field(sa_type=DateTime(timezone=True))


class Closure(Base, _Shut, table=True):
    """A school, or one class of it, that does not meet as usual from a day until another (exclusive)."""

    __tablename__ = "closures"
    __table_args__ = (Index("closures_of_school", "district_id", "school_id"),)


class ClosureHeld(Base, _Shut, table=True):
    """What was known of a closure until it was corrected or taken back."""

    __tablename__ = "closures_history"
    __table_args__ = (Index("closures_history_of_school", "district_id", "school_id"),)

    replaced_at: datetime = Field(sa_type=DateTime(timezone=True), primary_key=True)
