"""Two students who are one: one ledger, whatever order it is heard in; and two again, as if it had never been said."""

import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.message import Message

from services.mastery.domain.model import DEFAULT
from shared.auth import Caller
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as assessment
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as roster
from tests.integration.mastery.conftest import (
    DISTRICT,
    OTHER_DISTRICT,
    MasteryService,
    a_caller,
    a_form,
    a_placement,
    a_uuid,
    an_attempt,
    an_id,
    envelopes,
)

FORM = a_form("A", [["add"], ["add", "sub"], ["sub"]])


def merged(person: str, absorbed: str, revision: int, *, undone: bool = False) -> roster.PersonMerged:
    id_ = revision.to_bytes(8, "big") + absorbed.encode().ljust(8, b".")[:8]
    return roster.PersonMerged(id=id_, person=an_id(person), absorbed=an_id(absorbed), undone=undone)


def split(person: str, other: str, revision: int, *, undone: bool = False) -> roster.PersonSplit:
    id_ = revision.to_bytes(8, "big") + other.encode().ljust(8, b".")[:8]
    return roster.PersonSplit(id=id_, person=an_id(person), other=an_id(other), undone=undone)


async def ledger(mastery: MasteryService) -> list[Any]:
    """Every bit of the ledger, and whose it is."""
    async with mastery.database.reading(Caller.system(DISTRICT, "test")) as tx:
        rows = await tx.fetch("SELECT to_jsonb(s)::text AS sheet FROM sheets s ORDER BY attempt_id")
    return [row["sheet"] for row in rows]


async def says(mastery: MasteryService, fact: Message) -> None:
    event: Any = {
        roster.PersonMerged: roster.PeopleMerged,
        roster.PersonSplit: roster.PeopleSplit,
        assessment.Attempt: assessment.AttemptsScored,
    }[type(fact)]
    await mastery.hears(event, fact)


async def alone(mastery: MasteryService, student: str, attempts: Sequence[assessment.Attempt]) -> dict[str, Any]:
    """What somebody would be believed to know who had these sheets from the beginning."""
    theirs = [assessment.Attempt.FromString(one.SerializeToString()) for one in attempts]
    for one in theirs:
        one.student = an_id(student)
    await mastery.scored(*theirs, district=DISTRICT)
    return (await mastery.mastery_of(student))[student]


async def test_the_evidence_of_both_is_the_evidence_of_one(mastery: MasteryService) -> None:
    await mastery.knows(FORM)
    sheets = [
        an_attempt("ada", "A", [1, 0, 1], 3),
        an_attempt("eve", "A", [1, 1, 1], 1),
        an_attempt("eve", "A", [0, 1, 0], 5),
    ]
    await mastery.scored(*sheets)

    await says(mastery, merged("ada", "eve", 7))

    expected = await alone(mastery, "control", sheets)
    found = await mastery.mastery_of("ada")
    assert found["ada"] == expected
    assert "eve" not in await mastery.mastery_of("eve")
    page = (await mastery.evidence_of("ada"))["ada"]
    last = {entry["competency"]: entry["after"] for entry in page["items"]}
    assert {UUID(one).bytes.rstrip(b".").decode(): after for one, after in last.items()} == {
        name: pytest.approx(probability, abs=1e-12) for name, (probability, _) in expected.items()
    }


async def test_undone_it_is_as_if_it_had_never_been_said(mastery: MasteryService) -> None:
    await mastery.knows(FORM)
    await mastery.scored(an_attempt("ada", "A", [1, 0, 1], 3), an_attempt("eve", "A", [1, 1, 1], 1))
    before = await mastery.stored(), await ledger(mastery)

    await says(mastery, merged("ada", "eve", 7))
    assert (await mastery.stored(), await ledger(mastery)) != before
    await says(mastery, merged("ada", "eve", 8, undone=True))

    assert (await mastery.stored(), await ledger(mastery)) == before


