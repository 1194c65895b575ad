"""What differs is written, in one revision, and announced."""

import asyncio
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime
from uuid import UUID

from google.protobuf.message import Message

from services.roster import events
from services.roster.events import Facts
from services.roster.store import (
    RECORDS,
    STAGES,
    bumping,
    identity,
    merging,
    naming,
    placing,
    revisions,
    staging,
    telling,
)  # fmt: skip
from shared import crash
from shared.db import Transaction
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb

_LARGE = 20_000
"""Changes after which the planner is told how much there is."""
_EPOCH = date(1970, 1, 1)
Making = Callable[[], tuple[type[Message], Facts]]
"""What makes facts of rows that were read; in another thread."""


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
    is_first = not await placing.is_anybody_known(tx)
    files = [file for file in RECORDS if file in changed]
    for number, file in enumerate(files):
        if file in _TOLD:
            await _merge_and_tell(tx, file, revision, cause)
        else:
            await merging.merge(tx, file, revision)
        if number == len(files) // 2:
            crash.point("I1")
    await bumping.bump(tx, revision, files)
    if size > _LARGE:
        await staging.analyze(tx, [RECORDS[file].table for file in files])
    await _place(tx, cause, is_first=is_first)
    tx.announce(pb.OrganisationsChanged, events.organisations(cause, await telling.organisations(tx)))
    crash.point("I2")
    await revisions.stamp(tx, revision, import_id=import_id)
    return revision


async def _merge_and_tell(tx: Transaction, file: str, revision: int, cause: UUID) -> None:
    """Merge a file of whose records each is told: facts are made of some while PostgreSQL adds them."""
    await merging.change(tx, file, revision)
    async for within in naming.pages(tx, f"d_{STAGES[file]}"):
        made = asyncio.gather(*[asyncio.to_thread(make) for make in await _TOLD[file](tx, cause, *within)])
        try:
            await merging.add(tx, file, revision, within)
        finally:
            told = await made
        for event, facts in told:
            tx.announce_encoded(event, facts.keys, facts.facts)
        await tx.flush_announced()


async def _enrollments(tx: Transaction, cause: UUID, begin: str, end: str) -> list[Making]:
    return [
        lambda rows=rows, passed=passed: (pb.EnrollmentsChanged, events.enrollments(cause, rows, passed=passed))  # type: ignore[misc]  # the defaults only bind the loop's names
        for rows, passed in await telling.enrollments(tx, begin, end)
    ]


async def _demographics(tx: Transaction, cause: UUID, begin: str, end: str) -> list[Making]:
    rows = await telling.demographics(tx, begin, end)
    return [lambda: (pb.DemographicsRecorded, events.demographics(cause, rows))]


_TOLD = {"enrollments": _enrollments, "demographics": _demographics}


async def _place(tx: Transaction, cause: UUID, *, is_first: bool) -> None:
    """Derive the placements of those who may be placed otherwise now, and announce what became of them."""
    if is_first:
        await placing.place_first(tx)
    elif await placing.find_touched(tx):
        await staging.analyze(tx, ["touched"])
        await placing.place(tx)
    else:
        return
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
