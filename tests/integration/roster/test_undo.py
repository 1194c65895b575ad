"""What an import ended comes back with one command; what has changed since does not."""

from typing import Any

from shared.imports import Report
from tests.integration.roster.archives import BEGAN, TODAY, Roster, a_roster
from tests.integration.roster.conftest import OTHER_DISTRICT, RosterService, a_caller, an_id
from tests.integration.roster.test_guard import _decide, _delta, _without

MANY = 60
RECORDS = ("orgs", "classes", "people", "roles", "enrollments", "demographics")


async def _roster(roster: RosterService) -> dict[str, list[dict[str, Any]]]:
    """Every record with what its files say of it, and who is where."""
    found = {
        table: await roster.look(
            f"SELECT to_jsonb(t) - 'revision' - 'since' AS record FROM {table} t ORDER BY t.sourced_id"
        )
        for table in RECORDS
    }
    found["placements"] = await roster.look(
        "SELECT person_id, school_id, as_student, begin_on, end_on FROM placements ORDER BY 1, 2, 3, 4"
    )
    return found


async def _loaded_and_cut(roster: RosterService, *students: str) -> tuple[dict[str, Any], Report]:
    """A roster, and an approved import without some of its students."""
    await roster.load(a_roster(students=MANY).zip())
    before = await _roster(roster)
    return before, await _decide(roster, await roster.load(_without(*students).zip()), "approve")


class TestUndone:
    async def test_everything_is_as_it_was_before(self, roster: RosterService) -> None:
        before, cut = await _loaded_and_cut(roster, "s000", "s002", "s004")
        assert await _roster(roster) != before

        undone = await _decide(roster, cut, "undo")

        assert (undone.state, undone.undone_by) == ("undone", "key:test")
        assert await _roster(roster) == before
        types = undone.summary["undone"]["types"]
        assert types["users"] == {"came_back": 3, "changed_since": 0, "ended": 0}
        assert {name: one["came_back"] for name, one in types.items()} == {
            "users": 3, "roles": 3, "demographics": 3, "enrollments": 3
        }  # fmt: skip

    async def test_is_a_revision_of_its_own_in_which_they_became_active(self, roster: RosterService) -> None:
        _, cut = await _loaded_and_cut(roster, "s000", "s002")
        cut_in = await roster.look("SELECT until FROM people WHERE sourced_id = 's000'")

        await _decide(roster, cut, "undo")

        [row] = await roster.look("SELECT since, revision, until FROM people WHERE sourced_id = 's000'")
        assert row["since"] == row["revision"] > cut_in[0]["until"]
        assert row["until"] is None
        stamped = await roster.look("SELECT at FROM revisions WHERE number = $1", row["revision"])
        assert len(stamped) == 1

    async def test_is_announced(self, roster: RosterService) -> None:
        _, cut = await _loaded_and_cut(roster, "s000", "s002")
        before = await roster.announced()

        await _decide(roster, cut, "undo")

        facts = (await roster.announced())[len(before) :]
        assert {fact.student for fact in facts} == {an_id("user", who).bytes for who in ("s000", "s002")}
        assert all(fact.places[0].end_day > (TODAY.toordinal() - 719_163) for fact in facts)
        assert {fact.id for fact in facts}.isdisjoint({fact.id for fact in before})

    async def test_leaves_alone_what_somebody_has_said_since(self, roster: RosterService) -> None:
        _, cut = await _loaded_and_cut(roster, "s000", "s002", "s004")
        back = _without("s002", "s004").put("users", "Given0,Family000", "Other,Name")
        back.put("users", "s006,,,true", "s006,,,false")
        await roster.load(back.zip())
        async with roster.database.transaction(a_caller()) as tx:  # as a later revision would have
            await tx.run("UPDATE people SET revision = revision + 1000 WHERE sourced_id = 's004'")

        undone = await _decide(roster, cut, "undo")

        rows = await roster.look(
            "SELECT sourced_id, status, given_name FROM people WHERE sourced_id IN ('s000', 's002', 's004') ORDER BY 1"
        )
        assert [(row["sourced_id"], row["status"]) for row in rows] == [
            ("s000", "active"), ("s002", "active"), ("s004", "tobedeleted")
        ]  # fmt: skip
        assert rows[0]["given_name"] == "Other"
        types = undone.summary["undone"]["types"]
        assert types["users"] == {"came_back": 1, "changed_since": 1, "ended": 0}
        # An enrolment of somebody who does not come back does not either.
        assert types["enrollments"] == {"came_back": 1, "changed_since": 1, "ended": 0}

    async def test_what_others_say_of_those_who_refer_to_them_is_no_change_of_theirs(
        self, roster: RosterService
    ) -> None:
        def files() -> Roster:
            found = a_roster(students=MANY).add("users", "g0,,,true,g0,,Gu,Ardian,,,,,,s000,,,,,,,,,")
            return found.add("roles", f"r-g0,,,g0,primary,guardian,{BEGAN},,north,")

        await roster.load(files().zip())
        less = files().drop("users", "s000,").drop("roles", "r-s000,")
        cut = await roster.load(less.drop("enrollments", "e-s000,").drop("demographics", "s000,").zip())
        other = "g0,active,2027-01-01T00:00:00Z,true,g0,,New,Name,,,,,,s000,,,,,,,,,"
        assert (await roster.load(_delta(a_roster(), users=[other]).zip())).state == "applied"

        undone = await _decide(roster, cut, "undo")

        assert undone.summary["undone"]["types"]["users"]["came_back"] == 1
        active = await roster.look("SELECT status FROM enrollments WHERE sourced_id = 'e-s000'")
        assert active == [{"status": "active"}]

    async def test_what_took_an_enrolments_place_ends(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=MANY).zip())
        files = a_roster(students=MANY)
        files.files["enrollments"] = [line.replace("e-s", "again-s", 1) for line in files.files["enrollments"]]
        again = await roster.load(files.zip())
        assert again.state == "applied"

        await _decide(roster, again, "undo")

        active = await roster.look("SELECT sourced_id FROM enrollments WHERE status = 'active'")
        assert len(active) == MANY + 2
        assert not any(row["sourced_id"].startswith("again-") for row in active)

    async def test_the_next_files_go_on_from_there(self, roster: RosterService) -> None:
        _, cut = await _loaded_and_cut(roster, "s000", "s002")
        await _decide(roster, cut, "undo")

        again = await roster.load(a_roster(students=MANY).zip())

        assert (again.state, again.counts["added"], again.counts["changed"]) == ("applied", 0, 0)

    async def test_of_an_import_that_ended_nothing_brings_nothing_back(self, roster: RosterService) -> None:
        first = await roster.load(a_roster(students=MANY).zip())
        before = await _roster(roster)

        undone = await _decide(roster, first, "undo")

        assert (undone.state, undone.summary["undone"]["types"]) == ("undone", {})
        assert await _roster(roster) == before

    async def test_touches_no_other_district(self, roster: RosterService) -> None:
        _, cut = await _loaded_and_cut(roster, "s000", "s002")
        await roster.load(a_roster(students=MANY).zip(), district=OTHER_DISTRICT)
        one = _without("s001").zip()
        await roster.load(one, district=OTHER_DISTRICT)

        await _decide(roster, cut, "undo")

        theirs = await roster.look(
            "SELECT status FROM people WHERE sourced_id = 's001'", caller=a_caller(OTHER_DISTRICT)
        )
        assert theirs == [{"status": "tobedeleted"}]


