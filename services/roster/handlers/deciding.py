"""What people decide about identities: these two are one, this one is two, that was wrong, those are not the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

from services.roster import events, events_identity
from services.roster.store import identity, revisions, telling
from services.roster.store.identity import events as kept
from services.roster.store.identity import merging
from services.roster.store.identity.events import Event, Known, Review
from services.roster.store.identity.merging import Face, Other, Person
from shared.db import Transaction
from shared.errors import Conflict, Invalid
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb

_EPOCH = date(1970, 1, 1)


class NoSuchPerson(Invalid):
    """There is no such person."""


class SamePerson(Invalid):
    """These are one person already."""


class BothAreNamed(Conflict):
    """Both are active: the district's system names them both. If they are one all the same, say force."""


class UndoneAlready(Conflict):
    """This has been taken back already."""


class DecidedAlready(Conflict):
    """This has been decided already; take the decision back first."""


class LaterEvent(Conflict):
    """Something later has become of these people; take that back first."""


@dataclass(frozen=True, slots=True)
class NewName:
    """What somebody who was never known apart is called."""

    sourced_id: str | None = None
    given_name: str | None = None
    family_name: str | None = None


async def merge(tx: Transaction, person: str, absorbed: str, *, force: bool, reason: str | None = None) -> Event:
    """Two people are one. The identity of `person` stays; the record that is active goes on being shown."""
    await _may(tx)
    one, other = await _person(tx, person, "person"), await _person(tx, absorbed, "absorbed")
    if one.id == other.id:
        raise SamePerson(field="absorbed")
    for field, each in (("person", one), ("absorbed", other)):
        if each.absorbed_by is not None:
            raise Conflict(f"This person was absorbed by {each.absorbed_by} already.", field=field)
    if one.status == other.status == "active" and not force:
        raise BothAreNamed(field="absorbed")
    face: Face = "absorbed" if one.status != "active" and other.status == "active" else "person"
    revision = await revisions.begin(tx)
    event = _event(tx, "merged", one, other.id, revision, reason, was=other.sourced_id)
    await kept.keep(tx, event)
    await merging.merge(tx, event.id, one, other, face, revision)
    tx.announce(pb.PeopleMerged, [events_identity.merged(revision, one.id, other.id)])
    await _tell(tx, event.id, [one.id, other.id], revision)
    await revisions.stamp(tx, revision)
    return event


async def split(tx: Transaction, person: str, sourced_ids: Sequence[str], new: NewName, reason: str | None) -> Event:
    """One person is two: what bears these sourcedIds is somebody else's, or again whose it was before a merge."""
    await _may(tx)
    one = await _person(tx, person, "person")
    if one.absorbed_by is not None:
        raise Conflict(f"This person was absorbed by {one.absorbed_by}.", field="person")
    names = list(dict.fromkeys([*sourced_ids, *([new.sourced_id] if new.sourced_id else [])]))
    theirs = await merging.names_of(tx, one.id)
    revision = await revisions.begin(tx)
    known = await merging.absorbed(tx, one.id, names)
    other = _revived(known, revision) if known else await _made(tx, one, theirs, names, new, revision)
    event = _event(tx, "split", one, other.id, revision, reason, is_=str(other.image["sourced_id"]))
    await kept.keep(tx, event)
    moved = await merging.split(tx, event.id, one, other, names, revision)
    if not moved and not set(sourced_ids) & set(theirs):
        raise Invalid("None of these sourcedIds is of this person.", field="sourced_ids")
    tx.announce(pb.PeopleSplit, [events_identity.split(revision, one.id, other.id, names)])
    await _tell(tx, event.id, [one.id, other.id], revision)
    await revisions.stamp(tx, revision)
    return event


async def undo(tx: Transaction, event_id: UUID) -> Event:
    """Take back a merge or a split: all is as it was, but for what others have changed since."""
    await _may(tx)
    event = await kept.get(tx, event_id)
    if event.undone_at is not None:
        raise UndoneAlready
    if event.kind == "reattached" or event.other_id is None:
        raise Conflict(
            "What an import recognised is taken back with the import. To part one person, split them, naming what they "
            "are called now: they are called as before again."
        )
    if (later := await kept.later(tx, event)) is not None:
        raise LaterEvent(f"Something later has become of these people; take back {later} first.")
    revision = await revisions.begin(tx)
    one, other = people = (event.row_id, event.other_id)
    await merging.undo(tx, event.id, people, revision)
    await kept.mark_undone(tx, event.id)
    if event.kind == "merged":
        tx.announce(pb.PeopleMerged, [events_identity.merged(revision, one, other, undone=True)])
    else:
        tx.announce(pb.PeopleSplit, [events_identity.split(revision, one, other, [], undone=True)])
    await _tell(tx, event.id, people, revision)
    await revisions.stamp(tx, revision)
    return await kept.get(tx, event_id)


