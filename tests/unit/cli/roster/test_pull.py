"""A pull from another OneRoster system: what it reads, the archive it makes, and what it remembers."""

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.door import Report
from deploy.cli.roster import memory
from deploy.cli.roster.collections import COLLECTIONS
from deploy.cli.roster.config import read_config
from deploy.cli.roster.memory import Memory
from deploy.cli.roster.objects import FILES
from deploy.cli.roster.provider import PullStopped
from deploy.cli.roster.pull import Pull, Pulled, pull
from services.roster.domain.layout import NAMES, READ
from tests.unit.cli.roster.district import NEW, a_district, a_district_of_1_1, a_role, a_user, an_object
from tests.unit.cli.roster.misbehaving import CLIENT, SECRET, Misbehaving, serving

Row = dict[str, str]


class Archive:
    """What is in an archive."""

    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as opened:
            self.text = {name: opened.read(name).decode() for name in opened.namelist()}
        self.manifest = {row["propertyName"]: row["value"] for row in self.rows("manifest")}

    def rows(self, file: str) -> list[Row]:
        return list(csv.DictReader(io.StringIO(self.text[f"{file}.csv"], newline="")))

    def row(self, file: str, sourced_id: str) -> Row:
        [found] = [row for row in self.rows(file) if row["sourcedId"] == sourced_id]
        return found

    def modes(self, mode: str) -> set[str]:
        return {name.removeprefix("file.") for name, value in self.manifest.items() if value == mode}


class Puller:
    """Pulls from one provider, again and again, with one memory; the platform says what it is told to say."""

    def __init__(self, folder: Path, provider: Misbehaving) -> None:
        self.folder = folder
        self.provider = provider
        self.state = "applied"
        self.loaded: list[Archive] = []

    async def pull(self, *, full: bool = False, dry_run: bool = False, more: str = "") -> Pulled:
        file = self.folder / "provider.toml"
        file.write_text(
            f'url = "{self.provider.url}"\nversion = "{self.provider.version}"\n'
            f'token_url = "{self.provider.url}/oauth2/token"\nclient_id = "{CLIENT}"\nsecret_env = "SIS_SECRET"\n{more}'
        )
        with memory.opened(self.folder / "provider.pulls", "the provider") as known:
            how = Pull(read_config(file), known, self.folder, lambda *_: None, pause=0.001)
            pulled, _ = await pull(how, self._load, full=full, dry_run=dry_run)
        return pulled

    async def _load(self, archive: Path) -> Report:
        self.loaded.append(Archive(archive))
        return {"state": self.state}


@pytest.fixture
async def puller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SIS_SECRET", SECRET)
    async with serving(Misbehaving(objects=a_district())) as provider:
        yield Puller(tmp_path, provider)


@pytest.fixture
async def puller_of_1_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SIS_SECRET", SECRET)
    async with serving(Misbehaving(version="1.1", objects=a_district_of_1_1())) as provider:
        yield Puller(tmp_path, provider)


