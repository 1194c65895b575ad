"""A framework through the door: all of it or none, the same again changes nothing, and every field comes back."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from services.mastery import contract
from shared import crash
from shared.auth import Caller
from shared.errors import Forbidden
from tests.integration.mastery.conftest import DISTRICT, OTHER_DISTRICT, MasteryService, a_caller
from tests.unit.mastery.test_framework import CASE, ROOT, a_link, a_package, an_identifier, an_item, real_data

IMPORTER = a_caller(scopes=["imports:write"])


@pytest.fixture(autouse=True)
async def working(mastery: MasteryService) -> AsyncIterator[asyncio.Task[None]]:
    """The job that works imports off, at work."""
    job = at_work(mastery)
    yield job
    await ended(job)


def at_work(mastery: MasteryService) -> asyncio.Task[None]:
    work, *_ = mastery.service.jobs
    return asyncio.ensure_future(work())  # type: ignore[arg-type]  # a coroutine


async def ended(job: asyncio.Task[None]) -> None:
    job.cancel()
    await asyncio.wait([job])


async def imported(
    mastery: MasteryService, package: object, *, keep_good: bool = False, caller: Caller = IMPORTER
) -> dict[str, Any]:
    """Send a file and wait for what becomes of it."""
    raw = package if isinstance(package, bytes) else json.dumps(package, indent=1).encode()

    async def body() -> AsyncIterator[bytes]:
        for start in range(0, len(raw), 50_000):
            yield raw[start : start + 50_000]

    asked = {"keep_good": str(keep_good).lower()}
    async with mastery.client.stream("POST", "/imports/framework", caller, content=body(), params=asked) as response:
        taken = json.loads(await response.aread())
    async with asyncio.timeout(30):
        while True:
            report: dict[str, Any] = await mastery.client.get(f"/imports/{taken['id']}", caller)
            if report["state"] in {"applied", "refused", "failed"}:
                return report
            await asyncio.sleep(0.02)


def counts(report: dict[str, Any]) -> tuple[int, int, int, int]:
    return tuple(report["counts"][name] for name in ("added", "changed", "unchanged", "refused"))  # type: ignore[return-value]  # four


async def competencies(mastery: MasteryService, *numbers: int, **more: Any) -> dict[str, contract.Competency]:
    asked = {"identifiers": [an_identifier(number) for number in numbers]}
    found = await mastery.client.post("/competencies:batch-get", asked, more.get("caller") or a_caller())
    return {one["identifier"]: contract.Competency.model_validate(one) for one in found}


async def rows(mastery: MasteryService, table: str, district: Any = DISTRICT) -> list[dict[str, Any]]:
    async with mastery.database.reading(Caller.system(district, "test")) as tx:
        return [dict(row) for row in await tx.fetch(f"SELECT * FROM {table} ORDER BY id")]


PACKAGE = a_package(
    [an_item(1, humanCodingScheme="M.1"), an_item(2, humanCodingScheme="M.1.a"), an_item(3)],
    [
        a_link(1, 1, "isChildOf", ROOT),
        a_link(2, 2, "isChildOf", 1, sequenceNumber=1),
        a_link(3, 1, "precedes", 3),
    ],
    CFDefinitions={"CFSubjects": [{"title": "Mathematics"}]},
)


async def test_competencies_are_found_by_identifier_and_by_id_with_their_parents(mastery: MasteryService) -> None:
    report = await imported(mastery, PACKAGE)

    found = await competencies(mastery, 1, 2, 3, 99)
    assert (report["state"], counts(report)) == ("applied", (7, 0, 0, 0))
    assert [(one.code, one.statement) for one in found.values()].count(("M.1.a", "Item 2")) == 1
    assert len(found) == 3
    child, parent = found[an_identifier(2)], found[an_identifier(1)]
    assert (child.parent, parent.parent) == (parent.id, None)
    by_id = await mastery.client.post("/competencies:batch-get", {"ids": [str(child.id)]}, a_caller())
    assert [contract.Competency.model_validate(one) for one in by_id] == [child]


async def test_the_same_package_again_changes_nothing(mastery: MasteryService) -> None:
    await imported(mastery, PACKAGE)
    before = [await rows(mastery, table) for table in ("frameworks", "competencies", "associations")]

    again = await imported(mastery, PACKAGE)

    assert counts(again) == (0, 0, 7, 0)
    assert [await rows(mastery, table) for table in ("frameworks", "competencies", "associations")] == before


async def test_a_changed_package_changes_what_changed_and_keeps_what_it_no_longer_lists(
    mastery: MasteryService,
) -> None:
    await imported(mastery, PACKAGE)
    changed = a_package(
        [an_item(1, humanCodingScheme="M.1"), an_item(2, humanCodingScheme="M.1.b"), an_item(4)],
        [a_link(1, 1, "isChildOf", ROOT), a_link(2, 2, "isChildOf", 1, sequenceNumber=1)],
        CFDefinitions=PACKAGE["CFDefinitions"],
    )

    report = await imported(mastery, changed)

    # Item 4 is new; item 2 has another code, item 3 is listed no more, and what it was preceded by is gone.
    assert counts(report) == (1, 3, 4, 0)
    assert (await competencies(mastery, 2))[an_identifier(2)].code == "M.1.b"
    assert an_identifier(3) in await competencies(mastery, 3)
    current = {row["identifier"]: row["is_current"] for row in await rows(mastery, "competencies")}
    assert current == {an_identifier(1): True, an_identifier(2): True, an_identifier(3): False, an_identifier(4): True}
    assert {row["type"] for row in await rows(mastery, "associations")} == {"isChildOf"}


async def test_a_bad_package_is_refused_whole_with_file_line_and_place(mastery: MasteryService) -> None:
    bad = a_package([an_item(1), an_item(2, lastChangeDateTime="soon")], [a_link(1, 1, "isChildOf", 9)])

    report = await imported(mastery, bad)

    assert (report["state"], report["problem_count"]) == ("refused", 2)
    first = report["problems"][0]
    assert (first["file"], first["line"], first["column"], first["value"], first["rule"]) == (
        "framework.json",
        16,
        "/CFItems/1/lastChangeDateTime",
        "soon",
        "date-time",
    )
    assert first["remedy"]
    assert await rows(mastery, "competencies") == []


async def test_the_good_part_of_a_bad_package_is_merged_on_request_and_takes_nothing_away(
    mastery: MasteryService,
) -> None:
    await imported(mastery, PACKAGE)
    bad = a_package([an_item(1, humanCodingScheme="M.one"), an_item(2, lastChangeDateTime="soon"), an_item(5)], [])

    report = await imported(mastery, bad, keep_good=True)

    assert report["state"] == "applied"
    assert counts(report) == (1, 2, 0, 1)
    assert len(await rows(mastery, "associations")) == 3
    assert all(row["is_current"] for row in await rows(mastery, "competencies"))
    assert (await competencies(mastery, 1, 2))[an_identifier(2)].code == "M.1.a"


@pytest.mark.parametrize("raw", [b"{", b"\xff\xfe", b"[]", b'{"CFDocument": 1}'])
async def test_a_file_that_is_no_framework_is_refused_even_with_keep_good(mastery: MasteryService, raw: bytes) -> None:
    assert (await imported(mastery, raw))["state"] == "refused"

    kept = await imported(mastery, raw, keep_good=True)
    assert (kept["state"], counts(kept)[0], kept["problem_count"]) == ("refused", 0, 1)
    assert await rows(mastery, "frameworks") == []


async def test_an_item_of_another_framework_is_refused(mastery: MasteryService) -> None:
    await imported(mastery, PACKAGE)
    other = json.loads(json.dumps(PACKAGE).replace(ROOT, "d0000000-0000-4000-8000-000000000009"))
    other["CFItems"], other["CFAssociations"] = [an_item(1), an_item(8)], []

    report = await imported(mastery, other)

    [problem] = report["problems"]
    assert (report["state"], problem["rule"], problem["column"]) == (
        "refused",
        "other-framework",
        "/CFItems/0/identifier",
    )
    kept = await imported(mastery, other, keep_good=True)
    assert counts(kept) == (2, 0, 0, 1)


async def test_a_kill_while_merging_is_made_good_and_counted_once(
    mastery: MasteryService, working: asyncio.Task[None]
) -> None:
    with crash.armed("I1"):
        waiting = asyncio.ensure_future(imported(mastery, PACKAGE))
        with pytest.raises(BaseExceptionGroup) as died:  # of the workers, one died
            await working
    assert died.value.subgroup(crash.Crashed) is not None
    assert await rows(mastery, "competencies") == []

    again = at_work(mastery)

    report = await waiting
    assert (report["state"], counts(report)) == ("applied", (7, 0, 0, 0))
    assert await mastery.lines("stage.competencies") == 0
    await ended(again)


async def test_another_district_has_its_own_framework(mastery: MasteryService) -> None:
    await imported(mastery, PACKAGE)
    stranger = a_caller(OTHER_DISTRICT, scopes=["imports:write", "mastery:read"])

    assert await competencies(mastery, 1, 2, 3, caller=stranger) == {}
    assert counts(await imported(mastery, PACKAGE, caller=stranger)) == (7, 0, 0, 0)
    assert len(await rows(mastery, "competencies")) == 3


async def test_competencies_need_a_scope_and_a_school_may_read_them(mastery: MasteryService) -> None:
    await imported(mastery, PACKAGE)

    for scope in ("roster:read", "mastery:read"):
        assert await competencies(mastery, 1, caller=a_caller(scopes=[scope], schools=["north"]))
    with pytest.raises(Forbidden):
        await competencies(mastery, 1, caller=a_caller(scopes=["assessment:read"]))


@real_data
@pytest.mark.parametrize(
    ("name", "records", "mended"),
    [
        ("smarterbalanced_mockMATH", 1 + 585 + 3_367, 4),
        ("opensalt_Ordering", 57, 0),
        ("opensalt_SmartLevelFramework", 29, 0),
    ],
)
async def test_every_field_of_a_real_package_comes_back(
    mastery: MasteryService, name: str, records: int, mended: int
) -> None:
    raw = (CASE / f"{name}.json").read_bytes()
    package = orjson.loads(raw)

    report = await imported(mastery, raw)
    again = await imported(mastery, raw)

    assert (report["state"], counts(report), report["repair_count"]) == ("applied", (records, 0, 0, 0), mended)
    assert counts(again) == (0, 0, records, 0)
    [framework] = await rows(mastery, "frameworks")
    assert framework["source"] == package["CFDocument"]
    assert framework["definitions"] == package["CFDefinitions"]
    for table, member in (("competencies", "CFItems"), ("associations", "CFAssociations")):
        kept = {row["identifier"]: row["source"] for row in await rows(mastery, table)}
        assert kept == {record["identifier"]: record for record in package[member]}
