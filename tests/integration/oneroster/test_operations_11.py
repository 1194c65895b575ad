"""All 61 operations of OneRoster 1.1, asked of a district that came as a file: what they answer is 1.1."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from deploy.cli.demo import write_demo
from services.roster import api
from shared.http import build_app
from tests.integration.oneroster.conftest import PUBLIC, V11
from tests.integration.oneroster.published_11 import Operation, objects, operations
from tests.integration.roster.conftest import TOKENS, RosterService, a_caller, lasting_roster

__all__ = ["lasting_roster"]  # a fixture of the roster's tests
ALL = operations()
READS = [one for one in ALL if one.method == "GET"]
PLACES = 60
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
pytestmark = pytest.mark.skipif(not ALL, reason="the published list is not here")
Row = dict[str, Any]


class District:
    """A district's 1.1, and what of it paths can name."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self._known: dict[str, list[Row]] = {}

    async def ask(self, path: str, method: str = "GET", body: Any = None, query: str = "") -> httpx.Response:
        return await self.client.request(method, f"{V11}{path}{query}", json=body)

    async def rows(self, collection: str) -> list[Row]:
        if collection not in self._known:
            (self._known[collection],) = (await self.ask(f"/{collection}", query="?limit=10000")).json().values()
        return self._known[collection]

    async def filled(self, path: str) -> str:
        """The path with sourcedIds of this district, where something is to be told."""
        async for one in self._fillings(path):
            if any((await self.ask(one)).json().values()):
                return one
        raise AssertionError(f"the district has nothing at {path}")

    async def _fillings(self, path: str) -> AsyncIterator[str]:
        first = path.split("/")[1]
        named: list[tuple[str, ...]]
        match path.count("{}"):
            case 0:
                named = [()]
            case 1:
                named = [(row["sourcedId"],) for row in await self.rows(first)]
            case _ if first == "schools":
                named = [(row["school"]["sourcedId"], row["sourcedId"]) for row in await self.rows("classes")]
            case _:
                items = {row["sourcedId"]: row["class"]["sourcedId"] for row in await self.rows("lineItems")}
                inner = "lineItem" if "lineItems" in path else "student"
                named = [
                    (items[row["lineItem"]["sourcedId"]], row[inner]["sourcedId"]) for row in await self.rows("results")
                ]
        for names in named[:: len(named) // PLACES + 1]:
            yield path.replace("{}", "%s") % names


@pytest.fixture(scope="module")
async def district(lasting_roster: RosterService, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[District]:
    """The demonstration district."""
    files = write_demo(tmp_path_factory.mktemp("demo"), students=120, seed=1)
    report = await lasting_roster.load(files.roster.read_bytes())
    assert report.state == "applied", report
    app = build_app(name="roster", database=lasting_roster.database, tokens=TOKENS, routers=[api.router])
    headers = {"authorization": f"Bearer {TOKENS.sign(a_caller())}", "x-public-url": PUBLIC}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://roster", headers=headers
    ) as client:
        yield District(client)


def _check(row: Row, kind: str) -> None:
    """It has the fields and the words of 1.1 and no others, and its references stay in 1.1."""
    fields = objects()[kind]
    assert set(row) <= set(fields), set(row) - set(fields)
    assert {"sourcedId", "status", "dateLastModified"} <= set(row)
    assert TIME.fullmatch(row["dateLastModified"])
    for name, value in row.items():
        if fields[name]:
            assert value in fields[name], name
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict) and "href" in one:
                assert set(one) == {"href", "sourcedId", "type"}
                assert one["type"] in objects()
                assert one["href"].startswith(f"{PUBLIC}{V11}/"), one["href"]


def test_there_are_sixty_one() -> None:
    assert len(ALL) == len(set(ALL)) == 61
    assert objects()["user"]["role"] >= {"aide", "proctor", "relative"}
    assert objects()["org"].keys() == {
        "sourcedId", "status", "dateLastModified", "metadata", "name", "type", "identifier", "parent", "children",
    }  # fmt: skip


