"""What became of identities, kept in order, and what a person has to decide."""

# ruff: noqa: S608  # the names put into SQL are constants of ours

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.roster.store import SOURCE
from shared.db import Transaction
from shared.errors import NotFound

_EVENT = """
    id, revision, at, kind, type, row_id, other_id, was_called, is_called, reason, subject, import_id, undone_at,
    undone_by
"""


class NoSuchEvent(NotFound):
    """There is no such event."""


class NoSuchReview(NotFound):
    """There is no such review."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that became of an identity: reattached, merged or split."""

    id: UUID
    revision: int
    at: datetime
    kind: str
    type: str
    row_id: UUID
    other_id: UUID | None
    was_called: str | None
    is_called: str | None
    reason: str | None
    subject: str
    import_id: UUID | None
    undone_at: datetime | None
    undone_by: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody as whoever decides needs to see them."""

    id: UUID
    sourced_id: str
    status: str
    given_name: str
    family_name: str
    birth_on: str | None
    identifier: str | None
    state_id: str | None
    schools: list[str]


@dataclass(frozen=True, slots=True)
class Review:
    """Somebody new, and the somebody known who may be the same."""

    id: UUID
    found_at: datetime
    import_id: UUID
    reason: str
    agrees: list[str]
    differs: list[str]
    decision: str | None
    decided_at: datetime | None
    newcomer: Known | None
    candidate: Known | None


async def keep(tx: Transaction, event: Event) -> None:
    """Write an event down."""
    await tx.run(
        f"""
        INSERT INTO identity_events (district_id, {_EVENT})
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        """,
        tx.caller.district, event.id, event.revision, event.at, event.kind, event.type, event.row_id, event.other_id,
        event.was_called, event.is_called, event.reason, event.subject, event.import_id, event.undone_at,
        event.undone_by,
    )  # fmt: skip


async def get(tx: Transaction, id_: UUID) -> Event:
    """One event, held until the end."""
    row = await tx.fetchrow(f"SELECT {_EVENT} FROM identity_events WHERE id = $1 FOR UPDATE", id_)
    if row is None:
        raise NoSuchEvent
    return Event(*row)


async def later(tx: Transaction, event: Event) -> UUID | None:
    """A later event of the same people that still holds; it has to be taken back first."""
    found: UUID | None = await tx.fetchval(
        """
        SELECT id FROM identity_events
        WHERE undone_at IS NULL AND id <> $1 AND at > $2 AND (row_id = ANY ($3) OR other_id = ANY ($3))
        ORDER BY at DESC LIMIT 1
        """,
        event.id, event.at, [one for one in (event.row_id, event.other_id) if one],
    )  # fmt: skip
    return found


async def mark_undone(tx: Transaction, id_: UUID) -> None:
    """This event does not hold any more."""
    await tx.run(
        "UPDATE identity_events SET undone_at = clock_timestamp(), undone_by = $2 WHERE id = $1", id_, tx.caller.subject
    )
    await tx.run(
        "UPDATE identity_reviews SET decision = NULL, decided_at = NULL, decided_by = NULL, event_id = NULL"
        " WHERE event_id = $1",
        id_,
    )


async def list_events(tx: Transaction, first: int, after: UUID | None) -> list[Event]:
    """Events, the latest first; so many after one, and one more where there are more."""
    rows = await tx.fetch(
        f"""
        SELECT {_EVENT} FROM identity_events
        WHERE $2::uuid IS NULL OR (at, id) < (SELECT e.at, e.id FROM identity_events e WHERE e.id = $2)
        ORDER BY at DESC, id DESC LIMIT $1 + 1
        """,
        first, after,
    )  # fmt: skip
    return [Event(*row) for row in rows]


_KNOWN = """
    SELECT json_build_object(
        'id', p.id, 'sourced_id', p.sourced_id, 'status', p.status, 'given_name', p.given_name,
        'family_name', p.family_name, 'birth_on', d.birth_on, 'identifier', p.identifier,
        'state_id', p.user_master_identifier,
        'schools', ARRAY(SELECT DISTINCT o.name FROM (
            SELECT e.school_id FROM enrollments e WHERE e.person_id = p.id
            UNION SELECT r.org_id FROM roles r WHERE r.person_id = p.id) AS at JOIN orgs o ON o.id = at.school_id
            ORDER BY o.name))::text
    FROM people p LEFT JOIN demographics d ON d.person_id = p.id
"""
_REVIEW = f"""
    SELECT r.id, r.found_at, r.import_id, r.reason, r.agrees, r.differs, r.decision, r.decided_at,
           ({_KNOWN} WHERE p.id = (
               SELECT c.row_id FROM crosswalk c WHERE c.source = '{SOURCE}' AND c.type = 'user'
                   AND c.sourced_id = r.sourced_id AND c.end_on IS NULL)) AS newcomer,
           ({_KNOWN} WHERE p.id = COALESCE(
               (SELECT m.person_id FROM mergers m WHERE m.absorbed_id = r.candidate_id), r.candidate_id)) AS candidate
    FROM identity_reviews r
"""


async def list_reviews(tx: Transaction, first: int, after: UUID | None, *, decided: bool) -> list[Review]:
    """Reviews, the oldest first; so many after one, and one more where there are more."""
    rows = await tx.fetch(
        f"""
        {_REVIEW}
        WHERE (r.decision IS NOT NULL) = $3
          AND ($2::uuid IS NULL
               OR (r.found_at, r.id) > (SELECT s.found_at, s.id FROM identity_reviews s WHERE s.id = $2))
        ORDER BY r.found_at, r.id LIMIT $1 + 1
        """,
        first, after, decided,
    )  # fmt: skip
    return [_review(row) for row in rows]


async def review(tx: Transaction, id_: UUID) -> Review:
    """One review, held until the end."""
    row = await tx.fetchrow(f"{_REVIEW} WHERE r.id = $1 FOR UPDATE OF r", id_)
    if row is None:
        raise NoSuchReview
    return _review(row)


def _review(row: Any) -> Review:
    said = dict(row.items())
    return Review(**{**said, "newcomer": _known(said["newcomer"]), "candidate": _known(said["candidate"])})


def _known(said: str | None) -> Known | None:
    if said is None:
        return None
    known = json.loads(said)
    return Known(**{**known, "id": UUID(known["id"])})


async def decide(tx: Transaction, id_: UUID, decision: str, event: UUID | None) -> None:
    """Note what a person has decided."""
    await tx.run(
        """
        UPDATE identity_reviews SET decision = $2, decided_at = clock_timestamp(), decided_by = $3, event_id = $4
        WHERE id = $1
        """,
        id_, decision, tx.caller.subject, event,
    )  # fmt: skip


async def enrolled(tx: Transaction, people: Sequence[UUID], revision: int) -> list[Any]:
    """Enrolments of these people that a revision changed, as their facts need them."""
    return await tx.fetch(
        """
        SELECT sourced_id, person_id, class_id, school_id, role, begin_on, end_on, status FROM enrollments
        WHERE person_id = ANY ($1) AND revision = $2 ORDER BY sourced_id
        """,
        people, revision,
    )  # fmt: skip


async def moved(tx: Transaction) -> list[Any]:
    """Who is somewhere else than before, as `placing` has left it."""
    return await tx.fetch("SELECT uuid_send(person_id), as_student, what, day, places FROM moved ORDER BY person_id")
