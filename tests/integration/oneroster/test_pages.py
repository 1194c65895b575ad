"""Pages: how long, from where, in which order; and that they do not tear when something changes between two."""

import re
from typing import Any

import pytest

from tests.integration.oneroster.conftest import PUBLIC, ROSTERING, Rest
from tests.integration.oneroster.district import Change, District

ORGS = f"{ROSTERING}/orgs"


async def _orgs(change: Change, *names: str, **values: Any) -> None:
    for name in names:
        await change.add("orgs", name, **values)


async def _many(district: District, count: int) -> None:
    """Schools s00000, s00001 …"""
    async with district.change() as change:
        await change.tx.run(
            """
            INSERT INTO orgs (district_id, id, sourced_id, status, name, type, revision, since)
            SELECT $1, gen_random_uuid(), 's' || lpad(n::text, 5, '0'), 'active',
                'Name ' || lpad((n % 97)::text, 2, '0'), 'school', $2, $2
            FROM generate_series(0, $3 - 1) n
            """,
            district.caller.district, change.number, count,
        )  # fmt: skip


def _links(answer: Any) -> dict[str, str]:
    return {name: address for address, name in re.findall(r'<([^>]+)>; rel="(\w+)"', answer.headers["link"])}


async def _follow(rest: Rest, path: str) -> list[str]:
    """The sourcedIds of every page, by the links alone."""
    found: list[str] = []
    address: str | None = path
    while address:
        answer = await rest.ask(address.removeprefix(PUBLIC))
        found += [one["sourcedId"] for one in next(iter(answer.json().values()))]
        address = _links(answer).get("next")
    return found


async def test_a_hundred_come_by_default_and_links_lead_through_the_rest(rest: Rest) -> None:
    await _many(rest.district, 250)

    first = await rest.ask(ORGS)

    assert len(first.json()["orgs"]) == 100
    assert first.headers["x-total-count"] == "250"
    links = _links(first)
    assert set(links) == {"first", "last", "next"}
    assert links["next"].startswith(f"{PUBLIC}{ORGS}?")
    assert await _follow(rest, ORGS) == [f"s{number:05}" for number in range(250)]
    middle = _links(await rest.ask(f"{ORGS}?limit=100&offset=100"))
    assert set(middle) == {"first", "last", "next", "prev"}
    assert len((await rest.ask(middle["last"].removeprefix(PUBLIC))).json()["orgs"]) == 50


async def test_an_empty_list_has_its_headers_too(rest: Rest) -> None:
    answer = await rest.ask(ORGS)

    assert answer.json() == {"orgs": []}
    assert answer.headers["x-total-count"] == "0"
    assert set(_links(answer)) == {"first", "last"}


async def test_past_the_end_is_an_empty_array_with_the_count(rest: Rest) -> None:
    await _many(rest.district, 120)

    answer = await rest.ask(f"{ORGS}?limit=10&offset=5000")

    assert answer.json() == {"orgs": []}
    assert answer.headers["x-total-count"] == "120"
    assert "next" not in _links(answer)


@pytest.mark.parametrize("query", ["", "&sort=name&orderBy=desc", "&filter=name!='Name 96'"])
async def test_a_page_as_long_as_asked_for_comes_whole(rest: Rest, query: str) -> None:
    await _many(rest.district, 2_300)

    answer = await rest.ask(f"{ORGS}?limit=10000{query}")

    total = int(answer.headers["x-total-count"])
    rows = answer.json()["orgs"]
    assert len(rows) == len({row["sourcedId"] for row in rows}) == total > 2_200
    if "sort" in query:
        assert [row["name"] for row in rows] == sorted((row["name"] for row in rows), reverse=True)


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "limit=50001", "offset=-1", "revision=99"])
async def test_what_cannot_be_done_is_refused_not_clamped(rest: Rest, query: str) -> None:
    answer = await rest.ask(f"{ORGS}?{query}")

    assert answer.status_code == 422
    assert answer.json()["imsx_codeMajor"] == "failure"


async def test_pages_in_another_order_follow_on_each_other(rest: Rest) -> None:
    await _many(rest.district, 30)

    rows = []
    for offset in range(0, 30, 7):
        rows += (await rest.get(f"{ORGS}?sort=name&limit=7&offset={offset}"))["orgs"]

    assert [row["name"] for row in rows] == [f"Name {number:02}" for number in range(30)]


