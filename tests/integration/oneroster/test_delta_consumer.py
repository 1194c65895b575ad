"""Somebody who follows the district by deltas alone has, in the end, what the lists say; whatever changed it."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.roster import api
from services.roster.handlers import RosterImport
from shared.http import build_app
from tests.integration.oneroster.conftest import GRADEBOOK, PUBLIC, ROSTERING
from tests.integration.roster.archives import BEGAN, ENDS, Roster, a_roster
from tests.integration.roster.conftest import TOKENS, FreshDatabase, RosterService, a_caller
from tests.integration.roster.test_delta import a_delta, a_user

BEFORE = "2020-01-01T00:00:00.000Z"
FOLLOWED = {"users": ROSTERING, "enrollments": ROSTERING, "categories": GRADEBOOK}
SCHOOLS = ("north", "south")
_FIRST = datetime(2026, 10, 1, tzinfo=UTC)
Known = dict[str, dict[str, dict[str, Any]]]
Made = dict[tuple[str, str], str]
"""The status that a record of a collection has now."""


class Consumer:
    """Knows of each collection what the deltas told, and the latest time it saw there."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.known: Known = {name: {} for name in FOLLOWED}
        self.latest = dict.fromkeys(FOLLOWED, BEFORE)
        self.seen: list[tuple[str, str, str]] = []

    async def rows(self, collection: str, query: str) -> list[dict[str, Any]]:
        answer = await self.client.get(f"{FOLLOWED[collection]}/{collection}?limit=10000{query}")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()[collection]
        return found

    async def follow(self) -> None:
        """A delta of each collection."""
        for collection, latest in self.latest.items():
            for row in await self.rows(collection, f"&filter=dateLastModified>'{latest}'"):
                self.known[collection][row["sourcedId"]] = row
                self.seen.append((collection, row["sourcedId"], row["dateLastModified"]))
                self.latest[collection] = max(self.latest[collection], row["dateLastModified"])

    async def differences(self) -> dict[str, list[Any]]:
        """What the lists say otherwise, by collection."""
        found = {}
        for collection, known in self.known.items():
            mine = {name: row for name, row in known.items() if row["status"] == "active"}
            theirs = {row["sourcedId"]: row for row in await self.rows(collection, "")}
            wrong = [name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name)]
            if wrong:
                found[collection] = wrong
        return found


@pytest.fixture
async def roster(fresh_database: FreshDatabase) -> AsyncIterator[RosterService]:
    service = RosterService(await fresh_database("roster"), RosterImport())
    yield service
    await service.client.close()


async def _changes(
    roster: RosterService, client: httpx.AsyncClient, known: Known, chance: random.Random, steps: int
) -> AsyncIterator[Made]:
    """Small imports, writes of a gradebook, and two people who are one; after each, what somebody who knows what was
    `known` before has to be told."""
    for step in range(steps):
        moment = (_FIRST + timedelta(minutes=step)).strftime("%Y-%m-%dT%H:%M:%SZ")
        names = chance.sample([f"s{number:03}" for number in range(5, 30)], 3)
        match chance.choice(["users", "enrollments", "gradebook"]):
            case "users":
                lines = [a_user(name, f"Given{step}", when=moment) for name in [*names, f"new{step}"]]
                await _taken(roster, a_delta(users=lines))
                yield {("users", name): "active" for name in [*names, f"new{step}"]}
            case "enrollments":
                wanted = {f"e-{name}": chance.choice(["active", "tobedeleted"]) for name in names}
                made = {
                    ("enrollments", name): status
                    for name, status in wanted.items()
                    if known["enrollments"][name]["status"] != status
                }
                await _taken(roster, a_delta(enrollments=[_enrollment(*one, moment) for one in wanted.items()]))
                yield made
            case _:
                for number in range(3):
                    name = f"c{chance.randrange(6)}"
                    path = f"{GRADEBOOK}/categories/{name}"
                    status = known["categories"].get(name, {}).get("status")
                    if number == 2 and status == "active":
                        answer = await client.delete(path)
                        assert answer.status_code == 204, answer.text
                        yield {("categories", name): "tobedeleted"}
                        continue
                    said = {"sourcedId": name, "status": "active", "title": f"Title {step} {number}"}
                    answer = await client.put(path, json={"category": {**said, "dateLastModified": moment}})
                    assert answer.status_code == 201, answer.text
                    yield {("categories", name): "active"}
    await roster.ask("/identity/merges", {"person": "s000", "absorbed": "s001", "force": True})
    yield {("users", "s000"): "active", ("users", "s001"): "tobedeleted"}


def _enrollment(name: str, status: str, moment: str) -> str:
    school = SCHOOLS[int(name[-3:]) % 2]
    return f"{name},{status},{moment},class-{school},{school},{name[2:]},student,,{BEGAN},{ENDS}"


async def _taken(roster: RosterService, files: Roster) -> None:
    report = await roster.load(files.zip())
    if report.state == "held":  # so many of few leave at once that the guard asks whether it is meant
        report = await roster.approve(report.id)
    assert report.state == "applied", report


async def _followed(roster: RosterService, steps: int, seed: int) -> tuple[int, int]:
    """Somebody asks after each change, somebody else all the time; how many changes and removals there were."""
    report = await roster.load(a_roster().zip())
    assert report.state == "applied", report
    app = build_app(name="roster", database=roster.database, tokens=TOKENS, routers=[api.router])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://roster",
        headers={"x-public-url": PUBLIC},
        event_hooks={"request": [_sign]},
    ) as client:
        patient, eager = Consumer(client), Consumer(client)
        await patient.follow()
        await eager.follow()
        async with asyncio.TaskGroup() as group:
            made = group.create_task(_told_at_once(roster, client, patient, random.Random(seed), steps))
            while not made.done():
                await eager.follow()
        await eager.follow()
        for consumer in (patient, eager):
            assert await consumer.differences() == {}
            assert len(consumer.seen) == len(set(consumer.seen))
        return made.result()


async def _sign(request: httpx.Request) -> None:
    """A token holds for a minute."""
    request.headers["authorization"] = f"Bearer {TOKENS.sign(a_caller())}"


async def _told_at_once(
    roster: RosterService, client: httpx.AsyncClient, consumer: Consumer, chance: random.Random, steps: int
) -> tuple[int, int]:
    """Each change is in the delta after it, once; how many changes and removals that were."""
    changes = removals = 0
    async for made in _changes(roster, client, consumer.known, chance, steps):
        before = len(consumer.seen)
        await consumer.follow()
        told = [one[:2] for one in consumer.seen[before:]]
        assert len(told) == len(set(told))
        assert {at: consumer.known[at[0]][at[1]]["status"] for at in told if at in made} == made
        changes += len(made)
        removals += sum(status == "tobedeleted" for status in made.values())
    return changes, removals


async def test_who_follows_imports_gradebooks_and_a_merge_by_deltas_has_what_the_lists_say(
    roster: RosterService,
) -> None:
    changes, removals = await _followed(roster, 9, seed=11)

    assert changes > 20
    assert removals > 1


@pytest.mark.long
async def test_so_it_is_for_a_thousand_changes(roster: RosterService) -> None:
    changes, removals = await _followed(roster, 400, seed=11)
    print(f"seed 11: {changes} changes, {removals} of them removals, each told once")  # noqa: T201  # for the report

    assert changes >= 1_000
    assert removals >= 100
