"""Matchings, what they are computed from, and which are due."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from shared.db import Transaction

STEPS = 3
"""The inputs are frozen, the matching is solved, the proposals are written."""


@dataclass(frozen=True, slots=True)
class Matching:
    """A matching and how far it is."""

    id: UUID
    programme: UUID
    state: str
    requested_at: datetime
    finished_at: datetime | None
    done: int
    total: int
    proposals: int
    unmatched: int
    explanation: str | None
    snapshot_at: datetime | None
    weight: int | None = None
    bound: int | None = None
    method: str | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a choice weighs, what none weighs more than, and how that is known."""

    weight: int
    bound: int
    method: str | None


@dataclass(frozen=True, slots=True)
class Due:
    """A matching that waits for its turn, and for whom."""

    matching: UUID
    district: UUID


async def unfinished(tx: Transaction, programme: UUID) -> Matching | None:
    """The matching of a programme that is under way; asked under `willingness.serialise`, so that there is one."""
    row = await tx.fetchrow(
        "SELECT * FROM matchings WHERE programme_id = $1 AND state IN ('queued', 'solving')", programme
    )
    return None if row is None else _matching(row)


async def add(tx: Transaction, id_: UUID, programme: UUID) -> Matching:
    """A new matching, due now."""
    row = await tx.fetchrow(
        """
        INSERT INTO matchings
            (id, district_id, programme_id, state, requested_by, done, total, proposals, unmatched)
        VALUES ($1, $2, $3, 'queued', $4, 0, $5, 0, 0) RETURNING *
        """,
        id_, tx.caller.district, programme, tx.caller.subject, STEPS,
    )  # fmt: skip
    await tx.run("INSERT INTO stage.matchings_due (matching_id, district_id) VALUES ($1, $2)", id_, tx.caller.district)
    await tx.run("SELECT pg_notify('matchings', '')")
    assert row is not None, "it was just made"
    return _matching(row)


async def latest(tx: Transaction, programmes: Sequence[UUID]) -> list[Matching]:
    """The matching of each of these programmes that was asked for last."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT ON (programme_id) * FROM matchings
        WHERE programme_id = ANY ($1) ORDER BY programme_id, requested_at DESC, id DESC
        """,
        programmes,
    )
    return [_matching(row) for row in rows]


async def find_for_update(tx: Transaction, id_: UUID) -> Matching | None:
    """A matching, held until this transaction ends."""
    row = await tx.fetchrow("SELECT * FROM matchings WHERE id = $1 FOR UPDATE", id_)
    return None if row is None else _matching(row)


async def inputs(tx: Transaction, id_: UUID) -> str | None:
    """The frozen inputs, as JSON."""
    kept: str | None = await tx.fetchval("SELECT inputs::text FROM matching_inputs WHERE matching_id = $1", id_)
    return kept


async def freeze(tx: Transaction, id_: UUID, kept: str, snapshot_at: datetime | None) -> None:
    """From here on the matching is computed from these inputs, however often it is begun."""
    await tx.run(
        "INSERT INTO matching_inputs (matching_id, district_id, inputs) VALUES ($1, $2, $3)",
        id_, tx.caller.district, kept,
    )  # fmt: skip
    await tx.run("UPDATE matchings SET state = 'solving', done = 1, snapshot_at = $2 WHERE id = $1", id_, snapshot_at)


async def thaw(tx: Transaction, id_: UUID) -> None:
    """What the matching was computed from does not hold any more: it begins again, now."""
    await tx.run("DELETE FROM matching_inputs WHERE matching_id = $1", id_)
    await tx.run("UPDATE matchings SET state = 'queued', done = 0, snapshot_at = NULL WHERE id = $1", id_)


async def thaw_measured(tx: Transaction, taken_back: Sequence[tuple[UUID, str]]) -> None:
    """Whatever is frozen with measured figures of these schools and areas begins again without them.

    For a caller of the whole district: nobody else sees frozen inputs.
    """
    rows = await tx.fetch(
        """
        SELECT m.id FROM matchings m JOIN matching_inputs i ON i.matching_id = m.id
        WHERE m.state = 'solving' AND EXISTS (
            SELECT 1 FROM jsonb_to_recordset(i.inputs -> 'willing') AS w (school uuid, area text, share float8)
            JOIN unnest($1::uuid[], $2::text[]) AS back (school, area) USING (school, area)
            WHERE w.share IS NOT NULL)
        ORDER BY m.id FOR UPDATE OF m
        """,
        [school for school, _ in taken_back], [area for _, area in taken_back],
    )  # fmt: skip
    for row in rows:
        await thaw(tx, row["id"])


async def note_solved(tx: Transaction, id_: UUID) -> None:
    """Only writing is left."""
    await tx.run("UPDATE matchings SET done = 2 WHERE id = $1 AND state = 'solving'", id_)


async def finish(
    tx: Transaction,
    id_: UUID,
    state: str,
    *,
    proposals: int = 0,
    unmatched: int = 0,
    explanation: str | None = None,
    certificate: Certificate | None = None,
) -> None:
    """The matching is over. Its inputs go: figures of schools are not kept longer than they are needed."""
    await tx.run(
        """
        UPDATE matchings SET state = $2, proposals = $3, unmatched = $4, explanation = $5, finished_at = now(),
            done = CASE WHEN $2 = 'failed' THEN done ELSE total END, weight = $6, bound = $7, method = $8
        WHERE id = $1
        """,
        id_, state, proposals, unmatched, explanation, *(
            (certificate.weight, certificate.bound, certificate.method) if certificate else (None, None, None)
        ),
    )  # fmt: skip
    await tx.run("DELETE FROM matching_inputs WHERE matching_id = $1", id_)
    await forget(tx, id_)


async def forget(tx: Transaction, id_: UUID) -> None:
    """The matching is not due."""
    await tx.run("DELETE FROM stage.matchings_due WHERE matching_id = $1", id_)


async def next_due(tx: Transaction) -> Due | None:
    """The matching that has waited longest."""
    row = await tx.fetchrow(
        """
        SELECT matching_id, district_id FROM stage.matchings_due WHERE due_at <= now()
        ORDER BY due_at, matching_id LIMIT 1
        """
    )
    return None if row is None else Due(row["matching_id"], row["district_id"])


async def put_off(tx: Transaction, id_: UUID, wait: timedelta) -> None:
    """Later: something it needs is away."""
    await tx.run("UPDATE stage.matchings_due SET due_at = now() + $2::interval WHERE matching_id = $1", id_, wait)


def _matching(row: asyncpg.Record) -> Matching:
    return Matching(
        row["id"], row["programme_id"], row["state"], row["requested_at"], row["finished_at"], row["done"],
        row["total"], row["proposals"], row["unmatched"], row["explanation"], row["snapshot_at"], row["weight"],
        row["bound"], row["method"],
    )  # fmt: skip
