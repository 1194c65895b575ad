"""What schools say of themselves: where they would help, and where they would like help."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry

from services.gateway.context import Info
from services.partnership import contract

if TYPE_CHECKING:
    from services.gateway.graph.schools import School


@strawberry.enum(description="Which side of a partnership a school would be.")
class PartnershipRole(Enum):
    OFFERS = strawberry.enum_value("offers", description="It would help other schools.")
    SEEKS = strawberry.enum_value("seeks", description="It would like to be helped.")


@strawberry.type(description="What a school declares in one area. A school that declares nothing is not matched.")
class Willingness:
    area: str = strawberry.field(description="The area's code, as in the programmes.")
    role: PartnershipRole = strawberry.field(description="Whether the school offers help or seeks it.")
    eagerness: int = strawberry.field(description="How eager it is, from 1 to 5.")
    capacity: int = strawberry.field(description="How many partnerships it can have at once.")
    diagnostics_allowed: bool = strawberry.field(
        description="Whether its published diagnostic figures may be used for matching; else it is described by this."
    )
    declared_at: datetime = strawberry.field(description="When the school last said so.")
    school_key: strawberry.Private[UUID]

    @strawberry.field(description="The school that declares it.")
    async def school(self, info: Info) -> Annotated["School", strawberry.lazy("services.gateway.graph.schools")] | None:
        from services.gateway.graph.schools import school_at

        return await school_at(info, self.school_key)

    @classmethod
    def of(cls, declared: contract.Willingness) -> "Willingness":
        return cls(
            area=declared.area,
            role=PartnershipRole(declared.role),
            eagerness=declared.eagerness,
            capacity=declared.capacity,
            diagnostics_allowed=declared.diagnostics_allowed,
            declared_at=declared.declared_at,
            school_key=declared.school,
        )
