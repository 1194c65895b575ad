"""A person is asked before many leave, or a file is absent or far shorter than before."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import Conflict
from shared.imports import Report
from tests.integration.roster.archives import BEGAN, ENDED, ENDS, TODAY, Roster, a_roster
from tests.integration.roster.conftest import DISTRICT, OTHER_DISTRICT, RosterService, a_caller

MANY = 60
SOON = (TODAY + timedelta(days=20)).isoformat()


def _without(*students: str, of: int = MANY, only: tuple[str, ...] = ()) -> Roster:
    """A roster that these students are missing from; `only`: from these files."""
    files = a_roster(students=of)
    for name, before in (("users", ""), ("roles", "r-"), ("enrollments", "e-"), ("demographics", "")):
        if not only or name in only:
            files.drop(name, *(f"{before}{student}," for student in students))
    return files


def _delta(files: Roster, **rows: list[str]) -> Roster:
    """Only these rows, as a delta."""
    files.files = {name: [files.files[name][0], *lines] for name, lines in rows.items()}
    files.manifest = [
        f"{line.partition(',')[0]},{'delta' if line.partition(',')[0][5:] in rows else 'absent'}"
        if line.startswith("file.")
        else line
        for line in files.manifest
    ]
    return files


def _held_by(report: Report) -> set[tuple[str, str | None]]:
    return {(one.rule, one.value) for one in report.holds}


async def _decide(roster: RosterService, report: Report, what: str) -> Report:
    await roster.client.send(f"/imports/{report.id}:{what}", {}, a_caller())
    await roster.imports.advance(report.id, DISTRICT)
    return await roster.report(report.id)


async def _guard(roster: RosterService, **changed: Any) -> None:
    await roster.client.send("/guard", changed, a_caller())


class TestASchool:
    async def test_that_more_than_a_twentieth_would_leave_asks_a_person_and_says_how_many(
        self, roster: RosterService
    ) -> None:
        await roster.load(a_roster(students=MANY).zip())

        report = await roster.load(_without("s000", "s002").zip())

        assert report.state == "held"
        [hold] = [one for one in report.holds if one.rule == "mass-removal"]
        assert (hold.file, hold.column, hold.value) == ("enrollments.csv", "schoolSourcedId", "north")
        assert "2 of the 31 people of School north would leave (6 %; without asking 5 % may)" in hold.remedy
        assert "approve" in hold.remedy
        assert await roster.look("SELECT count(*) AS n FROM people WHERE status <> 'active'") == [{"n": 0}]

    async def test_may_always_lose_one(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=8).zip())

        assert (await roster.load(_without("s000", of=8).zip())).state == "applied"

    async def test_loses_nobody_who_moves_within_it_or_comes_under_another_enrolment(
        self, roster: RosterService
    ) -> None:
        await roster.load(a_roster(students=MANY).zip())
        files = a_roster(students=MANY)
        files.files["enrollments"] = [line.replace("e-s", "again-s", 1) for line in files.files["enrollments"]]

        assert (await roster.load(files.zip())).state == "applied"

    @pytest.mark.parametrize(
        "leave",
        [
            lambda files, who: files.put("enrollments", f"e-{who},,,", f"e-{who},tobedeleted,,"),
            lambda files, who: files.put("enrollments", f"{who},student,,", f"{who},student,,2020-01-01,{ENDED},#"),
            lambda files, who: files.put("users", f"{who},,,true", f"{who},tobedeleted,,true"),
        ],
        ids=["enrolment tobedeleted", "enrolment ended", "user tobedeleted"],
    )
    async def test_that_people_leave_as_their_rows_say_asks_too(self, roster: RosterService, leave: Any) -> None:
        await roster.load(a_roster(students=MANY).zip())
        files = a_roster(students=MANY)
        for who in ("s000", "s002", "s004"):
            leave(files, who)
        files.files["enrollments"] = [line.partition(",#")[0] for line in files.files["enrollments"]]

        report = await roster.load(files.zip())

        assert ("mass-removal", "north") in _held_by(report)

    async def test_is_guarded_in_a_delta_too(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=MANY).zip())
        lines = [
            f"e-{who},tobedeleted,2027-01-01T00:00:00Z,class-north,north,{who},student,,2026-01-01,{ENDS}"
            for who in ("s000", "s002", "s004")
        ]

        report = await roster.load(_delta(a_roster(), enrollments=lines).zip())

        assert _held_by(report) == {("mass-removal", "north")}

    async def test_whose_people_left_before_is_not_asked_about_again(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=MANY).zip())
        ended = a_roster(students=MANY)
        await _decide(roster, await roster.load(_without("s000", "s002", "s004").zip()), "approve")

        again = await roster.load(_without("s000", "s002", "s004").zip())

        assert (again.state, again.counts["changed"]) == ("applied", 0)
        assert (await roster.load(ended.zip())).state == "applied"

    @pytest.mark.parametrize("begins", [None, SOON], ids=["no enrolment yet", "enrolments begin later"])
    async def test_watches_over_students_whose_classes_have_not_begun(
        self, roster: RosterService, begins: str | None
    ) -> None:
        def files(*without: str) -> Roster:
            found = _without(*without)
            if begins is None:
                return found.drop("enrollments", "e-s")
            return found.put("enrollments", f"student,,{BEGAN}", f"student,,{begins}")

        await roster.load(files().zip())

        report = await roster.load(files("s000", "s002", "s004").zip())

        assert _held_by(report) >= {("mass-removal", "north")}
        assert ("mass-removal", "south") not in _held_by(report)

    async def test_watches_over_guardians(self, roster: RosterService) -> None:
        def files(guardians: int) -> Roster:
            found = a_roster(students=MANY)
            for number in range(guardians):
                name = f"g{number:03}"
                found.add("users", f"{name},,,true,{name},,Gu,Ardian,,,,,,,,,,,,,,,")
                found.add("roles", f"r-{name},,,{name},primary,guardian,{BEGAN},,north,")
            return found

        await roster.load(files(20).zip())

        assert _held_by(await roster.load(files(14).zip())) == {("mass-removal", "north")}
        assert (await roster.load(files(19).zip())).state == "applied"

    @pytest.mark.parametrize("keep_good", [False, True])
    async def test_that_ends_itself_asks_a_person(self, roster: RosterService, keep_good: bool) -> None:
        await roster.load(a_roster(students=MANY).zip())
        ended = "north,tobedeleted,2027-01-01T00:00:00Z,School north,school,S0,district,charter,40.5,-73.9,555-0100"
        files = a_roster(students=MANY).drop("orgs", "north,") if keep_good else _delta(a_roster(), orgs=[ended])

        report = await roster.load(files.zip(), keep_good=keep_good)

        assert report.state == "held"
        assert ("mass-removal", "north") in _held_by(report)


class TestAClass:
    async def test_that_ends_itself_asks_a_person(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=MANY).zip())
        ended = (
            "class-north,tobedeleted,2027-01-01T00:00:00Z,Maths north,4,maths,M,scheduled,R1,north,term,Mathematics,,1"
        )

        report = await roster.load(_delta(a_roster(), classes=[ended]).zip())

        assert _held_by(report) == {("class-removal", "class-north")}

    async def test_that_half_would_leave_asks_a_person(self, roster: RosterService) -> None:
        files = a_roster(students=MANY)
        small = [f"small-{n},,,small,north,s{2 * n:03},student,,{TODAY},{ENDS}" for n in range(6)]
        files.add("classes", "small,,,Small,4,maths,S,scheduled,R2,north,term,Mathematics,,2")
        files.add("enrollments", *small)
        await roster.load(files.zip())

        report = await roster.load(files.drop("enrollments", "small-0,", "small-1,", "small-2,").zip())

        [hold] = report.holds
        assert (hold.rule, hold.column, hold.value) == ("class-removal", "classSourcedId", "small")
        assert "3 of the 6 students of Small would leave" in hold.remedy

    async def test_may_lose_fewer_than_half(self, roster: RosterService) -> None:
        files = a_roster(students=MANY)
        files.add("classes", "small,,,Small,4,maths,S,scheduled,R2,north,term,Mathematics,,2")
        files.add("enrollments", *(f"small-{n},,,small,north,s{2 * n:03},student,,{TODAY},{ENDS}" for n in range(6)))
        await roster.load(files.zip())

        assert (await roster.load(files.drop("enrollments", "small-0,", "small-1,").zip())).state == "applied"

    async def test_of_four_is_not_watched(self, roster: RosterService) -> None:
        files = a_roster(students=MANY)
        files.add("classes", "small,,,Small,4,maths,S,scheduled,R2,north,term,Mathematics,,2")
        files.add("enrollments", *(f"small-{n},,,small,north,s{2 * n:03},student,,{TODAY},{ENDS}" for n in range(4)))
        await roster.load(files.zip())

        assert (await roster.load(files.drop("enrollments", "small-").zip())).state == "applied"


class TestAFile:
    async def test_that_was_there_and_is_absent_asks_a_person(self, roster: RosterService) -> None:
        await roster.load(a_roster().zip())
        files = a_roster()
        del files.files["demographics"]
        files.manifest = [line.replace("demographics,bulk", "demographics,absent") for line in files.manifest]

        report = await roster.load(files.zip())

        assert [(one.rule, one.file) for one in report.holds] == [("absent-file", "demographics.csv")]
        assert "brought 30 rows" in report.holds[0].remedy
        applied = await _decide(roster, report, "approve")
        assert (applied.state, applied.counts["changed"]) == ("applied", 0)
        assert (await roster.load(files.zip())).state == "applied"  # what was absent the last time is not missed

    async def test_that_is_far_shorter_or_longer_than_before_asks_a_person(self, roster: RosterService) -> None:
        files = a_roster(students=4).add("courses", *(f"course-{n},,,year,C {n},C{n},4,district,," for n in range(30)))
        await roster.load(files.zip())

        shorter = await roster.load(files.drop("courses", "course-1").zip())
        longer = a_roster(students=4).add("courses", *(f"other-{n},,,year,O {n},O{n},4,district,," for n in range(80)))

        assert [(one.rule, one.file, one.value) for one in shorter.holds] == [("row-count", "courses.csv", "20")]
        report = await roster.load(longer.zip())
        assert [(one.rule, one.file, one.value) for one in report.holds] == [("row-count", "courses.csv", "81")]

    async def test_may_be_absent_from_a_delta(self, roster: RosterService) -> None:
        await roster.load(a_roster().zip())
        line = "s000,active,2027-01-01T00:00:00Z,true,s000,,New,Name,,,,,,,4,,,,,,,,"

        report = await roster.load(_delta(a_roster(), users=[line]).zip())

        assert (report.state, report.holds) == ("applied", [])


class TestApproval:
    async def test_lets_it_pass(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=MANY).zip())
        held = await roster.load(_without("s000", "s002").zip())

        report = await _decide(roster, held, "approve")

        assert (report.state, report.holds, report.approved_by) == ("applied", [], "key:test")
        gone = await roster.look("SELECT sourced_id FROM people WHERE status <> 'active' ORDER BY 1")
        assert [row["sourced_id"] for row in gone] == ["s000", "s002"]

    async def test_is_for_what_was_seen_and_asks_again_when_others_came_meanwhile(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=100).zip())
        fewer = await _decide(roster, await roster.load(a_roster(students=MANY).zip()), "approve")
        held = await roster.load(_without("s000", "s002").zip())
        assert (await _decide(roster, fewer, "undo")).state == "undone"

        report = await _decide(roster, held, "approve")

        assert (report.state, report.approved_by) == ("held", None)
        assert _held_by(report) >= {("mass-removal", "north"), ("mass-removal", "south")}
        assert await roster.look("SELECT FROM people WHERE status <> 'active'") == []
        again = await _decide(roster, report, "approve")
        assert (again.state, again.approved_by) == ("applied", "key:test")

    async def test_is_not_given_to_a_file_behind_which_a_newer_one_was_applied(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=MANY).zip())
        held = await roster.load(_without("s000", "s002").zip())
        newer = await roster.load(a_roster(students=MANY + 2).zip())

        with pytest.raises(Conflict, match=f"roster-{newer.id}, has been applied since"):
            await _decide(roster, held, "approve")

        assert await roster.look("SELECT FROM people WHERE status <> 'active'") == []
        again = await roster.load(_without("s000", "s002").zip())
        assert (again.state, (await _decide(roster, again, "approve")).state) == ("held", "applied")

    async def test_of_a_file_that_breaks_a_rule_is_not_asked_for(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=MANY).zip())
        files = _without("s000", "s002").add("orgs", "wrong,,,Wrong,nonsense,W,,,,,")

        assert (await roster.load(files.zip())).state == "refused"

    async def test_is_not_needed_for_a_dry_run_which_tells_what_would_hold_it(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=MANY).zip())

        async def body() -> Any:
            yield _without("s000", "s002").zip()

        import_id = await roster.imports.stage(a_caller(), "roster", body(), False, None, {"dry_run": "true"})
        await roster.imports.advance(import_id, DISTRICT)
        report = await roster.report(import_id)

        assert report.state == "reported"
        assert ("mass-removal", "north") in _held_by(report)
        assert report.summary["diff"]["types"]["users"]["leaving"] == 2
        assert (await _decide(roster, report, "apply")).state == "held"


class TestThresholds:
    async def test_are_the_districts_own(self, roster: RosterService) -> None:
        for district in (DISTRICT, OTHER_DISTRICT):
            await roster.load(a_roster(students=MANY).zip(), district=district)
        await _guard(roster, school_percent=10, class_percent=60)

        ours = await roster.load(_without("s000", "s002").zip())
        theirs = await roster.load(_without("s000", "s002").zip(), district=OTHER_DISTRICT)

        assert (ours.state, theirs.state) == ("applied", "held")

    async def test_may_allow_absent_files_and_any_number_of_rows(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=4).add("courses", *(f"c-{n},,,year,C,C,4,,," for n in range(30))).zip())
        await _guard(roster, absent_files="allow", rows_least_percent=0)
        files = a_roster(students=4)
        del files.files["demographics"]
        files.manifest = [line.replace("demographics,bulk", "demographics,absent") for line in files.manifest]

        assert (await roster.load(files.zip())).state == "applied"

    async def test_are_told_and_kept(self, roster: RosterService) -> None:
        await _guard(roster, school_percent=7.5)

        assert (await roster.client.get("/guard", a_caller()))["school_percent"] == 7.5
        assert (await roster.client.get("/guard", a_caller(OTHER_DISTRICT)))["school_percent"] == 5

    async def test_change_only_in_what_is_said(self, roster: RosterService) -> None:
        await _guard(roster, school_percent=7.5)

        told = await roster.client.send("/guard", {"class_least": 9}, a_caller())

        assert (told["school_percent"], told["class_least"], told["class_percent"]) == (7.5, 9, 50)
        assert await roster.client.get("/guard", a_caller()) == told

    async def test_of_two_who_change_different_ones_at_once_both_are_heard(self, roster: RosterService) -> None:
        for n in range(3):
            await asyncio.gather(_guard(roster, school_percent=10 + n), _guard(roster, class_percent=60 + n))

            known = await roster.client.get("/guard", a_caller())
            assert (known["school_percent"], known["class_percent"]) == (10 + n, 60 + n)
