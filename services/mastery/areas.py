"""Questions about snapshots: what they say of schools, and when they are taken. Routes parse, call, answer."""

from itertools import groupby

from fastapi import APIRouter

from services.mastery import contract
from services.mastery.domain.figures import need_between
from services.mastery.store import snapshots
from shared.auth import Purpose
from shared.errors import Forbidden
from shared.http import BatchRoute, Read, Write

router = APIRouter(route_class=BatchRoute)


@router.post("/areas:batch-list")
async def areas(ask: contract.AreasOf, tx: Read) -> list[contract.OrganisationAreas]:
    """What the latest snapshot says of these organisations; those without figures, or out of sight, are left out."""
    taken_at, found = await snapshots.areas(tx, ask.organisations, ask.within)
    if taken_at is None:
        return []
    between = need_between([one.need for one in found], [one.learners for one in found])
    both = zip(found, between, strict=True)
    return [
        contract.OrganisationAreas(
            organisation=organisation, snapshot_at=taken_at, areas=[wire(one, need) for one, need in its_own]
        )
        for organisation, its_own in groupby(both, key=lambda pair: pair[0].organisation)
    ]  # fmt: skip


@router.post("/snapshots", status_code=202)
async def publish(tx: Write) -> contract.Snapshot:
    """Take a snapshot now, or rather in a moment: the answer says since when it is due."""
    tx.caller.need("mastery:read")
    tx.caller.need_whole_district()
    if tx.caller.purpose is not Purpose.ADMINISTRATION:
        raise Forbidden("A snapshot is asked for with the purpose administration.", purpose=tx.caller.purpose)
    await snapshots.ask(tx)
    return await _state(tx)


@router.get("/snapshots/latest")
async def latest(tx: Read) -> contract.Snapshot:
    """When the latest snapshot was taken, and when the next is due."""
    return await _state(tx)


async def _state(tx: Read) -> contract.Snapshot:
    taken_at, due_at = await snapshots.state(tx)
    return contract.Snapshot(taken_at=taken_at, due_at=due_at)


def wire(area: snapshots.Area, between: tuple[float, float] | None) -> contract.AreaFigures:
    """A figure as it is promised, with the interval of its need."""
    lower, upper = between or (None, None)
    return contract.AreaFigures(
        competency=area.competency,
        learners=area.learners,
        strength=area.strength,
        need=area.need,
        need_lower=lower,
        need_upper=upper,
        suppressed=area.suppressed,
    )