class TestFiles:
    @pytest.mark.parametrize("version", ["1.1", "1.2"])
    def test_every_file_of_the_standard_has_a_source(self, version: Any) -> None:
        files = {file for collection in COLLECTIONS[version] for file in collection.files}

        assert files == set(FILES[version]) == NAMES[version]

    @pytest.mark.parametrize("version", ["1.1", "1.2"])
    def test_columns_are_those_that_the_roster_reads_in_the_same_order(self, version: Any) -> None:
        # Corrected editions of 1.2 have no resourceSourcedIds in users.csv: userResources.csv says it.
        for name, file in READ[version].items():
            assert ["sourcedId", "status", "dateLastModified", *FILES[version][name]] == [
                column.name for column in file.columns if column.name != "resourceSourcedIds"
            ]

    async def test_a_whole_district_becomes_a_bulk_archive(self, puller: Puller) -> None:
        await puller.pull()

        [archive] = puller.loaded
        assert archive.manifest["oneroster.version"] == "1.2"
        assert archive.modes("bulk") == NAMES["1.2"]
        assert {row["status"] + row["dateLastModified"] for file in NAMES["1.2"] for row in archive.rows(file)} == {""}

    async def test_rest_names_become_csv_names(self, puller: Puller) -> None:
        await puller.pull()

        [archive] = puller.loaded
        ada = archive.row("users", "ada")
        assert (ada["preferredGivenName"], ada["preferredFamilyName"], ada["pronouns"]) == ("Addie", "L.", "she/her")
        assert (ada["agentSourcedIds"], ada["primaryOrgSourcedId"], ada["grades"]) == ("teacher", "s1", "09")
        assert (ada["userIds"], ada["enabledUser"]) == ("{LDAP:ada},{state:9}", "true")
        line_item = archive.row("lineItems", "li")
        assert (line_item["assignDate"], line_item["dueDate"]) == ("2026-01-10", "2026-01-20")
        assert (line_item["academicSessionSourcedId"], line_item["resultValueMax"]) == ("t", "12.5")
        assert archive.row("scoreScales", "scale")["scoreScaleValue"] == "{90-100:A},{0-89:B}"
        assert archive.row("results", "r")["scoreDate"] == "2026-01-21"
        assert archive.row("categories", "cat")["weight"] == "40"
        assert archive.row("classes", "c")["termSourcedIds"] == "t,y"
        assert archive.row("enrollments", "e1")["primary"] == "false"
        assert archive.row("orgs", "s1")["parentSourcedId"] == "d1"
        assert archive.row("academicSessions", "t")["schoolYear"] == "2026"

    async def test_what_objects_carry_becomes_rows_of_other_files(self, puller: Puller) -> None:
        await puller.pull()

        [archive] = puller.loaded
        roles = [(row["userSourcedId"], row["role"], row["orgSourcedId"]) for row in archive.rows("roles")]
        assert roles == [("teacher", "teacher", "s1"), ("ada", "student", "s1"), ("ada", "aide", "d1")]
        assert archive.rows("roles")[1]["userProfileSourcedId"] == "https://lms.example/ada"
        profiles = archive.rows("userProfiles")
        assert [(row["credentialType"], row["username"]) for row in profiles] == [
            ("password", "ada"), ("sso", "ada@lms"),
        ]  # fmt: skip
        assert profiles[0]["sourcedId"] == "https://lms.example/ada" != profiles[1]["sourcedId"]
        for file, parent in (("userResources", "user"), ("classResources", "class"), ("courseResources", "course")):
            [row] = archive.rows(file)
            assert (row[f"{parent}SourcedId"], row["resourceSourcedId"]) in {
                ("ada", "book"),
                ("c", "book"),
                ("co", "book"),
            }
        assert [row["learningObjectiveId"] for row in archive.rows("lineItemLearningObjectiveIds")] == ["o1", "o2"]
        assert [(row["score"], row["textScore"]) for row in archive.rows("resultLearningObjectiveIds")] == [
            ("3", ""), ("", "ok"),
        ]  # fmt: skip
        assert archive.rows("lineItemScoreScales")[0]["scoreScaleSourcedId"] == "scale"
        assert archive.rows("resultScoreScales")[0]["resultSourcedId"] == "r"

    async def test_metadata_becomes_columns_wherever_it_turns_up(self, puller: Puller) -> None:
        await puller.pull()

        [archive] = puller.loaded
        [district, school] = archive.rows("orgs")
        assert district["metadata.sector"] == ""
        assert (school["metadata.sector"], school["metadata.open"]) == ("charter", "true")
        assert (school["metadata.lunch"], school["name"]) == ('{"hot": 1}', 'Lincoln "High", upper')

    async def test_passwords_stay_with_the_provider(self, puller: Puller) -> None:
        await puller.pull()

        [archive] = puller.loaded
        assert "password" in archive.text["users.csv"].splitlines()[0]
        assert not any("never to be kept" in text or ",secret," in text for text in archive.text.values())

    async def test_a_provider_of_1_1_becomes_an_archive_of_1_1(self, puller_of_1_1: Puller) -> None:
        await puller_of_1_1.pull()

        [archive] = puller_of_1_1.loaded
        assert archive.manifest["oneroster.version"] == "1.1"
        assert archive.modes("bulk") == NAMES["1.1"]
        assert (archive.row("users", "boss")["role"], archive.row("users", "boss")["enabledUser"]) == (
            "administrator", "true",
        )  # fmt: skip
        assert archive.row("users", "ada")["orgSourcedIds"] == "s1,d1"
        assert archive.row("lineItems", "li")["gradingPeriodSourcedId"] == "t"

    async def test_in_1_1_a_result_without_a_score_is_left_out_and_said(self, puller_of_1_1: Puller) -> None:
        puller_of_1_1.provider.objects["results"][0].pop("score")

        pulled = await puller_of_1_1.pull()

        assert puller_of_1_1.loaded[0].rows("results") == []
        assert "results: 1 have no score, which CSV requires, and were left out." in pulled.notes

    async def test_the_same_provider_gives_the_same_archive(self, puller: Puller) -> None:
        await puller.pull(full=True)
        await puller.pull(full=True)

        first, second = puller.loaded
        assert first.text == second.text


