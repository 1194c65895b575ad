"""Bytes in: an upload is durable, piece by piece, before anyone is told so."""

import hashlib
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from shared import telemetry
from shared.auth import Caller
from shared.db import Database, Transaction
from shared.errors import Conflict, Invalid
from shared.events import uuid7
from shared.imports.importers import DRY_RUN

_PIECE_BYTES = 1 << 20
_KEPT_EVERY_SECONDS = 20.0  # a slow upload is kept in smaller pieces, long before it would count as abandoned


class SameKeyOtherFile(Invalid):
    """This Idempotency-Key was used with another file, or other options; use a new key for a new file."""


class StillReceiving(Conflict):
    """A request with this Idempotency-Key is still being received; one that broke off is forgotten in two minutes."""


class StoodStill(Conflict):
    """This upload stood still for minutes and was forgotten; send it again."""


class EmptyFile(Invalid):
    """The body is empty; send the file as the body of the request."""


@dataclass(frozen=True, slots=True)
class How:
    """What kind of file it is, and how it is to be taken."""

    kind: str
    keep_good: bool
    idempotency_key: str | None
    options: Mapping[str, str]


async def stage(database: Database, caller: Caller, body: AsyncIterator[bytes], how: How) -> UUID:
    """Stage a body durably; the import's id, the same one for the same Idempotency-Key, file and options.

    A body of one piece is all there in one transaction; a longer one is kept piece by piece.
    """
    import_id = uuid7()
    pieces = _pieces(body)
    begin = [piece async for piece in _first(pieces, 2)]
    if not begin:
        raise EmptyFile
    is_small = len(begin) == 1
    async with database.transaction(caller) as tx:
        made = await _begin(tx, import_id, how)
        if made and is_small:
            await _keep(tx, import_id, 0, begin[0])
            await _complete(tx, import_id, hashlib.sha256(begin[0]).digest(), len(begin[0]))
    if not made:
        return await _again(database, caller, how, begin, pieces)
    if not is_small:
        try:
            await _receive(database, caller, import_id, begin, pieces)
        except BaseException:
            async with database.transaction(caller) as tx:
                await forget(tx, import_id)
                await tx.run("DELETE FROM imports WHERE id = $1", import_id)
            raise
    return import_id


async def _begin(tx: Transaction, import_id: UUID, how: How) -> bool:
    """Write the import down; False when this Idempotency-Key has one already."""
    made = await tx.fetchval(
        """
        INSERT INTO imports
            (id, district_id, kind, subject, purpose, state, keep_good, idempotency_key, traceparent, options)
        VALUES ($1, $2, $3, $4, $5, 'receiving', $6, $7, $8, $9::jsonb) ON CONFLICT DO NOTHING RETURNING id
        """,
        import_id, tx.caller.district, how.kind, tx.caller.subject, tx.caller.purpose, how.keep_good,
        how.idempotency_key, telemetry.traceparent(), json.dumps(how.options),
    )  # fmt: skip
    if made is None:
        return False
    await tx.run(
        "INSERT INTO stage.queue (import_id, district_id, kind) VALUES ($1, $2, $3)",
        import_id, tx.caller.district, how.kind,
    )  # fmt: skip
    return True


async def _keep(tx: Transaction, import_id: UUID, ordinal: int, piece: bytes) -> None:
    if not await tx.changed("UPDATE stage.queue SET touched_at = now() WHERE import_id = $1", import_id):
        raise StoodStill
    await tx.run("INSERT INTO stage.uploads VALUES ($1, $2, $3)", import_id, ordinal, piece)


async def _complete(tx: Transaction, import_id: UUID, digest: bytes, size: int) -> None:
    if not await tx.changed("UPDATE stage.queue SET ready = true WHERE import_id = $1", import_id):
        raise StoodStill
    await tx.run(
        "UPDATE imports SET state = 'staged', digest = $2, bytes = $3, updated_at = now() WHERE id = $1",
        import_id, digest, size,
    )  # fmt: skip
    await tx.run("SELECT pg_notify('imports', '')")


