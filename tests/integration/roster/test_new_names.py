"""A migration in which schools, terms, courses, classes and people all get new names: each goes on as what it was."""

import re

from tests.integration.roster.archives import Roster, a_roster
from tests.integration.roster.conftest import RosterService, a_caller, an_id
from tests.integration.roster.test_undo import _decide as decide

_KINDS = ("orgs", "academic_sessions", "courses", "classes", "people")


def with_state_ids(students: int = 30) -> Roster:
    files = a_roster(students)
    for number in range(students):
        files.put("users", f"Family{number:03},,,,,,,4,,,", f"Family{number:03},,,,,,,4,,STATE-{number},")
    for number, school in enumerate(("north", "south")):
        files.put("users", f"teacher-{school},,,true,t{number},,Tea,Cher,,,,,,,,secret,,",
                  f"teacher-{school},,,true,t{number},,Tea,Cher,,,,,,,,secret,TEACHER-{number},")  # fmt: skip
    return files


def renamed(files: Roster) -> Roster:
    """The same district under other sourcedIds."""
    keys = {"orgs": (0, 6), "academicSessions": (0, 7), "courses": (0, 3, 7), "classes": (0, 5, 9, 10),
            "users": (0, 21), "roles": (0, 3, 8), "enrollments": (0, 3, 4, 5), "demographics": (0,)}  # fmt: skip
    for name, places in keys.items():
        head, *lines = files.files[name]
        made = [head]
        for line in lines:
            cells = re.split(r',(?=(?:[^"]*"[^"]*")*[^"]*$)', line)
            for place in places:
                cells[place] = f"m-{cells[place]}" if cells[place] else ""
            made.append(",".join(cells))
        files.files[name] = made
    return files


async def named(roster: RosterService) -> dict[str, dict[str, str]]:
    """The active records of the kinds with an identity: their names by their ids."""
    return {
        kind: {
            str(row["id"]): row["sourced_id"]
            for row in await roster.look(f"SELECT id, sourced_id FROM {kind} WHERE status = 'active'")
        }
        for kind in _KINDS
    }


async def test_everything_goes_on_under_its_new_name(roster: RosterService) -> None:
    await roster.load(with_state_ids().zip())
    before = await named(roster)

    report = await roster.load(renamed(with_state_ids()).zip())
    if report.state == "held":
        report = await decide(roster, report, "approve")

    assert (report.state, report.problems) == ("applied", [])
    assert await named(roster) == {
        kind: {id_: f"m-{name}" for id_, name in some.items()} for kind, some in before.items()
    }
    assert report.summary["identity"]["reattached"] == {kind_of[kind]: len(some) for kind, some in before.items()}
    [placed] = await roster.look("SELECT count(DISTINCT person_id) AS people FROM placements WHERE as_student")
    assert placed["people"] == 30


kind_of = {"orgs": "orgs", "academic_sessions": "academicSessions", "courses": "courses", "classes": "classes",
           "people": "users"}  # fmt: skip


async def test_who_is_not_the_only_one_of_a_sort_begins_anew(roster: RosterService) -> None:
    twice = with_state_ids().put("orgs", "school,S1,", "school,S0,")
    await roster.load(twice.zip())

    report = await roster.load(renamed(with_state_ids().put("orgs", "school,S1,", "school,S0,")).zip())
    if report.state == "held":
        report = await decide(roster, report, "approve")

    assert report.summary["identity"]["reattached"]["orgs"] == 1
    schools = await roster.look("SELECT id, status FROM orgs WHERE type = 'school'")
    assert len(schools) == 4
    [ada] = await roster.look("SELECT sourced_id FROM people WHERE id = $1", an_id("user", "s000"))
    assert ada["sourced_id"] == "m-s000"


async def test_former_numbers_leave_entries_that_have_ended(roster: RosterService) -> None:
    await roster.load(with_state_ids().zip())

    await roster.load(with_state_ids().put("users", "STATE-0,", "STATE-X,").zip())

    entries = await roster.look(
        "SELECT source, sourced_id, end_on IS NOT NULL AS ended FROM crosswalk WHERE row_id = $1 ORDER BY 1, 2",
        an_id("user", "s000"),
    )
    assert [tuple(row.values()) for row in entries] == [("sis", "s000", False), ("state", "STATE-0", True)]


async def test_nothing_is_recognised_in_another_district(roster: RosterService) -> None:
    await roster.load(with_state_ids().zip())
    other = an_id("org", "elsewhere")

    report = await roster.load(renamed(with_state_ids()).zip(), district=other)

    assert report.state == "applied"
    assert "identity" not in report.summary
    assert await roster.look("SELECT FROM people WHERE id = $1", an_id("user", "s000"), caller=a_caller(other)) == []
