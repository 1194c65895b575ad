"""An assessment service on a real database, with a roster and a framework to ask over HTTP."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID, uuid5

import httpx
import pytest
from fastapi import FastAPI, Request
from google.protobuf.message import Message

from services.assessment import api
from services.assessment.handlers.answers import Answers
from services.assessment.handlers.forms import Forms
from services.assessment.main import LISTENS
from services.assessment.peers import Mastery, Roster
from services.mastery import contract as mastery_contract
from services.roster import contract as roster_contract
from shared import events
from shared.auth import SCOPES, Caller, Purpose, Tokens
from shared.bus.bus import Bus
from shared.client import ServiceClient
from shared.compute import Compute
from shared.db import Database
from shared.events import Envelope
from shared.events_pb.trellis.events.roster.v1 import roster_pb2
from shared.http import build_app
from shared.imports import Imports, Report, report_of
from shared.inbox import Consumer
from tests.unit.assessment.examples import ADD, COUNT, FORMS, HEADER

FreshDatabase = Callable[[str], Awaitable[Database]]
DISTRICT = UUID("11111111-1111-4111-8111-111111111111")
OTHER_DISTRICT = UUID("22222222-2222-4222-8222-222222222222")
TOKENS = Tokens("a-secret-of-the-tests-that-is-long-enough")
TODAY = date.today().toordinal() - date(1970, 1, 1).toordinal()  # noqa: DTZ011  # as the database's current_date
STUDENTS = ("ada", "ben", "eve")


def an_id(kind: str, name: str, district: UUID = DISTRICT) -> UUID:
    """The id that a student or a school has in these tests."""
    return uuid5(district, f"{kind}:{name}")


def a_caller(
    district: UUID = DISTRICT,
    *,
    schools: Sequence[str] | None = None,
    scopes: Iterable[str] = SCOPES,
    purpose: Purpose = Purpose.INSTRUCTION,
) -> Caller:
    places = None if schools is None else tuple(an_id("school", school, district) for school in schools)
    return Caller(district, "key:test", frozenset(scopes), purpose, places)


def neighbours() -> FastAPI:
    """The roster and mastery as far as assessment asks them: three students and two competencies in every district.

    One of the students goes by two names.
    """
    app = FastAPI()

    def caller(request: Request) -> Caller:
        return TOKENS.read(request.headers["authorization"].removeprefix("Bearer "))

    @app.post("/students:resolve")
    def resolve(ask: roster_contract.Resolve, request: Request) -> roster_contract.Resolved:
        asking = caller(request)
        asking.need("roster:read")
        known = {name: an_id("student", name, asking.district) for name in STUDENTS}
        known["ada-formerly"] = known["ada"]
        known |= {f"s{number}": an_id("student", f"s{number}", asking.district) for number in range(3_000)}
        return roster_contract.Resolved(ids="".join(known.get(name, UUID(int=0)).hex for name in ask.sourced_ids))

    @app.post("/competencies:batch-get")
    def competencies(ask: mastery_contract.ByKeys, request: Request) -> list[mastery_contract.Competency]:
        asking = caller(request)
        asking.need("mastery:read")
        return [
            mastery_contract.Competency(
                id=an_id("competency", each, asking.district), identifier=each, statement="…", code=None, parent=None
            )
            for each in (ADD, COUNT)
            if each.lower() in {asked.lower() for asked in ask.identifiers}
        ]

    return app


def answers(*sheets: str, header: str = HEADER) -> bytes:
    """A file of answer sheets."""
    return "".join(f"{line}\n" for line in (header, *sheets)).encode()


def a_sheet(student: str = "ada", *, day: int = 15, responses: str = "B,2,7,", modality: str = "in person") -> str:
    """A sheet of form M4-A."""
    return f"2026-fall,{student},M4-A,2026-09-{day:02}T09:30:00-05:00,{modality},{responses}"


@dataclass
class Delivered:
    """A batch from a bus that keeps no position."""

    envelopes: Sequence[Envelope]

    async def mark(self, tx_connection: object) -> None:
        return None


class Silent:
    """A bus that nobody publishes on: the tests deliver by hand."""

    async def publish(self, envelopes: Sequence[Envelope]) -> None: ...

    async def listen(self, listener: str, types: Sequence[str], hear: object) -> None: ...

    async def close(self) -> None: ...


class AssessmentService:
    """What a test does with assessment: load files, place students, ask, and look."""

    def __init__(self, database: Database, *, sheets_at_once: int = 2) -> None:
        self.database = database
        self.compute = Compute()
        self.peers = ServiceClient("http://peers", TOKENS, transport=httpx.ASGITransport(neighbours()))
        self.imports = Imports(
            database,
            [
                Forms(Mastery(self.peers), self.compute, records_at_once=3),
                Answers(Roster(self.peers), self.compute, sheets_at_once=sheets_at_once),
            ],
        )
        app = build_app(name="assessment", database=database, tokens=TOKENS, routers=[api.router, self.imports.router])
        self.client = ServiceClient("http://assessment", TOKENS, transport=httpx.ASGITransport(app))
        bus: Bus = Silent()
        self._consumer = Consumer("assessment", database, LISTENS, bus)

    async def close(self) -> None:
        await self.client.close()
        await self.peers.close()
        self.compute.close()

    async def stage(
        self, kind: str, content: bytes, *, district: UUID = DISTRICT, keep_good: bool = False, piece: int = 1 << 20
    ) -> UUID:
        """Hand in a file, as the door would."""

        async def body() -> AsyncIterator[bytes]:
            for start in range(0, len(content), piece):
                yield content[start : start + piece]

        return await self.imports.stage(a_caller(district), kind, body(), keep_good, None)

    async def load(self, kind: str, content: bytes, *, district: UUID = DISTRICT, keep_good: bool = False) -> Report:
        """Hand in a file and take it to its end."""
        import_id = await self.stage(kind, content, district=district, keep_good=keep_good)
        return await self.finish(import_id, district)

    async def finish(self, import_id: UUID, district: UUID = DISTRICT) -> Report:
        """Take an import to its end, from wherever it stands."""
        await self.imports.advance(import_id, district)
        async with self.database.reading(a_caller(district)) as tx:
            return await report_of(tx, import_id)

    async def knows_forms(self, document: Any = FORMS, district: UUID = DISTRICT) -> Report:
        report = await self.load("forms", json.dumps(document, indent=1).encode(), district=district)
        assert report.state == "applied", report.problems
        return report

    async def answered(
        self, *sheets: str, district: UUID = DISTRICT, keep_good: bool = False, header: str = HEADER
    ) -> Report:
        return await self.load("answers", answers(*sheets, header=header), district=district, keep_good=keep_good)

    async def places(
        self, student: str, *places: tuple[str, int | None, int | None], district: UUID = DISTRICT
    ) -> None:
        """The roster says where a student is enrolled: schools, with the days on which that begins and ends."""
        fact = roster_pb2.Placement(
            id=events.uuid7().bytes,
            student=an_id("student", student, district).bytes,
            places=[
                roster_pb2.Place(school=an_id("school", school, district).bytes, begin_day=begin, end_day=end)
                for school, begin, end in places
            ],
        )
        await self.hears(roster_pb2.StudentsPlaced, fact, district=district)

    async def hears(self, event: type[Message], *facts: Message, district: UUID = DISTRICT) -> None:
        found = events.envelopes(event, facts, source="roster", district=district, traceparent=None, cause=None)
        await self._consumer.hear(Delivered(list(found)))

    async def abilities(self, *students: str, caller: Caller | None = None) -> dict[str, list[dict[str, Any]]]:
        """What the caller is told of these students, by name."""
        asking = caller or a_caller()
        names = {str(an_id("student", student, asking.district)): student for student in students}
        found = await self.client.post("/abilities:batch-list", {"students": list(names)}, asking)
        return {names[each["student"]]: each["abilities"] for each in found}

    async def look(self, sql: str, *values: Any, caller: Caller | None = None) -> list[dict[str, Any]]:
        """What a caller sees in the tables."""
        async with self.database.reading(caller or a_caller()) as tx:
            return [dict(row) for row in await tx.fetch(sql, *values)]

    async def attempts(self, caller: Caller | None = None) -> list[dict[str, Any]]:
        """Every bit of the attempts but when they came."""
        rows = await self.look("SELECT * FROM attempts ORDER BY id", caller=caller)
        return [{name: value for name, value in row.items() if name != "recorded_at"} for row in rows]

    async def announced(self, event: type[Message], district: UUID = DISTRICT) -> list[Any]:
        """Every fact announced so far, oldest first."""
        async with self.database.system() as tx:
            rows = await tx.fetch(
                "SELECT payload FROM outbox WHERE district = $1 AND type = $2 ORDER BY id",
                district,
                events.type_of(event),
            )
        return [fact for row in rows for fact in events.facts_of(events.type_of(event), row["payload"])]

    async def staged_rows(self) -> int:
        """How many rows the stages hold."""
        async with self.database.system() as tx:
            tables = await tx.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'stage'")
            return sum([await tx.fetchval(f"SELECT count(*) FROM stage.{row['tablename']}") for row in tables])


@pytest.fixture
async def assessment(fresh_database: FreshDatabase) -> AsyncIterator[AssessmentService]:
    """Assessment with small chunks, so that a small file takes several."""
    service = AssessmentService(await fresh_database("assessment"))
    yield service
    await service.close()
