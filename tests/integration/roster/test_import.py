"""A roster comes in: what is there afterwards, what is counted, what is announced."""

import io
import zipfile
from datetime import date
from pathlib import Path

import pytest

from tests.integration.roster.archives import BEGAN, ENDS, TODAY, Roster, a_roster, an_old_roster
from tests.integration.roster.conftest import DISTRICT, OTHER_DISTRICT, RosterService, a_caller, an_id

EPOCH = date(1970, 1, 1)
REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "oneroster"
ROWS_OF_A_ROSTER = 134


def _day(iso: str) -> int:
    return (date.fromisoformat(iso) - EPOCH).days


class TestARosterIsLoaded:
    async def test_every_row_is_added_and_counted(self, roster: RosterService) -> None:
        report = await roster.load(a_roster().zip())

        assert report.state == "applied"
        assert report.counts == {"added": ROWS_OF_A_ROSTER, "changed": 0, "unchanged": 0, "refused": 0}
        assert (report.problem_count, report.repair_count) == (0, 0)
        assert (report.done, report.total) == (ROWS_OF_A_ROSTER, ROWS_OF_A_ROSTER)

    async def test_columns_arrive_where_they_belong(self, roster: RosterService) -> None:
        await roster.load(a_roster().zip())

        north = (await roster.look("SELECT * FROM orgs WHERE id = $1", an_id("org", "north")))[0]
        assert (north["sector"], north["latitude"], north["longitude"]) == ("charter", 40.5, -73.9)
        assert north["parent_id"] == an_id("org", "district")
        assert north["metadata"] == {"phone": "555-0100"}
        section = (await roster.look("SELECT * FROM classes WHERE id = $1", an_id("class", "class-north")))[0]
        assert section["term_ids"] == [an_id("academicSession", "term")]
        assert section["course_id"] == an_id("course", "maths")
        course = (await roster.look("SELECT grades FROM courses"))[0]
        assert course["grades"] == ["4", "5"]
        known = (await roster.look("SELECT * FROM demographics WHERE person_id = $1", an_id("user", "s000")))[0]
        assert (known["birth_on"], known["asian"], known["white"]) == (date(2016, 5, 1), True, False)

    async def test_no_password_is_kept(self, roster: RosterService) -> None:
        await roster.stage(a_roster().zip())
        await roster.load(a_roster().zip())

        rows = await roster.look("SELECT to_jsonb(p)::text AS row FROM people p")
        assert rows
        assert not any("secret" in row["row"] for row in rows)

    async def test_the_stages_are_empty_when_it_ends(self, roster: RosterService) -> None:
        await roster.load(a_roster().zip())

        assert await roster.staged_rows() == 0

    async def test_one_fact_tells_of_each_student_and_where(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=4).zip())

        told = {fact.student: fact for fact in await roster.announced()}
        assert set(told) == {an_id("user", f"s00{number}").bytes for number in range(4)}
        place = told[an_id("user", "s001").bytes].places[0]
        assert place.school == an_id("org", "south").bytes
        assert (place.begin_day, place.end_day) == (_day(BEGAN), _day(ENDS))

    async def test_an_enrolment_without_dates_is_an_open_place(self, roster: RosterService) -> None:
        files = a_roster(students=2).put("enrollments", f"s000,student,,{BEGAN},{ENDS}", "s000,student,,,")

        await roster.load(files.zip())

        fact = next(one for one in await roster.announced() if one.student == an_id("user", "s000").bytes)
        assert not fact.places[0].HasField("begin_day")
        assert not fact.places[0].HasField("end_day")

    async def test_several_classes_of_one_school_are_one_place(self, roster: RosterService) -> None:
        files = a_roster(students=2)
        files.add("classes", "class-extra,,,Art,4,maths,A,scheduled,R2,north,term,Art,,2")
        files.add("enrollments", f"e-extra,,,class-extra,north,s000,student,,{BEGAN},{TODAY}")

        await roster.load(files.zip())

        fact = next(one for one in await roster.announced() if one.student == an_id("user", "s000").bytes)
        assert len(fact.places) == 1

    async def test_oneroster_1_1_gives_the_same_people_with_the_same_roles(self, roster: RosterService) -> None:
        new = await roster.load(a_roster().zip())
        old = await roster.load(an_old_roster().zip(), district=OTHER_DISTRICT)

        roles = "SELECT count(*) AS n, role, role_type FROM roles GROUP BY 2, 3 ORDER BY 2"
        assert old.state == new.state == "applied"
        assert old.counts["added"] == new.counts["added"] - 32
        assert await roster.look(roles, caller=a_caller(OTHER_DISTRICT)) == await roster.look(roles)

    async def test_a_folder_inside_the_archive_and_a_byte_order_mark_are_fine(self, roster: RosterService) -> None:
        held = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(a_roster().zip())) as plain, zipfile.ZipFile(held, "w") as wrapped:
            for name in plain.namelist():
                wrapped.writestr(f"export/{name}", b"\xef\xbb\xbf" + plain.read(name))

        report = await roster.load(held.getvalue())

        assert report.counts["added"] == ROWS_OF_A_ROSTER


