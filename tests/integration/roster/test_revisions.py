"""What a change leaves behind: revisions of it and of what it touches, and what was before it."""

import pytest

from services.roster.store import RECORDS
from shared import crash
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb
from tests.integration.roster.archives import BEGAN, ENDED, ENDS, TODAY, Roster, a_roster
from tests.integration.roster.conftest import DISTRICT, RosterService, an_id


def _without(student: str) -> Roster:
    files = a_roster(students=60).drop("users", f"{student},").drop("roles", f"r-{student},")
    return files.drop("enrollments", f"e-{student},").drop("demographics", f"{student},")


async def _bumped(roster: RosterService) -> set[tuple[str, str]]:
    """Which records are in the last revision."""
    found = set()
    for record in RECORDS.values():
        rows = await roster.look(
            f"SELECT sourced_id FROM {record.table} WHERE revision = (SELECT max(number) FROM revisions)"  # a constant
        )
        found |= {(record.table, row["sourced_id"]) for row in rows}
    return found


async def test_a_first_import_is_one_revision_of_everything(roster: RosterService) -> None:
    report = await roster.load(a_roster().zip())

    (revision,) = await roster.look("SELECT number, import_id FROM revisions")
    assert revision["import_id"] == report.id
    for table in ("orgs", "academic_sessions", "courses", "classes", "people", "roles", "enrollments", "demographics"):
        rows = await roster.look(f"SELECT DISTINCT revision, since, until FROM {table}")  # a constant
        assert rows == [{"revision": revision["number"], "since": revision["number"], "until": None}]


async def test_a_change_bumps_both_ends_of_its_relationships(roster: RosterService) -> None:
    await roster.load(a_roster().zip())
    files = a_roster().put("enrollments", "e-s000,,,class-north,north,s000", "e-s000,,,class-south,south,s000")

    await roster.load(files.zip())

    assert await _bumped(roster) == {
        ("enrollments", "e-s000"), ("people", "s000"), ("classes", "class-north"), ("classes", "class-south"),
        ("orgs", "north"), ("orgs", "south"),
    }  # fmt: skip


async def test_an_enrolment_that_ends_bumps_what_it_joined(roster: RosterService) -> None:
    await roster.load(a_roster(students=60).zip())

    await roster.load(a_roster(students=60).drop("enrollments", "e-s000,").zip())

    assert await _bumped(roster) >= {("enrollments", "e-s000"), ("people", "s000"), ("classes", "class-north")}


async def test_one_who_goes_and_comes_back_was_away_in_between(roster: RosterService) -> None:
    await roster.load(a_roster(students=60).zip())
    await roster.load(_without("s000").zip())
    (gone,) = await roster.look("SELECT status, since, until, revision FROM people WHERE sourced_id = 's000'")

    await roster.load(a_roster(students=60).zip())

    (back,) = await roster.look("SELECT status, since, until, revision FROM people WHERE sourced_id = 's000'")
    assert (gone["status"], gone["until"]) == ("tobedeleted", gone["revision"])
    assert (back["status"], back["until"], back["since"]) == ("active", None, back["revision"])
    assert gone["since"] < gone["until"] < back["since"]


async def test_nothing_new_takes_no_revision(roster: RosterService) -> None:
    await roster.load(a_roster().zip())
    before = await roster.look("SELECT number, at FROM revisions")

    await roster.load(a_roster().zip())

    assert await roster.look("SELECT number, at FROM revisions") == before


async def test_what_an_enrolment_and_a_role_were_is_kept(roster: RosterService) -> None:
    await roster.load(a_roster().zip())
    files = a_roster().put("enrollments", "e-s000,,,class-north,north,s000", "e-s000,,,class-south,south,s000")
    files.put("roles", f"r-s001,,,s001,primary,student,{BEGAN}", f"r-s001,,,s001,primary,student,{ENDED}")

    await roster.load(files.zip())

    (class_before,) = await roster.look("SELECT sourced_id, class_id, role, replaced_on FROM enrollments_history")
    assert class_before == {
        "sourced_id": "e-s000", "class_id": an_id("class", "class-north"), "role": "student", "replaced_on": TODAY
    }  # fmt: skip
    (role_before,) = await roster.look("SELECT sourced_id, begin_on::text AS begins FROM roles_history")
    assert role_before == {"sourced_id": "r-s001", "begins": BEGAN}


