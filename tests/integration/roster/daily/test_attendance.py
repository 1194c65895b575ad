"""Attendance comes as a file, is corrected, taken back, announced, and told to those who may know."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from shared.auth import SCOPES
from shared.errors import Forbidden, Invalid
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb
from tests.integration.roster.conftest import OTHER_DISTRICT, a_caller, an_id
from tests.integration.roster.daily.conftest import DailyRoster

HEADER = "student,date,school,code,modality\n"
TWO_DAYS = (
    f"{HEADER}P1,2026-09-14,S1,P,in person\nP2,2026-09-14,S1,A,\nP1,2026-09-15,S1,Q7,remote\nP3,2026-09-15,S2,t,\n"
)
EVERYONE = [an_id("user", name) for name in ("P1", "P2", "P3")]


def ask(students: list[UUID] = EVERYONE, known_on: str | None = None) -> dict[str, object]:
    return {
        "students": [str(one) for one in students],
        "begin": "2026-09-14",
        "end": "2026-09-16",
        "known_on": known_on,
    }


async def told(daily: DailyRoster, **how: str | None) -> dict[str, list[tuple[str, str, str | None, str | None]]]:
    """By student: day, code, status and modality."""
    names = {str(an_id("user", name)): name for name in ("P1", "P2", "P3")}
    answer = await daily.ask("/attendance:batch-list", ask(known_on=how.get("known_on")))
    return {
        names[one["student"]]: [(day["day"], day["code"], day["status"], day["modality"]) for day in one["days"]]
        for one in answer
    }


async def test_a_file_is_kept_as_the_district_says_it_and_told_with_what_its_codes_mean(daily: DailyRoster) -> None:
    report = await daily.load("attendance", TWO_DAYS)

    assert (report.state, report.counts) == ("applied", {"added": 4, "changed": 0, "unchanged": 0, "refused": 0})
    assert report.summary["codes"] == {"means": {"Absence": 1, "Present": 1, "Tardy": 1}, "unknown": {"Q7": 1}}
    assert await told(daily) == {
        "P1": [("2026-09-14", "P", "Present", "in person"), ("2026-09-15", "Q7", None, "remote")],
        "P2": [("2026-09-14", "A", "Absence", None)],
        "P3": [("2026-09-15", "t", "Tardy", None)],
    }


async def test_the_same_file_again_changes_and_announces_nothing(daily: DailyRoster) -> None:
    await daily.load("attendance", TWO_DAYS)
    before = await daily.announced(pb.AttendanceRecorded)

    report = await daily.load("attendance", TWO_DAYS)

    assert report.counts == {"added": 0, "changed": 0, "unchanged": 4, "refused": 0}
    assert len(before) == 4
    assert await daily.announced(pb.AttendanceRecorded) == before


async def test_a_correction_replaces_what_was_said_and_what_was_known_before_is_still_found(daily: DailyRoster) -> None:
    await daily.load("attendance", TWO_DAYS)
    week_ago = (datetime.now(UTC).date() - timedelta(days=7)).isoformat()
    await daily.change("UPDATE attendance SET recorded_at = recorded_at - interval '8 days'")

    report = await daily.load("attendance", f"{HEADER}P2,2026-09-14,S1,E,\n")

    assert report.counts == {"added": 0, "changed": 1, "unchanged": 0, "refused": 0}
    assert (await told(daily))["P2"] == [("2026-09-14", "E", "ExcusedAbsence", None)]
    assert (await told(daily, known_on=week_ago))["P2"] == [("2026-09-14", "A", "Absence", None)]
    assert len(await told(daily, known_on=week_ago)) == 3


async def test_what_is_taken_back_is_known_no_more_and_announced_as_withdrawn(daily: DailyRoster) -> None:
    await daily.load("attendance", TWO_DAYS)
    withdrawal = "student,date,school,code,status\nP3,2026-09-15,S2,t,tobedeleted\nP2,2026-09-15,S1,A,tobedeleted\n"

    report = await daily.load("attendance", withdrawal)

    assert report.counts == {"added": 0, "changed": 1, "unchanged": 1, "refused": 0}
    assert set(await told(daily)) == {"P1", "P2"}
    last = (await daily.announced(pb.AttendanceRecorded))[-1]
    assert (last.student, last.withdrawn) == (an_id("user", "P3").bytes, True)


async def test_a_fact_carries_ids_a_day_and_codes(daily: DailyRoster) -> None:
    await daily.load("attendance", f"{HEADER}P1,2026-09-14,S1,P,in person\n")

    [fact] = await daily.announced(pb.AttendanceRecorded)

    assert UUID(bytes=fact.student) == an_id("user", "P1")
    assert UUID(bytes=fact.school) == an_id("org", "S1")
    assert date(1970, 1, 1) + timedelta(days=fact.day) == date(2026, 9, 14)
    assert (fact.code, fact.modality, fact.withdrawn) == ("P", "in person", False)


@pytest.mark.parametrize(
    ("row", "column", "rule"),
    [
        ("P9,2026-09-14,S1,P,", "student", "unknown-student"),
        ("T1,2026-09-14,S1,P,", "student", "unknown-student"),
        ("P1,2026-09-14,S9,P,", "school", "unknown-school"),
        ("P1,2026-09-14,D1,P,", "school", "not-a-school"),
        ("P1,14.9.2026,S1,P,", "date", "date"),
        ("P1,2026-02-30,S1,P,", "date", "date"),
        ("P1,2026-09-14,S1,,", "code", "required"),
        (f"P1,2026-09-14,S1,{'P' * 51},", "code", "code"),
        ("P1,2026-09-14,S1,P,by mail", "modality", "modality"),
        ("P1,2026-09-14,S1,P", None, "cell-count"),
        ("P1,2026-09-14,S1,P\0,", "code", "text"),
        ("P2,2026-09-15,S1,A,\nP1,2026-09-14,S1,P,\nP1,2026-09-14,S1,A,", "student", "recorded-twice"),
    ],
)
async def test_a_row_that_breaks_a_rule_is_told_with_its_place_and_refuses_the_file(
    daily: DailyRoster, row: str, column: str | None, rule: str
) -> None:
    report = await daily.load("attendance", f"{HEADER}P3,2026-09-15,S2,P,\n{row}\n")

    [problem] = report.problems
    line = 3 + row.count("\n")
    assert (problem.file, problem.line, problem.column, problem.rule) == ("attendance.csv", line, column, rule)
    assert (report.state, report.counts["refused"]) == ("refused", 1)
    assert await told(daily) == {}
    assert await daily.announced(pb.AttendanceRecorded) == []


@pytest.mark.parametrize(
    ("content", "line", "rule"),
    [
        (b"", 1, "header"),
        (b"student,date,code\n", 1, "missing-column"),
        (b"student,date,school,code,lesson\n", 1, "unknown-column"),
        (b"student,date,school,code,code\n", 1, "duplicate-column"),
        (HEADER.encode() + b"P1,2026-09-14,S1,\xe9,\n", 2, "not-utf8"),
        (HEADER.encode() + b'P1,2026-09-14,S1,"P" x,\n', 2, "csv"),
        (HEADER.encode() + b'P1,2026-09-14,S1,"P,\n', 2, "csv"),
        (HEADER.encode() + b"P1,2026-09-14,S1," + b"P" * 70_000 + b",\n", 2, "line-too-long"),
    ],
)
async def test_a_file_that_cannot_be_read_to_its_end_is_refused_whole(
    daily: DailyRoster, content: bytes, line: int, rule: str
) -> None:
    if content:
        report = await daily.load("attendance", content, keep_good=True)
    else:
        report = await daily.load("attendance", "\n", keep_good=True)

    assert report.state == "refused"
    assert (report.problems[0].line, report.problems[0].rule) == (line, rule)


async def test_with_keep_good_the_good_rows_are_kept(daily: DailyRoster) -> None:
    text = "\ufeffStudent,DATE,school,code\r\nP9,2026-09-14,S1,P\r\n\r\nP1,2026-09-14,S1,P\r\n"

    report = await daily.load("attendance", text, keep_good=True)

    assert (report.state, report.counts["added"], report.counts["refused"]) == ("applied", 1, 1)
    assert report.problems[0].line == 2
    assert set(await told(daily)) == {"P1"}


async def test_a_dry_run_counts_and_changes_nothing(daily: DailyRoster) -> None:
    report = await daily.load("attendance", TWO_DAYS, dry_run="true")

    assert (report.state, report.counts["added"]) == ("reported", 4)
    assert await told(daily) == {}
    assert await daily.announced(pb.AttendanceRecorded) == []


async def test_of_many_wrong_rows_the_first_thousand_are_described_and_all_are_counted(daily: DailyRoster) -> None:
    rows = "".join(f"X{number},2026-09-14,S1,P,\n" for number in range(1_500))

    report = await daily.load("attendance", HEADER + rows)

    assert (report.problem_count, report.counts["refused"]) == (1_500, 1_500)
    assert len(report.problems) == 1_000


async def test_a_district_says_nothing_of_another_ones_students(daily: DailyRoster) -> None:
    await daily.load("attendance", TWO_DAYS)
    there = a_caller(OTHER_DISTRICT)

    theirs = [an_id("user", name, OTHER_DISTRICT) for name in ("P1", "P2", "P3")]
    assert await daily.ask("/attendance:batch-list", ask(EVERYONE), there) == []
    assert await daily.ask("/attendance:batch-list", ask(theirs), there) == []


async def test_a_key_of_a_school_sees_its_own_students_days_there(daily: DailyRoster) -> None:
    await daily.load("attendance", f"{TWO_DAYS}P3,2026-09-14,S1,P,\n")

    answer = await daily.ask("/attendance:batch-list", ask(), a_caller(schools=("S1",)))

    assert {one["student"] for one in answer} == {str(an_id("user", name)) for name in ("P1", "P2")}


async def test_who_may_not_read_the_roster_may_not_read_attendance(daily: DailyRoster) -> None:
    with pytest.raises(Forbidden):
        await daily.ask("/attendance:batch-list", ask(), a_caller(scopes=SCOPES - {"roster:read"}))


@pytest.mark.parametrize(("begin", "end"), [("2026-09-16", "2026-09-16"), ("2026-09-14", "2027-09-16")])
async def test_a_question_spans_a_day_to_a_year(daily: DailyRoster, begin: str, end: str) -> None:
    with pytest.raises(Invalid):
        await daily.ask("/attendance:batch-list", ask() | {"begin": begin, "end": end})
