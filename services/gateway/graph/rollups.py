"""Roll-ups: what is believed of clusters and domains."""

from datetime import datetime
from uuid import UUID

import strawberry

from services.gateway.context import Info
from services.gateway.graph.competencies import Competency
from services.gateway.graph.ids import NoSuchNode
from services.gateway.graph.lookup import Lookup, look_up, wants
from services.gateway.loaders import MasteryOf
from services.mastery import contract


@strawberry.type(
    description="What is believed of all that is below a competency: means over what there is evidence for. What is "
    "unknown has no part in them."
)
class RollUp:
    probability: float | None = strawberry.field(
        description="The mean probability of the assessed leaves; null when there are none."
    )
    lower: float | None = strawberry.field(description="The mean of their lower ends.")
    upper: float | None = strawberry.field(description="The mean of their upper ends.")
    assessed: int = strawberry.field(description="How many of the leaves there is evidence for.")
    leaves: int = strawberry.field(description="Competencies below it that have none below themselves; or itself.")
    evidence_count: int
    last_evidence_at: datetime | None
    model_version: str = strawberry.field(description="The model that traced the leaves, with its parameters.")
    competency_key: strawberry.Private[UUID]
    competencies: strawberry.Private[Lookup[Competency]]

    @strawberry.field(description="The share of the leaves that is assessed, from 0 to 1.")
    def coverage(self) -> float:
        return self.assessed / self.leaves if self.leaves else 0.0

    @strawberry.field
    def competency(self) -> Competency:
        found = self.competencies.find(self.competency_key)
        if found is None:
            raise NoSuchNode
        return found

    @classmethod
    def of(cls, rolled: contract.RollUp, competencies: Lookup[Competency]) -> "RollUp":
        return cls(
            probability=rolled.probability,
            lower=rolled.lower,
            upper=rolled.upper,
            assessed=rolled.assessed,
            leaves=rolled.leaves,
            evidence_count=rolled.evidence_count,
            last_evidence_at=rolled.last_evidence_at,
            model_version=rolled.model_version,
            competency_key=rolled.competency,
            competencies=competencies,
        )


async def roll_ups_of(info: Info, student: UUID, asked: tuple[UUID, ...] | None) -> list[RollUp]:
    """A student's roll-ups, each with its competency at hand when that is asked for."""
    loaders = info.context.loaders
    found = await loaders.roll_ups_by_student.load(MasteryOf(student, asked))
    keys = (one.competency for one in found) if wants(info, "competency") else ()
    competencies = await look_up(loaders.competency, keys, Competency.of)
    return [RollUp.of(one, competencies) for one in found]
