"""Schools."""

from uuid import UUID

import strawberry

from services.gateway.context import Info
from services.gateway.graph.classes import Class, page_of_classes
from services.gateway.graph.connections import After, Connection, First, Node
from services.gateway.graph.ids import node_id
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

    @strawberry.field(description="The school's classes, by title.")
    async def classes(self, info: Info, first: First, after: After = None) -> Connection[Class] | None:
        info.context.caller.need("roster:read")
        return await page_of_classes(info.context, self.key, first, after)

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
        )
