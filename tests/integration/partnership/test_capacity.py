"""A school has no more partnerships in an area than it declared, whichever programmes propose them."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from shared.auth import Caller
from shared.errors import Conflict, Forbidden, NotFound
from tests.integration.partnership.conftest import (
    OTHER_DISTRICT,
    PROGRAMME,
    WILLING,
    PartnershipService,
    a_caller,
    a_school,
)

ANOTHER = PROGRAMME.replace("2026-pairs", "2026-more")
APART = '\n[[rules.conflicts]]\nschools = ["ash", "{guest}"]\nreason = "They share a principal."\n'


async def accept(
    partnership: PartnershipService, proposal: dict[str, Any], school: str, caller: Caller | None = None
) -> str:
    """This school says yes, with a key of its own; the state of the proposal then."""
    told = await partnership.ask(
        "/proposals:respond", caller or a_caller(schools=[school]), proposal=proposal["id"],
        school=str(a_school(school)), answer="accepted",
    )  # fmt: skip
    return str(told["state"])


async def of_ash(partnership: PartnershipService, programme: UUID) -> tuple[dict[str, Any], str]:
    """What is proposed to ash, whose capacity is one, and whom it would help."""
    [found] = [each for each in await partnership.proposals(programme) if each["host"] == str(a_school("ash"))]
    return found, next(name for name in ("cedar", "dogwood") if str(a_school(name)) == found["guest"])


async def another_programme(partnership: PartnershipService, content: str = ANOTHER) -> UUID:
    await partnership.load("programme", content)
    [made] = await partnership.ask("/programmes:batch-get", codes=["2026-more"])
    await partnership.matched(UUID(made["id"]))
    return UUID(made["id"])


async def declares(partnership: PartnershipService, school: str, role: str, eagerness: int, capacity: int) -> None:
    await partnership.ask(
        "/willingness:declare", a_caller(schools=[school]), school=str(a_school(school)), area="mathematics",
        role=role, eagerness=eagerness, capacity=capacity, diagnostics_allowed=True,
    )  # fmt: skip


@pytest.fixture
async def programme(partnership: PartnershipService) -> UUID:
    """A programme whose four schools in mathematics have a place each, matched."""
    made = await partnership.knows_programme()
    await partnership.willing(*WILLING)
    await partnership.matched(made)
    return made


class TestAnAcceptance:
    async def test_is_refused_when_the_schools_own_places_are_taken_in_another_programme(
        self, partnership: PartnershipService, programme: UUID
    ) -> None:
        proposal, guest = await of_ash(partnership, programme)
        second, _ = await of_ash(partnership, await another_programme(partnership))
        for school in ("ash", guest):
            await accept(partnership, proposal, school)

        with pytest.raises(Conflict) as refused:
            await accept(partnership, second, "ash")

        assert refused.value.message == (
            "proposal: accepted partnerships use every place that this school declared in mathematics."
        )
        assert refused.value.detail == {"field": "proposal"}
        answers = await partnership.look("SELECT 1 FROM answers WHERE proposal_id = $1", UUID(second["id"]))
        assert answers == []

    async def test_is_refused_when_the_other_schools_places_are_taken_by_what_this_one_cannot_see(
        self, partnership: PartnershipService, programme: UUID
    ) -> None:
        proposal, guest = await of_ash(partnership, programme)
        second, other = await of_ash(
            partnership, await another_programme(partnership, ANOTHER + APART.format(guest=guest))
        )
        for school in ("ash", guest):
            await accept(partnership, proposal, school)

        with pytest.raises(Conflict) as refused:
            await accept(partnership, second, other)

        assert other != guest
        assert refused.value.message == (
            "proposal: accepted partnerships use every place that the other school declared in mathematics."
        )
        assert refused.value.detail == {"field": "proposal"}

    async def test_is_taken_once_the_schools_declare_more_places(
        self, partnership: PartnershipService, programme: UUID
    ) -> None:
        proposal, guest = await of_ash(partnership, programme)
        second, _ = await of_ash(partnership, await another_programme(partnership))
        for school in ("ash", guest):
            await accept(partnership, proposal, school)
        await declares(partnership, "ash", "offers", 4, 2)
        with pytest.raises(Conflict, match="the other school"):
            await accept(partnership, second, "ash")

        await declares(partnership, guest, "seeks", {"cedar": 5, "dogwood": 3}[guest], 2)

        assert [await accept(partnership, second, school) for school in ("ash", guest)] == ["proposed", "accepted"]

    async def test_does_not_keep_a_school_from_declining(
        self, partnership: PartnershipService, programme: UUID
    ) -> None:
        proposal, guest = await of_ash(partnership, programme)
        second, _ = await of_ash(partnership, await another_programme(partnership))
        for school in ("ash", guest):
            await accept(partnership, proposal, school)

        told = await partnership.ask(
            "/proposals:respond", a_caller(schools=["ash"]), proposal=second["id"], school=str(a_school("ash")),
            answer="declined",
        )  # fmt: skip

        assert told["state"] == "declined"

    async def test_is_one_of_two_that_come_at_once_for_the_last_place(
        self, partnership: PartnershipService, programme: UUID
    ) -> None:
        first, guest = await of_ash(partnership, programme)
        second, same = await of_ash(partnership, await another_programme(partnership))
        for proposal in (first, second):
            await accept(partnership, proposal, "ash")

        told = await asyncio.gather(
            *(accept(partnership, proposal, guest) for proposal in (first, second)), return_exceptions=True
        )

        assert same == guest
        assert [type(each) for each in told if not isinstance(each, str)] == [Conflict]
        assert [each for each in told if isinstance(each, str)] == ["accepted"]
        accepted = await partnership.look("SELECT count(*) AS number FROM proposals WHERE state = 'accepted'")
        assert accepted == [{"number": 1}]

    async def test_leaves_a_key_of_one_school_as_narrow_as_it_was(
        self, partnership: PartnershipService, programme: UUID
    ) -> None:
        proposal, _ = await of_ash(partnership, programme)
        [unseen] = [each for each in await partnership.proposals(programme) if each["id"] != proposal["id"]]

        await accept(partnership, proposal, "ash")

        with pytest.raises(NotFound):
            await accept(partnership, unseen, "ash")
        with pytest.raises(Forbidden):
            await accept(partnership, proposal, "ash", a_caller(schools=["elm"]))
        with pytest.raises(NotFound):
            await accept(partnership, proposal, "ash", a_caller(OTHER_DISTRICT))
        [said] = await partnership.look("SELECT answered_by, district_id FROM answers")
        assert said == {"answered_by": "key:test", "district_id": a_caller().district}
