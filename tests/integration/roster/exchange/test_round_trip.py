"""What is exported and imported again: nothing changes where it came from, and elsewhere the same district appears."""

import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from deploy.cli.demo import write_demo
from services.roster import api
from services.roster.domain.columns import Version
from services.roster.domain.layout import NAMES, READ
from shared.http import build_app
from shared.imports import Report
from tests.integration.roster.archives import Roster, a_roster, an_old_roster
from tests.integration.roster.conftest import DISTRICT, OTHER_DISTRICT, TOKENS, RosterService, a_caller
from tests.integration.roster.exchange.conftest import Exported

REAL = Path(__file__).parents[5] / "shared" / "data" / "oneroster"
needs_real_files = pytest.mark.skipif(not REAL.exists(), reason="the real files are not here")


A_SHEET = {
    "title": "Fractions", "class": {"sourcedId": "class-north"}, "school": {"sourcedId": "north"},
    "category": {"sourcedId": "homework"},
}  # fmt: skip


class Traveller:
    """Exports from one district, and imports into any."""

    def __init__(self, roster: RosterService) -> None:
        self.roster = roster
        app = build_app(name="roster", database=roster.database, tokens=TOKENS, routers=[api.router])
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://roster")

    async def export(self, district: UUID = DISTRICT, **params: str) -> Exported:
        headers = {"authorization": f"Bearer {TOKENS.sign(a_caller(district))}"}
        answer = await self.http.get("/exports/roster", headers=headers, params=params)
        assert answer.status_code == 200, answer.text
        return Exported(answer.content, answer.headers)

    async def get(self, path: str) -> Any:
        """What OneRoster's REST tells."""
        answer = await self.http.get(f"/ims/oneroster/{path}", headers=self._headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def put(self, path: str, said: dict[str, Any]) -> None:
        """Write to the gradebook as a system beside the district's would."""
        kind = {"categories": "category", "lineItems": "lineItem"}[path.split("/")[0]]
        where = f"/ims/oneroster/gradebook/v1p2/{path}"
        answer = await self.http.put(where, headers=self._headers, json={kind: said})
        assert answer.status_code == 201, answer.text

    @property
    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {TOKENS.sign(a_caller())}", "x-public-url": "https://roster.example.org"}

    async def changes_nothing(self, archive: Exported, district: UUID = DISTRICT) -> Report:
        report = await self.roster.load(archive.content, district=district)
        assert (report.state, [one.model_dump() for one in report.problems]) == ("applied", [])
        assert {name: report.counts[name] for name in ("added", "changed", "refused")} == {
            "added": 0, "changed": 0, "refused": 0,
        }  # fmt: skip
        assert report.counts["unchanged"] > 0
        return report


def everything(archive: Exported, version: Version = "1.2") -> dict[str, Any]:
    """What an archive says, whatever the order."""
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        there = {name.removesuffix(".csv") for name in opened.namelist()} - {"manifest"}
    said: dict[str, Any] = {name: sorted(archive.rows(name), key=lambda row: row["sourcedId"]) for name in there}
    return said | {"manifest": archive.manifest, "known": set(READ[version]) >= there}


@pytest.fixture
async def traveller(roster: RosterService) -> AsyncIterator[Traveller]:
    made = Traveller(roster)
    yield made
    await made.http.aclose()


async def loaded(traveller: Traveller, archive: bytes) -> None:
    report = await traveller.roster.load(archive)
    assert report.state == "applied", report


def difficult(roster: Roster) -> Roster:
    """With whatever makes cells difficult."""
    roster.put("users", "Given1,", '"=HYPERLINK(""x"")",').put("users", "Given2,", "'=1,").put("users", "Given3,", "-,")
    roster.put("users", "Family004", '"Family, ""the"" 4th"').put("users", "Family005", "Zoë 🎒")
    roster.put("orgs", "555-0100", "+1 555-0100").put("courses", "Mathematics 4", "@home")
    return roster


class TestSameDistrict:
    @pytest.mark.parametrize("version", ["1.1", "1.2"])
    async def test_nothing_changes(self, traveller: Traveller, version: str) -> None:
        await loaded(traveller, (a_roster() if version == "1.2" else an_old_roster()).zip())

        await traveller.changes_nothing(await traveller.export(version=version))

    async def test_difficult_cells_stay_what_they_are(self, traveller: Traveller) -> None:
        await loaded(traveller, difficult(a_roster()).zip())

        report = await traveller.changes_nothing(await traveller.export())

        assert report.repair_count == 0
        names = await traveller.roster.look("SELECT given_name FROM people WHERE username IN ('s001', 's002', 's003')")
        assert {row["given_name"] for row in names} == {'=HYPERLINK("x")', "=1", "-"}

    async def test_the_demonstration_district_with_its_gradebook_stays_what_it_is(
        self, traveller: Traveller, tmp_path: Path
    ) -> None:
        await loaded(traveller, write_demo(tmp_path, 200, 1).roster.read_bytes())

        report = await traveller.changes_nothing(await traveller.export())

        assert report.repair_count == 0

    @pytest.mark.parametrize("version", ["1.1", "1.2"])
    @pytest.mark.parametrize(
        "session",
        [
            {"gradingPeriod": "term"},
            {"academicSession": "year"},
            {"gradingPeriod": "term", "academicSession": "year"},
        ],
    )
    async def test_what_the_files_say_in_fewer_words_stays_as_it_was_written(
        self, traveller: Traveller, version: str, session: dict[str, str]
    ) -> None:
        await loaded(traveller, (a_roster() if version == "1.2" else an_old_roster()).zip())
        await traveller.put("categories/homework", {"title": "Homework"})
        sessions = {name: {"sourcedId": one} for name, one in session.items()}
        days = {"assignDate": "2026-09-01T08:15:00.000Z", "dueDate": "2026-09-08T14:30:00.000Z"}
        await traveller.put(
            "lineItems/sheet", {**A_SHEET, **days, **sessions, "resultValueMin": 0, "resultValueMax": 9}
        )
        before = await traveller.get("gradebook/v1p2/lineItems/sheet")

        await traveller.changes_nothing(await traveller.export(version=version))

        assert await traveller.get("gradebook/v1p2/lineItems/sheet") == before
        assert before["lineItem"]["dueDate"] == days["dueDate"]

    async def test_what_rest_need_not_say_is_not_asked_of_files(self, traveller: Traveller) -> None:
        await loaded(traveller, a_roster().zip())
        await traveller.put("categories/homework", {"title": "Homework", "weight": 1e-7})
        days = {"assignDate": "2026-09-01T08:15:00.000Z", "dueDate": "2026-09-08T14:30:00.000Z"}
        await traveller.put("lineItems/sheet", {**A_SHEET, **days})

        report = await traveller.changes_nothing(await traveller.export())

        assert {(one.file, one.column, one.rule) for one in report.repairs} == {
            ("categories.csv", "weight", "number"), ("lineItems.csv", "academicSessionSourcedId", "required")
        }  # fmt: skip

    async def test_another_day_and_another_session_are_taken_from_the_file(self, traveller: Traveller) -> None:
        await loaded(traveller, a_roster().zip())
        await traveller.put("categories/homework", {"title": "Homework"})
        days = {"assignDate": "2026-09-01T08:15:00.000Z", "dueDate": "2026-09-08T14:30:00.000Z"}
        await traveller.put("lineItems/sheet", {**A_SHEET, **days, "gradingPeriod": {"sourcedId": "term"}})
        archive = await traveller.export()

        changed = archive.having("lineItems", "2026-09-08", "2026-09-09").having("lineItems", "term", "year")
        await loaded(traveller, changed.content)

        found = (await traveller.get("gradebook/v1p2/lineItems/sheet"))["lineItem"]
        assert (found["assignDate"], found["dueDate"]) == (days["assignDate"], "2026-09-09T00:00:00.000Z")
        assert (found["academicSession"]["sourcedId"], "gradingPeriod" in found) == ("year", False)

    @needs_real_files
    @pytest.mark.parametrize(("name", "version"), [("Test_full_data_set.zip", "1.1"), ("v1p2_full_dataset.zip", "1.2")])
    async def test_of_real_files_only_what_belongs_to_something_gone_is_left_out(
        self, traveller: Traveller, name: str, version: str
    ) -> None:
        await loaded(traveller, (REAL / name).read_bytes())
        stray = await traveller.roster.look("""
            SELECT e.sourced_id FROM enrollments e JOIN classes c ON c.id = e.class_id
            WHERE e.status = 'active' AND c.status <> 'active'
        """)

        report = await traveller.roster.load((await traveller.export(version=version)).content)

        assert (report.state, report.problem_count, report.counts["added"]) == ("applied", 0, 0)
        ended = await traveller.roster.look(
            "SELECT sourced_id FROM enrollments WHERE until = (SELECT max(number) FROM revisions)"
        )
        assert {row["sourced_id"] for row in ended} == {row["sourced_id"] for row in stray}
        assert report.counts["changed"] == len(stray) > 0
        await traveller.changes_nothing(await traveller.export(version=version))

    async def test_a_delta_says_nothing_new_to_where_it_came_from(self, traveller: Traveller) -> None:
        await loaded(traveller, a_roster().zip())
        first = await traveller.export()
        await loaded(traveller, a_roster().put("users", "Given3,", "Ada,").drop("enrollments", "e-s004,").zip())

        delta = await traveller.export(since=first.revision)

        assert {"users", "enrollments"} <= delta.modes("delta")
        assert delta.row("enrollments", "e-s004")["status"] == "tobedeleted"
        await traveller.changes_nothing(delta)


class TestOtherDistrict:
    async def test_the_same_district_appears(self, traveller: Traveller, tmp_path: Path) -> None:
        await loaded(traveller, write_demo(tmp_path, 100, 2).roster.read_bytes())
        first = await traveller.export()

        await traveller.roster.load(first.content, district=OTHER_DISTRICT)

        assert first.modes("bulk") == NAMES["1.2"]
        assert all(everything(first)[name] for name in NAMES["1.2"])
        assert everything(await traveller.export(OTHER_DISTRICT)) == everything(first)

    async def test_in_1_1_it_arrives_too_and_from_then_on_stays_what_it_is(
        self, traveller: Traveller, tmp_path: Path
    ) -> None:
        await loaded(traveller, write_demo(tmp_path, 60, 3).roster.read_bytes())
        old = await traveller.export(version="1.1")

        report = await traveller.roster.load(old.content, district=OTHER_DISTRICT)

        assert (report.state, report.problems, report.repairs) == ("applied", [], [])
        await traveller.changes_nothing(await traveller.export(OTHER_DISTRICT, version="1.1"), OTHER_DISTRICT)

    async def test_difficult_cells_arrive_as_they_are(self, traveller: Traveller) -> None:
        await loaded(traveller, difficult(a_roster()).zip())
        first = await traveller.export()

        await traveller.roster.load(first.content, district=OTHER_DISTRICT)

        assert everything(await traveller.export(OTHER_DISTRICT)) == everything(first)

    async def test_a_copy_is_kept_up_by_deltas(self, traveller: Traveller) -> None:
        await loaded(traveller, a_roster().zip())
        first = await traveller.export()
        await traveller.roster.load(first.content, district=OTHER_DISTRICT)
        changed = a_roster(32).put("users", "Given3,", "Ada,").drop("enrollments", "e-s004,").drop("roles", "r-s004,")
        await loaded(traveller, changed.zip())

        delta = await traveller.export(since=first.revision)
        report = await traveller.roster.load(delta.content, district=OTHER_DISTRICT)

        assert report.state == "applied", report
        assert everything(await traveller.export(OTHER_DISTRICT)) == everything(await traveller.export())
