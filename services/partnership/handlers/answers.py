"""Both sides answer a proposal: it is accepted when both have, and declined as soon as one does."""

from uuid import UUID

from services.partnership import events
from services.partnership.handlers.willingness import for_the_district, may_speak_for
from services.partnership.store import proposals as store
from services.partnership.store import willingness
from services.partnership.store.proposals import Proposal
from shared.db import Transaction
from shared.errors import Conflict, Invalid, NotFound
from shared.events_pb.trellis.events.partnership.v1 import partnership_pb2 as pb


class NoSuchProposal(NotFound):
    """There is no such proposal."""


class NotOpen(Conflict):
    """This proposal is not open any more."""


class NoPlaceLeft(Conflict):
    """Accepted partnerships use every place that was declared."""


async def respond(tx: Transaction, proposal_id: UUID, school: UUID, answer: str, because: str | None) -> Proposal:
    """One side's answer; the same again changes nothing.

    Raises NoPlaceLeft for a yes to more than either side declared it can do.
    """
    may_speak_for(tx.caller, school)
    await willingness.serialise(tx)
    proposal = await store.find_for_update(tx, proposal_id)
    if proposal is None:
        raise NoSuchProposal
    if school not in (proposal.host, proposal.guest):
        raise Invalid("school: this proposal is not about that school.", field="school")
    given, others = proposal.host_answer, proposal.guest_answer
    if school == proposal.guest:
        given, others = others, given
    if given == answer:
        return proposal
    if proposal.state != "proposed":
        raise NotOpen(f"This proposal is {proposal.state}; it cannot be answered any more.")
    if answer == "accepted":
        await _need_places(tx, proposal, school)
    state = "declined" if answer == "declined" else "accepted" if others == "accepted" else "proposed"
    answered = await store.answer(tx, proposal, school, answer, because, state)
    tx.announce(pb.ProposalsAnswered, [events.answered(proposal.id, state, school)])
    return answered


async def _need_places(tx: Transaction, proposal: Proposal, asking: UUID) -> None:
    """Both sides must have a place left in this area, whichever programmes took the others.

    Asked under `willingness.serialise`: of two yeses to the last place the second finds it taken.
    """
    sides = [asking, proposal.guest if asking == proposal.host else proposal.host]
    async with for_the_district(tx):  # a school's key does not see what the other side has accepted
        declared = await willingness.find(tx, [(side, proposal.area) for side in sides])
        taken = await store.accepted_by(tx, sides, proposal.area)
    for side in sides:
        said = declared.get((side, proposal.area))
        places = 0 if said is None else said.declaration.capacity
        if taken.get(side, 0) >= places:
            whose = "this school" if side == asking else "the other school"  # how many it declared is its own affair
            raise NoPlaceLeft(
                f"proposal: accepted partnerships use every place that {whose} declared in {proposal.area}.",
                field="proposal",
            )
