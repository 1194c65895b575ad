"""Archives of the roster through the public door, with real servers between."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import Response

from shared.auth import SCOPES
from shared.db import Database
from shared.errors import Invalid, Unavailable
from shared.http import answer_errors
from shared.network import carrier
from shared.streamed import Out, Streamed
from tests.integration.gateway.conftest import OPERATOR
from tests.integration.gateway.wire import gateway_on_the_wire
from tests.unit.gateway.world import World

PIECES = [bytes([nth]) * 100_000 for nth in range(50)]


class NotThere(Invalid):
    """There is no such revision."""


@dataclass
class Roster:
    """Stands for the roster's exports."""

    asked: list[dict[str, str]] = field(default_factory=list)
    breaks_after: int | None = None
    refuses: bool = False
    is_away: bool = False

    def dress(self, app: FastAPI) -> FastAPI:
        """In front of the small world's own middleware, which would end well what breaks off."""
        front = FastAPI(openapi_url=None)
        answer_errors(front)

        @front.get("/exports/roster")
        async def export(request: Request) -> Response:
            self.asked.append(dict(request.query_params))
            return Streamed(self._make, "application/zip")

        @front.get("/exports/roster-facts")
        async def facts(request: Request) -> Response:
            self.asked.append(dict(request.query_params))
            return Streamed(self._make, "application/x-ndjson")

        front.mount("/", app)
        return front

    async def _make(self, out: Out) -> None:
        if self.is_away:
            raise Unavailable
        if self.refuses:
            raise NotThere(field="since")
        out.headers |= {"x-trellis-revision": "7", "content-disposition": 'attachment; filename="r.zip"'}
        for nth, piece in enumerate(PIECES):
            if nth == self.breaks_after:
                raise ConnectionResetError
            await out.write(piece)


@dataclass
class Door:
    """The gateway's address, a key of everything, and the roster behind it."""

    http: httpx.AsyncClient
    roster: Roster

    async def new_key(self, **what: Any) -> str:
        ask = {"district": "north", "name": "k", "scopes": sorted(SCOPES), "purpose": "integration"} | what
        made = await self.http.post("/v1/keys", json=ask, headers={"authorization": f"Bearer {OPERATOR}"})
        return f"Bearer {made.json()['key']}"

    async def export(self, key: str | None = None, what: str = "roster", **params: str) -> httpx.Response:
        headers = {"authorization": key or await self.new_key()}
        return await self.http.get(f"/v1/exports/{what}", params=params, headers=headers)


@pytest.fixture
async def door(fresh_database: Callable[[str], Awaitable[Database]]) -> AsyncIterator[Door]:
    roster = Roster()
    database = await fresh_database("gateway")
    async with (
        gateway_on_the_wire(database, World(), dress=roster.dress) as url,
        httpx.AsyncClient(base_url=url, timeout=10, transport=carrier()) as http,
    ):
        operator = {"authorization": f"Bearer {OPERATOR}"}
        await http.post("/v1/districts", json={"slug": "north", "name": "North"}, headers=operator)
        yield Door(http, roster)


async def test_an_archive_passes_whole_with_its_revision(door: Door) -> None:
    answer = await door.export(version="1.1", since="5")

    assert answer.status_code == 200
    assert answer.content == b"".join(PIECES)
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["x-trellis-revision"] == "7"
    assert answer.headers["content-disposition"] == 'attachment; filename="r.zip"'
    assert door.roster.asked == [{"version": "1.1", "since": "5"}]


async def test_facts_pass_as_the_roster_tells_them(door: Door) -> None:
    answer = await door.export(what="roster-facts", types="StudentsPlaced")

    assert answer.content == b"".join(PIECES)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert door.roster.asked == [{"types": "StudentsPlaced"}]


async def test_what_the_roster_refuses_is_refused(door: Door) -> None:
    door.roster.refuses = True

    answer = await door.export(since="x")

    assert answer.status_code == 422
    assert answer.json()["detail"] == "There is no such revision."


async def test_an_archive_that_breaks_off_is_never_taken_for_whole(door: Door) -> None:
    door.roster.breaks_after = 30

    with pytest.raises(httpx.TransportError):
        await door.export()


async def test_a_roster_that_is_away_is_said(door: Door) -> None:
    door.roster.is_away = True

    assert (await door.export()).status_code == 503


@pytest.mark.parametrize("what", ["roster", "roster-facts"])
async def test_it_needs_the_rosters_scope_and_the_whole_district(door: Door, what: str) -> None:
    reader = await door.new_key(scopes=["imports:write"])
    school = await door.new_key(schools=["sourcedId:school-1"])

    assert (await door.export(reader, what)).status_code == 403
    assert (await door.export(school, what)).status_code == 403
    assert door.roster.asked == []


@pytest.mark.parametrize("params", [{"version": "1.3"}, {"since": "x" * 41}])
async def test_parameters_of_another_form_are_refused(door: Door, params: dict[str, str]) -> None:
    assert (await door.export(**params)).status_code == 422
