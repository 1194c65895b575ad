"""A partnership service on a real database, with a roster and published figures to ask over HTTP."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import httpx
import pytest
from fastapi import FastAPI, Request
from google.protobuf.message import Message

from services.mastery import contract as mastery_contract
from services.partnership import api
from services.partnership.domain.matching import match
from services.partnership.handlers.matchings import Matcher, Solve
from services.partnership.handlers.programmes import Programmes
from services.partnership.handlers.willingness import Willingness
from services.partnership.peers import Mastery, Roster
from services.partnership.store import matchings
from services.roster import contract as roster_contract
from shared import events
from shared.auth import SCOPES, Caller, Purpose, Tokens
from shared.client import ServiceClient
from shared.db import Database
from shared.http import build_app, problem
from shared.imports import Imports, Report, report_of

FreshDatabase = Callable[[str], Awaitable[Database]]
DISTRICT = UUID("11111111-1111-4111-8111-111111111111")
OTHER_DISTRICT = UUID("22222222-2222-4222-8222-222222222222")
TOKENS = Tokens("a-secret-of-the-tests-that-is-long-enough")
NUMBERS = "a1b2c3d4-0000-4000-8000-000000000001"
SNAPSHOT = datetime(2026, 10, 1, 2, 0, tzinfo=UTC)
CITY = tuple(f"city-{number:02}" for number in range(40))
"""Schools the poorer of which have mastered less; an odd one more than an even one with like students."""
POVERTY = {name: round(number / 39, 3) for number, name in enumerate(CITY)}
SCHOOLS = ("ash", "birch", "cedar", "dogwood", "elm", *CITY)
FIGURES = {"ash": (0.8, 0.15), "birch": (0.6, 0.35), "cedar": (0.4, 0.7), "dogwood": (0.3, 0.8)} | {
    name: (round(0.75 - 0.5 * POVERTY[name] + (0.1 if number % 2 else -0.1), 2), 0.5)
    for number, name in enumerate(CITY)
}
HEADER = "school,area,role,eagerness,capacity,diagnostics"
PROGRAMME = f"""\
format = "trellis-programme/1"
id = "2026-pairs"
title = "Pairs of 2026"
partnerships = 3
budget = 30000
cost_per_partnership = 10000.00
currency = "USD"

[[areas]]
id = "mathematics"
title = "Mathematics"
competencies = ["{NUMBERS}"]

[[areas]]
id = "english"
title = "English language learners"

