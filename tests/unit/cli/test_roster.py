"""`trellis load roster` and `trellis roster`: what is held, what would change, and what a person decides."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.sending import bytes_of
from tests.unit.cli.test_commands import Platform, platform, report, trellis

__all__ = ["platform", "trellis"]

HOLD = {
    "file": "enrollments.csv", "line": None, "column": "schoolSourcedId", "value": "north", "rule": "mass-removal",
    "remedy": "2 of the 31 people would leave.",
}  # fmt: skip
DIFF = {
    "types": {
        "users": {"added": 1, "changed": 2, "unchanged": 3_000, "leaving": 4},
        "enrollments": {"added": 0, "changed": 0, "unchanged": 5, "leaving": 6},
    },
    "schools": [
        {"school": "quiet", "name": "Quiet", "classes": {"added": 1}},
        {"school": "south", "name": "Southside", "users": {"leaving": 1}},
        {"school": "north", "name": "Northside", "users": {"leaving": 3}, "enrollments": {"leaving": 6}},
    ],
}
GUARD = {
    "school_percent": 5.0, "class_percent": 50.0, "class_least": 5, "rows_least_percent": 90.0,
    "rows_most_percent": 200.0, "absent_files": "hold",
}  # fmt: skip
ID = "roster-01890000-0000-7000-8000-000000000001"


def a_report(state: str, **more: Any) -> dict[str, Any]:
    verdicts = {"applied": "accepted", "undone": "accepted"}
    verdict = verdicts.get(state, state)
    base = {"id": ID, "kind": "roster", "verdict": verdict, "hold_count": 0, "holds": [], "options": {}, "summary": {}}
    return report(state) | base | {"readable": state in verdicts} | more


def held() -> dict[str, Any]:
    return a_report("held", hold_count=1, holds=[HOLD], summary={"diff": DIFF})


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    file = tmp_path / "roster.zip"
    file.write_bytes(b"PK" * 100)
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "files"
    made.mkdir()
    (made / "users.csv").write_text("sourcedId\r\nu1\r\n")
    (made / "orgs.CSV").write_text("sourcedId\r\no1\r\n")
    (made / "notes.txt").write_text("not of the roster")
    return made


class TestLoad:
    def test_of_a_file_that_is_held_exits_3_and_says_why_whom_it_takes_and_what_to_type(
        self, platform: Platform, trellis: Any, archive: Path
    ) -> None:
        platform.answers["POST /v1/imports/roster"] = [(202, {"id": ID})]
        platform.answers[f"GET /v1/imports/{ID}"] = [(200, held())]

        code, out, err = trellis("load", "roster", str(archive))

        assert code == 3
        assert all(word in out for word in ("HELD", "mass-removal", "2 of the 31", "3,000", "1 reason to ask first"))
        assert out.index("Northside") < out.index("Southside")
        assert "Quiet" not in out
        assert f"trellis roster approve {ID}" in err
        assert f"trellis roster reject {ID}" in err

    def test_as_json_has_the_verdict_the_findings_and_the_diff(
        self, platform: Platform, trellis: Any, archive: Path
    ) -> None:
        platform.answers["POST /v1/imports/roster"] = [(202, {"id": ID})]
        platform.answers[f"GET /v1/imports/{ID}"] = [(200, held())]

        code, out, err = trellis("load", "roster", str(archive), "--json")

        found = json.loads(out)
        assert (code, err) == (3, "")
        assert (found["verdict"], found["problems"], found["repairs"], found["holds"]) == ("held", [], [], [HOLD])
        assert found["diff"] == DIFF

    def test_sends_its_options_along(self, platform: Platform, trellis: Any, archive: Path) -> None:
        path = "/v1/imports/roster?keep_good=true&strict=true&dry_run=true&date_order=day-first&encoding=latin-1"
        platform.answers[f"POST {path}"] = [(202, {"id": ID})]
        platform.answers[f"GET /v1/imports/{ID}"] = [(200, a_report("reported"))]
        options = ("--keep-good", "--strict", "--dry-run", "--date-order", "day-first", "--encoding", "latin-1")

        code, out, err = trellis("load", "roster", str(archive), *options)

        assert code == 0
        assert "a dry run" in out
        assert f"trellis roster apply {ID}" in err

    @pytest.mark.parametrize(
        ("found", "code"),
        [
            ({}, 0),
            ({"hold_count": 1, "holds": [HOLD]}, 3),
            ({"problem_count": 1}, 2),
            ({"problem_count": 1, "options": {"keep_good": "true"}}, 0),
        ],
    )
    def test_dry_exits_as_what_would_come_of_it(
        self, platform: Platform, trellis: Any, archive: Path, found: dict[str, Any], code: int
    ) -> None:
        platform.answers["POST /v1/imports/roster?dry_run=true"] = [(202, {"id": ID})]
        platform.answers[f"GET /v1/imports/{ID}"] = [(200, a_report("reported", **found))]

        assert trellis("load", "roster", str(archive), "--dry-run")[0] == code

    def test_of_a_folder_sends_its_csv_files_as_one_archive(
        self, platform: Platform, trellis: Any, folder: Path
    ) -> None:
        platform.answers["POST /v1/imports/roster"] = [(202, {"id": ID})]
        platform.answers[f"GET /v1/imports/{ID}"] = [(200, a_report("applied"))]

        code, _, _ = trellis("load", "roster", str(folder))

        assert code == 0
        with zipfile.ZipFile(io.BytesIO(platform.asked[0][2])) as sent:
            assert sent.namelist() == ["orgs.CSV", "users.csv"]
            assert sent.read("users.csv") == b"sourcedId\r\nu1\r\n"

    def test_of_a_folder_without_files_is_refused(self, trellis: Any, tmp_path: Path) -> None:
        code, _, err = trellis("load", "roster", str(tmp_path))

        assert code == 2
        assert "no CSV files" in err

    def test_of_another_kind_takes_no_folder(self, trellis: Any, folder: Path) -> None:
        code, _, err = trellis("load", "answers", str(folder))

        assert code == 2
        assert "only a roster" in err


class TestAFoldersArchive:
    def test_is_the_same_whenever_its_files_are(self, folder: Path) -> None:
        first = b"".join(bytes_of(folder))
        (folder / "users.csv").touch()

        assert b"".join(bytes_of(folder)) == first

    def test_comes_in_pieces_that_do_not_grow_with_it(self, folder: Path) -> None:
        (folder / "enrollments.csv").write_bytes(bytes(range(256)) * 16_384)
        with (folder / "results.csv").open("wb") as file:
            for number in range(200_000):
                file.write(f"{number * 7919 % 1_000_003},{number}\n".encode())

        pieces = list(bytes_of(folder))

        assert max(map(len, pieces)) < 1 << 20
        with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
            assert archive.testzip() is None
            assert archive.read("results.csv") == (folder / "results.csv").read_bytes()


class TestDecisions:
    @pytest.mark.parametrize(("what", "state"), [("approve", "applied"), ("apply", "applied"), ("undo", "undone")])
    def test_are_said_and_waited_for(self, platform: Platform, trellis: Any, what: str, state: str) -> None:
        platform.answers[f"POST /v1/imports/{ID}:{what}"] = [(200, a_report("staged", verdict=None))]
        platform.answers[f"GET /v1/imports/{ID}"] = [(200, a_report("validating")), (200, a_report(state))]

        code, out, _ = trellis("roster", what, ID.removeprefix("roster-"))

        assert code == 0
        assert state in out

    def test_apply_may_be_held(self, platform: Platform, trellis: Any) -> None:
        platform.answers[f"POST /v1/imports/{ID}:apply"] = [(200, a_report("staged", verdict=None))]
        platform.answers[f"GET /v1/imports/{ID}"] = [(200, held())]

        assert trellis("roster", "apply", ID)[0] == 3

    def test_an_undo_that_did_not_come_about_is_no_success(self, platform: Platform, trellis: Any) -> None:
        platform.answers[f"POST /v1/imports/{ID}:undo"] = [(200, a_report("undoing", verdict="accepted"))]
        platform.answers[f"GET /v1/imports/{ID}"] = [(200, a_report("applied"))]

        code, _, err = trellis("roster", "undo", ID)

        assert code == 1
        assert "could not be undone" in err

    def test_undo_says_what_came_back_and_what_did_not(self, platform: Platform, trellis: Any) -> None:
        undone = {"undone": {"types": {"users": {"came_back": 1_234, "changed_since": 56, "ended": 0}}}}
        platform.answers[f"POST /v1/imports/{ID}:undo"] = [(200, a_report("undoing", verdict="accepted"))]
        platform.answers[f"GET /v1/imports/{ID}"] = [(200, a_report("undone", summary=undone))]

        _, out, _ = trellis("roster", "undo", ID)

        assert all(word in out for word in ("users", "1,234", "56"))

    def test_reject_exits_0(self, platform: Platform, trellis: Any) -> None:
        platform.answers[f"POST /v1/imports/{ID}:reject"] = [(200, a_report("refused"))]

        code, _, err = trellis("roster", "reject", ID)

        assert code == 0
        assert "rejected" in err

    def test_that_come_too_late_exit_2_in_one_sentence(self, platform: Platform, trellis: Any) -> None:
        platform.answers[f"POST /v1/imports/{ID}:approve"] = [
            (409, {"detail": "Only a held import can be approved; this one is applied."})
        ]

        code, _, err = trellis("roster", "approve", ID)

        assert code == 2
        assert "Only a held import" in err


class TestLookingBack:
    def test_a_report_exits_as_its_load_did(self, platform: Platform, trellis: Any) -> None:
        platform.answers[f"GET /v1/imports/{ID}"] = [(200, held())]

        code, out, _ = trellis("roster", "report", ID, "--json")

        assert code == 3
        assert json.loads(out)["diff"] == DIFF

    def test_the_last_imports_are_listed(self, platform: Platform, trellis: Any) -> None:
        brief = held() | {"created_at": "2026-11-22T08:00:00Z"}
        platform.answers["GET /v1/imports?first=20&state=held"] = [(200, {"imports": [brief], "before": None})]

        code, out, _ = trellis("roster", "imports", "--state", "held")

        assert code == 0
        assert all(word in out for word in (ID, "2026-11-22 08:00:00", "held"))


class TestTheGuard:
    def test_is_shown(self, platform: Platform, trellis: Any) -> None:
        platform.answers["GET /v1/roster/guard"] = [(200, GUARD)]

        code, out, _ = trellis("roster", "guard")

        assert code == 0
        assert all(name in out for name in GUARD)

    def test_is_changed_in_what_is_given(self, platform: Platform, trellis: Any) -> None:
        platform.answers["PUT /v1/roster/guard"] = [(200, GUARD | {"school_percent": 10.0})]

        code, out, _ = trellis("roster", "guard", "--school-percent", "10", "--json")

        assert code == 0
        assert json.loads(platform.asked[-1][2]) == {"school_percent": 10.0}
        assert json.loads(out)["school_percent"] == 10.0
