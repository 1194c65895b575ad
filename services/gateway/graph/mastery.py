"""Mastery: what is believed a student knows."""

from datetime import datetime
from enum import Enum
from uuid import UUID

import strawberry

from services.gateway.beliefs import Belief
from services.gateway.context import Info
from services.gateway.graph.competencies import Competency
from services.gateway.graph.ids import NoSuchNode
from services.gateway.graph.lookup import Lookup, look_up, wants
from services.gateway.loaders import MasteryOf


@strawberry.enum(description="What a belief is called.")
class MasteryLevel(Enum):
    UNKNOWN = strawberry.enum_value("unknown", description="There is no evidence.")
    BEGINNING = strawberry.enum_value("beginning", description="The probability is below .5.")
    DEVELOPING = strawberry.enum_value("developing", description="The probability is .5 or more.")
    MASTERED = strawberry.enum_value(
        "mastered", description="It is .85 or more, its lower end .5 or more, by three pieces of evidence at least."
    )


_LEVELS = {str(level.value): level for level in MasteryLevel}


@strawberry.type(description="What is believed of one student and one competency. Unknown is null, not zero.")
class Mastery:
    probability: float | None = strawberry.field(
        description="The probability that the competency is mastered, as of the last evidence."
    )
    lower: float | None = strawberry.field(
        description="The least it could be, as far as the model's parameters are known."
    )
    upper: float | None = strawberry.field(description="The most it could be.")
    level: MasteryLevel
    evidence_count: int
    last_evidence_at: datetime | None
    model_version: str = strawberry.field(description="The model that traced it, with its parameters.")
    competency_key: strawberry.Private[UUID]
    competencies: strawberry.Private[Lookup[Competency]]

    @strawberry.field
    def competency(self) -> Competency:
        found = self.competencies.find(self.competency_key)
        if found is None:
            raise NoSuchNode
        return found

    @classmethod
    def of(cls, mastery: Belief, competencies: Lookup[Competency]) -> "Mastery":
        return cls(
            probability=mastery.probability,
            lower=mastery.lower,
            upper=mastery.upper,
            level=_LEVELS[mastery.level],
            evidence_count=mastery.evidence_count,
            last_evidence_at=mastery.last_evidence_at,
            model_version=mastery.model_version,
            competency_key=mastery.competency,
            competencies=competencies,
        )


async def mastery_of(info: Info, student: UUID, asked: tuple[UUID, ...] | None) -> list[Mastery]:
    """What is believed of a student, each with its competency at hand when that is asked for."""
    loaders = info.context.loaders
    found = await loaders.mastery_by_student.load(MasteryOf(student, asked))
    keys = (one.competency for one in found) if wants(info, "competency") else ()
    competencies = await look_up(loaders.competency, keys, Competency.of)
    return [Mastery.of(one, competencies) for one in found]