[rules]
max_distance_km = 20
"""
WILLING = (
    "ash,mathematics,offers,4,1,yes",
    "birch,mathematics,offers,3,1,no",
    "cedar,mathematics,seeks,5,1,yes",
    "dogwood,mathematics,seeks,3,1,yes",
    "elm,english,seeks,2,1,no",
)


def an_id(kind: str, name: str, district: UUID = DISTRICT) -> UUID:
    """The id that a school has in these tests."""
    return uuid5(district, f"{kind}:{name}")


def a_school(name: str, district: UUID = DISTRICT) -> UUID:
    return an_id("school", name, district)


def a_caller(
    district: UUID = DISTRICT,
    *,
    schools: Sequence[str] | None = None,
    scopes: Iterable[str] = SCOPES,
    purpose: Purpose = Purpose.ADMINISTRATION,
) -> Caller:
    places = None if schools is None else tuple(a_school(school, district) for school in schools)
    return Caller(district, "key:test", frozenset(scopes), purpose, places)


def neighbours(away: set[str]) -> FastAPI:
    """The roster and mastery as far as partnership asks them: five schools in a row, one competency, one snapshot."""
    app = FastAPI()

    def caller(request: Request) -> Caller:
        return TOKENS.read(request.headers["authorization"].removeprefix("Bearer "))

    def known(district: UUID) -> list[roster_contract.School]:
        schools = [
            roster_contract.School(
                id=a_school(name, district), sourced_id=name, name=f"{name.title()} School", type="school",
                sector="charter" if name == "elm" else "district", latitude=40.7, longitude=-74.0 + number / 50,
                parent=None,
            )
            for number, name in enumerate(SCHOOLS)
        ]  # fmt: skip
        office = schools[0].model_copy(
            update={"id": a_school("office", district), "sourced_id": "office", "type": "district"}
        )
        return [*schools, office]

    @app.post("/schools:batch-get", response_model=None)
    def schools(ask: roster_contract.ByKeys, request: Request) -> Any:
        asking = caller(request)
        asking.need("roster:read")
        if "roster" in away:
            return problem(503, "UNAVAILABLE", "The roster is away.")
        return [s for s in known(asking.district) if s.id in ask.ids or s.sourced_id in ask.sourced_ids]

    @app.post("/competencies:batch-get")
    def competencies(ask: mastery_contract.ByKeys, request: Request) -> list[mastery_contract.Competency]:
        asking = caller(request)
        asking.need("mastery:read")
        return [
            mastery_contract.Competency(
                id=an_id("competency", NUMBERS, asking.district), identifier=NUMBERS, statement="…", code=None,
                parent=None,
            )
            for asked in ask.identifiers
            if asked.lower() == NUMBERS
        ]  # fmt: skip

    @app.post("/areas:batch-list", response_model=None)
    def areas(ask: mastery_contract.AreasOf, request: Request) -> Any:
        asking = caller(request)
        asking.need("mastery:read")
        assert asking.purpose is Purpose.ADMINISTRATION
        if "mastery" in away:
            return problem(503, "UNAVAILABLE", "Mastery is away.")
        assert ask.within == [an_id("competency", NUMBERS, asking.district)]
        names = {a_school(name, asking.district): name for name in FIGURES}
        return [
            mastery_contract.OrganisationAreas(organisation=each, snapshot_at=SNAPSHOT, areas=_areas(names[each]))
            for each in ask.organisations
            if each in names
        ]

    return app


def _areas(name: str) -> list[mastery_contract.AreaFigures]:
    strength, need = FIGURES[name]
    shown = mastery_contract.AreaFigures(
        competency=an_id("competency", NUMBERS),
        learners=400 if name in CITY else 40,
        strength=strength,
        need=need,
        suppressed=False,
    )
    hidden = mastery_contract.AreaFigures(
        competency=an_id("competency", "hidden"), learners=None, strength=None, need=None, suppressed=True
    )
    return [shown, hidden]


class PartnershipService:
    """What a test does with partnership: load files, declare, match, ask, and look."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.away: set[str] = set()
        self.peers = ServiceClient("http://peers", TOKENS, transport=httpx.ASGITransport(neighbours(self.away)))
        self.roster, self.mastery = Roster(self.peers), Mastery(self.peers)
        willingness = Willingness(self.roster, rows_at_once=2)
        self.imports = Imports(database, [Programmes(self.roster, self.mastery), willingness])
        app = build_app(
            name="partnership", database=database, tokens=TOKENS,
            routers=[api.routes(database, self.roster), self.imports.router],
        )  # fmt: skip
        self.client = ServiceClient("http://partnership", TOKENS, transport=httpx.ASGITransport(app))

    async def close(self) -> None:
        await self.client.close()
        await self.peers.close()

    async def ask(self, path: str, caller: Caller | None = None, **body: Any) -> Any:
        return await self.client.post(path, body, caller or a_caller())

    async def load(self, kind: str, content: str, *, district: UUID = DISTRICT, keep_good: bool = False) -> Report:
        """Hand in a file and take it to its end."""

        async def body() -> AsyncIterator[bytes]:
            yield content.encode()

        import_id = await self.imports.stage(a_caller(district), kind, body(), keep_good, None)
        await self.imports.advance(import_id, district)
        async with self.database.reading(a_caller(district)) as tx:
            return await report_of(tx, import_id)

    async def knows_programme(self, content: str = PROGRAMME, district: UUID = DISTRICT) -> UUID:
        report = await self.load("programme", content, district=district)
        assert report.state == "applied", report.problems
        [programme] = await self.ask("/programmes:batch-get", a_caller(district), codes=["2026-pairs"])
        return UUID(programme["id"])

    async def willing(
        self, *rows: str, header: str = HEADER, district: UUID = DISTRICT, keep_good: bool = False
    ) -> Report:
        content = "".join(f"{line}\n" for line in (header, *rows))
        return await self.load("willingness", content, district=district, keep_good=keep_good)

    def matcher(self, solve: Solve = match) -> Matcher:
        return Matcher(self.database, self.roster, self.mastery, solve=solve)

    async def due(self) -> matchings.Due | None:
        async with self.database.system() as tx:
            return await matchings.next_due(tx)

    async def matched(self, programme: UUID, district: UUID = DISTRICT) -> dict[str, Any]:
        """Ask for a matching and take it to its end."""
        await self.ask("/matchings:propose", a_caller(district), programme=str(programme))
        while (due := await self.due()) is not None:
            await self.matcher().advance(due)
        [matching] = await self.ask("/matchings:batch-get", a_caller(district), programmes=[str(programme)])
        found: dict[str, Any] = matching
        return found

    async def proposals(self, programme: UUID, caller: Caller | None = None, state: str | None = None) -> list[Any]:
        page = await self.ask("/proposals:list", caller, programme=str(programme), state=state, first=100)
        found: list[Any] = page["items"]
        return found

    async def pairs(self, programme: UUID, state: str | None = None) -> set[tuple[str, str, str]]:
        names = {str(a_school(name)): name for name in SCHOOLS}
        return {
            (names[each["host"]], names[each["guest"]], each["state"])
            for each in await self.proposals(programme, state=state)
        }

    async def announced(self, event: type[Message], district: UUID = DISTRICT) -> list[Any]:
        """Every fact announced so far, oldest first."""
        async with self.database.system() as tx:
            rows = await tx.fetch(
                "SELECT payload FROM outbox WHERE district = $1 AND type = $2 ORDER BY id",
                district, events.type_of(event),
            )  # fmt: skip
        return [fact for row in rows for fact in events.facts_of(events.type_of(event), row["payload"])]

    async def look(self, sql: str, *values: Any, caller: Caller | None = None) -> list[dict[str, Any]]:
        """What a caller sees in the tables."""
        async with self.database.reading(caller or a_caller()) as tx:
            return [dict(row) for row in await tx.fetch(sql, *values)]

    async def staged_rows(self) -> int:
        """How many rows the stages hold."""
        async with self.database.system() as tx:
            tables = await tx.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'stage'")
            return sum([await tx.fetchval(f"SELECT count(*) FROM stage.{row['tablename']}") for row in tables])


@pytest.fixture
async def partnership(fresh_database: FreshDatabase) -> AsyncIterator[PartnershipService]:
    """Partnership with a roster of five schools in a row, 1.7 km apart."""
    service = PartnershipService(await fresh_database("partnership"))
    yield service
    await service.close()