class TestWhatIsNotThere:
    async def test_what_is_not_granted_is_absent_and_said(self, puller: Puller) -> None:
        puller.provider.refused = {"demographics": 403, "users": 401, "scoreScales": 404}

        pulled = await puller.pull()

        [archive] = puller.loaded
        assert archive.modes("absent") == {
            "demographics", "users", "roles", "userProfiles", "userResources", "scoreScales",
        }  # fmt: skip
        assert set(pulled.absent) == {"demographics", "users", "scoreScales"}
        assert "users.csv" not in archive.text

    async def test_an_empty_collection_is_a_file_without_rows(self, puller: Puller) -> None:
        puller.provider.objects["categories"] = []

        await puller.pull()

        [archive] = puller.loaded
        assert "categories" in archive.modes("bulk")
        assert archive.rows("categories") == []

    async def test_what_no_object_speaks_of_is_absent(self, puller: Puller) -> None:
        for user in puller.provider.objects["users"]:
            user.pop("userProfiles", None)

        await puller.pull()

        [archive] = puller.loaded
        assert "userProfiles" in archive.modes("absent")

    async def test_what_objects_used_to_speak_of_is_empty(self, puller: Puller) -> None:
        await puller.pull()
        puller.provider.objects["users"][1].pop("userProfiles")

        await puller.pull(full=True)

        assert "userProfiles" in puller.loaded[1].modes("bulk")
        assert puller.loaded[1].rows("userProfiles") == []

    async def test_a_client_that_is_granted_nothing_loads_nothing(self, puller: Puller) -> None:
        puller.provider.refused = {one.name: 403 for one in COLLECTIONS["1.2"]}

        with pytest.raises(PullStopped, match="gives nothing to this client"):
            await puller.pull()

        assert puller.loaded == []

    async def test_what_breaks_in_the_middle_loads_nothing(self, puller: Puller) -> None:
        puller.provider.refused = {"orgs": 500}

        with pytest.raises(PullStopped, match="answered 500"):
            await puller.pull()

        assert puller.loaded == []

    async def test_what_is_marked_as_deleted_is_no_part_of_a_bulk(self, puller: Puller) -> None:
        puller.provider.objects["enrollments"][0]["status"] = "tobedeleted"

        pulled = await puller.pull()

        assert [row["sourcedId"] for row in puller.loaded[0].rows("enrollments")] == ["e2"]
        assert any("1 are marked as deleted" in note for note in pulled.notes)

    async def test_only_the_collections_that_are_named_are_asked_for(self, puller: Puller) -> None:
        await puller.pull(more='collections = ["orgs"]\n')

        assert {path.rpartition("/")[2] for path, _ in puller.provider.asked} == {"orgs"}
        assert puller.loaded[0].modes("bulk") == {"orgs"}


