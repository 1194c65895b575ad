"""Abilities: the results of tests."""

from datetime import datetime
from enum import Enum
from uuid import UUID

import strawberry

from services.assessment import contract
from services.gateway.context import Info
from services.gateway.graph.administrations import Administration
from services.gateway.graph.ids import NoSuchNode
from services.gateway.graph.lookup import Lookup, look_up, wants


@strawberry.enum(description="Why there is no ability.")
class NoAbility(Enum):
    NOT_CALIBRATED = strawberry.enum_value("NOT_CALIBRATED", description="The form has no item parameters.")
    NO_RESPONSES = strawberry.enum_value("NO_RESPONSES", description="No item with parameters was reached.")


@strawberry.type(description="The result of one test taken: an estimate, never without its standard error.")
class Ability:
    form: str = strawberry.field(description="The code of the form that was taken.")
    completed_at: datetime
    theta: float | None = strawberry.field(description="Expected a posteriori ability, in logits.")
    standard_error: float | None = strawberry.field(description="Its standard error, in logits.")
    raw_score: int
    maximum: int = strawberry.field(description="The most points the items presented could give.")
    reason: NoAbility | None = strawberry.field(description="Why there is no theta, where there is none.")
    parameter_version: str | None
    administration_key: strawberry.Private[UUID]
    administrations: strawberry.Private[Lookup[Administration]]

    @strawberry.field
    def administration(self) -> Administration:
        found = self.administrations.find(self.administration_key)
        if found is None:
            raise NoSuchNode
        return found

    @classmethod
    def of(cls, ability: contract.Ability, administrations: Lookup[Administration]) -> "Ability":
        return cls(
            form=ability.form,
            completed_at=ability.completed_at,
            theta=ability.theta,
            standard_error=ability.standard_error,
            raw_score=ability.raw_score,
            maximum=ability.maximum,
            reason=NoAbility(ability.reason) if ability.reason else None,
            parameter_version=ability.parameter_version,
            administration_key=ability.administration,
            administrations=administrations,
        )


async def abilities_of(info: Info, student: UUID) -> list[Ability]:
    """A student's results, each with its administration at hand when that is asked for."""
    loaders = info.context.loaders
    found = await loaders.abilities_by_student.load(student)
    asked = (one.administration for one in found) if wants(info, "administration") else ()
    administrations = await look_up(loaders.administration, asked, Administration.of)
    return [Ability.of(one, administrations) for one in found]
