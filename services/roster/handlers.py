"""What happens when a roster arrives: read, checked, and merged a chunk at a time.

Reading and checking fill the stages and may begin again from nothing. Merging only goes forward: every chunk is one
transaction with its cursor, and the last step announces whose placement is another than before.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from services.roster import events
from services.roster.domain import values
from services.roster.domain.archive import Archive, Delivery, open_archive
from services.roster.domain.csvfile import Chunk, Reader, Turned
from services.roster.domain.findings import Finding, Findings, Unreadable
from services.roster.domain.layout import File, Kind
from services.roster.store import STAGES, checking, merging, placing, staging
from shared.db import Transaction
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb
from shared.imports import Job

_ROWS_AT_ONCE = 10_000
_STEP_BITS = 44
"""A cursor is the number of a step, and below it the place in that step's stage."""


@dataclass(frozen=True, slots=True)
class Step:
    """One of the things merging does, in order: a file's new identities, its rows, its vanished rows; then places."""

    does: Literal["mint", "merge", "end", "place"]
    file: str = ""
    derived: bool = False


class RosterImport:
    """OneRoster CSV archives, as the kernel's import machinery wants them."""

    kind = "roster"

    def __init__(self, *, rows_at_once: int = _ROWS_AT_ONCE) -> None:
        self._rows_at_once = rows_at_once

    async def clear(self, tx: Transaction, import_id: UUID) -> None:
        """Empty this import's stages."""
        await staging.clear(tx, import_id)

    async def validate(self, job: Job) -> None:
        """Stage the archive's rows and say what is wrong with them."""
        findings = Findings()
        try:
            async with job.spool() as path:
                with open_archive(path, findings) as archive:
                    is_whole = await _Validation(job, archive, findings).run()
        except Unreadable as broken:
            findings.add(broken.finding)
            is_whole = False
        _tell(job, (*findings.take(), *findings.take_rest()))
        if not is_whole:
            # What is missing from a roster that cannot be trusted would be removed: not even its good rows are merged.
            job.refuse_whole()

    async def merge(self, job: Job, tx: Transaction, cursor: int) -> int | None:
        """Merge one chunk, of as many steps as fit; the next cursor, or None when all is merged."""
        steps = _steps(await staging.files(tx, job.id))
        number, after = cursor >> _STEP_BITS, (cursor & ((1 << _STEP_BITS) - 1)) - 1
        room = self._rows_at_once
        while number < len(steps):
            last, taken = await self._take(job, tx, steps[number], after, room)
            if taken == room:
                # Places count from 0, and so does what is kept: the cursor names the first place not yet taken.
                return number << _STEP_BITS | last + 1
            room -= taken
            number, after = number + 1, -1
        return None

    async def _take(self, job: Job, tx: Transaction, step: Step, after: int, most: int) -> tuple[int, int]:
        """Take a chunk of a step: the place of its last row, and how many rows it was."""
        match step.does:
            case "mint":
                done = await merging.mint(tx, job.id, step.file, after, most)
            case "merge":
                done = await merging.merge(tx, job.id, step.file, after, most)
                if not step.derived:
                    job.counts.added += done.added
                    job.counts.unchanged += done.rows - done.added - done.changed
                    job.progress(job.done + done.rows, job.total)
            case "end":
                done = await merging.end_vanished(tx, job.id, step.file, after, most)
            case "place":
                touched = await placing.touched(tx, job.id, after, most)
                moved = await placing.place(tx, touched.people)
                tx.announce(pb.StudentsPlaced, events.placements(job.id, moved))
                return touched.last, len(touched.people)
        if step.derived:
            # Roles that were read out of a user's row are no records of the file: with them, the user's row changed.
            job.counts.changed += done.also_changed
            job.counts.unchanged -= done.also_changed
        else:
            job.counts.changed += done.changed
        return done.last, done.rows


def _steps(files: dict[str, bool]) -> list[Step]:
    come = [(file, files[file]) for file in STAGES if file in files]
    return [
        *(Step("mint", file, derived) for file, derived in come if file != "demographics"),
        *(Step("merge", file, derived) for file, derived in come),
        *(Step("end", file, derived) for file, derived in come),
        Step("place"),
    ]


def _tell(job: Job, found: Sequence[Finding]) -> None:
    for one in found:
        tell = job.repair if one.repaired else job.problem
        tell(
            file=one.file, line=one.line, column=one.column, value=one.value,
            rule=one.rule, remedy=one.remedy, count=one.count,
        )  # fmt: skip


