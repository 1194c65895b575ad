"""Changes instead of the whole: what a delta touches, and what it leaves alone."""

from tests.integration.roster.archives import BEGAN, ENDS, TODAY, Roster, a_roster, an_old_roster
from tests.integration.roster.conftest import RosterService, an_id

THEN, LATER, LAST = "2026-10-01T08:00:00Z", "2026-10-02T08:00:00Z", "2026-10-03T08:00:00Z"


def a_delta(**rows: list[str]) -> Roster:
    """An archive that says of these files what changed, and of others nothing."""
    whole = a_roster(students=0, schools=())
    files = {name: [whole.files[name][0], *lines] for name, lines in rows.items()}
    manifest = ["propertyName,value", "manifest.version,1.0", "oneroster.version,1.2"]
    for line in whole.manifest[3:]:
        name = line.partition(",")[0].removeprefix("file.")
        manifest.append(f"file.{name},{'delta' if name in files else 'absent'}")
    return Roster(files, manifest)


def a_user(name: str, given: str, *, status: str = "active", when: str = THEN) -> str:
    return f"{name},{status},{when},true,{name},,{given},Family,,,,,,,4,,,,,,,,"


async def test_a_delta_touches_only_what_it_names(roster: RosterService) -> None:
    await roster.load(a_roster().zip())

    report = await roster.load(a_delta(users=[a_user("s000", "Ada"), a_user("new", "Bea")]).zip())

    assert (report.state, report.problem_count, report.repair_count) == ("applied", 0, 0)
    assert report.counts == {"added": 1, "changed": 1, "unchanged": 0, "refused": 0}
    assert await roster.look("SELECT 1 FROM people WHERE status <> 'active'") == []
    known = await roster.look("SELECT given_name FROM people WHERE sourced_id IN ('s000', 'new') ORDER BY 1")
    assert [row["given_name"] for row in known] == ["Ada", "Bea"]


async def test_what_is_to_be_deleted_ends_and_is_kept(roster: RosterService) -> None:
    await roster.load(a_roster(students=60).zip())
    gone = f"e-s000,tobedeleted,{THEN},class-north,north,s000,student,,{BEGAN},{ENDS}"

    report = await roster.load(a_delta(enrollments=[gone]).zip())

    assert (report.state, report.counts["changed"]) == ("applied", 1)
    (row,) = await roster.look("SELECT *, revision = until AS said FROM enrollments WHERE sourced_id = 'e-s000'")
    assert (row["status"], row["ended_on"], row["said"]) == ("tobedeleted", TODAY, True)


async def test_references_may_point_at_what_is_already_known(roster: RosterService) -> None:
    await roster.load(a_roster().zip())
    line = f"e-more,active,{THEN},class-south,south,s000,student,,{BEGAN},{ENDS}"

    report = await roster.load(a_delta(enrollments=[line]).zip())

    assert (report.state, report.counts["added"]) == ("applied", 1)
    (row,) = await roster.look("SELECT person_id, school_id FROM enrollments WHERE sourced_id = 'e-more'")
    assert row == {"person_id": an_id("user", "s000"), "school_id": an_id("org", "south")}


async def test_a_reference_that_leads_nowhere_is_a_problem(roster: RosterService) -> None:
    await roster.load(a_roster().zip())
    line = f"e-more,active,{THEN},class-south,south,nobody,student,,{BEGAN},{ENDS}"

    report = await roster.load(a_delta(enrollments=[line]).zip())

    assert report.state == "refused"
    assert [(one.file, one.line, one.column, one.rule) for one in report.problems] == [
        ("enrollments.csv", 2, "userSourcedId", "unknown-reference")
    ]


async def test_status_and_date_are_required_of_every_row(roster: RosterService) -> None:
    await roster.load(a_roster().zip())

    report = await roster.load(a_delta(users=[a_user("s000", "Ada", status="", when="")]).zip())

    assert report.state == "refused"
    assert {(one.line, one.column, one.rule) for one in report.problems} == {
        (2, "status", "required"), (2, "dateLastModified", "required")
    }  # fmt: skip


