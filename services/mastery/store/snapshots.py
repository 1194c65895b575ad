"""Snapshots: when they are due, what they count, what they publish and what they withhold."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import numpy as np

from services.mastery.domain.figures import Figures
from services.mastery.domain.organisations import Tree
from services.mastery.domain.suppression import UNKNOWN, Before, Bools, Withheld
from services.mastery.store import ids
from shared.db import Transaction

_ROWS_AT_ONCE = 5_000
_TAKING = 0x736E_6170
"""Names the advisory lock; "snap"."""
_NEXT_NIGHT = """
    (date_trunc('day', now() AT TIME ZONE 'UTC' - interval '2 hours') + interval '1 day 2 hours') AT TIME ZONE 'UTC'
"""
KEPT_DAYS = 7
KEPT_MONTHS = 24


@dataclass(frozen=True, slots=True)
class Believed:
    """Some students, in parallel: where they are placed, and the packed columns of what is believed of them."""

    placed: list[bytes]
    competencies: list[bytes]
    probabilities: list[bytes]


@dataclass(frozen=True, slots=True)
class Due:
    """A district a snapshot is due of, and the latest moment at which one was."""

    district: UUID
    by: datetime


async def plan(tx: Transaction, moments: Sequence[datetime]) -> None:
    """A snapshot of the caller's district is due at each of these moments."""
    await tx.run(
        """
        INSERT INTO stage.snapshots_due (district_id, due_at)
        SELECT current_setting('app.district')::uuid, due FROM unnest($1::timestamptz[]) AS due
        ON CONFLICT DO NOTHING
        """,
        sorted(set(moments)),
    )


async def plan_tonight(tx: Transaction) -> None:
    """A snapshot of the caller's district is due at the next 02:00 UTC."""
    await tx.run(
        f"""
        INSERT INTO stage.snapshots_due (district_id, due_at)
        VALUES (current_setting('app.district')::uuid, {_NEXT_NIGHT}) ON CONFLICT DO NOTHING
        """  # noqa: S608  # a constant
    )


async def ask(tx: Transaction) -> None:
    """A snapshot of the caller's district is due now; who takes them is told."""
    await tx.run(
        """
        INSERT INTO stage.snapshots_due (district_id, due_at)
        VALUES (current_setting('app.district')::uuid, now()) ON CONFLICT DO NOTHING
        """
    )
    await tx.run("SELECT pg_notify('snapshots', '')")


async def districts_due(tx: Transaction) -> list[Due]:
    """The districts a snapshot is due of, the longest waiting first."""
    rows = await tx.fetch(
        """
        SELECT district_id, max(due_at) AS by FROM stage.snapshots_due WHERE due_at <= now()
        GROUP BY district_id ORDER BY min(due_at), district_id
        """
    )
    return [Due(row["district_id"], row["by"]) for row in rows]


async def put_off(tx: Transaction, by: datetime, wait: timedelta) -> None:
    """What was due of the caller's district by this moment is due once, later. What was asked for since stays due."""
    if await tx.changed(
        "DELETE FROM stage.snapshots_due WHERE district_id = current_setting('app.district')::uuid AND due_at <= $1", by
    ):
        await tx.run(
            """
            INSERT INTO stage.snapshots_due (district_id, due_at)
            VALUES (current_setting('app.district')::uuid, clock_timestamp() + $1::interval) ON CONFLICT DO NOTHING
            """,
            wait,
        )


async def take(tx: Transaction) -> bool:
    """Whether a snapshot of the caller's district is due and nobody else is taking one; it is ours until the commit."""
    if not await tx.fetchval(
        "SELECT pg_try_advisory_xact_lock($1, hashtext(current_setting('app.district')))", _TAKING
    ):
        return False
    rows = await tx.fetch(
        """
        SELECT due_at FROM stage.snapshots_due
        WHERE district_id = current_setting('app.district')::uuid AND due_at <= now() FOR UPDATE SKIP LOCKED
        """
    )
    return bool(rows)


