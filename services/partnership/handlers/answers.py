"""Both sides answer a proposal: it is accepted when both have, and declined as soon as one does."""

from uuid import UUID

from services.partnership import events
from services.partnership.handlers.willingness import may_speak_for
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


async def respond(tx: Transaction, proposal_id: UUID, school: UUID, answer: str, because: str | None) -> Proposal:
    """One side's answer; the same again changes nothing."""
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
    state = "declined" if answer == "declined" else "accepted" if others == "accepted" else "proposed"
    answered = await store.answer(tx, proposal, school, answer, because, state)
    tx.announce(pb.ProposalsAnswered, [events.answered(proposal.id, state, school)])
    return answered
