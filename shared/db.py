"""PostgreSQL, one transaction at a time.

A `Transaction` is a session, a caller, and what will be announced. It names its district before anything else, commits
once, and owns the only COPY: SQLAlchemy begins lazily, so a COPY on a connection that has not begun would run outside.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any
from uuid import UUID

import asyncpg
from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from shared import crash, events, telemetry
from shared.auth import Caller, Purpose
from shared.away import said_truly, truth_of
from shared.looking import Look, Lookers, schools_of


class Plans(StrEnum):
    """How often a reader's statements are planned: looked up by index, planning takes longer than running them."""

    AS_FITS = "as fits"
    ONCE = "once"
    ALWAYS = "always"


_NOBODY = Caller(UUID(int=0), "nobody", frozenset(), Purpose.INTEGRATION)
_PLANS = {
    Plans.AS_FITS: "SET LOCAL plan_cache_mode = auto; SET LOCAL enable_seqscan = on",
    # By index, also when the plan is made while a table seems to be empty: it is kept when the table is full.
    Plans.ONCE: "SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off",
    Plans.ALWAYS: "SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL enable_seqscan = on",
}
_SESSION = {
    # Days begin and end at Greenwich, wherever the server stands: current_date is the day that our clocks say.
    "timezone": "UTC",
    # A plan made while a table was empty scans it whole when it is full: plan each statement for the rows there are.
    "plan_cache_mode": "force_custom_plan",
    "jit": "off",
}
_LOOKING = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "default_transaction_read_only": "on",
}
"""Of those who only look: planned once, by index."""
_KEPT = 1
"""Connections for bulk that are kept, with the stages that were made in them; who needs more gets more."""
_SMALL = 64 * 1024
"""Bytes up to which a stage is emptied row by row."""


