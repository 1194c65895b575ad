"""Organisations, sessions, courses, classes, people, what they are to each other, and who an identifier means."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Double, Index, MetaData, SmallInteger, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import UUID as Uuid
from sqlmodel import Field, SQLModel

C_TEXT = Text(collation="C")


class Base(SQLModel):
    """Tables of the roster service."""

    metadata = MetaData()


class _Record(Base):
    """What every record has.

    Its identifier in the district's system, its status, when it ended; when its source says that it changed it; and the
    revisions in which it (or a relationship of it) changed last, became active, and ended.
    """

    district_id: UUID = Field(primary_key=True)
    sourced_id: str = Field(sa_type=C_TEXT)
    status: str = Field(sa_type=Text)
    ended_on: date | None
    source_modified_at: datetime | None = Field(sa_type=DateTime(timezone=True))
    metadata_: dict[str, Any] = Field(sa_type=JSONB, sa_column_kwargs={"name": "metadata"}, nullable=False)
    revision: int = Field(sa_type=BigInteger)
    since: int = Field(sa_type=BigInteger)
    until: int | None = Field(sa_type=BigInteger)


class _Named(_Record):
    """A record with an identity of ours, which outlives what its source calls it."""

    id: UUID = Field(primary_key=True)


class Plain(_Record):
    """A record known by its sourcedId alone."""

    sourced_id: str = Field(sa_type=C_TEXT, primary_key=True)


def indexes(table: str, *more: Index, named: bool = True) -> tuple[Index, ...]:
    by_revision = Index(f"{table}_by_revision", "district_id", "revision")
    unique = (Index(f"{table}_named", "district_id", "sourced_id", unique=True),) if named else ()
    return (*more, *unique, by_revision)


class Org(_Named, table=True):
    """A school, district, department or other organisation."""

    __tablename__ = "orgs"
    __table_args__ = indexes("orgs", Index("orgs_of_parent", "district_id", "parent_id"))

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
    __table_args__ = indexes("academic_sessions", Index("academic_sessions_of_parent", "district_id", "parent_id"))

    title: str = Field(sa_type=Text)
    type: str = Field(sa_type=Text)
    start_on: date
    end_on: date
    parent_id: UUID | None
    school_year: int = Field(sa_type=SmallInteger)


class Course(_Named, table=True):
    """A course of study that classes teach."""

    __tablename__ = "courses"
    __table_args__ = indexes("courses", Index("courses_of_org", "district_id", "org_id"))

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
    __table_args__ = indexes(
        "classes",
        Index("classes_of_school", "district_id", "school_id", "title", "id"),
        Index("classes_of_course", "district_id", "course_id"),
    )

    title: str = Field(sa_type=Text)
    grades: list[str] = Field(sa_type=ARRAY(Text))
    course_id: UUID | None
    class_code: str | None = Field(sa_type=Text)
    class_type: str | None = Field(sa_type=Text)
    location: str | None = Field(sa_type=Text)
    school_id: UUID
    term_ids: list[UUID] = Field(sa_type=ARRAY(Uuid))
    subjects: list[str] = Field(sa_type=ARRAY(Text))
    subject_codes: list[str] = Field(sa_type=ARRAY(Text))
    periods: list[str] = Field(sa_type=ARRAY(Text))


class Person(_Named, table=True):
    """A user of the source: student, teacher, guardian. `is_student`: has that role, or is enrolled as one; so for
    `is_teacher`."""

    __tablename__ = "people"
    __table_args__ = indexes("people")

    is_student: bool
    is_teacher: bool
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


class Role(Plain, table=True):
    """What a person is in an organisation, and from when to when (the end is exclusive)."""

    __tablename__ = "roles"
    __table_args__ = indexes(
        "roles", Index("roles_of_person", "district_id", "person_id", "role_type", "sourced_id"), named=False
    )

    person_id: UUID
    org_id: UUID
    role: str = Field(sa_type=Text)
    role_type: str = Field(sa_type=Text)
    begin_on: date | None
    end_on: date | None


class Enrollment(Plain, table=True):
    """A person in a class, and from when to when (the end is exclusive)."""

    __tablename__ = "enrollments"
    __table_args__ = indexes(
        "enrollments",
        Index("enrollments_of_class", "district_id", "class_id"),
        Index("enrollments_of_person", "district_id", "person_id"),
        named=False,
    )

    person_id: UUID
    class_id: UUID
    school_id: UUID
    role: str = Field(sa_type=Text)
    is_primary: bool | None
    begin_on: date | None
    end_on: date | None


class Demographics(_Record, table=True):
    """What is known of a person for finding out who is left behind; a table of its own, with a scope of its own."""

    __tablename__ = "demographics"
    __table_args__ = indexes("demographics")

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


class _Held(Base):
    """How a record was until it was replaced by a correction: for answers about a day gone by."""

    district_id: UUID = Field(primary_key=True)
    sourced_id: str = Field(sa_type=C_TEXT, primary_key=True)
    begin_on: date | None
    end_on: date | None
    replaced_on: date
    replaced_in: int = Field(sa_type=BigInteger, primary_key=True)
    person_id: UUID


class RoleHeld(_Held, table=True):
    """A role as it was."""

    __tablename__ = "roles_history"
    __table_args__ = (Index("roles_history_of_person", "district_id", "person_id"),)

    org_id: UUID
    role: str = Field(sa_type=Text)
    role_type: str = Field(sa_type=Text)


class EnrollmentHeld(_Held, table=True):
    """An enrolment as it was."""

    __tablename__ = "enrollments_history"
    __table_args__ = (Index("enrollments_history_of_person", "district_id", "person_id"),)

    class_id: UUID
    school_id: UUID
    role: str = Field(sa_type=Text)
    is_primary: bool | None


class Revision(Base, table=True):
    """What changed together, and when: the time is OneRoster's dateLastModified."""

    __tablename__ = "revisions"
    __table_args__ = (
        Index("revisions_in_time", "district_id", "at"),
        Index("revisions_of_import", "district_id", "import_id", postgresql_where=text("import_id IS NOT NULL")),
    )

    district_id: UUID = Field(primary_key=True)
    number: int = Field(sa_type=BigInteger, primary_key=True)
    at: datetime = Field(sa_type=DateTime(timezone=True))
    import_id: UUID | None


class CrosswalkEntry(Base, table=True):
    """Which of our rows an identifier of another system means, and since when. `end_on` is empty while it holds.

    `absorbed_id`: whom it meant until that person was merged into another.
    """

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
    sourced_id: str = Field(sa_type=C_TEXT, primary_key=True)
    begin_on: date = Field(primary_key=True)
    type: str = Field(sa_type=Text)
    end_on: date | None
    absorbed_id: UUID | None


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