async def believed(tx: Transaction) -> AsyncIterator[Believed]:
    """Every student with evidence and a place today, some thousands at a time; one statement, so of one moment.

    A student who is placed in several organisations counts in the first.
    """
    cursor = await tx.connection.cursor(
        """
        SELECT uuid_send(p.school_id) AS placed, m.competencies, m.probabilities
        FROM mastery m
        JOIN (
            SELECT DISTINCT ON (student_id) student_id, school_id FROM placements
            WHERE (begin_on IS NULL OR begin_on <= current_date) AND (end_on IS NULL OR end_on > current_date)
            ORDER BY student_id, ordinal
        ) p USING (student_id)
        WHERE m.competencies <> ''
        """
    )
    while rows := await cursor.fetch(_ROWS_AT_ONCE):
        yield Believed(*(list(column) for column in zip(*rows, strict=True)))


async def before(tx: Transaction, tree: Tree, competencies: Sequence[bytes]) -> list[Before]:
    """What the latest snapshot said of each competency; nothing when there was none."""
    latest = await tx.fetchval("SELECT id FROM snapshots ORDER BY taken_at DESC, id LIMIT 1")
    if latest is None:
        return [Before.nothing(len(tree)) for _ in competencies]
    place = {(id_, own): number for number, (id_, own) in enumerate(zip(tree.ids, tree.is_own, strict=True))}
    column = {one: number for number, one in enumerate(competencies)}
    learners = np.zeros((len(competencies), len(tree)), dtype=np.int64)
    learners[:, np.array(tree.is_own, dtype=np.bool_)] = UNKNOWN
    said = await tx.fetch(
        """
        SELECT uuid_send(organisation_id) AS organisation, uuid_send(competency_id) AS competency,
               coalesce(learners, $2) AS learners
        FROM snapshot_areas WHERE snapshot_id = $1
        """,
        latest, UNKNOWN,
    )  # fmt: skip
    for organisation, competency, count in said:
        if competency in column and (organisation, False) in place:
            learners[column[competency], place[organisation, False]] = count
    withheld: list[list[Withheld]] = [[] for _ in competencies]
    gone: list[set[int]] = [set() for _ in competencies]
    rows = await tx.fetch(
        """
        SELECT uuid_send(competency_id) AS competency, uuid_send(organisation_id) AS organisation, is_own,
               layer, learners, in_need, others
        FROM withheld ORDER BY competency_id, organisation_id, is_own
        """
    )
    for competency, organisation, own, layer, count, in_need, others in rows:
        if competency in column:
            if (at := place.get((organisation, own))) is not None:
                withheld[column[competency]].append(Withheld(at, layer, count, in_need, others))
            elif layer is not None:
                gone[column[competency]].add(layer)
    return [
        Before(counts, tuple(some), frozenset(layers))
        for counts, some, layers in zip(learners, withheld, gone, strict=True)
    ]


async def save(
    tx: Transaction,
    id_: UUID,
    tree: Tree,
    figures: Figures,
    hidden: Bools,
    withheld: Sequence[Sequence[Withheld]],
    *,
    threshold: int,
    model_version: str,
) -> None:
    """Keep a snapshot, and what it withholds in place of what the one before withheld."""
    await tx.run(
        """
        INSERT INTO snapshots (district_id, id, taken_at, threshold, model_version)
        VALUES (current_setting('app.district')::uuid, $1, clock_timestamp(), $2, $3)
        """,
        id_, threshold, model_version,
    )  # fmt: skip
    is_cell = (figures.learners > 0) & ~np.array(tree.is_own, dtype=np.bool_)[:, None]
    places, columns = np.nonzero(is_cell)
    is_hidden = hidden[places, columns]

    def shown(values: np.ndarray[tuple[int, int], np.dtype[np.float64] | np.dtype[np.int64]]) -> list[float | None]:
        told = values[places, columns].tolist()
        return [None if no else one for one, no in zip(told, is_hidden.tolist(), strict=True)]

    await tx.run(
        """
        INSERT INTO snapshot_areas (
            district_id, snapshot_id, organisation_id, competency_id, is_school, learners, strength, need, suppressed)
        SELECT current_setting('app.district')::uuid, $1, *
        FROM unnest($2::uuid[], $3::uuid[], $4::boolean[], $5::integer[], $6::float8[], $7::float8[], $8::boolean[])
        """,
        id_,
        ids(tree.ids[place] for place in places.tolist()),
        ids(figures.competencies[column] for column in columns.tolist()),
        [tree.is_school[place] for place in places.tolist()],
        shown(figures.learners),
        shown(figures.strength),
        shown(figures.need),
        is_hidden.tolist(),
    )
    kept = [(competency, one) for competency, some in zip(figures.competencies, withheld, strict=True) for one in some]
    await tx.run("DELETE FROM withheld WHERE competency_id = ANY ($1::uuid[])", ids(figures.competencies))
    await tx.run(
        """
        INSERT INTO withheld (
            district_id, competency_id, organisation_id, is_own, layer, learners, in_need, others)
        SELECT current_setting('app.district')::uuid, *
        FROM unnest($1::uuid[], $2::uuid[], $3::boolean[], $4::integer[], $5::integer[], $6::integer[], $7::integer[])
        """,
        ids(competency for competency, _ in kept),
        ids(tree.ids[one.place] for _, one in kept),
        [tree.is_own[one.place] for _, one in kept],
        [one.layer for _, one in kept],
        [one.learners for _, one in kept],
        [one.in_need for _, one in kept],
        [one.others for _, one in kept],
    )


