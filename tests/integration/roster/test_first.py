"""A first import takes shorter ways: it ends like any other that brings the same people."""

from typing import Any
from uuid import UUID

from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb
from tests.integration.roster.archives import BEGAN, ENDED, ENDS, a_roster
from tests.integration.roster.conftest import DISTRICT, OTHER_DISTRICT, RosterService, a_caller
from tests.integration.roster.test_delta import a_delta, a_user


async def test_whoever_was_there_before_the_others_are_placed_alike(roster: RosterService) -> None:
    """In one district there is somebody already, who is nowhere, so that everything is looked up."""
    archive = (
        a_roster()
        .put("users", "s003,,", "s003,tobedeleted,")
        .put("enrollments", "e-s004,,", "e-s004,tobedeleted,")
        .put("enrollments", f"s005,student,,{BEGAN},{ENDS}", f"s005,student,,{BEGAN},{ENDED}")
        .put("enrollments", f"s006,student,,{BEGAN},{ENDS}", "s006,student,,,")
        .add("enrollments", f"e-more,,,class-south,south,s006,student,,{BEGAN},{ENDS}")
        .add("enrollments", f"e-aide,,,class-south,south,teacher-north,administrator,,{BEGAN},")
        .add("roles", f"r-aide,,,s007,secondary,aide,{BEGAN},{ENDED},north,")
        .add("roles", f"r-gone,tobedeleted,,s008,secondary,aide,{BEGAN},,north,")
        .zip()
    )
    await roster.load(a_delta(users=[a_user("somebody", "Ada")]).zip(), district=OTHER_DISTRICT)

    first = await roster.load(archive)
    other = await roster.load(archive, district=OTHER_DISTRICT)

    assert (first.state, other.state) == ("applied", "applied"), first.problems
    assert await _placed(roster, DISTRICT) == await _placed(roster, OTHER_DISTRICT) != []
    assert await _flagged(roster, DISTRICT) == await _flagged(roster, OTHER_DISTRICT) != []
    for event in (pb.StudentsPlaced, pb.PeopleJoined, pb.PeopleMoved, pb.PeopleLeft, pb.EnrollmentsChanged):
        told = [await roster.heard(event, district) for district in (DISTRICT, OTHER_DISTRICT)]
        assert len(told[0]) == len(told[1])


async def _placed(roster: RosterService, district: UUID) -> list[dict[str, Any]]:
    return await roster.look(
        """
        SELECT p.sourced_id, o.sourced_id AS school, s.as_student, s.begin_on, s.end_on
        FROM placements s JOIN people p ON p.id = s.person_id JOIN orgs o ON o.id = s.school_id
        ORDER BY 1, 2, 3, 4, 5
        """,
        caller=a_caller(district),
    )


async def _flagged(roster: RosterService, district: UUID) -> list[dict[str, Any]]:
    return await roster.look(
        "SELECT sourced_id, is_student, is_teacher FROM people WHERE sourced_id <> 'somebody' ORDER BY 1",
        caller=a_caller(district),
    )