async def test_older_news_does_not_replace_newer(roster: RosterService) -> None:
    await roster.load(a_roster().zip())
    await roster.load(a_delta(users=[a_user("s000", "Ada", when=LATER)]).zip())

    report = await roster.load(a_delta(users=[a_user("s000", "Old", when=THEN)]).zip(), strict="true")

    assert (report.state, report.counts["changed"]) == ("applied", 0)
    assert [(one.line, one.rule) for one in report.repairs] == [(2, "older-than-known")]
    assert await roster.look("SELECT given_name FROM people WHERE sourced_id = 's000'") == [{"given_name": "Ada"}]


async def test_the_same_said_later_is_no_change_but_is_remembered(roster: RosterService) -> None:
    await roster.load(a_roster().zip())
    await roster.load(a_delta(users=[a_user("s000", "Ada", when=THEN)]).zip())
    await roster.load(a_delta(users=[a_user("s000", "Ada", when=LAST)]).zip())
    before = await roster.look("SELECT max(number) AS n FROM revisions")

    report = await roster.load(a_delta(users=[a_user("s000", "Old", when=LATER)]).zip())

    assert report.counts == {"added": 0, "changed": 0, "unchanged": 1, "refused": 0}
    assert await roster.look("SELECT max(number) AS n FROM revisions") == before


async def test_the_same_delta_again_changes_and_announces_nothing(roster: RosterService) -> None:
    await roster.load(a_roster().zip())
    delta = a_delta(enrollments=[f"e-more,active,{THEN},class-south,south,s000,student,,{BEGAN},{ENDS}"]).zip()
    await roster.load(delta)
    facts, numbers = await roster.announced(), await roster.look("SELECT number FROM revisions ORDER BY 1")

    report = await roster.load(delta)

    assert report.counts == {"added": 0, "changed": 0, "unchanged": 1, "refused": 0}
    assert await roster.announced() == facts
    assert await roster.look("SELECT number FROM revisions ORDER BY 1") == numbers


async def test_what_ends_need_not_name_what_has_ended_before_it(roster: RosterService) -> None:
    await roster.load(a_roster(students=60).zip())
    line = f"e-s000,tobedeleted,{THEN},no-class-any-more,north,s000,student,,{BEGAN},{ENDS}"

    report = await roster.load(a_delta(enrollments=[line]).zip())

    assert (report.state, report.problem_count) == ("applied", 0)
    (row,) = await roster.look("SELECT status, class_id FROM enrollments WHERE sourced_id = 'e-s000'")
    assert row == {"status": "tobedeleted", "class_id": an_id("class", "class-north")}


async def test_one_file_may_be_whole_and_another_a_delta(roster: RosterService) -> None:
    await roster.load(a_roster(students=60).zip())
    files = a_roster(students=60).drop("demographics", "s000,")
    files.files = {name: files.files[name] for name in ("demographics",)}
    files.files["users"] = a_delta(users=[a_user("s001", "Ada")]).files["users"]
    files.manifest = [
        line if line.startswith(("prop", "man", "one", "file.demographics")) else line.partition(",")[0] + ",absent"
        for line in files.manifest
    ]
    files.manifest = [line.replace("file.users,absent", "file.users,delta") for line in files.manifest]

    held = await roster.load(files.zip())
    report = await roster.approve(held.id) if held.state == "held" else held

    assert report.state == "applied"
    ended = await roster.look("SELECT sourced_id FROM demographics WHERE status <> 'active'")
    assert ended == [{"sourced_id": "s000"}]
    assert await roster.look("SELECT 1 FROM people WHERE status <> 'active'") == []


