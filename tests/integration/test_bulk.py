"""Connections for bulk: their stages are made once, and nothing of a district stays in them."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID

import pytest

from shared.auth import Caller
from shared.db import Database, Transaction

FreshDatabase = Callable[[str], Awaitable[Database]]
CALLER = Caller.system(UUID("11111111-1111-4111-8111-111111111111"), "test")
FEW, MANY = 3, 20_000


async def stage(tx: Transaction, rows: int) -> int:
    """Fill a stage; which table it is."""
    await tx.temp("staged", "student text")
    await tx.copy("staged", ["student"], [(f"student {number}",) for number in range(rows)])
    return int(await tx.fetchval("SELECT 'staged'::regclass::oid::bigint"))


async def left(database: Database) -> tuple[int, int]:
    """How many rows the next one finds in the stage, and of how many bytes of it nothing is seen."""
    async with database.alone(CALLER) as tx:
        return await tx.fetchval("SELECT count(*) FROM staged"), await tx.fetchval("SELECT pg_relation_size('staged')")


@pytest.fixture
async def database(fresh_database: FreshDatabase) -> Database:
    return await fresh_database("kernel")


@pytest.mark.parametrize("rows", [FEW, MANY])
async def test_a_stage_is_empty_after_a_commit_and_is_not_made_again(database: Database, rows: int) -> None:
    async with database.alone(CALLER) as tx:
        first = await stage(tx, rows)
    found, size = await left(database)
    async with database.alone(CALLER) as tx:
        second = await stage(tx, rows)

    assert (found, size <= 64 * 1024) == (0, True)
    assert first == second


@pytest.mark.parametrize("rows", [FEW, MANY])
async def test_a_stage_that_was_undone_is_there_for_the_next_and_empty(database: Database, rows: int) -> None:
    for _ in range(2):
        with suppress(ZeroDivisionError):
            async with database.alone(CALLER) as tx:
                await stage(tx, rows)
                _ = rows / 0
    async with database.alone(CALLER) as tx:
        again = await tx.fetchval("SELECT 'staged'::regclass::oid::bigint")

    assert (await left(database))[0] == 0
    async with database.alone(CALLER) as tx:
        assert await stage(tx, FEW) == again
        assert await tx.fetchval("SELECT count(*) FROM staged") == FEW
    found, size = await left(database)
    assert (found, size <= 64 * 1024) == (0, True)


async def test_who_comes_while_the_kept_connection_is_in_use_gets_another(database: Database) -> None:
    async with database.alone(CALLER) as one, database.alone(CALLER) as other, database.snapshot(CALLER) as third:
        pids = {await tx.fetchval("SELECT pg_backend_pid()") for tx in (one, other, third)}
        assert await stage(one, FEW) != await stage(other, FEW)

    assert len(pids) == 3


async def test_a_kept_connection_that_the_server_has_let_go_is_no_reason_to_fail(database: Database) -> None:
    async with database.alone(CALLER) as tx:
        await stage(tx, FEW)
        kept = await tx.fetchval("SELECT pg_backend_pid()")
    async with database.system() as tx:
        await tx.run("SELECT pg_terminate_backend($1, 5000)", kept)

    async with database.alone(CALLER) as tx:
        await stage(tx, FEW)
        assert await tx.fetchval("SELECT pg_backend_pid()") != kept
