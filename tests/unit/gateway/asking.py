"""Asking the graph in a test: the view alone, a guard that knows a few bearers, and a world behind it."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from services.gateway.budget import Budget
from services.gateway.schema import schema
from services.gateway.view import GraphQLView
from shared.auth import Caller
from shared.errors import Unauthenticated
from tests.unit.gateway.world import World, services

BOTH = "application/graphql-response+json, application/json;q=0.9"


class Guard:
    """Knows its callers by the word they say."""

    def __init__(self, callers: Mapping[str, Caller]) -> None:
        self._callers = callers

    async def caller(self, request: Request) -> Caller:
        word = request.headers.get("authorization", "").removeprefix("Bearer ")
        if word not in self._callers:
            raise Unauthenticated
        return self._callers[word]


class Graph:
    """The graph, as one caller sees it."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def ask(
        self, query: str, variables: dict[str, Any] | None = None, *, word: str = "me", accept: str = BOTH
    ) -> dict[str, Any]:
        answer = await self.post({"query": query, "variables": variables}, word=word, accept=accept)
        found: dict[str, Any] = answer.json()
        return found

    async def data(self, query: str, variables: dict[str, Any] | None = None, *, word: str = "me") -> dict[str, Any]:
        answer = await self.ask(query, variables, word=word)
        assert "errors" not in answer, answer["errors"]
        found: dict[str, Any] = answer["data"]
        return found

    async def codes(self, query: str, variables: dict[str, Any] | None = None, *, word: str = "me") -> list[str]:
        answer = await self.ask(query, variables, word=word)
        return [error["extensions"]["code"] for error in answer.get("errors", [])]

    async def post(self, body: Any, *, word: str = "me", accept: str = BOTH) -> httpx.Response:
        headers = {"authorization": f"Bearer {word}", "accept": accept}
        return await self.http.post("/graphql", json=body, headers=headers)


@asynccontextmanager
async def graph(
    world: World,
    callers: Mapping[str, Caller],
    *,
    cost_per_minute: int = 10_000_000,
    monotonic: Callable[[], float] = time.monotonic,
    **how: Any,
) -> AsyncIterator[Graph]:
    """A graph in front of a world."""
    budget = Budget(cost_per_minute, monotonic=monotonic)
    view = GraphQLView(schema._schema, Guard(callers), services(world), budget, **how)
    app = Starlette(routes=[Route("/graphql", view.answer, methods=["GET", "POST", "PUT", "DELETE"])])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as http:
        yield Graph(http)
