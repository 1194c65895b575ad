"""The embedded bus keeps every promise of a bus."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from shared.bus.embedded import EmbeddedBus
from shared.db import Database
from shared.testing.bus_conformance import BusConformance, World, add_effects_table


@pytest.fixture
async def world(
    fresh_database: Callable[[str], Awaitable[Database]], owner_dsn: Callable[[Database], str]
) -> AsyncIterator[World]:
    async def make_database() -> Database:
        database = await fresh_database("kernel")
        await add_effects_table(owner_dsn(database))
        return database

    made = World(lambda name, databases: EmbeddedBus(databases), make_database)
    yield made
    await made.close()


class TestEmbeddedBus(BusConformance):
    """The suite, on outboxes alone."""
