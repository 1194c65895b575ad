"""What the world knows of days: attendance, and closures of schools and classes."""

from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID

from fastapi import FastAPI

from services.roster import contract
from shared.http import CallerOf

if TYPE_CHECKING:
    from tests.unit.gateway.world import World

WEEK = [date(2026, 9, day) for day in range(14, 19)]
CODES = ("P", "P", "E", "Q7", "P")
MEANS = {"P": "Present", "E": "ExcusedAbsence"}


def days_of(app: FastAPI, world: "World") -> None:
    """A week of attendance of everyone; each school is closed on Tuesday, and its class from then on."""

    @app.post("/attendance:batch-list")
    async def attendance(ask: contract.AttendanceOf, caller: CallerOf) -> list[contract.StudentAttendance]:
        return [
            contract.StudentAttendance(
                student=student,
                days=[
                    contract.Attended(day=day, school=UUID(int=1), code=code, status=MEANS.get(code), modality=None)
                    for day, code in zip(WEEK, CODES, strict=True)
                    if ask.begin <= day < ask.end
                ],
            )
            for student in ask.students
            if student in world.visible(caller)
        ]

    @app.post("/closures:batch-list")
    async def closures(ask: contract.ClosuresOf, caller: CallerOf) -> list[contract.SchoolClosures]:
        answer = []
        for one in world.classes(caller):
            whole = contract.Closure(
                id=UUID(int=1), section=None, begin=WEEK[1], end=WEEK[2], modality="remote", reason="No water"
            )  # fmt: skip
            of_class = contract.Closure(
                id=UUID(int=2), section=one.id, begin=WEEK[1], end=None, modality=None, reason=None
            )
            elsewhere = of_class.model_copy(update={"section": UUID(int=3)})
            found = [
                each
                for each in (whole, of_class, elsewhere)
                if each.begin <= ask.day and (each.end is None or ask.day < each.end)
            ]
            if one.school in ask.schools:
                answer.append(contract.SchoolClosures(school=one.school, closures=found))
        return answer
