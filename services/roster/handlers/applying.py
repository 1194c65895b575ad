"""What differs is written, in one revision, and announced."""

import asyncio
from collections.abc import Collection
from datetime import UTC, date, datetime
from uuid import UUID

from services.roster import events
from services.roster.store import RECORDS, bumping, identity, merging, placing, revisions, staging, telling
from shared import crash
from shared.db import Transaction
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb

_LARGE = 20_000
"""Changes after which the planner is told how much there is."""
_EPOCH = date(1970, 1, 1)


async def apply(
    tx: Transaction,
    changed: Collection[str],
    size: int,
    *,
    cause: UUID,
    import_id: UUID | None = None,
    revision: int | None = None,
) -> int:
    """Write what differs, the rows of the stages `d_…` of these files, and announce it; the revision.

    `cause` is what the ids of facts follow from. `revision`: one that has begun already.
    """
    if revision is None:
        revision = await revisions.begin(tx)
    await identity.keep_former(tx, table="d_users")
    files = [file for file in RECORDS if file in changed]
    for number, file in enumerate(files):
        await merging.merge(tx, file, revision)
        if number == len(files) // 2:
            crash.point("I1")
    await bumping.bump(tx, revision, files)
    if size > _LARGE:
        await staging.analyze(tx, [RECORDS[file].table for file in files])
    await _place(tx, cause)
    await _announce(tx, cause)
    crash.point("I2")
    await revisions.stamp(tx, revision, import_id=import_id)
    return revision


async def _place(tx: Transaction, cause: UUID) -> None:
    """Derive the placements of those who may be placed otherwise now, and announce what became of them."""
    if not await placing.find_touched(tx):
        return
    await staging.analyze(tx, ["touched"])
    await placing.place(tx)
    today = (datetime.now(UTC).date() - _EPOCH).days
    async for moved in telling.moved(tx):
        for event, facts in (
            (pb.StudentsPlaced, events.placements(cause, moved)),
            (pb.PeopleJoined, events.people(cause, moved, "joined")),
            (pb.PeopleMoved, events.people(cause, moved, "moved")),
        ):
            tx.announce_encoded(event, facts.keys, facts.facts)
        tx.announce(pb.PeopleLeft, events.leavers(cause, moved, today))
        await tx.flush_announced()


async def _announce(tx: Transaction, cause: UUID) -> None:
    """Announce what else changed that others may hear of."""
    tx.announce(pb.OrganisationsChanged, events.organisations(cause, await telling.organisations(tx)))
    async for changed, passed in telling.enrollments(tx):
        facts = await asyncio.to_thread(events.enrollments, cause, changed, passed=passed)
        tx.announce_encoded(pb.EnrollmentsChanged, facts.keys, facts.facts)
        await tx.flush_announced()
    async for described in telling.demographics(tx):
        facts = await asyncio.to_thread(events.demographics, cause, described)
        tx.announce_encoded(pb.DemographicsRecorded, facts.keys, facts.facts)
        await tx.flush_announced()