class _Validation:
    """One validation: the archive's files one after the other, then the files together."""

    def __init__(self, job: Job, archive: Archive, findings: Findings) -> None:
        self._job = job
        self._archive = archive
        self._findings = findings
        self._rows = 0
        self._nameless = 0
        self._bytes = 0

    async def run(self) -> bool:
        """Stage and check everything; whether the archive could be read to its end and takes nobody by accident."""
        delivery = await asyncio.to_thread(self._archive.delivery)
        is_readable = True
        for file in delivery.files:
            try:
                is_readable &= await self._read(delivery, file)
            except Unreadable as broken:
                self._findings.add(broken.finding)
                is_readable = False
            _tell(self._job, list(self._findings.take()))
        if not is_readable:
            return False
        await self._check(delivery)
        is_guarded = await self._guard(delivery)
        async with self._job.transaction() as tx:
            self._job.counts.refused = self._nameless + await staging.refused(tx, self._job.id)
        self._job.progress(self._rows, self._rows)
        return is_guarded

    async def _read(self, delivery: Delivery, file: File) -> bool:
        """Stage one file; whether its header could be read."""
        job = self._job
        async with job.transaction() as tx:
            await staging.begin_file(tx, job.id, file.name)
        with self._archive.reading(file) as reader:
            chunks = self._archive.chunks(reader)
            while (chunk := await asyncio.to_thread(_next, chunks)) is not None:
                async with job.transaction() as tx:
                    await staging.add(tx, job.id, file, chunk)
                job.progress(self._bytes + reader.bytes_read, delivery.bytes)
            self._bytes += reader.bytes_read
        await self._turn_dates(reader)
        self._rows += reader.rows
        self._nameless += reader.nameless
        return reader.is_readable

    async def _turn_dates(self, reader: Reader) -> None:
        """Settle dates such as 1/05/2023, by what their whole column says of its order."""
        for turned in reader.turned.values():
            order = values.date_order(turned.dates)
            end = "T00:00:00Z" if turned.column.kind is Kind.MOMENT else ""
            meanings = {
                text: day and day + end for text in turned.dates for day in [values.turn(text, order)]
            }  # fmt: skip
            async with self._job.transaction() as tx:
                await staging.turn_dates(tx, self._job.id, reader.file, turned.column, meanings)
            for finding in _turns(reader.file, turned, meanings, order):
                self._findings.add(finding)

    async def _check(self, delivery: Delivery) -> None:
        job = self._job
        delivered = {file.name for file in delivery.files}
        for file in delivery.files:
            async with job.transaction() as tx:
                await checking.trust_no_estimate(tx)
                await checking.twins(tx, job.id, file, self._findings)
                await checking.periods(tx, job.id, file, self._findings)
                if file.name == "orgs":
                    await checking.places(tx, job.id, file, self._findings)
                await checking.references(tx, job.id, file, delivered, self._findings)
                if file.name == "users" and delivery.version == "1.1":
                    await staging.derive_roles(tx, job.id)

    async def _guard(self, delivery: Delivery) -> bool:
        job = self._job
        async with job.transaction() as tx:
            await checking.trust_no_estimate(tx)
            for file in await staging.files(tx, job.id):
                await checking.find_vanished(tx, job.id, file)
            return not await checking.mass_removal(tx, job.id, self._findings)


def _next(chunks: Iterator[Chunk]) -> Chunk | None:
    return next(chunks, None)


def _turns(
    file: File, turned: Turned, meanings: dict[str, str | None], order: values.DateOrder | None
) -> Iterator[Finding]:
    """What is told of a column's turned dates: how each was read, or that it could not be."""
    is_needed = turned.column.kind is Kind.DATE
    for line, text in turned.places:
        read = meanings[text]
        if read is not None:
            why = f"{order} like the rest of the column" if order else "which is the same either way"
            yield Finding(
                file.csv, line, turned.column.name, text, "date-order", f"Read as {read[:10]}, {why}.", repaired=True
            )
        elif is_needed:
            yield Finding(
                file.csv, line, turned.column.name, text, "date-order",
                "Write it as YYYY-MM-DD; the column does not tell the day from the month.",
            )  # fmt: skip
        else:
            yield Finding(
                file.csv, line, turned.column.name, text, "date-order",
                "Left out: the column does not tell the day from the month.", repaired=True,
            )  # fmt: skip
    if more := turned.count - len(turned.places):
        yield Finding(
            file.csv, None, turned.column.name, None, "date-order", "Write dates as YYYY-MM-DD.",
            repaired=order is not None or not is_needed, count=more,
        )  # fmt: skip
