"""What is wrong with a file is said where it is wrong, and nothing of it is applied."""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from services.roster.domain.layout import READ
from tests.integration.roster.archives import BEGAN, ENDS, Roster, a_roster, an_old_roster
from tests.integration.roster.conftest import RosterService

Change = Callable[[Roster], Any]
Place = tuple[str, int | None, str | None, str | None, str]


def _graded(roster: Roster, line_item: str) -> None:
    """With a category, and a line item of it."""
    headers = {
        file: ",".join(column.name for column in READ["1.2"][file].columns) for file in ("categories", "lineItems")
    }
    roster.files["categories"] = [headers["categories"], "cat,,,Tests,1"]
    roster.files["lineItems"] = [headers["lineItems"], line_item]
    roster.manifest = [
        line.replace(",absent", ",bulk") if line in ("file.categories,absent", "file.lineItems,absent") else line
        for line in roster.manifest
    ]


WRONG: dict[str, tuple[Change, Place]] = {
    "a sourcedId twice": (
        lambda r: r.add("users", r.files["users"][-1]),
        ("users.csv", 34, "sourcedId", "s029", "duplicate-sourcedId"),
    ),
    "an unknown user": (
        lambda r: r.put("enrollments", f"north,s000,student,,{BEGAN}", f"north,nobody,student,,{BEGAN}"),
        ("enrollments.csv", 4, "userSourcedId", "nobody", "unknown-reference"),
    ),
    "an unknown class": (
        lambda r: r.put("enrollments", "e-s000,,,class-north", "e-s000,,,no-class"),
        ("enrollments.csv", 4, "classSourcedId", "no-class", "unknown-reference"),
    ),
    "a course that the courses file lacks": (
        lambda r: r.put("classes", "Maths north,4,maths", "Maths north,4,poetry"),
        ("classes.csv", 2, "courseSourcedId", "poetry", "unknown-reference"),
    ),
    "a code that is not allowed": (
        lambda r: r.put("enrollments", f"s000,student,,{BEGAN}", f"s000,pupil,,{BEGAN}"),
        ("enrollments.csv", 4, "role", "pupil", "code"),
    ),
    "an empty cell that is required": (
        lambda r: r.put("users", "Given0,Family000", "Given0,"),
        ("users.csv", 4, "familyName", None, "required"),
    ),
    "a date that is none": (
        lambda r: r.put("enrollments", f"s000,student,,{BEGAN},{ENDS}", f"s000,student,,{BEGAN},2026-02-30"),
        ("enrollments.csv", 4, "endDate", "2026-02-30", "date"),
    ),
    "a date that could be two": (
        lambda r: r.put("demographics", "s000,,,2016-05-01", "s000,,,3/04/2016"),
        ("demographics.csv", 2, "birthDate", "3/04/2016", "date-order"),
    ),
    "an end before the beginning": (
        lambda r: r.put("enrollments", f"s000,student,,{BEGAN},{ENDS}", f"s000,student,,{ENDS},{BEGAN}"),
        ("enrollments.csv", 4, "endDate", BEGAN, "dates-reversed"),
    ),
    "no boolean": (
        lambda r: r.put("users", "s000,,,true", "s000,,,yes"),
        ("users.csv", 4, "enabledUser", "yes", "boolean"),
    ),
    "a row that is cut off": (
        lambda r: r.put("enrollments", f"e-s029,,,class-south,south,s029,student,,{BEGAN},{ENDS}", "e-s029,,,class-so"),
        ("enrollments.csv", 33, None, "e-s029,,,class-so", "row-length"),
    ),
    "a header that is missing": (
        lambda r: r.put("users", "familyName", "metadata.clan"),
        ("users.csv", 1, "familyName", "", "header-missing"),
    ),
    "a header that nobody knows": (
        lambda r: r.put("users", "enabledUser", "enabledUser,shoeSize"),
        ("users.csv", 1, "shoeSize", "shoeSize", "header-unknown"),
    ),
    "a quote that is not closed": (
        lambda r: r.put("users", "Given0,Family000", 'Given0,"Family000'),
        ("users.csv", 4, None, None, "cut-off"),
    ),
    "a quote in the middle": (
        lambda r: r.put("users", "Given0,Family000", 'Given0,"Fam"ily000'),
        ("users.csv", 4, None, None, "quotes"),
    ),
    "a title too long to be ordered by": (
        lambda r: r.put("classes", "Maths north", "x" * 2_001),
        ("classes.csv", 2, "title", "x" * 100, "field-too-long"),
    ),
    "a sourcedId too long to be looked up": (
        lambda r: r.add("courses", "x" * 1_001 + ",,,year,Mathematics 4,M4,4,district,Mathematics,"),
        ("courses.csv", 3, "sourcedId", "x" * 100, "field-too-long"),
    ),
    "a birth date in other digits": (
        lambda r: r.put("demographics", "s000,,,2016-05-01", "s000,,,２０１６-05-01"),
        ("demographics.csv", 2, "birthDate", "２０１６-05-01", "date"),
    ),
    "a cell of more than 10 KB": (
        lambda r: r.put("users", "Given0,Family000", "Given0," + "x" * 11_000),
        ("users.csv", 4, "familyName", "x" * 100, "field-too-long"),
    ),
    "a file that the manifest announces and that is not there": (
        lambda r: r.files.pop("courses"),
        ("courses.csv", None, None, None, "file-missing"),
    ),
    "a file that the manifest calls absent": (
        lambda r: r.manifest.__setitem__(r.manifest.index("file.courses,bulk"), "file.courses,absent"),
        ("courses.csv", None, None, None, "present-but-absent"),
    ),
    "a file that neither comes nor stays away": (
        lambda r: r.manifest.__setitem__(r.manifest.index("file.users,bulk"), "file.users,all"),
        ("manifest.csv", 8, "file.users", "all", "manifest-value"),
    ),
    "a property twice": (
        lambda r: r.manifest.append("file.users,bulk"),
        ("manifest.csv", 25, "propertyName", "file.users", "manifest-twice"),
    ),
    "no version": (
        lambda r: r.manifest.remove("oneroster.version,1.2"),
        ("manifest.csv", None, "oneroster.version", None, "oneroster-version"),
    ),
    "a column twice": (
        lambda r: r.put("users", "familyName", "givenName"),
        ("users.csv", 1, "givenName", "givenName", "header-twice"),
    ),
    "a file without a header": (
        lambda r: r.files["courses"].pop(0), ("courses.csv", 1, "sourcedId", "", "header-missing"),
    ),
    "a file that is called nearly as it should be": (
        lambda r: r.files.__setitem__("enrolments", r.files.pop("enrollments")),
        ("enrolments.csv", None, None, None, "file-name"),
    ),
    "a line item of no class": (
        lambda r: _graded(r, "li-1,,,Test,,2026-09-01,2026-09-08,no-class,cat,term,0,10,north"),
        ("lineItems.csv", 2, "classSourcedId", "no-class", "unknown-reference"),
    ),
    "a line item of no category": (
        lambda r: _graded(r, "li-1,,,Test,,2026-09-01,2026-09-08,class-north,nothing,term,0,10,north"),
        ("lineItems.csv", 2, "categorySourcedId", "nothing", "unknown-reference"),
    ),
    "a score range in words": (
        lambda r: _graded(r, "li-1,,,Test,,2026-09-01,2026-09-08,class-north,cat,term,none,10,north"),
        ("lineItems.csv", 2, "resultValueMin", "none", "number"),
    ),
    "an entry the manifest should not have": (
        lambda r: r.manifest.append("file.horoscopes,bulk"),
        ("manifest.csv", 25, "propertyName", "file.horoscopes", "manifest-entry"),
    ),
    "a manifest with another header": (
        lambda r: r.manifest.__setitem__(0, "property,value"),
        ("manifest.csv", 1, None, "property,value", "manifest-header"),
    ),
    "a version that is not read": (
        lambda r: r.manifest.__setitem__(2, "oneroster.version,2.0"),
        ("manifest.csv", 3, "oneroster.version", "2.0", "oneroster-version"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", list(WRONG))
async def test_a_problem_is_located_and_nothing_is_applied(lasting_roster: RosterService, wrong: str) -> None:
    roster = lasting_roster
    change, place = WRONG[wrong]
    files = a_roster()
    change(files)

    report = await roster.load(files.zip())

    assert report.state == "refused"
    assert place in {(one.file, one.line, one.column, one.value, one.rule) for one in report.problems}
    assert all(one.remedy for one in report.problems)
    assert await roster.look("SELECT 1 FROM people UNION ALL SELECT 1 FROM orgs") == []
    assert await roster.announced() == []
    assert await roster.staged_rows() == 0


async def test_swapped_coordinates_are_told_and_not_used(roster: RosterService) -> None:
    files = a_roster().put(
        "orgs", "north,school,S0,district,charter,40.5,-73.9", "north,school,S0,district,charter,-73.9,40.5"
    )

    report = await roster.load(files.zip())

    assert report.state == "applied"
    (repair,) = report.repairs
    assert (repair.file, repair.line, repair.column, repair.value, repair.rule) == (
        "orgs.csv", 3, "metadata.latitude", "-73.9", "coordinates-swapped"
    )  # fmt: skip
    assert "latitude -73.9 and longitude 40.5" in repair.remedy
    placed = await roster.look("SELECT name, sector, latitude, longitude, metadata FROM orgs WHERE type = 'school'")
    assert {row["name"]: (row["sector"], row["latitude"], row["longitude"]) for row in placed} == {
        "School north": ("charter", None, None), "School south": ("charter", 40.5, -73.9)
    }  # fmt: skip
    (kept,) = [row["metadata"] for row in placed if row["name"] == "School north"]
    assert (kept["latitude"], kept["longitude"]) == ("-73.9", "40.5")


async def test_a_latitude_beyond_the_pole_is_told_once(roster: RosterService) -> None:
    files = a_roster()
    files.put("orgs", "north,school,S0,district,charter,40.5,-73.9", "north,school,S0,district,charter,-122.4,37.8")
    files.put("orgs", "south,school,S1,district,charter,40.5,-73.9", "south,school,S1,district,charter,200,37.8")

    report = await roster.load(files.zip())

    assert [(one.line, one.column, one.rule) for one in report.repairs] == [
        (3, "metadata.latitude", "coordinates-swapped"), (4, "metadata.latitude", "metadata-latitude")
    ]  # fmt: skip


async def test_after_the_fix_only_what_changed_is_changed(roster: RosterService) -> None:
    await roster.load(a_roster().zip())
    changed = a_roster().put("users", "Given0,Family000", "Ada,Family000")
    broken = a_roster().put("users", "Given0,Family000", "Ada,Family000").put("users", "s001,,,true", "s001,,,yes")

    refused = await roster.load(broken.zip())
    report = await roster.load(changed.zip())

    assert refused.state == "refused"
    assert (report.counts["added"], report.counts["changed"]) == (0, 1)


class TestKeepGood:
    async def test_the_good_rows_are_merged_and_the_rest_counted(self, roster: RosterService) -> None:
        files = a_roster().put("users", "s000,,,true", "s000,,,yes")

        report = await roster.load(files.zip(), keep_good=True)

        assert report.state == "applied"
        assert report.counts == {"added": 130, "changed": 0, "unchanged": 0, "refused": 4}
        assert {(one.file, one.rule) for one in report.problems} == {
            ("users.csv", "boolean"), ("roles.csv", "unknown-reference"), ("demographics.csv", "unknown-reference"),
            ("enrollments.csv", "unknown-reference"),
        }  # fmt: skip

    async def test_a_refused_row_stays_as_it_was(self, roster: RosterService) -> None:
        await roster.load(a_roster().zip())

        report = await roster.load(a_roster().put("users", "s000,,,true", "s000,,,yes").zip(), keep_good=True)

        assert report.counts == {"added": 0, "changed": 0, "unchanged": 133, "refused": 1}
        assert await roster.look("SELECT 1 FROM people WHERE status <> 'active'") == []

    async def test_a_refused_1_1_user_keeps_the_roles_it_had(self, roster: RosterService) -> None:
        await roster.load(an_old_roster().zip())

        report = await roster.load(an_old_roster().put("users", "s000,,,true", "s000,,,yes").zip(), keep_good=True)

        assert (report.counts["changed"], report.counts["refused"]) == (0, 1)
        assert await roster.look("SELECT 1 FROM roles WHERE status <> 'active'") == []

    async def test_a_file_that_cannot_be_read_removes_nobody(self, roster: RosterService) -> None:
        await roster.load(a_roster().zip())

        report = await roster.load(a_roster().put("users", "familyName", "surname").zip(), keep_good=True)

        assert report.state == "refused"
        assert await roster.look("SELECT 1 FROM people WHERE status <> 'active'") == []


def _zipped(*entries: tuple[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in entries:
            zipped.writestr(name, content)
    return held.getvalue()


def _damaged() -> bytes:
    """An archive whose directory is whole and whose users.csv is not."""
    whole = bytearray(a_roster(students=300).zip())
    with zipfile.ZipFile(io.BytesIO(bytes(whole))) as zipped:
        info = zipped.getinfo("users.csv")
    middle = info.header_offset + 30 + len("users.csv") + info.compress_size // 2
    whole[middle : middle + 20] = b"\xff" * 20
    return bytes(whole)


UNSAFE: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "no zip": (lambda: b"sourcedId,status\n", "archive", "archive"),
    "a zip that is cut off": (lambda: a_roster().zip()[:-400], "archive", "archive"),
    "a zip that is damaged inside": (_damaged, "users.csv", "archive"),
    "no manifest": (lambda: _zipped(("orgs.csv", b"sourcedId\n")), "manifest.csv", "manifest-missing"),
    "a name that climbs": (lambda: a_roster().zip([("../evil.csv", b"x")]), "../evil.csv", "entry-name"),
    "an absolute name": (lambda: a_roster().zip([("/etc/evil.csv", b"x")]), "/etc/evil.csv", "entry-name"),
    "an archive in the archive": (lambda: a_roster().zip([("more.zip", b"PK")]), "more.zip", "nested-archive"),
    "an archive by another name": (
        lambda: a_roster().zip([("more.csv", a_roster().zip())]), "more.csv", "nested-archive",
    ),
    "forty-one files": (
        lambda: _zipped(*((f"{number}.csv", b"x") for number in range(41))), "archive", "too-many-entries",
    ),
    "a bomb": (lambda: a_roster().zip([("bomb.csv", b"0" * 12_000_000)]), "bomb.csv", "ratio"),
    "files here and there": (lambda: a_roster().zip([("folder/x.csv", b"x")]), "archive", "folders"),
    "not UTF-8": (
        lambda: _zipped(
            ("manifest.csv", "\n".join(a_roster().manifest).encode()),
            *((f"{name}.csv", "\n".join(lines).replace("Given3,", "René,").encode("latin-1"))
              for name, lines in a_roster().files.items()),
        ),
        "users.csv", "encoding",
    ),
    "UTF-16": (lambda: _zipped(("manifest.csv", "propertyName,value".encode("utf-16"))), "manifest.csv", "encoding"),
    "a line without end": (
        lambda: _zipped(("manifest.csv", b"x" * 1_100_000)), "manifest.csv", "line-too-long",
    ),
}  # fmt: skip


@pytest.mark.parametrize("wrong", list(UNSAFE))
@pytest.mark.parametrize("keep_good", [False, True])
async def test_an_archive_that_cannot_be_trusted_is_refused_whole(
    lasting_roster: RosterService, wrong: str, keep_good: bool
) -> None:
    roster = lasting_roster
    made, file, rule = UNSAFE[wrong]

    report = await roster.load(made(), keep_good=keep_good)

    assert report.state == "refused"
    assert (file, rule) in {(one.file, one.rule) for one in report.problems}
    assert await roster.look("SELECT 1 FROM people UNION ALL SELECT 1 FROM orgs") == []
