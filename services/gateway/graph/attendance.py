"""Attendance of students."""

from collections import Counter
from datetime import date
from typing import Annotated
from uuid import UUID

import strawberry

from services.gateway.context import Info
from services.gateway.loaders import Between
from shared.errors import Invalid

MOST_DAYS = 366
Begin = Annotated[date, strawberry.argument(description="The first day.")]
End = Annotated[date, strawberry.argument(description="The first day after; at most 366 days after the first.")]


class NoSuchSpan(Invalid):
    """The end comes after the begin, at most 366 days."""


@strawberry.type(description="How often a code was recorded.")
class AttendanceCount:
    code: str = strawberry.field(description="The district's own code.")
    status: str | None = strawberry.field(
        description="What it means in the words of CEDS: Present, Absence, ExcusedAbsence, UnexcusedAbsence, Tardy, "
        "EarlyDeparture; null: nobody said what it means."
    )
    days: int


@strawberry.type(description="What was recorded of a student's attendance between two days.")
class Attendance:
    recorded: int = strawberry.field(description="How many days there is a record of, of each school one.")
    codes: list[AttendanceCount] = strawberry.field(description="How often each code, the most frequent first.")


async def attendance_of(info: Info, student: UUID, begin: date, end: date) -> Attendance:
    """A student's attendance from a day until another (exclusive)."""
    info.context.caller.need("roster:read")
    if not 0 < (end - begin).days <= MOST_DAYS:
        raise NoSuchSpan
    days = await info.context.loaders.attendance_by_student.load(Between(student, begin, end))
    counted = Counter((day.code, day.status) for day in days)
    in_order = sorted(counted.items(), key=lambda one: (-one[1], one[0][0]))
    return Attendance(
        recorded=len(days),
        codes=[AttendanceCount(code=code, status=status, days=count) for (code, status), count in in_order],
    )
