"""An archive's files into the stages: read in columns by another thread while the rows before them are copied."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from services.roster.domain import values
from services.roster.domain.archive import Archive
from services.roster.domain.blocks import Encoding
from services.roster.domain.cells import Chunk, Turned
from services.roster.domain.columns import File, Kind
from services.roster.domain.csvfile import Reader
from services.roster.domain.delivery import Came, Delivery
from services.roster.domain.findings import Finding, Findings, Unreadable
from services.roster.store import checking, staging
from shared.db import Transaction
from shared.imports import Job


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows as COPY reads them."""

    columns: Sequence[str]
    bytes: bytes
    refused: int


class Stager:
    """One archive on its way into the stages."""

    def __init__(self, job: Job, tx: Transaction, archive: Archive, findings: Findings) -> None:
        self.has_twins: set[str] = set()
        """Files in which a sourcedId came twice."""
        self._job = job
        self._tx = tx
        self._archive = archive
        self._findings = findings
        self._encoding = cast(Encoding, job.options.get("encoding", "utf-8"))
        self._order = cast("values.DateOrder | None", job.options.get("date_order"))
        self._bytes = 0

    async def stage(self, delivery: Delivery) -> dict[str, Came] | None:
        """Every file that comes; None when one of them cannot be read to its end, so that nothing can be trusted."""
        came: dict[str, Came] = {}
        for file in delivery.files:
            try:
                read = await self._read(file, delivery.bytes, only_look=len(came) < delivery.files.index(file))
            except Unreadable as broken:
                self._findings.add(broken.finding)
                read = None
            if read is not None:
                came[file.name] = read
            tell(self._job, list(self._findings.take()))
        return came if len(came) == len(delivery.files) else None

    async def _read(self, file: File, total: int, *, only_look: bool) -> Came | None:
        """Stage a file. `only_look`: nothing will come of it, but what else is wrong is told all the same."""
        refused = 0
        with self._archive.reading(file, self._encoding) as reader:
            pieces = self._pieces(reader, total)
            first = await anext(pieces, None)
            if first is not None and only_look:
                async for _ in pieces:
                    pass
            elif first is not None:
                refused = await self._copy(file, first, pieces)
            self._bytes += reader.bytes_read
        if not reader.is_readable:
            return None
        if not only_look:
            refused += await self._settle(file, reader)
        return Came(file.name, file.mode, reader.rows, refused + reader.nameless, reader.nameless)

    async def _copy(self, file: File, first: Piece, rest: AsyncIterator[Piece]) -> int:
        """COPY the pieces. What breaks the reading is raised when the COPY has ended: else the connection were lost."""
        refused, broken = 0, None

        async def every() -> AsyncIterator[bytes]:
            nonlocal refused, broken
            refused = first.refused
            yield first.bytes
            try:
                async for piece in rest:
                    refused += piece.refused
                    yield piece.bytes
            except Unreadable as wrong:
                broken = wrong

        await staging.add(self._tx, file, every(), first.columns)
        if broken is not None:
            raise broken
        return refused

    async def _pieces(self, reader: Reader, total: int) -> AsyncIterator[Piece]:
        """The file in pieces, each read while the one before is on its way."""
        chunks = self._archive.chunks(reader)
        coming = asyncio.create_task(asyncio.to_thread(_next, chunks))
        try:
            while (piece := await coming) is not None:
                coming = asyncio.create_task(asyncio.to_thread(_next, chunks))
                yield piece
                self._job.progress(self._bytes + reader.bytes_read, total)
        finally:
            if not coming.done():  # the thread still reads from the archive, which is closed behind us
                await asyncio.wait([coming])
            if not coming.cancelled():
                coming.exception()

    async def _settle(self, file: File, reader: Reader) -> int:
        """What only the whole file tells: the order of its dates, and twins. How many rows that refuses, at most."""
        await staging.analyze(self._tx, [f"s_{file.stage}"])
        unread = 0
        for turned in reader.turned.values():
            unread += await self._turn(file, turned)
        if await asyncio.to_thread(reader.may_have_twins):
            self.has_twins.add(file.name)
            unread += await checking.twins(self._tx, file, self._findings)
        if period := reader.turned_period:
            unread += await checking.periods(self._tx, file, *period, self._findings)
        if file.name == "orgs":
            await checking.places(self._tx, file, self._findings)
        return unread

    async def _turn(self, file: File, turned: Turned) -> int:
        """Settle dates such as 1/05/2023, by what was declared, or their whole column says, of its order."""
        order = self._order or values.date_order(turned.dates)
        end = "T00:00:00Z" if turned.column.kind is Kind.MOMENT else ""
        meanings = {text: day and day + end for text in turned.dates for day in [values.turn(text, order)]}
        await staging.turn_dates(self._tx, file, turned.column, meanings)
        for finding in _turns(file, turned, meanings, order, is_declared=self._order is not None):
            self._findings.add(finding)
        return turned.count if None in meanings.values() else 0


def _next(chunks: Iterator[Chunk]) -> Piece | None:
    chunk = next(chunks, None)
    if chunk is None:
        return None
    return Piece(staging.columns_of(chunk), staging.written(chunk), int(chunk.refused.sum()))


def tell(job: Job, found: Sequence[Finding]) -> None:
    """Put findings into the import's report."""
    for one in found:
        note = job.repair if one.repaired else job.problem
        note(
            file=one.file, line=one.line, column=one.column, value=one.value,
            rule=one.rule, remedy=one.remedy, count=one.count,
        )  # fmt: skip


def _turns(
    file: File, turned: Turned, meanings: dict[str, str | None], order: values.DateOrder | None, *, is_declared: bool
) -> Iterator[Finding]:
    """What is told of a column's turned dates: how each was read, or that it could not be."""
    is_needed = turned.column.kind is Kind.DATE or turned.column.required
    like = "as was declared" if is_declared else "like the rest of the column"
    for line, text in turned.places:
        read = meanings[text]
        if read is not None:
            why = f"{order} {like}" if order else "which is the same either way"
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
