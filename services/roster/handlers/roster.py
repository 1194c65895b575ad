"""What happens when a roster arrives: read, compared, judged, and merged, all in one transaction.

Whatever ends it before its end leaves nothing behind, and it begins again from the bytes that were uploaded.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from types import MappingProxyType

from services.roster import events
from services.roster.domain.archive import Archive, open_archive
from services.roster.domain.findings import Finding, Findings, Unreadable
from services.roster.handlers import comparison
from services.roster.handlers.comparison import Compared, Comparison
from services.roster.handlers.staging import Stager, tell
from services.roster.store import (
    RECORDS,
    bumping,
    comparing,
    guard,
    identity,
    merging,
    placing,
    revisions,
    staging,
    summarising,
    telling,
)
from shared import crash
from shared.db import Transaction
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb
from shared.imports import Job, Verdict
from shared.imports.importers import DRY_RUN, SWITCH

_LARGE = 20_000
"""Changes after which the planner is told how much there is."""
_EPOCH = date(1970, 1, 1)


class RosterImport:
    """OneRoster CSV archives, as the kernel's import machinery wants them."""

    kind = "roster"
    options: Mapping[str, Sequence[str]] = MappingProxyType({
        "strict": SWITCH,
        DRY_RUN: SWITCH,
        "date_order": ("day-first", "month-first"),
        "encoding": ("utf-8", "latin-1", "windows-1252"),
    })  # fmt: skip

    async def take(self, job: Job, tx: Transaction) -> Verdict:
        """Take an archive in, or say why not."""
        findings = Findings(strict=job.is_on("strict"))
        try:
            async with job.spool() as path:
                with open_archive(path, findings) as archive:
                    compared = await _compared(job, tx, archive, findings)
        except Unreadable as broken:
            findings.add(broken.finding)
            compared = None
        tell(job, (*findings.take(), *findings.take_rest()))
        if compared is None:
            # What is missing from a roster that cannot be read would be removed: not even its good rows are merged.
            job.refuse_whole()
            return Verdict.REFUSED
        if verdict := _verdict(job):
            return verdict
        for file, one in compared.came.items():
            if one.mode == "delta":
                await merging.date(tx, file)
        if compared.size:
            await _apply(job, tx, compared)
        return Verdict.APPLIED


def _verdict(job: Job) -> Verdict | None:
    """Why nothing is applied, if nothing is. The strict want all or nothing."""
    if job.problems and (job.is_on("strict") or not job.keep_good):
        return Verdict.REFUSED
    if job.is_on(DRY_RUN):
        return Verdict.REPORTED
    return Verdict.HELD if job.holds and not job.approved else None


async def _compared(job: Job, tx: Transaction, archive: Archive, findings: Findings) -> Compared | None:
    """Everything but the merge; None when the archive cannot be read to its end."""
    delivery = await asyncio.to_thread(archive.delivery)
    await staging.begin(tx)
    stager = Stager(job, tx, archive, findings)
    came = await stager.stage(delivery)
    if came is None:
        return None
    compared = await Comparison(job, tx, delivery, came, stager.has_twins, findings).run()
    await comparison.count(job, tx, compared)
    rows = sum(one.rows for one in came.values() if not one.derived)
    job.progress(rows, rows)
    job.summary["types"] = comparison.summary(compared)
    if compared.size:
        job.summary["schools"] = await summarising.by_school(tx)
    await _guard(job, tx, compared, findings)
    return compared


async def _guard(job: Job, tx: Transaction, compared: Compared, findings: Findings) -> None:
    """A person is asked before so many leave, or so much is missing, that it may be an accident."""
    await comparing.list_vanished(tx)
    guard.remember(job, compared.came)
    if not job.approved:
        await guard.check(tx, job, compared.came)
    for file, one in compared.came.items():
        if one.rows or one.derived or one.mode == "delta":
            continue
        leaving = compared.changes[file].vanished
        if not leaving:
            remedy = "Read as a file that says of its kind: there is none. Leave it out, and say absent."
            findings.add(Finding(f"{file}.csv", 1, None, None, "no-rows", remedy, repaired=True))
        elif job.is_on("strict"):
            remedy = "Send the rows, or leave the file out and say absent."
            findings.add(Finding(f"{file}.csv", 1, None, None, "no-rows", remedy))
        elif not job.approved:
            remedy = f"This file has a header and no rows: {leaving} records would end. Was that meant?"
            job.hold(file=f"{file}.csv", line=1, rule="no-rows", remedy=remedy)


async def _apply(job: Job, tx: Transaction, compared: Compared) -> None:
    """Write what differs, and announce it."""
    job.merging()
    revision = await revisions.begin(tx)
    await identity.keep_former(tx, table="d_users")
    files = [file for file in RECORDS if file in compared.changed]
    for number, file in enumerate(files):
        await merging.merge(tx, file, revision)
        if number == len(files) // 2:
            crash.point("I1")
    await bumping.bump(tx, revision, files)
    if compared.size > _LARGE:
        await staging.analyze(tx, [RECORDS[file].table for file in files])
    await _place(job, tx)
    await _announce(job, tx)
    crash.point("I2")
    await revisions.stamp(tx, revision, import_id=job.id)


async def _place(job: Job, tx: Transaction) -> None:
    """Derive the placements of those who may be placed otherwise now, and announce what became of them."""
    if not await placing.find_touched(tx):
        return
    await staging.analyze(tx, ["touched"])
    await placing.place(tx)
    today = (datetime.now(UTC).date() - _EPOCH).days
    async for moved in telling.moved(tx):
        for event, facts in (
            (pb.StudentsPlaced, events.placements(job.id, moved)),
            (pb.PeopleJoined, events.people(job.id, moved, "joined")),
            (pb.PeopleMoved, events.people(job.id, moved, "moved")),
        ):
            tx.announce_encoded(event, facts.keys, facts.facts)
        tx.announce(pb.PeopleLeft, events.leavers(job.id, moved, today))
        await tx.flush_announced()


async def _announce(job: Job, tx: Transaction) -> None:
    """Announce what else changed that others may hear of."""
    tx.announce(pb.OrganisationsChanged, events.organisations(job.id, await telling.organisations(tx)))
    async for changed in telling.enrollments(tx):
        facts = await asyncio.to_thread(events.enrollments, job.id, changed)
        tx.announce_encoded(pb.EnrollmentsChanged, facts.keys, facts.facts)
        await tx.flush_announced()
    async for described in telling.demographics(tx):
        facts = await asyncio.to_thread(events.demographics, job.id, described)
        tx.announce_encoded(pb.DemographicsRecorded, facts.keys, facts.facts)
        await tx.flush_announced()
