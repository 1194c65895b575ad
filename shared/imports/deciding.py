"""What a person decides about an import: that it is applied after all, or not, or that it is taken back.

An upload whose import was held or only reported is kept for thirty days, so that it can be taken up again; it is read
and checked anew then, against what is known by then.
"""

from datetime import timedelta
from uuid import UUID

import asyncpg

from shared.auth import Caller
from shared.db import Database, Transaction
from shared.errors import Conflict
from shared.imports.findings import Finding
from shared.imports.importers import DRY_RUN
from shared.imports.reports import NoSuchImport

KEPT = timedelta(days=30)
"""How long an upload waits for a person, and an applied import can be taken back."""


class NotHeld(Conflict):
    """This import is not held for approval."""


class NotReported(Conflict):
    """This import is no dry run that could be applied."""


class Overtaken(Conflict):
    """A newer file came since; what this one says is of an earlier day."""


class NotUndoable(Conflict):
    """This import cannot be taken back."""


async def keep(tx: Transaction, import_id: UUID, kind: str) -> None:
    """The upload waits for a person; it leaves the queue."""
    await tx.run("DELETE FROM stage.queue WHERE import_id = $1", import_id)
    until = await tx.fetchval(
        """
        INSERT INTO stage.kept (import_id, district_id, kind, until) VALUES ($1, $2, $3, now() + $4::interval)
        ON CONFLICT (import_id) DO UPDATE SET until = excluded.until RETURNING until
        """,
        import_id, tx.caller.district, kind, KEPT,
    )  # fmt: skip
    await tx.run(
        "UPDATE imports SET kept_until = $2, approved_by = NULL, approved_at = NULL WHERE id = $1", import_id, until
    )


async def approve(tx: Transaction, import_id: UUID) -> None:
    """A held import goes back into the queue; what held it does not hold it again, but what is new by then does."""
    row = await _locked(tx, import_id)
    if row["state"] != "held":
        raise NotHeld(f"Only a held import can be approved; this one is {row['state']}.")
    await tx.run("UPDATE imports SET approved_by = $2, approved_at = now() WHERE id = $1", import_id, tx.caller.subject)
    await _again(tx, row, "staged")


async def seen(tx: Transaction, import_id: UUID) -> list[Finding]:
    """Why an import was held: what the person who approved it had before him."""
    rows = await tx.fetch(
        """
        SELECT file, line, "column", value, rule, remedy FROM import_findings WHERE import_id = $1 AND held
        """,
        import_id,
    )
    return [Finding(**row) for row in rows]


async def apply(tx: Transaction, import_id: UUID) -> None:
    """A dry run goes back into the queue, for real."""
    row = await _locked(tx, import_id)
    if row["state"] != "reported":
        raise NotReported(f"Only a dry run can be applied; this import is {row['state']}.")
    if not await tx.fetchval("SELECT EXISTS (SELECT FROM stage.kept WHERE import_id = $1)", import_id):
        raise NotReported(f"The files of this dry run were kept for {KEPT.days} days; send them again.")
    await tx.run("UPDATE imports SET options = options - $2::text WHERE id = $1", import_id, DRY_RUN)
    await _again(tx, row, "staged")


async def check_order(tx: Transaction, import_id: UUID) -> None:
    """Whether no newer file of its kind has been applied since, or is about to be. Raises: Overtaken.

    A newer one that was refused, undone, only reported, or is held itself has changed nothing.
    """
    newer = await tx.fetchrow(
        """
        SELECT n.kind || '-' || n.id AS name, n.state = 'applied' AS is_over
        FROM imports i JOIN imports n ON n.kind = i.kind AND n.id > i.id
        WHERE i.id = $1 AND i.state IN ('held', 'reported')
          AND (n.state = 'applied'
               OR n.state IN ('receiving', 'staged', 'validating', 'merging')
                  AND n.options ->> $2::text IS DISTINCT FROM 'true')
        ORDER BY is_over DESC, n.id DESC LIMIT 1
        """,
        import_id, DRY_RUN,
    )  # fmt: skip
    if newer is None:
        return
    if newer["is_over"]:
        raise Overtaken(
            f"A newer file, {newer['name']}, has been applied since: this one tells of an earlier day. "
            "If it is right all the same, send this one again."
        )
    raise Overtaken(f"A newer file, {newer['name']}, is under way; decide when that is over.")


async def reject(tx: Transaction, import_id: UUID) -> None:
    """A held import, or a dry run, is refused; its upload goes."""
    row = await _locked(tx, import_id)
    if row["state"] not in ("held", "reported"):
        raise NotHeld(f"Only a held import or a dry run can be rejected; this import is {row['state']}.")
    await tx.run(
        """
        UPDATE imports SET state = 'refused', rejected_by = $2, rejected_at = now(), kept_until = NULL,
            updated_at = now()
        WHERE id = $1
        """,
        import_id, tx.caller.subject,
    )  # fmt: skip
    await _forget(tx, import_id)


async def undo(tx: Transaction, import_id: UUID) -> None:
    """An applied import goes back into the queue, to be taken back."""
    row = await _locked(tx, import_id)
    if row["state"] != "applied":
        raise NotUndoable(f"Only an applied import can be undone; this one is {row['state']}.")
    if not await tx.fetchval("SELECT now() < $1::timestamptz + $2::interval", row["applied_at"], KEPT):
        raise NotUndoable(f"An import can be undone for {KEPT.days} days after it was applied.")
    await tx.run("UPDATE imports SET undone_by = $2 WHERE id = $1", import_id, tx.caller.subject)
    await _again(tx, row, "undoing")


async def give_up_expired(database: Database) -> None:
    """Uploads that have waited for a person for too long go; held imports are given up."""
    async with database.system() as tx:
        rows = await tx.fetch("SELECT import_id, district_id FROM stage.kept WHERE until < now() LIMIT 100")
    for row in rows:
        async with database.transaction(Caller.system(row["district_id"], "imports")) as tx:
            found = await tx.fetchrow("SELECT state FROM imports WHERE id = $1 FOR UPDATE", row["import_id"])
            # Looked at again under the row's lock: a person may have decided meanwhile.
            if await tx.changed("DELETE FROM stage.kept WHERE import_id = $1 AND until < now()", row["import_id"]):
                if found is not None and found["state"] == "held":
                    await tx.run(
                        "UPDATE imports SET state = 'expired', updated_at = now() WHERE id = $1", row["import_id"]
                    )
                await _forget(tx, row["import_id"])


async def _locked(tx: Transaction, import_id: UUID) -> asyncpg.Record:
    row = await tx.fetchrow("SELECT * FROM imports WHERE id = $1 FOR UPDATE", import_id)
    if row is None:
        raise NoSuchImport
    return row


async def _again(tx: Transaction, row: asyncpg.Record, state: str) -> None:
    await tx.run("DELETE FROM stage.kept WHERE import_id = $1", row["id"])
    await tx.run(
        "UPDATE imports SET state = $2, kept_until = NULL, attempts = 0, updated_at = now() WHERE id = $1",
        row["id"], state,
    )  # fmt: skip
    await tx.run(
        "INSERT INTO stage.queue (import_id, district_id, kind, ready) VALUES ($1, $2, $3, true)",
        row["id"], row["district_id"], row["kind"],
    )  # fmt: skip
    await tx.run("SELECT pg_notify('imports', '')")


async def _forget(tx: Transaction, import_id: UUID) -> None:
    await tx.run("DELETE FROM stage.kept WHERE import_id = $1", import_id)
    await tx.run("DELETE FROM stage.uploads WHERE import_id = $1", import_id)
