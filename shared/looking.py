"""Looking: what is read hundreds of times a second, on connections that do nothing else.

A transaction takes three round trips to read one thing: begin and name the caller, read, commit. `Look` names the
caller within the statement that reads, for as long as that lasts. Should the statement read before it has named
anybody, it finds nothing: on such a connection nobody is named between two statements.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import TypeAlias
from uuid import UUID

import asyncpg

from shared.auth import Caller

Raw: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
NAMED = "{named}"
"""Where a statement that looks has a condition which holds once the caller is named."""


@lru_cache(maxsize=1_000)
def schools_of(caller: Caller) -> str:
    """The schools that a caller may see, as row-level security reads them; empty for the whole district."""
    if caller.schools is None:
        return ""
    return ",".join(str(UUID(str(one))) for one in caller.schools) or str(UUID(int=0))


@lru_cache(maxsize=1_000)
def _names_of(caller: Caller) -> tuple[str, str]:
    return str(caller.district), schools_of(caller)


class Lookers:
    """The connections of those who look, each lent to one at a time."""

    def __init__(self, connect: Callable[[], Coroutine[None, None, Raw]], *, most: int) -> None:
        self._connect = connect
        self._free = asyncio.Semaphore(most)
        self._idle: list[Raw] = []

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Raw]:
        """A connection for the length of a block."""
        raw = await self.take()
        try:
            yield raw
        finally:
            self.give_back(raw)

    async def take(self) -> Raw:
        """A connection; whoever takes it gives it back."""
        await self._free.acquire()
        raw = self._idle.pop() if self._idle else None
        if raw is not None and not raw.is_closed():
            return raw
        connecting = asyncio.ensure_future(self._connect())
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            connecting.add_done_callback(self._left)
            raise
        except BaseException:
            self._free.release()
            raise

    def _left(self, connecting: "asyncio.Future[Raw]") -> None:
        """Whoever wanted this connection has gone: the next may have it. To break off would leave it to nobody."""
        if not connecting.cancelled() and connecting.exception() is None:
            self._idle.append(connecting.result())
        self._free.release()

    def give_back(self, raw: Raw) -> None:
        """Somebody else may have it; one that is closed by now is not lent again."""
        if not raw.is_closed():
            self._idle.append(raw)
        self._free.release()

    async def close(self) -> None:
        for raw in self._idle:
            await raw.close()
        self._idle.clear()


class Look:
    """What a caller sees, each statement as of its own moment."""

    def __init__(self, lookers: Lookers, caller: Caller) -> None:
        self.caller = caller
        self._lookers = lookers

    async def fetchrow(self, sql: str, *values: object) -> asyncpg.Record | None:
        """The first row of a SELECT that says `{named}`."""
        raw = await self._lookers.take()
        try:
            return await raw.fetchrow(_naming(sql, len(values)), *values, *_names_of(self.caller))
        except asyncpg.PostgresError:
            raise
        except BaseException:
            raw.terminate()  # given up in the middle: whatever it says now answers nobody
            raise
        finally:
            self._lookers.give_back(raw)


@lru_cache(maxsize=1_000)
def _naming(sql: str, values: int) -> str:
    """The statement, after the caller is named: it hangs on that row, which OFFSET 0 keeps so."""
    asked = sql.replace(NAMED, "who.named IS NOT NULL")
    if asked == sql:
        raise ValueError(f"a statement that looks says {NAMED}")
    return f"""
        SELECT asked.* FROM (
            SELECT set_config('app.district', ${values + 1}::text, true)
                || set_config('app.schools', ${values + 2}::text, true) AS named OFFSET 0
        ) who CROSS JOIN LATERAL ({asked} OFFSET 0) asked
    """  # noqa: S608  # numbers and statements of ours
