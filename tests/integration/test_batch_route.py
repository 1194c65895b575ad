"""A batch route answers as FastAPI's own route would: the same bodies, the same errors, the same refusals."""

from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from shared.auth import Caller, Purpose, Tokens
from shared.db import Database
from shared.errors import NotFound
from shared.http import BatchRoute, Read, build_app

DISTRICT = UUID("11111111-1111-4111-8111-111111111111")
TOKENS = Tokens("a-secret-of-the-tests-that-is-long-enough")
CALLER = Caller(DISTRICT, "key:test", frozenset(), Purpose.INSTRUCTION)
WAYS = ["/batch", "/general"]


class Ask(BaseModel):
    ids: list[UUID] = Field(max_length=2)
    first: int = Field(default=1, ge=1)


class Thing(BaseModel):
    id: UUID
    district: str


def routes(router: APIRouter) -> APIRouter:
    @router.post("/things")
    async def things(ask: Ask, tx: Read) -> list[Thing]:
        district = await tx.fetchval("SELECT current_setting('app.district')")
        return [Thing(id=id_, district=district) for id_ in ask.ids[: ask.first]]

    @router.post("/ready", response_model=list[Thing])
    async def ready(ask: Ask, tx: Read) -> Response:
        return Response(b"[]", media_type="application/json")

    @router.post("/missing")
    async def missing(ask: Ask, tx: Read) -> list[Thing]:
        raise NotFound("There is no such thing.")

    @router.post("/writes")
    async def writes(ask: Ask, tx: Read) -> list[Thing]:
        await tx.run("DELETE FROM inbox")
        return []

    return router


@pytest.fixture
async def asking(fresh_database: Callable[[str], Awaitable[Database]]) -> AsyncIterator[httpx.AsyncClient]:
    database = await fresh_database("kernel")
    routers = [
        routes(APIRouter(prefix="/batch", route_class=BatchRoute)),
        routes(APIRouter(prefix="/general")),
    ]
    app = build_app(name="batch", database=database, tokens=TOKENS, routers=routers)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {TOKENS.sign(CALLER)}", "content-type": "application/json"}
    async with httpx.AsyncClient(base_url="http://batch", transport=transport, headers=headers) as client:
        yield client


A, B = str(UUID(int=1)), str(UUID(int=2))


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/things", f'{{"ids": ["{A}", "{B}"], "first": 2}}', 200),
        ("/things", f'{{"ids": ["{A}"]}}', 200),
        ("/things", '{"ids": [], "unknown": 1}', 200),
        ("/things", f'{{"ids": ["{A}", "{B}", "{A}"]}}', 422),
        ("/things", '{"ids": ["x"], "first": 0}', 422),
        ("/things", "{}", 422),
        ("/ready", '{"ids": []}', 200),
        ("/missing", '{"ids": []}', 404),
        ("/writes", '{"ids": []}', 500),
    ],
)
async def test_both_ways_answer_the_same(asking: httpx.AsyncClient, path: str, body: str, status: int) -> None:
    quick, general = [await asking.post(f"{way}{path}", content=body) for way in WAYS]

    assert quick.status_code == general.status_code == status
    assert quick.json() == general.json()
    assert quick.headers["content-type"] == general.headers["content-type"]


async def test_a_body_that_is_no_json_is_a_request_of_the_wrong_form(asking: httpx.AsyncClient) -> None:
    refused = await asking.post("/batch/things", content='{"ids": [')

    assert refused.status_code == 422
    assert refused.json()["problems"][0]["at"].startswith("body")


@pytest.mark.parametrize("token", ["", "Bearer ", "Bearer nonsense", "Basic abc"])
async def test_without_a_token_of_ours_nothing_is_answered(asking: httpx.AsyncClient, token: str) -> None:
    quick, general = [
        await asking.post(f"{way}/things", content='{"ids": []}', headers={"authorization": token}) for way in WAYS
    ]

    assert quick.status_code == general.status_code == 401
    assert quick.json() == general.json()
