"""The roster as OneRoster files: whole, and what changed."""

import asyncio
import zipfile
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest

from services.roster.domain.layout import NAMES, READ
from services.roster.store import exporting, revisions
from shared.auth import SCOPES, Caller, Purpose
from tests.integration.oneroster.district import OTHER, an_id
from tests.integration.roster.exchange.conftest import TOKENS, Exports, a_caller

_BEYOND = ("9999-12-31T23:59:59-10:00", "0001-01-01T00:00:00+10:00")
"""Times that are no times at Greenwich."""


class TestWhole:
    @pytest.mark.parametrize("version", ["1.1", "1.2"])
    async def test_every_file_of_the_version_is_in_the_manifest_and_what_there_is_in_the_archive(
        self, exports: Exports, version: Any
    ) -> None:
        archive = await exports.export(version=version)

        assert archive.manifest["oneroster.version"] == version
        assert archive.modes("bulk") == NAMES[version]

    @pytest.mark.parametrize("version", ["1.1", "1.2"])
    async def test_headers_are_those_of_the_standard_in_its_order(self, exports: Exports, version: Any) -> None:
        archive = await exports.export(version=version)

        for name, file in READ[version].items():
            columns = archive.text(name).splitlines()[0].split(",")
            assert [one for one in columns if not one.startswith("metadata.")] == [one.name for one in file.columns]

    async def test_a_bulk_says_neither_status_nor_time(self, exports: Exports) -> None:
        archive = await exports.export()

        assert {row["status"] + row["dateLastModified"] for name in NAMES["1.2"] for row in archive.rows(name)} == {""}

    async def test_cells_are_written_as_the_standard_writes_them(self, exports: Exports) -> None:
        archive = await exports.export()

        student = archive.row("users", "north-s0")
        assert (student["enabledUser"], student["userIds"], student["agentSourcedIds"]) == (
            "true", "{LDAP:abc}", "north-g",
        )  # fmt: skip
        assert archive.row("demographics", "north-s0")["birthDate"] == "2014-02-03"
        assert (archive.row("demographics", "north-s0")["white"], archive.row("demographics", "north-s0")["asian"]) == (
            "true", "false",
        )  # fmt: skip
        section = archive.row("classes", "north-7a")
        assert (section["grades"], section["termSourcedIds"], section["courseSourcedId"]) == ("07,08", "fall", "math")
        assert archive.row("academicSessions", "q1")["parentSourcedId"] == "fall"
        assert archive.row("lineItems", "sheet")["assignDate"] == "2026-09-01"
        assert archive.row("lineItems", "sheet")["resultValueMax"] == "12.5"
        assert archive.row("scoreScales", "letters")["scoreScaleValue"] == "{90-100:A},{0-89:B}"
        assert (archive.row("results", "r")["comment"], archive.row("results", "r")["late"]) == ("well, done", "true")
        assert archive.row("resources", "book")["roles"] == "student,teacher"

    async def test_in_1_1_a_user_has_one_role_and_its_organisations(self, exports: Exports) -> None:
        async with exports.district.change() as change:
            person = an_id("people", "north-t")
            await change.add(
                "roles", "more", person_id=person, org_id=an_id("orgs", "d"), role="principal", role_type="secondary"
            )

        archive = await exports.export(version="1.1")

        teacher = archive.row("users", "north-t")
        assert (teacher["role"], teacher["orgSourcedIds"]) == ("teacher", "north,d")
        assert archive.row("lineItems", "sheet")["gradingPeriodSourcedId"] == "q1"

    async def test_1_1_has_a_range_for_every_line_item_and_a_score_for_every_result(self, exports: Exports) -> None:
        async with exports.district.change() as change:
            await change.change("results", "r", score=None)
            await change.change("line_items", "sheet", result_value_max=None)

        archive = await exports.export(version="1.1")

        assert archive.rows("results") == []
        line_item = archive.row("lineItems", "sheet")
        assert (line_item["resultValueMin"], line_item["resultValueMax"]) == ("0", "100")

    async def test_who_is_gone_is_in_no_bulk_nor_what_means_nothing_without_them(self, exports: Exports) -> None:
        async with exports.district.change() as change:
            await change.end("people", "north-s0")

        archive = await exports.export()

        assert "north-s0" not in archive.names("users")
        assert "north-s0" not in archive.names("demographics")
        for file in ("roles", "enrollments", "userProfiles"):
            assert "north-s0" not in {row["userSourcedId"] for row in archive.rows(file)}

    async def test_a_file_whose_last_row_is_gone_is_there_and_empty(self, exports: Exports) -> None:
        async with exports.district.change() as change:
            await change.end("categories", "homework")

        archive = await exports.export()

        assert "categories" in archive.modes("bulk")
        assert archive.rows("categories") == []

    async def test_metadata_becomes_columns_and_places_with_it(self, exports: Exports) -> None:
        async with exports.district.change() as change:
            await change.change("orgs", "north", metadata={"$1": "x, y", "a b": "ü"}, sector="charter", latitude=40.5)

        archive = await exports.export()

        school = archive.row("orgs", "north")
        assert (school["metadata.$1"], school["metadata.a b"], school["metadata.source"]) == ("x, y", "ü", "")
        assert (school["metadata.sector"], school["metadata.latitude"]) == ("charter", "40.5")


