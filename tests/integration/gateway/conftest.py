"""The gateway with a database of its own, in front of a small world."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.gateway.main import build_app
from services.gateway.oneroster.passage import Passage
from shared.auth import SCOPES, Tokens
from shared.db import Database
from tests.unit.gateway.world import SECRET, World, clients

OPERATOR = "trl_oper_" + "o" * 43
NOWHERE = "http://127.0.0.1:9"
PEPPER = "a pepper of the tests, of 32 letters and more"


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.now.timestamp()

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Gateway:
    """The gateway as someone outside sees it."""

    http: httpx.AsyncClient
    clock: Clock
    database: Database
    app: Any = None

    async def ask(self, method: str, path: str, key: str | None, **how: Any) -> httpx.Response:
        headers = {"accept": "application/json"} | dict(how.pop("headers", {}))
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        return await self.http.request(method, path, headers=headers, **how)

    async def new_district(self, slug: str = "north") -> dict[str, Any]:
        answer = await self.ask("POST", "/v1/districts", OPERATOR, json={"slug": slug, "name": slug.title()})
        assert answer.is_success, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def new_key(self, by: str = OPERATOR, **what: Any) -> dict[str, Any]:
        answer = await self.try_key(by, **what)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def try_key(self, by: str = OPERATOR, **what: Any) -> httpx.Response:
        ask: dict[str, Any] = {"name": "a key", "scopes": sorted(SCOPES), "purpose": "administration"}
        if by == OPERATOR:
            ask["district"] = "north"
        return await self.ask("POST", "/v1/keys", by, json=ask | what)

    async def opens(self, key: str) -> bool:
        """Whether the key opens anything, asked in both ways."""
        rest = await self.ask("GET", "/v1/keys", key)
        graph = await self.ask("POST", "/graphql", key, json={"query": "{ __typename }"})
        assert (rest.status_code == 401) == (graph.status_code == 401)
        return graph.status_code == 200


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def gateway(fresh_database: Callable[[str], Awaitable[Database]], world: World) -> AsyncIterator[Gateway]:
    database, clock = await fresh_database("gateway"), Clock()
    app = build_app(
        database,
        clients(world),
        passage=Passage(NOWHERE, Tokens(SECRET)),
        pepper=PEPPER,
        operator_secret=OPERATOR,
        now=clock,
        monotonic=clock.monotonic,
    )
    transport = httpx.ASGITransport(app, client=("198.51.100.7", 40000))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        yield Gateway(http, clock, database, app)
