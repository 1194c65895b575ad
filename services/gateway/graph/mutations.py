"""What can be changed. Every answer is a union: what came of it, or why it was refused."""

from collections.abc import Awaitable
from typing import Annotated, TypeVar
from uuid import UUID

import strawberry

from services.gateway.context import Context, Info
from services.gateway.graph.areas import Snapshot
from services.gateway.graph.identities import IdentityMutations
from services.gateway.graph.ids import NoSuchNode, read_id, read_node_id
from services.gateway.graph.imports import ImportMutations
from services.gateway.graph.matchings import Matching
from services.gateway.graph.programmes import programme_with
from services.gateway.graph.proposals import PartnershipProposal
from services.gateway.graph.refusals import Refused, about, settled
from services.gateway.graph.willingness import Willingness
from services.partnership import contract
from shared.errors import Invalid

WORDS = 1_000
"""The most characters of a reason to decline."""

Done = TypeVar("Done")

SchoolId = Annotated[
    strawberry.ID, strawberry.argument(description="The school that speaks: a node id, or sourcedId:… of its system.")
]
ProgrammeId = Annotated[strawberry.ID, strawberry.argument(description="A node id, or sourcedId: and its code.")]
ProposalId = Annotated[strawberry.ID, strawberry.argument(description="The proposal's node id.")]
Area = Annotated[str, strawberry.argument(description="The area's code, as a programme names it.")]
Eagerness = Annotated[int, strawberry.argument(description="How eager the school is, from 1 to 5.")]
Capacity = Annotated[int, strawberry.argument(description="How many partnerships it can have at once, 1 or more.")]
Allowed = Annotated[
    bool,
    strawberry.argument(
        description="Whether its published diagnostic figures may be used for matching. It can be taken back."
    ),
]
Because = Annotated[
    str | None, strawberry.argument(description=f"Why, for the other side to read; at most {WORDS:,} characters.")
]

WillingnessResult = Annotated[
    Willingness | Refused, strawberry.union("WillingnessResult", description="What a school declares now, or why not.")
]
MatchingResult = Annotated[
    Matching | Refused, strawberry.union("MatchingResult", description="A matching that is under way, or why not.")
]
ProposalResult = Annotated[
    PartnershipProposal | Refused,
    strawberry.union("ProposalResult", description="The proposal as it is now, or why it was not answered."),
]
SnapshotResult = Annotated[
    Snapshot | Refused, strawberry.union("SnapshotResult", description="The state of the snapshots, or why not.")
]


class NotAText(Invalid):
    """This text has a character that no text has, or is too long."""


@strawberry.type(description="What can be changed. Nothing is ever tried twice.")
class Mutation(IdentityMutations, ImportMutations):
    @strawberry.mutation(description="A school offers to help others in an area; said again, it replaces what it said.")
    async def offer_partnership(
        self,
        info: Info,
        school: SchoolId,
        area: Area,
        eagerness: Eagerness,
        capacity: Capacity,
        diagnostics_allowed: Allowed,
    ) -> WillingnessResult | None:
        return await settled(_declare(info, school, area, "offers", eagerness, capacity, diagnostics_allowed))

    @strawberry.mutation(description="A school seeks help in an area; said again, it replaces what it said.")
    async def seek_partnership(
        self,
        info: Info,
        school: SchoolId,
        area: Area,
        eagerness: Eagerness,
        capacity: Capacity,
        diagnostics_allowed: Allowed,
    ) -> WillingnessResult | None:
        return await settled(_declare(info, school, area, "seeks", eagerness, capacity, diagnostics_allowed))

    @strawberry.mutation(
        description="A school takes back what it declared in an area, and with it the open proposals that rest on it. "
        "The answer is what was taken back."
    )
    async def withdraw_partnership(self, info: Info, school: SchoolId, area: Area) -> WillingnessResult | None:
        return await settled(_withdraw(info, school, area))

    @strawberry.mutation(
        description="Match the willing schools of a programme: a job, whose progress is the programme's matching. Its "
        "proposals take the place of those still open."
    )
    async def propose_partnerships(self, info: Info, programme: ProgrammeId) -> MatchingResult | None:
        return await settled(_propose(info, programme))

    @strawberry.mutation(description="One side accepts a proposal; when both have, it is a partnership.")
    async def accept_partnership(self, info: Info, proposal: ProposalId, school: SchoolId) -> ProposalResult | None:
        return await settled(_respond(info, proposal, school, "accepted", None))

    @strawberry.mutation(description="One side declines a proposal; the pair is not proposed again in that area.")
    async def decline_partnership(
        self, info: Info, proposal: ProposalId, school: SchoolId, because: Because = None
    ) -> ProposalResult | None:
        return await settled(_respond(info, proposal, school, "declined", because))

    @strawberry.mutation(
        description="Take a snapshot of the figures about schools now, for a key of the whole district with the "
        "purpose administration. It is also taken nightly, and when an administration closes."
    )
    async def publish_snapshot(self, info: Info) -> SnapshotResult | None:
        return await settled(_publish(info.context))


