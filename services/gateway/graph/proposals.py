"""Partnerships that are proposed, and what both sides say."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Annotated, cast
from uuid import UUID

import strawberry

from services.gateway.context import Info
from services.gateway.graph.connections import Connection, Node, connection
from services.gateway.graph.ids import NoSuchNode, cursor_of, node_id, row_after
from services.gateway.graph.schools import School, school_at
from services.gateway.loaders import OfProgramme
from services.partnership import contract

if TYPE_CHECKING:
    from services.gateway.graph.programmes import Programme


@strawberry.enum(description="What has become of a proposal.")
class ProposalState(Enum):
    PROPOSED = strawberry.enum_value("proposed", description="It waits for an answer of at least one side.")
    ACCEPTED = strawberry.enum_value("accepted", description="Both sides have accepted.")
    DECLINED = strawberry.enum_value("declined", description="A side has declined.")
    WITHDRAWN = strawberry.enum_value("withdrawn", description="A side has taken back what it rested on.")
    SUPERSEDED = strawberry.enum_value("superseded", description="A later matching has taken its place.")


@strawberry.enum(description="What is known of a side of a proposal.")
class PartnershipBasis(Enum):
    MEASURED = strawberry.enum_value(
        "measured", description="It rests on the school's published diagnostic figures, with its consent."
    )
    DECLARED = strawberry.enum_value("declared", description="It rests on what the school says of itself.")


@strawberry.enum(description="What one side has said.")
class PartnershipAnswer(Enum):
    ACCEPTED = "accepted"
    DECLINED = "declined"


@strawberry.type(description="A partnership of two schools in one area, proposed to both with its reason.")
class PartnershipProposal(Node):
    id: strawberry.ID = strawberry.field(description="Its node id; the same when the same matching starts over.")
    area: str = strawberry.field(description="The area's code, as in the programme.")
    state: ProposalState = strawberry.field(description="What has become of it.")
    reason: str = strawberry.field(description="Why these two, in a sentence.")
    alternative: str | None = strawberry.field(
        description="What the whole would lose without it, in a sentence; null once figures it rests on are taken back."
    )
    host_basis: PartnershipBasis = strawberry.field(description="What the host's part of the reason rests on.")
    guest_basis: PartnershipBasis = strawberry.field(description="What the guest's part of the reason rests on.")
    distance_km: float | None = strawberry.field(description="Between the schools; null where a location is missing.")
    host_answer: PartnershipAnswer | None = strawberry.field(description="What the host has said; null: nothing yet.")
    guest_answer: PartnershipAnswer | None = strawberry.field(description="What the guest has said; null: nothing yet.")
    declined_because: str | None = strawberry.field(description="Why a side has declined, in its own words.")
    proposed_at: datetime = strawberry.field(description="When it was proposed.")
    programme_key: strawberry.Private[UUID]
    host_key: strawberry.Private[UUID]
    guest_key: strawberry.Private[UUID]

    @strawberry.field(description="The programme that would pay for it.")
    async def programme(
        self, info: Info
    ) -> Annotated["Programme", strawberry.lazy("services.gateway.graph.programmes")] | None:
        from services.gateway.graph.programmes import programme_with

        return await programme_with(info, self.programme_key)

    @strawberry.field(description="The school that helps; null for a key of other schools.")
    async def host(self, info: Info) -> School | None:
        return await school_at(info, self.host_key)

    @strawberry.field(description="The school that is helped; null for a key of other schools.")
    async def guest(self, info: Info) -> School | None:
        return await school_at(info, self.guest_key)

    @strawberry.field(description="The name of the school that helps, also for a key of the other side.")
    async def host_name(self, info: Info) -> str | None:
        info.context.caller.need("roster:read")
        return await info.context.loaders.name_of_partner.load(self.host_key)

    @strawberry.field(description="The name of the school that is helped, also for a key of the other side.")
    async def guest_name(self, info: Info) -> str | None:
        info.context.caller.need("roster:read")
        return await info.context.loaders.name_of_partner.load(self.guest_key)

    @classmethod
    def of(cls, proposal: contract.Proposal) -> "PartnershipProposal":
        return cls(
            id=node_id("PartnershipProposal", proposal.id),
            area=proposal.area,
            state=ProposalState(proposal.state),
            reason=proposal.reason,
            alternative=proposal.alternative,
            host_basis=PartnershipBasis(proposal.host_basis),
            guest_basis=PartnershipBasis(proposal.guest_basis),
            distance_km=proposal.distance_km,
            host_answer=PartnershipAnswer(proposal.host_answer) if proposal.host_answer else None,
            guest_answer=PartnershipAnswer(proposal.guest_answer) if proposal.guest_answer else None,
            declined_because=proposal.declined_because,
            proposed_at=proposal.proposed_at,
            programme_key=proposal.programme,
            host_key=proposal.host,
            guest_key=proposal.guest,
        )


async def page_of_proposals(
    info: Info, programme: UUID, state: ProposalState | None, first: int, after: str | None
) -> Connection[PartnershipProposal]:
    """One page of a programme's proposals, in the order of their ids."""
    info.context.need_diagnostic("partnership:read")
    wanted = cast(contract.ProposalState, state.value) if state else None  # its values are the contract's words
    asked = OfProgramme(programme, first, row_after(after), wanted)
    page = await info.context.loaders.proposals_by_programme.load(asked)
    return connection(
        [PartnershipProposal.of(found) for found in page.items],
        [cursor_of(found.id) for found in page.items],
        has_next=page.has_next,
        after=after,
    )


async def proposal_with(info: Info, key: UUID) -> PartnershipProposal:
    """The proposal with this id; NoSuchNode when there is none for this caller."""
    info.context.need_diagnostic("partnership:read")
    found = await info.context.loaders.proposal.load(key)
    if found is None:
        raise NoSuchNode
    return PartnershipProposal.of(found)
