"""Programmes: partnerships of schools that somebody pays for."""

from uuid import UUID

import strawberry

from services.gateway.context import Info
from services.gateway.graph.competencies import Competency
from services.gateway.graph.connections import After, Connection, First, Node, connection
from services.gateway.graph.ids import NoSuchNode, cursor_of, node_id, row_after
from services.gateway.graph.matchings import Matching
from services.gateway.graph.proposals import PartnershipProposal, page_of_proposals
from services.gateway.loaders import Key
from services.partnership import contract


@strawberry.type(description="Something in which schools help each other.")
class PartnershipArea:
    code: str = strawberry.field(description="The district's word for it, by which schools declare.")
    title: str = strawberry.field(description="Its name.")
    competency_keys: strawberry.Private[list[UUID]]

    @strawberry.field(
        description="The competencies it is measured by, and all below them; none: it rests on what schools declare."
    )
    async def competencies(self, info: Info) -> list[Competency] | None:
        info.context.caller.need("mastery:read")
        found = await info.context.loaders.competency.load_many(self.competency_keys)
        return [Competency.of(competency) for competency in found if competency is not None]

    @classmethod
    def of(cls, area: contract.Area) -> "PartnershipArea":
        return cls(code=area.code, title=area.title, competency_keys=area.competencies)


@strawberry.type(description="Partnerships that somebody pays for.")
class Programme(Node):
    id: strawberry.ID = strawberry.field(description="Its node id.")
    sourced_id: str = strawberry.field(description="Its code in the district's own file.")
    title: str = strawberry.field(description="Its name.")
    partnerships: int = strawberry.field(description="The most partnerships it has.")
    budget: float = strawberry.field(description="What may be spent in all, in its currency.")
    cost_per_partnership: float = strawberry.field(description="What each partnership costs, in its currency.")
    currency: str = strawberry.field(description="The currency's code, e.g. USD.")
    max_distance_km: float | None = strawberry.field(description="The greatest distance between partners; null: any.")
    areas: list[PartnershipArea] = strawberry.field(description="In what schools help each other.")
    rules: list[str] = strawberry.field(description="What binds its matchings, each rule in words.")
    key: strawberry.Private[UUID]

    @strawberry.field(description="The latest matching of its willing schools; null before the first.")
    async def matching(self, info: Info) -> Matching | None:
        info.context.need_diagnostic("partnership:read")
        found = await info.context.loaders.matching_by_programme.load(self.key)
        return Matching.of(found) if found else None

    @strawberry.field(description="What the latest matching proposes, in no order of merit.")
    async def proposals(self, info: Info, first: First, after: After = None) -> Connection[PartnershipProposal] | None:
        return await page_of_proposals(info, self.key, None, first, after)

    @classmethod
    def of(cls, programme: contract.Programme) -> "Programme":
        return cls(
            id=node_id("Programme", programme.id),
            sourced_id=programme.code,
            title=programme.title,
            partnerships=programme.partnerships,
            budget=programme.budget,
            cost_per_partnership=programme.cost_per_partnership,
            currency=programme.currency,
            max_distance_km=programme.max_distance_km,
            areas=[PartnershipArea.of(area) for area in programme.areas],
            rules=programme.rules,
            key=programme.id,
        )


async def page_of_programmes(info: Info, first: int, after: str | None) -> Connection[Programme]:
    """One page of the district's programmes, by title."""
    info.context.need_diagnostic("partnership:read")
    page = await info.context.programmes(contract.Page(first=first, after=row_after(after)))
    return connection(
        [Programme.of(found) for found in page.items],
        [cursor_of(found.id) for found in page.items],
        has_next=page.has_next,
        after=after,
    )


async def programme_with(info: Info, key: Key) -> Programme:
    """The programme with this id or code; NoSuchNode when there is none."""
    info.context.need_diagnostic("partnership:read")
    found = await info.context.loaders.programme.load(key)
    if found is None:
        raise NoSuchNode
    return Programme.of(found)
