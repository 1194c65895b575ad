"""Competencies of a framework."""

from typing import Optional
from uuid import UUID

import strawberry

from services.gateway.context import Info
from services.gateway.graph.connections import Node
from services.gateway.graph.ids import node_id
from services.mastery import contract


@strawberry.type(description="Something to be mastered: a CASE item of a competency framework.")
class Competency(Node):
    id: strawberry.ID
    sourced_id: str = strawberry.field(description="Its CASE identifier.")
    statement: str
    code: str | None = strawberry.field(description="Its human coding scheme, e.g. 4.NF.A.1.")
    parent_key: strawberry.Private[UUID | None]

    @strawberry.field(description="What it is a part of.")
    async def parent(self, info: Info) -> Optional["Competency"]:
        info.context.caller.need("mastery:read")
        if self.parent_key is None:
            return None
        found = await info.context.loaders.competency.load(self.parent_key)
        return Competency.of(found) if found else None

    @classmethod
    def of(cls, competency: contract.Competency) -> "Competency":
        return cls(
            id=node_id("Competency", competency.id),
            sourced_id=competency.identifier,
            statement=competency.statement,
            code=competency.code,
            parent_key=competency.parent,
        )
