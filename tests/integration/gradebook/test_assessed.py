"""What assessment and mastery announce is told as assessment line items and results, their objectives by CASE."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.message import Message

from services.roster.handlers import deciding
from services.roster.main import LISTENS
from services.roster.store.assessed import item_of
from shared import events
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as assessment
from shared.events_pb.trellis.events.mastery.v1 import mastery_pb2 as mastery
from shared.inbox import Consumer
from tests.integration.gradebook.conftest import DISTRICT, OTHER_DISTRICT, Gradebook, a_caller, an_id
from tests.integration.gradebook.listening import Delivered, Silent
from tests.integration.oneroster import official

NOON = 1_788_868_800_000_000  # 2026-09-08T12:00:00Z
NUMBERS = {"add": "0a6e2bbc-0000-4000-8000-00000000000a", "sub": "0a6e2bbc-0000-4000-8000-00000000000b"}
ATTEMPT = an_id("attempt", "ada")


def a_competency(name: str) -> bytes:
    return an_id("competency", name).bytes


def a_form(*, names: bool = True) -> assessment.Form:
    """Two items of two points on adding, one of them on subtracting too."""
    return assessment.Form(
        id=events.uuid7().bytes, form=an_id("form", "a").bytes, code="a", title="Form A",
        items=[
            assessment.Item(code="1", competencies=[a_competency("add")], maximum=2,
                            identifiers=[NUMBERS["add"]] if names else []),
            assessment.Item(code="2", competencies=[a_competency("add"), a_competency("sub")], maximum=2,
                            identifiers=[NUMBERS["add"], NUMBERS["sub"]] if names else []),
        ],
    )  # fmt: skip


def an_administration(title: str = "Fall window") -> assessment.Administration:
    return assessment.Administration(
        id=events.uuid7().bytes, administration=an_id("administration", "fall").bytes, code="fall", title=title,
        purpose=assessment.PURPOSE_DIAGNOSTIC, opens_at=NOON, closes_at=NOON + 1,
    )  # fmt: skip


def an_attempt(scores: Sequence[int] = (2, 1), *, version: int = 1, withdrawn: bool = False) -> assessment.Attempt:
    return assessment.Attempt(
        id=events.uuid7().bytes, student=an_id("user", "ada").bytes, attempt=ATTEMPT.bytes, version=version,
        administration=an_id("administration", "fall").bytes, form=an_id("form", "a").bytes, completed_at=NOON,
        modality=assessment.MODALITY_PAPER, purpose=assessment.PURPOSE_DIAGNOSTIC, scores=bytes(scores),
        ability=None if withdrawn else 0.25, standard_error=None if withdrawn else 0.5, withdrawn=withdrawn,
    )  # fmt: skip


def a_learner(student: str = "ada", **beliefs: tuple[float, int]) -> mastery.Learner:
    return mastery.Learner(
        id=events.uuid7().bytes, student=an_id("user", student).bytes,
        competencies=[a_competency(name) for name in beliefs],
        probabilities=[belief for belief, _ in beliefs.values()],
        lowers=[belief - 0.1 for belief, _ in beliefs.values()],
        uppers=[belief for belief, _ in beliefs.values()],
        evidence_counts=[count for _, count in beliefs.values()],
        model_version="1",
    )  # fmt: skip


class Listening:
    """A roster that hears."""

    def __init__(self, gradebook: Gradebook) -> None:
        self.gradebook = gradebook
        self.consumer = Consumer("roster", gradebook.database, LISTENS, Silent())

    async def hears(self, event: type[Message], *facts: Message, district: UUID = DISTRICT) -> None:
        made = list(
            events.envelopes(event, facts, source="test", district=district, traceparent=None, cause="the-import")
        )
        await self.consumer.hear(Delivered(made))
        await self.consumer.hear(Delivered(made))  # a batch may always come twice

    async def results(self, **how: Any) -> dict[str, dict[str, Any]]:
        return {one["sourcedId"]: one for one in await self.gradebook.get("assessmentResults", **how)}

    async def kept(self, table: str) -> int:
        async with self.gradebook.database.system() as tx:
            return int(await tx.fetchval(f"SELECT count(*) FROM {table}"))


@pytest.fixture
async def listening(gradebook: Gradebook) -> Listening:
    made = Listening(gradebook)
    await made.hears(assessment.FormPublished, a_form())
    await made.hears(assessment.AdministrationPlanned, an_administration())
    return made


async def test_an_attempt_is_a_result_with_the_points_of_each_objective(listening: Listening) -> None:
    await listening.hears(assessment.AttemptsScored, an_attempt())

    [result] = (await listening.results()).values()
    [objectives] = result["learningObjectiveSet"]
    assert (result["sourcedId"], result["score"], result["scoreDate"]) == (str(ATTEMPT), 3, "2026-09-08")
    assert result["student"]["sourcedId"] == "ada"
    assert result["metadata"] == {
        "trellis.ability": 0.25, "trellis.modality": "paper", "trellis.standardError": 0.5
    }  # fmt: skip
    assert objectives == {
        "source": "case",
        "learningObjectiveResults": [
            {"learningObjectiveId": NUMBERS["add"], "score": 0.75, "textScore": "3/4"},
            {"learningObjectiveId": NUMBERS["sub"], "score": 0.5, "textScore": "1/2"},
        ],
    }
    await _as_described(listening)


async def test_its_line_item_is_the_form_as_given_in_the_administration(listening: Listening) -> None:
    await listening.hears(assessment.AttemptsScored, an_attempt())

    [result] = (await listening.results()).values()
    item = await listening.gradebook.get(f"assessmentLineItems/{result['assessmentLineItem']['sourcedId']}")
    whole = await listening.gradebook.get(f"assessmentLineItems/{item['parentAssessmentLineItem']['sourcedId']}")
    assert item["sourcedId"] == item_of(an_id("administration", "fall"), an_id("form", "a"))
    assert (item["title"], item["resultValueMin"], item["resultValueMax"]) == ("Form A", 0, 4)
    assert item["learningObjectiveSet"] == [{"source": "case", "learningObjectiveIds": sorted(NUMBERS.values())}]
    assert (whole["title"], whole["metadata"]["trellis.purpose"]) == ("Fall window", "diagnostic")


async def test_mastery_is_one_result_for_each_student(listening: Listening) -> None:
    await listening.hears(mastery.MasteryChanged, a_learner(add=(0.9, 4), sub=(0.2, 1)))
    await listening.hears(mastery.MasteryChanged, a_learner(sub=(0.6, 5)))

    [result] = (await listening.results()).values()
    assert result["assessmentLineItem"]["sourcedId"] == "mastery"
    assert result["student"]["sourcedId"] == "ada"
    assert result["learningObjectiveSet"] == [
        {
            "source": "case",
            "learningObjectiveResults": [
                {"learningObjectiveId": NUMBERS["add"], "score": 0.9, "textScore": "mastered"},
                {"learningObjectiveId": NUMBERS["sub"], "score": 0.6, "textScore": "developing"},
            ],
        }
    ]
    assert (await listening.gradebook.get("assessmentLineItems/mastery"))["title"] == "Mastery"
    await _as_described(listening)


async def test_a_corrected_attempt_replaces_the_first_and_a_late_one_changes_nothing(listening: Listening) -> None:
    await listening.hears(assessment.AttemptsScored, an_attempt((2, 2), version=2))
    before = await listening.gradebook.revision_of("scored_attempts", str(ATTEMPT))

    await listening.hears(assessment.AttemptsScored, an_attempt((0, 0), version=1))

    [result] = (await listening.results()).values()
    assert result["score"] == 4
    assert await listening.gradebook.revision_of("scored_attempts", str(ATTEMPT)) == before


async def test_items_that_were_not_presented_are_not_held_against_anybody(listening: Listening) -> None:
    await listening.hears(assessment.AttemptsScored, an_attempt((254, 255)))

    [result] = (await listening.results()).values()
    [objectives] = result["learningObjectiveSet"]
    assert objectives["learningObjectiveResults"] == [
        {"learningObjectiveId": NUMBERS["add"], "score": 0, "textScore": "0/2"}
    ]


async def test_a_withdrawn_attempt_is_a_tombstone(listening: Listening) -> None:
    await listening.hears(assessment.AttemptsScored, an_attempt())
    seen = (await listening.gradebook.get(f"assessmentResults/{ATTEMPT}"))["dateLastModified"]

    await listening.hears(assessment.AttemptsScored, an_attempt((255, 255), version=2, withdrawn=True))

    [changed] = await listening.gradebook.get(f"assessmentResults?filter=dateLastModified>'{seen}'")
    assert await listening.results() == {}
    assert (changed["sourcedId"], changed["status"]) == (str(ATTEMPT), "tobedeleted")


async def test_facts_that_come_too_early_wait(gradebook: Gradebook) -> None:
    listening = Listening(gradebook)

    await listening.hears(mastery.MasteryChanged, a_learner(add=(0.9, 4)))
    await listening.hears(assessment.AttemptsScored, an_attempt())
    early = await listening.results()
    await listening.hears(assessment.AdministrationPlanned, an_administration())
    await listening.hears(assessment.FormPublished, a_form())

    assert early == {}
    assert len(await listening.results()) == 2
    assert await listening.kept("waiting") == await listening.kept("parked") == 0


async def test_an_attempt_that_does_not_fit_its_form_is_parked(listening: Listening) -> None:
    await listening.hears(assessment.AttemptsScored, an_attempt((1, 1, 1)))

    assert await listening.results() == {}
    assert await listening.kept("parked") == 1


async def test_objectives_whose_case_identifier_nobody_said_are_left_out(gradebook: Gradebook) -> None:
    listening = Listening(gradebook)
    await listening.hears(assessment.FormPublished, a_form(names=False))
    await listening.hears(assessment.AdministrationPlanned, an_administration())
    await listening.hears(assessment.AttemptsScored, an_attempt())

    [result] = (await listening.results()).values()
    assert "learningObjectiveSet" not in result


async def test_an_administration_that_is_planned_anew_is_told_anew(listening: Listening) -> None:
    await listening.hears(assessment.AdministrationPlanned, an_administration("Autumn window"))

    [item] = await listening.gradebook.get("assessmentLineItems")
    assert item["title"] == "Autumn window"


async def test_what_is_made_of_facts_is_nobodys_to_write(listening: Listening) -> None:
    await listening.hears(assessment.AttemptsScored, an_attempt())
    body = {"title": "Mine"}

    told = await listening.gradebook.put("assessmentLineItems/" + str(an_id("administration", "fall")), body)
    deleted, _ = await listening.gradebook.delete(f"assessmentResults/{ATTEMPT}")

    assert told == (403, "This is made of what the platform itself found out; it cannot be written.")
    assert deleted == 403
    assert len(await listening.results()) == 1


async def test_nothing_is_added_to_an_assessment_line_item_that_is_made_of_facts(listening: Listening) -> None:
    administration = str(an_id("administration", "fall"))
    written = {"assessmentLineItem": {"sourcedId": administration}, "student": {"sourcedId": "ada"},
               "scoreStatus": "submitted", "scoreDate": "2026-09-08"}  # fmt: skip

    status, said = await listening.gradebook.put("assessmentResults/mine", written)

    assert status == 422
    assert said == (
        f"assessmentResult.assessmentLineItem.sourcedId is {administration}: this assessmentLineItem is made of what "
        "the platform itself found out; nothing is added to it."
    )


async def test_what_is_believed_of_other_competencies_stays_when_facts_come_together(listening: Listening) -> None:
    await listening.hears(
        mastery.MasteryChanged,
        a_learner(add=(0.9, 4)), a_learner("ben", sub=(0.3, 4)), a_learner(sub=(0.2, 1)), a_learner(add=(0.7, 5)),
    )  # fmt: skip

    ada = (await listening.results())[f"mastery-{an_id('user', 'ada')}"]
    [objectives] = ada["learningObjectiveSet"]
    assert [one["score"] for one in objectives["learningObjectiveResults"]] == [0.7, 0.2]


async def test_an_attempt_without_an_ability_tells_none(listening: Listening) -> None:
    attempt = an_attempt()
    attempt.ClearField("ability")
    attempt.ClearField("standard_error")

    await listening.hears(assessment.AttemptsScored, attempt)

    assert (await listening.results())[str(ATTEMPT)]["metadata"] == {"trellis.modality": "paper"}


async def test_schools_and_districts_see_their_own_students_results(listening: Listening) -> None:
    await listening.hears(assessment.AttemptsScored, an_attempt())
    await listening.hears(mastery.MasteryChanged, a_learner("sol", add=(0.9, 4)))

    assert set(await listening.results(caller=a_caller(schools=("north",)))) == {str(ATTEMPT)}
    assert set(await listening.results(caller=a_caller(schools=("south",)))) == {f"mastery-{an_id('user', 'sol')}"}
    assert await listening.results(caller=a_caller(OTHER_DISTRICT)) == {}


async def test_they_stand_beside_what_the_districts_systems_wrote(listening: Listening) -> None:
    await listening.hears(assessment.AttemptsScored, an_attempt())
    await listening.gradebook.put("assessmentLineItems/exam", {"title": "Exam"})
    written = {"assessmentLineItem": {"sourcedId": "exam"}, "student": {"sourcedId": "ada"}, "score": 1,
               "scoreStatus": "submitted", "scoreDate": "2026-09-08"}  # fmt: skip
    assert (await listening.gradebook.put("assessmentResults/ada-exam", written))[0] == 201

    assert list(await listening.results()) == sorted([str(ATTEMPT), "ada-exam"])
    assert list(await listening.results())[:1] == [one["sourcedId"] for one in
        await listening.gradebook.get("assessmentResults?limit=1")]  # fmt: skip


async def _as_described(listening: Listening) -> None:
    if official.HERE:
        for plural in ("assessmentLineItems", "assessmentResults"):
            _, said = await listening.gradebook.send("GET", plural)
            official.check("gradebook", f"/{plural}", 200, said)


async def test_when_two_are_one_the_attempts_go_along_and_one_standing_is_left(listening: Listening) -> None:
    of_ben = an_attempt()
    of_ben.student = an_id("user", "ben").bytes
    await listening.hears(assessment.AttemptsScored, of_ben)
    await listening.hears(mastery.MasteryChanged, a_learner("ada", add=(0.9, 4)), a_learner("ben", add=(0.3, 4)))

    async with listening.gradebook.database.transaction(a_caller()) as tx:
        event = await deciding.merge(tx, str(an_id("user", "ada")), str(an_id("user", "ben")), force=True)

    merged = await listening.results()
    assert set(merged) == {str(ATTEMPT), f"mastery-{an_id('user', 'ada')}"}
    assert merged[str(ATTEMPT)]["student"]["sourcedId"] == "ada"

    async with listening.gradebook.database.transaction(a_caller()) as tx:
        await deciding.undo(tx, event.id)

    again = await listening.results()
    assert again[str(ATTEMPT)]["student"]["sourcedId"] == "ben"
    assert len(again) == 3
