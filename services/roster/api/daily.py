"""The roster's answers about days: who was there, and what was closed."""

from collections import defaultdict
from uuid import UUID

from fastapi import APIRouter

from services.roster import contract
from services.roster.domain.attendance import Recorded
from services.roster.domain.closures import Closed
from services.roster.store import attendance, closures
from shared.errors import Invalid
from shared.http import BatchRoute, Read

router = APIRouter(route_class=BatchRoute)

_SCOPE = "roster:read"
MOST_DAYS = 366


class TooManyDays(Invalid):
    """At most 366 days at once, and the end comes after the begin."""


@router.post("/attendance:batch-list")
async def attendance_of_students(ask: contract.AttendanceOf, tx: Read) -> list[contract.StudentAttendance]:
    """The attendance of students between two days, by day; who has none is left out."""
    tx.caller.need(_SCOPE)
    if not 0 < (ask.end - ask.begin).days <= MOST_DAYS:
        raise TooManyDays
    by_student: defaultdict[UUID, list[contract.Attended]] = defaultdict(list)
    for one in await attendance.of_students(tx, ask.students, ask.begin, ask.end, ask.known_on):
        by_student[one.student].append(_attended(one))
    return [contract.StudentAttendance(student=student, days=days) for student, days in by_student.items()]


@router.post("/closures:batch-list")
async def closures_of_schools(ask: contract.ClosuresOf, tx: Read) -> list[contract.SchoolClosures]:
    """What is closed on a day of schools and of their classes; a school without a closure is left out."""
    tx.caller.need(_SCOPE)
    by_school: defaultdict[UUID, list[contract.Closure]] = defaultdict(list)
    for one in await closures.on_a_day(tx, ask.schools, ask.day, ask.known_on):
        by_school[one.school].append(_closure(one))
    return [contract.SchoolClosures(school=school, closures=found) for school, found in by_school.items()]


def _attended(one: Recorded) -> contract.Attended:
    return contract.Attended(day=one.day, school=one.school, code=one.code, status=one.status, modality=one.modality)


def _closure(one: Closed) -> contract.Closure:
    return contract.Closure(
        id=one.id,
        section=one.class_,
        begin=one.begin,
        end=one.end,
        modality=one.modality,
        reason=one.reason,
    )
