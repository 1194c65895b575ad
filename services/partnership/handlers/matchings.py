"""A matching: asked for, its inputs frozen, solved in a process of its own, and what it proposes announced.

Killed at any moment, the next start takes it up from the frozen inputs and proposes the same. What a school takes back
while it is solved, it is begun again without.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar
from uuid import UUID

import structlog

from services.partnership import events
from services.partnership.domain.figures import share, shares_in_context
from services.partnership.domain.instance import Instance, Pair, Willing, from_json, instance_of, to_json
from services.partnership.domain.matching import Outcome, match
from services.partnership.peers import Mastery, Roster
from services.partnership.store import matchings as store
from services.partnership.store import programmes, proposals, willingness
from services.partnership.store.matchings import Certificate, Due, Matching
from services.partnership.store.programmes import Kept
from services.partnership.store.willingness import Declared
from shared import jobs
from shared.auth import Caller
from shared.compute import Compute
from shared.db import Database, Transaction
from shared.errors import NotFound, Unavailable
from shared.events import uuid7
from shared.events_pb.trellis.events.partnership.v1 import partnership_pb2 as pb
from shared.inbox import is_transient

_NET_SECONDS = 2.0
_LATER = timedelta(seconds=5)
_MOST_DEATHS = 3
_UNDER_WAY = ("queued", "solving")
_LOCK = 0x6D61746368

Solve = Callable[[str], Outcome]
P = ParamSpec("P")
R = TypeVar("R")

log = structlog.get_logger("matching")


class NoSuchProgramme(NotFound):
    """There is no such programme."""


async def propose(tx: Transaction, programme: UUID) -> Matching:
    """Start a matching; while one is under way, that one."""
    tx.caller.need("partnership:write")
    tx.caller.refuse_accountability()
    tx.caller.need_whole_district()
    if not await programmes.list_programmes(tx, [programme], []):
        raise NoSuchProgramme
    await willingness.serialise(tx)
    return await store.unfinished(tx, programme) or await store.add(tx, uuid7(), programme)


class Matcher:
    """The job that takes matchings to their end, one after the other."""

    def __init__(self, database: Database, roster: Roster, mastery: Mastery, *, solve: Solve = match) -> None:
        self._database = database
        self._roster = roster
        self._mastery = mastery
        self._solve = solve
        self._deaths: dict[UUID, int] = {}

    async def work(self) -> None:
        """Until cancelled: take what is due, oldest first. One worker per database, under an advisory lock."""
        await jobs.work(self._database, "matchings", self._take, every_seconds=_NET_SECONDS, lock=_LOCK)

    async def _take(self) -> bool:
        """Take the matching that has waited longest; whether there was one."""
        async with self._database.system() as tx:
            due = await store.next_due(tx)
        if due is None:
            return False
        await self.advance(due)
        return True

    async def advance(self, due: Due) -> None:
        """Take one matching to its end, or put it off; a mistake of ours is said and ends it."""
        caller = Caller.system(due.district, f"matching:{due.matching}")
        try:
            await self._forward(due.matching, caller)
        except Exception as wrong:
            if is_transient(wrong):
                async with self._database.transaction(caller) as tx:
                    await store.put_off(tx, due.matching, _LATER)
                log.warning("matching waits", id=str(due.matching), reason=repr(wrong)[:300])
                return
            log.exception("matching failed", id=str(due.matching))
            async with self._database.transaction(caller) as tx:
                matching = await store.find_for_update(tx, due.matching)
                if matching is None or matching.state in _UNDER_WAY:
                    explanation = (
                        "Something went wrong on our side; the operators see what. Earlier proposals stay open."
                    )
                    await store.finish(tx, due.matching, "failed", explanation=explanation)

    async def _forward(self, id_: UUID, caller: Caller) -> None:
        async with self._database.transaction(caller) as tx:
            matching = await store.find_for_update(tx, id_)
            if matching is None or matching.state not in _UNDER_WAY:
                await store.forget(tx, id_)
                return
            kept = await store.inputs(tx, id_)
        if kept is None:
            kept = await self._freeze(matching, caller)
        if kept is None:
            return
        outcome = await self._solved(id_, kept)
        async with self._database.transaction(caller) as tx:
            await store.note_solved(tx, id_)
        await self._publish(matching, kept, outcome, caller)

    async def _freeze(self, matching: Matching, caller: Caller) -> str | None:
        """The inputs, kept from here on; None if they ceased to hold while they were gathered: it is still due."""
        async with self._database.reading(caller) as tx:
            [programme] = await programmes.list_programmes(tx, [matching.programme], [])
            willing = await willingness.of_areas(tx, list(programme.competencies))
            locked = await proposals.settled(tx, programme.id, "accepted")
            declined = await proposals.settled(tx, programme.id, "declined")
            elsewhere = await proposals.accepted_elsewhere(tx, programme.id, list(programme.competencies))
        named = {each.declaration.school for each in willing} | {s for one, other, _ in locked for s in (one, other)}
        schools = await self._roster.schools(sorted(named), caller)
        shares, snapshot_at = await self._shares(programme, willing, caller)
        asked = programme.programme
        gathered = instance_of(
            asked,
            programme.schools,
            matching=matching.id,
            schools=schools.values(),
            willing=(
                Willing(
                    d.school, d.area, d.role, d.eagerness, d.capacity, *shares.get((d.school, d.area), (None, False))
                )
                for d in (each.declaration for each in willing)
                if d.school in schools  # a school that left the district since it said so is not matched
            ),
        )
        gathered = replace(
            gathered,
            conflicts=tuple((one, other) for one, other, _ in programme.conflicts),
            declined=tuple(declined),
            locked=tuple(locked),
            elsewhere=tuple(elsewhere),
            snapshot_on=None if snapshot_at is None else snapshot_at.date().isoformat(),
            programme_at=programme.updated_at.isoformat(),
            previous=tuple(await self._open(programme, caller)) if asked.keep else (),
        ).ordered()
        kept = to_json(gathered)
        async with self._database.transaction(caller) as tx:
            await willingness.serialise(tx)
            now = await store.find_for_update(tx, matching.id)
            if now is None or now.state != "queued":  # the worker's lock is lost with its connection
                raise Unavailable("Another worker has gone on with this matching.")
            if not await _holds(tx, programme.id, gathered):  # a consent, say: no figure is kept without it
                return None
            await store.freeze(tx, matching.id, kept, snapshot_at)
        return kept

    async def _open(self, programme: Kept, caller: Caller) -> list[Pair]:
        """What is proposed now."""
        async with self._database.reading(caller) as tx:
            return await proposals.settled(tx, programme.id, "proposed")

    async def _shares(
        self, programme: Kept, willing: list[Declared], caller: Caller
    ) -> tuple[dict[tuple[UUID, str], tuple[float, bool]], datetime | None]:
        """Measured strengths and needs of the schools that allow it, area by area, and when they were published.

        Each with whether it compares with schools that have like students: where the programme says who goes to them,
        of so many schools that this can be told. Within an area all are compared, or none is.
        """
        context = _context(programme)
        shares: dict[tuple[UUID, str], tuple[float, bool]] = {}
        taken: datetime | None = None
        for area, competencies in programme.competencies.items():
            roles = {
                each.declaration.school: each.declaration.role
                for each in willing
                if each.declaration.area == area and each.declaration.diagnostics_allowed
            }
            if not roles or not competencies:
                continue
            found = await self._mastery.areas(sorted(roles), competencies, caller)
            figures = {school: published.figures for school, published in found.items()}
            compared = await _computed(shares_in_context, roles, figures, context) if context else {}
            for school, published in found.items():
                measured = compared.get(school) if compared else share(roles[school], published.figures)
                if measured is not None:
                    shares[school, area] = measured, bool(compared)
                    taken = published.snapshot_at if taken is None else max(taken, published.snapshot_at)
        return shares, taken

    async def _solved(self, id_: UUID, kept: str) -> Outcome:
        try:
            outcome = await _computed(self._solve, kept)
        except Unavailable as died:
            self._deaths[id_] = self._deaths.get(id_, 0) + 1
            if self._deaths[id_] >= _MOST_DEATHS:
                raise RuntimeError("the solving process died again and again") from died
            raise
        self._deaths.pop(id_, None)
        return outcome

    async def _publish(self, matching: Matching, kept: str, outcome: Outcome, caller: Caller) -> None:
        async with self._database.transaction(caller, cause=str(matching.id)) as tx:
            await willingness.serialise(tx)
            now = await store.find_for_update(tx, matching.id)
            if now is None or now.state != "solving":
                return
            if not await _holds(tx, matching.programme, from_json(kept)):
                await store.thaw(tx, matching.id)
                return
            if not outcome.is_feasible:
                await store.finish(tx, matching.id, "infeasible", explanation=outcome.explanation)
                return
            fallen = await proposals.supersede(tx, matching.programme)
            await proposals.add(tx, matching.programme, matching.id, outcome.proposals)
            await proposals.add_alone(tx, matching.id, outcome.alone)
            await store.finish(
                tx, matching.id, "proposed", proposals=len(outcome.proposals), unmatched=len(outcome.alone),
                explanation=outcome.explanation,
                certificate=Certificate(outcome.weight, outcome.bound, outcome.method),
            )  # fmt: skip
            tx.announce(pb.ProposalsAnswered, [events.answered(each, "superseded", None) for each in fallen])
            tx.announce(
                pb.PartnershipsProposed,
                [
                    events.proposed(each.id, matching.programme, matching.id, each.area, each.host, each.guest)
                    for each in outcome.proposals
                ],
            )
        log.info("matching ended", id=str(matching.id), proposals=len(outcome.proposals))


async def _computed(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """In a process of its own, for the memory and the minutes it may take."""
    compute = Compute()
    try:
        return await compute.run(work, *args, **kwargs)
    finally:
        compute.close()


def _context(programme: Kept) -> dict[UUID, list[float]]:
    """Who goes to each school, as the programme says it; schools of which it does not say all are left out."""
    said: dict[UUID, list[float]] = {}
    for context in programme.programme.context:
        for school, value in context.values:
            said.setdefault(programme.schools[school], []).append(float(value))
    return {school: values for school, values in said.items() if len(values) == len(programme.programme.context)}


async def _holds(tx: Transaction, programme: UUID, frozen: Instance) -> bool:
    """Whether the programme, and what schools have said, still is what the matching was computed from.

    Who is new can wait for the next.
    """
    [kept] = await programmes.list_programmes(tx, [programme], [])
    if kept.updated_at.isoformat() != frozen.programme_at:
        return False
    keys = [(each.school, each.area) for each in frozen.willing]
    said = await willingness.find(tx, keys)
    for each in frozen.willing:
        now = said.get((each.school, each.area))
        if now is None:
            return False
        d = now.declaration
        if (d.role, d.eagerness, d.capacity) != (each.role, each.eagerness, each.capacity):
            return False
        if each.share is not None and not d.diagnostics_allowed:
            return False
    return (
        tuple(await proposals.settled(tx, programme, "accepted")) == frozen.locked
        and tuple(await proposals.settled(tx, programme, "declined")) == frozen.declined
        and tuple(await proposals.accepted_elsewhere(tx, programme, list(kept.competencies))) == frozen.elsewhere
    )
