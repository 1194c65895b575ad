"""What schools declare now, and everything they have declared."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.partnership.domain.willingness import WITHDRAWN, WITHDRAWS, Declaration
from shared.db import Transaction


@dataclass(frozen=True, slots=True)
class Declared:
    """A declaration that holds, and since when; `version` counts what the school has said of this area."""

    declaration: Declaration
    declared_at: datetime
    version: int


async def serialise(tx: Transaction) -> None:
    """Hold what schools say and what is proposed to them apart, one transaction of a district after the other.

    Or a matching could propose, in the same moment, what rests on a consent that is being taken back.
    """
    await tx.run("SELECT pg_advisory_xact_lock(hashtextextended('consent:' || $1, 0))", str(tx.caller.district))


async def stage(tx: Transaction, import_id: UUID, rows: Sequence[tuple[int, Declaration]]) -> None:
    """Keep a file's valid rows until they are merged."""
    await tx.copy(
        "willingness",
        ["import_id", "line", "school_id", "area", "role", "eagerness", "capacity", "diagnostics_allowed"],
        [
            (import_id, line, d.school, d.area, d.role, d.eagerness, d.capacity, d.diagnostics_allowed)
            for line, d in rows
        ],
        schema="stage",
    )


async def staged(tx: Transaction, import_id: UUID, after: int, limit: int) -> list[tuple[int, Declaration]]:
    """Rows after this line, with their lines."""
    rows = await tx.fetch(
        "SELECT * FROM stage.willingness WHERE import_id = $1 AND line > $2 ORDER BY line LIMIT $3",
        import_id, after, limit,
    )  # fmt: skip
    return [(row["line"], _declaration(row)) for row in rows]


async def clear_stage(tx: Transaction, import_id: UUID) -> None:
    """Empty this import's stage."""
    await tx.run("DELETE FROM stage.willingness WHERE import_id = $1", import_id)


async def roles(tx: Transaction) -> dict[tuple[UUID, str], str]:
    """What every school of the district does in an area, as far as it has said."""
    rows = await tx.fetch("SELECT school_id, area, role FROM willingness")
    return {(row["school_id"], row["area"]): row["role"] for row in rows}


async def find(tx: Transaction, keys: Sequence[tuple[UUID, str]]) -> dict[tuple[UUID, str], Declared]:
    """What holds of these schools and areas."""
    rows = await tx.fetch(
        """
        SELECT w.* FROM willingness w
        JOIN unnest($1::uuid[], $2::text[]) AS asked (school_id, area) USING (school_id, area)
        """,
        [school for school, _ in keys], [area for _, area in keys],
    )  # fmt: skip
    return {(row["school_id"], row["area"]): _declared(row) for row in rows}


async def of_schools(tx: Transaction, schools: Sequence[UUID]) -> list[Declared]:
    """What these schools declare, ordered by school and area."""
    rows = await tx.fetch("SELECT * FROM willingness WHERE school_id = ANY ($1) ORDER BY school_id, area", schools)
    return [_declared(row) for row in rows]


async def of_areas(tx: Transaction, areas: Collection[str]) -> list[Declared]:
    """Everyone who is willing in these areas, ordered by area and school."""
    rows = await tx.fetch("SELECT * FROM willingness WHERE area = ANY ($1) ORDER BY area, school_id", list(areas))
    return [_declared(row) for row in rows]


async def save(tx: Transaction, said: Sequence[Declaration]) -> list[Declared]:
    """Keep what is said now, and that it was said, by whom; with the version each has become."""
    versions: dict[tuple[UUID, str], int] = {}
    rows = await tx.fetch(
        """
        SELECT h.school_id, h.area, max(h.version) AS version FROM willingness_history h
        JOIN unnest($1::uuid[], $2::text[]) AS asked (school_id, area) USING (school_id, area) GROUP BY 1, 2
        """,
        [each.school for each in said], [each.area for each in said],
    )  # fmt: skip
    versions = {(row["school_id"], row["area"]): row["version"] for row in rows}
    who, district = tx.caller.subject, tx.caller.district
    kept = [
        (
            each.school, each.area, 1 + versions.get((each.school, each.area), 0), district, each.role, each.eagerness,
            each.capacity, each.diagnostics_allowed, who,
        )
        for each in said
    ]  # fmt: skip
    await tx.run_many(
        """
        INSERT INTO willingness_history
            (school_id, area, version, district_id, role, eagerness, capacity, diagnostics_allowed, declared_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        [(*row[:4], WITHDRAWN if row[4] == WITHDRAWS else row[4], *row[5:]) for row in kept],
    )
    await tx.run_many(
        "DELETE FROM willingness WHERE school_id = $1 AND area = $2",
        [(each.school, each.area) for each in said if each.role == WITHDRAWS],
    )
    await tx.run_many(
        """
        INSERT INTO willingness
            (school_id, area, version, district_id, role, eagerness, capacity, diagnostics_allowed, declared_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (school_id, area) DO UPDATE SET version = excluded.version, role = excluded.role,
            eagerness = excluded.eagerness, capacity = excluded.capacity,
            diagnostics_allowed = excluded.diagnostics_allowed, declared_at = now(), declared_by = excluded.declared_by
        """,
        [row for row in kept if row[4] != WITHDRAWS],
    )
    now = await tx.fetchval("SELECT now()")
    return [Declared(each, now, row[2]) for each, row in zip(said, kept, strict=True)]


def _declared(row: asyncpg.Record) -> Declared:
    return Declared(_declaration(row), row["declared_at"], row["version"])


def _declaration(row: asyncpg.Record) -> Declaration:
    return Declaration(
        row["school_id"], row["area"], row["role"], row["eagerness"], row["capacity"], row["diagnostics_allowed"]
    )
