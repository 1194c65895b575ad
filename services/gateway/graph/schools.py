"""Schools."""

from typing import Optional
from uuid import UUID

import strawberry

from services.gateway.context import Info
from services.gateway.graph.areas import SchoolArea, areas_of
from services.gateway.graph.classes import Class, page_of_classes
from services.gateway.graph.closures import AsOf, Closure, closures_of
from services.gateway.graph.connections import After, Connection, First, Node
from services.gateway.graph.ids import node_id
from services.gateway.graph.willingness import Willingness
from services.roster import contract


@strawberry.type(description="An organisation that teaches.")
class School(Node):
    id: strawberry.ID
    sourced_id: str = strawberry.field(description="Its identifier in the district's own system.")
    name: str
    type: str = strawberry.field(description="The OneRoster type of organisation: school, department, …")
    sector: str | None = strawberry.field(description="district, charter or private.")
    latitude: float | None
    longitude: float | None
    key: strawberry.Private[UUID]
    parent_key: strawberry.Private[UUID | None]

    @strawberry.field(description="The organisation it is part of; null for a key that does not reach that.")
    async def parent(self, info: Info) -> Optional["School"]:
        return await school_at(info, self.parent_key) if self.parent_key else None

    @strawberry.field(description="The school's classes, by title.")
    async def classes(self, info: Info, first: First, after: After = None) -> Connection[Class] | None:
        info.context.caller.need("roster:read")
        return await page_of_classes(info.context, self.key, first, after)

    @strawberry.field(description="What is closed on a day: the whole school first, then its classes.")
    async def closures(self, info: Info, as_of: AsOf) -> list[Closure] | None:
        return await closures_of(info, self.key, as_of)

    @strawberry.field(
        description="What the latest snapshot says of its learners, by the competencies' code; figures about fewer "
        "than ten are withheld."
    )
    async def areas(self, info: Info) -> list[SchoolArea] | None:
        info.context.need_diagnostic("mastery:read")
        return await areas_of(info, self.key)

    @strawberry.field(description="What it declares of its willingness to help or be helped, by area.")
    async def willingness(self, info: Info) -> list[Willingness] | None:
        info.context.need_diagnostic("partnership:read")
        found = await info.context.loaders.willingness_by_school.load(self.key)
        return [Willingness.of(declared) for declared in found]

    @classmethod
    def of(cls, school: contract.School) -> "School":
        return cls(
            id=node_id("School", school.id),
            sourced_id=school.sourced_id,
            name=school.name,
            type=school.type,
            sector=school.sector,
            latitude=school.latitude,
            longitude=school.longitude,
            key=school.id,
            parent_key=school.parent,
        )


async def school_at(info: Info, key: UUID) -> School | None:
    """The school with this id; None when it is not there for this caller."""
    info.context.caller.need("roster:read")
    found = await info.context.loaders.school.load(key)
    return School.of(found) if found else None
