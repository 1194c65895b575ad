"""How records of the gradebook are kept: tables, columns and their types, and what belongs to what."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.roster.domain.gradebook.kinds import Kind, Target


@dataclass(frozen=True, slots=True)
class Kept:
    """One kind: its table, its columns beside those of every record, and where its objectives and its scale are kept.

    `own` is the column of those tables that holds the record's sourcedId.
    """

    table: str
    columns: Mapping[str, str]
    own: str
    objectives: str | None = None
    scored: bool = False
    scales: str | None = None


_SCORED = {
    "score": "double precision",
    "text_score": "text",
    "score_date": "date",
    "score_status": "text",
    "comment": "text",
    "in_progress": "boolean",
    "incomplete": "boolean",
    "late": "boolean",
    "missing": "boolean",
}
_RANGE = {"result_value_min": "double precision", "result_value_max": "double precision"}

KEPT: Mapping[Kind, Kept] = {
    Kind.CATEGORY: Kept("categories", {"title": "text", "weight": "double precision"}, "category"),
    Kind.SCORE_SCALE: Kept(
        "score_scales",
        {"title": "text", "type": "text", "class_id": "uuid", "course_id": "uuid", "scale_values": "jsonb"},
        "score_scale",
    ),
    Kind.LINE_ITEM: Kept(
        "line_items",
        {
            "title": "text",
            "description": "text",
            "assign_at": "timestamptz",
            "due_at": "timestamptz",
            "class_id": "uuid",
            "school_id": "uuid",
            "category": "text",
            "grading_period_id": "uuid",
            "academic_session_id": "uuid",
            **_RANGE,
        },
        "line_item",
        objectives="line_item_objectives",
        scales="line_item_scales",
    ),
    Kind.RESULT: Kept(
        "results",
        {"line_item": "text", "person_id": "uuid", "class_id": "uuid", **_SCORED},
        "result",
        objectives="result_objectives",
        scored=True,
        scales="result_scales",
    ),
    Kind.ASSESSMENT_LINE_ITEM: Kept(
        "assessment_line_items",
        {"title": "text", "description": "text", "class_id": "uuid", "parent": "text", "score_scale": "text", **_RANGE},
        "assessment_line_item",
        objectives="assessment_line_item_objectives",
    ),
    Kind.ASSESSMENT_RESULT: Kept(
        "assessment_results",
        {
            "assessment_line_item": "text",
            "person_id": "uuid",
            "score_scale": "text",
            "score_percentile": "double precision",
            **_SCORED,
        },
        "assessment_result",
        objectives="assessment_result_objectives",
        scored=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Parent:
    """A column that says what a record belongs to; the other end changes with it too. In the order of locks."""

    target: Target
    table: str
    column: str
    by_id: bool = False


PARENTS = (
    Parent(Target.COURSE, "courses", "course_id", by_id=True),
    Parent(Target.CLASS, "classes", "class_id", by_id=True),
    Parent(Target.CATEGORY, "categories", "category"),
    Parent(Target.SCORE_SCALE, "score_scales", "score_scale"),
    Parent(Target.ASSESSMENT_LINE_ITEM, "assessment_line_items", "parent"),
    Parent(Target.ASSESSMENT_LINE_ITEM, "assessment_line_items", "assessment_line_item"),
    Parent(Target.LINE_ITEM, "line_items", "line_item"),
)
"""What changes with a record that comes, goes, or moves.

People do not: a grade is no change of a person, and a delta of people would be all grades. A result's class is its line
item's, and does not change with it either.
"""


def parents_of(kept: Kept) -> tuple[Parent, ...]:
    """What records of a kind may belong to."""
    return tuple(
        parent
        for parent in PARENTS
        if (parent.column in kept.columns and (kept.table, parent.column) != ("results", "class_id"))
        or (parent.target is Target.SCORE_SCALE and kept.scales is not None)
    )
