"""The bus without a broker: every listener reads the producers' outboxes, which are the log.

A listener keeps one position per producer, in its own database, moved in the transaction that holds the effect; a
listener that is down holds up only itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg
import structlog

from shared.away import is_away
from shared.bus.bus import Hear
from shared.db import Database
from shared.errors import Unavailable
from shared.events import Envelope
from shared.outbox import COLUMNS, envelope_of

if TYPE_CHECKING:
    from asyncpg import Connection, Record

_AT_ONCE = 64
_NET_SECONDS = 2.0
_BACK_OFF_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
_LOG = f"SELECT position, {COLUMNS} FROM outbox WHERE position > $1 ORDER BY position LIMIT {_AT_ONCE}"  # noqa: S608  # constants

log = structlog.get_logger("bus")


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Envelopes of one producer up to a position of its log."""

    envelopes: Sequence[Envelope]
    listener: str
    producer: str
    position: int

    async def mark(self, tx_connection: Connection[Record]) -> None:
        await tx_connection.execute(
            """
            INSERT INTO positions (listener, producer, position) VALUES ($1, $2, $3)
            ON CONFLICT (listener, producer) DO UPDATE SET position = EXCLUDED.position
            """,
            self.listener,
            self.producer,
            self.position,
        )


class EmbeddedBus:
    """Reads each producer's outbox for each listener. `databases`: every service's, by name."""

    def __init__(self, databases: Mapping[str, Database]) -> None:
        self._databases = databases
        self._closing = asyncio.Event()

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Nothing to do: the row in the outbox is durable, and the relay's mark puts it into the log."""

    async def listen(self, listener: str, types: Sequence[str], hear: Hear) -> None:
        """Follow every producer that may announce one of the types."""
        async with asyncio.TaskGroup() as following:
            for producer in sorted({name.split(".")[2] for name in types}):
                if producer in self._databases:
                    following.create_task(self._follow(listener, producer, frozenset(types), hear))

    async def close(self) -> None:
        self._closing.set()

    async def _follow(self, listener: str, producer: str, types: frozenset[str], hear: Hear) -> None:
        failures = 0
        while not self._closing.is_set():
            try:
                await self._read(listener, producer, types, hear)
            except asyncio.CancelledError:
                raise
            except Exception as wrong:
                wait = _BACK_OFF_SECONDS[min(failures, len(_BACK_OFF_SECONDS) - 1)]
                failures += 1
                log.warning(
                    "listener waits", listener=listener, producer=producer, reason=type(wrong).__name__, seconds=wait
                )
                await asyncio.sleep(wait)
            else:
                failures = 0

    async def _read(self, listener: str, producer: str, types: frozenset[str], hear: Hear) -> None:
        """From the kept position on, until something goes wrong."""
        woken = asyncio.Event()
        source = await self._databases[producer].raw()
        try:
            await source.add_listener("log", lambda *_: woken.set())
            position = await self._position(listener, producer)
            while not self._closing.is_set():
                woken.clear()
                rows = await source.fetch(_LOG, position)
                if not rows:
                    try:
                        async with asyncio.timeout(_NET_SECONDS):
                            await woken.wait()
                    except TimeoutError:
                        pass
                    continue
                reached = rows[-1]["position"]
                wanted = [envelope_of(row) for row in rows if row["type"] in types]
                if wanted:
                    await hear(_Stretch(wanted, listener, producer, reached))
                position = reached
        except asyncpg.InterfaceError as away:
            if not is_away(away):
                raise
            raise Unavailable("The producer's database does not answer.") from away
        finally:
            source.terminate()

    async def _position(self, listener: str, producer: str) -> int:
        async with self._databases[listener].system() as tx:
            kept = await tx.fetchval(
                "SELECT position FROM positions WHERE listener = $1 AND producer = $2", listener, producer
            )
        return int(kept or 0)
