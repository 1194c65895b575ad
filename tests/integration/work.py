"""Jobs at work beside a test."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

ENDED_SECONDS = 20.0


@asynccontextmanager
async def at_work(job: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """The job goes on while the block runs, and has ended when it is left: the database is lent to others then."""
    task = asyncio.create_task(job)
    try:
        yield task
    finally:
        task.cancel()
        _, still_at_work = await asyncio.wait([task], timeout=ENDED_SECONDS)
        assert not still_at_work, "a job that was cancelled goes on"
