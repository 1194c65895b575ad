"""The mastery service on a real database, heard and asked as in life."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from uuid import UUID

import httpx
import pytest
from google.protobuf.message import Message

from services.mastery.main import Settings, build
from shared import events
from shared.auth import Caller, Purpose, Tokens
from shared.bus.bus import Bus
from shared.client import ServiceClient
from shared.db import Database
from shared.events import Envelope
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as assessment
from shared.events_pb.trellis.events.mastery.v1 import mastery_pb2 as announced
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as roster
from shared.inbox import Consumer
from shared.runtime import Service

FreshDatabase = Callable[[str], Awaitable[Database]]
SECRET = "a-secret-of-the-tests-that-is-long-enough"
DISTRICT = UUID("11111111-1111-4111-8111-111111111111")
OTHER_DISTRICT = UUID("22222222-2222-4222-8222-222222222222")


def an_id(text: str) -> bytes:
    """16 bytes that say what they are."""
    return text.encode().ljust(16, b".")


def a_uuid(text: str) -> UUID:
    return UUID(bytes=an_id(text))


def a_caller(
    district: UUID = DISTRICT,
    *,
    schools: Sequence[str] | None = None,
    scopes: Iterable[str] = ("mastery:read",),
    purpose: Purpose = Purpose.INSTRUCTION,
) -> Caller:
    places = None if schools is None else tuple(a_uuid(school) for school in schools)
    return Caller(district, "key:test", frozenset(scopes), purpose, places)


def a_form(
    code: str,
    alignment: Sequence[Sequence[str]],
    maxima: Sequence[int] | None = None,
    b: Sequence[Sequence[float]] | None = None,
) -> assessment.Form:
    return assessment.Form(
        id=events.uuid7().bytes,
        form=an_id("form " + code),
        code=code,
        title="Form " + code,
        items=[
            assessment.Item(
                code=f"{code}-{number + 1}",
                competencies=[an_id(one) for one in ones],
                maximum=1 if maxima is None else maxima[number],
                parameters=None if b is None else assessment.Parameters(model=assessment.MODEL_GPCM, a=1, b=b[number]),
            )
            for number, ones in enumerate(alignment)
        ],
    )


def an_administration(code: str = "fall") -> assessment.Administration:
    return assessment.Administration(
        id=events.uuid7().bytes, administration=an_id("adm " + code), code=code, title=code, purpose=1
    )


def an_attempt(
    student: str,
    form: str,
    scores: Sequence[int],
    at: int,
    *,
    version: int = 1,
    administration: str = "fall",
    withdrawn: bool = False,
) -> assessment.Attempt:
    return assessment.Attempt(
        id=events.uuid7().bytes,
        student=an_id(student),
        attempt=blake2b(f"{student}|{form}|{administration}|{at}".encode(), digest_size=16).digest(),
        version=version,
        administration=an_id("adm " + administration),
        form=an_id("form " + form),
        completed_at=at,
        modality=3,
        purpose=1,
        scores=bytes(scores),
        withdrawn=withdrawn,
    )


def a_placement(student: str, *places: tuple[str, int | None, int | None]) -> roster.Placement:
    """Where a student is enrolled: schools, with the days (since 1970) on which that begins and ends."""
    return roster.Placement(
        id=events.uuid7().bytes,
        student=an_id(student),
        places=[roster.Place(school=an_id(school), begin_day=begin, end_day=end) for school, begin, end in places],
    )


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


def envelopes(event: type[Message], facts: Iterable[Message], district: UUID = DISTRICT) -> list[Envelope]:
    return list(events.envelopes(event, facts, source="test", district=district, traceparent=None, cause="the-import"))


@dataclass
class MasteryService:
    """What the tests say to mastery and ask of it."""

    service: Service
    client: ServiceClient
    consumer: Consumer

    @property
    def database(self) -> Database:
        return self.service.database

    async def delivers(self, *several: Sequence[Envelope]) -> None:
        """One batch of the bus."""
        await self.consumer.hear(Delivered([envelope for some in several for envelope in some]))

    async def hears(self, event: type[Message], *facts: Message, district: UUID = DISTRICT) -> None:
        await self.delivers(envelopes(event, facts, district))

    async def scored(self, *attempts: assessment.Attempt, district: UUID = DISTRICT) -> None:
        await self.hears(assessment.AttemptsScored, *attempts, district=district)

    async def knows(
        self, *forms: assessment.Form, administrations: Sequence[str] = ("fall",), district: UUID = DISTRICT
    ) -> None:
        """Forms and administrations are published."""
        await self.hears(assessment.FormPublished, *forms, district=district)
        planned = [an_administration(code) for code in administrations]
        await self.hears(assessment.AdministrationPlanned, *planned, district=district)

    async def places(self, *placements: roster.Placement, district: UUID = DISTRICT) -> None:
        await self.hears(roster.StudentsPlaced, *placements, district=district)

    async def mastery_of(self, *students: str, caller: Caller | None = None) -> dict[str, dict[str, tuple[float, int]]]:
        """Probability and number of entries by student and competency."""
        asked = {"students": [str(a_uuid(student)) for student in students]}
        found = await self.client.post("/mastery:batch-list", asked, caller or a_caller())
        return {
            _name(one["student"]): {
                _name(m["competency"]): (m["probability"], m["evidence_count"]) for m in one["mastery"]
            }
            for one in found
        }

    async def evidence_of(
        self, *students: str, first: int = 100, after: int = 0, caller: Caller | None = None
    ) -> dict[str, dict[str, Any]]:
        asked = {"students": [str(a_uuid(student)) for student in students], "first": first, "after": after}
        found = await self.client.post("/evidence:batch-list", asked, caller or a_caller())
        return {_name(one["student"]): one for one in found}

    async def count(self, caller: Caller | None = None) -> tuple[int, int]:
        found = await self.client.get("/evidence:count", caller or a_caller())
        return found["sheets"], found["entries"]

    async def stored(self, district: UUID = DISTRICT) -> list[tuple[Any, ...]]:
        """Every bit that is believed."""
        async with self.database.reading(Caller.system(district, "test")) as tx:
            return [tuple(row) for row in await tx.fetch("SELECT * FROM mastery ORDER BY student_id")]

    async def announced(self) -> list[announced.Learner]:
        async with self.database.system() as tx:
            rows = await tx.fetch("SELECT payload FROM outbox ORDER BY id")
        return [fact for row in rows for fact in announced.MasteryChanged.FromString(row["payload"]).facts]

    async def lines(self, table: str) -> int:
        """Rows of a table that belongs to no district."""
        async with self.database.system() as tx:
            return int(await tx.fetchval(f"SELECT count(*) FROM {table}"))


def _name(id_: str) -> str:
    return UUID(id_).bytes.rstrip(b".").decode()


@pytest.fixture
async def mastery(fresh_database: FreshDatabase) -> AsyncIterator[MasteryService]:
    database = await fresh_database("mastery")
    service = build(Settings(database_url=database.dsn, token_secret=SECRET, roster_url="http://roster.invalid"))
    transport = httpx.ASGITransport(service.app, raise_app_exceptions=False)
    client = ServiceClient("http://mastery", Tokens(SECRET), transport=transport)
    bus: Bus = Silent()
    yield MasteryService(service, client, Consumer("mastery", service.database, service.listens, bus))
    await client.close()
    for close in service.closing:
        await close()
    await service.database.close()
