"""The stages of an import: its rows as text, under its id, until it ends."""

# ruff: noqa: S608  # the names put into SQL are constants of ours

from collections.abc import Mapping
from itertools import count, repeat
from uuid import UUID

from services.roster.domain.csvfile import Chunk
from services.roster.domain.layout import Column, File, Kind
from services.roster.store import STAGES
from shared.db import Transaction

_STAGES = (*STAGES.values(), "vanished", "touched", "files")


async def clear(tx: Transaction, import_id: UUID) -> None:
    """Empty the stages of one import."""
    for stage in _STAGES:
        await tx.run(f"DELETE FROM stage.{stage} WHERE import_id = $1", import_id)


async def begin_file(tx: Transaction, import_id: UUID, file: str, *, derived: bool = False) -> None:
    """This file comes with the import. `derived`: its rows are read out of another file's."""
    await tx.run("INSERT INTO stage.files (import_id, file, derived) VALUES ($1, $2, $3)", import_id, file, derived)


async def files(tx: Transaction, import_id: UUID) -> dict[str, bool]:
    """The files of this import, and whether each is derived."""
    rows = await tx.fetch("SELECT file, derived FROM stage.files WHERE import_id = $1", import_id)
    return {row["file"]: row["derived"] for row in rows}


async def add(tx: Transaction, import_id: UUID, file: File, chunk: Chunk) -> None:
    """COPY a chunk of rows into the file's stage."""
    names = list(chunk.columns)
    rows = zip(
        repeat(import_id),
        count(chunk.first),
        chunk.lines,
        chunk.refused,
        chunk.metadata,
        *(chunk.columns[name] for name in names),
        strict=False,
    )
    await tx.copy(file.stage, ["import_id", "pos", "line", "refused", "metadata", *names], rows, schema="stage")


async def turn_dates(
    tx: Transaction, import_id: UUID, file: File, column: Column, meanings: Mapping[str, str | None]
) -> None:
    """Put the dates of a column in order, now that the whole column has told which. What has no meaning is left out;
    where the date mattered, its row is refused."""
    refused = "refused OR m.iso IS NULL" if column.kind is Kind.DATE else "refused"
    await tx.run(
        f"""
        UPDATE stage.{file.stage} s SET {column.place} = m.iso, refused = {refused}
        FROM unnest($2::text[], $3::text[]) AS m (raw, iso)
        WHERE s.import_id = $1 AND s.{column.place} = m.raw
        """,
        import_id, list(meanings), list(meanings.values()),
    )  # fmt: skip


async def derive_roles(tx: Transaction, import_id: UUID) -> None:
    """OneRoster 1.1 has no roles.csv: a user's row names one role and the organisations it is held in."""
    await begin_file(tx, import_id, "roles", derived=True)
    await tx.run(
        """
        INSERT INTO stage.roles (import_id, pos, line, refused, sourced_id, status, date_last_modified, metadata,
                                 user_sourced_id, role_type, role, org_sourced_id)
        SELECT import_id, row_number() OVER (ORDER BY pos, n), line, refused, sourced_id || '|' || org || '|' || role,
               status, date_last_modified, '{}', sourced_id, CASE n WHEN 1 THEN 'primary' ELSE 'secondary' END,
               role, org
        FROM (
            SELECT u.*, o.org, min(o.n) AS n
            FROM stage.users u, unnest(string_to_array(u.org_sourced_ids, ',')) WITH ORDINALITY AS o (org, n)
            WHERE u.import_id = $1 AND u.role IS NOT NULL
              AND (NOT u.refused OR NOT EXISTS (
                  SELECT FROM stage.users twin
                  WHERE twin.import_id = $1 AND twin.sourced_id = u.sourced_id AND NOT twin.refused))
            GROUP BY u.import_id, u.pos, o.org
        ) AS held
        """,
        import_id,
    )


async def refused(tx: Transaction, import_id: UUID) -> int:
    """How many staged rows are refused; what was derived from a refused row does not count again."""
    derived = [name for name, is_derived in (await files(tx, import_id)).items() if is_derived]
    total = 0
    for file, stage in STAGES.items():
        if file not in derived:
            total += await tx.fetchval(
                f"SELECT count(*) FROM stage.{stage} WHERE import_id = $1 AND refused", import_id
            )  # fmt: skip
    return total
