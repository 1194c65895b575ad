"""Decisions about identities over REST, and what people were as of a day. Routes parse, call, answer."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.roster import contract
from services.roster.handlers import deciding
from services.roster.handlers.deciding import NewName
from services.roster.store import asof
from services.roster.store.identity import events as store
from services.roster.store.identity.events import Event, Known, Review
from shared.auth import Caller
from shared.http import Read, Write

router = APIRouter()

First = Annotated[int, Query(ge=1, le=100)]


@router.post("/identity/merges", status_code=201)
async def merge(ask: contract.Merge, tx: Write) -> contract.IdentityEvent:
    """Two people are one."""
    return wire_event(await deciding.merge(tx, ask.person, ask.absorbed, force=ask.force, reason=ask.reason))


@router.post("/identity/splits", status_code=201)
async def split(ask: contract.Split, tx: Write) -> contract.IdentityEvent:
    """One person is two."""
    new = NewName(ask.sourced_id, ask.given_name, ask.family_name)
    return wire_event(await deciding.split(tx, ask.person, ask.sourced_ids, new, ask.reason))


@router.post("/identity/{event}:undo")
async def undo(event: UUID, tx: Write) -> contract.IdentityEvent:
    """Take a merge or a split back."""
    return wire_event(await deciding.undo(tx, event))


@router.get("/identity/events")
async def events(tx: Read, first: First = 50, after: UUID | None = None) -> contract.IdentityEvents:
    """What became of identities, the latest first."""
    _may_look(tx.caller)
    found = await store.list_events(tx, first, after)
    items = [wire_event(one) for one in found[:first]]
    return contract.IdentityEvents(items=items, next=items[-1].id if len(found) > first else None)


@router.get("/identity/reviews")
async def reviews(
    tx: Read, first: First = 50, after: UUID | None = None, decided: bool = False
) -> contract.IdentityReviews:
    """Who may be who, the oldest first."""
    _may_look(tx.caller)
    found = await store.list_reviews(tx, first, after, decided=decided)
    items = [wire_review(one) for one in found[:first]]
    return contract.IdentityReviews(items=items, next=items[-1].id if len(found) > first else None)


@router.post("/identity/reviews/{review}:same")
async def same(review: UUID, tx: Write) -> contract.IdentityReview:
    """They are one person."""
    return wire_review(await deciding.same(tx, review))


@router.post("/identity/reviews/{review}:different")
async def different(review: UUID, tx: Write) -> contract.IdentityReview:
    """They are two."""
    return wire_review(await deciding.different(tx, review))


@router.post("/people:as-of")
async def as_of(ask: contract.AsOf, tx: Read) -> list[contract.PersonAsOf]:
    """Roles, enrolments, schools, guardians and children of people as of a day; who may not be seen is left out."""
    tx.caller.need("roster:read")
    return [wire_as_of(one) for one in await asof.people(tx, ask.people, ask.on)]


def _may_look(caller: Caller) -> None:
    caller.need("imports:write")
    caller.need_whole_district()


def wire_event(event: Event) -> contract.IdentityEvent:
    return contract.IdentityEvent.model_validate(
        {
            "id": event.id, "at": event.at, "kind": event.kind, "type": event.type, "row": event.row_id,
            "other": event.other_id, "was_called": event.was_called, "is_called": event.is_called,
            "reason": event.reason, "by": event.subject, "import_id": event.import_id,
            "undone_at": event.undone_at, "undone_by": event.undone_by,
        }
    )  # fmt: skip


def wire_review(review: Review) -> contract.IdentityReview:
    return contract.IdentityReview.model_validate(
        {
            "id": review.id, "found_at": review.found_at, "import_id": review.import_id, "reason": review.reason,
            "agrees": review.agrees, "differs": review.differs, "decision": review.decision,
            "decided_at": review.decided_at, "newcomer": _known(review.newcomer),
            "candidate": _known(review.candidate),
        }
    )  # fmt: skip


def _known(one: Known | None) -> contract.KnownPerson | None:
    if one is None:
        return None
    return contract.KnownPerson.model_validate(
        {
            "id": one.id, "sourced_id": one.sourced_id, "status": one.status, "given_name": one.given_name,
            "family_name": one.family_name, "birth_date": one.birth_on, "identifier": one.identifier,
            "state_id": one.state_id, "schools": one.schools,
        }
    )  # fmt: skip


def wire_as_of(one: asof.Then) -> contract.PersonAsOf:
    return contract.PersonAsOf(
        person=one.person,
        names=one.names,
        schools=one.schools,
        roles=[
            contract.RoleAsOf(
                sourced_id=r.sourced_id, organisation=r.organisation, role=r.role, role_type=r.role_type,
                begin=r.begin, end=r.end,
            )
            for r in one.roles
        ],
        enrollments=[
            contract.EnrollmentAsOf(
                sourced_id=e.sourced_id, section=e.section, school=e.school, role=e.role, primary=e.primary,
                begin=e.begin, end=e.end,
            )
            for e in one.enrollments
        ],
        guardians=[_relation(g) for g in one.guardians],
        children=[_relation(g) for g in one.children],
    )  # fmt: skip


def _relation(one: asof.Related) -> contract.Relation:
    return contract.Relation(
        id=one.id, sourced_id=one.sourced_id, given_name=one.given_name, family_name=one.family_name, role=one.role
    )
