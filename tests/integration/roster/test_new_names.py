"""A migration in which schools, terms, courses, classes and people all get new names: each goes on as what it was."""

import re
from uuid import UUID

import pytest

from shared.errors import Invalid
from tests.integration.roster.archives import Roster, a_roster
from tests.integration.roster.conftest import RosterService, a_caller, an_id
from tests.integration.roster.test_guard import _delta as delta
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


async def test_one_who_was_recognised_wrongly_is_parted_and_has_the_former_name_again(roster: RosterService) -> None:
    await roster.load(with_state_ids().zip())
    await roster.load(a_newcomer().zip())
    [one] = await roster.look("SELECT sourced_id FROM people WHERE id = $1", an_id("user", "s000"))
    body = {"person": "n900", "sourced_ids": ["n900", "e-n900", "r-n900"]}

    event = await roster.ask("/identity/splits", body)

    assert one["sourced_id"] == "n900"
    assert await called(roster, event) == ("s000", "n900")
    held = await roster.look("SELECT sourced_id FROM enrollments WHERE person_id = $1", UUID(event["other"]))
    assert [row["sourced_id"] for row in held] == ["e-n900"]
    names = await roster.look(
        "SELECT sourced_id, row_id FROM crosswalk WHERE source = 'sis' AND sourced_id IN ('s000', 'n900') "
        "AND end_on IS NULL ORDER BY 1"
    )
    assert [tuple(row.values()) for row in names] == [("n900", UUID(event["other"])), ("s000", an_id("user", "s000"))]
    again = await roster.load(a_newcomer().zip())
    assert "identity" not in again.summary
    assert await called(roster, event) == ("s000", "n900")


async def test_parting_is_taken_back_name_by_name(roster: RosterService) -> None:
    await roster.load(with_state_ids().zip())
    await roster.load(a_newcomer().zip())
    before = await identities(roster)
    event = await roster.ask("/identity/splits", {"person": "n900", "sourced_ids": ["n900", "e-n900"]})

    await roster.ask(f"/identity/{event['id']}:undo", {})

    assert await identities(roster) == before


async def test_who_never_had_another_name_cannot_give_it_away(roster: RosterService) -> None:
    await roster.load(with_state_ids().zip())

    with pytest.raises(Invalid, match="name the other one"):
        await roster.ask("/identity/splits", {"person": "s000", "sourced_ids": ["s000", "e-s000"]})


def a_newcomer() -> Roster:
    """The first student comes under a new name, with the same number of the state."""
    files = with_state_ids()
    for name in ("users", "roles", "enrollments", "demographics"):
        files.files[name] = [line.replace("s000", "n900") for line in files.files[name]]
    return files


async def called(roster: RosterService, event: dict[str, str]) -> tuple[str, str]:
    """What the person who stayed is called, and the other."""
    rows = await roster.look("SELECT id, sourced_id FROM people")
    names = {str(row["id"]): row["sourced_id"] for row in rows}
    return names[event["row"]], names[event["other"]]


async def identities(roster: RosterService) -> list[list[dict[str, object]]]:
    """Everything that says who is who, but for when."""
    return [
        await roster.look("SELECT id, sourced_id, status FROM people ORDER BY 1"),
        await roster.look("SELECT row_id, sourced_id, begin_on, end_on FROM crosswalk ORDER BY 1, 2, 3"),
        await roster.look("SELECT person_id, sourced_id FROM demographics ORDER BY 1"),
        await roster.look("SELECT person_id, sourced_id FROM enrollments ORDER BY 2"),
    ]


async def test_a_name_that_is_given_out_again_makes_nobody_somebody_else(roster: RosterService) -> None:
    await roster.load(with_state_ids().zip())
    report = await roster.load(renamed(with_state_ids()).zip())
    if report.state == "held":
        await decide(roster, report, "approve")
    newcomers = [
        f"{name},active,2030-01-01T00:00:00Z,true,{given},,{given},Newcomer,,,,,,,4,,,,,,,," for given, name in
        (("Ada", "s000"), ("Bea", "s000:2"), ("Cleo", "s000:3"))
    ]  # fmt: skip

    report = await roster.load(delta(a_roster(), users=newcomers).zip())

    assert (report.state, report.counts["added"]) == ("applied", 3)
    found = await roster.look("SELECT id, sourced_id, given_name FROM people WHERE family_name = 'Newcomer' ORDER BY 2")
    assert [(row["sourced_id"], row["given_name"]) for row in found] == [
        ("s000", "Ada"), ("s000:2", "Bea"), ("s000:3", "Cleo")
    ]  # fmt: skip
    assert len({row["id"] for row in found}) == 3
