"""From willing schools to partnerships: proposed once, answered by both sides, taken back when consent is."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.partnership.domain.instance import School
from services.partnership.domain.matching import Outcome
from services.partnership.handlers.matchings import Matcher, Solve
from services.partnership.peers import Roster
from services.partnership.store.matchings import Due
from shared import crash
from shared.auth import Caller, Purpose
from shared.client import ServiceClient
from shared.errors import Conflict, Forbidden, Invalid, NotFound
from shared.events_pb.trellis.events.partnership.v1 import partnership_pb2 as pb
from tests.integration.partnership.conftest import (
    OTHER_DISTRICT,
    PROGRAMME,
    SNAPSHOT,
    WILLING,
    PartnershipService,
    a_caller,
    a_school,
)
from tests.integration.work import at_work


def forever(_: str) -> Outcome:
    """A solver that never ends by itself, and is killed with its process."""
    while True:
        pass


def dies(_: str) -> Outcome:
    """A solver whose process dies."""
    os._exit(1)


class SlowRoster(Roster):
    """A roster that answers when it is told to."""

    def __init__(self, client: ServiceClient) -> None:
        super().__init__(client)
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def schools(self, ids: Sequence[UUID], caller: Caller) -> dict[UUID, School]:
        self.asked.set()
        await self.may_answer.wait()
        return await super().schools(ids, caller)


def mistaken(_: str) -> Outcome:
    """A solver with a mistake of ours in it."""
    raise AssertionError("a mistake")


async def begun(partnership: PartnershipService, programme: UUID) -> Due:
    await partnership.ask("/matchings:propose", programme=str(programme))
    due = await partnership.due()
    assert due is not None
    return due


async def state_of(partnership: PartnershipService, programme: UUID) -> dict[str, Any]:
    [matching] = await partnership.ask("/matchings:batch-get", programmes=[str(programme)])
    found: dict[str, Any] = matching
    return found


@pytest.fixture
async def programme(partnership: PartnershipService) -> UUID:
    """A programme with four schools willing in mathematics; nobody offers what the fifth seeks."""
    made = await partnership.knows_programme()
    report = await partnership.willing(*WILLING)
    assert report.state == "applied", report.problems
    return made


class TestAMatching:
    async def test_proposes_with_reasons_and_announces(self, partnership: PartnershipService, programme: UUID) -> None:
        matching = await partnership.matched(programme)

        assert (matching["state"], matching["done"], matching["proposals"], matching["unmatched"]) == (
            "proposed",
            3,
            2,
            1,
        )
        assert matching["snapshot_at"] == SNAPSHOT.isoformat().replace("+00:00", "Z")
        proposals = await partnership.proposals(programme)
        assert {each["guest"] for each in proposals} == {str(a_school("cedar")), str(a_school("dogwood"))}
        by_host = {each["host"]: each for each in proposals}
        assert by_host[str(a_school("birch"))]["host_basis"] == "declared"
        assert "60%" not in by_host[str(a_school("birch"))]["reason"]
        assert "mastered 80% on average" in by_host[str(a_school("ash"))]["reason"]
        assert "figures of 1 October 2026" in by_host[str(a_school("ash"))]["reason"]
        page = await partnership.ask("/unmatched:list", programme=str(programme), first=10)
        assert [(each["school"], each["reason"]) for each in page["items"]] == [
            (str(a_school("elm")), "No other school offers help in English language learners.")
        ]
        facts = await partnership.announced(pb.PartnershipsProposed)
        assert {UUID(bytes=fact.proposal) for fact in facts} == {UUID(each["id"]) for each in proposals}
        assert await partnership.look("SELECT 1 FROM matching_inputs") == []
        assert await partnership.staged_rows() == 0

    async def test_asked_for_twice_is_one(self, partnership: PartnershipService, programme: UUID) -> None:
        first = await partnership.ask("/matchings:propose", programme=str(programme))
        second = await partnership.ask("/matchings:propose", programme=str(programme))

        assert first["id"] == second["id"]
        assert (first["state"], first["done"], first["total"]) == ("queued", 0, 3)

    async def test_killed_while_it_is_solved_starts_over_from_the_frozen_inputs(
        self, partnership: PartnershipService, programme: UUID
    ) -> None:
        due = await begun(partnership, programme)
        solving = asyncio.create_task(partnership.matcher(forever).advance(due))
        while (await state_of(partnership, programme))["state"] != "solving":  # noqa: ASYNC110  # it is in a database
            await asyncio.sleep(0.02)
        [frozen] = await partnership.look("SELECT inputs::text FROM matching_inputs")

        solving.cancel()
        await asyncio.wait([solving])
        partnership.away |= {"roster", "mastery"}  # nothing is asked a second time
        with pytest.raises(crash.Crashed), crash.armed("W1", time=3):  # dies when it would commit the proposals
            await partnership.matcher().advance(due)
        [still] = await partnership.look("SELECT inputs::text FROM matching_inputs")
        nothing = await partnership.look("SELECT 1 FROM proposals")
        await partnership.matcher().advance(due)

        assert still == frozen
        assert nothing == []
        ids = {row["id"] for row in await partnership.look("SELECT id FROM proposals")}
        async with partnership.database.transaction(a_caller()) as tx:  # back to where it was frozen
            await tx.run("DELETE FROM unmatched")
            await tx.run("DELETE FROM proposals")
            await tx.run("UPDATE matchings SET state = 'solving'")
            await tx.run(
                "INSERT INTO matching_inputs SELECT id, district_id, $1::text::jsonb FROM matchings", frozen["inputs"]
            )
        await partnership.matcher().advance(due)
        assert {row["id"] for row in await partnership.look("SELECT id FROM proposals")} == ids
        assert len(ids) == 2

    @pytest.mark.parametrize("service", ["roster", "mastery"])
    async def test_waits_while_somebody_it_asks_is_away(
        self, partnership: PartnershipService, programme: UUID, service: str
    ) -> None:
        partnership.away.add(service)
        due = await begun(partnership, programme)

        await partnership.matcher().advance(due)

        assert (await state_of(partnership, programme))["state"] == "queued"
        assert await partnership.due() is None
        partnership.away.clear()
        await partnership.matcher().advance(due)
        assert (await state_of(partnership, programme))["state"] == "proposed"

    @pytest.mark.parametrize(("solve", "times"), [(mistaken, 1), (dies, 3)])
    async def test_that_cannot_be_solved_fails_with_a_word_and_is_not_tried_for_ever(
        self, partnership: PartnershipService, programme: UUID, solve: Solve, times: int
    ) -> None:
        due = await begun(partnership, programme)
        matcher = partnership.matcher(solve)

        for _ in range(times):
            assert (await state_of(partnership, programme))["state"] in ("queued", "solving")
            await matcher.advance(due)

        told = await state_of(partnership, programme)
        assert told["state"] == "failed"
        assert told["explanation"].startswith("Something went wrong on our side")
        assert await partnership.staged_rows() == 0

    async def test_is_taken_up_by_the_job_by_itself(self, partnership: PartnershipService, programme: UUID) -> None:
        async with at_work(partnership.matcher().work()), asyncio.timeout(60):
            await partnership.ask("/matchings:propose", programme=str(programme))
            while (await state_of(partnership, programme))["state"] != "proposed":  # noqa: ASYNC110  # it is in a database
                await asyncio.sleep(0.05)

        assert await partnership.due() is None

    async def test_that_is_infeasible_says_so_and_leaves_open_proposals(
        self, partnership: PartnershipService, programme: UUID
    ) -> None:
        await partnership.matched(programme)
        await partnership.knows_programme(PROGRAMME + "\n[rules.balance.charter]\nat_least = 2\n")

        matching = await partnership.matched(programme)

        assert matching["state"] == "infeasible"
        assert matching["explanation"] == (
            "Too few schools are willing: the programme asks for at least 2 places for charter schools."
        )
        assert {state for _, _, state in await partnership.pairs(programme)} == {"proposed"}

    async def test_begins_again_when_consent_is_taken_back_while_it_is_solved(
        self, partnership: PartnershipService, programme: UUID, tmp_path: Path
    ) -> None:
        due = await begun(partnership, programme)
        with pytest.raises(crash.Crashed), crash.armed("W1", time=4):
            await partnership.matcher().advance(due)
        await partnership.ask("/willingness:withdraw", school=str(a_school("ash")), area="mathematics")

        while (waiting := await partnership.due()) is not None:
            await partnership.matcher().advance(waiting)

        [[host, _, _]] = await partnership.pairs(programme)
        assert host == "birch"

    async def test_that_waits_loses_a_schools_figures_as_soon_as_their_use_is_taken_back(
        self, partnership: PartnershipService, programme: UUID
    ) -> None:
        due = await begun(partnership, programme)
        await partnership.matcher(dies).advance(due)
        [frozen] = await partnership.look("SELECT inputs::text FROM matching_inputs")
        ash = {"school": str(a_school("ash")), "area": "mathematics", "role": "offers", "eagerness": 4, "capacity": 1}

        await partnership.ask("/willingness:declare", a_caller(schools=["ash"]), **ash, diagnostics_allowed=False)

        assert '"share": 0.8' in frozen["inputs"]
        assert await partnership.look("SELECT 1 FROM matching_inputs") == []
        told = await state_of(partnership, programme)
        assert (told["state"], told["done"], told["snapshot_at"]) == ("queued", 0, None)
        await partnership.matcher().advance(due)
        bases = {each["host"]: each["host_basis"] for each in await partnership.proposals(programme)}
        assert bases[str(a_school("ash"))] == "declared"

    async def test_that_waits_keeps_its_inputs_when_nothing_in_them_is_taken_back(
        self, partnership: PartnershipService, programme: UUID
    ) -> None:
        await partnership.willing("ash,english,offers,4,1,yes")
        due = await begun(partnership, programme)
        await partnership.matcher(dies).advance(due)

        await partnership.willing("ash,english,offers,4,1,no")

        assert len(await partnership.look("SELECT 1 FROM matching_inputs")) == 1

    async def test_does_not_freeze_figures_whose_use_was_taken_back_while_they_were_asked_for(
        self, partnership: PartnershipService, programme: UUID
    ) -> None:
        due = await begun(partnership, programme)
        roster = SlowRoster(partnership.peers)
        slow = asyncio.create_task(Matcher(partnership.database, roster, partnership.mastery, solve=dies).advance(due))
        await roster.asked.wait()
        await partnership.willing("ash,mathematics,offers,4,1,no")

        roster.may_answer.set()
        await slow

        assert await partnership.look("SELECT 1 FROM matching_inputs") == []
        assert await partnership.due() == due

    async def test_begins_again_when_the_programme_is_replaced_while_it_is_solved(
        self, partnership: PartnershipService, programme: UUID
    ) -> None:
        due = await begun(partnership, programme)
        with pytest.raises(crash.Crashed), crash.armed("W1", time=4):
            await partnership.matcher().advance(due)
        await partnership.knows_programme(PROGRAMME.replace("budget = 30000", "budget = 10000"))

        while (waiting := await partnership.due()) is not None:
            await partnership.matcher().advance(waiting)

        assert (await state_of(partnership, programme))["proposals"] == 1

    async def test_taken_up_by_two_workers_ends_once(self, partnership: PartnershipService, programme: UUID) -> None:
        due = await begun(partnership, programme)

        await asyncio.gather(*(partnership.matcher().advance(due) for _ in range(3)))

        told = await state_of(partnership, programme)
        assert (told["state"], told["proposals"], told["done"]) == ("proposed", 2, 3)
        assert await partnership.due() is None
        assert len(await partnership.announced(pb.PartnershipsProposed)) == 2

    async def test_that_is_over_is_not_begun_by_a_worker_that_was_slow(
        self, partnership: PartnershipService, programme: UUID
    ) -> None:
        due = await begun(partnership, programme)
        roster = SlowRoster(partnership.peers)
        slow = asyncio.create_task(Matcher(partnership.database, roster, partnership.mastery).advance(due))
        await roster.asked.wait()
        await partnership.matcher().advance(due)

        roster.may_answer.set()
        await slow

        told = await state_of(partnership, programme)
        assert (told["state"], told["proposals"]) == ("proposed", 2)
        assert await partnership.staged_rows() == 0
        assert await partnership.look("SELECT 1 FROM matching_inputs") == []

    async def test_is_for_the_whole_district_to_start(self, partnership: PartnershipService, programme: UUID) -> None:
        ask = {"programme": str(programme)}
        for caller in (
            a_caller(schools=["ash"]),
            a_caller(purpose=Purpose.ACCOUNTABILITY),
            a_caller(scopes=["partnership:read"]),
        ):
            with pytest.raises(Forbidden):
                await partnership.ask("/matchings:propose", caller, **ask)
        with pytest.raises(NotFound):
            await partnership.ask("/matchings:propose", a_caller(OTHER_DISTRICT), **ask)


class TestAProposal:
    async def respond(
        self, partnership: PartnershipService, proposal: dict[str, Any], school: str, answer: str, **more: Any
    ) -> dict[str, Any]:
        caller = more.pop("caller", a_caller(schools=[school]))
        told: dict[str, Any] = await partnership.ask(
            "/proposals:respond", caller, proposal=proposal["id"], school=str(a_school(school)), answer=answer, **more
        )
        return told

    async def of(self, partnership: PartnershipService, programme: UUID, host: str) -> tuple[dict[str, Any], str]:
        [found] = [each for each in await partnership.proposals(programme) if each["host"] == str(a_school(host))]
        guest = next(name for name in ("cedar", "dogwood") if str(a_school(name)) == found["guest"])
        return found, guest

    async def test_is_accepted_when_both_sides_have_and_stays_in_the_next_matching(
        self, partnership: PartnershipService, programme: UUID
    ) -> None:
        await partnership.matched(programme)
        proposal, guest = await self.of(partnership, programme, "ash")

        first = await self.respond(partnership, proposal, "ash", "accepted")
        again = await self.respond(partnership, proposal, "ash", "accepted")
        both = await self.respond(partnership, proposal, guest, "accepted")
        await partnership.matched(programme)

        assert (first["state"], again["state"], both["state"]) == ("proposed", "proposed", "accepted")
        facts = await partnership.announced(pb.ProposalsAnswered)
        assert [fact.state for fact in facts] == [pb.STATE_PROPOSED, pb.STATE_ACCEPTED, pb.STATE_SUPERSEDED]
        pairs = await partnership.pairs(programme)
        assert ("ash", guest, "accepted") in pairs
        assert {state for host, _, state in pairs if host == "birch"} == {"proposed"}
        assert len(pairs) == 2

    async def test_that_is_accepted_uses_its_schools_capacity_in_every_programme(
        self, partnership: PartnershipService, programme: UUID
    ) -> None:
        await partnership.matched(programme)
        proposal, guest = await self.of(partnership, programme, "ash")
        for school in ("ash", guest):
            await self.respond(partnership, proposal, school, "accepted")
        await partnership.load("programme", PROGRAMME.replace("2026-pairs", "2026-more"))
        [other] = await partnership.ask("/programmes:batch-get", codes=["2026-more"])

        await partnership.matched(UUID(other["id"]))

        [(host, other_guest, _)] = await partnership.pairs(UUID(other["id"]))
        assert (host, {guest, other_guest}) == ("birch", {"cedar", "dogwood"})
        page = await partnership.ask("/unmatched:list", programme=other["id"], first=10)
        reasons = {each["school"]: each["reason"] for each in page["items"]}
        assert reasons[str(a_school("ash"))] == (
            "All its places in Mathematics are taken by partnerships of other programmes."
        )

    async def test_that_one_side_declined_is_not_proposed_again(
        self, partnership: PartnershipService, programme: UUID
    ) -> None:
        await partnership.matched(programme)
        proposal, guest = await self.of(partnership, programme, "ash")

        told = await self.respond(partnership, proposal, guest, "declined", because="No staff this year.")
        await partnership.matched(programme)

        assert (told["state"], told["declined_because"]) == ("declined", "No staff this year.")
        pairs = {(host, other) for host, other, _ in await partnership.pairs(programme)}
        assert ("ash", guest) not in pairs
        assert len(pairs) == 2
        with pytest.raises(Conflict):
            await self.respond(partnership, proposal, "ash", "accepted")

    async def test_is_seen_and_answered_by_its_two_schools_and_the_district_alone(
        self, partnership: PartnershipService, programme: UUID
    ) -> None:
        await partnership.matched(programme)
        proposal, _guest = await self.of(partnership, programme, "ash")
        stranger = a_caller(OTHER_DISTRICT)

        assert len(await partnership.proposals(programme, a_caller(schools=["ash"]))) == 1
        assert await partnership.proposals(programme, a_caller(schools=["elm"])) == []
        assert await partnership.proposals(programme, stranger) == []
        assert await partnership.ask("/proposals:batch-get", stranger, ids=[proposal["id"]]) == []
        with pytest.raises(Forbidden):
            await self.respond(partnership, proposal, "ash", "accepted", caller=a_caller(schools=["elm"]))
        with pytest.raises(NotFound):
            await self.respond(partnership, proposal, "elm", "accepted")
        with pytest.raises(NotFound):
            await self.respond(partnership, proposal, "ash", "accepted", caller=stranger)
        with pytest.raises(Forbidden):
            await self.respond(
                partnership, proposal, "ash", "accepted", caller=a_caller(purpose=Purpose.ACCOUNTABILITY)
            )
        with pytest.raises(Invalid):
            await self.respond(partnership, proposal, "elm", "accepted", caller=a_caller())

    async def test_falls_when_a_school_takes_its_willingness_back(
        self, partnership: PartnershipService, programme: UUID
    ) -> None:
        await partnership.matched(programme)

        await partnership.ask(
            "/willingness:withdraw", a_caller(schools=["ash"]), school=str(a_school("ash")), area="mathematics"
        )

        assert {state for host, _, state in await partnership.pairs(programme) if host == "ash"} == {"withdrawn"}
        [fact] = await partnership.announced(pb.ProposalsAnswered)
        assert (fact.state, fact.HasField("school")) == (pb.STATE_WITHDRAWN, False)

    async def test_loses_a_schools_figures_when_their_use_is_not_allowed_any_more(
        self, partnership: PartnershipService, programme: UUID
    ) -> None:
        await partnership.matched(programme)
        accepted, guest = await self.of(partnership, programme, "ash")
        for school in ("ash", guest):
            await self.respond(partnership, accepted, school, "accepted")
        other = "dogwood" if guest == "cedar" else "cedar"
        eager = {"cedar": 5, "dogwood": 3}

        for school, role, eagerness in (("ash", "offers", 4), (other, "seeks", eager[other])):
            await partnership.ask(
                "/willingness:declare", a_caller(schools=[school]), school=str(a_school(school)), area="mathematics",
                role=role, eagerness=eagerness, capacity=1, diagnostics_allowed=False,
            )  # fmt: skip

        kept, _ = await self.of(partnership, programme, "ash")
        fallen, _ = await self.of(partnership, programme, "birch")
        assert (kept["state"], kept["host_basis"], kept["guest_basis"]) == ("accepted", "declared", "measured")
        assert "80%" not in kept["reason"]
        assert (fallen["state"], fallen["guest_basis"]) == ("withdrawn", "declared")
        shares = await partnership.look(
            "SELECT grounds -> 'host' ->> 'share' AS host, grounds -> 'guest' ->> 'share' AS guest FROM proposals "
            "ORDER BY state"
        )
        assert [each["host"] for each in shares] == [None, None]
        assert [each["guest"] is None for each in shares] == [False, True]


class TestDeclaring:
    async def declare(self, partnership: PartnershipService, **other: Any) -> dict[str, Any]:
        caller = other.pop("caller", a_caller(schools=["ash"]))
        body = {
            "school": str(a_school("ash")), "area": "english", "role": "offers", "eagerness": 4, "capacity": 2,
            "diagnostics_allowed": False, **other,
        }  # fmt: skip
        told: dict[str, Any] = await partnership.ask("/willingness:declare", caller, **body)
        return told

    async def test_is_announced_once(self, partnership: PartnershipService, programme: UUID) -> None:
        first = await self.declare(partnership)
        again = await self.declare(partnership)

        assert first == again
        facts = await partnership.announced(pb.WillingnessDeclared)
        assert [(fact.area, fact.eagerness) for fact in facts if fact.area == "english"] == [
            ("english", 2),
            ("english", 4),
        ]

    @pytest.mark.parametrize(
        ("other", "error"),
        [
            ({"eagerness": 9}, Invalid), ({"capacity": 0}, Invalid), ({"area": "chemistry"}, Invalid),
            ({"area": "mathematics", "role": "seeks"}, Conflict),
            ({"caller": a_caller(schools=["birch"])}, Forbidden),
            ({"caller": a_caller(purpose=Purpose.ACCOUNTABILITY)}, Forbidden),
            ({"caller": a_caller(scopes=["partnership:read"])}, Forbidden),
            ({"caller": a_caller(OTHER_DISTRICT)}, NotFound),
        ],
    )  # fmt: skip
    async def test_that_is_wrong_or_for_another_school_is_refused(
        self, partnership: PartnershipService, programme: UUID, other: dict[str, Any], error: type[Exception]
    ) -> None:
        before = await partnership.look("SELECT * FROM willingness_history")

        with pytest.raises(error):
            await self.declare(partnership, **other)

        assert await partnership.look("SELECT * FROM willingness_history") == before

    async def test_nothing_cannot_be_withdrawn(self, partnership: PartnershipService, programme: UUID) -> None:
        with pytest.raises(NotFound):
            await partnership.ask("/willingness:withdraw", school=str(a_school("ash")), area="english")
