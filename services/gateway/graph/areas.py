"""What is published about a school's learners: figures of a snapshot, never live ones, never of a few."""

from datetime import datetime
from uuid import UUID

import strawberry

from services.gateway.context import Info
from services.gateway.graph.competencies import Competency
from services.gateway.graph.ids import NoSuchNode
from services.gateway.graph.lookup import Lookup, look_up, wants
from services.mastery import contract


@strawberry.type(description="The state of the snapshots from which figures about schools are read.")
class Snapshot:
    taken_at: datetime | None = strawberry.field(description="When the latest was taken; null before the first.")
    due_at: datetime | None = strawberry.field(description="Since when another is due; null when none is asked for.")

    @classmethod
    def of(cls, found: contract.Snapshot) -> "Snapshot":
        return cls(taken_at=found.taken_at, due_at=found.due_at)


@strawberry.type(
    description="What the latest snapshot says of a school and one competency. It is for helping, not for comparing: "
    "no list is sorted by it."
)
class SchoolArea:
    snapshot_at: datetime = strawberry.field(description="The moment for which the figures hold.")
    learners: int | None = strawberry.field(description="How many of its learners have evidence.")
    strength: float | None = strawberry.field(
        description="The mean probability of mastery among them, rounded to hundredths."
    )
    need: float | None = strawberry.field(
        description="The share of them who have probably not mastered it, rounded to hundredths, from .05 to .95."
    )
    need_lower: float | None = strawberry.field(
        description="The lower end of the 95 % interval of need: a share of few learners says little of the next."
    )
    need_upper: float | None = strawberry.field(description="The upper end of the 95 % interval of need.")
    suppressed: bool = strawberry.field(
        description="The figures are withheld, because they would tell of fewer than ten learners, here or elsewhere."
    )
    competency_key: strawberry.Private[UUID]
    competencies: strawberry.Private[Lookup[Competency]]

    @strawberry.field(description="What the figures are about.")
    def competency(self) -> Competency:
        found = self.competencies.find(self.competency_key)
        if found is None:
            raise NoSuchNode
        return found

    @classmethod
    def of(cls, figures: contract.AreaFigures, at: datetime, competencies: Lookup[Competency]) -> "SchoolArea":
        return cls(
            snapshot_at=at,
            learners=figures.learners,
            strength=figures.strength,
            need=figures.need,
            need_lower=figures.need_lower,
            need_upper=figures.need_upper,
            suppressed=figures.suppressed,
            competency_key=figures.competency,
            competencies=competencies,
        )


async def areas_of(info: Info, school: UUID) -> list[SchoolArea]:
    """A school's figures, by the competencies' code, each with its competency at hand when that is asked for."""
    loaders = info.context.loaders
    found = await loaders.areas_by_school.load(school)
    if found is None:
        return []
    keys = (one.competency for one in found.areas) if wants(info, "competency") else ()
    competencies = await look_up(loaders.competency, keys, Competency.of)
    return [SchoolArea.of(one, found.snapshot_at, competencies) for one in found.areas]