async def test_an_import_that_was_undone_is_no_measure_for_the_next(roster: RosterService) -> None:
    _, cut = await _loaded_and_cut(roster, *(f"s{number:03}" for number in range(20)))
    await _decide(roster, cut, "undo")

    report = await roster.load(_without(*(f"s{number:03}" for number in range(15))).zip())

    assert "users.csv" in {one.file for one in report.holds if one.rule == "row-count"}


def _renamed(files: Roster) -> Roster:
    """The same people, every student under another sourcedId."""
    for name in files.files:
        files.files[name] = [_new_names(name, line) for line in files.files[name]]
    return files


def _new_names(file: str, line: str) -> str:
    cells = line.split(",")
    cells = [f"new-{cell}" if len(cell) == 4 and cell[0] == "s" and cell[1:].isdigit() else cell for cell in cells]
    if file in ("roles", "enrollments"):
        cells[0] = cells[0].replace("-s0", "-new-s0")
    return ",".join(cells)


async def test_a_migration_undone_has_every_old_name_again(roster: RosterService) -> None:
    def with_state_ids() -> Roster:
        files = a_roster(students=MANY)
        for number in range(MANY):
            files.put("users", f"Family{number:03},,,,,,,4,,,", f"Family{number:03},,,,,,,4,,STATE-{number},")
        return files

    await roster.load(with_state_ids().zip())
    before = await _roster(roster)
    moved = await roster.load(_renamed(with_state_ids()).zip())
    if moved.state == "held":
        moved = await _decide(roster, moved, "approve")
    assert moved.summary["identity"]["reattached"] == {"users": MANY}

    undone = await _decide(roster, moved, "undo")

    assert undone.summary["undone"]["renamed"] == MANY
    now = await _roster(roster)
    for table in ("people", "placements"):
        assert now[table] == before[table], table
    active = [
        {row["record"]["sourced_id"] for row in side["enrollments"] if row["record"]["status"] == "active"}
        for side in (before, now)
    ]
    assert active[0] == active[1]
