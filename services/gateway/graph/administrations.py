"""Administrations of tests."""

from datetime import datetime
from enum import Enum

import strawberry

from services.assessment import contract
from services.gateway.graph.connections import Node
from services.gateway.graph.ids import node_id


@strawberry.enum(name="AssessmentPurpose", description="What the results of an administration are for.")
class AssessmentPurpose(Enum):
    DIAGNOSTIC = "diagnostic"
    FORMATIVE = "formative"
    SUMMATIVE = "summative"


@strawberry.type(description="A window in which a test is taken.")
class Administration(Node):
    id: strawberry.ID
    sourced_id: str = strawberry.field(description="Its code in the file that planned it.")
    title: str
    purpose: AssessmentPurpose
    opens_at: datetime
    closes_at: datetime = strawberry.field(description="The first moment after the window.")

    @classmethod
    def of(cls, found: contract.Administration) -> "Administration":
        return cls(
            id=node_id("Administration", found.id),
            sourced_id=found.code,
            title=found.title,
            purpose=AssessmentPurpose(found.purpose),
            opens_at=found.opens_at,
            closes_at=found.closes_at,
        )
