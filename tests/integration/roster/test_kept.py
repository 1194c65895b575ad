"""With `keep_good` what a refused row may have meant stays as it was: nobody leaves by a row that could not be read."""

import pytest

from tests.integration.roster.archives import ENDS, TODAY, Roster, a_roster, an_old_roster
from tests.integration.roster.conftest import RosterService

MANY = 60


async def _ended(roster: RosterService) -> list[str]:
    """What is over, of every kind in which somebody can be lost."""
    tables = ("people", "roles", "enrollments", "demographics", "orgs", "classes")
    every = " UNION ALL ".join(f"SELECT sourced_id FROM {table} WHERE status <> 'active'" for table in tables)
    return [row["sourced_id"] for row in await roster.look(f"SELECT * FROM ({every}) AS every ORDER BY 1")]


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("users", "s000,,,true", ",,,true"),
        ("roles", "r-s000,,,", ",,,"),
        ("enrollments", "e-s000,,,", ",,,"),
        ("demographics", "s000,,,2016", ",,,2016"),
    ],
)
async def test_nobody_leaves_by_a_row_without_a_sourced_id(
    roster: RosterService, file: str, before: str, after: str
) -> None:
    await roster.load(a_roster(students=MANY).zip())

    report = await roster.load(a_roster(students=MANY).put(file, before, after).zip(), keep_good=True)

    assert (report.state, report.counts["changed"]) == ("applied", 0)
    assert await _ended(roster) == []


@pytest.mark.parametrize("says", ["nope,teacher", "north,nonsense"], ids=["unknown organisation", "unknown role"])
async def test_in_1_1_who_has_a_refused_row_keeps_his_roles(roster: RosterService, says: str) -> None:
    await roster.load(an_old_roster(students=MANY).zip())
    files = an_old_roster(students=MANY).put(
        "users", "teacher-north,,,true,north,teacher", f"teacher-north,,,true,{says}"
    )

    report = await roster.load(files.zip(), keep_good=True)

    assert (report.state, report.counts["refused"], report.counts["changed"]) == ("applied", 1, 0)
    assert await _ended(roster) == []
    assert len(await roster.look("SELECT FROM placements WHERE NOT as_student AND end_on IS NULL")) >= 1


async def test_an_enrolment_under_a_new_name_that_is_refused_does_not_end_the_old_one(roster: RosterService) -> None:
    await roster.load(a_roster(students=MANY).zip())
    files = a_roster(students=MANY)
    files.put("enrollments", "e-s000,,,class-north,north,s000,student", "new-s000,,,class-north,north,s000,nonsense")

    report = await roster.load(files.zip(), keep_good=True)

    assert (report.state, report.counts["refused"]) == ("applied", 1)
    assert await _ended(roster) == []


async def test_who_is_named_no_more_leaves_beside_refused_rows_of_others(roster: RosterService) -> None:
    await roster.load(a_roster(students=MANY).zip())
    files: Roster = a_roster(students=MANY).put("enrollments", "s001,student", "s001,nonsense")
    files.add("enrollments", f"more-s003,,,class-south,south,s003,student,,{TODAY},{ENDS}")

    report = await roster.load(files.drop("enrollments", "e-s000,").zip(), keep_good=True)

    assert report.state == "applied"
    assert await _ended(roster) == ["e-s000"]
