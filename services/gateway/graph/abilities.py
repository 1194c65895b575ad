"""Abilities: the results of tests."""

from datetime import datetime
from enum import Enum
from uuid import UUID

import strawberry

from services.assessment import contract
from services.gateway.context import Info
from services.gateway.graph.administrations import Administration
from services.gateway.graph.ids import NoSuchNode


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

    @strawberry.field
    async def administration(self, info: Info) -> Administration:
        info.context.caller.need("assessment:read")
        found = await info.context.loaders.administration.load(self.administration_key)
        if found is None:
            raise NoSuchNode
        return Administration.of(found)

    @classmethod
    def of(cls, ability: contract.Ability) -> "Ability":
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
        )
