"""The relay, the only publisher: what was announced is handed to the bus, then marked with its place in the log.

One relay per database, under an advisory lock; rows are looked for by being unsent, never by a cursor that a late
commit could slip behind. Sent rows stay: the outbox is the log, and what the embedded bus and a rebuild read.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime

import asyncpg
import structlog

from shared import crash, telemetry
from shared.bus.bus import Bus
from shared.db import Database
from shared.errors import Unavailable
from shared.events import Envelope

_LOCK = 0x7265_6C61  # "rela"; one relay per database
_AT_ONCE = 500
_NET_SECONDS = 3.0
_BACK_OFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)

COLUMNS = "envelope, type, source, district, bucket, facts, created_at, payload, traceparent, cause"
_UNSENT = f"SELECT id, {COLUMNS} FROM outbox WHERE position IS NULL ORDER BY id LIMIT {_AT_ONCE}"  # noqa: S608  # constants
_MARK = """
    UPDATE outbox SET position = sent.position
    FROM (
        SELECT id, created_at, nextval('outbox_positions') AS position
        FROM unnest($1::bigint[], $2::timestamptz[]) AS one (id, created_at)
    ) AS sent
    WHERE outbox.id = sent.id AND outbox.created_at = sent.created_at
"""

log = structlog.get_logger("relay")


def envelope_of(row: asyncpg.Record) -> Envelope:
    """An outbox row as the envelope it holds."""
    return Envelope(
        id=row["envelope"],
        type=row["type"],
        source=row["source"],
        district=row["district"],
        bucket=row["bucket"],
        facts=row["facts"],
        time=row["created_at"],
        payload=row["payload"],
        traceparent=row["traceparent"],
        cause=row["cause"],
    )


class Relay:
    """Moves one service's announcements to the bus."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled. Woken by NOTIFY; looks every few seconds anyway."""
        failures = 0
        while True:
            try:
                await self._lead()
            except (Unavailable, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as wrong:
                wait = _BACK_OFF_SECONDS[min(failures, len(_BACK_OFF_SECONDS) - 1)]
                failures += 1
                log.warning("relay waits", service=self._database.name, reason=type(wrong).__name__, seconds=wait)
                await asyncio.sleep(wait)
            else:
                failures = 0

    async def _lead(self) -> None:
        """Hold the lock for as long as the connection lives, and send."""
        connection = await self._database.raw()
        try:
            await connection.add_listener("outbox", lambda *_: self._woken.set())
            await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
            while True:
                self._woken.clear()
                while await self.send(connection):
                    pass
                try:
                    async with asyncio.timeout(_NET_SECONDS):
                        await self._woken.wait()
                except TimeoutError:
                    await connection.fetchval("SELECT 1")
        finally:
            connection.terminate()

    async def send(self, connection: "asyncpg.Connection[asyncpg.Record]") -> int:
        """Publish what is unsent, oldest first, and mark it; how many envelopes."""
        async with connection.transaction():
            rows = await connection.fetch(_UNSENT)
            telemetry.OUTBOX_WAITING.labels(self._database.name).set(len(rows))
            crash.point("R1")
            if not rows:
                return 0
            await self._publish([envelope_of(row) for row in rows])
            crash.point("R3")
            await connection.execute(_MARK, [row["id"] for row in rows], [row["created_at"] for row in rows])
            await connection.execute("SELECT pg_notify('log', '')")
            crash.point("R4")
        return len(rows)

    async def _publish(self, envelopes: Sequence[Envelope]) -> None:
        if crash.is_armed("R2"):
            half = len(envelopes) // 2
            await self._bus.publish(envelopes[:half])
            crash.point("R2")
            envelopes = envelopes[half:]
        await self._bus.publish(envelopes)
        for envelope in envelopes:
            telemetry.FACTS_SENT.labels(self._database.name, envelope.type).inc(envelope.facts)


async def listen_from(database: Database) -> datetime:
    """The moment from which to listen for whoever reads the state after this returns.

    What is not in that state was announced by a transaction that is under way now, or begins later: its facts bear a
    time since the oldest of them began. Clocks of services and database may differ by a minute.
    """
    async with database.system() as tx:
        moment: datetime = await tx.fetchval(
            """
            SELECT LEAST(clock_timestamp(), min(xact_start)) - interval '1 minute' FROM pg_stat_activity
            WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
            """
        )
    return moment
