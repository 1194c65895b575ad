"""Whom the roster has said to be one person, as far as this service has heard.

The service `assessment` keeps the same in the same words, and that is meant: each hears the roster for itself, and
can be changed without the other.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.db import Transaction

_LOCK = 0x6D65_7267
"""Names the advisory lock of a district's mergers."""


@dataclass(frozen=True, slots=True)
class Merger:
    """`absorbed` is `person`, or `holds` no longer; of two about a pair the higher revision counts."""

    absorbed: UUID
    person: UUID
    revision: int
    holds: bool


async def hold(tx: Transaction, *, to_change: bool) -> None:
    """Nobody is merged until this transaction ends; who changes it waits for all who look."""
    lock = "pg_advisory_xact_lock" if to_change else "pg_advisory_xact_lock_shared"
    await tx.run(f"SELECT {lock}($1, hashtext($2))", _LOCK, str(tx.caller.district))  # one of two names


async def save(tx: Transaction, mergers: Sequence[Merger]) -> None:
    """Keep the latest word on each pair, in whatever order it comes."""
    latest: dict[tuple[UUID, UUID], Merger] = {}
    for one in mergers:
        key = one.absorbed, one.person
        if key not in latest or latest[key].revision < one.revision:
            latest[key] = one
    await tx.run(
        """
        INSERT INTO mergers AS known (district_id, absorbed_id, person_id, revision, holds)
        SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::boolean[])
        ON CONFLICT (district_id, absorbed_id, person_id) DO UPDATE
        SET revision = excluded.revision, holds = excluded.holds WHERE known.revision < excluded.revision
        """,
        tx.caller.district,
        [one.absorbed for one in latest.values()],
        [one.person for one in latest.values()],
        [one.revision for one in latest.values()],
        [one.holds for one in latest.values()],
    )


async def whom(tx: Transaction, students: Collection[UUID]) -> dict[UUID, UUID]:
    """Whom those of these students are now who were absorbed; the others are left out.

    Whoever absorbed them may have been absorbed as well. While not all has been heard there may be a circle: nobody in
    it is somebody else then.
    """
    if not await tx.fetchval(
        "SELECT EXISTS (SELECT FROM mergers WHERE absorbed_id = ANY ($1::uuid[]) AND holds)", students
    ):
        return {}
    rows = await tx.fetch(
        """
        WITH RECURSIVE latest AS (
            SELECT DISTINCT ON (absorbed_id) absorbed_id, person_id FROM mergers WHERE holds
            ORDER BY absorbed_id, revision DESC, person_id
        ),
        chain AS (
            SELECT absorbed_id AS origin, person_id AS now, ARRAY[absorbed_id] AS path FROM latest
            WHERE absorbed_id = ANY ($1::uuid[])
            UNION ALL
            SELECT chain.origin, latest.person_id, chain.path || latest.absorbed_id
            FROM chain JOIN latest ON latest.absorbed_id = chain.now WHERE latest.absorbed_id <> ALL (chain.path)
        )
        SELECT DISTINCT ON (origin) origin, CASE WHEN now = ANY (path) THEN origin ELSE now END AS now
        FROM chain ORDER BY origin, cardinality(path) DESC
        """,
        students,
    )
    return {row["origin"]: row["now"] for row in rows if row["now"] != row["origin"]}


async def concerned(tx: Transaction, students: Collection[UUID]) -> list[UUID]:
    """Everybody whom mergers, of now or of before, link with one of these."""
    rows = await tx.fetch(
        """
        WITH RECURSIVE linked (id) AS (
            SELECT unnest($1::uuid[])
            UNION
            SELECT CASE WHEN m.absorbed_id = linked.id THEN m.person_id ELSE m.absorbed_id END
            FROM linked JOIN mergers m ON m.absorbed_id = linked.id OR m.person_id = linked.id
        )
        SELECT id FROM linked ORDER BY id
        """,
        students,
    )
    return [row["id"] for row in rows]


async def move_sheets(tx: Transaction, students: Sequence[UUID]) -> list[UUID]:
    """The evidence of these students is whose they are now; who has other evidence than before."""
    now = await whom(tx, students)
    rows = await tx.fetch(
        """
        WITH moved AS (
            UPDATE sheets s SET student_id = w.now, origin_id = NULLIF(w.origin, w.now)
            FROM sheets was JOIN unnest($1::uuid[], $2::uuid[]) AS w (origin, now)
                ON COALESCE(was.origin_id, was.student_id) = w.origin
            WHERE was.student_id = ANY ($1) AND was.student_id <> w.now
              AND (s.student_id, s.attempt_id) = (was.student_id, was.attempt_id)
            RETURNING was.student_id AS was, w.now AS now
        )
        SELECT was AS student FROM moved UNION SELECT now FROM moved ORDER BY 1
        """,
        students, [now.get(one, one) for one in students],
    )  # fmt: skip
    return [row["student"] for row in rows]
