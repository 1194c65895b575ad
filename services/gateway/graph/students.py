"""Students, and what is known of their learning."""

from typing import Annotated
from uuid import UUID

import strawberry

from services.gateway.context import Info
from services.gateway.graph.abilities import Ability
from services.gateway.graph.connections import After, Connection, First, Node, connection
from services.gateway.graph.evidence import Evidence
from services.gateway.graph.ids import NoSuchNode, cursor_at, node_id, read_id, seen_before
from services.gateway.graph.mastery import Mastery
from services.gateway.loaders import MasteryOf, Positioned
from services.roster import contract

Competencies = Annotated[
    list[strawberry.ID] | None,
    strawberry.argument(description="Only these, in this order; without it every one with evidence, by code."),
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
        return [Ability.of(ability) for ability in await info.context.loaders.abilities_by_student.load(self.key)]

    @strawberry.field(description="What is believed of each competency.")
    async def mastery(self, info: Info, competencies: Competencies = None) -> list[Mastery] | None:
        info.context.need_diagnostic("mastery:read")
        asked = None if competencies is None else await _keys_of(info, competencies)
        found = await info.context.loaders.mastery_by_student.load(MasteryOf(self.key, asked))
        return [Mastery.of(mastery) for mastery in found]

    @strawberry.field(description="The evidence behind the mastery, in the order it counts, oldest first.")
    async def evidence(self, info: Info, first: First, after: After = None) -> Connection[Evidence] | None:
        info.context.need_diagnostic("mastery:read")
        seen = seen_before(after)
        page = await info.context.loaders.evidence_by_student.load(Positioned(self.key, first, seen))
        return connection(
            [Evidence.of(entry) for entry in page.items],
            [cursor_at(seen + place) for place in range(1, len(page.items) + 1)],
            has_next=page.has_next,
            after=after,
        )

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