def _names(caller: Caller) -> str:
    """The statement that names whose rows may be seen; nothing but the digits of ids goes into it."""
    return (
        f"SELECT set_config('app.district', '{UUID(str(caller.district))}', true), "
        f"set_config('app.schools', '{schools_of(caller)}', true)"
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """A fact that refers to something not yet seen."""

    district: UUID
    needs: str
    type: str
    payload: bytes
    cause: str | None


class Transaction:
    """Everything that happens together. Made by `Database`; committed by it; never by its users."""

    def __init__(
        self, connection: AsyncConnection | None, raw: Any, source: str, *, empties_itself: bool = False
    ) -> None:
        self.caller = _NOBODY
        self.cause: str | None = None
        self.waiting: list[Waiting] = []
        self.arrivals: list[str] = []
        self._connection = connection
        self._raw: asyncpg.Connection[asyncpg.Record] = raw
        self._source = source
        self._session: AsyncSession | None = None
        self._announced: list[events.Envelope] = []
        self._savepoints = 0
        self._temporaries: set[str] = set()
        self._empties_itself = empties_itself

    @property
    def connection(self) -> "asyncpg.Connection[asyncpg.Record]":
        """The driver's own connection, for what a bus must do inside this transaction."""
        return self._raw

    @property
    def _pooled(self) -> AsyncConnection:
        if self._connection is None:
            raise RuntimeError("who only looks has no session, no savepoint and no stage")
        return self._connection

    @property
    def session(self) -> AsyncSession:
        """For SQLModel statements; the same transaction as everything else here."""
        if self._session is None:
            # It joins what is begun, a savepoint too, and makes none of its own that would outlive ours.
            self._session = AsyncSession(
                bind=self._pooled, expire_on_commit=False, autoflush=False, join_transaction_mode="rollback_only"
            )
        return self._session

    async def become(self, caller: Caller, *, cause: str | None = None) -> None:
        """Speak for this caller from here on: row-level security follows."""
        await self._raw.execute(_names(caller))
        self.caller = caller
        self.cause = cause

    async def _open(self, caller: Caller, cause: str | None, reading: Plans | None, *, snapshot: bool = False) -> None:
        """Begin, and speak for this caller before anything else is said; to read only, planned like this."""
        begin = f"BEGIN READ ONLY; {_names(caller)}; {_PLANS[reading]}" if reading else f"BEGIN; {_names(caller)}"
        if snapshot:
            begin = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {_names(caller)}"
        await self._raw.execute(begin)
        self.caller = caller
        self.cause = cause

    async def fetch(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        return list(await self._raw.fetch(sql, *values))

    async def fetchrow(self, sql: str, *values: Any) -> asyncpg.Record | None:
        return await self._raw.fetchrow(sql, *values)

    async def fetchval(self, sql: str, *values: Any) -> Any:
        return await self._raw.fetchval(sql, *values)

    async def run(self, sql: str, *values: Any) -> str:
        """Run a statement; its command tag, e.g. `UPDATE 3`."""
        return str(await self._raw.execute(sql, *values))

    async def changed(self, sql: str, *values: Any) -> int:
        """Run a statement; how many rows it touched."""
        tag = await self.run(sql, *values)
        return int(tag.rpartition(" ")[2])

    async def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        await self._raw.executemany(sql, rows)

    async def copy(
        self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, schema: str | None = None
    ) -> None:
        """COPY rows into a stage. PostgreSQL refuses COPY into a table with row-level security."""
        await self._raw.copy_records_to_table(table, schema_name=schema, columns=list(columns), records=rows)

    async def copy_binary(
        self, table: str, columns: Sequence[str], rows: Iterable[bytes], *, schema: str | None = None
    ) -> None:
        """COPY rows that are bytes already, as PostgreSQL's binary COPY writes tuples; any cut of them will do."""

        async def pieces() -> AsyncIterator[bytes]:
            yield b"PGCOPY\n\xff\r\n\0" + bytes(8)
            for piece in rows:
                yield piece
            yield b"\xff\xff"

        await self._raw.copy_to_table(
            table, schema_name=schema, columns=list(columns), source=pieces(), format="binary"
        )

    async def copy_out(self, sql: str, write: Callable[[bytes], Coroutine[Any, Any, None]], *values: Any) -> None:
        """The rows of a query as CSV, in pieces as they come; what cannot be written yet is not read yet."""
        await self._raw.copy_from_query(sql, *values, output=write, format="csv")

    async def temp(self, name: str, columns: str) -> None:
        """An empty stage of this session alone, made once per connection.

        Emptied at every call: a batch holds several districts, and only the commit empties it by itself.
        """
        info = (await self._pooled.get_raw_connection()).info
        if name in self._temporaries:
            await self._raw.execute(f"TRUNCATE {name}")
        elif name not in info.setdefault("made", set()):
            info.setdefault("stages", {})[name] = columns
            await self._raw.execute(self._creating(name, columns))
        self._temporaries.add(name)

    def _creating(self, name: str, columns: str) -> str:
        return f"CREATE TEMP TABLE {name} ({columns}) {'' if self._empties_itself else 'ON COMMIT DELETE ROWS'}"

    async def _make_again(self, info: dict[str, Any]) -> None:
        """Make the stages that were made in this session once and undone with all that a transaction did."""
        stages, made = info.setdefault("stages", {}), info.setdefault("made", set())
        if undone := [name for name in stages if name not in made]:
            await self._raw.execute("; ".join(self._creating(name, stages[name]) for name in undone))
            made.update(undone)

    async def _empty(self) -> None:
        """Empty the stages that hold anything. ON COMMIT DELETE ROWS would truncate every stage of the session, used
        or not, and make the index of its TOAST table anew; so does TRUNCATE, and few rows are sooner deleted."""
        filled = await self._raw.fetch(
            """
            SELECT name, pg_relation_size(name::regclass) <= $2 AS is_small FROM unnest($1::text[]) name
            WHERE pg_relation_size(name::regclass) > 0
            """,
            sorted(self._temporaries), _SMALL,
        )  # fmt: skip
        for is_small, verb in ((True, "DELETE FROM"), (False, "TRUNCATE")):
            if names := [row["name"] for row in filled if row["is_small"] is is_small]:
                await self._raw.execute("; ".join(f"{verb} {name}" for name in names))

    def announce(self, event: type[Message], facts: Iterable[Message]) -> None:
        """These facts happened, if and only if this transaction commits."""
        self._announced += events.envelopes(
            event,
            facts,
            source=self._source,
            district=self.caller.district,
            traceparent=telemetry.traceparent(),
            cause=self.cause,
        )

    def announce_encoded(self, event: type[Message], keys: Sequence[bytes], facts: Sequence[bytes]) -> None:
        """The same of facts that are serialised already, for those who make thousands of them in columns."""
        self._announced += events.encoded_envelopes(
            event,
            keys,
            facts,
            source=self._source,
            district=self.caller.district,
            traceparent=telemetry.traceparent(),
            cause=self.cause,
        )

    def wait(self, event: type[Message], fact: Message, needs: str) -> None:
        """This fact refers to something not yet seen; hear it again when `needs` has arrived."""
        payload = events.payload_of(event, [fact])
        self.waiting.append(Waiting(self.caller.district, needs, events.type_of(event), payload, self.cause))

    def arrived(self, needs: Iterable[str]) -> None:
        """What others may have been waiting for is here now."""
        self.arrivals += needs

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Everything inside happens together or not at all, announcements too; with a session of its own."""
        before = len(self._announced), len(self.waiting), len(self.arrivals), self.caller, self.cause
        temporaries = set(self._temporaries)
        outer, self._session = self._session, None
        self._savepoints += 1
        try:
            async with self._pooled.begin_nested():
                yield
                await self._flush()
        except BaseException:
            announced, waiting, arrivals, self.caller, self.cause = before
            self._temporaries = temporaries
            del self._announced[announced:], self.waiting[waiting:], self.arrivals[arrivals:]
            raise
        finally:
            self._savepoints -= 1
            self._session = outer

    async def _flush(self) -> None:
        if self._session is not None:
            await self._session.flush()

    async def flush_announced(self) -> None:
        """Write what was announced so far: it waits in this transaction instead of in memory. For bulk.

        Never inside a savepoint: what was announced before it would be undone with it.
        """
        if self._savepoints:
            raise RuntimeError("what was announced is not flushed inside a savepoint")
        if self._announced:
            await self._raw.copy_records_to_table(
                "outbox",
                columns=[
                    "envelope", "type", "source", "district", "bucket", "facts",
                    "payload", "traceparent", "cause", "created_at",
                ],
                records=[
                    (e.id, e.type, e.source, e.district, e.bucket, e.facts, e.payload, e.traceparent, e.cause, e.time)
                    for e in self._announced
                ],
            )  # fmt: skip
            self._announced.clear()
            await self._raw.execute("SELECT pg_notify('outbox', '')")

    async def _finish(self) -> None:
        await self._flush()
        await self.flush_announced()
        if self._empties_itself and self._temporaries:
            await self._empty()


async def _undone(connection: AsyncConnection, raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Nothing of the transaction stays; a connection that cannot be asked any more is not used again."""
    if raw.is_closed():
        await connection.invalidate()
        return
    try:
        await asyncio.shield(asyncio.ensure_future(raw.execute("ROLLBACK")))
    except BaseException:
        await connection.invalidate()
        raise


async def _rolled_back(raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Nothing of the transaction stays; a connection that does not say so at once is given up."""
    try:
        if not raw.is_closed():
            await asyncio.shield(asyncio.ensure_future(raw.execute("ROLLBACK", timeout=5)))
    except BaseException:
        raw.terminate()
        raise


class _Looking(AbstractAsyncContextManager[Look]):
    """A look, within a span, and what goes wrong said truly: by hand, for generators would cost as much as looking."""

    __slots__ = ("_look", "_span")

    def __init__(self, look: Look, span: AbstractContextManager[object]) -> None:
        self._look = look
        self._span = span

    async def __aenter__(self) -> Look:
        self._span.__enter__()
        return self._look

    async def __aexit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if wrong is not None and (truth := truth_of(wrong)) is not None:
                raise truth from wrong
        finally:
            self._span.__exit__(kind, wrong, trace)


class Database:
    """A service's own database, reached as a role that owns nothing."""

    def __init__(self, dsn: str, *, name: str, pool_size: int = 5) -> None:
        self.dsn = dsn
        self.name = name
        self.pool_size = pool_size
        self._engine = self._made(300, pool_size=pool_size, max_overflow=0, pool_timeout=10, pool_pre_ping=False)
        self._long = self._made(None, pool_size=_KEPT, max_overflow=-1, pool_timeout=10, pool_pre_ping=True)
        self._lookers = Lookers(self._connected, most=pool_size)

    def _made(self, statement_seconds: float | None, **how: Any) -> AsyncEngine:
        return create_async_engine(
            self.dsn.replace("postgresql://", "postgresql+asyncpg://", 1),
            isolation_level="AUTOCOMMIT",  # it begins nothing by itself: `Transaction` does, in one round trip
            connect_args={
                "command_timeout": statement_seconds,
                "server_settings": {**_SESSION, "application_name": f"trellis-{self.name}"},
            },
            **how,
        )

    @property
    def most_connections(self) -> int:
        """How many it opens at once: of its pool, of those who look, and the one that is kept for bulk."""
        return 2 * self.pool_size + _KEPT

    @asynccontextmanager
    async def transaction(self, caller: Caller, *, cause: str | None = None) -> AsyncIterator[Transaction]:
        """Read and write on the caller's behalf; commits once, when the block ends."""
        async with self._begin(caller, cause, None) as tx:
            yield tx

    @asynccontextmanager
    async def alone(self, caller: Caller, *, cause: str | None = None) -> AsyncIterator[Transaction]:
        """The same on a connection of its own, for bulk: its statements may take as long as they need."""
        async with self._begin(caller, cause, None, engine=self._long) as tx:
            yield tx

    @asynccontextmanager
    async def reading(self, caller: Caller, plans: Plans = Plans.AS_FITS) -> AsyncIterator[Transaction]:
        """Read only, on the caller's behalf."""
        async with self._begin(caller, None, plans) as tx:
            yield tx

    @asynccontextmanager
    async def snapshot(self, caller: Caller) -> AsyncIterator[Transaction]:
        """Read only, everything as it is now however long it takes, on a connection of its own."""
        async with self._begin(caller, None, None, engine=self._long, snapshot=True) as tx:
            yield tx

    @asynccontextmanager
    async def looking(self, caller: Caller, plans: Plans = Plans.AS_FITS) -> AsyncIterator[Transaction]:
        """The same for what is asked hundreds of times a second: without a session, on connections of its own."""
        with telemetry.span(f"{self.name} transaction"), said_truly():
            async with self._lookers.lend() as raw:
                try:
                    tx = Transaction(None, raw, self.name)
                    await tx._open(caller, None, plans)
                    yield tx
                    await raw.execute("COMMIT")
                except BaseException:
                    await _rolled_back(raw)
                    raise

    def look(self, caller: Caller) -> AbstractAsyncContextManager[Look]:
        """For single statements on the caller's behalf, each in one round trip; planned once, by index."""
        return _Looking(Look(self._lookers, caller), telemetry.span(f"{self.name} look"))

    async def _connected(self) -> "asyncpg.Connection[asyncpg.Record]":
        settings = {**_SESSION, **_LOOKING, "application_name": f"trellis-{self.name}"}
        return await asyncpg.connect(
            self.dsn, timeout=10, command_timeout=300, server_settings=settings,
            statement_cache_size=200, max_cacheable_statement_size=100_000, max_cached_statement_lifetime=0,
        )  # fmt: skip

    @asynccontextmanager
    async def system(self) -> AsyncIterator[Transaction]:
        """A transaction of no district, for the tables that belong to none (outbox, inbox, stages)."""
        async with self._begin(_NOBODY, None, None) as tx:
            yield tx

    @asynccontextmanager
    async def _begin(
        self,
        caller: Caller,
        cause: str | None,
        reading: Plans | None,
        engine: AsyncEngine | None = None,
        *,
        snapshot: bool = False,
    ) -> AsyncIterator[Transaction]:
        with telemetry.span(f"{self.name} transaction"), said_truly():
            async with (engine or self._engine).connect() as connection:
                pooled = await connection.get_raw_connection()
                tx = Transaction(connection, pooled.driver_connection, self.name, empties_itself=engine is self._long)
                try:
                    if engine is self._long and not snapshot:
                        await tx._make_again(pooled.info)
                    await tx._open(caller, cause, reading, snapshot=snapshot)
                    yield tx
                    await tx._finish()
                    crash.point("W1")
                    await tx.connection.execute("COMMIT")
                except BaseException:
                    await _undone(connection, tx.connection)
                    raise
                pooled.info.setdefault("made", set()).update(tx._temporaries)

    async def raw(self) -> "asyncpg.Connection[asyncpg.Record]":
        """A connection of one's own, outside the pool, for LISTEN and advisory locks."""
        with said_truly():
            return await asyncpg.connect(self.dsn, timeout=10)

    async def close(self) -> None:
        await self._lookers.close()
        await self._engine.dispose()
        await self._long.dispose()