class TestTheSameAgain:
    async def test_the_same_file_changes_nothing_and_announces_nothing(self, roster: RosterService) -> None:
        await roster.load(a_roster().zip())
        before = await roster.announced()

        report = await roster.load(a_roster().zip())

        assert report.counts == {"added": 0, "changed": 0, "unchanged": ROWS_OF_A_ROSTER, "refused": 0}
        assert await roster.announced() == before

    async def test_the_same_1_1_file_changes_nothing(self, roster: RosterService) -> None:
        await roster.load(an_old_roster().zip())

        report = await roster.load(an_old_roster().zip())

        assert report.counts == {"added": 0, "changed": 0, "unchanged": ROWS_OF_A_ROSTER - 32, "refused": 0}

    async def test_another_order_of_lines_changes_nothing(self, roster: RosterService) -> None:
        await roster.load(a_roster().zip())
        turned = a_roster()
        turned.files = {name: [lines[0], *reversed(lines[1:])] for name, lines in turned.files.items()}

        report = await roster.load(turned.zip())

        assert report.counts["unchanged"] == ROWS_OF_A_ROSTER


class TestSomethingChanged:
    async def test_only_the_changed_row_is_written(self, roster: RosterService) -> None:
        await roster.load(a_roster().zip())
        before = await roster.announced()

        report = await roster.load(a_roster().put("users", "Given7,Family007", "Ada,Lovelace").zip())

        assert report.counts == {"added": 0, "changed": 1, "unchanged": ROWS_OF_A_ROSTER - 1, "refused": 0}
        assert await roster.announced() == before
        assert await roster.look("SELECT family_name FROM people WHERE given_name = 'Ada'") == [
            {"family_name": "Lovelace"}
        ]

    async def test_a_student_who_changes_school_is_announced_alone_with_both_places(
        self, roster: RosterService
    ) -> None:
        await roster.load(a_roster().zip())
        before = len(await roster.announced())
        files = a_roster().put("enrollments", f"s000,student,,{BEGAN},{ENDS}", f"s000,student,,{BEGAN},{TODAY}")
        files.add("enrollments", f"e-new,,,class-south,south,s000,student,,{TODAY},{ENDS}")

        report = await roster.load(files.zip())

        assert (report.counts["added"], report.counts["changed"]) == (1, 1)
        (fact,) = (await roster.announced())[before:]
        assert fact.student == an_id("user", "s000").bytes
        assert {(place.school, place.begin_day, place.end_day) for place in fact.places} == {
            (an_id("org", "north").bytes, _day(BEGAN), _day(TODAY.isoformat())),
            (an_id("org", "south").bytes, _day(TODAY.isoformat()), _day(ENDS)),
        }

    async def test_a_1_1_user_with_another_role_is_one_changed_row(self, roster: RosterService) -> None:
        await roster.load(an_old_roster().zip())

        report = await roster.load(an_old_roster().put("users", "north,teacher", "north,administrator").zip())

        assert (report.counts["added"], report.counts["changed"]) == (0, 1)
        assert report.counts["unchanged"] == ROWS_OF_A_ROSTER - 32 - 1
        held = await roster.look("SELECT role FROM roles WHERE role <> 'student' AND status = 'active' ORDER BY role")
        assert [row["role"] for row in held] == ["administrator", "teacher"]

    async def test_a_later_import_finds_a_row_by_the_crosswalk(self, roster: RosterService) -> None:
        """The identifier a system uses may change; the child's record stays."""
        await roster.load(a_roster().zip())
        async with roster.database.transaction(a_caller()) as tx:
            await tx.run("UPDATE crosswalk SET sourced_id = 'new-sis-1' WHERE type = 'user' AND sourced_id = 's000'")
        files = a_roster()
        for name in ("users", "demographics"):
            files.put(name, "s000,,,", "new-sis-1,,,")
        files.put("roles", ",s000,", ",new-sis-1,").put("enrollments", ",s000,", ",new-sis-1,")

        report = await roster.load(files.zip())

        assert (report.state, report.counts["added"]) == ("applied", 0)
        found = await roster.ask("/students:batch-get", {"sourced_ids": ["new-sis-1"]})
        assert [one["id"] for one in found] == [str(an_id("user", "s000"))]

    async def test_an_identifier_that_is_given_to_another_child_begins_another_record(
        self, roster: RosterService
    ) -> None:
        await roster.load(a_roster().zip())
        async with roster.database.transaction(a_caller()) as tx:
            await tx.run("UPDATE crosswalk SET sourced_id = 'moved' WHERE type = 'user' AND sourced_id = 's000'")
        files = a_roster().add("users", "moved,,,true,moved,,Given0,Family000,,,,,,,4,,,,,,,,")

        report = await roster.load(files.zip())

        assert report.state == "applied"
        rows = await roster.look("SELECT row_id FROM crosswalk WHERE type = 'user' AND sourced_id IN ('moved', 's000')")
        assert len({row["row_id"] for row in rows}) == 2


