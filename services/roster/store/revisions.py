"""Revisions: what changed together, and when.

A change takes a number, writes its rows with it, and is stamped with a time as its last act, under a lock that lasts
until it has committed. Times therefore follow commits: who asks for what changed after the last time he saw misses
nothing, however long another change took.
"""

from uuid import UUID

from shared.db import Transaction

_STAMP = 0x7374616D
"""Names the advisory lock of a district's stamp; "stam"."""


async def begin(tx: Transaction) -> int:
    """The number of a new revision."""
    number: int = await tx.fetchval("SELECT nextval('revision_numbers')")
    return number


async def stamp(tx: Transaction, number: int, *, import_id: UUID | None = None) -> None:
    """The last statement of a transaction that wrote rows with this number: it happened now."""
    district = UUID(str(tx.caller.district))
    imported = "NULL" if import_id is None else f"'{UUID(str(import_id))}'"
    # One round trip, two statements: the second sees what was committed while the first waited. Digits of ids alone.
    await tx.run(
        f"""
        SELECT pg_advisory_xact_lock({_STAMP}, hashtext('{district}'));
        INSERT INTO revisions (district_id, number, at, import_id)
        SELECT '{district}', {int(number)}, date_trunc('milliseconds', GREATEST(clock_timestamp(),
                   (SELECT at FROM revisions WHERE district_id = '{district}' ORDER BY at DESC LIMIT 1)
                   + interval '1 millisecond')), {imported}
        """  # noqa: S608  # digits of ids
    )


async def settle(tx: Transaction) -> None:
    """Before a reader asks what changed: whatever is stamped already has committed when this returns."""
    await tx.run("SELECT pg_advisory_xact_lock_shared($1, hashtext($2))", _STAMP, str(tx.caller.district))


async def latest(tx: Transaction) -> int:
    """The number of the district's revision that was stamped last; 0 before the first."""
    number: int = await tx.fetchval(
        "SELECT COALESCE((SELECT number FROM revisions WHERE district_id = $1 ORDER BY at DESC LIMIT 1), 0)",
        tx.caller.district,
    )
    return number


async def follows(tx: Transaction, number: int, other: int) -> bool:
    """Whether a revision that was stamped by this transaction came right after another one; none is 0."""
    before: int | None = await tx.fetchval(
        "SELECT number FROM revisions WHERE district_id = $1 AND number <> $2 ORDER BY at DESC LIMIT 1",
        tx.caller.district,
        number,
    )
    return (before or 0) == other
