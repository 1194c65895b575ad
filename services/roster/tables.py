"""How the roster keeps what it knows; equal to the migrations, which a test proves. Only the store imports this.

There are no foreign keys: an import checks its references a whole file at a time, before anything is merged, and a
check for every row of a city's enrolments would be most of the merge's time.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Double, Index, MetaData, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as Uuid
from sqlmodel import Field, SQLModel


class Base(SQLModel):
    """Tables of the roster service."""

    metadata = MetaData()


class _Row(Base):
    """What every row of a roster file has: its status, when it ended, when its source and when we changed it."""

    district_id: UUID = Field(primary_key=True)
    status: str = Field(sa_type=Text)
    ended_on: date | None
    source_modified_at: datetime | None = Field(sa_type=DateTime(timezone=True))
    changed_at: datetime = Field(sa_type=DateTime(timezone=True), nullable=False)
    metadata_: dict[str, Any] = Field(sa_type=JSONB, sa_column_kwargs={"name": "metadata"}, nullable=False)


class _Named(_Row):
    id: UUID = Field(primary_key=True)


class Org(_Named, table=True):
    """A school, district, department or other organisation."""

    __tablename__ = "orgs"

    name: str = Field(sa_type=Text)
    type: str = Field(sa_type=Text)
    identifier: str | None = Field(sa_type=Text)
    parent_id: UUID | None
    sector: str | None = Field(sa_type=Text)
    latitude: float | None = Field(sa_type=Double)
    longitude: float | None = Field(sa_type=Double)


class AcademicSession(_Named, table=True):
    """A school year, term, semester or grading period."""

    __tablename__ = "academic_sessions"

    title: str = Field(sa_type=Text)
    type: str = Field(sa_type=Text)
    start_on: date
    end_on: date
    parent_id: UUID | None
    school_year: int = Field(sa_type=SmallInteger)


class Course(_Named, table=True):
    """A course of study that classes teach."""

    __tablename__ = "courses"

    title: str = Field(sa_type=Text)
    course_code: str | None = Field(sa_type=Text)
    grades: list[str] = Field(sa_type=ARRAY(Text))
    org_id: UUID | None
    school_year_id: UUID | None
    subjects: list[str] = Field(sa_type=ARRAY(Text))
    subject_codes: list[str] = Field(sa_type=ARRAY(Text))


class Class(_Named, table=True):
    """A class (section) of a school."""

    __tablename__ = "classes"
    __table_args__ = (Index("classes_of_school", "district_id", "school_id", "title", "id"),)

    title: str = Field(sa_type=Text)
    grades: list[str] = Field(sa_type=ARRAY(Text))
    course_id: UUID | None
    class_code: str | None = Field(sa_type=Text)
    class_type: str = Field(sa_type=Text)
    location: str | None = Field(sa_type=Text)
    school_id: UUID
    term_ids: list[UUID] = Field(sa_type=ARRAY(Uuid))
    subjects: list[str] = Field(sa_type=ARRAY(Text))
    subject_codes: list[str] = Field(sa_type=ARRAY(Text))
    periods: list[str] = Field(sa_type=ARRAY(Text))


class Person(_Named, table=True):
    """A user of the source: student, teacher, guardian. `is_student`: has that role, or is enrolled as one."""

    __tablename__ = "people"

    is_student: bool
    enabled: bool
    username: str | None = Field(sa_type=Text)
    user_ids: list[str] = Field(sa_type=ARRAY(Text))
    given_name: str = Field(sa_type=Text)
    family_name: str = Field(sa_type=Text)
    middle_name: str | None = Field(sa_type=Text)
    preferred_given_name: str | None = Field(sa_type=Text)
    preferred_middle_name: str | None = Field(sa_type=Text)
    preferred_family_name: str | None = Field(sa_type=Text)
    pronouns: str | None = Field(sa_type=Text)
    identifier: str | None = Field(sa_type=Text)
    user_master_identifier: str | None = Field(sa_type=Text)
    email: str | None = Field(sa_type=Text)
    sms: str | None = Field(sa_type=Text)
    phone: str | None = Field(sa_type=Text)
    grades: list[str] = Field(sa_type=ARRAY(Text))
    agent_ids: list[UUID] = Field(sa_type=ARRAY(Uuid))
    primary_org_id: UUID | None


class Role(_Named, table=True):
    """What a person is in an organisation, and from when to when (the end is exclusive)."""

    __tablename__ = "roles"
    __table_args__ = (Index("roles_of_person", "district_id", "person_id"),)

    person_id: UUID
    org_id: UUID
    role: str = Field(sa_type=Text)
    role_type: str = Field(sa_type=Text)
    begin_on: date | None
    end_on: date | None


class Enrollment(_Named, table=True):
    """A person in a class, and from when to when (the end is exclusive)."""

    __tablename__ = "enrollments"
    __table_args__ = (
        Index("enrollments_of_class", "district_id", "class_id"),
        Index("enrollments_of_person", "district_id", "person_id"),
    )

    person_id: UUID
    class_id: UUID
    school_id: UUID
    role: str = Field(sa_type=Text)
    is_primary: bool | None
    begin_on: date | None
    end_on: date | None


class Demographics(_Row, table=True):
    """What is known of a person for finding out who is left behind; a table of its own, with a scope of its own."""

    __tablename__ = "demographics"

    person_id: UUID = Field(primary_key=True)
    birth_on: date | None
    sex: str | None = Field(sa_type=Text)
    american_indian_or_alaska_native: bool | None
    asian: bool | None
    black_or_african_american: bool | None
    native_hawaiian_or_other_pacific_islander: bool | None
    white: bool | None
    two_or_more_races: bool | None
    hispanic_or_latino: bool | None
    birth_country: str | None = Field(sa_type=Text)
    birth_state: str | None = Field(sa_type=Text)
    birth_city: str | None = Field(sa_type=Text)
    residence_status: str | None = Field(sa_type=Text)


class CrosswalkEntry(Base, table=True):
    """Which of our rows an identifier of another system means, and since when. `end_on` is empty while it holds."""

    __tablename__ = "crosswalk"
    __table_args__ = (
        Index(
            "crosswalk_current", "district_id", "source", "type", "sourced_id",
            unique=True, postgresql_where=text("end_on IS NULL"),
        ),
    )  # fmt: skip

    district_id: UUID = Field(primary_key=True)
    row_id: UUID = Field(primary_key=True)
    source: str = Field(sa_type=Text, primary_key=True)
    sourced_id: str = Field(sa_type=Text, primary_key=True)
    begin_on: date = Field(primary_key=True)
    type: str = Field(sa_type=Text)
    end_on: date | None


class Placement(Base, table=True):
    """When a person is at a school, as a student or among its staff. Derived; a school's key sees by it."""

    __tablename__ = "placements"
    __table_args__ = (
        Index("placements_of_person", "district_id", "person_id"),
        Index("placements_of_school", "district_id", "school_id"),
    )

    id: int = Field(sa_type=BigInteger, primary_key=True)
    district_id: UUID
    person_id: UUID
    school_id: UUID
    as_student: bool
    begin_on: date | None
    end_on: date | None
