"""What the roster announces, read in ranges of rows: columns as bytes where they are of one width.

What changed is read from the stages of an import; with `present`, everything that is so now is read from the tables.
"""

# ruff: noqa: S608  # the names put into SQL are constants of ours

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

from services.roster.store.naming import pages
from services.roster.store.placing import PLACES
from shared.db import Transaction

_DAY = "COALESCE({} - date '1970-01-01', -2147483648)"
"""A day as a number; the smallest there is stands for none."""
_CHANGED, _PRESENT = "change <> 'dated'", "status = 'active'"
_DESCRIBED = """birth_on - date '1970-01-01', sex, american_indian_or_alaska_native, asian, black_or_african_american,
    native_hawaiian_or_other_pacific_islander, white, two_or_more_races, hispanic_or_latino, status <> 'active'"""
_RANGE = "ctid >= $1::text::tid AND ctid < $2::text::tid"
_AT_ONCE = 10_000


async def moved(tx: Transaction) -> AsyncIterator[Sequence[Any]]:
    """Who is placed otherwise than before: person, as a student, what that is, the last day, places."""
    async for begin, end in pages(tx, "moved"):
        yield await tx.fetch(
            """
            SELECT uuid_send(person_id), as_student, what, day, places FROM moved
            WHERE ctid >= $1::text::tid AND ctid < $2::text::tid
            """,
            begin, end,
        )  # fmt: skip


async def placed(tx: Transaction) -> AsyncIterator[Sequence[Any]]:
    """Everybody's places, in the form of `moved`: whoever is here now or later has joined."""
    cursor = await tx.connection.cursor(
        f"""
        SELECT uuid_send(person_id), as_student,
               CASE WHEN bool_or(end_on IS NULL OR end_on > current_date) THEN 'joined' END, NULL::int, {PLACES}
        FROM placements GROUP BY person_id, as_student
        """
    )
    while rows := await cursor.fetch(_AT_ONCE):
        yield rows


async def enrollments(tx: Transaction, begin: str, end: str) -> list[tuple[Any, bool]]:
    """Enrolments of a range that changed, in columns, and whether they are those that passed to somebody else.

    Who had these is told first that they have ended, as they were: they are told as ended of him, and then as they are.
    """
    passed = "bool_or(old_person_id <> person_id) AS passed"
    row = await tx.fetchrow(
        f"SELECT {_enrolled('', 'status')}, {passed} FROM d_enrollments WHERE {_RANGE} AND {_CHANGED}", begin, end
    )
    if row is None or not row["names"]:
        return []
    had = await _passed(tx, begin, end) if row["passed"] else None
    return [(row, False)] if had is None else [(had, True), (row, False)]


async def _passed(tx: Transaction, begin: str, end: str) -> Any:
    """The enrolments of a range that were somebody else's, as they were then; None where they had all ended."""
    row = await tx.fetchrow(
        f"""
        SELECT {_enrolled("h.", "'ended'")}
        FROM (SELECT sourced_id FROM d_enrollments
              WHERE {_RANGE} AND {_CHANGED} AND was_active AND old_person_id <> person_id) AS d,
             LATERAL (SELECT * FROM enrollments_history k WHERE k.district_id = $3 AND k.sourced_id = d.sourced_id
                      ORDER BY k.replaced_in DESC LIMIT 1) AS h
        """,
        begin, end, tx.caller.district,
    )  # fmt: skip
    return row if row and row["names"] else None


async def enrolled(tx: Transaction) -> AsyncIterator[Any]:
    """Everybody's enrolments, in the same columns."""
    async for begin, end in pages(tx, "enrollments"):
        row = await tx.fetchrow(
            f"SELECT {_enrolled('', 'status')} FROM enrollments WHERE {_RANGE} AND {_PRESENT}", begin, end
        )
        if row is not None and row["names"]:
            yield row


def _enrolled(of: str, status: str) -> str:
    """The columns: ids joined end to end, names and the rest as lists."""
    ids = ", ".join(
        f"string_agg(uuid_send({of}{name}_id), '') AS {what}"
        for name, what in (("person", "people"), ("class", "classes"), ("school", "schools"))
    )
    return f"""
        {ids}, array_agg({of}sourced_id) AS names,
        array_agg({of}role || CASE WHEN {status} = 'active' THEN '' ELSE ' ended' END || ' '
                  || {_DAY.format(of + "begin_on")} || ' ' || {_DAY.format(of + "end_on")}) AS rest
    """


async def organisations(tx: Transaction, *, present: bool = False) -> list[Any]:
    """Organisations, and what they are part of."""
    table, which = ("orgs", _PRESENT) if present else ("d_orgs", _CHANGED)
    return await tx.fetch(
        f"""
        SELECT uuid_send(id) AS id, uuid_send(parent_id) AS parent, type, status <> 'active' AS ended FROM {table}
        WHERE {which}
        """
    )


async def demographics(tx: Transaction, begin: str, end: str) -> Sequence[Any]:
    """Demographics of a range that changed: person, day of birth, sex, seven answers, and whether they ended."""
    return await tx.fetch(
        f"SELECT uuid_send(id), {_DESCRIBED} FROM d_demographics WHERE {_RANGE} AND {_CHANGED}", begin, end
    )


async def described(tx: Transaction) -> AsyncIterator[Sequence[Any]]:
    """Everybody's demographics, in the same columns."""
    async for begin, end in pages(tx, "demographics"):
        yield await tx.fetch(
            f"SELECT uuid_send(person_id), {_DESCRIBED} FROM demographics WHERE {_RANGE} AND {_PRESENT}", begin, end
        )


async def demographics_of(tx: Transaction, people: Sequence[UUID]) -> Sequence[Any]:
    """The same of these people, ended or not."""
    return await tx.fetch(
        f"SELECT uuid_send(person_id), {_DESCRIBED} FROM demographics WHERE person_id = ANY ($1)", people
    )


async def mergers(tx: Transaction) -> list[Any]:
    """Who is absorbed still, by whom it was said, and in which revision."""
    return await tx.fetch(
        """
        SELECT e.revision, e.row_id AS person, e.other_id AS absorbed
        FROM mergers m JOIN identity_events e ON e.district_id = m.district_id AND e.id = m.event_id
        ORDER BY e.revision
        """
    )


async def rejoined(tx: Transaction) -> list[Any]:
    """Whom splits parted from whom that were taken back: who was made by one is nobody now, and is the person again."""
    return await tx.fetch(
        """
        SELECT e.revision, e.row_id AS person, e.other_id AS other FROM identity_events e
        WHERE e.kind = 'split' AND e.undone_at IS NOT NULL
          AND NOT EXISTS (SELECT FROM people p WHERE p.district_id = e.district_id AND p.id = e.other_id)
        ORDER BY e.revision
        """
    )
