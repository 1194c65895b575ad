"""A framework comes in as a file: read and validated whole, then merged in one transaction."""

import asyncio
from collections.abc import Callable
from uuid import UUID

from services.mastery.domain.framework import Finding, read
from services.mastery.store import frameworks
from shared.compute import Compute
from shared.db import Transaction
from shared.imports import Job

FILE = "framework.json"
LARGEST_BYTES = 128 * 1024 * 1024
_SMALL_BYTES = 256 * 1024  # read in milliseconds: a thread will do


class FrameworkImport:
    """The importer of CASE packages."""

    kind = "framework"

    def __init__(self, compute: Compute) -> None:
        self._compute = compute

    async def validate(self, job: Job) -> None:
        """Stage what is good, report the rest by line and JSON pointer."""
        if job.size > LARGEST_BYTES:
            job.problem(
                file=FILE, value=str(job.size), rule="file-too-large",
                remedy=f"A framework may have {LARGEST_BYTES} bytes. Split it into several documents.",
            )  # fmt: skip
            job.refuse_whole()
            return
        raw = b"".join([piece async for piece in job.chunks()])
        reading = await (asyncio.to_thread(read, raw) if job.size <= _SMALL_BYTES else self._compute.run(read, raw))
        job.counts.refused = reading.refused
        for found in reading.problems:
            _note(job.problem, found)
        for found in reading.repairs:
            _note(job.repair, found)
        if reading.package is None:
            job.refuse_whole()
            return
        async with job.transaction() as tx:
            await frameworks.stage(tx, job.id, reading.package, reading.pointers, is_whole=not reading.problems)
            foreign = await frameworks.foreign_items(tx, job.id)
            for pointer, identifier, title in foreign:
                job.problem(
                    file=FILE, column=f"{pointer}/identifier", value=identifier, rule="other-framework",
                    remedy=f"This item belongs to the framework “{title}”. Give it an identifier of its own.",
                )  # fmt: skip
            if foreign:
                job.counts.refused += len(foreign)
                await frameworks.drop_staged(tx, job.id, [identifier for _, identifier, _ in foreign])

    async def merge(self, job: Job, tx: Transaction, cursor: int) -> int | None:
        """One chunk: a hierarchy is there whole or not at all."""
        await frameworks.merge(tx, job.id, job.counts)
        return None

    async def clear(self, tx: Transaction, import_id: UUID) -> None:
        await frameworks.clear(tx, import_id)


def _note(say: Callable[..., None], found: Finding) -> None:
    """Tell the job of a problem, or of a repair: `say` is the one or the other."""
    say(file=FILE, line=found.line, column=found.pointer, value=found.value, rule=found.rule, remedy=found.remedy)
