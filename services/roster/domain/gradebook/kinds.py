"""The six kinds of records that others may write, field by field, as OneRoster 1.2 names them and 1.1 did."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.roster.domain.gradebook import values
from services.roster.domain.gradebook.values import Reader


class Kind(StrEnum):
    """Its name in the standard: the member of the body that holds it."""

    CATEGORY = "category"
    SCORE_SCALE = "scoreScale"
    LINE_ITEM = "lineItem"
    RESULT = "result"
    ASSESSMENT_LINE_ITEM = "assessmentLineItem"
    ASSESSMENT_RESULT = "assessmentResult"


class Target(StrEnum):
    """What a reference may mean."""

    ORG = "org"
    SESSION = "academicSession"
    COURSE = "course"
    CLASS = "class"
    STUDENT = "user"
    CATEGORY = "category"
    SCORE_SCALE = "scoreScale"
    LINE_ITEM = "lineItem"
    ASSESSMENT_LINE_ITEM = "assessmentLineItem"


class Objectives(StrEnum):
    """How a kind speaks of learning objectives: their names alone, or with what was reached in each."""

    NAMED = "learningObjectiveIds"
    SCORED = "learningObjectiveResults"


@dataclass(frozen=True, slots=True)
class Value:
    """A field that holds a value."""

    name: str
    column: str
    read: Reader
    required: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A field that points at another record. `column` is empty where the database keeps it in a table of its own."""

    name: str
    column: str
    target: Target
    required: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """What a record of a kind is made of, in one version of the standard. `plural` is the name of its collection."""

    kind: Kind
    plural: str
    values: tuple[Value, ...]
    references: tuple[Reference, ...] = ()
    objectives: Objectives | None = None
    scale_values: bool = False


_RANGE = (
    Value("resultValueMin", "result_value_min", values.number),
    Value("resultValueMax", "result_value_max", values.number),
)
_SCORED = (
    Value("score", "score", values.number),
    Value("scoreStatus", "score_status", values.score_status, required=True),
    Value("scoreDate", "score_date", values.day, required=True),
    Value("comment", "comment", values.text),
)
_MORE_SCORED = (
    Value("textScore", "text_score", values.text),
    Value("inProgress", "in_progress", values.truth),
    Value("incomplete", "incomplete", values.truth),
    Value("late", "late", values.truth),
    Value("missing", "missing", values.truth),
)
_TITLE = Value("title", "title", values.text, required=True)
_DESCRIPTION = Value("description", "description", values.text)
_LINE_ITEM = (
    _TITLE,
    _DESCRIPTION,
    Value("assignDate", "assign_at", values.moment, required=True),
    Value("dueDate", "due_at", values.moment, required=True),
    *_RANGE,
)
_CLASS = Reference("class", "class_id", Target.CLASS, required=True)
_CATEGORY = Reference("category", "category", Target.CATEGORY, required=True)
_PERIOD = Reference("gradingPeriod", "grading_period_id", Target.SESSION)
_ANY_CLASS = Reference("class", "class_id", Target.CLASS)
_STUDENT = Reference("student", "person_id", Target.STUDENT, required=True)
_OF_LINE_ITEM = Reference("lineItem", "line_item", Target.LINE_ITEM, required=True)
_SCALE_ELSEWHERE = Reference("scoreScale", "", Target.SCORE_SCALE)
_SCALE = Reference("scoreScale", "score_scale", Target.SCORE_SCALE)

V1P2: Mapping[Kind, Shape] = {
    Kind.CATEGORY: Shape(Kind.CATEGORY, "categories", (_TITLE, Value("weight", "weight", values.number))),
    Kind.SCORE_SCALE: Shape(
        Kind.SCORE_SCALE,
        "scoreScales",
        (_TITLE, Value("type", "type", values.text, required=True)),
        (_CLASS, Reference("course", "course_id", Target.COURSE)),
        scale_values=True,
    ),
    Kind.LINE_ITEM: Shape(
        Kind.LINE_ITEM,
        "lineItems",
        _LINE_ITEM,
        (
            _CLASS,
            # Required by the standard, and known by the class: who leaves it out is not refused.
            Reference("school", "school_id", Target.ORG),
            _CATEGORY,
            _PERIOD,
            Reference("academicSession", "academic_session_id", Target.SESSION),
            _SCALE_ELSEWHERE,
        ),
        Objectives.NAMED,
    ),
    Kind.RESULT: Shape(
        Kind.RESULT,
        "results",
        (*_SCORED, *_MORE_SCORED),
        (_OF_LINE_ITEM, _STUDENT, _ANY_CLASS, _SCALE_ELSEWHERE),
        Objectives.SCORED,
    ),
    Kind.ASSESSMENT_LINE_ITEM: Shape(
        Kind.ASSESSMENT_LINE_ITEM,
        "assessmentLineItems",
        (_TITLE, _DESCRIPTION, *_RANGE),
        (_ANY_CLASS, Reference("parentAssessmentLineItem", "parent", Target.ASSESSMENT_LINE_ITEM), _SCALE),
        Objectives.NAMED,
    ),
    Kind.ASSESSMENT_RESULT: Shape(
        Kind.ASSESSMENT_RESULT,
        "assessmentResults",
        (*_SCORED, *_MORE_SCORED, Value("scorePercentile", "score_percentile", values.number)),
        (
            Reference("assessmentLineItem", "assessment_line_item", Target.ASSESSMENT_LINE_ITEM, required=True),
            _STUDENT,
            _SCALE,
        ),
        Objectives.SCORED,
    ),
}
"""The kinds of 1.2."""

V1P1: Mapping[Kind, Shape] = {
    Kind.CATEGORY: Shape(Kind.CATEGORY, "categories", (_TITLE,)),
    Kind.LINE_ITEM: Shape(Kind.LINE_ITEM, "lineItems", _LINE_ITEM, (_CLASS, _CATEGORY, _PERIOD)),
    Kind.RESULT: Shape(Kind.RESULT, "results", _SCORED, (_OF_LINE_ITEM, _STUDENT)),
}
"""The kinds of 1.1. What it has no word for stays as it is when a record is replaced."""
