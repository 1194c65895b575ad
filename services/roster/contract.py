"""What the roster promises the gateway and the other services: REST bodies, nothing else of ours."""

from uuid import UUID

from pydantic import BaseModel, Field


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
    """A person with the role student."""

    id: UUID
    sourced_id: str
    given_name: str
    family_name: str


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