class TestRowsThatVanish:
    def _without(self, *students: str, of: int = 60) -> Roster:
        files = a_roster(students=of)
        for student in students:
            files.drop("users", f"{student},").drop("roles", f"r-{student},")
            files.drop("enrollments", f"e-{student},").drop("demographics", f"{student},")
        return files

    async def test_one_who_left_ends_today_and_is_announced(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=60).zip())
        before = len(await roster.announced())

        report = await roster.load(self._without("s000").zip())

        assert report.state == "applied"
        assert report.counts["changed"] == 4
        gone = await roster.look("SELECT status, ended_on FROM enrollments WHERE sourced_id = 'e-s000'")
        assert gone == [{"status": "tobedeleted", "ended_on": TODAY}]
        (fact,) = (await roster.announced())[before:]
        assert fact.places[0].end_day == (TODAY - EPOCH).days

    async def test_a_row_that_comes_back_is_active_again(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=60).zip())
        await roster.load(self._without("s000").zip())

        report = await roster.load(a_roster(students=60).zip())

        assert report.counts["changed"] == 4
        rows = await roster.look("SELECT status, ended_on FROM people WHERE id = $1", an_id("user", "s000"))
        assert rows == [{"status": "active", "ended_on": None}]
        assert (await roster.announced())[-1].places[0].end_day == _day(ENDS)

    async def test_more_than_five_percent_of_a_school_are_held_back(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=60).zip())

        report = await roster.load(self._without("s000", "s002").zip(), keep_good=True)

        assert report.state == "held"
        assert {(one.file, one.value) for one in report.holds} >= {("enrollments.csv", "north")}
        assert await roster.look("SELECT count(*) AS n FROM people WHERE status <> 'active'") == [{"n": 0}]

    async def test_a_new_year_with_new_enrolments_is_no_mass_removal(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=60).zip())
        files = a_roster(students=60)
        files.files["enrollments"] = [line.replace("e-", "next-", 1) for line in files.files["enrollments"]]

        report = await roster.load(files.zip())

        assert report.state == "applied"
        assert report.counts["added"] == 62

    async def test_a_file_that_does_not_come_removes_nobody(self, roster: RosterService) -> None:
        await roster.load(a_roster().zip())
        files = a_roster()
        del files.files["demographics"]
        files.manifest = [line.replace("demographics,bulk", "demographics,absent") for line in files.manifest]

        report = await roster.load(files.zip())

        assert report.counts["changed"] == 0
        assert await roster.look("SELECT count(*) AS n FROM demographics WHERE status = 'active'") == [{"n": 30}]


