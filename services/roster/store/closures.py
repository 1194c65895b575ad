"""Closures in the database: rows of a file beside what is known, what they change, and what is closed on a day."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID, uuid5

import asyncpg

from services.roster.domain.closures import Closed, Row
from services.roster.store import SOURCE
from shared.db import Transaction

_STAGED = ("line", "school", "class", "begin_on", "end_on", "modality", "reason", "withdrawn")
_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Unfit:
    """A row that does not fit the district, or a second one of the same school, class and begin."""

    line: int
    rule: str
    school: str
    class_: str | None
    earlier: int | None


@dataclass(frozen=True, slots=True)
class Changed:
    """What a row changes. `is_new`: nothing was known before."""

    closed: Closed
    withdrawn: bool
    is_new: bool


async def begin(tx: Transaction) -> None:
    """Empty stages, of this session alone."""
    await tx.temp(
        "s_closures",
        'line bigint, school text COLLATE "C", class text COLLATE "C", begin_on date, end_on date, modality text, '
        "reason text, withdrawn boolean",
    )
    await tx.temp(
        "r_closures",
        "line bigint, school text, class text, id uuid, school_id uuid, class_id uuid, begin_on date, end_on date, "
        "modality text, reason text, withdrawn boolean, rule text, earlier bigint",
    )
    await tx.temp(
        "d_closures",
        "line bigint, id uuid, school_id uuid, class_id uuid, begin_on date, end_on date, modality text, reason text, "
        "withdrawn boolean, is_new boolean",
    )


async def stage(tx: Transaction, rows: Sequence[Row]) -> None:
    """Put rows of the file beside each other."""
    await tx.copy(
        "s_closures",
        _STAGED,
        ((r.line, r.school, r.class_, r.begin, r.end, r.modality, r.reason, r.withdrawn) for r in rows),
    )


async def resolve(tx: Transaction) -> int:
    """Find which school and class each row means, and which rows do not fit; how many do not."""
    await tx.run(
        """
        INSERT INTO r_closures
        SELECT s.line, s.school, s.class, NULL, o.id, c.id, s.begin_on, s.end_on, s.modality, s.reason, s.withdrawn,
               CASE WHEN o.id IS NULL THEN 'unknown-school' WHEN o.type <> 'school' THEN 'not-a-school'
                    WHEN s.class IS NOT NULL AND c.id IS NULL THEN 'unknown-class'
                    WHEN c.school_id <> o.id THEN 'class-of-another-school' END
        FROM s_closures s
        LEFT JOIN crosswalk x ON x.district_id = $1 AND x.source = $2 AND x.type = 'org' AND x.end_on IS NULL
                             AND x.sourced_id = s.school
        LEFT JOIN orgs o ON o.district_id = $1 AND o.id = x.row_id
        LEFT JOIN crosswalk y ON y.district_id = $1 AND y.source = $2 AND y.type = 'class' AND y.end_on IS NULL
                             AND y.sourced_id = s.class
        LEFT JOIN classes c ON c.district_id = $1 AND c.id = y.row_id
        """,
        tx.caller.district, SOURCE,
    )  # fmt: skip
    rows = await tx.fetch("SELECT line, school_id, class_id, begin_on FROM r_closures WHERE rule IS NULL ORDER BY line")
    ids: dict[UUID, int] = {}
    found = []
    for row in rows:
        own = closure_id(row["school_id"], row["class_id"], row["begin_on"])
        earlier = ids.setdefault(own, row["line"])
        found.append((row["line"], own, earlier if earlier != row["line"] else None))
    if found:
        await tx.run(
            """
            UPDATE r_closures r
            SET id = f.id, earlier = f.earlier, rule = CASE WHEN f.earlier IS NOT NULL THEN 'said-twice' END
            FROM unnest($1::bigint[], $2::uuid[], $3::bigint[]) AS f (line, id, earlier) WHERE r.line = f.line
            """,
            *zip(*found, strict=True),
        )
    unfit: int = await tx.fetchval("SELECT count(*) FROM r_closures WHERE rule IS NOT NULL")
    return unfit


def closure_id(school: UUID, class_: UUID | None, begin: date) -> UUID:
    """A closure is known by its school, its class and its first day."""
    return uuid5(school, f"closure:{class_ or ''}:{begin.isoformat()}")


async def unfit(tx: Transaction, most: int) -> list[Unfit]:
    """The first rows that do not fit."""
    rows = await tx.fetch(
        "SELECT line, rule, school, class, earlier FROM r_closures WHERE rule IS NOT NULL ORDER BY line LIMIT $1", most
    )
    return [Unfit(*row) for row in rows]


async def compare(tx: Transaction) -> tuple[int, int, int]:
    """Which good rows say something else than what is known: how many are new, changed and unchanged."""
    await tx.run(
        """
        INSERT INTO d_closures
        SELECT r.line, r.id, r.school_id, r.class_id, r.begin_on, r.end_on, r.modality, r.reason, r.withdrawn,
               c.id IS NULL
        FROM r_closures r LEFT JOIN closures c ON c.district_id = $1 AND c.id = r.id
        WHERE r.rule IS NULL
          AND CASE WHEN r.withdrawn THEN c.id IS NOT NULL
                   WHEN c.id IS NULL THEN true
                   ELSE (c.end_on, c.modality, c.reason) IS DISTINCT FROM (r.end_on, r.modality, r.reason) END
        """,
        tx.caller.district,
    )
    row = await tx.fetchrow(
        """
        SELECT count(*) FILTER (WHERE is_new) AS added, count(*) FILTER (WHERE NOT is_new) AS changed,
               (SELECT count(*) FROM r_closures WHERE rule IS NULL) - count(*) AS unchanged
        FROM d_closures
        """
    )
    assert row is not None
    return row["added"], row["changed"], row["unchanged"]


async def merge(tx: Transaction) -> None:
    """Keep what changed; what was known before goes where it can still be found."""
    district = tx.caller.district
    await tx.run(
        """
        INSERT INTO closures_history
        SELECT c.*, now() FROM closures c WHERE c.district_id = $1 AND c.id IN (SELECT id FROM d_closures)
        """,
        district,
    )
    await tx.run(
        "DELETE FROM closures c USING d_closures d WHERE c.district_id = $1 AND c.id = d.id AND d.withdrawn", district
    )
    await tx.run(
        """
        INSERT INTO closures
        SELECT $1, id, school_id, class_id, begin_on, end_on, modality, reason, now()
        FROM d_closures WHERE NOT withdrawn
        ON CONFLICT (district_id, id)
        DO UPDATE SET end_on = excluded.end_on, modality = excluded.modality, reason = excluded.reason,
            recorded_at = excluded.recorded_at
        """,
        district,
    )


async def changed(tx: Transaction) -> AsyncIterator[list[Changed]]:
    """What changed, in the order of the file, some at a time."""
    after = 0
    while rows := await tx.fetch(
        "SELECT * FROM d_closures WHERE line > $1 ORDER BY line LIMIT $2", after, _AT_ONCE
    ):  # fmt: skip
        yield [Changed(_closed(row), row["withdrawn"], row["is_new"]) for row in rows]
        after = rows[-1]["line"]


async def not_over(tx: Transaction) -> AsyncIterator[list[Closed]]:
    """What is closed today or will be, some at a time."""
    cursor = await tx.connection.cursor(
        """
        SELECT id, school_id, class_id, begin_on, end_on, modality, reason FROM closures
        WHERE end_on IS NULL OR end_on > current_date
        """
    )
    while rows := await cursor.fetch(_AT_ONCE):
        yield [_closed(row) for row in rows]


async def on_a_day(tx: Transaction, schools: Sequence[UUID], day: date, known_on: date | None) -> list[Closed]:
    """What is closed on a day of these schools and their classes; as it was known at another day's end."""
    rows = await tx.fetch(
        """
        SELECT id, school_id, class_id, begin_on, end_on, modality, reason FROM (
            SELECT *, NULL::timestamptz AS replaced_at FROM closures
            UNION ALL SELECT * FROM closures_history WHERE $4
        ) AS every
        WHERE district_id = $1 AND school_id = ANY ($2::uuid[]) AND begin_on <= $3 AND (end_on IS NULL OR end_on > $3)
          AND (NOT $4 OR recorded_at < $5::date + 1 AND (replaced_at IS NULL OR replaced_at >= $5::date + 1))
        ORDER BY school_id, class_id NULLS FIRST, begin_on
        """,
        tx.caller.district, schools, day, known_on is not None, known_on or day,
    )  # fmt: skip
    return [_closed(row) for row in rows]


def _closed(row: asyncpg.Record) -> Closed:
    return Closed(
        row["id"], row["school_id"], row["class_id"], row["begin_on"], row["end_on"], row["modality"], row["reason"]
    )  # fmt: skip
