"""Students, and what is known of their learning."""

from typing import Annotated
from uuid import UUID

import strawberry

from services.gateway.context import Info
from services.gateway.graph.abilities import Ability, abilities_of
from services.gateway.graph.asof import AsOf, Enrollment, Guardian, enrollments_of, guardians_of
from services.gateway.graph.attendance import Attendance, Begin, End, attendance_of
from services.gateway.graph.connections import After, Connection, First, Node
from services.gateway.graph.evidence import Evidence, evidence_of
from services.gateway.graph.ids import NoSuchNode, node_id, read_id
from services.gateway.graph.mastery import Mastery, mastery_of
from services.gateway.graph.rollups import RollUp, roll_ups_of
from services.roster import contract

Competencies = Annotated[
    list[strawberry.ID] | None,
    strawberry.argument(description="Only these, in this order; without it every one with evidence, by code."),
]

Wholes = Annotated[
    list[strawberry.ID] | None,
    strawberry.argument(description="Only these, in this order; without it all with evidence below them, by code."),
]


@strawberry.type(description="A learner.")
class Student(Node):
    id: strawberry.ID
    sourced_id: str = strawberry.field(description="Their identifier in the district's own system.")
    given_name: str
    family_name: str
    key: strawberry.Private[UUID]

    @strawberry.field(description="One result for each test taken, in the order they were completed.")
    async def abilities(self, info: Info) -> list[Ability] | None:
        info.context.need_diagnostic("assessment:read")
        return await abilities_of(info, self.key)

    @strawberry.field(description="What is believed of each competency.")
    async def mastery(self, info: Info, competencies: Competencies = None) -> list[Mastery] | None:
        info.context.need_diagnostic("mastery:read")
        asked = None if competencies is None else await _keys_of(info, competencies)
        return await mastery_of(info, self.key, asked)

    @strawberry.field(description="What is believed of clusters and domains: of all that is below a competency.")
    async def roll_ups(self, info: Info, competencies: Wholes = None) -> list[RollUp] | None:
        info.context.need_diagnostic("mastery:read")
        asked = None if competencies is None else await _keys_of(info, competencies)
        return await roll_ups_of(info, self.key, asked)

    @strawberry.field(description="The evidence behind the mastery, in the order it counts, oldest first.")
    async def evidence(self, info: Info, first: First, after: After = None) -> Connection[Evidence] | None:
        info.context.need_diagnostic("mastery:read")
        return await evidence_of(info, self.key, first, after)

    @strawberry.field(description="What was recorded of their attendance between two days.")
    async def attendance(self, info: Info, begin: Begin, end: End) -> Attendance | None:
        return await attendance_of(info, self.key, begin, end)

    @strawberry.field(description="The classes they were enrolled in on a day, as is known today.")
    async def enrollments(self, info: Info, as_of: AsOf) -> list[Enrollment] | None:
        return await enrollments_of(info, self.key, as_of)

    @strawberry.field(description="Who acted for them on a day.")
    async def guardians(self, info: Info, as_of: AsOf) -> list[Guardian] | None:
        return await guardians_of(info, self.key, as_of)

    @classmethod
    def of(cls, student: contract.Student) -> "Student":
        return cls(
            id=node_id("Student", student.id),
            sourced_id=student.sourced_id,
            given_name=student.given_name,
            family_name=student.family_name,
            key=student.id,
        )


async def _keys_of(info: Info, given: list[strawberry.ID]) -> tuple[UUID, ...]:
    """The ids of the competencies asked for; NoSuchNode when one of them does not exist."""
    found = await info.context.loaders.competency.load_many([read_id("Competency", id_) for id_ in given])
    keys = []
    for competency in found:
        if competency is None:
            raise NoSuchNode
        keys.append(competency.id)
    return tuple(keys)
