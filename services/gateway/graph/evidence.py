"""Evidence: why mastery is what it is."""

import asyncio
from datetime import datetime
from enum import Enum
from uuid import UUID

import strawberry

from services.gateway.context import Info
from services.gateway.graph.administrations import Administration
from services.gateway.graph.competencies import Competency
from services.gateway.graph.connections import Connection, connection
from services.gateway.graph.ids import NoSuchNode, cursor_at, seen_before
from services.gateway.graph.lookup import Lookup, look_up, wants
from services.gateway.loaders import Positioned
from services.mastery import contract


@strawberry.enum(description="How a test was taken.")
class Modality(Enum):
    IN_PERSON = "in person"
    REMOTE = "remote"
    PAPER = "paper"


@strawberry.type(description="One scored response, and what it changed about one competency.")
class Evidence:
    completed_at: datetime
    modality: Modality
    item: str = strawberry.field(description="The item's code.")
    score: float = strawberry.field(description="Points over the maximum, from 0 to 1.")
    before: float = strawberry.field(
        description="The probability of mastery at the moment of this response, before it."
    )
    after: float = strawberry.field(description="The probability of mastery after it.")
    competency_key: strawberry.Private[UUID]
    administration_key: strawberry.Private[UUID]
    competencies: strawberry.Private[Lookup[Competency]]
    administrations: strawberry.Private[Lookup[Administration]]

    @strawberry.field
    def competency(self) -> Competency:
        found = self.competencies.find(self.competency_key)
        if found is None:
            raise NoSuchNode
        return found

    @strawberry.field
    def administration(self, info: Info) -> Administration | None:
        info.context.caller.need("assessment:read")
        return self.administrations.find(self.administration_key)

    @classmethod
    def of(
        cls, entry: contract.Evidence, competencies: Lookup[Competency], administrations: Lookup[Administration]
    ) -> "Evidence":
        return cls(
            completed_at=entry.completed_at,
            modality=Modality(entry.modality),
            item=entry.item,
            score=entry.score,
            before=entry.before,
            after=entry.after,
            competency_key=entry.competency,
            administration_key=entry.administration,
            competencies=competencies,
            administrations=administrations,
        )


async def evidence_of(info: Info, student: UUID, first: int, after: str | None) -> Connection[Evidence]:
    """A page of a student's evidence, with what it refers to at hand where that is asked for and allowed."""
    loaders, seen = info.context.loaders, seen_before(after)
    page = await loaders.evidence_by_student.load(Positioned(student, first, seen))
    may_see_administrations = "assessment:read" in info.context.caller.scopes
    keys = (one.competency for one in page.items) if wants(info, "competency") else ()
    sittings = (
        (one.administration for one in page.items) if may_see_administrations and wants(info, "administration") else ()
    )
    competencies, administrations = await asyncio.gather(
        look_up(loaders.competency, keys, Competency.of),
        look_up(loaders.administration, sittings, Administration.of),
    )
    return connection(
        [Evidence.of(entry, competencies, administrations) for entry in page.items],
        [cursor_at(seen + place) for place in range(1, len(page.items) + 1)],
        has_next=page.has_next,
        after=after,
    )
