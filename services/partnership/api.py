"""What partnership answers over REST, as its contract says. Nothing of it is given for accountability."""

from typing import cast

from fastapi import APIRouter

from services.partnership import contract
from services.partnership.domain.matching import Alone
from services.partnership.domain.optimum import gap_of
from services.partnership.domain.willingness import Declaration
from services.partnership.domain.wording import words_of
from services.partnership.handlers import answers, matchings
from services.partnership.handlers import willingness as declaring
from services.partnership.peers import Roster
from services.partnership.store import matchings as matching_store
from services.partnership.store import programmes, proposals, willingness
from services.partnership.store.matchings import Matching
from services.partnership.store.programmes import Kept
from services.partnership.store.proposals import Proposal
from services.partnership.store.willingness import Declared
from shared.db import Database, Transaction
from shared.http import BatchRoute, CallerOf, Read, Write


def routes(database: Database, roster: Roster) -> APIRouter:
    """Every route; declaring asks the roster before its transaction begins."""
    router = APIRouter(route_class=BatchRoute)

    @router.post("/programmes:batch-get")
    async def batch_of_programmes(ask: contract.ByKeys, tx: Read) -> list[contract.Programme]:
        """Programmes by id or code; what is not found is left out."""
        _may_read(tx)
        return [wire_programme(each) for each in await programmes.list_programmes(tx, ask.ids, ask.codes)]

    @router.post("/programmes:list")
    async def page_of_programmes(ask: contract.Page, tx: Read) -> contract.ProgrammePage:
        """One page of the district's programmes, ordered by title and id."""
        _may_read(tx)
        found = await programmes.page_of_programmes(tx, ask.first, ask.after)
        items = [wire_programme(each) for each in found[: ask.first]]
        return contract.ProgrammePage(items=items, has_next=len(found) > ask.first)

    @router.post("/willingness:batch-list")
    async def willingness_of(ask: contract.BySchools, tx: Read) -> list[contract.SchoolWillingness]:
        """What schools declare, by area; schools that are not the caller's, or have said nothing, are left out."""
        _may_read(tx)
        found: dict[object, list[contract.Willingness]] = {}
        for each in await willingness.of_schools(tx, ask.schools):
            found.setdefault(each.declaration.school, []).append(wire_willingness(each))
        return [
            contract.SchoolWillingness(school=school, willingness=found[school])
            for school in dict.fromkeys(ask.schools)
            if school in found
        ]

    @router.post("/willingness:declare")
    async def declare(ask: contract.Declare, caller: CallerOf) -> contract.Willingness:
        """A school says that it is willing."""
        said = Declaration(ask.school, ask.area, ask.role, ask.eagerness, ask.capacity, ask.diagnostics_allowed)
        return wire_willingness(await declaring.declare(database, roster, caller, said))

    @router.post("/willingness:withdraw")
    async def withdraw(ask: contract.Withdraw, caller: CallerOf) -> contract.Willingness:
        """A school takes back what it declared; what it was."""
        return wire_willingness(await declaring.withdraw(database, caller, ask.school, ask.area))

    @router.post("/matchings:propose")
    async def propose(ask: contract.Propose, tx: Write) -> contract.Matching:
        """Start a matching."""
        return wire_matching(await matchings.propose(tx, ask.programme))

    @router.post("/matchings:batch-get")
    async def latest(ask: contract.ByProgrammes, tx: Read) -> list[contract.Matching]:
        """The latest matching of each of these programmes."""
        _may_read(tx)
        return [wire_matching(each) for each in await matching_store.latest(tx, ask.programmes)]

    @router.post("/proposals:list")
    async def page_of_proposals(ask: contract.OfProgramme, tx: Read) -> contract.ProposalPage:
        """One page of the proposals of a programme, by id."""
        _may_read(tx)
        found = await proposals.page(tx, ask.programme, ask.state, ask.first, ask.after)
        items = [wire_proposal(each) for each in found[: ask.first]]
        return contract.ProposalPage(items=items, has_next=len(found) > ask.first)

    @router.post("/proposals:batch-get")
    async def batch_of_proposals(ask: contract.ByIds, tx: Read) -> list[contract.Proposal]:
        """Proposals by id; what is not found or not the caller's is left out."""
        _may_read(tx)
        return [wire_proposal(each) for each in await proposals.by_ids(tx, ask.ids)]

    @router.post("/unmatched:list")
    async def page_of_alone(ask: contract.OfProgramme, tx: Read) -> contract.UnmatchedPage:
        """One page of the willing schools that the latest matching left without a partner, by id."""
        _may_read(tx)
        found = await proposals.page_of_alone(tx, ask.programme, ask.first, ask.after)
        items = [wire_alone(each) for each in found[: ask.first]]
        return contract.UnmatchedPage(items=items, has_next=len(found) > ask.first)

    @router.post("/proposals:respond")
    async def respond(ask: contract.Respond, tx: Write) -> contract.Proposal:
        """One side accepts or declines."""
        return wire_proposal(await answers.respond(tx, ask.proposal, ask.school, ask.answer, ask.because))

    return router


