"""What is announced of an import, read in ranges of rows: columns as bytes where they are of one width."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from services.roster.store.naming import pages
from shared.db import Transaction

_DAY = "COALESCE({} - date '1970-01-01', -2147483648)"
"""A day as a number; the smallest there is stands for none."""


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


async def enrollments(tx: Transaction) -> AsyncIterator[Any]:
    """Enrolments that changed, in columns: ids joined end to end, names and roles as lists."""
    async for begin, end in pages(tx, "d_enrollments"):
        row = await tx.fetchrow(
            f"""
            SELECT string_agg(uuid_send(person_id), '') AS people, string_agg(uuid_send(class_id), '') AS classes,
                   string_agg(uuid_send(school_id), '') AS schools, array_agg(sourced_id) AS names,
                   array_agg(role || CASE WHEN status = 'active' THEN '' ELSE ' ended' END || ' '
                             || {_DAY.format("begin_on")} || ' ' || {_DAY.format("end_on")}) AS rest
            FROM d_enrollments
            WHERE ctid >= $1::text::tid AND ctid < $2::text::tid AND change <> 'dated'
            """,  # noqa: S608  # constants
            begin, end,
        )  # fmt: skip
        if row is not None and row["names"]:
            yield row


async def organisations(tx: Transaction) -> list[Any]:
    """Organisations that changed, and what they are part of."""
    return await tx.fetch(
        """
        SELECT uuid_send(id) AS id, uuid_send(parent_id) AS parent, type, status <> 'active' AS ended FROM d_orgs
        WHERE change <> 'dated'
        """
    )


async def demographics(tx: Transaction) -> AsyncIterator[Sequence[Any]]:
    """Demographics that changed: person, day of birth, sex, seven answers, and whether they ended."""
    async for begin, end in pages(tx, "d_demographics"):
        yield await tx.fetch(
            """
            SELECT uuid_send(id), birth_on - date '1970-01-01', sex, american_indian_or_alaska_native, asian,
                   black_or_african_american, native_hawaiian_or_other_pacific_islander, white, two_or_more_races,
                   hispanic_or_latino, status <> 'active'
            FROM d_demographics
            WHERE ctid >= $1::text::tid AND ctid < $2::text::tid AND change <> 'dated'
            """,
            begin, end,
        )  # fmt: skip
