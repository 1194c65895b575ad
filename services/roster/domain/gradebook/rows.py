"""Records whose references are known: what is to be kept of them, or what is wrong with what they point at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from services.roster.domain.gradebook.bodies import Objective, Pointer, Problem, Record, Refused
from services.roster.domain.gradebook.kinds import Kind, Shape, Target

_IN_GRADEBOOK = frozenset({Target.CATEGORY, Target.SCORE_SCALE, Target.LINE_ITEM, Target.ASSESSMENT_LINE_ITEM})


class Known(Protocol):
    """What is known of a record that is pointed at."""

    @property
    def id(self) -> UUID | None: ...
    @property
    def is_active(self) -> bool: ...
    @property
    def within(self) -> UUID | None: ...
    @property
    def is_derived(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Row:
    """What is kept of a record. None instead of objectives or a scale: nothing was said, and what is there stays."""

    place: str
    sourced_id: str
    status: str
    modified_at: datetime | None
    metadata: dict[str, Any]
    columns: Mapping[str, Any]
    objectives: tuple[Objective, ...] | None
    scales: tuple[str, ...] | None


def rows(shape: Shape, records: Sequence[Record], known: Mapping[tuple[Target, str], Known]) -> list[Row]:
    """What is to be kept. Raises Refused: a reference to what is not there, or two that contradict each other."""
    problems: list[Problem] = []
    found = [_row(shape, record, known, problems) for record in records]
    if problems:
        raise Refused(problems)
    return found


def _row(shape: Shape, record: Record, known: Mapping[tuple[Target, str], Known], problems: list[Problem]) -> Row:
    columns = dict(record.columns)
    by_name: dict[str, tuple[Pointer, Known]] = {}
    has_scales = any(not reference.column for reference in shape.references)
    scales: tuple[str, ...] | None = () if has_scales else None
    for reference in shape.references:
        if reference.column:
            columns[reference.column] = None
    for pointer in record.pointers:
        reference = pointer.reference
        target = known.get((reference.target, pointer.sourced_id))
        if target is None:
            problems.append(Problem(pointer.place, f"is {pointer.sourced_id}: there is no such {reference.target}"))
            continue
        if target.is_derived:
            rule = f"this {reference.target} is made of what the platform itself found out; nothing is added to it"
            problems.append(Problem(pointer.place, f"is {pointer.sourced_id}: {rule}"))
            continue
        if reference.target in _IN_GRADEBOOK and record.status == "active" and not target.is_active:
            problems.append(Problem(pointer.place, f"is {pointer.sourced_id}: this {reference.target} is deleted"))
        by_name[reference.name] = pointer, target
        if reference.column:
            columns[reference.column] = pointer.sourced_id if target.id is None else target.id
        else:
            scales = (pointer.sourced_id,)
    problems += _contradictions(by_name)
    if shape.kind is Kind.LINE_ITEM and "class" in by_name:
        columns["school_id"] = by_name["class"][1].within
    return Row(
        record.place,
        record.sourced_id,
        record.status,
        record.modified_at,
        record.metadata,
        columns,
        record.objectives,
        scales,
    )


def _contradictions(by_name: Mapping[str, tuple[Pointer, Known]]) -> list[Problem]:
    """A class is of one school, a result's class that of its line item."""
    found = []
    if "school" in by_name and "class" in by_name and by_name["school"][1].id != by_name["class"][1].within:
        pointer = by_name["school"][0]
        found.append(Problem(pointer.place, f"is {pointer.sourced_id}: the class is not of this school"))
    if "lineItem" in by_name and "class" in by_name and by_name["lineItem"][1].within != by_name["class"][1].id:
        pointer = by_name["lineItem"][0]
        found.append(Problem(pointer.place, f"is {pointer.sourced_id}: this line item is not of that class"))
    return found
