"""What the models say and what the migrations make are the same thing."""

import importlib
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from shared import migrate
from shared.db import Database

FreshDatabase = Callable[[str], Awaitable[Database]]
ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("roster", "assessment", "mastery", "partnership", "gateway")
KERNEL = re.compile(r"outbox.*|inbox|parked|waiting|positions|imports|import_findings|alembic_version")


def _metadata(service: str) -> MetaData:
    metadata: MetaData = importlib.import_module(f"services.{service}.tables").Base.metadata
    return metadata


async def _differences(database: Database, metadata: MetaData) -> list[Any]:
    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "include_object": lambda thing, name, kind, *_: kind != "table" or not KERNEL.fullmatch(name or ""),
            },
        )
        return list(compare_metadata(context, metadata))

    engine = create_async_engine(database.dsn.replace("postgresql://", "postgresql+asyncpg://"), poolclass=NullPool)
    async with engine.connect() as connection:
        found = await connection.run_sync(compare)
    await engine.dispose()
    return found


@pytest.mark.parametrize("service", SERVICES)
async def test_models_and_migrations_agree(fresh_database: FreshDatabase, service: str) -> None:
    database = await fresh_database(service)

    assert await _differences(database, _metadata(service)) == []


@pytest.mark.parametrize("service", SERVICES)
async def test_a_table_the_models_forgot_is_noticed(
    fresh_database: FreshDatabase, owner_dsn: Callable[[Database], str], service: str
) -> None:
    database = await fresh_database(service)
    engine = create_async_engine(
        owner_dsn(database).replace("postgresql://", "postgresql+asyncpg://"), poolclass=NullPool
    )
    async with engine.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE forgotten (id int)")
    await engine.dispose()

    assert [step[0] for step in await _differences(database, _metadata(service))] == ["remove_table"]


async def test_a_month_that_has_facts_already_does_not_stop_an_upgrade(
    fresh_database: FreshDatabase, owner_dsn: Callable[[Database], str]
) -> None:
    database = await fresh_database("roster")
    later = datetime(2099, 5, 10, tzinfo=UTC)
    async with database.system() as tx:
        await tx.run(
            """
            INSERT INTO outbox (envelope, type, source, district, bucket, facts, payload, created_at)
            VALUES ($1, 'type', 'source', $1, 0, 1, '', $2)
            """,
            uuid4(), later,
        )  # fmt: skip

    await migrate.upgrade(owner_dsn(database), "roster", str(urlsplit(database.dsn).username), now=later)

    async with database.system() as tx:
        found = await tx.fetch("SELECT tableoid::regclass::text AS place FROM outbox")
        made = await tx.fetchval("SELECT to_regclass('outbox_209906') IS NOT NULL")
    assert [row["place"] for row in found] == ["outbox_rest"]
    assert made


@pytest.mark.parametrize("script", sorted(ROOT.glob("s*/**/migrations/versions/*.py")), ids=lambda path: path.stem)
def test_a_migration_imports_nothing_of_ours(script: Path) -> None:
    assert not re.search(r"^(from|import) (services|shared|deploy)", script.read_text(), re.MULTILINE)
    assert "lock_timeout" in script.read_text()
