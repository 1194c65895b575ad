"""Writes to the gradebook, as a system beside the district's makes them: one record, or many at once.

`kept` is how records of each kind are kept, `named` finds what they point at, `writing` saves, `ending` deletes.

Locks are taken in one order by all of these: the record's own name first (so that two who write one record come after
each other), then what it belongs to, from the outside in (class, category, scale, line item), then itself, then what is
part of it; the district's stamp is the last, as always.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from services.roster.domain.gradebook.kinds import Kind
from shared.db import Transaction

_WRITES = 0x67726164
"""Names the advisory locks of records that are being written; "grad"."""
_PATIENCE = "10s"  # an import may hold what is to be changed for longer


async def hold(tx: Transaction, kind: Kind, name: str) -> int:
    """Whoever writes this record too waits until this transaction is over; and nobody waits for ever.

    The number of the revision in which it is written, if it is: to ask for it now saves a round trip.
    """
    return await tx.fetchval(  # type: ignore[no-any-return]  # a bigint
        """
        SELECT nextval('revision_numbers'), set_config('lock_timeout', $3, true),
               set_config('plan_cache_mode', 'auto', true), pg_advisory_xact_lock($1, hashtext($2))
        """,
        _WRITES, f"{tx.caller.district} {kind} {name}", _PATIENCE,
    )  # fmt: skip


@asynccontextmanager
async def whole_district(tx: Transaction) -> AsyncIterator[None]:
    """What follows from a caller's act is not bounded by what the caller may see."""
    caller, cause = tx.caller, tx.cause
    if caller.schools is None:
        yield
        return
    await tx.become(replace(caller, schools=None), cause=cause)
    yield
    await tx.become(caller, cause=cause)
