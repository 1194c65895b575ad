"""What a tolerant import repairs and tells, a strict one refuses; what both accept in silence."""

import csv
import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.roster.archives import BEGAN, ENDS, Roster, a_roster, an_old_roster
from tests.integration.roster.conftest import RosterService

Change = Callable[[Roster], Any]


def _manifest(before: str, after: str) -> Change:
    return lambda r: r.manifest.__setitem__(r.manifest.index(before), after)


REPAIRED: dict[str, tuple[Change, tuple[str, int | None, str | None, str]]] = {
    "a boolean in capitals": (
        lambda r: r.put("users", "s000,,,true", "s000,,,TRUE"), ("users.csv", 4, "enabledUser", "letter-case"),
    ),
    "a code in capitals": (
        lambda r: r.put("enrollments", f"s000,student,,{BEGAN}", f"s000,Student,,{BEGAN}"),
        ("enrollments.csv", 4, "role", "letter-case"),
    ),
    "a header in lower case": (
        lambda r: r.put("users", "familyName", "familyname"), ("users.csv", 1, "familyName", "header-spelling"),
    ),
    "a header misspelt": (
        lambda r: r.put("users", "preferredGivenName", "prefferedGivenName"),
        ("users.csv", 1, "preferredGivenName", "header-spelling"),
    ),
    "headers in another order": (
        lambda r: r.put("demographics", "birthDate,sex", "sex,birthDate").put(
            "demographics", "2016-05-01,female", "female,2016-05-01"),
        ("demographics.csv", 1, "sourcedId", "header-order"),
    ),
    "a date with a time": (
        lambda r: r.put("demographics", "s000,,,2016-05-01", "s000,,,2016-05-01T00:00:00.0000000+00:00"),
        ("demographics.csv", 2, "birthDate", "date-with-time"),
    ),
    "a date whose order the column tells": (
        lambda r: r.put("demographics", "s000,,,2016-05-01", "s000,,,13/05/2016"),
        ("demographics.csv", 2, "birthDate", "date-order"),
    ),
    "a status in a bulk file": (
        lambda r: r.put("users", "s000,,,true", "s000,active,,true"), ("users.csv", 4, "status", "empty-in-bulk"),
    ),
    "space around a key": (
        lambda r: r.put("enrollments", ",class-north,north,s000,", ", class-north ,north,s000,"),
        ("enrollments.csv", 4, "classSourcedId", "surrounding-space"),
    ),
    "identifiers without a type": (
        lambda r: r.put("users", "{LDAP:0}", "LDAP-0"), ("users.csv", 4, "userIds", "user-ids"),
    ),
    "a school year of two years": (
        lambda r: r.put("academicSessions", "year,2027", "year,2026-2027"),
        ("academicSessions.csv", 3, "schoolYear", "school-year"),
    ),
    "a second primary role in one school": (
        lambda r: r.add("roles", f"r-more,,,s000,primary,aide,{BEGAN},,north,"),
        ("roles.csv", 34, "roleType", "second-primary-role"),
    ),
    "a parent that is nowhere": (
        lambda r: r.put("orgs", "S0,district", "S0,nowhere"), ("orgs.csv", 3, "parentSourcedId", "unknown-reference"),
    ),
    "a header without rows, where nobody would leave": (
        lambda r: (r.files.__setitem__("demographics", r.files["demographics"][:1])),
        ("demographics.csv", 1, None, "no-rows"),
    ),
    "a manifest that forgets a file": (
        lambda r: r.manifest.remove("file.results,absent"),
        ("manifest.csv", None, "propertyName", "manifest-incomplete"),
    ),
    "a manifest's value in capitals": (
        _manifest("file.users,bulk", "file.users,Bulk"), ("manifest.csv", 8, "file.users", "letter-case"),
    ),
    "another version of the manifest": (
        _manifest("manifest.version,1.0", "manifest.version,1.1"),
        ("manifest.csv", 2, "manifest.version", "manifest-version"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", list(REPAIRED))
async def test_a_tolerant_import_repairs_it_and_tells_where(roster: RosterService, wrong: str) -> None:
    change, (file, line, column, rule) = REPAIRED[wrong]
    files = a_roster()
    change(files)

    report = await roster.load(files.zip())

    assert (report.state, report.problem_count) == ("applied", 0)
    assert (file, line, column, rule) in {(one.file, one.line, one.column, one.rule) for one in report.repairs}
    again = await roster.load(files.zip())
    assert (again.counts["added"], again.counts["changed"]) == (0, 0)


async def test_an_old_class_without_a_type_is_taken_in_without_it(roster: RosterService) -> None:
    old = an_old_roster().put("classes", ",scheduled,", ",,")

    report = await roster.load(old.zip())

    assert (report.state, report.problem_count) == ("applied", 0)
    assert {(one.file, one.column, one.rule) for one in report.repairs} == {("classes.csv", "classType", "required")}
    assert await roster.look("SELECT DISTINCT class_type FROM classes") == [{"class_type": None}]


@pytest.mark.parametrize("wrong", list(REPAIRED))
async def test_a_strict_import_refuses_it_there(lasting_roster: RosterService, wrong: str) -> None:
    change, (file, line, column, rule) = REPAIRED[wrong]
    files = a_roster()
    change(files)

    report = await lasting_roster.load(files.zip(), strict="true", keep_good=True)

    assert report.state == "refused"
    assert (file, line, column, rule) in {(one.file, one.line, one.column, one.rule) for one in report.problems}
    assert await lasting_roster.look("SELECT 1 FROM people UNION ALL SELECT 1 FROM orgs") == []


def _quoted() -> bytes:
    """A folder of files with byte order marks, LF line ends and every cell in quotes."""
    held = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(a_roster().zip())) as plain, zipfile.ZipFile(held, "w") as wrapped:
        for name in plain.namelist():
            lines = []
            for line in plain.read(name).decode().splitlines():
                cells = next(csv.reader([line]))
                lines.append(",".join(f'"{cell}"' for cell in cells))
            wrapped.writestr(f"export/{name}", b"\xef\xbb\xbf" + ("\n".join(lines) + "\n").encode())
    return held.getvalue()


SILENT: dict[str, Callable[[], bytes]] = {
    "byte order marks, LF, quotes, a folder": _quoted,
    "columns of metadata": lambda: (
        a_roster()
        .put("courses", "subjectCodes", "subjectCodes,metadata.x")
        .put("courses", ",Mathematics,", ",Mathematics,,y")
        .zip()
    ),
    "words of a vendor": lambda: a_roster().put("orgs", "The District,district", "The District,ext:Region_1").zip(),
    "users without the column of resources": lambda: _without_resources().zip(),
}


def _without_resources() -> Roster:
    files = a_roster()
    place = files.files["users"][0].split(",").index("resourceSourcedIds")
    files.files["users"] = [
        ",".join(cell for at, cell in enumerate(line.split(",")) if at != place) for line in files.files["users"]
    ]
    return files


@pytest.mark.parametrize("fine", list(SILENT))
async def test_both_accept_in_silence(roster: RosterService, fine: str) -> None:
    report = await roster.load(SILENT[fine](), strict="true")

    assert (report.state, report.problem_count, report.repair_count) == ("applied", 0, 0)


async def test_another_encoding_is_read_where_it_is_declared(roster: RosterService) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(a_roster().zip())) as plain, zipfile.ZipFile(held, "w") as turned:
        for name in plain.namelist():
            turned.writestr(name, plain.read(name).decode().replace("Given0,", "René,").encode("latin-1"))

    refused = await roster.load(held.getvalue())
    report = await roster.load(held.getvalue(), encoding="latin-1")

    assert (refused.state, report.state) == ("refused", "applied")
    assert [(one.file, one.rule, one.value) for one in report.repairs] == [("users.csv", "encoding", "latin-1")]
    assert await roster.look("SELECT 1 AS one FROM people WHERE given_name = 'René'") == [{"one": 1}]


@pytest.mark.parametrize(("order", "born"), [("day-first", "2016-04-03"), ("month-first", "2016-03-04")])
async def test_dates_are_read_in_the_order_that_is_declared(roster: RosterService, order: str, born: str) -> None:
    files = a_roster().put("demographics", "s000,,,2016-05-01", "s000,,,3/04/2016")

    report = await roster.load(files.zip(), date_order=order)

    assert report.state == "applied"
    assert [(one.line, one.column, one.rule) for one in report.repairs] == [(2, "birthDate", "date-order")]
    assert await roster.look("SELECT birth_on::text AS born FROM demographics WHERE sourced_id = 's000'") == [
        {"born": born}
    ]


async def test_a_file_without_rows_is_held_where_somebody_would_leave(roster: RosterService) -> None:
    await roster.load(a_roster().zip())
    files = a_roster()
    files.files["demographics"] = files.files["demographics"][:1]

    held = await roster.load(files.zip())
    report = await roster.approve(held.id)

    assert held.state == "held"
    assert ("demographics.csv", "no-rows") in {(one.file, one.rule) for one in held.holds}
    assert report.state == "applied"
    assert await roster.look("SELECT count(*) AS n FROM demographics WHERE status <> 'active'") == [{"n": 30}]


async def test_a_delta_of_people_alone_tells_what_is_the_same_where_they_are(roster: RosterService) -> None:
    await roster.load(a_roster(students=4).zip())
    lines = [f"s00{n},active,2027-01-01T00:00:00Z,true,s00{n},{{LDAP:{n}}},{given},Family00{n},,,,,,,4,,,,,,,,"
             for n, given in ((0, "Ada"), (2, "Given2"), (1, "Given1"))]  # fmt: skip
    files = a_roster(students=4)
    files.files = {"users": [files.files["users"][0], *lines]}
    files.manifest = [line.replace("bulk", "absent") for line in files.manifest]
    files.manifest = [line.replace("file.users,absent", "file.users,delta") for line in files.manifest]

    report = await roster.load(files.zip(), dry_run="true")

    assert report.summary["diff"]["schools"] == [
        {"school": "north", "name": "School north", "users": {"changed": 1, "unchanged": 1}}
    ]


async def test_a_dry_run_tells_what_would_be_and_changes_nothing(roster: RosterService) -> None:
    await roster.load(a_roster(students=60).zip())
    files = a_roster(students=60).put("users", "Given0,Family000", "Ada,Lovelace").drop("enrollments", "e-s001,")
    files.add("enrollments", f"e-more,,,class-north,north,s001,student,,{BEGAN},{ENDS}")

    report = await roster.load(files.zip(), dry_run="true")

    assert report.state == "reported"
    assert report.summary["diff"]["types"]["users"]["changed"] == 1
    assert report.summary["diff"]["types"]["enrollments"] == {"added": 1, "changed": 0, "leaving": 1, "unchanged": 61}
    [north, south] = report.summary["diff"]["schools"]
    assert north == {
        "school": "north", "name": "School north",
        "users": {"changed": 1, "unchanged": 31}, "enrollments": {"added": 1, "unchanged": 31},
        "classes": {"unchanged": 1}, "roles": {"unchanged": 31},
    }  # fmt: skip
    assert south == {
        "school": "south", "name": "School south",
        "users": {"unchanged": 31}, "enrollments": {"leaving": 1, "unchanged": 30},
        "classes": {"unchanged": 1}, "roles": {"unchanged": 31},
    }  # fmt: skip
    assert await roster.look("SELECT 1 FROM people WHERE given_name = 'Ada'") == []
    assert await roster.look("SELECT count(*) AS n FROM revisions") == [{"n": 1}]