@pytest.mark.skipif(not REAL.is_dir(), reason="the real files are not here")
class TestRealFiles:
    async def test_the_1_1_archive_loads_and_every_repair_is_told(self, roster: RosterService) -> None:
        report = await roster.load((REAL / "Test_full_data_set.zip").read_bytes())

        assert (report.state, report.problem_count) == ("applied", 0)
        assert report.counts == {"added": 20, "changed": 0, "unchanged": 0, "refused": 0}
        told = {(one.file, one.line, one.column, one.value, one.rule) for one in report.repairs}
        assert ("classes.csv", 2, "classType", "Scheduled", "letter-case") in told
        assert ("users.csv", 2, "enabledUser", "TRUE", "letter-case") in told
        assert ("academicSessions.csv", 4, "status", "inactive", "status-inactive") in told
        assert ("orgs.csv", 2, "parentSourcedId", "org-sch-222-3456", "unknown-reference") in told
        assert ("classes.csv", 3, "courseSourcedId", "crs-222-2023-456-23456", "unknown-reference") in told

    async def test_the_1_2_archive_loads_and_every_repair_is_told(self, roster: RosterService) -> None:
        report = await roster.load((REAL / "v1p2_full_dataset.zip").read_bytes())

        assert (report.state, report.problem_count) == ("applied", 0)
        assert report.counts == {"added": 27, "changed": 0, "unchanged": 0, "refused": 0}
        assert report.repair_count == len(report.repairs)
        told = {(one.file, one.line, one.column, one.value, one.rule) for one in report.repairs}
        assert ("users.csv", 1, "preferredGivenName", "prefferedGivenName", "header-spelling") in told
        assert ("users.csv", 2, "dateLastModified", "1/05/2023", "date-order") in told
        assert ("roles.csv", 1, "dateLastModified", "dataLastModified", "header-spelling") in told
        assert ("roles.csv", 1, None, "", "header-empty") in told
        assert ("userprofiles.csv", None, None, None, "present-but-absent") in told
        assert ("manifest.csv", 22, "file.userProfiles", None, "manifest-value") in told
        names = await roster.look("SELECT preferred_given_name AS name FROM people WHERE given_name = 'Thomas'")
        assert names == [{"name": "Tom"}]

    async def test_both_again_change_nothing(self, roster: RosterService) -> None:
        archives = [(REAL / name).read_bytes() for name in ("Test_full_data_set.zip", "v1p2_full_dataset.zip")]
        for archive, district in zip(archives, (DISTRICT, OTHER_DISTRICT), strict=True):
            await roster.load(archive, district=district)

        again = [
            await roster.load(archive, district=district)
            for archive, district in zip(archives, (DISTRICT, OTHER_DISTRICT), strict=True)
        ]

        assert [(one.counts["added"], one.counts["changed"]) for one in again] == [(0, 0), (0, 0)]

    async def test_a_district_may_go_from_one_to_the_other(self, roster: RosterService) -> None:
        await roster.load((REAL / "Test_full_data_set.zip").read_bytes())

        held = await roster.load((REAL / "v1p2_full_dataset.zip").read_bytes())
        report = await roster.approve(held.id)

        assert (held.state, report.state) == ("held", "applied")
        assert report.counts["added"] == 7
