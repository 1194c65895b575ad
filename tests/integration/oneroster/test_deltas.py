"""What changed since: every change and every removal once, nothing missed, whatever happens meanwhile."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.roster.store import revisions
from tests.integration.oneroster.conftest import ROSTERING, Rest, a_caller
from tests.integration.oneroster.district import small_district

BEFORE = "2020-01-01T00:00:00.000Z"


async def _since(rest: Rest, moment: str, collection: str = "orgs", op: str = ">") -> list[dict[str, Any]]:
    body = await rest.get(f"{ROSTERING}/{collection}?limit=10000&filter=dateLastModified{op}'{moment}'")
    rows: list[dict[str, Any]] = body[collection]
    return rows


async def test_what_ended_is_told_in_a_delta_and_hidden_from_lists(rest: Rest) -> None:
    async with rest.district.change() as change:
        await change.add("orgs", "a")
        await change.add("orgs", "b")
    (before, *_) = await _since(rest, BEFORE)
    async with rest.district.change() as change:
        await change.end("orgs", "a")

    assert await rest.names(f"{ROSTERING}/orgs") == ["b"]
    (ended,) = await _since(rest, before["dateLastModified"])
    assert (ended["sourcedId"], ended["status"]) == ("a", "tobedeleted")
    assert await rest.names(f"{ROSTERING}/orgs?filter=status='tobedeleted'") == ["a"]
    assert await rest.names(f"{ROSTERING}/orgs?filter=status='active'") == ["b"]
    assert (await rest.get(f"{ROSTERING}/orgs/a"))["org"]["status"] == "tobedeleted"


async def test_moments_are_read_with_and_without_parts_of_a_second_and_zone(rest: Rest) -> None:
    async with rest.district.change() as change:
        await change.add("orgs", "a")
    (one,) = await _since(rest, BEFORE)
    said = datetime.fromisoformat(one["dateLastModified"])

    assert await _since(rest, one["dateLastModified"]) == []
    assert await _since(rest, one["dateLastModified"], op=">=") == [one]
    assert await _since(rest, one["dateLastModified"], op="=") == [one]
    for earlier in (
        (said - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        (said - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S"),
        (said - timedelta(seconds=1) + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S.%f+02:00"),
        (said - timedelta(days=1)).strftime("%Y-%m-%d"),
    ):
        assert await _since(rest, earlier) == [one], earlier
    later = (said + timedelta(milliseconds=1)).astimezone(UTC).isoformat()
    assert await _since(rest, later, op="<") == [one]


async def test_of_a_moment_to_come_nothing_is_told(rest: Rest) -> None:
    async with rest.district.change() as change:
        await change.add("orgs", "a")
        await change.add("orgs", "b")

    for op in (">", ">="):
        assert await _since(rest, "2999-01-01T00:00:00.000Z", op=op) == []
        both = f"dateLastModified{op}'2999-01-01T00:00:00Z' OR sourcedId='a'"
        assert await rest.names(f"{ROSTERING}/orgs?limit=1&sort=name&filter={both}") == ["a"]
    assert await rest.names(f"{ROSTERING}/orgs?filter=dateLastModified<'2999-01-01T00:00:00.000Z'") == ["a", "b"]


async def test_somebody_who_asks_waits_for_what_is_already_stamped(rest: Rest) -> None:
    async with rest.district.change() as change:
        await change.add("orgs", "a")

    async def ask() -> list[dict[str, Any]]:
        return await _since(rest, BEFORE)

    async with rest.district.database.transaction(rest.district.caller) as tx:
        number = await revisions.begin(tx)
        await tx.run("UPDATE orgs SET name = 'Changed', revision = $1 WHERE sourced_id = 'a'", number)
        await revisions.stamp(tx, number)
        asked = asyncio.ensure_future(ask())
        await asyncio.sleep(0.2)
        assert not asked.done()

    assert [one["name"] for one in await asked] == ["Changed"]


@pytest.mark.parametrize("each", [25, pytest.param(125, marks=pytest.mark.long)])
async def test_a_consumer_sees_each_of_two_hundred_or_a_thousand_changes_once_while_they_happen(
    rest: Rest, each: int
) -> None:
    """Four writers at once, two changes at a time."""
    seed = random.Random(4)
    async with rest.district.change() as change:
        for number in range(40):
            await change.add("orgs", f"o{number:02}")
    seen: list[tuple[str, str, str]] = []
    watermark = max(one["dateLastModified"] for one in await _since(rest, BEFORE))
    done = asyncio.Event()
    made: list[list[tuple[str, str]]] = []

    async def changes(worker: int) -> None:
        mine = [f"o{number:02}" for number in range(40) if number % 4 == worker]
        for step in range(each):
            async with rest.district.change() as change:
                names = seed.sample(mine, 2)
                batch = []
                for name in names:
                    active = await change.tx.fetchval("SELECT status = 'active' FROM orgs WHERE sourced_id = $1", name)
                    if active and seed.random() < 0.3:
                        await change.end("orgs", name)
                        batch.append((name, "tobedeleted"))
                    elif active:
                        await change.change("orgs", name, name=f"{worker}-{step}")
                        batch.append((name, f"{worker}-{step}"))
                    else:
                        await change.change(
                            "orgs", name, status="active", since=change.number, until=None, name=f"{worker}-{step}"
                        )
                        batch.append((name, f"{worker}-{step}"))
                if seed.random() < 0.1:
                    await asyncio.sleep(0.01)
            made.append(batch)

    async def poll() -> None:
        nonlocal watermark
        while True:
            last = done.is_set()
            rows = await _since(rest, watermark)
            for one in rows:
                seen.append((one["sourcedId"], one["dateLastModified"], one["status"]))
            watermark = max([watermark, *(one["dateLastModified"] for one in rows)])
            if last:
                return

    polling = asyncio.ensure_future(poll())
    await asyncio.gather(*(changes(worker) for worker in range(4)))
    done.set()
    await polling

    assert sum(len(batch) for batch in made) == 8 * each
    assert len(seen) == len(set(seen))
    final = {one["sourcedId"]: (one["dateLastModified"], one["status"]) for one in await _since(rest, BEFORE)}
    last_seen = {name: (moment, status) for name, moment, status in seen}
    assert {name: last_seen.get(name, final[name]) for name in final} == final
    for name in final:
        moments = [moment for other, moment, _ in seen if other == name]
        assert moments == sorted(moments)
    async with rest.district.database.reading(a_caller()) as tx:
        states = await tx.fetchval("SELECT count(*) FROM revisions")
    assert states == 4 * each + 1


async def test_a_delta_of_users_finds_people_by_their_revision(rest: Rest) -> None:
    async with rest.district.change() as change:
        await small_district(change)
    watermark = max(one["dateLastModified"] for one in await _since(rest, BEFORE, "users"))
    async with rest.district.change() as change:
        await change.change("people", "north-s1", given_name="Changed")
        await change.end("enrollments", "south-s0-7a")

    assert [one["sourcedId"] for one in await _since(rest, watermark, "users")] == ["north-s1"]
    assert [one["sourcedId"] for one in await _since(rest, watermark, "enrollments")] == ["south-s0-7a"]
    assert await rest.names(f"{ROSTERING}/classes/south-7a/students") == ["south-s1", "south-s2"]


async def test_a_long_pull_leaves_nothing_out_for_who_goes_on_from_the_latest_time_he_saw(rest: Rest) -> None:
    """A row of the first page and one of the second change together, between the two pages."""
    async with rest.district.change() as change:
        for number in range(200):
            await change.add("orgs", f"o{number:03}")
    first = await rest.ask(f"{ROSTERING}/orgs?limit=100")
    async with rest.district.change() as change:
        await change.change("orgs", "o001", name="Changed")
        await change.change("orgs", "o101", name="Changed")

    revision = first.headers["x-trellis-revision"]
    second = await rest.get(f"{ROSTERING}/orgs?limit=100&offset=100&revision={revision}")
    delta = await rest.get(f"{ROSTERING}/orgs?filter=dateLastModified>'{BEFORE}'&revision={revision}&limit=1000")
    watermark = max(one["dateLastModified"] for one in [*first.json()["orgs"], *second["orgs"]])

    assert {one["sourcedId"] for one in await _since(rest, watermark)} >= {"o001", "o101"}
    assert len(delta["orgs"]) == 198
    assert max(one["dateLastModified"] for one in delta["orgs"]) == watermark
