"""`trellis provision`: databases and roles on a server that somebody else keeps, from the services' own addresses."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from deploy.kafka import broker
from deploy.managed import NotPrepared, describe
from deploy.postgres import Server
from deploy.provision import SERVICES, TooOld, address, connected, prepare, quoted
from deploy.topics import topics
from shared.bus.kafka_cluster import Cluster, create_topics

ROOT = Path(__file__).parents[2]
PREFIX = "kept_"


@pytest.fixture
async def told(postgres: Server) -> AsyncIterator[dict[str, str]]:
    """What the services would find in their environment; the databases are gone after the test."""
    environment = {
        f"TRELLIS_{name.upper()}_DATABASE_URL": address(
            postgres.admin_dsn, user=f"{PREFIX}{name}_app", password=f"it%27s-{name}", database=f"{PREFIX}{name}"
        )
        for name in SERVICES
    }
    yield environment
    async with connected(postgres.admin_dsn) as admin:
        for name in SERVICES:
            await admin.execute(f"DROP DATABASE IF EXISTS {quoted(PREFIX + name)} WITH (FORCE)")
            for role in (f"{PREFIX}{name}_app", f"{PREFIX}{name}_owner"):
                await admin.execute(f"DROP ROLE IF EXISTS {quoted(role)}")


def provision(environment: dict[str, str]) -> str:
    """Runs the command; what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", "provision"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


async def versions(told: dict[str, str]) -> dict[str, str]:
    """By service the version of its tables, asked as its own runtime role."""
    found = {}
    for name in SERVICES:
        async with connected(told[f"TRELLIS_{name.upper()}_DATABASE_URL"]) as own:
            found[name] = str(await own.fetchval("SELECT string_agg(version_num, ' ') FROM alembic_version"))
    return found


async def test_a_service_finds_its_tables_at_the_address_it_is_told_and_twice_is_once(
    postgres: Server, told: dict[str, str]
) -> None:
    await prepare(postgres.admin_dsn, describe(postgres.admin_dsn, told))
    first = await versions(told)
    await prepare(postgres.admin_dsn, describe(postgres.admin_dsn, told))

    assert await versions(told) == first
    assert all(first.values())


async def test_a_service_owns_nothing_and_cannot_enter_another_ones_database(
    postgres: Server, told: dict[str, str]
) -> None:
    await prepare(postgres.admin_dsn, describe(postgres.admin_dsn, told))
    mine = told["TRELLIS_ROSTER_DATABASE_URL"]

    async with connected(mine) as own:
        owned = await own.fetchval("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(mine.rpartition("/")[0] + f"/{PREFIX}mastery")

    assert owned == 0


async def test_a_server_that_is_too_old_is_named_and_left_as_it_is(
    postgres: Server, told: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = asyncpg.ServerVersion(16, 9, 0, "final", 0)
    monkeypatch.setattr(asyncpg.Connection, "get_server_version", lambda self: old)

    with pytest.raises(TooOld, match="PostgreSQL 16; Trellis needs 17"):
        await prepare(postgres.admin_dsn, describe(postgres.admin_dsn, told))

    async with connected(postgres.admin_dsn) as admin:
        assert await admin.fetchval("SELECT count(*) FROM pg_roles WHERE starts_with(rolname, $1)", PREFIX) == 0


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"TRELLIS_MASTERY_DATABASE_URL": ""}, "TRELLIS_MASTERY_DATABASE_URL must be postgresql://"),
        ({"TRELLIS_MASTERY_DATABASE_URL": "postgresql://mastery_app@host/mastery"}, "role:password@host/database"),
        ({"TRELLIS_MASTERY_DATABASE_URL": "postgresql://m_owner:x@host/m"}, "must own nothing"),
        ({"TRELLIS_MASTERY_DATABASE_URL": f"postgresql://{PREFIX}roster_app:x@host/m"}, "cannot share kept_roster_app"),
    ],
)
async def test_an_address_that_will_not_do_is_named(change: dict[str, str], says: str, told: dict[str, str]) -> None:
    with pytest.raises(NotPrepared, match=says):
        describe("postgresql://admin:x@host/postgres", told | change)


@pytest.mark.kafka
async def test_the_command_prepares_a_server_and_a_cluster_and_again_makes_nothing(
    postgres: Server, told: dict[str, str], tmp_path: Path
) -> None:
    if not broker.can_run():
        if os.environ.get("TRELLIS_KAFKA_REQUIRED"):
            pytest.fail("Kafka tests are required here, and Java 17 or Maven is missing")
        pytest.skip("Java 17 and Maven are not here")
    async with broker.running(tmp_path / "kafka") as cluster:
        environment = {**os.environ, **told, "DATABASE_URL": postgres.admin_dsn}
        environment["KAFKA_BOOTSTRAP_SERVERS"] = cluster.bootstrap
        said = [await asyncio.to_thread(provision, environment) for _ in range(2)]
        left = await create_topics(Cluster(cluster.bootstrap), topics())

    assert f"Topics: {len(topics())}, of them new: {len(topics())}" in said[0]
    assert f"Topics: {len(topics())}, of them new: 0" in said[1]
    assert left == []
    assert all(await versions(told))
