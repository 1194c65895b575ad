"""An answer file on its way to the stage: told apart by its first bytes, read piece by piece, never whole in memory.

Two pieces of about a megabyte are: one being read by the worker process while the one before is staged.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import chain
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain import csvfile, ndjson, parquetfile, scoring, sheets
from services.assessment.domain.attempts import Seen, attempt_ids
from services.assessment.domain.catalogue import Catalogue
from services.assessment.domain.csvfile import Header
from services.assessment.domain.irt.kernels import Name
from services.assessment.domain.problems import Problem, shown
from services.assessment.domain.records import Block, RecordTooLong, Splitter
from services.assessment.domain.sheets import ORIGINAL, WITHDRAWAL, Ids, Reading, Scored
from services.assessment.handlers.reporting import report
from services.assessment.peers import Roster
from services.assessment.store import attempts as store
from services.assessment.store import forms as form_store
from services.assessment.store.attempts import Slice
from shared.compute import Compute
from shared.imports import Job

SMALL_BLOCK = 64 << 10  # bytes; not worth the way to the worker process
_PARQUET, _BOM = b"PAR1", b"\xef\xbb\xbf"
_NO_STUDENT = "There is no student with this sourcedId; correct it, or import the roster first."
_NO_ITEM = "No form has an item of this id; correct it, remove the column, or import the form first."
_NOTHING_THERE = {
    sheets.CORRECTION: ("nothing-to-correct", "There is no such attempt; send it as an original, or correct its keys."),
    WITHDRAWAL: ("nothing-to-withdraw", "There is no such attempt; correct its keys, or leave the line out."),
}
_Bools = NDArray[np.bool_]


class Validation:
    """One file: read, checked, scored, its students named, staged."""

    def __init__(
        self,
        job: Job,
        roster: Roster,
        compute: Compute,
        tasks: asyncio.TaskGroup,
        *,
        sheets_at_once: int,
        kernel: Name = "numpy",
    ) -> None:
        self._job, self._roster, self._compute, self._tasks = job, roster, compute, tasks
        self._sheets_at_once = sheets_at_once
        self._catalogue = Catalogue({}, {}, kernel)
        self._packed = self._catalogue.packed()
        self._missing: set[tuple[str, str]] = set()
        self._received = self._staged = 0
        self._file, self._header_line = "answers.csv", 1

    async def run(self) -> None:
        """Read the whole file; what is good is staged, what is not is reported."""
        first = await anext(aiter(self._job.chunks()), b"")
        if first.startswith(_PARQUET):
            self._file, readings = "answers.parquet", self._parquet()
        elif first.removeprefix(_BOM).lstrip().startswith(b"{"):
            self._file, readings = "answers.ndjson", self._ndjson()
        else:
            readings = self._csv()
        seen = Seen()
        try:
            ahead = self._tasks.create_task(_following(readings))
            while (reading := await ahead) is not None:
                ahead = self._tasks.create_task(_following(readings))
                await self._take(reading, seen)
            await self._refuse_repeated(await asyncio.to_thread(seen.repeated))
        finally:
            seen.close()

    # formats

    async def _csv(self) -> AsyncIterator[Reading]:
        header: Header | None = None
        async for block in self._blocks(Splitter()):
            rest = block
            if header is None:
                header, rest, problems = csvfile.read_header(block)
                if header is not None:
                    problems += await self._unknown_items(header.items, block.first_line)
                self._report(problems[: sheets.MOST_PROBLEMS], len(problems))
                if header is None or problems:
                    self._job.refuse_whole()
                    return
            yield await self._read(rest, csvfile.read, header)

    async def _ndjson(self) -> AsyncIterator[Reading]:
        async for block in self._blocks(Splitter(quoted=False)):
            yield await self._read(block, ndjson.read)

    async def _parquet(self) -> AsyncIterator[Reading]:
        self._header_line = 0
        async with self._job.spool() as file:
            path = str(file)
            about = await self._compute.run(parquetfile.describe, path)
            problems = about.problems or await self._unknown_items(about.items, None)
            self._report(problems[: sheets.MOST_PROBLEMS], len(problems))
            if problems:
                self._job.refuse_whole()
                return
            try:
                row: int | None = 0
                while row is not None:
                    reading, following = await self._compute.run(parquetfile.read, path, row, self._packed)
                    if await self._extend(reading):
                        continue
                    if following is None and reading.problems:
                        self._job.refuse_whole()  # the rest cannot be read, and nobody knows what stands there
                    self._received = self._job.size * (following or about.rows) // max(about.rows, 1)
                    row = following
                    yield reading
            finally:
                await self._compute.run(parquetfile.close, path)

    async def _blocks(self, splitter: Splitter) -> AsyncIterator[Block]:
        try:
            async for piece in self._job.chunks():
                block = splitter.feed(piece)
                self._received += len(piece)
                if block is not None:
                    yield block
            yield splitter.end()
        except RecordTooLong as wrong:
            remedy = "A record has at most 1 MiB: a quote that is opened here or above is not closed."
            self._report([Problem(wrong.line, None, None, "record-too-long", remedy)], 1)
            self._job.counts.refused += 1

    async def _read(self, block: Block, read: Callable[..., Reading], *how: Header) -> Reading:
        """Read a block, with as much of the catalogue as it turns out to need."""
        while True:
            asked: Awaitable[Reading]
            if len(block.content) <= SMALL_BLOCK:
                asked = asyncio.to_thread(read, block, *how, self._packed)
            else:
                asked = self._compute.run(read, block, *how, self._packed)
            reading = await asked
            if not await self._extend(reading):
                return reading

    async def _extend(self, reading: Reading) -> bool:
        """Look up what the reading lacked; False when it lacked nothing."""
        if not reading.wanted_administrations and not reading.wanted_forms:
            return False
        async with self._job.database.reading(self._job.caller) as tx:
            administrations = await form_store.find_administrations(tx, reading.wanted_administrations)
            forms = await form_store.find_forms(tx, reading.wanted_forms)
        self._catalogue = Catalogue(
            {**self._catalogue.administrations, **administrations},
            {**self._catalogue.forms, **forms},
            self._catalogue.kernel,
        )
        self._packed = self._catalogue.packed()
        return True

    async def _unknown_items(self, items: Sequence[str], line: int | None) -> list[Problem]:
        async with self._job.database.reading(self._job.caller) as tx:
            known = await form_store.known_items(tx, items)
        return [
            Problem(line, shown(code), shown(code), "unknown-item-column", _NO_ITEM)
            for code in items
            if code not in known
        ]

    # the way to the stage

    async def _take(self, reading: Reading, seen: Seen) -> None:
        """Stage what is good, report what is not."""
        await self._name(reading)
        await self._refuse_groundless(reading)
        reading.problems.sort(key=lambda problem: problem.line or 0)
        self._report(reading.problems, reading.problem_count)
        self._report_missing(reading.missing_columns)
        self._job.counts.refused += reading.refused
        slices = [each for group in reading.groups if len(group.sheets) for each in self._slices(group, seen)]
        if slices:
            async with self._job.transaction() as tx:
                self._staged = await store.stage(tx, self._job.id, self._staged, slices)
        self._job.progress(self._received, self._job.size)

    async def _name(self, reading: Reading) -> None:
        """Put the students' and the attempts' ids in; sheets of unknown students are refused."""
        named = [group.students for group in reading.groups]
        names = dict.fromkeys(chain(chain.from_iterable(named), (student for _, student in reading.refused_students)))
        if not names:
            return
        ids = await self._roster.students(list(names), self._job.caller)
        place_of = dict(zip(names, range(len(names)), strict=True))
        unknown = [(line, student) for line, student in reading.refused_students if not ids[place_of[student]].any()]
        for number, (group, students) in enumerate(zip(reading.groups, named, strict=True)):
            found = ids[[place_of[student] for student in students]]
            group.sheets["student"] = found
            group.sheets["attempt"] = attempt_ids(
                self._job.caller.district, group.administration, found, group.form, group.sheets["completed_at"]
            )
            known: _Bools = np.asarray(found.any(axis=1))
            if not known.all():
                strangers = np.flatnonzero(~known).tolist()
                unknown += [(int(group.sheets["line"][place]), students[place]) for place in strangers]
                reading.refused += len(strangers)
                reading.groups[number] = group.only(known)
        for line, student in sorted(unknown):
            reading.refuse(line, "student", student, "unknown-student", _NO_STUDENT)

    async def _refuse_groundless(self, reading: Reading) -> None:
        """Refuse corrections and withdrawals of attempts that are not there."""
        claims = [group.sheets[group.sheets["status"] != ORIGINAL] for group in reading.groups]
        if not any(map(len, claims)):
            return
        every = np.concatenate(claims)
        async with self._job.database.reading(self._job.caller) as tx:
            kept = await store.list_kept(tx, every["student"], every["attempt"])
        for number, group in enumerate(reading.groups):
            good = (group.sheets["status"] == ORIGINAL) | _among(group.sheets["attempt"], kept)
            for sheet in group.sheets[~good]:
                rule, remedy = _NOTHING_THERE[int(sheet["status"])]
                reading.refuse(int(sheet["line"]), "status", None, rule, remedy)
                reading.refused += 1
            if not good.all():
                reading.groups[number] = group.only(good)

    def _slices(self, group: Scored, seen: Seen) -> list[Slice]:
        """The sheets of a group as the stage has them: a quarter of a chunk together, for chunks of about one size."""
        window, known = self._catalogue.administrations[group.administration], self._catalogue.forms[group.form]
        assert window is not None
        assert known is not None
        seen.add(group.sheets["attempt"], group.sheets["line"])
        ends = np.concatenate([[0], np.cumsum(group.sheets["width"])])
        slices, most = [], max(self._sheets_at_once // 4, 1)
        for start in range(0, len(group.sheets), most):
            end = min(start + most, len(group.sheets))
            slices.append(
                Slice(
                    administration=UUID(window.id),
                    form=UUID(known.id),
                    form_version=UUID(known.version_id),
                    purpose=window.purpose,
                    reason=scoring.why_no_ability(known.form),
                    parameter_version=known.form.parameter_version if known.form.calibrated else None,
                    sheets=group.sheets[start:end],
                    scores=group.scores[start:end],
                    responses=group.responses[ends[start] : ends[end]],
                )
            )
        return slices

    # what is wrong

    def _report_missing(self, columns: set[tuple[str, str]]) -> None:
        line = self._header_line or None
        problems = [
            Problem(
                line, shown(item), None, "missing-item-column", f"The form {form} has this item: add a column for it."
            )
            for form, item in sorted(columns - self._missing)
        ]
        self._missing |= columns
        self._report(problems, len(problems))

    async def _refuse_repeated(self, repeated: list[tuple[int, int]]) -> None:
        if not repeated:
            return
        async with self._job.transaction() as tx:
            await store.leave_out(tx, self._job.id, [line for line, _ in repeated])
        self._job.counts.refused += len(repeated)
        problems = [
            Problem(line, None, None, "attempt-twice", f"Line {first} is the same attempt; keep one of the two.")
            for line, first in repeated[: sheets.MOST_PROBLEMS]
        ]
        self._report(problems, len(repeated))

    def _report(self, problems: list[Problem], total: int) -> None:
        report(self._job, self._file, problems, total)


async def _following(readings: AsyncIterator[Reading]) -> Reading | None:
    return await anext(readings, None)


def _among(attempts: Ids, kept: set[bytes]) -> _Bools:
    return np.array([id_.tobytes() in kept for id_ in attempts], dtype=bool)