async def _receive(
    database: Database, caller: Caller, import_id: UUID, begin: Sequence[bytes], rest: AsyncIterator[bytes]
) -> None:
    digest, size, ordinal = hashlib.sha256(), 0, 0
    async for piece in _chained(begin, rest):
        digest.update(piece)
        size += len(piece)
        async with database.transaction(caller) as tx:
            await _keep(tx, import_id, ordinal, piece)
        ordinal += 1
    async with database.transaction(caller) as tx:
        await _complete(tx, import_id, digest.digest(), size)


async def _again(
    database: Database, caller: Caller, how: How, begin: Sequence[bytes], rest: AsyncIterator[bytes]
) -> UUID:
    """The key is known: the same file gets the same answer, another file is refused.

    A dry run that was applied for real since is still what was asked for.
    """
    async with database.reading(caller) as tx:
        row = await tx.fetchrow(
            """
            SELECT id, digest,
                   keep_good = $4 AND (options = $3::jsonb
                       OR $3::jsonb ->> $5::text = 'true' AND options = $3::jsonb - $5::text) AS is_same
            FROM imports WHERE kind = $1 AND idempotency_key = $2
            """,
            how.kind, how.idempotency_key, json.dumps(how.options), how.keep_good, DRY_RUN,
        )  # fmt: skip
    if row is None or row["digest"] is None:
        raise StillReceiving
    digest = hashlib.sha256()
    async for piece in _chained(begin, rest):
        digest.update(piece)
    if digest.digest() != row["digest"] or not row["is_same"]:
        raise SameKeyOtherFile
    found: UUID = row["id"]
    return found


async def forget(tx: Transaction, import_id: UUID) -> None:
    """The upload is done with: its bytes and its place in the queue go."""
    await tx.run("DELETE FROM stage.uploads WHERE import_id = $1", import_id)
    await tx.run("DELETE FROM stage.queue WHERE import_id = $1", import_id)


async def forget_abandoned(database: Database, idle: timedelta) -> None:
    """Uploads that broke off, or have stood still for so long, leave nothing behind."""
    async with database.system() as tx:
        rows = await tx.fetch(
            "SELECT import_id, district_id FROM stage.queue WHERE NOT ready AND touched_at < now() - $1::interval", idle
        )
    for row in rows:
        async with database.transaction(Caller.system(row["district_id"], "imports")) as tx:
            # Looked at again under the row's lock: it may have gone on, or come to its end, meanwhile.
            gone = await tx.changed(
                "DELETE FROM stage.queue WHERE import_id = $1 AND NOT ready AND touched_at < now() - $2::interval",
                row["import_id"], idle,
            )  # fmt: skip
            if gone:
                await forget(tx, row["import_id"])
                await tx.run("DELETE FROM imports WHERE id = $1", row["import_id"])


async def _pieces(body: AsyncIterator[bytes], seconds: float = _KEPT_EVERY_SECONDS) -> AsyncIterator[bytes]:
    """The same bytes in pieces of at most 1 MiB, and what there is whenever so many seconds have gone by."""
    gathered = bytearray()
    begun = time.monotonic()
    async for part in body:
        gathered += part
        if gathered and time.monotonic() - begun > seconds:
            while gathered:
                yield bytes(gathered[:_PIECE_BYTES])
                del gathered[:_PIECE_BYTES]
            begun = time.monotonic()
        while len(gathered) >= _PIECE_BYTES:
            yield bytes(gathered[:_PIECE_BYTES])
            del gathered[:_PIECE_BYTES]
    if gathered:
        yield bytes(gathered)


async def _first(pieces: AsyncIterator[bytes], count: int) -> AsyncIterator[bytes]:
    """The first pieces, as many as there are up to `count`; the iterator goes on behind them."""
    for _ in range(count):
        try:
            yield await anext(pieces)
        except StopAsyncIteration:
            return


async def _chained(begin: Sequence[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for piece in begin:
        yield piece
    async for piece in rest:
        yield piece
