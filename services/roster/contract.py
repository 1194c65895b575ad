"""What the roster promises the gateway and the other services: REST bodies, nothing else of ours."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class ByKeys(BaseModel):
    """Ask by our ids or by the sourcedIds of the district's system; what is not found or not visible is left out."""

    ids: list[UUID] = Field(default_factory=list, max_length=10_000)
    sourced_ids: list[str] = Field(default_factory=list, max_length=10_000)


class ByParents(BaseModel):
    """Ask for the pages that belong to each parent. `after` is the id of the last one seen, in the page's order."""

    parents: list[UUID] = Field(max_length=1_000)
    first: int = Field(ge=1, le=100)
    after: UUID | None = None


class School(BaseModel):
    """An organisation: `type` is the OneRoster orgType, `sector` is district, charter or private.

    `parent` is the organisation it is part of.
    """

    id: UUID
    sourced_id: str
    name: str
    type: str
    sector: str | None
    latitude: float | None
    longitude: float | None
    parent: UUID | None


class Organisation(BaseModel):
    """Where an organisation stands in the district's tree; `type` is the OneRoster orgType."""

    id: UUID
    parent: UUID | None
    type: str


class Class(BaseModel):
    """A class (section) of a school."""

    id: UUID
    sourced_id: str
    title: str
    school: UUID


class Student(BaseModel):
    """A person with the role student.

    `absorbed` and `also` are other ids and sourcedIds that they were asked for by: of who is one with them now.
    """

    id: UUID
    sourced_id: str
    given_name: str
    family_name: str
    absorbed: list[UUID] = Field(default_factory=list)
    also: list[str] = Field(default_factory=list)


class ClassPage(BaseModel):
    """One parent's classes, ordered by title and id."""

    parent: UUID
    items: list[Class]
    has_next: bool


class StudentPage(BaseModel):
    """One parent's students, ordered by family name, given name and id."""

    parent: UUID
    items: list[Student]
    has_next: bool


class Resolve(BaseModel):
    """Which students do these sourcedIds name? For bulk imports."""

    sourced_ids: list[str] = Field(max_length=50_000)


class Resolved(BaseModel):
    """The students' ids, parallel to the question: 32 hexadecimal digits each, zeros where there is no such student.

    One text, because tens of thousands of ids as texts of their own cost several times as much on both sides.
    """

    ids: str


class AttendanceOf(BaseModel):
    """Ask for the attendance of students from a day until another (exclusive), as it is known now.

    With `known_on`: as it was known at the end of that day, before later corrections.
    """

    students: list[UUID] = Field(max_length=1_000)
    begin: date
    end: date
    known_on: date | None = None


class Attended(BaseModel):
    """A student's day at a school: the district's own `code`, and what it means in the words of CEDS, if it is known.

    `status` is Present, Absence, ExcusedAbsence, UnexcusedAbsence, Tardy or EarlyDeparture.
    """

    day: date
    school: UUID
    code: str
    status: str | None
    modality: str | None


class StudentAttendance(BaseModel):
    """One student's days, in their order."""

    student: UUID
    days: list[Attended]


class ClosuresOf(BaseModel):
    """Ask what is closed on a day, of schools and of their classes; `known_on` as for attendance."""

    schools: list[UUID] = Field(max_length=1_000)
    day: date
    known_on: date | None = None


class Closure(BaseModel):
    """A school, or one class (`section`) of it, does not meet as usual from `begin` until `end` (exclusive).

    `modality` says how there is teaching meanwhile; without one there is none. Without an end: until further notice.
    """

    id: UUID
    section: UUID | None
    begin: date
    end: date | None
    modality: str | None
    reason: str | None


class SchoolClosures(BaseModel):
    """One school's closures: those of the whole school before those of its classes."""

    school: UUID
    closures: list[Closure]


