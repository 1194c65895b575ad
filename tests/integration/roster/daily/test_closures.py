"""Closures of schools and classes come as a file, are corrected, taken back, announced, and told for a day."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb
from tests.integration.roster.conftest import OTHER_DISTRICT, a_caller, an_id
from tests.integration.roster.daily.conftest import DailyRoster

HEADER = "school,class,begin,end,modality,reason\n"
CLOSED = (
    f"{HEADER}S1,,2026-09-14,2026-09-16,remote,No water\nS1,C1,2026-09-16,,paper,\nS2,,2026-09-18,2026-09-18,,Snow\n"
)


async def on(daily: DailyRoster, day: str, known_on: str | None = None, caller: Any = None) -> dict[str, list[Any]]:
    """By school: class, end, modality and reason of what is closed on a day."""
    names = {str(an_id("org", name)): name for name in ("S1", "S2")}
    schools = list(names)
    answer = await daily.ask("/closures:batch-list", {"schools": schools, "day": day, "known_on": known_on}, caller)
    return {
        names[one["school"]]: [(c["section"], c["end"], c["modality"], c["reason"]) for c in one["closures"]]
        for one in answer
    }


async def test_a_closure_holds_from_its_begin_to_its_last_day(daily: DailyRoster) -> None:
    report = await daily.load("closures", CLOSED)

    assert report.counts == {"added": 3, "changed": 0, "unchanged": 0, "refused": 0}
    whole = (None, "2026-09-17", "remote", "No water")
    of_class = (str(an_id("class", "C1")), None, "paper", None)
    assert await on(daily, "2026-09-13") == {}
    assert await on(daily, "2026-09-14") == {"S1": [whole]}
    assert await on(daily, "2026-09-16") == {"S1": [whole, of_class]}
    assert await on(daily, "2026-09-17") == {"S1": [of_class]}
    assert await on(daily, "2026-09-18") == {"S1": [of_class], "S2": [(None, "2026-09-19", None, "Snow")]}


async def test_the_same_file_again_changes_and_announces_nothing(daily: DailyRoster) -> None:
    await daily.load("closures", CLOSED)
    before = await daily.announced(pb.ClosuresChanged)

    report = await daily.load("closures", CLOSED)

    assert report.counts == {"added": 0, "changed": 0, "unchanged": 3, "refused": 0}
    assert len(before) == 3
    assert await daily.announced(pb.ClosuresChanged) == before


async def test_a_correction_replaces_what_was_said_and_what_was_known_before_is_still_found(daily: DailyRoster) -> None:
    await daily.load("closures", CLOSED)
    await daily.change("UPDATE closures SET recorded_at = recorded_at - interval '8 days'")
    week_ago = (datetime.now(UTC).date() - timedelta(days=7)).isoformat()

    report = await daily.load("closures", f"{HEADER}S2,,2026-09-18,2026-09-21,remote,Snow\n")

    assert report.counts["changed"] == 1
    assert (await on(daily, "2026-09-20"))["S2"] == [(None, "2026-09-22", "remote", "Snow")]
    assert "S2" not in await on(daily, "2026-09-20", week_ago)
    assert (await on(daily, "2026-09-18", week_ago))["S2"] == [(None, "2026-09-19", None, "Snow")]


async def test_a_closure_that_is_taken_back_holds_no_more(daily: DailyRoster) -> None:
    await daily.load("closures", CLOSED)

    report = await daily.load("closures", "school,begin,status\nS2,2026-09-18,tobedeleted\n")

    assert report.counts == {"added": 0, "changed": 1, "unchanged": 0, "refused": 0}
    assert "S2" not in await on(daily, "2026-09-18")
    assert (await daily.announced(pb.ClosuresChanged))[-1].withdrawn


async def test_a_fact_carries_ids_days_and_the_modality_but_no_reason(daily: DailyRoster) -> None:
    await daily.load("closures", CLOSED)

    facts = await daily.announced(pb.ClosuresChanged)

    whole, of_class, last = sorted(facts, key=lambda fact: fact.begin_day)
    assert UUID(bytes=whole.school) == an_id("org", "S1")
    assert getattr(whole, "class") == b""
    assert UUID(bytes=getattr(of_class, "class")) == an_id("class", "C1")
    days = [date(1970, 1, 1) + timedelta(days=day) for day in (last.begin_day, last.end_day)]
    assert days == [date(2026, 9, 18), date(2026, 9, 19)]
    assert not of_class.HasField("end_day")
    assert (whole.modality, last.modality) == ("remote", "")
    assert len({whole.closure, of_class.closure, last.closure}) == 3


@pytest.mark.parametrize(
    ("row", "column", "rule"),
    [
        ("S9,,2026-09-14,,,", "school", "unknown-school"),
        ("D1,,2026-09-14,,,", "school", "not-a-school"),
        ("S1,C9,2026-09-14,,,", "class", "unknown-class"),
        ("S1,C2,2026-09-14,,,", "class", "class-of-another-school"),
        ("S1,,2026-09-14,2026-09-13,,", "end", "dates-reversed"),
        ("S1,,soon,,,", "begin", "date"),
        ("S1,,2026-09-14,later,,", "end", "date"),
        ("S1,,2026-09-14,,by mail,", "modality", "modality"),
        (",,2026-09-14,,,", "school", "required"),
        ("S1,,2026-09-14,,,\nS1,,2026-09-14,2026-09-20,,", "begin", "said-twice"),
    ],
)
async def test_a_row_that_breaks_a_rule_is_told_with_its_place_and_refuses_the_file(
    daily: DailyRoster, row: str, column: str, rule: str
) -> None:
    report = await daily.load("closures", f"{HEADER}S2,,2026-09-18,,,\n{row}\n")

    [problem] = report.problems
    line = 3 + row.count("\n")
    assert (problem.file, problem.line, problem.column, problem.rule) == ("closures.csv", line, column, rule)
    assert report.state == "refused"
    assert await on(daily, "2026-09-18") == {}


async def test_a_status_that_there_is_not_is_a_problem(daily: DailyRoster) -> None:
    report = await daily.load("closures", "school,begin,status\nS2,2026-09-18,gone\n")

    assert [problem.rule for problem in report.problems] == ["status"]


async def test_a_key_of_a_school_sees_its_own_closures_and_another_district_none(daily: DailyRoster) -> None:
    await daily.load("closures", CLOSED)

    assert set(await on(daily, "2026-09-18", caller=a_caller(schools=("S2",)))) == {"S2"}
    assert await on(daily, "2026-09-18", caller=a_caller(OTHER_DISTRICT)) == {}
