"""Partnerships that were proposed, what both sides answered, and who is unmatched."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.partnership.domain import reasons
from services.partnership.domain.instance import Pair
from services.partnership.domain.matching import DECLARED, MEASURED, Alone, Proposed
from shared.db import Transaction


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal as it is kept."""

    id: UUID
    programme: UUID
    matching: UUID
    area: str
    host: UUID
    guest: UUID
    state: str
    reason: str
    host_basis: str
    guest_basis: str
    distance_km: float | None
    host_answer: str | None
    guest_answer: str | None
    declined_because: str | None
    proposed_at: datetime
    alternative: str | None = None


_COLUMNS = (
    "id, programme_id, matching_id, area, host_id, guest_id, state, reason, host_basis, guest_basis, distance_km, "
    "host_answer, guest_answer, declined_because, proposed_at, alternative"
)


async def add(tx: Transaction, programme: UUID, matching: UUID, proposed: Sequence[Proposed]) -> None:
    """Keep what a matching proposes."""
    await tx.run_many(
        """
        INSERT INTO proposals (id, district_id, programme_id, matching_id, area, host_id, guest_id, state, reason,
                               host_basis, guest_basis, distance_km, grounds, alternative)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'proposed', $8, $9, $10, $11, $12, $13)
        """,
        [
            (
                each.id, tx.caller.district, programme, matching, each.area, each.host, each.guest, each.reason,
                each.host_basis, each.guest_basis, each.distance_km, json.dumps(each.grounds),
                each.alternative,
            )
            for each in proposed
        ],
    )  # fmt: skip


async def add_alone(tx: Transaction, matching: UUID, alone: Sequence[Alone]) -> None:
    """Keep who has no partner, and why."""
    await tx.run_many(
        "INSERT INTO unmatched (id, district_id, matching_id, school_id, area, role, reason, alternative) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        [(a.id, tx.caller.district, matching, a.school, a.area, a.role, a.reason, a.alternative) for a in alone],
    )


async def supersede(tx: Transaction, programme: UUID) -> list[UUID]:
    """Open proposals of a programme give way to new ones; their ids."""
    rows = await tx.fetch(
        "UPDATE proposals SET state = 'superseded' WHERE programme_id = $1 AND state = 'proposed' RETURNING id",
        programme,
    )
    return sorted(row["id"] for row in rows)


async def settled(tx: Transaction, programme: UUID, state: str) -> list[Pair]:
    """The pairs of a programme that were `accepted`, or `declined`."""
    rows = await tx.fetch(
        "SELECT DISTINCT host_id, guest_id, area FROM proposals WHERE programme_id = $1 AND state = $2",
        programme, state,
    )  # fmt: skip
    return sorted((row["host_id"], row["guest_id"], row["area"]) for row in rows)


async def accepted_elsewhere(tx: Transaction, programme: UUID, areas: Sequence[str]) -> list[Pair]:
    """The pairs that were accepted in these areas in other programmes of the district; one may be in several."""
    rows = await tx.fetch(
        "SELECT host_id, guest_id, area FROM proposals WHERE programme_id <> $1 AND area = ANY ($2) "
        "AND state = 'accepted'",
        programme, areas,
    )  # fmt: skip
    return sorted((row["host_id"], row["guest_id"], row["area"]) for row in rows)


async def accepted_by(tx: Transaction, schools: Sequence[UUID], area: str) -> dict[UUID, int]:
    """How many partnerships these schools have accepted in an area, in all programmes; who has none is left out."""
    rows = await tx.fetch(
        """
        SELECT side.school_id, count(*) AS number
        FROM proposals p CROSS JOIN LATERAL (VALUES (p.host_id), (p.guest_id)) AS side (school_id)
        WHERE (p.host_id = ANY ($1) OR p.guest_id = ANY ($1)) AND p.area = $2 AND p.state = 'accepted'
          AND side.school_id = ANY ($1)
        GROUP BY side.school_id
        """,
        schools, area,
    )  # fmt: skip
    return {row["school_id"]: row["number"] for row in rows}


async def withdraw_open(tx: Transaction, school: UUID, area: str) -> list[UUID]:
    """Open proposals of a school in an area fall; their ids."""
    rows = await tx.fetch(
        """
        UPDATE proposals SET state = 'withdrawn'
        WHERE (host_id = $1 OR guest_id = $1) AND area = $2 AND state = 'proposed' RETURNING id
        """,
        school, area,
    )  # fmt: skip
    return sorted(row["id"] for row in rows)