async def test_a_1_1_user_who_changes_his_role_keeps_no_former_one(roster: RosterService) -> None:
    await roster.load(an_old_roster().zip())
    old = an_old_roster()
    line = next(line for line in old.files["users"] if line.startswith("teacher-north,"))
    changed = line.replace(",,,true", f",active,{THEN},true").replace("north,teacher,", "north,administrator,")
    files = Roster({"users": [old.files["users"][0], changed]}, list(old.manifest))
    files.manifest = [
        line if not line.startswith("file.") else line.partition(",")[0] + ",absent" for line in files.manifest
    ]
    files.manifest = [line.replace("file.users,absent", "file.users,delta") for line in files.manifest]

    report = await roster.load(files.zip())

    assert (report.state, report.counts["changed"]) == ("applied", 1)
    held = await roster.look(
        "SELECT role FROM roles WHERE person_id = $1 AND status = 'active'", an_id("user", "teacher-north")
    )
    assert held == [{"role": "administrator"}]


async def test_a_whole_file_between_does_not_let_older_deltas_in(roster: RosterService) -> None:
    await roster.load(a_roster().zip())
    await roster.load(a_delta(users=[a_user("s000", "Ada", when=LAST)]).zip())
    await roster.load(a_roster().zip())

    late = await roster.load(a_delta(users=[a_user("s000", "Old", status="tobedeleted", when=LATER)]).zip())

    assert [one.rule for one in late.repairs] == ["older-than-known"]
    assert await roster.look("SELECT 1 FROM people WHERE status <> 'active'") == []


def a_role(name: str, role_type: str = "primary", *, status: str = "active", person: str = "s000", **dates: str) -> str:
    begin, end = dates.get("begin", BEGAN), dates.get("end", "")
    return f"{name},{status},{THEN},{person},{role_type},aide,{begin},{end},north,"


async def kept_roles(roster: RosterService, person: str = "s000") -> dict[str, str]:
    rows = await roster.look(
        "SELECT sourced_id, role_type FROM roles WHERE status = 'active' AND person_id = $1", an_id("user", person)
    )
    return {row["sourced_id"]: row["role_type"] for row in rows}


class TestASecondPrimaryRole:
    async def test_of_somebody_who_has_one_is_told_and_read_as_secondary(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=4).zip())

        report = await roster.load(a_delta(roles=[a_role("more")]).zip())
        again = await roster.load(a_delta(roles=[a_role("more")]).zip())

        assert await kept_roles(roster) == {"r-s000": "primary", "more": "secondary"}
        assert [(one.file, one.line, one.value, one.rule) for one in report.repairs] == [
            ("roles.csv", 2, "more", "second-primary-role")
        ]
        assert (again.state, again.counts["changed"], again.repair_count) == ("applied", 0, 1)

    async def test_takes_the_place_of_one_that_the_delta_ends_or_makes_secondary(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=4).zip())
        first = f"r-s000,active,{THEN},s000,secondary,student,{BEGAN},,north,"
        gone = f"r-s002,tobedeleted,{THEN},s002,primary,student,{BEGAN},,north,"

        report = await roster.load(a_delta(roles=[a_role("more"), first, gone, a_role("new", person="s002")]).zip())

        assert (report.state, report.repairs) == ("applied", [])
        assert await kept_roles(roster) == {"r-s000": "secondary", "more": "primary"}
        assert await kept_roles(roster, "s002") == {"new": "primary"}

    async def test_at_another_time_or_of_another_school_is_primary(self, roster: RosterService) -> None:
        await roster.load(
            a_roster(students=4).put("roles", f"s000,primary,student,{BEGAN},", f"s000,primary,student,,{BEGAN}").zip()
        )
        other = a_role("south").replace(",north,", ",south,")

        report = await roster.load(a_delta(roles=[a_role("more", begin=BEGAN), other]).zip())

        assert report.repairs == []
        assert await kept_roles(roster) == {"r-s000": "primary", "more": "primary", "south": "primary"}

    async def test_of_a_whole_file_is_compared_with_what_does_not_change_too(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=4).zip())
        line = f"more,,,s000,primary,aide,{BEGAN},,north,"
        files = a_roster(students=4)
        files.files["roles"].insert(1, line)

        report = await roster.load(files.zip())
        again = await roster.load(files.zip())

        assert [(one.line, one.value, one.rule) for one in report.repairs] == [(2, "more", "second-primary-role")]
        assert await kept_roles(roster) == {"r-s000": "primary", "more": "secondary"}
        assert again.counts["changed"] == 0
