"""What the roster says of a merge is what assessment and mastery understand: the bytes of one, heard by the others."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from shared.db import Database
from shared.events import Envelope
from shared.outbox import envelope_of
from tests.integration.assessment.conftest import AssessmentService, assessment
from tests.integration.assessment.conftest import Delivered as ToAssessment
from tests.integration.mastery.conftest import Delivered as ToMastery
from tests.integration.mastery.conftest import MasteryService, a_form, an_attempt, mastery
from tests.integration.roster.archives import a_roster
from tests.integration.roster.conftest import DISTRICT, RosterService, a_caller, an_id, roster

__all__ = ["assessment", "mastery", "roster"]

KEPT, ABSORBED = an_id("user", "s000"), an_id("user", "s001")
FORM = a_form("A", [["add"], ["add", "sub"], ["sub"]])


async def said(database: Database, types: Sequence[str]) -> list[Envelope]:
    """The envelopes of these types in a service's outbox, as the relay would hand them on."""
    async with database.system() as tx:
        rows = await tx.fetch("SELECT * FROM outbox WHERE type = ANY ($1) ORDER BY id", types)
    return [envelope_of(row) for row in rows]


async def hears_of_all(roster: RosterService, consumer: Any, delivered: Callable[[list[Envelope]], Any]) -> None:
    envelopes = await said(roster.database, consumer.types)
    if envelopes:
        await consumer.hear(delivered(envelopes))


async def test_the_ledger_follows_a_merge_and_its_undoing(roster: RosterService, mastery: MasteryService) -> None:
    await roster.load(a_roster(4).zip())
    await mastery.knows(FORM, district=DISTRICT)
    sheets = [an_attempt("x", "A", [1, 0, 1], 3), an_attempt("y", "A", [1, 1, 1], 1)]
    for sheet, student in zip(sheets, (KEPT, ABSORBED), strict=True):
        sheet.student = student.bytes
    await mastery.scored(*sheets, district=DISTRICT)
    before = await mastery.stored(DISTRICT)

    event = await roster.ask("/identity/merges", {"person": "s000", "absorbed": "s001", "force": True})
    await hears_of_all(roster, mastery.consumer, ToMastery)

    assert {row["student_id"] for row in await standing(mastery)} == {KEPT}
    await roster.ask(f"/identity/{event['id']}:undo", {})
    await hears_of_all(roster, mastery.consumer, ToMastery)
    assert await mastery.stored(DISTRICT) == before


async def standing(mastery: MasteryService) -> list[Any]:
    async with mastery.database.reading(a_caller()) as tx:
        return await tx.fetch("SELECT student_id FROM sheets")


@pytest.mark.parametrize("by", ["undone", "split"])
async def test_who_is_parted_again_has_their_own(roster: RosterService, assessment: AssessmentService, by: str) -> None:
    await roster.load(a_roster(4).zip())
    event = await roster.ask("/identity/merges", {"person": "s000", "absorbed": "s001", "force": True})
    if by == "undone":
        await roster.ask(f"/identity/{event['id']}:undo", {})
    else:
        await roster.ask("/identity/splits", {"person": "s000", "sourced_ids": ["s001"]})

    await hears_of_all(roster, assessment._consumer, lambda all_of_it: ToAssessment(all_of_it[::-1]))

    assert await assessment.look("SELECT absorbed_id, person_id FROM mergers WHERE holds") == []
    [known] = await assessment.look("SELECT DISTINCT absorbed_id, person_id FROM mergers")
    assert known == {"absorbed_id": ABSORBED, "person_id": KEPT}
