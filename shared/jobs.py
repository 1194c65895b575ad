"""A job that goes on until it is cancelled: woken by NOTIFY, looking by itself every few seconds as a net."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

import structlog

from shared.db import Database

BACK_OFF_SECONDS = (0.2, 1.0, 3.0, 10.0)

log = structlog.get_logger("jobs")


async def work(
    database: Database,
    channel: str,
    look: Callable[[], Awaitable[bool | None]],
    *,
    every_seconds: float,
    lock: int | None = None,
    back_off_seconds: Sequence[float] = BACK_OFF_SECONDS,
) -> None:
    """Do what there is to do (`look`), whenever `channel` is notified and every so many seconds; for ever.

    A look that returns True may have left something: the next one follows at once.

    With a `lock` one worker per database does it: the advisory lock lives as long as this job's connection, which is
    asked after every look. A failure is said, and everything begins anew after a while that grows until a look has
    succeeded again.
    """
    failures = 0

    async def lead() -> None:
        nonlocal failures
        woken = asyncio.Event()
        connection = await database.raw()
        try:
            await connection.add_listener(channel, lambda *_: woken.set())
            if lock is not None:
                await connection.execute("SELECT pg_advisory_lock($1)", lock)
            while True:
                woken.clear()
                may_be_more = await look()
                failures = 0
                if not may_be_more:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(every_seconds):
                            await woken.wait()
                await connection.fetchval("SELECT 1")  # the lock is lost with the connection: then begin anew
        finally:
            connection.terminate()

    while True:
        try:
            await lead()
        except Exception as wrong:
            wait = back_off_seconds[min(failures, len(back_off_seconds) - 1)]
            failures += 1
            log.warning("job waits", service=database.name, job=channel, reason=repr(wrong)[:300], seconds=wait)
            await asyncio.sleep(wait)
