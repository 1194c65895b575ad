"""What is pulled from another system, taken in by the roster."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.door import Report
from deploy.cli.roster import memory
from deploy.cli.roster.config import read_config
from deploy.cli.roster.pull import Pull, Pulled, pull
from shared.imports import Report as ImportReport
from tests.integration.roster.conftest import RosterService
from tests.unit.cli.roster.district import NEW, a_district, a_district_of_1_1, a_role
from tests.unit.cli.roster.misbehaving import CLIENT, SECRET, Misbehaving, serving

CHILDREN = {"1.1": a_district_of_1_1, "1.2": a_district}


class Puller:
    """Pulls from a provider into the roster, as the command does with a platform between."""

    def __init__(self, roster: RosterService, folder: Path, provider: Misbehaving) -> None:
        self.roster = roster
        self.provider = provider
        self.reports: list[ImportReport] = []
        self._folder = folder

    async def pull(self) -> Pulled:
        file = self._folder / "provider.toml"
        file.write_text(
            f'url = "{self.provider.url}"\nversion = "{self.provider.version}"\n'
            f'token_url = "{self.provider.url}/oauth2/token"\nclient_id = "{CLIENT}"\nsecret_env = "SIS_SECRET"\n'
        )
        with memory.opened(self._folder / "provider.pulls", "the provider") as known:
            how = Pull(read_config(file), known, self._folder, lambda *_: None, pause=0.001)
            pulled, _ = await pull(how, self._load, full=False, dry_run=False)
        return pulled

    async def _load(self, archive: Path) -> Report:
        self.reports.append(await self.roster.load(await asyncio.to_thread(archive.read_bytes)))
        return self.reports[-1].model_dump()

    async def active(self, table: str) -> set[str]:
        rows = await self.roster.look(f"SELECT sourced_id FROM {table} WHERE status = 'active'")
        return {row["sourced_id"] for row in rows}


@pytest.fixture
async def pullers(roster: RosterService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    monkeypatch.setenv("SIS_SECRET", SECRET)
    async with AsyncExitStack() as stack:

        async def made(version: str) -> Puller:
            provider = Misbehaving(version=version, objects=CHILDREN[version]())
            return Puller(roster, tmp_path, await stack.enter_async_context(serving(provider)))

        yield made


@pytest.mark.parametrize("version", ["1.1", "1.2"])
class TestPulled:
    async def test_a_whole_district_is_taken_in_without_a_repair(self, pullers: Any, version: str) -> None:
        puller = await pullers(version)

        await puller.pull()

        [report] = puller.reports
        assert report.state == "applied", report
        assert (report.problems, report.repairs) == ([], [])
        assert await puller.active("enrollments") == {"e1", "e2"}
        assert await puller.active("results") == {"r"}
        assert await puller.active("class_resources") != set()

    async def test_the_same_again_in_full_changes_nothing(self, pullers: Any, version: str) -> None:
        puller = await pullers(version)
        await puller.pull()
        puller.provider.ignores_filter = True

        again = await puller.pull()

        assert again.mode == "full"
        counts = puller.reports[1].counts
        assert (counts["added"], counts["changed"]) == (0, 0)

    async def test_changes_come_and_what_is_gone_goes(self, pullers: Any, version: str) -> None:
        puller = await pullers(version)
        await puller.pull()
        objects = puller.provider.objects
        objects["users"][1] |= {"dateLastModified": NEW, "givenName": "Augusta"}
        objects["enrollments"][0] |= {"dateLastModified": NEW, "status": "tobedeleted"}
        objects["classes"][0] |= {"dateLastModified": NEW, "resources": []}

        changes = await puller.pull()

        assert changes.mode == "delta"
        report = puller.reports[1]
        assert (report.state, report.problems, report.repairs) == ("applied", [], [])
        assert await puller.active("enrollments") == {"e2"}
        assert await puller.active("class_resources") == set()
        assert await puller.active("course_resources") != set()
        [ada] = await puller.roster.look("SELECT given_name FROM people WHERE sourced_id = 'ada'")
        assert ada == {"given_name": "Augusta"}


async def test_a_class_whose_type_the_provider_does_not_say_is_taken_in(pullers: Any) -> None:
    puller = await pullers("1.2")
    del puller.provider.objects["classes"][0]["classType"]

    await puller.pull()

    [report] = puller.reports
    assert (report.state, report.problems) == ("applied", [])
    assert [(one.column, one.rule) for one in report.repairs] == [("classType", "required")]
    assert await puller.roster.look("SELECT class_type FROM classes") == [{"class_type": None}]


async def test_a_role_that_is_no_more_ends_and_the_others_stay(pullers: Any) -> None:
    puller = await pullers("1.2")
    await puller.pull()
    before = await puller.active("roles")
    puller.provider.objects["users"][1] |= {
        "dateLastModified": NEW, "roles": [a_role("student", beginDate="2025-09-01", endDate="2026-06-30")],
    }  # fmt: skip

    await puller.pull()

    assert puller.reports[1].state == "applied", puller.reports[1]
    assert len(before) == 3
    assert len(await puller.active("roles")) == 2