class TestFormulas:
    @pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1 555", "-x", "@SUM(1)", "'=1", "''+1"])
    async def test_text_that_a_spreadsheet_would_compute_is_told_to_be_text(self, exports: Exports, text: str) -> None:
        async with exports.district.change() as change:
            await change.change("people", "north-s0", given_name=text, metadata={"note": text})

        archive = await exports.export()

        assert archive.row("users", "north-s0")["givenName"] == "'" + text
        assert archive.row("users", "north-s0")["metadata.note"] == "'" + text

    async def test_identifiers_numbers_and_ordinary_text_stay_as_they_are(self, exports: Exports) -> None:
        async with exports.district.change() as change:
            await change.add("orgs", "=1", name="O'Neill - School", identifier="12")
            await change.change("line_items", "sheet", result_value_min=-5.0)

        archive = await exports.export()

        assert archive.row("orgs", "=1")["name"] == "O'Neill - School"
        assert archive.row("lineItems", "sheet")["resultValueMin"] == "-5"


class TestDelta:
    async def test_nothing_changed_is_an_archive_in_which_every_file_is_absent(self, exports: Exports) -> None:
        first = await exports.export()

        delta = await exports.export(since=first.revision)

        assert delta.modes("absent") == NAMES["1.2"]
        assert delta.revision == first.revision

    async def test_it_tells_what_changed_and_what_went_with_status_and_time(self, exports: Exports) -> None:
        first = await exports.export()
        async with exports.district.change() as change:
            await change.change("people", "north-s0", given_name="Ada")
            await change.end("enrollments", "south-s1-7a")

        delta = await exports.export(since=first.revision)

        assert delta.modes("delta") == {"users", "enrollments"}
        [user], [enrollment] = delta.rows("users"), delta.rows("enrollments")
        assert (user["sourcedId"], user["givenName"], user["status"]) == ("north-s0", "Ada", "active")
        assert (enrollment["sourcedId"], enrollment["status"]) == ("south-s1-7a", "tobedeleted")
        assert enrollment["userSourcedId"] == "south-s1"
        assert user["dateLastModified"] == enrollment["dateLastModified"]
        assert user["dateLastModified"].endswith("Z")

    async def test_one_delta_begins_where_the_other_ends(self, exports: Exports) -> None:
        seen = [(await exports.export()).revision]
        told = []
        for given in ("A", "B", "C"):
            async with exports.district.change() as change:
                await change.change("people", "north-s0", given_name=given)
            delta = await exports.export(since=seen[-1])
            told += [row["givenName"] for row in delta.rows("users")]
            seen.append(delta.revision)

        assert told == ["A", "B", "C"]

    async def test_a_revision_that_began_before_and_ended_after_is_told_in_the_next(self, exports: Exports) -> None:
        async with exports.district.change() as slow:
            async with exports.district.change() as quick:
                await quick.change("people", "north-s1", given_name="Quick")
            between = await exports.export()
            await slow.change("people", "north-s0", given_name="Slow")

        delta = await exports.export(since=between.revision)

        assert [row["givenName"] for row in delta.rows("users")] == ["Slow"]

    async def test_a_time_does_as_well(self, exports: Exports) -> None:
        first = await exports.export(since="0")
        at = first.row("users", "north-s0")["dateLastModified"]
        async with exports.district.change() as change:
            await change.change("people", "north-s0", given_name="Ada")

        delta = await exports.export(since=at)

        assert delta.names("users") == {"north-s0"}

    async def test_since_the_beginning_everything_is_told(self, exports: Exports) -> None:
        delta = await exports.export(since="0")

        assert delta.modes("delta") == NAMES["1.2"]

    @pytest.mark.parametrize("since", ["999999", "yesterday", "2026-01-01", "2026-01-01T00:00:00", "-1", "٣", *_BEYOND])
    async def test_a_since_that_is_none_is_refused(self, exports: Exports, since: str) -> None:
        answer = await exports.ask(since=since)

        assert answer.status_code == 422
        assert answer.json()["field"] == "since"

    async def test_a_name_that_was_given_up_is_gone(self, exports: Exports) -> None:
        first = await exports.export()
        async with exports.district.change() as change:
            for table in ("people", "demographics"):
                await change.change(table, "north-s0")
                await change.tx.run(f"UPDATE {table} SET sourced_id = 'new-name' WHERE sourced_id = 'north-s0'")
            await change.tx.run(
                """
                INSERT INTO identity_events
                    (district_id, id, revision, kind, type, row_id, was_called, is_called, subject)
                VALUES ($1, $2, $3, 'reattached', 'user', $2, 'north-s0', 'new-name', 'tests')
                """,
                change.tx.caller.district, an_id("people", "north-s0"), change.number,
            )  # fmt: skip

        delta = await exports.export(since=first.revision)

        for file in ("users", "demographics"):
            told = {row["sourcedId"]: row["status"] for row in delta.rows(file)}
            assert told == {"north-s0": "tobedeleted", "new-name": "active"}

    async def test_an_archive_is_all_of_one_moment(self, exports: Exports) -> None:
        first = await exports.export()

        assert zipfile.ZipFile(BytesIO(first.content)).comment == f"revision {first.revision}".encode()
        assert first.headers["content-disposition"] == f'attachment; filename="roster-{first.revision}.zip"'

    async def test_what_lands_in_the_middle_is_told_in_the_next(self, exports: Exports) -> None:
        told: list[bytes] = []

        async def taken(piece: bytes) -> None:
            told.append(piece)

        async with exports.database.snapshot(a_caller()) as tx:
            [users] = await exporting.extracts(tx, "1.2", None, ["users"])
            async with exports.district.change() as change:
                await change.change("people", "north-s0", given_name="In the middle")
            revision = await revisions.latest(tx)
            await exporting.rows(tx, users, taken)
        delta = await exports.export(since=str(revision))

        assert b"In the middle" not in b"".join(told)
        assert delta.row("users", "north-s0")["givenName"] == "In the middle"

    async def test_who_hangs_up_ends_the_export(self, exports: Exports) -> None:
        sent: list[Any] = []
        gone = asyncio.Event()

        async def send(message: Any) -> None:
            sent.append(message)
            gone.set()
            await asyncio.sleep(0)

        async def receive() -> Any:
            await gone.wait()
            return {"type": "http.disconnect"}

        token = f"Bearer {TOKENS.sign(a_caller())}".encode()
        scope = {
            "type": "http", "method": "GET", "path": "/exports/roster", "raw_path": b"/exports/roster",
            "query_string": b"", "headers": [(b"authorization", token)], "http_version": "1.1", "scheme": "http",
            "server": ("roster", 80), "client": ("127.0.0.1", 1), "root_path": "", "asgi": {"version": "3.0"},
        }  # fmt: skip

        await exports.app(scope, receive, send)

        assert sent[0]["status"] == 200
        assert sent[-1]["more_body"]