async def same(tx: Transaction, review_id: UUID) -> Review:
    """The newcomer is the somebody known: one person from here on, under the newcomer's name."""
    review, newcomer, candidate = await _open(tx, review_id)
    event = await merge(tx, str(candidate.id), str(newcomer.id), force=True, reason=f"review: {review.reason}")
    await kept.decide(tx, review_id, "same", event.id)
    return await kept.review(tx, review_id)


async def different(tx: Transaction, review_id: UUID) -> Review:
    """The newcomer is somebody else; it is not asked again."""
    await _open(tx, review_id)
    await kept.decide(tx, review_id, "different", None)
    return await kept.review(tx, review_id)


async def _open(tx: Transaction, review_id: UUID) -> tuple[Review, Known, Known]:
    await _may(tx)
    review = await kept.review(tx, review_id)
    if review.decision is not None:
        raise DecidedAlready
    if review.newcomer is None or review.candidate is None:
        raise Conflict("One of the two is not there any more.")
    return review, review.newcomer, review.candidate


async def _may(tx: Transaction) -> None:
    tx.caller.need("imports:write")
    tx.caller.need_whole_district()
    await identity.hold_soon(tx)


async def _person(tx: Transaction, key: str, field: str) -> Person:
    found = await merging.find(tx, key)
    if found is None:
        raise NoSuchPerson(field=field)
    return found


def _event(
    tx: Transaction, kind: str, one: Person, other: UUID, revision: int, reason: str | None, *,
    was: str | None = None, is_: str | None = None,
) -> Event:  # fmt: skip
    return Event(
        id=uuid4(), revision=revision, at=datetime.now(UTC), kind=kind, type="user", row_id=one.id, other_id=other,
        was_called=was, is_called=is_ or one.sourced_id, reason=reason, subject=tx.caller.subject, import_id=None,
        undone_at=None, undone_by=None,
    )  # fmt: skip


def _revived(known: Person, revision: int) -> Other:
    """Who was absorbed goes on from where the merge ended their record."""
    image: dict[str, Any] = {
        **known.image,
        "status": "active",
        "ended_on": None,
        "until": None,
        "since": revision,
        "revision": revision,
        "metadata": {key: value for key, value in known.image["metadata"].items() if key != "mergedInto"},
    }
    return Other(known.id, image)


async def _made(
    tx: Transaction, one: Person, theirs: Sequence[str], names: Sequence[str], new: NewName, revision: int
) -> Other:
    """Somebody who was never known apart: a record like the first one's, under a name of their own."""
    called = [name for name in names if name in theirs and name != one.sourced_id]
    name, leaves = new.sourced_id or (called[0] if called else None), None
    if one.sourced_id in names and name in (None, one.sourced_id):  # who stays has the name again that came before it
        name, leaves = one.sourced_id, await merging.former_name(tx, one.id)
    if name is None:
        raise Invalid(
            "Say what the other person is called: a sourcedId of this person's that is theirs, or sourced_id.",
            field="sourced_id",
        )
    if name == one.sourced_id and leaves is None:
        raise Invalid("This is what the person who stays is called; name the other one.", field="sourced_ids")
    if name not in theirs and await merging.find(tx, name) is not None:
        raise Invalid("Somebody else is called so.", field="sourced_id")
    image: dict[str, Any] = {
        **one.image,
        "id": str(uuid4()),
        "sourced_id": name,
        "given_name": new.given_name or one.image["given_name"],
        "family_name": new.family_name or one.image["family_name"],
        "revision": revision,
        "since": revision,
        "until": None if one.status == "active" else revision,
    }
    return Other(UUID(image["id"]), image, leaves)


async def _tell(tx: Transaction, event: UUID, people: Sequence[UUID], revision: int) -> None:
    """Whose enrolments and demographics are other than before, and who is somewhere else."""
    changed = await kept.enrolled(tx, people, revision)
    tx.announce(pb.EnrollmentsChanged, events_identity.enrolled(revision, people, changed))
    moved = await kept.moved(tx)
    cause = UUID(int=event.int ^ revision)  # an event and what takes it back are told apart
    today = (datetime.now(UTC).date() - _EPOCH).days
    tx.announce_encoded(pb.StudentsPlaced, *events.placements(cause, moved))
    tx.announce_encoded(pb.PeopleJoined, *events.people(cause, moved, "joined"))
    tx.announce_encoded(pb.PeopleMoved, *events.people(cause, moved, "moved"))
    tx.announce(pb.PeopleLeft, events.leavers(cause, moved, today))
    tx.announce_encoded(pb.DemographicsRecorded, *events.demographics(cause, await telling.demographics_of(tx, people)))
