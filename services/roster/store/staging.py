"""The stages of an import: its rows as text, in temporary tables that nobody else sees and its end empties."""

# ruff: noqa: S608  # the names put into SQL are constants of ours

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

import pyarrow as pa
from pyarrow import csv as arrow_csv

from services.roster.domain.cells import Chunk
from services.roster.domain.columns import Column, File, Kind
from services.roster.store import placing
from services.roster.store.records import KEYS, PLACES, RECORDS, STAGES, TYPES
from shared.db import Transaction

_HEAD = ("sourced_id", "status", "date_last_modified")
_TABS = {"include_header": False, "delimiter": "\t"}
_LARGE = 50_000
"""Rows from which on whole tables are read rather than looked into."""


async def begin(tx: Transaction) -> None:
    """Make the stages, empty, and what the comparison finds."""
    for file, record in RECORDS.items():
        texts = ", ".join(
            f'{place} text COLLATE "C"' if place in KEYS else f"{place} text"
            for place in (*_HEAD, *(place for place in PLACES[file] if place not in _HEAD))
        )
        await tx.temp(f"s_{record.stage}", f"line int, refused boolean, metadata jsonb, {texts}")
        own = ", ".join(f"{name} {type}" for name, type in record.columns.items())
        before = "".join(f", old_{ref.name} {ref.type}" for ref in record.refs)
        await tx.temp(
            f"d_{record.stage}",
            f"""
            change text, line int, sourced_id text COLLATE "C", id uuid, is_new_name boolean, status text,
            was_active boolean, metadata jsonb, source_modified_at timestamptz, kept_modified_at timestamptz,
            lost boolean{", " if own else ""}{own}{before}
            """,
        )
    for file in TYPES:
        await tx.temp(f"n_{STAGES[file]}", 'sourced_id text COLLATE "C", id uuid, is_new boolean')
    await tx.temp("unseen", 'sourced_id text COLLATE "C"')
    await tx.temp(
        "s_vanished",
        """
        file text, sourced_id text COLLATE "C", id uuid, person_id uuid, class_id uuid, school_id uuid, role text,
        is_current boolean
        """,
    )
    await placing.begin(tx)


async def add(tx: Transaction, file: File, pieces: AsyncIterator[bytes], columns: Iterable[str]) -> None:
    """COPY rows into the file's stage, as `written` writes them."""
    await tx.connection.copy_to_table(
        f"s_{file.stage}", source=pieces, columns=list(columns), format="csv", delimiter="\t", null="", timeout=None
    )  # fmt: skip


def columns_of(chunk: Chunk) -> list[str]:
    """The columns of the stage that a chunk's rows fill."""
    return ["line", "refused", *(["metadata"] if chunk.metadata is not None else []), *chunk.columns]


def written(chunk: Chunk) -> bytes:
    """A chunk as COPY reads it. Quotes cost time: they are written only where some cell needs them."""
    said = [] if chunk.metadata is None else [chunk.metadata]
    table: Any = pa.table(
        [pa.array(chunk.lines), pa.array(chunk.refused), *said, *chunk.columns.values()], names=columns_of(chunk)
    )
    for quotes in ("none", "needed"):
        out = pa.BufferOutputStream()
        try:
            arrow_csv.write_csv(table, out, arrow_csv.WriteOptions(quoting_style=quotes, **_TABS))
        except pa.ArrowInvalid:
            continue
        return bytes(out.getvalue())
    raise AssertionError("a quoted cell can hold anything")


async def analyze(tx: Transaction, tables: Iterable[str]) -> None:
    """Tell the planner how much there is in these."""
    await tx.run("SET LOCAL default_statistics_target = 20")
    if names := ", ".join(tables):
        await tx.run(f"ANALYZE {names}")


async def plan_for(tx: Transaction, rows: int) -> None:
    """Many rows are joined by hashing whole tables; few are looked up one by one."""
    is_large = rows > _LARGE
    await tx.run(f"SET LOCAL enable_nestloop = {'off' if is_large else 'on'}")
    await tx.run(f"SET LOCAL work_mem = '{'192MB' if is_large else '32MB'}'")
    await tx.run("SET LOCAL jit = off")


async def turn_dates(tx: Transaction, file: File, column: Column, meanings: Mapping[str, str | None]) -> None:
    """Put the dates of a column in order, now that the whole column has told which. What has no meaning is left out;
    where the date mattered, its row is refused."""
    refused = "refused OR m.iso IS NULL" if column.kind is Kind.DATE else "refused"
    await tx.run(
        f"""
        UPDATE s_{file.stage} s SET {column.place} = m.iso, refused = {refused}
        FROM unnest($1::text[], $2::text[]) AS m (raw, iso)
        WHERE s.{column.place} = m.raw
        """,
        list(meanings), list(meanings.values()),
    )  # fmt: skip


async def derive_roles(tx: Transaction) -> None:
    """OneRoster 1.1 has no roles.csv: a user's row names one role and the organisations it is held in."""
    await tx.run(
        """
        INSERT INTO s_roles (line, refused, sourced_id, status, date_last_modified, user_sourced_id, role_type, role,
                             org_sourced_id)
        SELECT line, refused, sourced_id || '|' || org || '|' || role, status, date_last_modified, sourced_id,
               CASE n WHEN 1 THEN 'primary' ELSE 'secondary' END, role, org
        FROM (
            SELECT u.line, u.refused, u.sourced_id, u.status, u.date_last_modified, u.role, o.org, min(o.n) AS n
            FROM s_users u, unnest(string_to_array(u.org_sourced_ids, ',')) WITH ORDINALITY AS o (org, n)
            WHERE u.role IS NOT NULL
              AND (NOT u.refused OR NOT EXISTS (
                  SELECT FROM s_users twin WHERE twin.sourced_id = u.sourced_id AND NOT twin.refused))
            GROUP BY 1, 2, 3, 4, 5, 6, 7
        ) AS held
        """
    )


async def refused(tx: Transaction, file: str) -> int:
    """How many rows of a file are refused."""
    count: int = await tx.fetchval(f"SELECT count(*) FROM s_{STAGES[file]} WHERE refused")
    return count
