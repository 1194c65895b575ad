"""Attendance in the database: rows of a file beside what is known, what they change, and what is asked of it."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import asyncpg

from services.roster.domain.attendance import Recorded, Row
from services.roster.store import SOURCE
from shared.db import Transaction

_STAGED = ("line", "student", "day", "school", "code", "modality", "withdrawn")
_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True)
class Unfit:
    """A row that does not fit the district, or a second one of the same student, day and school."""

    line: int
    rule: str
    student: str
    school: str
    earlier: int | None


@dataclass(frozen=True, slots=True)
class Changed:
    """What a row changed, ready to be said: ids as bytes, the day in days since 1970-01-01."""

    student: bytes
    school: bytes
    day: int
    code: str
    modality: str
    withdrawn: bool


async def begin(tx: Transaction) -> None:
    """Empty stages, of this session alone."""
    await tx.temp(
        "s_attendance",
        'line bigint, student text COLLATE "C", day date, school text COLLATE "C", code text, modality text, '
        "withdrawn boolean",
    )
    await tx.temp(
        "r_attendance",
        "line bigint, student text, school text, person_id uuid, day date, school_id uuid, code text, modality text, "
        "withdrawn boolean, rule text, earlier bigint",
    )
    await tx.temp(
        "d_attendance",
        "line bigint, person_id uuid, day date, school_id uuid, code text, modality text, withdrawn boolean, "
        "is_new boolean",
    )


async def stage(tx: Transaction, rows: Sequence[Row]) -> None:
    """Put rows of the file beside each other."""
    await tx.copy(
        "s_attendance", _STAGED, ((r.line, r.student, r.day, r.school, r.code, r.modality, r.withdrawn) for r in rows)
    )


async def resolve(tx: Transaction) -> int:
    """Find whom and which school each row means, and which rows do not fit; how many do not."""
    await tx.run("ANALYZE s_attendance")
    await tx.run(
        """
        INSERT INTO r_attendance
        SELECT s.line, s.student, s.school, p.id, s.day, o.id, s.code, s.modality, s.withdrawn,
               CASE WHEN p.id IS NULL THEN 'unknown-student' WHEN o.id IS NULL THEN 'unknown-school'
                    WHEN o.type <> 'school' THEN 'not-a-school' END
        FROM s_attendance s
        LEFT JOIN crosswalk x ON x.district_id = $1 AND x.source = $2 AND x.type = 'user' AND x.end_on IS NULL
                             AND x.sourced_id = s.student
        LEFT JOIN people p ON p.district_id = $1 AND p.id = x.row_id AND p.is_student
        LEFT JOIN crosswalk y ON y.district_id = $1 AND y.source = $2 AND y.type = 'org' AND y.end_on IS NULL
                             AND y.sourced_id = s.school
        LEFT JOIN orgs o ON o.district_id = $1 AND o.id = y.row_id
        """,
        tx.caller.district, SOURCE,
    )  # fmt: skip
    await tx.run(
        """
        UPDATE r_attendance r SET rule = 'recorded-twice', earlier = t.earlier
        FROM (SELECT line, first_value(line) OVER (PARTITION BY person_id, day, school_id ORDER BY line) AS earlier
              FROM r_attendance WHERE rule IS NULL) AS t
        WHERE t.line = r.line AND t.line <> t.earlier
        """
    )
    await tx.run("ANALYZE r_attendance")
    unfit: int = await tx.fetchval("SELECT count(*) FROM r_attendance WHERE rule IS NOT NULL")
    return unfit


async def unfit(tx: Transaction, most: int) -> list[Unfit]:
    """The first rows that do not fit."""
    rows = await tx.fetch(
        "SELECT line, rule, student, school, earlier FROM r_attendance WHERE rule IS NOT NULL ORDER BY line LIMIT $1",
        most,
    )
    return [Unfit(*row) for row in rows]


async def codes(tx: Transaction) -> dict[str, int]:
    """How many good rows have each code."""
    rows = await tx.fetch("SELECT code, count(*) FROM r_attendance WHERE rule IS NULL AND NOT withdrawn GROUP BY code")
    return {row["code"]: row["count"] for row in rows}


async def compare(tx: Transaction) -> tuple[int, int, int]:
    """Which good rows say something else than what is known: how many are new, changed and unchanged."""
    await tx.run(
        """
        INSERT INTO d_attendance
        SELECT r.line, r.person_id, r.day, r.school_id, r.code, r.modality, r.withdrawn, a.person_id IS NULL
        FROM r_attendance r
        LEFT JOIN attendance a ON a.district_id = $1 AND a.person_id = r.person_id AND a.day = r.day
                              AND a.school_id = r.school_id
        WHERE r.rule IS NULL
          AND CASE WHEN r.withdrawn THEN a.person_id IS NOT NULL
                   ELSE (a.code, a.modality) IS DISTINCT FROM (r.code, r.modality) END
        """,
        tx.caller.district,
    )
    await tx.run("ANALYZE d_attendance")
    row = await tx.fetchrow(
        """
        SELECT count(*) FILTER (WHERE is_new) AS added, count(*) FILTER (WHERE NOT is_new) AS changed,
               (SELECT count(*) FROM r_attendance WHERE rule IS NULL) - count(*) AS unchanged
        FROM d_attendance
        """
    )
    assert row is not None
    return row["added"], row["changed"], row["unchanged"]


async def merge(tx: Transaction) -> None:
    """Keep what changed; what was known before goes where it can still be found."""
    district = tx.caller.district
    await tx.run(
        """
        INSERT INTO attendance_history
        SELECT a.*, now() FROM attendance a JOIN d_attendance d USING (person_id, day, school_id)
        WHERE a.district_id = $1
        """,
        district,
    )
    await tx.run(
        """
        DELETE FROM attendance a USING d_attendance d
        WHERE a.district_id = $1 AND (a.person_id, a.day, a.school_id) = (d.person_id, d.day, d.school_id)
          AND d.withdrawn
        """,
        district,
    )
    await tx.run(
        """
        INSERT INTO attendance AS a
        SELECT $1, person_id, day, school_id, code, modality, now() FROM d_attendance WHERE NOT withdrawn
        ON CONFLICT (district_id, person_id, day, school_id)
        DO UPDATE SET code = excluded.code, modality = excluded.modality, recorded_at = excluded.recorded_at
        """,
        district,
    )


async def changed(tx: Transaction) -> AsyncIterator[list[Changed]]:
    """What changed, in the order of the file, some at a time."""
    after = 0
    while rows := await tx.fetch(
        """
        SELECT uuid_send(person_id), uuid_send(school_id), day - date '1970-01-01', code, COALESCE(modality, ''),
               withdrawn, line
        FROM d_attendance WHERE line > $1 ORDER BY line LIMIT $2
        """,
        after, _AT_ONCE,
    ):  # fmt: skip
        yield [Changed(*tuple(row)[:-1]) for row in rows]
        after = rows[-1]["line"]


async def of_students(
    tx: Transaction, students: Sequence[UUID], begin: date, end: date, known_on: date | None
) -> list[Recorded]:
    """What is known of these students from a day until another (exclusive), by day; as it was known at a day's end."""
    if known_on is None:
        rows = await tx.fetch(
            """
            SELECT person_id, day, school_id, code, modality FROM attendance
            WHERE district_id = $1 AND person_id = ANY ($2::uuid[]) AND day >= $3 AND day < $4
            ORDER BY person_id, day, school_id
            """,
            tx.caller.district, students, begin, end,
        )  # fmt: skip
    else:
        rows = await tx.fetch(
            """
            SELECT person_id, day, school_id, code, modality FROM (
                SELECT *, NULL::timestamptz AS replaced_at FROM attendance
                UNION ALL SELECT * FROM attendance_history
            ) AS every
            WHERE district_id = $1 AND person_id = ANY ($2::uuid[]) AND day >= $3 AND day < $4
              AND recorded_at < $5::date + 1 AND (replaced_at IS NULL OR replaced_at >= $5::date + 1)
            ORDER BY person_id, day, school_id
            """,
            tx.caller.district, students, begin, end, known_on,
        )  # fmt: skip
    return [_recorded(row) for row in rows]


def _recorded(row: asyncpg.Record) -> Recorded:
    return Recorded(row["person_id"], row["day"], row["school_id"], row["code"], row["modality"])
