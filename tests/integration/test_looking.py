"""Who only looks is named within the statement that reads, and by nothing that outlives it."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import asyncpg
import pytest

from shared.auth import Caller
from shared.db import Database
from shared.errors import Unavailable
from shared.looking import NAMED, Look, Lookers

FreshDatabase = Callable[[str], Awaitable[Database]]
NORTH, SOUTH = uuid4(), uuid4()
HERE = f"SELECT string_agg(o.sourced_id, ',' ORDER BY o.sourced_id) AS names FROM orgs o WHERE {NAMED}"  # constants
WHO = f"SELECT current_setting('app.district', true) AS district WHERE {NAMED}"


def _caller(district: UUID, *schools: UUID) -> Caller:
    of_district = Caller.system(district, "a test")
    return Caller(district, "a test", of_district.scopes, of_district.purpose, schools or None)


@pytest.fixture
async def database(fresh_database: FreshDatabase) -> Database:
    """Two districts with two schools each; one connection for all who look."""
    made = await fresh_database("roster")
    for district, name in ((NORTH, "north"), (SOUTH, "south")):
        async with made.transaction(_caller(district)) as tx:
            for number in range(2):
                await tx.run(
                    """
                    INSERT INTO orgs (district_id, id, sourced_id, status, name, type, revision, since)
                    VALUES ($1, $2, $3, 'active', 'A school', 'school', 1, 1)
                    """,
                    district, UUID(int=district.int ^ number), f"{name}-{number}",
                )  # fmt: skip
    return Database(made.dsn, name="roster", pool_size=2)


async def _seen(database: Database, caller: Caller, sql: str = HERE) -> str | None:
    async with database.look(caller) as look:
        row = await look.fetchrow(sql)
    assert row is not None
    found: str | None = next(iter(row.values()))
    return found


async def test_each_sees_its_own_district_on_the_same_connection(database: Database) -> None:
    seen = [await _seen(database, _caller(one)) for one in (NORTH, SOUTH, uuid4(), NORTH)]

    assert seen == ["north-0,north-1", "south-0,south-1", None, "north-0,north-1"]
    await database.close()


async def test_a_key_for_named_schools_sees_these(database: Database) -> None:
    one = await _seen(database, _caller(NORTH, UUID(int=NORTH.int ^ 1)))
    after = await _seen(database, _caller(NORTH))
    none = await _seen(database, Caller(NORTH, "a test", frozenset(), _caller(NORTH).purpose, ()))

    assert (one, after, none) == ("north-1", "north-0,north-1", None)
    await database.close()


async def test_nobody_is_named_between_two_statements(database: Database) -> None:
    raw = await database._connected()
    lookers = Lookers(_always(raw), most=1)

    named = await Look(lookers, _caller(NORTH)).fetchrow(WHO)

    assert named is not None
    assert named["district"] == str(NORTH)
    assert await raw.fetchval("SELECT current_setting('app.district', true)") == ""
    assert await raw.fetchval("SELECT count(*) FROM orgs") == 0
    await raw.close()
    await database.close()


async def test_nothing_is_written_by_who_looks(database: Database) -> None:
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await _seen(database, _caller(NORTH), f"SELECT nextval('revision_numbers') AS n WHERE {NAMED}")

    assert await _seen(database, _caller(NORTH)) == "north-0,north-1"
    await database.close()


async def test_a_statement_that_does_not_wait_for_the_name_is_refused(database: Database) -> None:
    with pytest.raises(ValueError, match="named"):
        await _seen(database, _caller(NORTH), "SELECT count(*) FROM orgs")
    await database.close()


async def test_who_found_no_connection_leaves_the_place_to_the_next(database: Database) -> None:
    raw = await database._connected()
    tries = iter([OSError("nobody answers"), None])

    async def connect() -> "asyncpg.Connection[asyncpg.Record]":
        if (wrong := next(tries)) is not None:
            raise wrong
        return raw

    lookers = Lookers(connect, most=1)

    with pytest.raises(OSError, match="nobody answers"):
        await Look(lookers, _caller(NORTH)).fetchrow(WHO)
    assert await Look(lookers, _caller(NORTH)).fetchrow(WHO) is not None
    await lookers.close()
    await database.close()


async def test_who_goes_while_a_connection_is_made_leaves_it_to_the_next(database: Database) -> None:
    raw, slowly = await database._connected(), asyncio.Event()

    async def connect() -> "asyncpg.Connection[asyncpg.Record]":
        await slowly.wait()
        return raw

    lookers = Lookers(connect, most=1)
    gone = asyncio.create_task(lookers.take())
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait([gone])
    next_one = asyncio.create_task(lookers.take())
    slowly.set()

    assert await next_one is raw
    lookers.give_back(raw)
    await lookers.close()
    assert raw.is_closed()
    await database.close()


async def test_a_connection_that_broke_is_a_database_that_does_not_answer_and_is_not_lent_again(
    database: Database,
) -> None:
    with pytest.raises(Unavailable):
        await _seen(database, _caller(NORTH), f"SELECT pg_terminate_backend(pg_backend_pid()) AS ended WHERE {NAMED}")

    assert await _seen(database, _caller(NORTH)) == "north-0,north-1"
    await database.close()


def _always(raw: "asyncpg.Connection[asyncpg.Record]") -> "Callable[[], Awaitable[asyncpg.Connection[asyncpg.Record]]]":
    async def connect() -> "asyncpg.Connection[asyncpg.Record]":
        return raw

    return connect
