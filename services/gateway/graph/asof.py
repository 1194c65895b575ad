"""What a student was as of a day: enrolments, and who acted for them."""

from datetime import date
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from services.gateway.context import Info
from services.gateway.loaders import PersonOnDay
from services.roster import contract

if TYPE_CHECKING:
    from services.gateway.graph.classes import Class

AsOf = Annotated[date, strawberry.argument(description="The day.")]


@strawberry.type(description="A student in a class, as it was on a day.")
class Enrollment:
    sourced_id: str = strawberry.field(description="Its identifier in the district's own system.")
    role: str
    begin: date | None = strawberry.field(description="The first day.")
    end: date | None = strawberry.field(description="The first day after.")
    section: strawberry.Private[UUID]

    @strawberry.field(name="class", description="The class.")
    async def class_(self, info: Info) -> Annotated["Class", strawberry.lazy("services.gateway.graph.classes")] | None:
        from services.gateway.graph.classes import Class

        found = await info.context.loaders.class_.load(self.section)
        return Class.of(found) if found else None


@strawberry.type(description="Somebody who acts for a student.")
class Guardian:
    sourced_id: str = strawberry.field(description="Their identifier in the district's own system.")
    given_name: str
    family_name: str
    role: str | None = strawberry.field(description="As what, in OneRoster's words: guardian, parent, relative.")


async def enrollments_of(info: Info, student: UUID, on: date) -> list[Enrollment]:
    """A student's enrolments that held on a day."""
    found = await _as_of(info, student, on)
    return [
        Enrollment(sourced_id=one.sourced_id, role=one.role, begin=one.begin, end=one.end, section=one.section)
        for one in (found.enrollments if found else ())
    ]


async def guardians_of(info: Info, student: UUID, on: date) -> list[Guardian]:
    """Who acted for a student on a day."""
    found = await _as_of(info, student, on)
    return [
        Guardian(
            sourced_id=one.sourced_id,
            given_name=one.given_name,
            family_name=one.family_name,
            role=one.role,
        )
        for one in (found.guardians if found else ())
    ]


async def _as_of(info: Info, student: UUID, on: date) -> contract.PersonAsOf | None:
    info.context.caller.need("roster:read")
    return await info.context.loaders.person_on_day.load(PersonOnDay(student, on))
