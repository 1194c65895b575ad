"""Evidence: why mastery is what it is."""

from datetime import datetime
from enum import Enum
from uuid import UUID

import strawberry

from services.gateway.context import Info
from services.gateway.graph.administrations import Administration
from services.gateway.graph.competencies import Competency
from services.gateway.graph.mastery import competency_of
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
    before: float = strawberry.field(description="The probability of mastery before this response.")
    after: float = strawberry.field(description="The probability of mastery after it.")
    competency_key: strawberry.Private[UUID]
    administration_key: strawberry.Private[UUID]

    @strawberry.field
    async def competency(self, info: Info) -> Competency:
        return await competency_of(info, self.competency_key)

    @strawberry.field
    async def administration(self, info: Info) -> Administration | None:
        info.context.caller.need("assessment:read")
        found = await info.context.loaders.administration.load(self.administration_key)
        return Administration.of(found) if found else None

    @classmethod
    def of(cls, entry: contract.Evidence) -> "Evidence":
        return cls(
            completed_at=entry.completed_at,
            modality=Modality(entry.modality),
            item=entry.item,
            score=entry.score,
            before=entry.before,
            after=entry.after,
            competency_key=entry.competency,
            administration_key=entry.administration,
        )
