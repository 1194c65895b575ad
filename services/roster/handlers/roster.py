"""What happens when a roster arrives: read, compared, judged, and merged, all in one transaction.

Whatever ends it before its end leaves nothing behind, and it begins again from the bytes that were uploaded.
"""

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from services.roster.domain.archive import Archive, open_archive
from services.roster.domain.contents import Content
from services.roster.domain.delivery import Delivery
from services.roster.domain.findings import Finding, Findings, Unreadable
from services.roster.domain.gradebook_files import GRADEBOOK, RESULTS
from services.roster.handlers import applying, comparison, unchanged, undoing
from services.roster.handlers.comparison import Compared, Comparison
from services.roster.handlers.staging import Stager, tell
from services.roster.store import RECORDS, comparing, guard, merging, revisions, staging, summarising
from services.roster.store.comparing import Changes
from shared.auth import Purpose
from shared.db import Transaction
from shared.imports import Job, Verdict
from shared.imports.importers import DRY_RUN, SWITCH


class RosterImport:
    """OneRoster CSV archives, as the kernel's import machinery wants them."""

    kind = "roster"
    in_order = True
    results = frozenset(f"{name.lower()}.csv" for name in RESULTS)
    options: Mapping[str, Sequence[str]] = MappingProxyType({
        "strict": SWITCH,
        DRY_RUN: SWITCH,
        "date_order": ("day-first", "month-first"),
        "encoding": ("utf-8", "latin-1", "windows-1252"),
    })  # fmt: skip

    async def take(self, job: Job, tx: Transaction) -> Verdict:
        """Take an archive in, or say why not."""
        findings = Findings(strict=job.is_on("strict"))
        before = await revisions.latest(tx)
        contents: dict[str, Content] = {}
        try:
            async with job.spool() as path:
                with open_archive(path, findings) as archive:
                    delivery = await asyncio.to_thread(archive.delivery)
                    _check_purpose(job, delivery)
                    compared = await _compared(job, tx, archive, delivery, before, findings)
                    contents = archive.contents()
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
        revision = before
        if compared.size:
            job.merging()
            revision = await applying.apply(tx, compared.changed, compared.size, cause=job.id, import_id=job.id)
        if revision == before or await revisions.follows(tx, revision, before):
            unchanged.keep(job, delivery, compared.came, contents, revision)
        return Verdict.APPLIED

    async def undo(self, job: Job, tx: Transaction) -> Mapping[str, Any]:
        """Bring back what an import ended."""
        return await undoing.undo(tx, job.id)


def _check_purpose(job: Job, delivery: Delivery) -> None:
    """Nothing is written to a gradebook for accountability. Raises: Unreadable."""
    if job.purpose is not Purpose.ACCOUNTABILITY:
        return
    for file in delivery.files:
        if file.name in GRADEBOOK:
            remedy = "Leave out the files of the gradebook: nothing is written to it for the purpose accountability."
            raise Unreadable(Finding(file.csv, None, None, None, "accountability", remedy))


def _verdict(job: Job) -> Verdict | None:
    """Why nothing is applied, if nothing is. The strict want all or nothing."""
    if job.problems and (job.is_on("strict") or not job.keep_good):
        return Verdict.REFUSED
    if job.is_on(DRY_RUN):
        return Verdict.REPORTED
    return Verdict.HELD if job.holds else None


async def _compared(
    job: Job, tx: Transaction, archive: Archive, delivery: Delivery, revision: int, findings: Findings
) -> Compared | None:
    """Everything but the merge; None when the archive cannot be read to its end."""
    await staging.begin(tx)
    if known := await unchanged.seen_before(job, tx, archive, delivery, revision):
        compared = Compared(known, {name: Changes() for name in RECORDS if name in known})
    else:
        stager = Stager(job, tx, archive, findings)
        came = await stager.stage(delivery)
        if came is None:
            return None
        compared = await Comparison(job, tx, delivery, came, stager.has_twins, findings).run()
    await staging.plan_for(tx, compared.size)  # of all that came, the rest looks only at what differs
    await comparison.count(job, tx, compared)
    rows = sum(one.rows for one in compared.came.values() if not one.derived)
    job.progress(rows, rows)
    schools = await summarising.by_school(tx) if compared.size else []
    job.summary["diff"] = {"types": comparison.summary(compared), "schools": schools}
    await _guard(job, tx, compared, findings)
    return compared


async def _guard(job: Job, tx: Transaction, compared: Compared, findings: Findings) -> None:
    """A person is asked before so many leave, or so much is missing, that it may be an accident."""
    await comparing.list_vanished(tx)
    guard.remember(job, compared.came)
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
        else:
            remedy = f"This file has a header and no rows: {leaving} records would end. Was that meant?"
            job.hold(file=f"{file}.csv", line=1, rule="no-rows", remedy=remedy)
