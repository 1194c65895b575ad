"""What only shows with real servers between: streams, uploads that break off, and requests nobody waits for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.auth import SCOPES
from shared.db import Database
from shared.network import carrier
from tests.integration.gateway.conftest import OPERATOR
from tests.integration.gateway.wire import gateway_on_the_wire
from tests.unit.gateway.world import World

PATIENCE_SECONDS = 30.0
QUESTION = {"query": '{ school(id: "sourcedId:school-1") { name classes(first: 5) { nodes { title } } } }'}


class Slow:
    """Answers after a while, or at once when it has been told to hurry."""

    def __init__(self, app: ASGIApp, seconds: list[float]) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(self._seconds[0])
        await self._app(scope, receive, send)


async def _key(http: httpx.AsyncClient) -> str:
    operator = {"authorization": f"Bearer {OPERATOR}"}
    await http.post("/v1/districts", json={"slug": "north", "name": "North"}, headers=operator)
    ask = {"district": "north", "name": "k", "scopes": sorted(SCOPES), "purpose": "administration"}
    made = (await http.post("/v1/keys", json=ask, headers=operator)).json()
    return f"Bearer {made['key']}"


@pytest.fixture
async def database(fresh_database: Callable[[str], Awaitable[Database]]) -> Database:
    return await fresh_database("gateway")


@pytest.mark.parametrize("enough", [300, pytest.param(5_000, marks=pytest.mark.long)])
async def test_a_storm_of_cancelled_requests_leaves_every_pool_whole(database: Database, enough: int) -> None:
    world, seconds = World(), [0.05]

    def slow(app: FastAPI) -> FastAPI:
        app.add_middleware(Slow, seconds=seconds)
        return app

    async with (
        gateway_on_the_wire(database, world, dress=slow) as url,
        httpx.AsyncClient(base_url=url, timeout=10, transport=carrier()) as http,
    ):
        http.headers["authorization"] = await _key(http)
        cancelled = 0
        while cancelled < enough:
            tasks = [asyncio.create_task(http.post("/graphql", json=QUESTION)) for _ in range(20)]
            await asyncio.sleep(0.02 + 0.01 * (cancelled % 7))
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            cancelled += sum(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)

        answers = await asyncio.gather(*(http.post("/graphql", json=QUESTION) for _ in range(10)))

    assert [answer.status_code for answer in answers] == [200] * 10
    assert all("errors" not in answer.json() for answer in answers)


async def test_a_question_nobody_waits_for_is_given_up(database: Database) -> None:
    world, begun, go_on, finished = World(), asyncio.Event(), asyncio.Event(), []

    class Noting:
        """Answers when it may, and notes what a service was asked to the end."""

        def __init__(self, app: ASGIApp) -> None:
            self._app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            begun.set()
            await go_on.wait()
            await self._app(scope, receive, send)
            finished.append(scope["path"])

    def noting(app: FastAPI) -> FastAPI:
        app.add_middleware(Noting)
        return app

    async with (
        gateway_on_the_wire(database, world, dress=noting) as url,
        httpx.AsyncClient(base_url=url, timeout=10, transport=carrier()) as http,
    ):
        http.headers["authorization"] = await _key(http)
        asking = asyncio.create_task(http.post("/graphql", json=QUESTION))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await begun.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await asyncio.sleep(0.5)  # the gateway hears that nobody waits
        go_on.set()
        await asyncio.sleep(1.0)  # time enough to ask on

    assert "/schools:batch-get" in finished
    assert "/classes:batch-list" not in finished


async def test_questions_that_run_out_of_time_leave_every_pool_whole(database: Database) -> None:
    world, go_on = World(), asyncio.Event()

    class Stuck:
        """Answers nothing before it may."""

        def __init__(self, app: ASGIApp) -> None:
            self._app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            await go_on.wait()
            await self._app(scope, receive, send)

    def stuck(app: FastAPI) -> FastAPI:
        app.add_middleware(Stuck)
        return app

    async with (
        gateway_on_the_wire(database, world, dress=stuck, wall_clock_seconds=1.0) as url,
        httpx.AsyncClient(base_url=url, timeout=20, transport=carrier()) as http,
    ):
        http.headers["authorization"] = await _key(http)
        late = await asyncio.gather(*(http.post("/graphql", json=QUESTION) for _ in range(40)))
        go_on.set()
        async with asyncio.timeout(PATIENCE_SECONDS):  # a busy machine needs a second for some; a lost pool stays lost
            while True:
                in_time = await asyncio.gather(*(http.post("/graphql", json=QUESTION) for _ in range(10)))
                if all("errors" not in answer.json() for answer in in_time):
                    break

    assert {answer.json()["errors"][0]["extensions"]["code"] for answer in late} == {"LIMIT"}


async def test_a_file_is_passed_on_while_it_comes(database: Database) -> None:
    world = World()
    arrived: list[int] = []

    class Watching:
        """Sees how much of an upload has come to the service."""

        def __init__(self, app: ASGIApp) -> None:
            self._app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            async def watched() -> object:
                message = await receive()
                arrived.append(len(message.get("body", b"")))
                return message

            await self._app(scope, watched, send)  # type: ignore[arg-type]  # an ASGI receive

    def watching(app: FastAPI) -> FastAPI:
        app.add_middleware(Watching)
        return app

    seen_midway = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal seen_midway
        for _ in range(40):
            yield b"x" * 65_536
        for _ in range(200):
            await asyncio.sleep(0.02)
            if sum(arrived) > 1_000_000:
                break
        seen_midway = sum(arrived)
        yield b"the end"

    async with (
        gateway_on_the_wire(database, world, dress=watching) as url,
        httpx.AsyncClient(base_url=url, timeout=20, transport=carrier()) as http,
    ):
        key = await _key(http)
        answer = await http.post("/v1/imports/answers", content=pieces(), headers={"authorization": key})

    assert answer.status_code == 202
    assert seen_midway > 1_000_000
    [(where, body, _)] = world.uploads
    assert where == "assessment/answers"
    assert len(body) == 40 * 65_536 + 7


async def test_an_upload_that_breaks_off_is_not_kept(database: Database) -> None:
    world = World()
    async with gateway_on_the_wire(database, world) as url:
        async with httpx.AsyncClient(base_url=url, transport=carrier()) as http:
            key = await _key(http)
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = (
            f"POST /v1/imports/answers HTTP/1.1\r\nhost: x\r\nauthorization: {key}\r\ncontent-length: 1000000\r\n\r\n"
        )
        writer.write(head.encode() + b"x" * 1_000)
        await writer.drain()
        await asyncio.sleep(0.3)
        writer.transport.abort()
        await asyncio.sleep(0.5)

        async with httpx.AsyncClient(base_url=url, transport=carrier()) as http:
            after = await http.post("/v1/imports/answers", content=b"whole", headers={"authorization": key})

    assert after.status_code == 202
    assert [body for _, body, _ in world.uploads] == [b"whole"]
    del reader