async def finish(tx: Transaction) -> None:
    """What was due is done, the next night's is due, and snapshots nobody looks back to are forgotten.

    Kept are those of the last week, and of the last two years the last of every month.
    """
    await tx.run(
        "DELETE FROM stage.snapshots_due WHERE district_id = current_setting('app.district')::uuid AND due_at <= now()"
    )
    await plan_tonight(tx)
    rows = await tx.fetch(
        """
        SELECT id FROM (
            SELECT id, taken_at, row_number() OVER (
                PARTITION BY date_trunc('month', taken_at AT TIME ZONE 'UTC') ORDER BY taken_at DESC) AS from_last
            FROM snapshots) AS s
        WHERE taken_at < now() - make_interval(days => $1)
          AND (from_last > 1 OR taken_at < now() - make_interval(months => $2))
        """,
        KEPT_DAYS, KEPT_MONTHS,
    )  # fmt: skip
    old = [row["id"] for row in rows]
    await tx.run("DELETE FROM snapshot_areas WHERE snapshot_id = ANY ($1::uuid[])", old)
    await tx.run("DELETE FROM snapshots WHERE id = ANY ($1::uuid[])", old)


@dataclass(frozen=True, slots=True)
class Area:
    """A published figure."""

    organisation: UUID
    competency: UUID
    learners: int | None
    strength: float | None
    need: float | None
    suppressed: bool


async def areas(
    tx: Transaction, organisations: Sequence[UUID], within: Sequence[UUID] | None
) -> tuple[datetime | None, list[Area]]:
    """What the latest snapshot says of these organisations, by organisation, competency's code and id.

    `within`: of these competencies and all below them in their frameworks; None is every one.
    """
    tx.caller.need("mastery:read")
    tx.caller.refuse_accountability()
    latest = await tx.fetchrow("SELECT id, taken_at FROM snapshots ORDER BY taken_at DESC, id LIMIT 1")
    if latest is None:
        return None, []
    rows = await tx.fetch(
        """
        WITH RECURSIVE chosen AS (
            SELECT unnest($3::uuid[]) AS id
            UNION SELECT a.origin_id FROM associations a JOIN chosen ON a.destination_id = chosen.id
            WHERE a.type = 'isChildOf'
        )
        SELECT a.organisation_id, a.competency_id, a.learners, a.strength, a.need, a.suppressed
        FROM snapshot_areas a LEFT JOIN competencies c ON c.id = a.competency_id
        WHERE a.snapshot_id = $1 AND a.organisation_id = ANY ($2::uuid[])
          AND ($3::uuid[] IS NULL OR a.competency_id IN (SELECT id FROM chosen))
        ORDER BY a.organisation_id, c.code COLLATE "C" NULLS LAST, a.competency_id
        """,
        latest["id"], organisations, within,
    )  # fmt: skip
    return latest["taken_at"], [Area(*row) for row in rows]


async def state(tx: Transaction) -> tuple[datetime | None, datetime | None]:
    """When the latest snapshot of the caller's district was taken, and when the next is due."""
    tx.caller.need("mastery:read")
    tx.caller.refuse_accountability()
    row = await tx.fetchrow(
        """
        SELECT (SELECT max(taken_at) FROM snapshots) AS taken_at,
               (SELECT min(due_at) FROM stage.snapshots_due
                WHERE district_id = current_setting('app.district')::uuid) AS due_at
        """
    )
    assert row is not None
    return row["taken_at"], row["due_at"]
