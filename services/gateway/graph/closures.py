"""Closures of schools and of their classes."""

from datetime import date
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from services.gateway.context import Info
from services.gateway.loaders import OnDay
from services.roster import contract

if TYPE_CHECKING:
    from services.gateway.graph.classes import Class

AsOf = Annotated[date, strawberry.argument(description="The day that is asked about.")]


@strawberry.type(description="Some days on which a school, or one class of it, does not meet as usual.")
class Closure:
    begin: date
    end: date | None = strawberry.field(description="The first day after it; null: until further notice.")
    modality: str | None = strawberry.field(
        description="How there is teaching meanwhile: in person, remote or paper; null: there is none."
    )
    reason: str | None
    class_key: strawberry.Private[UUID | None]

    @strawberry.field(name="class", description="The class that is closed; null: the whole school.")
    async def class_(self, info: Info) -> Annotated["Class", strawberry.lazy("services.gateway.graph.classes")] | None:
        from services.gateway.graph.classes import Class

        if self.class_key is None:
            return None
        found = await info.context.loaders.class_.load(self.class_key)
        return Class.of(found) if found else None

    @classmethod
    def of(cls, found: contract.Closure) -> "Closure":
        return cls(
            begin=found.begin,
            end=found.end,
            modality=found.modality,
            reason=found.reason,
            class_key=found.section,
        )


async def closures_of(info: Info, school: UUID, day: date, class_: UUID | None = None) -> list[Closure]:
    """What is closed on a day: of a school and its classes, or of one class and its whole school."""
    info.context.caller.need("roster:read")
    found = await info.context.loaders.closures_by_school.load(OnDay(school, day))
    return [Closure.of(one) for one in found if class_ is None or one.section in (None, class_)]
