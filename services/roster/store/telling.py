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


async def enrollments(tx: Transaction, *, present: bool = False) -> AsyncIterator[Any]:
    """Enrolments, in columns: ids joined end to end, names and roles as lists."""
    table, which = ("enrollments", _PRESENT) if present else ("d_enrollments", _CHANGED)
    async for begin, end in pages(tx, table):
        row = await tx.fetchrow(
            f"""
            SELECT string_agg(uuid_send(person_id), '') AS people, string_agg(uuid_send(class_id), '') AS classes,
                   string_agg(uuid_send(school_id), '') AS schools, array_agg(sourced_id) AS names,
                   array_agg(role || CASE WHEN status = 'active' THEN '' ELSE ' ended' END || ' '
                             || {_DAY.format("begin_on")} || ' ' || {_DAY.format("end_on")}) AS rest
            FROM {table}
            WHERE ctid >= $1::text::tid AND ctid < $2::text::tid AND {which}
            """,
            begin, end,
        )  # fmt: skip
        if row is not None and row["names"]:
            yield row


async def organisations(tx: Transaction, *, present: bool = False) -> list[Any]:
    """Organisations, and what they are part of."""
    table, which = ("orgs", _PRESENT) if present else ("d_orgs", _CHANGED)
    return await tx.fetch(
        f"""
        SELECT uuid_send(id) AS id, uuid_send(parent_id) AS parent, type, status <> 'active' AS ended FROM {table}
        WHERE {which}
        """
    )


async def demographics(tx: Transaction, *, present: bool = False) -> AsyncIterator[Sequence[Any]]:
    """Demographics: person, day of birth, sex, seven answers, and whether they ended."""
    table, person, which = (
        ("demographics", "person_id", _PRESENT) if present else ("d_demographics", "id", _CHANGED)
    )  # fmt: skip
    async for begin, end in pages(tx, table):
        yield await tx.fetch(
            f"""
            SELECT uuid_send({person}), {_DESCRIBED} FROM {table}
            WHERE ctid >= $1::text::tid AND ctid < $2::text::tid AND {which}
            """,
            begin, end,
        )  # fmt: skip


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
