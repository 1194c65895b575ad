"""The gradebook, assessment results, resources and profiles of OneRoster: records known by their sourcedId alone."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Double, Index, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from services.roster.tables.records import Plain, indexes


def _of(table: str, *columns: str, order: tuple[str, ...] = ()) -> tuple[Index, ...]:
    """The indexes of a table: what belongs to one of these, in this order, and what changed since a revision."""
    named = [Index(f"{table}_of_{column.removesuffix('_id')}", "district_id", column, *order) for column in columns]
    return indexes(table, *named, named=False)


class _Scored(SQLModel):
    """What a result says of one student's work. Booleans are empty where nothing was said."""

    score: float | None = Field(sa_type=Double)
    text_score: str | None = Field(sa_type=Text)
    score_date: date | None
    score_status: str = Field(sa_type=Text)
    comment: str | None = Field(sa_type=Text)
    in_progress: bool | None
    incomplete: bool | None
    late: bool | None
    missing: bool | None


class _Objective(SQLModel):
    """A learning objective: `source` is case, unknown or a name of the vendor's."""

    source: str = Field(sa_type=Text)
    objective: str = Field(sa_type=Text)


class _ObjectiveScored(_Objective):
    """How a learning objective was met."""

    score: float | None = Field(sa_type=Double)
    text_score: str | None = Field(sa_type=Text)


class UserProfile(Plain, table=True):
    """What a person is in a vendor's system. Its password is never kept."""

    __tablename__ = "user_profiles"
    __table_args__ = _of("user_profiles", "person_id", order=("sourced_id",))

    person_id: UUID
    profile_type: str = Field(sa_type=Text)
    vendor_id: str = Field(sa_type=Text)
    application_id: str | None = Field(sa_type=Text)
    description: str | None = Field(sa_type=Text)
    credential_type: str = Field(sa_type=Text)
    username: str = Field(sa_type=Text)


class Resource(Plain, table=True):
    """Something that is taught with."""

    __tablename__ = "resources"
    __table_args__ = indexes("resources", named=False)

    title: str | None = Field(sa_type=Text)
    vendor_resource_id: str = Field(sa_type=Text)
    roles: list[str] = Field(sa_type=ARRAY(Text))
    importance: str | None = Field(sa_type=Text)
    vendor_id: str | None = Field(sa_type=Text)
    application_id: str | None = Field(sa_type=Text)


class _Assigned(Plain):
    title: str | None = Field(sa_type=Text)
    resource: str = Field(sa_type=Text)


class ClassResource(_Assigned, table=True):
    """A resource of a class."""

    __tablename__ = "class_resources"
    __table_args__ = _of("class_resources", "class_id", order=("resource",))

    class_id: UUID


class CourseResource(_Assigned, table=True):
    """A resource of a course."""

    __tablename__ = "course_resources"
    __table_args__ = _of("course_resources", "course_id")

    course_id: UUID


class UserResource(_Assigned, table=True):
    """A resource of a person, perhaps within an organisation or a class."""

    __tablename__ = "user_resources"
    __table_args__ = _of("user_resources", "person_id", order=("resource",))

    person_id: UUID
    org_id: UUID | None
    class_id: UUID | None


class Category(Plain, table=True):
    """A category of line items, e.g. homework."""

    __tablename__ = "categories"
    __table_args__ = indexes("categories", named=False)

    title: str = Field(sa_type=Text)
    weight: float | None = Field(sa_type=Double)


class ScoreScale(Plain, table=True):
    """How scores are written in a class. `scale_values`: a list of {"itemValueLHS", "itemValueRHS"}."""

    __tablename__ = "score_scales"
    __table_args__ = _of("score_scales", "class_id")

    title: str = Field(sa_type=Text)
    type: str = Field(sa_type=Text)
    org_id: UUID | None
    course_id: UUID | None
    class_id: UUID
    scale_values: list[Any] = Field(sa_type=JSONB, nullable=False)


class LineItem(Plain, table=True):
    """A piece of work that is given a result."""

    __tablename__ = "line_items"
    __table_args__ = _of("line_items", "class_id")

    title: str = Field(sa_type=Text)
    description: str | None = Field(sa_type=Text)
    assign_at: datetime = Field(sa_type=DateTime(timezone=True))
    due_at: datetime = Field(sa_type=DateTime(timezone=True))
    class_id: UUID
    school_id: UUID
    category: str = Field(sa_type=Text)
    grading_period_id: UUID | None
    academic_session_id: UUID | None
    result_value_min: float | None = Field(sa_type=Double)
    result_value_max: float | None = Field(sa_type=Double)


class LineItemObjective(Plain, _Objective, table=True):
    """A learning objective of a line item."""

    __tablename__ = "line_item_objectives"
    __table_args__ = _of("line_item_objectives", "line_item", order=("sourced_id",))

    line_item: str = Field(sa_type=Text)


class LineItemScale(Plain, table=True):
    """The score scale of a line item."""

    __tablename__ = "line_item_scales"
    __table_args__ = _of("line_item_scales", "line_item")

    line_item: str = Field(sa_type=Text)
    score_scale: str = Field(sa_type=Text)


class Result(Plain, _Scored, table=True):
    """A student's result in a line item."""

    __tablename__ = "results"
    __table_args__ = _of("results", "line_item", "person_id")

    line_item: str = Field(sa_type=Text)
    person_id: UUID
    class_id: UUID | None


class ResultObjective(Plain, _ObjectiveScored, table=True):
    """How a result meets a learning objective."""

    __tablename__ = "result_objectives"
    __table_args__ = _of("result_objectives", "result", order=("sourced_id",))

    result: str = Field(sa_type=Text)


class ResultScale(Plain, table=True):
    """The score scale of a result."""

    __tablename__ = "result_scales"
    __table_args__ = _of("result_scales", "result")

    result: str = Field(sa_type=Text)
    score_scale: str = Field(sa_type=Text)


class AssessmentLineItem(Plain, table=True):
    """A part of an assessment that is given a result."""

    __tablename__ = "assessment_line_items"
    __table_args__ = indexes("assessment_line_items", named=False)

    title: str = Field(sa_type=Text)
    description: str | None = Field(sa_type=Text)
    class_id: UUID | None
    parent: str | None = Field(sa_type=Text)
    score_scale: str | None = Field(sa_type=Text)
    result_value_min: float | None = Field(sa_type=Double)
    result_value_max: float | None = Field(sa_type=Double)


class AssessmentLineItemObjective(Plain, _Objective, table=True):
    """A learning objective of a part of an assessment."""

    __tablename__ = "assessment_line_item_objectives"
    __table_args__ = _of("assessment_line_item_objectives", "assessment_line_item")

    assessment_line_item: str = Field(sa_type=Text)


class AssessmentResult(Plain, _Scored, table=True):
    """A student's result in an assessment."""

    __tablename__ = "assessment_results"
    __table_args__ = _of("assessment_results", "assessment_line_item", "person_id")

    assessment_line_item: str = Field(sa_type=Text)
    person_id: UUID
    score_scale: str | None = Field(sa_type=Text)
    score_percentile: float | None = Field(sa_type=Double)


class AssessmentResultObjective(Plain, _ObjectiveScored, table=True):
    """How an assessment's result meets a learning objective."""

    __tablename__ = "assessment_result_objectives"
    __table_args__ = _of("assessment_result_objectives", "assessment_result")

    assessment_result: str = Field(sa_type=Text)
