"""Who identifiers mean, and what became of that: recognised under a new name, merged, split, and taken back.

An import calls `set_aside`, `recognise` and `keep_former`; who undoes an import calls `undo_import` first.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from services.roster.store import revisions
from services.roster.store.identity import journal, recognising, renaming
from services.roster.store.identity.renaming import keep_former
from shared.db import Transaction
from shared.errors import Conflict

__all__ = ["Recognised", "hold", "hold_soon", "keep_former", "recognise", "set_aside", "undo_import"]

_IDENTITIES = 0x6964_656E
"""Names the advisory lock of a district's identities; "iden"."""
_PATIENCE_SECONDS = 5
_MATCHED = "event_id uuid, type text, row_id uuid, was_called text, is_called text, reason text"


@dataclass(slots=True)
class Recognised:
    """How many rows of each file go on under another name, and how many pairs a person has to look at."""

    reattached: dict[str, int] = field(default_factory=dict)
    reviews: int = 0


async def hold(tx: Transaction) -> None:
    """One at a time per district from here to the commit: imports that recognise, merges, splits."""
    await tx.run("SELECT pg_advisory_xact_lock($1, hashtext($2))", _IDENTITIES, str(tx.caller.district))


async def set_aside(tx: Transaction) -> None:
    """Before an import asks what names mean: what is said of people who were absorbed leaves the stage.

    From here to the end of the import nobody is merged or split.
    """
    await hold(tx)
    await renaming.set_aside(tx)


class UnderWay(Conflict):
    """An import of this district is under way; try again when it has ended."""


async def hold_soon(tx: Transaction) -> None:
    """The same for somebody who waits for an answer: UnderWay rather than to wait for a whole import."""
    await tx.run(f"SET LOCAL lock_timeout = '{_PATIENCE_SECONDS}s'")
    try:
        await hold(tx)
    except asyncpg.LockNotAvailableError as wrong:
        raise UnderWay from wrong
    await tx.run("SET LOCAL lock_timeout = 0")


async def recognise(tx: Transaction, import_id: UUID, *, bulk: Collection[str], unknown: Collection[str]) -> Recognised:
    """Find rows of this import that are known under another name, and let the crosswalk say so.

    `unknown`: files with a name that means nothing yet. People are recognised in any file, the others only in a bulk
    file. Stages are the session's TEMP tables s_…; what is refused in them is no row.
    """
    found = Recognised()
    await hold(tx)
    await tx.temp("i_matched", _MATCHED)
    await renaming.forget(tx)
    revision = await revisions.begin(tx)
    for file in renaming.in_order(set(bulk) & set(unknown)):
        if count := await renaming.match(tx, file):
            found.reattached[file] = count
            await renaming.follow(tx, file, import_id, revision)
    if "users" in unknown and await recognising.pairs(tx):
        if count := await recognising.match(tx):
            found.reattached["users"] = count
            await renaming.follow(tx, "users", import_id, revision)
        found.reviews = await recognising.ask(tx, import_id)
    return found


async def undo_import(tx: Transaction, import_id: UUID, revision: int) -> int:
    """Take back what an import recognised: names, crosswalk and records of those rows are as before; how many.

    What it put on the list, and nobody has decided, goes from the list.
    """
    await hold(tx)
    rows = await tx.fetch(
        """
        UPDATE identity_events SET undone_at = now(), undone_by = $2
        WHERE import_id = $1 AND kind = 'reattached' AND undone_at IS NULL RETURNING id
        """,
        import_id, tx.caller.subject,
    )  # fmt: skip
    if rows:
        await journal.take_back(tx, [row["id"] for row in rows], revision)
    await tx.run("DELETE FROM identity_reviews WHERE import_id = $1 AND decision IS NULL", import_id)
    return len(rows)