async def test_an_unknown_field_to_sort_by_leaves_the_usual_order(rest: Rest) -> None:
    async with rest.district.change() as change:
        await _orgs(change, "b", "a")

    assert await rest.names(f"{ORGS}?sort=shoeSize&orderBy=desc") == ["a", "b"]
    assert await rest.names(f"{ORGS}?sort=sourcedId&orderBy=desc") == ["b", "a"]


async def test_only_the_fields_asked_for_come_beside_the_required_ones(rest: Rest) -> None:
    async with rest.district.change() as change:
        await _orgs(change, "a", metadata={"x": 1}, identifier="i")

    comma = (await rest.get(f"{ORGS}?fields=name,identifier"))["orgs"][0]
    repeated = (await rest.get(f"{ORGS}/a?fields=name&fields=identifier"))["org"]
    wrong = await rest.ask(f"{ORGS}?fields=name,shoeSize")

    assert comma == repeated
    assert set(comma) == {"sourcedId", "status", "dateLastModified", "name", "type", "identifier"}
    assert wrong.status_code == 400
    assert wrong.json()["imsx_CodeMinor"]["imsx_codeMinorField"][0]["imsx_codeMinorFieldValue"] == (
        "invalid_selection_field"
    )


async def test_a_field_that_the_standard_knows_may_be_asked_for_even_if_none_has_it(rest: Rest) -> None:
    async with rest.district.change() as change:
        await change.add("people", "a", is_student=True, is_teacher=True)

    for collection in ("users", "students", "teachers"):
        (one,) = (await rest.get(f"{ROSTERING}/{collection}?fields=password"))["users"]
        assert "password" not in one


class TestWhileSomethingChanges:
    async def test_an_import_between_two_pages_neither_skips_nor_repeats_a_row(self, rest: Rest) -> None:
        await _many(rest.district, 500)
        first = await rest.ask(f"{ORGS}?limit=100")
        async with rest.district.change() as change:
            for number in range(0, 60):
                await change.end("orgs", f"s{number:05}")
            await _orgs(change, *(f"r{number}" for number in range(25)))

        rest_of_it = await _follow(rest, _links(first)["next"])

        seen = [row["sourcedId"] for row in first.json()["orgs"]] + rest_of_it
        assert seen == [f"s{number:05}" for number in range(500)]

    async def test_so_it_is_where_nothing_is_remembered(self, rest: Rest) -> None:
        """Another process answers the second page."""
        await _many(rest.district, 250)
        first = await rest.ask(f"{ORGS}?limit=100")
        async with rest.district.change() as change:
            await change.end("orgs", "s00010")
            await change.end("orgs", "s00150")
            await _orgs(change, "a", "s00100a")
        other = Rest(rest.database.__class__(rest.database.dsn, name="roster"))

        rest_of_it = await _follow(other, _links(first)["next"])

        await other.client.aclose()
        await other.database.close()
        assert rest_of_it == [f"s{number:05}" for number in range(100, 250)]

    async def test_what_ended_since_is_still_active_in_the_pages_of_before(self, rest: Rest) -> None:
        await _many(rest.district, 150)
        first = await rest.ask(f"{ORGS}?limit=100")
        async with rest.district.change() as change:
            await change.end("orgs", "s00120")

        second = await rest.ask(_links(first)["next"].removeprefix(PUBLIC))
        now = await rest.ask(f"{ORGS}?limit=1")

        assert {row["status"] for row in second.json()["orgs"]} == {"active"}
        assert second.headers["x-total-count"] == "150"
        assert second.headers["x-trellis-revision"] == first.headers["x-trellis-revision"]
        assert now.headers["x-total-count"] == "149"

    async def test_a_revision_that_was_begun_earlier_and_committed_later_counts_as_later(self, rest: Rest) -> None:
        await _many(rest.district, 150)
        async with rest.district.change() as slow:
            async with rest.district.change() as quick:
                await _orgs(quick, "t1")
            first = await rest.ask(f"{ORGS}?limit=100")
            await _orgs(slow, "s00100a")

        assert first.headers["x-total-count"] == "151"
        assert "s00100a" not in await _follow(rest, _links(first)["next"])
        assert "s00100a" in await _follow(rest, ORGS)

    async def test_the_count_is_of_now(self, rest: Rest) -> None:
        await _many(rest.district, 300)
        counts = []
        for number in range(3):
            counts.append((await rest.ask(f"{ORGS}?limit=100&offset=100")).headers["x-total-count"])
            async with rest.district.change() as change:
                await change.end("orgs", f"s{number:05}")
        assert counts == ["300", "299", "298"]