class Guard(BaseModel):
    """What an import of rosters may do without a person being asked; shares in percent.

    More than `school_percent` of a school's people leaving asks a person (one may always leave), and so does at least
    `class_percent` of a class of `class_least` students or more; a file with fewer rows than `rows_least_percent` of
    the fewest, or more than `rows_most_percent` of the most, of the last five imports; and, with `absent_files` hold,
    a file that came with the last import and does not come with this one.
    """

    model_config = ConfigDict(extra="forbid")

    school_percent: float = Field(default=5, ge=0, le=100)
    class_percent: float = Field(default=50, gt=0, le=100)
    class_least: int = Field(default=5, ge=1, le=1_000_000)
    rows_least_percent: float = Field(default=90, ge=0, le=100)
    rows_most_percent: float = Field(default=200, ge=100, le=1_000_000)
    absent_files: Literal["hold", "allow"] = "hold"


class Merge(BaseModel):
    """Two people who are one; each by our id or by sourcedId. `person` is the identity that stays.

    `force`: also where both are active, so that the district's system names them both.
    """

    model_config = ConfigDict(extra="forbid")

    person: str = Field(min_length=1, max_length=1_000)
    absorbed: str = Field(min_length=1, max_length=1_000)
    force: bool = False
    reason: str | None = Field(default=None, max_length=2_000)


class Split(BaseModel):
    """One person who is two: what bears one of `sourced_ids` (users, enrolments, roles, results) is somebody else's.

    Whoever was absorbed under one of these names is who they were. Else `sourced_id` says what the other is called, if
    none of the names does; names that are not given are copied.
    """

    model_config = ConfigDict(extra="forbid")

    person: str = Field(min_length=1, max_length=1_000)
    sourced_ids: list[str] = Field(min_length=1, max_length=10_000)
    sourced_id: str | None = Field(default=None, min_length=1, max_length=1_000)
    given_name: str | None = Field(default=None, min_length=1, max_length=1_000)
    family_name: str | None = Field(default=None, min_length=1, max_length=1_000)
    reason: str | None = Field(default=None, max_length=2_000)


class IdentityEvent(BaseModel):
    """What became of an identity: `kind` is reattached, merged or split. `undone_at`: it was taken back."""

    id: UUID
    at: datetime
    kind: Literal["reattached", "merged", "split"]
    type: str
    row: UUID
    other: UUID | None
    was_called: str | None
    is_called: str | None
    reason: str | None
    by: str
    import_id: UUID | None
    undone_at: datetime | None
    undone_by: str | None


class IdentityEvents(BaseModel):
    """A page of events, the latest first; `next` is the `after` of the following page."""

    items: list[IdentityEvent]
    next: UUID | None


class KnownPerson(BaseModel):
    """Somebody as whoever decides about them needs to see them."""

    id: UUID
    sourced_id: str
    status: str
    given_name: str
    family_name: str
    birth_date: date | None
    identifier: str | None
    state_id: str | None
    schools: list[str]


class IdentityReview(BaseModel):
    """Somebody new who may be somebody known: why it is asked, what agrees and what differs."""

    id: UUID
    found_at: datetime
    import_id: UUID
    reason: str
    agrees: list[str]
    differs: list[str]
    decision: Literal["same", "different"] | None
    decided_at: datetime | None
    newcomer: KnownPerson | None
    candidate: KnownPerson | None


class IdentityReviews(BaseModel):
    """A page of reviews, the oldest first; `next` is the `after` of the following page."""

    items: list[IdentityReview]
    next: UUID | None


class AsOf(BaseModel):
    """Who these people were, what, where and with whom, as of a day."""

    people: list[UUID] = Field(max_length=1_000)
    on: date


class RoleAsOf(BaseModel):
    """What somebody was in an organisation."""

    sourced_id: str
    organisation: UUID
    role: str
    role_type: str
    begin: date | None
    end: date | None


class EnrollmentAsOf(BaseModel):
    """Somebody in a class."""

    sourced_id: str
    section: UUID
    school: UUID
    role: str
    primary: bool | None
    begin: date | None
    end: date | None


class Relation(BaseModel):
    """Somebody who acts for a student, or a student somebody acts for; `role` as their roles say it that day."""

    id: UUID
    sourced_id: str
    given_name: str
    family_name: str
    role: str | None


class PersonAsOf(BaseModel):
    """One person as of a day. Guardians are those of today whose own record was there on that day."""

    person: UUID
    names: list[str]
    schools: list[UUID]
    roles: list[RoleAsOf]
    enrollments: list[EnrollmentAsOf]
    guardians: list[Relation]
    children: list[Relation]