@pytest.mark.parametrize("operation", READS, ids=str)
async def test_a_read_answers_what_1_1_has(district: District, operation: Operation) -> None:
    path = await district.filled(operation.path)

    answer = await district.ask(path)
    body = answer.json()

    assert answer.status_code == 200
    assert answer.headers["content-type"].split(";")[0] == "application/json"
    assert list(body) == [operation.member]
    if operation.path.endswith("{}"):
        assert body[operation.member]["sourcedId"] == path.rpartition("/")[2]
        _check(body[operation.member], operation.kind)
        return
    rows = body[operation.member]
    assert 0 < len(rows) == min(100, int(answer.headers["x-total-count"]))
    assert 'rel="first"' in answer.headers["link"]
    assert f"<{PUBLIC}{V11}{path}?" in answer.headers["link"]
    for row in rows:
        _check(row, operation.kind)


@pytest.mark.parametrize("operation", [one for one in READS if not one.path.endswith("{}")], ids=str)
async def test_a_collection_takes_every_parameter_of_1_1(district: District, operation: Operation) -> None:
    path = await district.filled(operation.path)
    (rows,) = (await district.ask(path, query="?limit=10000")).json().values()
    last = max(rows, key=lambda row: row["sourcedId"])["sourcedId"]

    page = await district.ask(path, query="?limit=1&offset=0&sort=sourcedId&orderBy=desc&fields=sourcedId")
    found = await district.ask(path, query=f"?filter=sourcedId='{last}'%20AND%20status='active'")
    since = await district.ask(path, query="?filter=dateLastModified>'2999-01-01T00:00:00.000Z'")

    assert [row["sourcedId"] for row in page.json()[operation.member]] == [last]
    assert int(page.headers["x-total-count"]) == len(rows)
    assert ('rel="next"' in page.headers["link"]) == (len(rows) > 1)
    assert [row["sourcedId"] for row in found.json()[operation.member]] == [last]
    assert since.json() == {operation.member: []}


async def test_a_gradebook_is_written_and_taken_away(district: District) -> None:
    section = next(one for one in await district.rows("classes") if one["terms"])
    student = (await district.ask(f"/classes/{section['sourcedId']}/students")).json()["users"][0]
    period = (await district.rows("gradingPeriods"))[0]
    said: dict[str, Row] = {
        "categories": {"title": "Quizzes"},
        "lineItems": {
            "title": "Fractions", "assignDate": "2026-09-01T08:00:00.000Z", "dueDate": "2026-09-08T08:00:00.000Z",
            "class": {"sourcedId": section["sourcedId"]}, "category": {"sourcedId": "of-1-1"},
            "gradingPeriod": {"sourcedId": period["sourcedId"]}, "resultValueMin": 0.0, "resultValueMax": 10.0,
        },
        "results": {
            "lineItem": {"sourcedId": "of-1-1"}, "student": {"sourcedId": student["sourcedId"]}, "score": 7.5,
            "scoreStatus": "fully graded", "scoreDate": "2026-09-08", "comment": "Well done",
        },
    }  # fmt: skip
    puts = [one for one in ALL if one.method == "PUT"]
    deletes = [one for one in ALL if one.method == "DELETE"]
    assert sorted(one.path.split("/")[1] for one in puts) == sorted(said)

    for operation in puts:
        path, body = operation.path.replace("{}", "of-1-1"), said[operation.collection]
        written = await district.ask(path, "PUT", {operation.member: body})
        told = (await district.ask(path)).json()[operation.member]
        assert written.status_code == 201, written.text
        assert {name: _plain(told[name]) for name in body} == {name: _plain(value) for name, value in body.items()}
        _check(told, operation.kind)
    for operation in reversed(deletes):
        path = operation.path.replace("{}", "of-1-1")
        gone = await district.ask(path, "DELETE")
        told = (await district.ask(path)).json()[operation.member]
        assert gone.status_code == 204, gone.text
        assert told["status"] == "tobedeleted"
        _check(told, operation.kind)


def _plain(value: Any) -> Any:
    """A reference as its sourcedId."""
    return value["sourcedId"] if isinstance(value, dict) else value


@pytest.mark.parametrize("operation", [one for one in ALL if "{}" in one.path and one.method != "PUT"], ids=str)
async def test_what_is_not_there_is_an_unknown_object(district: District, operation: Operation) -> None:
    answer = await district.ask(operation.path.replace("{}", "nobody"), operation.method)

    assert answer.status_code == 404
    assert answer.json().keys() == {"CodeMajor", "Severity", "CodeMinor", "Description"}
    assert answer.json()["CodeMinor"] == "unknown object"
