"""Two students who are one: their attempts are one student's, and each their own again when that is taken back."""

import itertools
from typing import Any

import pytest
from google.protobuf.message import Message

from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as pb
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as roster
from tests.integration.assessment.conftest import (
    OTHER_DISTRICT,
    TODAY,
    AssessmentService,
    a_caller,
    a_sheet,
    an_id,
)

ADA, BEN = an_id("student", "ada"), an_id("student", "ben")


def merged(person: str, absorbed: str, revision: int, *, undone: bool = False) -> roster.PersonMerged:
    return roster.PersonMerged(
        id=revision.to_bytes(8, "big") + bytes(8),
        person=an_id("student", person).bytes,
        absorbed=an_id("student", absorbed).bytes,
        undone=undone,
    )


def split(person: str, other: str, revision: int) -> roster.PersonSplit:
    return roster.PersonSplit(
        id=revision.to_bytes(8, "big") + bytes(8),
        person=an_id("student", person).bytes,
        other=an_id("student", other).bytes,
    )


async def says(assessment: AssessmentService, *facts: Message) -> None:
    for fact in facts:
        event: Any = roster.PeopleMerged if isinstance(fact, roster.PersonMerged) else roster.PeopleSplit
        await assessment.hears(event, fact)


async def test_the_attempts_of_both_are_the_attempts_of_one(assessment: AssessmentService) -> None:
    await assessment.knows_forms()
    await assessment.answered(a_sheet("ada"), a_sheet("ben", day=16))

    await says(assessment, merged("ada", "ben", 5))

    found = await assessment.abilities("ada", "ben")
    assert {name: len(some) for name, some in found.items()} == {"ada": 2}


async def test_undone_every_attempt_is_as_it_was(assessment: AssessmentService) -> None:
    await assessment.knows_forms()
    await assessment.answered(a_sheet("ada"), a_sheet("ben", day=16))
    await assessment.answered(a_sheet("ben", day=16, responses="A,2,7,"))
    before = await assessment.attempts(), await assessment.look("SELECT * FROM attempt_history")

    await says(assessment, merged("ada", "ben", 5))
    [held] = await assessment.look("SELECT student_id FROM attempt_history")
    assert held["student_id"] == ADA
    await says(assessment, merged("ada", "ben", 6, undone=True))

    assert (await assessment.attempts(), await assessment.look("SELECT * FROM attempt_history")) == before


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_in_whatever_order_it_is_said_the_end_is_the_same(
    assessment: AssessmentService, order: tuple[int, ...]
) -> None:
    await assessment.knows_forms()
    await assessment.answered(a_sheet("ben"))
    facts = [merged("ada", "ben", 5), split("ada", "ben", 6), merged("eve", "ben", 7)]

    await says(assessment, *(facts[place] for place in order))

    assert list(await assessment.abilities("ada", "ben", "eve")) == ["eve"]


async def test_the_same_sheet_again_under_the_former_name_is_the_same_attempt(assessment: AssessmentService) -> None:
    await assessment.knows_forms()
    await assessment.answered(a_sheet("ben"))
    await says(assessment, merged("ada", "ben", 5))

    again = await assessment.answered(a_sheet("ben"))
    corrected = await assessment.answered(a_sheet("ben", responses="A,2,7,"), a_sheet("ben", day=20))

    assert (again.counts["unchanged"], again.counts["added"]) == (1, 0)
    assert (corrected.counts["changed"], corrected.counts["added"]) == (1, 1)
    assert len((await assessment.abilities("ada"))["ada"]) == 2
    # What is told of an attempt names whom it was made for: who listens knows whom they are now.
    assert {fact.student for fact in await assessment.announced(pb.AttemptsScored)} == {BEN.bytes}
    await says(assessment, merged("ada", "ben", 6, undone=True))
    assert {name: len(some) for name, some in (await assessment.abilities("ada", "ben")).items()} == {"ben": 2}


async def test_a_school_sees_the_attempts_of_the_one_who_is_placed_there(assessment: AssessmentService) -> None:
    await assessment.knows_forms()
    await assessment.answered(a_sheet("ben"))
    await assessment.places("ada", ("north", TODAY - 1, None))

    await says(assessment, merged("ada", "ben", 5))

    assert list(await assessment.abilities("ada", "ben", caller=a_caller(schools=["north"]))) == ["ada"]
    assert list(await assessment.abilities("ada", "ben", caller=a_caller(schools=["south"]))) == []


async def test_a_merger_of_another_district_changes_nothing_here(assessment: AssessmentService) -> None:
    await assessment.knows_forms()
    await assessment.answered(a_sheet("ben"))
    before = await assessment.attempts()

    await assessment.hears(roster.PeopleMerged, merged("ada", "ben", 5), district=OTHER_DISTRICT)

    assert await assessment.attempts() == before
