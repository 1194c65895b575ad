"""The door of a service: what is answered, when the transaction ends, and how a trace goes on."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared import crash, telemetry
from shared.auth import Caller, Purpose, Tokens
from shared.client import ServiceClient
from shared.db import Database, Transaction
from shared.errors import Conflict, Forbidden, Unauthenticated, Unavailable
from shared.events import uuid7
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as roster
from shared.http import Read, Write, build_app
from shared.inbox import Consumer, Listens
from shared.outbox import envelope_of

FreshDatabase = Callable[[str], Awaitable[Database]]
DISTRICT = UUID("11111111-1111-4111-8111-111111111111")
TOKENS = Tokens("a-secret-of-the-tests-that-is-long-enough")
CALLER = Caller(DISTRICT, "key:test", frozenset({"roster:read"}), Purpose.INSTRUCTION)


@pytest.fixture
async def database(fresh_database: FreshDatabase) -> Database:
    return await fresh_database("kernel")


@pytest.fixture
async def service(database: Database) -> AsyncIterator[ServiceClient]:
    router = APIRouter()

    @router.post("/announce")
    async def announce(tx: Write) -> dict[str, str]:
        tx.announce(roster.StudentsPlaced, [roster.Placement(id=uuid7().bytes, student=b"s" * 16)])
        return {"done": "yes"}

    @router.post("/conflict")
    async def conflict(tx: Write) -> None:
        tx.announce(roster.StudentsPlaced, [roster.Placement(id=uuid7().bytes, student=b"s" * 16)])
        raise Conflict("It was there before.", field="place")

    @router.post("/write-while-reading")
    async def write_while_reading(tx: Read) -> None:
        await tx.run("DELETE FROM inbox")

    @router.post("/district")
    async def district(tx: Read) -> dict[str, Any]:
        return {"district": await tx.fetchval("SELECT current_setting('app.district')")}

    app = build_app(name="doors", database=database, tokens=TOKENS, routers=[router])
    client = ServiceClient("http://doors", TOKENS, transport=httpx.ASGITransport(app, raise_app_exceptions=False))
    yield client
    await client.close()


async def announced(database: Database) -> int:
    async with database.system() as tx:
        return int(await tx.fetchval("SELECT count(*) FROM outbox"))


async def test_a_reply_means_the_transaction_has_committed(service: ServiceClient, database: Database) -> None:
    with crash.armed("W2"), pytest.raises(BaseException):  # noqa: B017, PT011  # the crash arrives in a group
        await service.post("/announce", {}, CALLER)

    assert await announced(database) == 1


async def test_an_error_rolls_back_and_keeps_its_class_words_and_field(
    service: ServiceClient, database: Database
) -> None:
    with pytest.raises(Conflict, match="It was there before") as refused:
        await service.post("/conflict", {}, CALLER)

    assert refused.value.detail == {"field": "place"}
    assert await announced(database) == 0


async def test_reading_cannot_write(service: ServiceClient) -> None:
    with pytest.raises(Unavailable):
        await service.post("/write-while-reading", {}, CALLER)


async def test_each_request_speaks_for_its_own_district(service: ServiceClient) -> None:
    other = Caller(UUID(int=7), "key:other", frozenset(), Purpose.INSTRUCTION)

    answers = [await service.post("/district", {}, caller) for caller in (CALLER, other, CALLER)]

    assert [answer["district"] for answer in answers] == [str(DISTRICT), str(UUID(int=7)), str(DISTRICT)]


async def test_without_a_token_of_ours_nothing_is_answered(database: Database) -> None:
    app = build_app(name="doors", database=database, tokens=TOKENS, routers=[])
    strangers = ServiceClient(
        "http://doors", Tokens("another-secret-of-the-same-good-length"), transport=httpx.ASGITransport(app)
    )

    with pytest.raises(Unauthenticated):
        await strangers.get("/causes/some-import", CALLER)


async def test_causes_need_the_scope_of_imports(service: ServiceClient) -> None:
    with pytest.raises(Forbidden, match="imports:write"):
        await service.get("/causes/some-import", CALLER)


async def test_one_trace_runs_from_the_request_through_the_outbox_to_the_next_fact(
    service: ServiceClient, database: Database
) -> None:
    spans = InMemorySpanExporter()
    telemetry.provider("test").add_span_processor(SimpleSpanProcessor(spans))

    async def announces_more(tx: Transaction, facts: list[roster.Placement]) -> None:
        tx.announce(roster.StudentsPlaced, [roster.Placement(id=uuid7().bytes, student=b"t" * 16)])

    with telemetry.span("the edge") as edge:
        await service.post("/announce", {}, CALLER)
    async with database.system() as tx:
        first = [envelope_of(row) for row in await tx.fetch("SELECT * FROM outbox ORDER BY id")]

    class Delivered:
        envelopes = first

        async def mark(self, tx_connection: Any) -> None: ...

    class Silent:
        async def publish(self, envelopes: Any) -> None: ...
        async def listen(self, listener: str, types: Any, hear: Any) -> None: ...
        async def close(self) -> None: ...

    await Consumer("test", database, [Listens(roster.StudentsPlaced, announces_more)], Silent()).hear(Delivered())

    async with database.system() as tx:
        rows = await tx.fetch("SELECT traceparent FROM outbox ORDER BY id")
    trace_id = f"{edge.get_span_context().trace_id:032x}"
    assert [row["traceparent"].split("-")[1] for row in rows] == [trace_id, trace_id]
    names = [
        span.name for span in spans.get_finished_spans() if span.context.trace_id == edge.get_span_context().trace_id
    ]
    assert {"the edge", "ask /announce", "doors POST", "test hears", "test StudentsPlaced"} <= set(names)
