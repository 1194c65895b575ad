"""Hearing facts exactly once: a batch is one transaction of inbox rows, effects, announcements and the bus's mark.

What refers to something not yet seen waits; what cannot be processed is parked with its bytes and reason, and where
order matters later facts of the same key wait behind it. Everything else goes on.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from google.protobuf.message import DecodeError, Message
from sqlalchemy.exc import DBAPIError

from shared import crash, events, telemetry
from shared.auth import Caller
from shared.away import driver_error, is_away
from shared.bus.bus import Batch, Bus
from shared.db import Database, Transaction
from shared.errors import Unavailable
from shared.events import Envelope

Handler = Callable[[Transaction, list[Any]], Awaitable[None]]
_WELCOMED_AT_ONCE = 5_000
_BEHIND = "behind an earlier fact of the same key"
_TRANSIENT = (
    Unavailable,
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
)

log = structlog.get_logger("inbox")


def is_transient(wrong: Exception) -> bool:
    """Whether the same may go well the next time: something was away, or two transactions were in each other's way."""
    said: BaseException | None = wrong
    if isinstance(wrong, DBAPIError):
        if wrong.connection_invalidated:
            return True
        said = driver_error(wrong)
    return is_away(said) or isinstance(said, _TRANSIENT)


@dataclass(frozen=True, slots=True)
class Listens:
    """One event type and what is done with it. `ordered`: a parked fact holds up later facts of its key."""

    event: type[Message]
    handler: Handler
    ordered: bool = True


@dataclass(slots=True)
class _Group:
    """Facts of one type, district and cause, in order."""

    type: str
    district: UUID
    cause: str | None
    facts: list[Any] = field(default_factory=list)
    traceparent: str | None = None