async def test_a_new_name_of_a_class_is_no_history_of_its_enrolments(roster: RosterService) -> None:
    await roster.load(a_roster().zip())

    await roster.load(a_roster().put("classes", "Maths north", "Arithmetic north").zip())

    assert await roster.look("SELECT 1 FROM enrollments_history UNION ALL SELECT 1 FROM roles_history") == []


class TestFacts:
    async def test_a_first_import_tells_of_everybody_and_everything(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=4).zip())

        joined = await roster.heard(pb.PeopleJoined)
        assert {(fact.person, fact.as_student) for fact in joined} == {
            *((an_id("user", f"s00{number}").bytes, True) for number in range(4)),
            (an_id("user", "teacher-north").bytes, False),
            (an_id("user", "teacher-south").bytes, False),
        }
        enrolled = {fact.enrollment: fact for fact in await roster.heard(pb.EnrollmentsChanged)}
        assert len(enrolled) == 6
        one = enrolled["e-s001"]
        assert (one.person, one.role, one.ended) == (an_id("user", "s001").bytes, "student", False)
        assert getattr(one, "class") == an_id("class", "class-south").bytes
        assert len(await roster.heard(pb.OrganisationsChanged)) == 3
        described = await roster.heard(pb.DemographicsRecorded)
        assert {(fact.sex, fact.asian, fact.white, fact.HasField("two_or_more_races")) for fact in described} == {
            ("female", True, False, True)
        }

    async def test_who_leaves_and_who_moves_is_told(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=60).zip())
        files = _without("s000").put("enrollments", "e-s001,,,class-south,south", "e-s001,,,class-north,north")

        await roster.load(files.zip())

        assert [fact.person for fact in await roster.heard(pb.PeopleLeft)] == [an_id("user", "s000").bytes]
        (moved,) = await roster.heard(pb.PeopleMoved)
        assert (moved.person, moved.places[0].school) == (an_id("user", "s001").bytes, an_id("org", "north").bytes)

    async def test_an_enrolment_that_passes_to_another_person_ends_for_the_one_who_had_it(
        self, roster: RosterService
    ) -> None:
        await roster.load(a_roster(students=8).zip())
        before = len(await roster.heard(pb.EnrollmentsChanged))
        files = a_roster(students=8)
        files.put("enrollments", f"e-s001,,,class-south,south,s001,student,,{BEGAN}",
                  f"e-s001,,,class-north,north,s003,proctor,,{TODAY}")  # fmt: skip

        await roster.load(files.zip())

        told = (await roster.heard(pb.EnrollmentsChanged))[before:]
        assert [(fact.enrollment, fact.person, getattr(fact, "class"), fact.role, fact.ended) for fact in told] == [
            ("e-s001", an_id("user", "s001").bytes, an_id("class", "class-south").bytes, "student", True),
            ("e-s001", an_id("user", "s003").bytes, an_id("class", "class-north").bytes, "proctor", False),
        ]
        assert told[0].school == an_id("org", "south").bytes
        assert told[0].begin_day < told[1].begin_day
        assert told[0].id != told[1].id

    async def test_an_enrolment_that_had_ended_passes_without_a_word_to_who_had_it(self, roster: RosterService) -> None:
        await roster.load(a_roster(students=8).zip())
        await roster.load(a_roster(students=8).drop("enrollments", "e-s001").zip())
        before = len(await roster.heard(pb.EnrollmentsChanged))

        await roster.load(a_roster(students=8).put("enrollments", "south,s001,student", "south,s003,student").zip())

        told = (await roster.heard(pb.EnrollmentsChanged))[before:]
        assert [(fact.person, fact.ended) for fact in told] == [(an_id("user", "s003").bytes, False)]

    async def test_a_fact_has_one_id_whatever_dies_on_the_way(self, roster: RosterService) -> None:
        import_id = await roster.stage(a_roster().zip())

        with crash.armed("I2"), pytest.raises(crash.Crashed):
            await roster.imports.advance(import_id, DISTRICT)
        await roster.imports.advance(import_id, DISTRICT)

        facts = await roster.heard(pb.EnrollmentsChanged)
        assert len({fact.id for fact in facts}) == len(facts) == 32
        assert {fact.end_day for fact in facts} == {fact.end_day for fact in facts if fact.HasField("end_day")}
        assert ENDS > BEGAN