class TestWhoMay:
    async def test_a_key_of_named_schools_may_not(self, exports: Exports) -> None:
        assert (await exports.ask(a_caller(schools=("north",)))).status_code == 403

    async def test_a_key_without_the_rosters_scope_may_not(self, exports: Exports) -> None:
        assert (await exports.ask(a_caller(SCOPES - {"roster:read"}))).status_code == 403

    @pytest.mark.parametrize(("scope", "file"), [("demographics:read", "demographics"), ("assessment:read", "results")])
    async def test_files_of_another_scope_are_absent_without_it(self, exports: Exports, scope: str, file: str) -> None:
        archive = await exports.export(a_caller(SCOPES - {scope}))

        assert file in archive.modes("absent")
        assert f"{file}.csv" not in zipfile.ZipFile(BytesIO(archive.content)).namelist()

    async def test_accountability_gets_no_results(self, exports: Exports) -> None:
        archive = await exports.export(replace(a_caller(), purpose=Purpose.ACCOUNTABILITY))

        assert {"results", "resultLearningObjectiveIds", "resultScoreScales"} <= archive.modes("absent")
        assert "results.csv" not in zipfile.ZipFile(BytesIO(archive.content)).namelist()

    async def test_another_district_sees_nothing_of_this_one(self, exports: Exports) -> None:
        stranger = Caller(OTHER, "key:other", SCOPES, Purpose.INTEGRATION)

        archive = await exports.export(stranger)

        assert archive.modes("absent") == NAMES["1.2"]