async def _declare(
    info: Info, school: str, area: str, role: contract.Role, eagerness: int, capacity: int, allowed: bool
) -> Willingness:
    info.context.need_diagnostic("partnership:write")
    what = contract.Declare(
        school=await _school(info, school),
        area=_text("area", area),
        role=role,
        eagerness=eagerness,
        capacity=capacity,
        diagnostics_allowed=allowed,
    )
    return Willingness.of(await _changed(info, info.context.services.partnership.declare(what, info.context.caller)))


async def _withdraw(info: Info, school: str, area: str) -> Willingness:
    info.context.need_diagnostic("partnership:write")
    what = contract.Withdraw(school=await _school(info, school), area=_text("area", area))
    return Willingness.of(await _changed(info, info.context.services.partnership.withdraw(what, info.context.caller)))


async def _propose(info: Info, programme: str) -> Matching:
    info.context.need_diagnostic("partnership:write")
    info.context.caller.need_whole_district()
    with about("programme"):
        what = contract.Propose(programme=(await programme_with(info, read_id("Programme", programme))).key)
    return Matching.of(await _changed(info, info.context.services.partnership.propose(what, info.context.caller)))


async def _respond(
    info: Info, proposal: str, school: str, answer: contract.Answer, because: str | None
) -> PartnershipProposal:
    info.context.need_diagnostic("partnership:write")
    with about("proposal"):
        kind, key = read_node_id(proposal)
        if kind != "PartnershipProposal":
            raise NoSuchNode
    what = contract.Respond(
        proposal=key,
        school=await _school(info, school),
        answer=answer,
        because=None if because is None else _text("because", because),
    )
    answered = await _changed(info, info.context.services.partnership.respond(what, info.context.caller))
    return PartnershipProposal.of(answered)


async def _publish(context: Context) -> Snapshot:
    context.need_diagnostic("mastery:read")
    context.caller.need_whole_district()
    return Snapshot.of(await context.services.mastery.publish_snapshot(context.caller))


async def _changed(info: Info, change: Awaitable[Done]) -> Done:
    """What a change came to; what was read before it is not believed any more."""
    try:
        return await change
    finally:  # it may have happened although no answer came
        info.context.loaders.forget_partnerships()


async def _school(info: Info, given: str) -> UUID:
    """The school that is named, which the caller must be able to see."""
    info.context.caller.need("roster:read")
    with about("school"):
        found = await info.context.loaders.school.load(read_id("School", given))
        if found is None:
            raise NoSuchNode
        return found.id


def _text(argument: str, given: str) -> str:
    if "\0" in given or len(given) > WORDS:
        raise NotAText(f"A text has at most {WORDS:,} characters, and none of them is NUL.", field=argument)
    return given