async def test_what_comes_late_for_the_absorbed_is_the_others_until_it_is_undone(mastery: MasteryService) -> None:
    await mastery.knows(FORM)
    await mastery.scored(an_attempt("ada", "A", [1, 0, 1], 3))
    await says(mastery, merged("ada", "eve", 7))

    await mastery.scored(an_attempt("eve", "A", [1, 1, 1], 1))
    await mastery.scored(an_attempt("eve", "A", [0, 1, 1], 1, version=2))

    assert set(await mastery.mastery_of("ada", "eve")) == {"ada"}
    assert len(await ledger(mastery)) == 2
    await says(mastery, merged("ada", "eve", 8, undone=True))
    eve = await mastery.mastery_of("eve")
    assert eve["eve"] == await alone(mastery, "control", [an_attempt("eve", "A", [0, 1, 1], 1)])


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_order_it_is_heard_in_the_end_is_the_same(mastery: MasteryService, seed: int) -> None:
    await mastery.knows(FORM)
    facts: list[Message] = [
        an_attempt("ada", "A", [1, 0, 1], 3),
        an_attempt("eve", "A", [1, 1, 1], 1),
        an_attempt("eve", "A", [0, 1, 1], 1, version=2),
        an_attempt("ian", "A", [0, 0, 1], 9),
        an_attempt("uma", "A", [1, 0, 0], 4),
        merged("ada", "eve", 5),
        merged("ada", "eve", 6, undone=True),
        merged("ian", "eve", 7),
        merged("uma", "ian", 8),
        split("uma", "ian", 9),
        split("uma", "ian", 10, undone=True),
        merged("ada", "uma", 11),
        merged("ada", "uma", 12, undone=True),
        merged("uma", "ada", 13),
    ]
    random.Random(seed).shuffle(facts)

    for fact in facts:
        await says(mastery, fact)

    assert set(await mastery.mastery_of("ada", "eve", "ian", "uma")) == {"uma"}
    sheets = [
        one for one in facts if isinstance(one, assessment.Attempt) and (one.student, one.version) != (an_id("eve"), 1)
    ]
    uma = (await mastery.mastery_of("uma"))["uma"]
    assert uma == await alone(mastery, "control", sheets)


async def test_one_batch_with_all_of_it_ends_the_same(mastery: MasteryService) -> None:
    await mastery.knows(FORM)
    sheets = [an_attempt("eve", "A", [1, 1, 1], 1), an_attempt("ada", "A", [1, 0, 1], 3)]

    await mastery.delivers(
        envelopes(roster.PeopleMerged, [merged("ada", "eve", 7), merged("ben", "ada", 8)]),
        envelopes(assessment.AttemptsScored, sheets),
    )

    assert (await mastery.mastery_of("ben"))["ben"] == await alone(mastery, "control", sheets)
    assert set(await mastery.mastery_of("ada", "eve")) == set()


async def test_a_merger_of_another_district_changes_nothing_here(mastery: MasteryService) -> None:
    await mastery.knows(FORM)
    await mastery.scored(an_attempt("eve", "A", [1, 1, 1], 1))
    before = await mastery.stored()

    await mastery.hears(roster.PeopleMerged, merged("ada", "eve", 7), district=OTHER_DISTRICT)

    assert await mastery.stored() == before


async def test_a_school_sees_the_one_who_is_placed_there(mastery: MasteryService) -> None:
    await mastery.knows(FORM)
    await mastery.scored(an_attempt("eve", "A", [1, 1, 1], 1))
    await says(mastery, merged("ada", "eve", 7))
    await mastery.places(a_placement("ada", ("north", None, None)), a_placement("eve"))

    assert set(await mastery.mastery_of("ada", "eve", caller=a_caller(schools=["north"]))) == {"ada"}
    assert set(await mastery.mastery_of("ada", "eve", caller=a_caller(schools=["south"]))) == set()


async def test_the_change_is_announced_for_both(mastery: MasteryService) -> None:
    await mastery.knows(FORM)
    await mastery.scored(an_attempt("ada", "A", [1, 0, 1], 3), an_attempt("eve", "A", [1, 1, 1], 1))
    said = len(await mastery.announced())

    await says(mastery, merged("ada", "eve", 7))

    news = (await mastery.announced())[said:]
    assert {UUID(bytes=one.student) for one in news} == {a_uuid("ada"), a_uuid("eve")}
    assert [set(one.evidence_counts) for one in news if one.student == an_id("eve")] == [{0}]
    assert {one.model_version for one in news} == {DEFAULT.version}
