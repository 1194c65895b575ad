"""A job is woken, looks by itself, outlives its failures, and is alone where it must be."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared import jobs
from shared.db import Database
from tests.integration.work import at_work

FreshDatabase = Callable[[str], Awaitable[Database]]
NEVER = 600.0
LOCK = 4711


class Looks:
    """A look that says so; what it returns or raises is given, and at last it has nothing to do."""

    def __init__(self, *outcomes: bool | Exception) -> None:
        self._outcomes = list(outcomes)
        self._said: asyncio.Queue[None] = asyncio.Queue()

    async def __call__(self) -> bool:
        self._said.put_nowait(None)
        outcome = self._outcomes.pop(0) if self._outcomes else False
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def come(self, times: int = 1) -> None:
        async with asyncio.timeout(20):
            for _ in range(times):
                await self._said.get()


@pytest.fixture
async def database(fresh_database: FreshDatabase) -> Database:
    return await fresh_database("kernel")


@asynccontextmanager
async def working(database: Database, look: Callable[[], Awaitable[bool]], **how: Any) -> AsyncIterator[None]:
    async with at_work(jobs.work(database, "bell", look, **how)) as job:
        yield
        assert not job.done()


async def test_a_job_is_woken_by_its_channel(database: Database) -> None:
    look = Looks()
    async with working(database, look, every_seconds=NEVER):
        await look.come()
        async with database.system() as tx:
            await tx.run("SELECT pg_notify('bell', '')")

        await look.come()


async def test_a_job_looks_by_itself(database: Database) -> None:
    look = Looks()
    async with working(database, look, every_seconds=0.01):
        await look.come(3)


async def test_a_job_looks_again_at_once_while_there_may_be_more(database: Database) -> None:
    look = Looks(True, True)
    async with working(database, look, every_seconds=NEVER):
        await look.come(3)


async def test_a_job_waits_longer_after_each_failure_until_a_look_has_succeeded(database: Database) -> None:
    wrong = RuntimeError("wrong")
    look = Looks(wrong, wrong, wrong, False, wrong)

    with capture_logs() as said:
        async with working(database, look, every_seconds=0.01, back_off_seconds=(0.01, 0.02)):
            await look.come(6)

    assert [one["seconds"] for one in said if one["event"] == "job waits"] == [0.01, 0.02, 0.02, 0.01]


@pytest.mark.parametrize("is_busy", [False, True], ids=["idle", "busy"])
async def test_one_of_two_jobs_with_a_lock_works_and_the_other_when_it_has_lost_its_connection(
    database: Database, is_busy: bool
) -> None:
    looked: list[str] = []

    def named(name: str) -> Callable[[], Awaitable[bool]]:
        async def look() -> bool:
            looked.append(name)
            await asyncio.sleep(0.005)
            return is_busy

        return look

    async def look_some_times() -> set[str]:
        looked.clear()
        async with asyncio.timeout(20):
            while len(looked) < 20:  # noqa: ASYNC110  # they are counted, not announced
                await asyncio.sleep(0.01)
        return set(looked)

    async with (
        working(database, named("one"), every_seconds=0.01, lock=LOCK),
        working(database, named("other"), every_seconds=0.01, lock=LOCK),
    ):
        first = await look_some_times()
        async with database.system() as tx:
            await tx.run(
                """
                SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database d ON d.oid = database
                WHERE locktype = 'advisory' AND granted AND objid = $1 AND datname = current_database()
                """,
                LOCK,
            )
        await look_some_times()  # who has lost it may be in the middle of a look
        second = await look_some_times()

    assert len(first) == len(second) == 1
    assert first | second == {"one", "other"}
