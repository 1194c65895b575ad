"""Decisions about identities at the public door, with a real roster behind it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.gateway.keys.grants import district_id
from services.gateway.main import build_app
from services.gateway.oneroster.passage import Passage
from services.roster.handlers import RosterImport
from shared.auth import SCOPES, Tokens
from shared.client import ServiceClient
from shared.db import Database
from tests.integration.gateway.conftest import NOWHERE, OPERATOR, PEPPER, Clock, Gateway
from tests.integration.roster.archives import BEGAN, TODAY, a_roster
from tests.integration.roster.conftest import RosterService
from tests.integration.roster.test_identity import a_newcomer_like
from tests.unit.gateway.world import SECRET, World, clients

DISTRICT = district_id("north")


@pytest.fixture
async def roster(fresh_database: Callable[[str], Awaitable[Database]]) -> AsyncIterator[RosterService]:
    service = RosterService(await fresh_database("roster"), RosterImport())
    yield service
    await service.client.close()


@pytest.fixture
async def gateway(
    fresh_database: Callable[[str], Awaitable[Database]], roster: RosterService
) -> AsyncIterator[Gateway]:
    database, clock = await fresh_database("gateway"), Clock()
    behind: dict[str, ServiceClient] = {**clients(World()), "roster": roster.client}
    app = build_app(
        database, behind, passage=Passage(NOWHERE, Tokens(SECRET)), pepper=PEPPER, operator_secret=OPERATOR,
        now=clock, monotonic=clock.monotonic,
    )  # fmt: skip
    transport = httpx.ASGITransport(app, client=("198.51.100.7", 40000))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as http:
        made = Gateway(http, clock, database, app)
        await made.new_district()
        yield made


@pytest.fixture
async def key(gateway: Gateway) -> str:
    made: str = (await gateway.new_key())["key"]
    return made


async def names(gateway: Gateway, key: str, name: str) -> Any:
    query = "query ($id: ID!) { student(id: $id) { id sourcedId givenName } }"
    answer = await gateway.ask("POST", "/graphql", key, json={"query": query, "variables": {"id": name}})
    return answer.json()["data"]["student"]


async def test_a_merge_and_its_undoing(gateway: Gateway, roster: RosterService, key: str) -> None:
    await roster.load(a_roster(4).zip(), district=DISTRICT)
    before = await names(gateway, key, "sourcedId:s001")

    merged = await gateway.ask(
        "POST", "/v1/identity/merges", key, json={"person": "s000", "absorbed": "s001", "force": True}
    )

    assert merged.status_code == 201, merged.text
    assert (await names(gateway, key, "sourcedId:s001"))["sourcedId"] == "s000"
    assert (await names(gateway, key, before["id"]))["sourcedId"] == "s000"
    listed = (await gateway.ask("GET", "/v1/identity/events?first=1", key)).json()
    assert [one["id"] for one in listed["items"]] == [merged.json()["id"]]
    undone = await gateway.ask("POST", f"/v1/identity/{merged.json()['id']}:undo", key)
    assert undone.json()["undone_at"] is not None
    assert await names(gateway, key, "sourcedId:s001") == before


async def test_a_split_and_what_it_says_of_a_mistake(gateway: Gateway, roster: RosterService, key: str) -> None:
    await roster.load(a_roster(4).zip(), district=DISTRICT)

    wrong = await gateway.ask("POST", "/v1/identity/splits", key, json={"person": "s000", "sourced_ids": ["e-s000"]})
    right = await gateway.ask(
        "POST", "/v1/identity/splits", key, json={"person": "s000", "sourced_ids": ["e-s000"], "sourced_id": "s900"}
    )

    assert (wrong.status_code, wrong.json()["field"]) == (422, "sourced_id")
    assert right.status_code == 201
    assert UUID(right.json()["other"])


async def test_reviews_are_listed_and_decided(gateway: Gateway, roster: RosterService, key: str) -> None:
    await roster.load(a_roster(30).zip(), district=DISTRICT)
    await roster.load(a_newcomer_like(a_roster(30)).zip(), district=DISTRICT)
    [review] = (await gateway.ask("GET", "/v1/identity/reviews", key)).json()["items"]

    decided = await gateway.ask("POST", f"/v1/identity/reviews/{review['id']}:different", key)
    again = await gateway.ask("POST", f"/v1/identity/reviews/{review['id']}:same", key)

    assert decided.json()["decision"] == "different"
    assert again.status_code == 409
    assert (await gateway.ask("GET", "/v1/identity/reviews", key)).json()["items"] == []


async def test_in_the_graph_it_is_the_same(gateway: Gateway, roster: RosterService, key: str) -> None:
    await roster.load(a_roster(30).zip(), district=DISTRICT)
    await roster.load(a_newcomer_like(a_roster(30)).zip(), district=DISTRICT)

    async def ask(query: str, **variables: Any) -> Any:
        body = {"query": query, "variables": variables}
        answer = (await gateway.ask("POST", "/graphql", key, json=body)).json()
        [found] = answer["data"].values()
        return found

    [review] = (
        await ask("{ identityReviews(first: 5) { nodes { id candidate { sourcedId } newcomer { sourcedId } } } }")
    )["nodes"]
    decided = await ask(
        "mutation ($id: ID!) { decideSamePerson(review: $id) { ... on IdentityReview { decision } } }", id=review["id"]
    )
    [event] = (await ask("{ identityEvents(first: 1) { nodes { id kind } } }"))["nodes"]
    one = await names(gateway, key, "sourcedId:n900")
    undone = await ask(
        "mutation ($id: ID!) { undoIdentityEvent(event: $id) { ... on IdentityEvent { undoneAt } } }", id=event["id"]
    )

    assert (review["candidate"], review["newcomer"]) == ({"sourcedId": "s000"}, {"sourcedId": "n900"})
    assert (decided, event["kind"]) == ({"decision": "SAME"}, "MERGED")
    assert one["sourcedId"] == "n900"
    assert undone["undoneAt"] is not None
    assert (await ask("{ identityReviews(first: 5) { nodes { id decision } } }"))["nodes"] == [
        {"id": review["id"], "decision": None}
    ]


async def test_it_takes_the_scope_and_the_whole_district(gateway: Gateway, roster: RosterService) -> None:
    await roster.load(a_roster(4).zip(), district=DISTRICT)
    body = {"person": "s000", "absorbed": "s001", "force": True}
    reader = (await gateway.new_key(scopes=sorted(SCOPES - {"imports:write"})))["key"]
    school = (await gateway.new_key(schools=["sourcedId:north"]))["key"]

    for one in (reader, school):
        assert (await gateway.ask("POST", "/v1/identity/merges", one, json=body)).status_code == 403
        assert (await gateway.ask("GET", "/v1/identity/reviews", one)).status_code == 403
        assert (await gateway.ask("GET", "/v1/identity/events", one)).status_code == 403
    assert (await gateway.ask("POST", "/v1/identity/merges", None, json=body)).status_code == 401


async def test_a_student_as_of_a_day(gateway: Gateway, roster: RosterService, key: str) -> None:
    file = a_roster(4).put("users", "{LDAP:2},Given2,Family002,,,,,,,4", "{LDAP:2},Given2,Family002,,,,,,s001,4")
    await roster.load(file.zip(), district=DISTRICT)
    query = """
        query ($day: Date!) { student(id: "sourcedId:s002") {
            enrollments(asOf: $day) { sourcedId role begin class { sourcedId } }
            guardians(asOf: $day) { sourcedId givenName role } } }
    """

    async def on(day: str) -> Any:
        body = {"query": query, "variables": {"day": day}}
        return (await gateway.ask("POST", "/graphql", key, json=body)).json()["data"]["student"]

    assert await on(TODAY.isoformat()) == {
        "enrollments": [
            {"sourcedId": "e-s002", "role": "student", "begin": BEGAN, "class": {"sourcedId": "class-north"}}
        ],
        "guardians": [{"sourcedId": "s001", "givenName": "Given1", "role": None}],
    }
    assert (await on("2001-01-01"))["enrollments"] == []
