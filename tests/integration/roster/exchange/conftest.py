"""The roster's exports, on a database that a test fills by itself."""

import csv
import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest

from services.roster import api
from services.roster.api.exports import REVISION
from shared.auth import SCOPES, Caller, Purpose, Tokens
from shared.db import Database
from shared.http import build_app
from tests.integration.oneroster.district import DISTRICT, Change, District, an_id, small_district

TOKENS = Tokens("a-secret-of-the-tests-that-is-long-enough")
FreshDatabase = Callable[[str], Awaitable[Database]]
Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Exported:
    """An archive as it came."""

    content: bytes
    headers: httpx.Headers

    @property
    def revision(self) -> str:
        return self.headers[REVISION]

    @property
    def manifest(self) -> dict[str, str]:
        return {row["propertyName"]: row["value"] for row in self.rows("manifest")}

    def modes(self, mode: str) -> set[str]:
        return {name.removeprefix("file.") for name, said in self.manifest.items() if said == mode}

    def text(self, file: str) -> str:
        with zipfile.ZipFile(io.BytesIO(self.content)) as opened:
            return opened.read(f"{file}.csv").decode()

    def rows(self, file: str) -> list[Row]:
        return list(csv.DictReader(io.StringIO(self.text(file), newline="")))

    def row(self, file: str, sourced_id: str) -> Row:
        [found] = [row for row in self.rows(file) if row["sourcedId"] == sourced_id]
        return found

    def names(self, file: str) -> set[str]:
        return {row["sourcedId"] for row in self.rows(file)}

    def having(self, file: str, before: str, after: str) -> "Exported":
        """The same with this text in place of that, which must be there."""
        assert before in self.text(file)
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(self.content)) as opened, zipfile.ZipFile(out, "w") as written:
            for name in opened.namelist():
                said = opened.read(name)
                written.writestr(name, said.replace(before.encode(), after.encode()) if name == f"{file}.csv" else said)
        return Exported(out.getvalue(), self.headers)


class Exports:
    """Asks the roster for archives, as the gateway would."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.district = District(database)
        self.app = build_app(name="roster", database=database, tokens=TOKENS, routers=[api.router])
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://roster")

    async def ask(self, caller: Caller | None = None, **params: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {TOKENS.sign(caller or a_caller())}"}
        return await self.client.get("/exports/roster", headers=headers, params=params)

    async def export(self, caller: Caller | None = None, **params: str) -> Exported:
        answer = await self.ask(caller, **params)
        assert answer.status_code == 200, answer.text
        return Exported(answer.content, answer.headers)


def a_caller(scopes: frozenset[str] = SCOPES, schools: tuple[str, ...] | None = None) -> Caller:
    named = None if schools is None else tuple(an_id("orgs", school) for school in schools)
    return Caller(DISTRICT, "key:test", scopes, Purpose.INTEGRATION, named)


async def a_gradebook(change: Change) -> None:
    """A line item of the north school's class, with a scale, objectives, and a result."""
    add, section = change.add, an_id("classes", "north-7a")
    person: Any = an_id("people", "north-s0")
    await add("categories", "homework", title="Homework", weight=40.0)
    await add(
        "score_scales", "letters", title="Letters", type="letter", class_id=section,
        scale_values=[{"itemValueLHS": "90-100", "itemValueRHS": "A"}, {"itemValueLHS": "0-89", "itemValueRHS": "B"}],
    )  # fmt: skip
    await add(
        "line_items", "sheet", title="Sheet 1", assign_at=datetime(2026, 9, 1, tzinfo=UTC),
        due_at=datetime(2026, 9, 8, tzinfo=UTC), class_id=section, school_id=an_id("orgs", "north"),
        category="homework", academic_session_id=an_id("academic_sessions", "q1"), result_value_max=12.5,
    )  # fmt: skip
    await add("line_item_objectives", "sheet-o", line_item="sheet", source="case", objective="o1")
    await add("line_item_scales", "sheet-s", line_item="sheet", score_scale="letters")
    await add(
        "results", "r", line_item="sheet", person_id=person, class_id=section, score=11.25, score_date=date(2026, 9, 9),
        score_status="fully graded", late=True, comment="well, done",
    )  # fmt: skip
    await add("result_objectives", "r-o", result="r", source="case", objective="o1", score=3.0)
    await add("result_scales", "r-s", result="r", score_scale="letters")


@pytest.fixture
async def exports(fresh_database: FreshDatabase) -> AsyncIterator[Exports]:
    """The small district, with a gradebook."""
    made = Exports(await fresh_database("roster"))
    async with made.district.change() as change:
        await small_district(change)
        await a_gradebook(change)
    yield made
    await made.client.aclose()
