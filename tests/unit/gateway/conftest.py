"""A world, and a graph in front of it, for every test of the gateway."""

from collections.abc import AsyncIterator

import pytest

from shared.auth import Purpose
from tests.unit.gateway.asking import Graph, graph
from tests.unit.gateway.world import NORTH, SOUTH, World, a_caller, an_id


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def asking(world: World) -> AsyncIterator[Graph]:
    callers = {
        "me": a_caller(),
        "south": a_caller(SOUTH),
        "school": a_caller(schools=(an_id(NORTH, "school:1"),)),
        "accountability": a_caller(purpose=Purpose.ACCOUNTABILITY),
        "roster only": a_caller(scopes=frozenset({"roster:read"})),
        "no roster": a_caller(scopes=frozenset({"mastery:read", "assessment:read"})),
    }
    async with graph(world, callers) as made:
        yield made