def _may_read(tx: Transaction) -> None:
    tx.caller.need("partnership:read")
    tx.caller.refuse_accountability()


def wire_programme(kept: Kept) -> contract.Programme:
    """A programme as promised."""
    each = kept.programme
    return contract.Programme(
        id=kept.id,
        code=each.code,
        title=each.title,
        partnerships=each.partnerships,
        budget=float(each.budget),
        cost_per_partnership=float(each.cost_per_partnership),
        currency=each.currency,
        max_distance_km=each.max_distance_km,
        areas=[
            contract.Area(code=area.code, title=area.title, competencies=list(kept.competencies[area.code]))
            for area in each.areas
        ],
        rules=[*words_of(each), *(["the conflicts that it names"] if kept.conflicts else [])],
    )


def wire_willingness(declared: Declared) -> contract.Willingness:
    """A declaration as promised."""
    each = declared.declaration
    return contract.Willingness(
        school=each.school,
        area=each.area,
        role=cast(contract.Role, each.role),  # one of the two, by the table's check
        eagerness=each.eagerness,
        capacity=each.capacity,
        diagnostics_allowed=each.diagnostics_allowed,
        declared_at=declared.declared_at,
    )


def wire_matching(each: Matching) -> contract.Matching:
    """A matching as promised."""
    return contract.Matching(
        id=each.id,
        programme=each.programme,
        state=cast(contract.MatchingState, each.state),  # one of them, by the table's check
        requested_at=each.requested_at,
        finished_at=each.finished_at,
        done=each.done,
        total=each.total,
        proposals=each.proposals,
        unmatched=each.unmatched,
        explanation=each.explanation,
        snapshot_at=each.snapshot_at,
        gap=None if each.weight is None or each.bound is None else gap_of(each.weight, each.bound),
        method=each.method,
    )


def wire_proposal(each: Proposal) -> contract.Proposal:
    """A proposal as promised."""
    return contract.Proposal(
        id=each.id,
        programme=each.programme,
        matching=each.matching,
        area=each.area,
        host=each.host,
        guest=each.guest,
        state=cast(contract.ProposalState, each.state),  # one of them, by the table's check
        reason=each.reason,
        host_basis=cast(contract.Basis, each.host_basis),  # written by matching alone
        guest_basis=cast(contract.Basis, each.guest_basis),
        distance_km=each.distance_km,
        host_answer=cast(contract.Answer | None, each.host_answer),  # written by respond alone
        guest_answer=cast(contract.Answer | None, each.guest_answer),
        declined_because=each.declined_because,
        proposed_at=each.proposed_at,
        alternative=each.alternative,
    )


def wire_alone(each: Alone) -> contract.Unmatched:
    """An unmatched school as promised."""
    return contract.Unmatched(
        id=each.id,
        school=each.school,
        area=each.area,
        role=cast(contract.Role, each.role),  # that of a declaration
        reason=each.reason,
        alternative=each.alternative,
    )