async def forget_figures(tx: Transaction, school: UUID, area: str) -> list[UUID]:
    """Erase a school's measured figures from every proposal in an area; the ids of open ones, which fall."""
    rows = await tx.fetch(
        """
        SELECT id, state, host_id, grounds::text AS grounds FROM proposals
        WHERE area = $2 AND (host_id = $1 AND host_basis = $3 OR guest_id = $1 AND guest_basis = $3)
        ORDER BY id FOR UPDATE
        """,
        school, area, MEASURED,
    )  # fmt: skip
    fallen = []
    for row in rows:
        side = "host" if row["host_id"] == school else "guest"
        known = reasons.without_share(json.loads(row["grounds"]), side)
        state = "withdrawn" if row["state"] == "proposed" else row["state"]
        await tx.run(
            f"""
            UPDATE proposals SET state = $2, {side}_basis = $3, grounds = $4, reason = $5, alternative = NULL
            WHERE id = $1
            """,  # noqa: S608  # one of two words
            row["id"], state, DECLARED, json.dumps(known), reasons.why(known),
        )  # fmt: skip
        if state != row["state"]:
            fallen.append(row["id"])
    return fallen


async def find_for_update(tx: Transaction, id_: UUID) -> Proposal | None:
    """A proposal, held until this transaction ends."""
    row = await tx.fetchrow(f"SELECT {_COLUMNS} FROM proposals WHERE id = $1 FOR UPDATE", id_)  # noqa: S608  # our columns
    return None if row is None else _proposal(row)


async def answer(
    tx: Transaction, proposal: Proposal, school: UUID, said: str, because: str | None, state: str
) -> Proposal:
    """Keep one side's answer, and who gave it; the proposal as it is now."""
    side = "host" if school == proposal.host else "guest"
    await tx.run(
        """
        INSERT INTO answers (proposal_id, school_id, district_id, answer, because, answered_by)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (proposal_id, school_id) DO UPDATE SET answer = excluded.answer, because = excluded.because,
            answered_at = now(), answered_by = excluded.answered_by
        """,
        proposal.id, school, tx.caller.district, said, because, tx.caller.subject,
    )  # fmt: skip
    row = await tx.fetchrow(
        f"""
        UPDATE proposals SET {side}_answer = $2, state = $3,
            declined_because = CASE WHEN $2 = 'declined' THEN $4 ELSE declined_because END
        WHERE id = $1 RETURNING {_COLUMNS}
        """,  # noqa: S608  # one of two words, and our columns
        proposal.id, said, state, because,
    )  # fmt: skip
    assert row is not None, "it is held by this transaction"
    return _proposal(row)


async def by_ids(tx: Transaction, ids: Sequence[UUID]) -> list[Proposal]:
    """The proposals with these ids, by id."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM proposals WHERE id = ANY ($1) ORDER BY id", ids)  # noqa: S608  # our columns
    return [_proposal(row) for row in rows]


async def page(tx: Transaction, programme: UUID, state: str | None, first: int, after: UUID | None) -> list[Proposal]:
    """One proposal more than the page holds, if there are more; by id.

    Without a state: what the latest matching proposed, and what was accepted before it.
    """
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM proposals
        WHERE programme_id = $1 AND ($4::uuid IS NULL OR id > $4)
          AND CASE WHEN $2::text IS NULL THEN state = 'accepted' OR matching_id = ({_LATEST}) ELSE state = $2 END
        ORDER BY id LIMIT $3 + 1
        """,  # noqa: S608  # our columns
        programme, state, first, after,
    )  # fmt: skip
    return [_proposal(row) for row in rows]


_LATEST = """
    SELECT m.id FROM matchings m WHERE m.programme_id = $1 AND m.state = 'proposed'
    ORDER BY m.requested_at DESC, m.id DESC LIMIT 1
"""


async def page_of_alone(tx: Transaction, programme: UUID, first: int, after: UUID | None) -> list[Alone]:
    """Who has no partner after the latest matching: one more than the page holds, if there are more; by id."""
    rows = await tx.fetch(
        f"""
        SELECT id, school_id, area, role, reason, alternative FROM unmatched
        WHERE matching_id = ({_LATEST}) AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $2 + 1
        """,  # noqa: S608  # our own words
        programme, first, after,
    )  # fmt: skip
    return [
        Alone(row["id"], row["school_id"], row["area"], row["role"], row["reason"], row["alternative"]) for row in rows
    ]


def _proposal(row: asyncpg.Record) -> Proposal:
    values: tuple[Any, ...] = tuple(row)  # in the order of _COLUMNS, which is that of the class
    return Proposal(*values)
