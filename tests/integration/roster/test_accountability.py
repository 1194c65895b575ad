"""Who comes for accountability brings no gradebook, and reads nothing of results in what was found in files."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from services.roster.domain.layout import READ
from shared.auth import Caller, Purpose
from shared.errors import Forbidden
from tests.integration.roster.archives import Roster, a_roster
from tests.integration.roster.conftest import DISTRICT, RosterService, a_caller

AUDITOR = replace(a_caller(), subject="key:auditor", purpose=Purpose.ACCOUNTABILITY)
TELLTALES = ("77,25", "77.25", "eighty-one", "Careless")
GRADES = {
    "categories": ["cat,,,Tests,1"],
    "lineItems": ["sheet,,,Sheet,,2026-09-01,2026-09-08,class-north,cat,term,0,100,north"],
    "results": [
        'r1,,,sheet,s000,fully graded,"77,25",2026-09-08,Careless,,,,,,',
        "r2,,,sheet,s002,fully graded,eighty-one,2026-09-08,,,,,,,",
    ],
}


def with_grades(*names: str) -> Roster:
    """A district with these files of its gradebook, one score of which is repaired and one refused."""
    roster = a_roster()
    for name in names:
        roster.files[name] = [",".join(column.name for column in READ["1.2"][name].columns), *GRADES[name]]
        roster.manifest = [line.replace(f"file.{name},absent", f"file.{name},bulk") for line in roster.manifest]
    return roster


async def loaded(roster: RosterService, files: Roster, caller: Caller, **options: str) -> UUID:
    async def body() -> AsyncIterator[bytes]:
        yield files.zip()

    import_id = await roster.imports.stage(caller, "roster", body(), True, None, options)
    await roster.imports.advance(import_id, DISTRICT)
    return import_id


async def told(roster: RosterService, import_id: UUID, caller: Caller) -> list[str]:
    """All that can be read of an import, by each way to read it."""
    report, page = [
        await roster.client.get(f"/imports/{import_id}{part}", caller, **how)
        for part, how in (("", {}), ("/findings", {"first": 100}))
    ]
    async with roster.client.stream("GET", f"/imports/{import_id}/findings.csv", caller) as answer:
        table = (await answer.aread()).decode()
    return [str(report), str(page), table]


@pytest.fixture
async def graded(roster: RosterService) -> UUID:
    """An import of somebody else's, with what was found in its results, and in its users."""
    files = with_grades(*GRADES).put("users", "s004,,,true", "s004,,,perhaps")
    return await loaded(roster, files, a_caller())


async def test_results_in_findings_are_told_to_others_alone(roster: RosterService, graded: UUID) -> None:
    for way in await told(roster, graded, a_caller()):
        assert all(one in way for one in ("77,25", "eighty-one", "perhaps"))

    for way in await told(roster, graded, AUDITOR):
        assert not any(one in way for one in TELLTALES)
        assert "results.csv" in way
        assert "perhaps" in way


@pytest.mark.parametrize("name", ["categories", "results"])
async def test_an_archive_with_a_gradebook_is_refused_whole(roster: RosterService, name: str) -> None:
    import_id = await loaded(roster, with_grades(name), AUDITOR)

    report = await roster.report(import_id)
    assert report.state == "refused"
    assert [(one.file, one.rule) for one in report.problems] == [(f"{name}.csv", "accountability")]
    assert await roster.look("SELECT FROM people") == []


async def test_an_archive_without_one_is_taken_and_may_be_decided_about(roster: RosterService) -> None:
    import_id = await loaded(roster, a_roster(), AUDITOR, dry_run="true")

    await roster.client.send(f"/imports/{import_id}:apply", {}, AUDITOR)
    await roster.imports.advance(import_id, DISTRICT)

    assert (await roster.report(import_id)).state == "applied"


@pytest.mark.parametrize("decision", ["approve", "reject", "apply", "undo"])
async def test_nothing_is_decided_about_what_others_sent(roster: RosterService, graded: UUID, decision: str) -> None:
    with pytest.raises(Forbidden):
        await roster.client.send(f"/imports/{graded}:{decision}", {}, AUDITOR)

    state: dict[str, Any] = await roster.client.get(f"/imports/{graded}", AUDITOR)
    assert (state["state"], state["approved_by"], state["undone_by"]) == ("applied", None, None)
