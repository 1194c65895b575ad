"""What partnership announces, from what was kept. Ids and numbers only."""

from uuid import UUID, uuid5

from shared.events_pb.trellis.events.partnership.v1 import partnership_pb2 as pb

ROLES: "dict[str, pb.Role.ValueType]" = {
    "offers": pb.ROLE_OFFERS,
    "seeks": pb.ROLE_SEEKS,
    "withdrawn": pb.ROLE_WITHDRAWN,
}
STATES: "dict[str, pb.State.ValueType]" = {
    "proposed": pb.STATE_PROPOSED,
    "accepted": pb.STATE_ACCEPTED,
    "declined": pb.STATE_DECLINED,
    "withdrawn": pb.STATE_WITHDRAWN,
    "superseded": pb.STATE_SUPERSEDED,
}


def willingness_declared(
    school: UUID, area: str, version: int, role: str, eagerness: int, capacity: int, diagnostics_allowed: bool
) -> pb.Willingness:
    """What a school says now of one area; a school that takes it back says nothing more than that."""
    withdrawn = role == "withdrawn"
    return pb.Willingness(
        id=uuid5(school, f"{area}:{version}").bytes,
        school=school.bytes,
        area=area,
        role=ROLES[role],
        eagerness=0 if withdrawn else eagerness,
        capacity=0 if withdrawn else capacity,
        diagnostics_allowed=diagnostics_allowed and not withdrawn,
    )


def proposed(proposal: UUID, programme: UUID, matching: UUID, area: str, host: UUID, guest: UUID) -> pb.Proposal:
    """A partnership that a matching proposes."""
    return pb.Proposal(
        id=uuid5(proposal, "proposed").bytes,
        proposal=proposal.bytes,
        programme=programme.bytes,
        matching=matching.bytes,
        area=area,
        host=host.bytes,
        guest=guest.bytes,
    )


def answered(proposal: UUID, state: str, school: UUID | None) -> pb.Answer:
    """How a proposal stands, and whose answer made it so; nobody's when it fell."""
    return pb.Answer(
        id=uuid5(proposal, f"{state}:{school}").bytes,
        proposal=proposal.bytes,
        state=STATES[state],
        school=None if school is None else school.bytes,
    )
