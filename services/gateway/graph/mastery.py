"""Mastery: what is believed a student knows."""

from datetime import datetime
from uuid import UUID

import strawberry

from services.gateway.context import Info
from services.gateway.graph.competencies import Competency
from services.gateway.graph.ids import NoSuchNode
from services.mastery import contract


@strawberry.type(description="What is believed of one student and one competency. Unknown is null, not zero.")
class Mastery:
    probability: float | None = strawberry.field(description="The probability that the competency is mastered.")
    evidence_count: int
    last_evidence_at: datetime | None
    model_version: str = strawberry.field(description="The model that traced it, with its parameters.")
    competency_key: strawberry.Private[UUID]

    @strawberry.field
    async def competency(self, info: Info) -> Competency:
        return await competency_of(info, self.competency_key)

    @classmethod
    def of(cls, mastery: contract.Mastery) -> "Mastery":
        return cls(
            probability=mastery.probability,
            evidence_count=mastery.evidence_count,
            last_evidence_at=mastery.last_evidence_at,
            model_version=mastery.model_version,
            competency_key=mastery.competency,
        )


async def competency_of(info: Info, key: UUID) -> Competency:
    """The competency a belief or a piece of evidence is about."""
    info.context.caller.need("mastery:read")
    found = await info.context.loaders.competency.load(key)
    if found is None:
        raise NoSuchNode
    return Competency.of(found)