class Consumer:
    """Hears facts for one service."""

    def __init__(self, name: str, database: Database, listens: Sequence[Listens], bus: Bus) -> None:
        self.name = name
        self.types = [events.type_of(one.event) for one in listens]
        self._listens = dict(zip(self.types, listens, strict=True))
        self._database = database
        self._bus = bus

    async def run(self) -> None:
        """Until cancelled."""
        if self.types:
            await self._bus.listen(self.name, self.types, self.hear)

    async def hear(self, batch: Batch) -> None:
        """One batch, one transaction."""
        crash.point("C1")
        first = batch.envelopes[0]
        with telemetry.span(f"{self.name} hears", parent=first.traceparent):
            async with self._database.system() as tx:
                new = await self.first_time(tx, batch.envelopes)
                crash.point("C2")
                for group in await self._groups(tx, new):
                    await self._take(tx, group)
                await self._welcome(tx)
                await batch.mark(tx.connection)
                crash.point("C3")
        crash.point("C4")

    async def first_time(self, tx: Transaction, envelopes: Sequence[Envelope]) -> list[Envelope]:
        """Note the envelopes in the inbox; those that were not there before, in order."""
        rows = await tx.fetch(
            """
            INSERT INTO inbox (listener, envelope, type, facts, cause)
            SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::integer[], $5::text[])
            ON CONFLICT DO NOTHING RETURNING envelope
            """,
            self.name,
            [e.id for e in envelopes],
            [e.type for e in envelopes],
            [e.facts for e in envelopes],
            [e.cause for e in envelopes],
        )
        new = {row["envelope"] for row in rows}
        chosen = []
        for envelope in envelopes:
            if envelope.id in new:
                new.discard(envelope.id)
                chosen.append(envelope)
        return chosen

    async def _groups(self, tx: Transaction, envelopes: Sequence[Envelope]) -> list[_Group]:
        """Gather facts that can be handled together, never letting one overtake another of its bucket."""
        groups: list[_Group] = []
        place: dict[tuple[str, UUID, str | None], int] = {}
        last: dict[tuple[str, UUID, int], int] = {}
        for envelope in envelopes:
            if envelope.type not in self._listens:
                continue
            try:
                facts = list(events.facts_of(envelope.type, envelope.payload))
            except DecodeError:
                await self._park(tx, envelope.district, envelope.type, b"", envelope.payload, "not decodable", envelope)
                continue
            kind = (envelope.type, envelope.district, envelope.cause)
            bucket = (envelope.type, envelope.district, envelope.bucket)
            at = place.get(kind)
            if at is None or last.get(bucket, -1) > at:
                at = place[kind] = len(groups)
                groups.append(_Group(*kind, traceparent=envelope.traceparent))
            last[bucket] = at
            groups[at].facts += facts
        return groups

    async def _take(self, tx: Transaction, group: _Group) -> None:
        """Hand a group to its handler; park what cannot be processed."""
        listens = self._listens[group.type]
        await tx.become(Caller.system(group.district, f"service:{self.name}"), cause=group.cause)
        facts = group.facts
        if listens.ordered:
            facts = await self._not_behind(tx, group)
        if not facts:
            return
        with telemetry.span(f"{self.name} {group.type.rpartition('.')[2]}", parent=group.traceparent):
            await self._handle(tx, listens, group, facts)

    async def _handle(self, tx: Transaction, listens: Listens, group: _Group, facts: list[Any]) -> None:
        try:
            async with tx.savepoint():
                await listens.handler(tx, facts)
        except Exception as wrong:
            if is_transient(wrong):
                raise
            await self._narrow(tx, listens, group, facts, wrong)
        else:
            telemetry.FACTS_HEARD.labels(self.name, group.type).inc(len(facts))

    async def _narrow(
        self, tx: Transaction, listens: Listens, group: _Group, facts: list[Any], wrong: Exception
    ) -> None:
        """Halve until the fact that cannot be processed stands alone, then park it."""
        if len(facts) > 1:
            middle = len(facts) // 2
            await self._handle(tx, listens, group, facts[:middle])
            rest = _Group(group.type, group.district, group.cause, facts[middle:])
            still = await self._not_behind(tx, rest) if listens.ordered else rest.facts
            if still:
                await self._handle(tx, listens, group, still)
            return
        [fact] = facts
        reason = _writable(f"{type(wrong).__name__}: {wrong}")[:1000]
        log.error("fact parked", listener=self.name, type=group.type, reason=type(wrong).__name__)
        await self._park_fact(tx, listens, group, fact, reason)

    async def _not_behind(self, tx: Transaction, group: _Group) -> list[Any]:
        """The facts whose key has nothing parked; the others are parked behind."""
        rows = await tx.fetch(
            "SELECT DISTINCT key FROM parked WHERE listener = $1 AND type = $2 AND district = $3",
            self.name,
            group.type,
            group.district,
        )
        if not rows:
            return group.facts
        held = {row["key"] for row in rows}
        listens = self._listens[group.type]
        free = []
        for fact in group.facts:
            if events.key_of(listens.event, fact) in held:
                await self._park_fact(tx, listens, group, fact, _BEHIND)
            else:
                free.append(fact)
        return free

    async def _park_fact(self, tx: Transaction, listens: Listens, group: _Group, fact: Any, reason: str) -> None:
        key, payload = events.key_of(listens.event, fact), events.payload_of(listens.event, [fact])
        await self._park(tx, group.district, group.type, key, payload, reason, group)

    async def _park(
        self,
        tx: Transaction,
        district: UUID,
        type_: str,
        key: bytes,
        payload: bytes,
        reason: str,
        of: Envelope | _Group,
    ) -> None:
        await tx.run(
            "INSERT INTO parked (listener, district, type, key, payload, reason, cause) VALUES ($1,$2,$3,$4,$5,$6,$7)",
            self.name, district, type_, key, payload, reason, of.cause,
        )  # fmt: skip
        telemetry.FACTS_PARKED.labels(self.name, type_).inc()
        crash.point("C6")

    async def _welcome(self, tx: Transaction) -> None:
        """Write down who waits; then hear again those whose need has arrived, until nothing moves."""
        while True:
            await self._write_waiting(tx)
            arrived, tx.arrivals = tx.arrivals, []
            if not arrived:
                return
            while rows := await tx.fetch(
                """
                WITH taken AS (
                    DELETE FROM waiting WHERE id IN (
                        SELECT id FROM waiting WHERE listener = $1 AND needs = ANY ($2::text[]) ORDER BY id LIMIT $3)
                    RETURNING id, district, type, payload, cause
                )
                SELECT * FROM taken ORDER BY id
                """,
                self.name,
                arrived,
                _WELCOMED_AT_ONCE,
            ):
                await self._take_again(tx, rows)

    async def _take_again(self, tx: Transaction, waited: Sequence[asyncpg.Record]) -> None:
        gathered: dict[tuple[str, UUID, str | None], _Group] = {}
        for row in waited:
            kind = (row["type"], row["district"], row["cause"])
            group = gathered.setdefault(kind, _Group(*kind))
            group.facts += events.facts_of(row["type"], row["payload"])
        for group in gathered.values():
            await self._take(tx, group)

    async def _write_waiting(self, tx: Transaction) -> None:
        if tx.waiting:
            await tx.run_many(
                "INSERT INTO waiting (listener, district, needs, type, payload, cause) VALUES ($1, $2, $3, $4, $5, $6)",
                [(self.name, w.district, w.needs, w.type, w.payload, w.cause) for w in tx.waiting],
            )
            tx.waiting = []

    async def redrive(self, *, type_name: str | None = None) -> int:
        """Hear parked facts again, in order, each key in a transaction of its own; how many took effect.

        A fact that came while its key was being redriven was parked behind nothing: those are taken up at the end.
        """
        done = 0
        for only_behind in (False, True):
            async with self._database.system() as tx:
                keys = await tx.fetch(
                    """
                    SELECT type, district, key, min(id) AS first FROM parked
                    WHERE listener = $1 AND ($2::text IS NULL OR type = $2)
                    GROUP BY type, district, key
                    HAVING NOT $3 OR bool_and(reason = $4) ORDER BY first
                    """,
                    self.name, type_name, only_behind, _BEHIND,
                )  # fmt: skip
            done += sum([await self._redrive_key(row["type"], row["district"], row["key"]) for row in keys])
        return done

    async def _redrive_key(self, type_name: str, district: UUID, key: bytes) -> int:
        async with self._database.system() as tx:
            rows = await tx.fetch(
                """
                WITH taken AS (
                    DELETE FROM parked WHERE listener = $1 AND type = $2 AND district = $3 AND key = $4
                    RETURNING id, payload, cause
                )
                SELECT * FROM taken ORDER BY id
                """,
                self.name, type_name, district, key,
            )  # fmt: skip
            for row in rows:
                try:
                    facts = list(events.facts_of(type_name, row["payload"]))
                except DecodeError:
                    group = _Group(type_name, district, row["cause"])
                    await self._park(tx, district, type_name, key, row["payload"], "not decodable", group)
                    continue
                await self._take(tx, _Group(type_name, district, row["cause"], facts))
            await self._welcome(tx)
            left = await tx.fetchval(
                "SELECT count(*) FROM parked WHERE listener = $1 AND type = $2 AND district = $3 AND key = $4",
                self.name, type_name, district, key,
            )  # fmt: skip
            return len(rows) - int(left)


def _writable(text: str) -> str:
    """The same text with what PostgreSQL cannot keep written out."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


async def effects_of(tx: Transaction, cause: str) -> dict[str, dict[str, int]]:
    """What came of a cause in this database: facts announced, heard, waiting and parked, by event type."""
    counted: dict[str, dict[str, int]] = {}
    for name, sql in {
        "announced": "SELECT type, sum(facts)::bigint AS n FROM outbox WHERE cause = $1 GROUP BY type",
        "heard": "SELECT type, sum(facts)::bigint AS n FROM inbox WHERE cause = $1 GROUP BY type",
        "waiting": "SELECT type, count(*) AS n FROM waiting WHERE cause = $1 GROUP BY type",
        "parked": "SELECT type, count(*) AS n FROM parked WHERE cause = $1 GROUP BY type",
    }.items():
        counted[name] = {row["type"]: row["n"] for row in await tx.fetch(sql, cause)}
    return counted
