"""Somebody who follows the district by deltas alone has, in the end, what the lists say; whatever changed it."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.roster import api
from services.roster.handlers import RosterImport
from shared.http import build_app
from tests.integration.oneroster.conftest import GRADEBOOK, PUBLIC, ROSTERING
from tests.integration.roster.archives import BEGAN, ENDS, a_roster
from tests.integration.roster.conftest import TOKENS, FreshDatabase, RosterService, a_caller
from tests.integration.roster.test_delta import a_delta, a_user

BEFORE = "2020-01-01T00:00:00.000Z"
FOLLOWED = {"users": ROSTERING, "enrollments": ROSTERING, "categories": GRADEBOOK}
SCHOOLS = ("north", "south")


class Consumer:
    """Knows of each collection what the deltas told, and the latest time it saw there."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.known: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in FOLLOWED}
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


async def _change(roster: RosterService, client: httpx.AsyncClient, seed: random.Random, steps: int) -> int:
    """Small imports, writes of a gradebook, and two people who are one; how many changes that is."""
    changes, when = 0, 0
    for step in range(steps):
        when += 1
        moment = f"2026-10-{1 + when // 1440:02}T{when // 60 % 24:02}:{when % 60:02}:00Z"
        names = seed.sample([f"s{number:03}" for number in range(5, 30)], 3)
        kind = seed.choice(["users", "enrollments", "gradebook"])
        if kind == "users":
            lines = [a_user(name, f"Given{step}", when=moment) for name in names]
            lines.append(a_user(f"new{step}", "New", when=moment))
            report = await roster.load(a_delta(users=lines).zip())
        elif kind == "enrollments":
            lines = [
                f"e-{name},{seed.choice(['active', 'tobedeleted'])},{moment},class-{school},{school},{name},student,,"
                f"{BEGAN},{ENDS}"
                for name, school in ((name, SCHOOLS[int(name[1:]) % 2]) for name in names)
            ]
            report = await roster.load(a_delta(enrollments=lines).zip())
        else:
            for number in range(3):
                path = f"{GRADEBOOK}/categories/c{seed.randrange(6)}"
                if number == 2 and (await client.get(path)).status_code == 200:
                    answer = await client.delete(path)
                else:
                    said = {"sourcedId": path.rpartition("/")[2], "status": "active", "title": f"Title {step} {number}"}
                    answer = await client.put(path, json={"category": {**said, "dateLastModified": moment}})
                assert answer.status_code in (201, 204, 404), answer.text
            changes += 3
            continue
        if report.state == "held":  # so many of few leave at once that the guard asks whether it is meant
            report = await roster.approve(report.id)
        assert report.state == "applied", report
        changes += len(lines)
    await roster.ask("/identity/merges", {"person": "s000", "absorbed": "s001", "force": True})
    return changes + 1


def _signed(request: httpx.Request) -> httpx.Request:
    request.headers["authorization"] = f"Bearer {TOKENS.sign(a_caller())}"  # each anew: a token lives for a minute
    return request


async def _followed(roster: RosterService, steps: int) -> tuple[int, Consumer]:
    """A consumer who has followed so many steps while they happened."""
    report = await roster.load(a_roster().zip())
    assert report.state == "applied", report
    app = build_app(name="roster", database=roster.database, tokens=TOKENS, routers=[api.router])
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://roster", headers={"x-public-url": PUBLIC}, auth=_signed
    ) as client:
        consumer = Consumer(client)
        await consumer.follow()
        changing = asyncio.ensure_future(_change(roster, client, random.Random(11), steps))
        while not changing.done():
            await consumer.follow()
        await consumer.follow()
        assert await consumer.differences() == {}
        return await changing, consumer


async def test_who_follows_imports_gradebooks_and_a_merge_by_deltas_has_what_the_lists_say(
    roster: RosterService,
) -> None:
    changes, consumer = await _followed(roster, 9)

    assert changes > 27
    assert len(consumer.seen) == len(set(consumer.seen))
    assert consumer.known["users"]["s001"]["status"] == "tobedeleted"


@pytest.mark.long
async def test_so_it_is_for_a_thousand_changes(roster: RosterService) -> None:
    changes, consumer = await _followed(roster, 300)

    assert changes >= 1_000
    assert len(consumer.seen) == len(set(consumer.seen))
