"""Partnership in the small world behind the gateway: it keeps what schools say, and shows a school its own alone."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from fastapi import FastAPI

from services.partnership import contract
from shared.auth import Caller
from shared.errors import Conflict, Invalid, NotFound
from shared.http import CallerOf

WHEN = datetime(2026, 10, 5, 8, 0, tzinfo=UTC)
REASON = "What the one knows the other needs."
LEFT = "Nobody within reach offers it."
PROGRAMMES = {"learning-partnerships": "Learning Partnerships", "reading-circle": "Reading Circle"}

Visible = Callable[[Caller], set[UUID]]


@dataclass
class Partnerships:
    """Two programmes; in the first school 1 would help school 2, and school 2 school 3. Two are left in reading."""

    said: dict[tuple[UUID, str], contract.Willingness] = field(default_factory=dict)
    answers: dict[tuple[UUID, UUID], str] = field(default_factory=dict)
    because: str | None = None
    matchings: int = 1
    changes: list[tuple[str, Any, Caller]] = field(default_factory=list)
    """What was asked to be changed, by path, body and caller."""

    def programmes(self, district: UUID) -> list[contract.Programme]:
        return [
            contract.Programme(
                id=uuid5(district, f"programme:{code}"), code=code, title=title, partnerships=10, budget=50_000.0,
                cost_per_partnership=4_000.0, currency="USD", max_distance_km=12.5,
                areas=[
                    contract.Area(
                        code="mathematics", title="Mathematics",
                        competencies=[uuid5(district, "competency:2"), uuid5(district, "competency:1")],
                    ),
                    contract.Area(code="reading", title="Reading", competencies=[]),
                ],
            )
            for code, title in PROGRAMMES.items()
        ]  # fmt: skip

    def willingness(self, district: UUID) -> list[contract.Willingness]:
        """By area."""
        first, second = uuid5(district, "school:1"), uuid5(district, "school:2")
        found = {
            (school, area): contract.Willingness(
                school=school, area=area, role=role, eagerness=4, capacity=2, diagnostics_allowed=allowed,
                declared_at=WHEN,
            )
            for school, area, role, allowed in (
                (first, "mathematics", "offers", True), (second, "mathematics", "seeks", False),
                (second, "reading", "offers", False),
            )
        }  # fmt: skip
        kept = (found | self.said).values()
        return sorted((one for one in kept if one.eagerness), key=lambda one: one.area)

    def proposals(self, district: UUID) -> list[contract.Proposal]:
        """By id."""
        found = []
        for host, guest in ((1, 2), (2, 3)):
            id_ = uuid5(district, f"proposal:{host}:{guest}")
            sides = uuid5(district, f"school:{host}"), uuid5(district, f"school:{guest}")
            said = [self.answers.get((id_, side)) for side in sides]
            state = "declined" if "declined" in said else "accepted" if said == ["accepted"] * 2 else "proposed"
            found.append(
                contract.Proposal.model_validate(
                    {
                        "id": id_, "programme": uuid5(district, "programme:learning-partnerships"),
                        "matching": uuid5(district, "matching"), "area": "mathematics",
                        "host": sides[0], "guest": sides[1], "state": state, "reason": REASON,
                        "host_basis": "measured", "guest_basis": "declared", "distance_km": 3.25,
                        "host_answer": said[0], "guest_answer": said[1],
                        "declined_because": self.because if state == "declined" else None, "proposed_at": WHEN,
                    }
                )
            )  # fmt: skip
        return sorted(found, key=lambda one: one.id)

    def unmatched(self, district: UUID) -> list[contract.Unmatched]:
        """By id."""
        found = [
            contract.Unmatched(
                id=uuid5(district, f"unmatched:{school}:{area}"), school=uuid5(district, f"school:{school}"),
                area=area, role="seeks", reason=LEFT,
            )
            for school, area in ((3, "reading"), (1, "reading"))
        ]  # fmt: skip
        return sorted(found, key=lambda one: one.id)

    def matching(self, district: UUID, programme: UUID) -> contract.Matching | None:
        """Only the first programme has one."""
        if programme != uuid5(district, "programme:learning-partnerships"):
            return None
        return contract.Matching(
            id=uuid5(district, f"matching:{self.matchings}"), programme=programme, state="proposed",
            requested_at=WHEN, finished_at=WHEN, done=4, total=4, proposals=2, unmatched=2, explanation=None,
            snapshot_at=WHEN,
        )  # fmt: skip


def answers(app: FastAPI, world: Partnerships, visible: Visible) -> None:
    """The routes of the service."""
    _programmes(app, world)
    _willingness(app, world, visible)
    _proposals(app, world, visible)


def _programmes(app: FastAPI, world: Partnerships) -> None:
    @app.post("/programmes:batch-get")
    async def programmes(ask: contract.ByKeys, caller: CallerOf) -> list[contract.Programme]:
        return [one for one in world.programmes(caller.district) if one.id in ask.ids or one.code in ask.codes]

    @app.post("/programmes:list")
    async def page(ask: contract.Page, caller: CallerOf) -> contract.ProgrammePage:
        items, has_next = _page(world.programmes(caller.district), ask.first, ask.after)
        return contract.ProgrammePage(items=items, has_next=has_next)

    @app.post("/matchings:batch-get")
    async def matchings(ask: contract.ByProgrammes, caller: CallerOf) -> list[contract.Matching]:
        found = (world.matching(caller.district, one) for one in ask.programmes)
        return [one for one in found if one is not None]

    @app.post("/matchings:propose")
    async def propose(what: contract.Propose, caller: CallerOf) -> contract.Matching:
        world.changes.append(("/matchings:propose", what, caller))
        found = world.matching(caller.district, what.programme)
        if found is None:
            raise Conflict("No school is willing.")
        world.matchings += 1
        return found.model_copy(update={"state": "queued", "finished_at": None, "done": 0})


def _willingness(app: FastAPI, world: Partnerships, visible: Visible) -> None:
    @app.post("/willingness:batch-list")
    async def willingness(ask: contract.BySchools, caller: CallerOf) -> list[contract.SchoolWillingness]:
        said = world.willingness(caller.district)
        return [
            contract.SchoolWillingness(school=school, willingness=[one for one in said if one.school == school])
            for school in ask.schools
            if school in visible(caller)
        ]

    @app.post("/willingness:declare")
    async def declare(what: contract.Declare, caller: CallerOf) -> contract.Willingness:
        world.changes.append(("/willingness:declare", what, caller))
        if not 1 <= what.eagerness <= 5:
            raise Invalid("Eagerness is from 1 to 5.", field="eagerness")
        if what.area not in ("mathematics", "reading"):
            raise Invalid("No programme has this area.", field="area")
        declared = contract.Willingness(**what.model_dump(), declared_at=WHEN)
        before = [
            one for one in world.willingness(caller.district) if (one.school, one.area) == (what.school, what.area)
        ]
        if before and before[0].role != what.role:
            raise Conflict("It is declared in the other role; withdraw that first.", field="role")
        world.said[what.school, what.area] = declared
        return declared

    @app.post("/willingness:withdraw")
    async def withdraw(what: contract.Withdraw, caller: CallerOf) -> contract.Willingness:
        world.changes.append(("/willingness:withdraw", what, caller))
        for one in world.willingness(caller.district):
            if (one.school, one.area) == (what.school, what.area):
                world.said[what.school, what.area] = one.model_copy(update={"eagerness": 0})
                return one
        raise NotFound("The school has declared nothing in this area.", field="area")


def _proposals(app: FastAPI, world: Partnerships, visible: Visible) -> None:
    def shown(caller: Caller) -> list[contract.Proposal]:
        return [one for one in world.proposals(caller.district) if {one.host, one.guest} & visible(caller)]

    @app.post("/proposals:list")
    async def proposals(ask: contract.OfProgramme, caller: CallerOf) -> contract.ProposalPage:
        of_programme = [one for one in shown(caller) if one.programme == ask.programme]
        items, has_next = _page([one for one in of_programme if ask.state in (None, one.state)], ask.first, ask.after)
        return contract.ProposalPage(items=items, has_next=has_next)

    @app.post("/proposals:batch-get")
    async def by_ids(ask: contract.ByIds, caller: CallerOf) -> list[contract.Proposal]:
        return [one for one in shown(caller) if one.id in ask.ids]

    @app.post("/unmatched:list")
    async def unmatched(ask: contract.OfProgramme, caller: CallerOf) -> contract.UnmatchedPage:
        has_matching = world.matching(caller.district, ask.programme) is not None
        left = [one for one in world.unmatched(caller.district) if has_matching and one.school in visible(caller)]
        items, has_next = _page(left, ask.first, ask.after)
        return contract.UnmatchedPage(items=items, has_next=has_next)

    @app.post("/proposals:respond")
    async def respond(what: contract.Respond, caller: CallerOf) -> contract.Proposal:
        world.changes.append(("/proposals:respond", what, caller))
        found = [one for one in shown(caller) if one.id == what.proposal]
        if not found:
            raise NotFound("There is no such proposal.", field="proposal")
        if what.school not in (found[0].host, found[0].guest):
            raise Invalid("This school is neither side of the proposal.", field="school")
        world.answers[what.proposal, what.school] = what.answer
        world.because = what.because
        return next(one for one in shown(caller) if one.id == what.proposal)


def _page(items: list[Any], first: int, after: UUID | None) -> tuple[list[Any], bool]:
    start = 0
    if after is not None:
        start = next((place + 1 for place, item in enumerate(items) if item.id == after), len(items))
    return items[start : start + first], len(items) > start + first