class TestDelta:
    async def test_the_first_pull_is_full_and_the_next_asks_for_changes(self, puller: Puller) -> None:
        first = await puller.pull()
        puller.provider.objects["orgs"][1] |= {"name": "Renamed", "dateLastModified": NEW}

        second = await puller.pull()

        assert (first.mode, second.mode) == ("full", "delta")
        archive = puller.loaded[1]
        assert archive.modes("delta") == {"orgs"}
        [row] = archive.rows("orgs")
        assert (row["sourcedId"], row["status"], row["dateLastModified"]) == ("s1", "active", NEW)

    async def test_what_went_is_said_to_be_gone(self, puller: Puller) -> None:
        await puller.pull()
        puller.provider.objects["enrollments"][0] |= {"status": "tobedeleted", "dateLastModified": NEW}

        await puller.pull()

        assert puller.loaded[1].row("enrollments", "e1")["status"] == "tobedeleted"

    async def test_a_role_that_a_user_has_no_more_ends(self, puller: Puller) -> None:
        await puller.pull()
        puller.provider.objects["users"][1] |= {
            "dateLastModified": NEW,
            "roles": [a_role("student", beginDate="2025-09-01"), a_role("proctor", "s1", "secondary")],
        }

        await puller.pull()

        roles = {row["role"]: (row["status"], row["orgSourcedId"]) for row in puller.loaded[1].rows("roles")}
        assert roles == {
            "student": ("active", "s1"), "proctor": ("active", "s1"), "aide": ("tobedeleted", "d1"),
        }  # fmt: skip

    async def test_whoever_goes_takes_along_what_they_carried(self, puller: Puller) -> None:
        await puller.pull()
        puller.provider.objects["users"][1] |= {"status": "tobedeleted", "dateLastModified": NEW}

        await puller.pull()

        gone = puller.loaded[1]
        for file in ("roles", "userProfiles", "userResources"):
            assert {row["status"] for row in gone.rows(file)} == {"tobedeleted"}
        assert len(gone.rows("roles")) == 2

    async def test_nothing_changed_loads_nothing_and_counts_as_accepted(self, puller: Puller) -> None:
        await puller.pull()

        again = await puller.pull()

        assert (again.mode, len(puller.loaded)) == ("delta", 1)
        assert (await puller.pull()).mode == "delta"

    @pytest.mark.parametrize("state", ["refused", "held", "failed"])
    async def test_a_pull_that_was_not_accepted_is_followed_by_a_full_one(self, puller: Puller, state: str) -> None:
        await puller.pull()
        puller.provider.objects["orgs"][1]["dateLastModified"] = NEW
        puller.state = state
        await puller.pull()
        puller.state = "applied"

        after = await puller.pull()

        assert after.mode == "full"

    async def test_a_pull_that_loaded_nothing_leaves_the_one_before_in_force(self, puller: Puller) -> None:
        await puller.pull()
        puller.provider.refused = {"orgs": 500}
        with pytest.raises(PullStopped):
            await puller.pull()
        puller.provider.refused = {}

        after = await puller.pull()

        assert after.mode == "delta"

    async def test_a_dry_run_is_forgotten(self, puller: Puller) -> None:
        puller.state = "reported"
        await puller.pull(dry_run=True)

        after = await puller.pull()

        assert after.mode == "full"

    async def test_what_is_granted_later_comes_whole_beside_the_changes(self, puller: Puller) -> None:
        puller.provider.refused = {"demographics": 403}
        await puller.pull()
        puller.provider.refused = {}
        puller.provider.objects["orgs"][1]["dateLastModified"] = NEW

        await puller.pull()

        assert puller.loaded[1].modes("delta") == {"orgs"}
        assert puller.loaded[1].modes("bulk") == {"demographics"}

    async def test_a_provider_that_knows_no_changes_is_read_in_full(self, puller: Puller) -> None:
        await puller.pull()
        puller.provider.ignores_filter = True

        after = await puller.pull()

        assert after.mode == "full"
        assert puller.loaded[1].text == puller.loaded[0].text
        assert any("does not filter" in note for note in after.notes)

    async def test_a_set_that_changed_while_it_was_read_leaves_no_trace_of_the_first_try(self, puller: Puller) -> None:
        puller.provider.objects["users"] = [a_user(f"u{nth}", a_role("student")) for nth in range(30)]

        def one_goes(pages: int) -> None:
            path, _ = puller.provider.asked[-1]
            if path.endswith("/users") and len(puller.provider.objects["users"]) == 30:
                puller.provider.objects["users"].pop(0)

        puller.provider.after_page = one_goes

        await puller.pull(more="limit = 10\n")

        [archive] = puller.loaded
        assert [row["userSourcedId"] for row in archive.rows("roles")] == [f"u{nth}" for nth in range(1, 30)]

    async def test_an_object_without_a_time_is_given_one(self, puller: Puller) -> None:
        await puller.pull()
        new = an_object("s9", name="New", type="school", identifier="9", dateLastModified="")
        puller.provider.objects["orgs"].append(new)
        puller.provider.ignores_filter = True
        puller.provider.objects = {"orgs": [new]}

        await puller.pull(more='collections = ["orgs"]\n')

        assert puller.loaded[1].row("orgs", "s9")["dateLastModified"] > "2026-"


def test_two_pulls_from_one_provider_do_not_run_at_once(tmp_path: Path) -> None:
    with memory.opened(tmp_path / "a.pulls", "p") as first:
        assert isinstance(first, Memory)

        with pytest.raises(Exception, match="another pull"), memory.opened(tmp_path / "a.pulls", "p"):
            pass
