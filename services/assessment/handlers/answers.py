"""The import `answers`: sheets streamed in blocks, scored by the worker process, staged, then merged in chunks.

The file is never in memory: two blocks of about a megabyte are, one being read while the one before is staged.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

from services.assessment import events
from services.assessment.domain import scoring, sheets
from services.assessment.domain.problems import Problem, shown
from services.assessment.domain.records import Block, RecordTooLong, Splitter
from services.assessment.domain.sheets import Catalogue, Header, Reading, Scored
from services.assessment.handlers.reporting import report
from services.assessment.peers import Roster
from services.assessment.store import attempts as store
from services.assessment.store import forms as form_store
from services.assessment.store.attempts import Chunk
from shared.compute import Compute
from shared.db import Transaction
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as pb
from shared.imports import Job

FILE = "answers.csv"
SMALL_BLOCK = 64 << 10  # bytes; not worth the way to the worker process
SHEETS_PER_CHUNK = 2_000
_NO_STUDENT = "There is no student with this sourcedId; correct it, or import the roster first."


class Answers:
    """Answer sheets from a file."""

    kind = "answers"

    def __init__(self, roster: Roster, compute: Compute, *, sheets_at_once: int = SHEETS_PER_CHUNK) -> None:
        self._roster = roster
        self._compute = compute
        self._sheets_at_once = sheets_at_once

    async def validate(self, job: Job) -> None:
        """Read, check, score and stage the file, block by block."""
        try:
            async with asyncio.TaskGroup() as tasks:
                await _Validation(job, self._roster, self._compute, tasks).run()
        except ExceptionGroup as several:
            raise several.exceptions[0] from several

    async def merge(self, job: Job, tx: Transaction, cursor: int) -> int | None:
        """Keep a chunk of the sheets: new ones, corrected ones; announce both. The cursor is the last line."""
        chunk = await store.chunk(tx, job.id, cursor, self._sheets_at_once)
        if not chunk.lines:
            return None
        new = [line for line, had in zip(chunk.lines, chunk.had, strict=True) if had is None]
        other = [line for line, had, same in zip(chunk.lines, chunk.had, chunk.same, strict=True) if had and not same]
        if new:
            await store.add(tx, job.id, new)
        if other:
            await store.correct(tx, job.id, other)
        purposes = await form_store.purposes(tx, set(chunk.administrations))
        tx.announce(pb.AttemptsScored, _facts(chunk, {id_: events.PURPOSES[it] for id_, it in purposes.items()}))
        job.counts.added += len(new)
        job.counts.changed += len(other)
        job.counts.unchanged += len(chunk.lines) - len(new) - len(other)
        return chunk.lines[-1]

    async def clear(self, tx: Transaction, import_id: UUID) -> None:
        """Empty this import's stage."""
        await store.clear_stage(tx, import_id)


def _facts(chunk: Chunk, purposes: "dict[UUID, pb.Purpose.ValueType]") -> Iterator[pb.Attempt]:
    """A fact for every sheet of the chunk that is new or says something else than before."""
    for sheet in range(len(chunk.lines)):
        had = chunk.had[sheet]
        if had and chunk.same[sheet]:
            continue
        administration = chunk.administrations[sheet]
        yield events.attempt_scored(
            attempt=chunk.attempts[sheet],
            version=(had or 0) + 1,
            student=chunk.students[sheet],
            administration=administration,
            form_version=chunk.form_versions[sheet],
            completed_at=chunk.completed_at[sheet],
            modality=chunk.modalities[sheet],
            purpose=purposes[administration],
            scores=chunk.scores[sheet],
            theta=chunk.theta[sheet],
            standard_error=chunk.standard_error[sheet],
            parameter_version=chunk.parameter_versions[sheet],
        )


class _Validation:
    """One file on its way to the stage."""

    def __init__(self, job: Job, roster: Roster, compute: Compute, tasks: asyncio.TaskGroup) -> None:
        self._job, self._roster, self._compute, self._tasks = job, roster, compute, tasks
        self._catalogue = Catalogue({}, {})
        self._missing: set[tuple[str, str]] = set()
        self._received = 0

    async def run(self) -> None:
        header: Header | None = None
        ahead: asyncio.Task[Reading] | None = None
        async for block in self._blocks():
            if header is None:
                header, block = await self._header(block)
                if header is None:
                    self._job.refuse_whole()
                    return
            following = self._tasks.create_task(self._read(block, header))
            if ahead is not None:
                await self._take(await ahead)
            ahead = following
        if ahead is not None:
            await self._take(await ahead)
        await self._refuse_repeated()

    async def _blocks(self) -> AsyncIterator[Block]:
        splitter = Splitter()
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

    async def _header(self, block: Block) -> tuple[Header | None, Block]:
        header, rest, problems = sheets.read_header(block)
        if header is not None:
            async with self._job.database.reading(self._job.caller) as tx:
                known = await form_store.known_items(tx, header.items)
            remedy = "No form has an item of this id; correct it, remove the column, or import the form first."
            problems += [
                Problem(block.first_line, shown(code), shown(code), "unknown-item-column", remedy)
                for code in header.items
                if code not in known
            ]
        self._report(problems[: sheets.MOST_PROBLEMS], len(problems))
        return None if problems else header, rest

    async def _read(self, block: Block, header: Header) -> Reading:
        """Read a block, with as much of the catalogue as it turns out to need."""
        while True:
            ask = (block, header, self._catalogue)
            if len(block.content) <= SMALL_BLOCK:
                reading = await asyncio.to_thread(sheets.read, *ask)
            else:
                reading = await self._compute.run(sheets.read, *ask)
            if not reading.wanted_administrations and not reading.wanted_forms:
                return reading
            async with self._job.database.reading(self._job.caller) as tx:
                administrations = await form_store.find_administrations(tx, reading.wanted_administrations)
                forms = await form_store.find_forms(tx, reading.wanted_forms)
            self._catalogue = Catalogue(
                {**self._catalogue.administrations, **administrations}, {**self._catalogue.forms, **forms}
            )

    async def _take(self, reading: Reading) -> None:
        """Stage what is good, report what is not."""
        students = dict.fromkeys(student for group in reading.groups for student in group.students)
        students |= dict.fromkeys(student for _, student in reading.refused_students)
        ids = await self._roster.students(list(students), self._job.caller)
        problems = list(reading.problems)
        unknown = 0
        for line, student in reading.refused_students:
            if ids[student] is None:
                unknown += 1
                problems.append(Problem(line, "student", shown(student), "unknown-student", _NO_STUDENT))
        rows: list[tuple[Any, ...]] = []
        for group in reading.groups:
            for line, student, row in zip(group.lines, group.students, self._rows(group, ids), strict=True):
                if ids[student] is not None:
                    rows.append(row)
                    continue
                unknown += 1
                self._job.counts.refused += 1
                if len(problems) < 2 * sheets.MOST_PROBLEMS:
                    problems.append(Problem(line, "student", shown(student), "unknown-student", _NO_STUDENT))
        problems.sort(key=lambda problem: problem.line or 0)
        self._report(problems, reading.problem_count + unknown)
        self._report_missing(reading.missing_columns)
        self._job.counts.refused += reading.refused
        if rows:
            async with self._job.transaction() as tx:
                await store.stage(tx, rows)
        self._job.progress(self._received, self._job.size)

    def _rows(self, group: Scored, ids: dict[str, str | None]) -> Iterator[tuple[Any, ...]]:
        """Rows for the stage, in the order of `store.STAGED`."""
        students = [ids[student] for student in group.students]
        form = self._catalogue.forms[group.form_code]
        assert form is not None
        parameter_version = form.form.parameter_version if form.form.calibrated else None
        why = scoring.why_no_ability(form.form)
        attempts = sheets.attempt_ids(
            self._job.caller.district, group.administration_code, students, group.form_code, group.completed_at
        )
        for index, line in enumerate(group.lines):
            theta = group.theta[index]
            yield (
                self._job.id,
                line,
                attempts[index],
                students[index],
                group.administration,
                group.form,
                group.form_version,
                group.completed_at[index],
                group.modalities[index],
                group.responses[index],
                group.scores[index],
                group.raw[index],
                group.maximum[index],
                theta,
                group.standard_error[index],
                why if theta is None else None,
                parameter_version,
            )

    def _report_missing(self, columns: set[tuple[str, str]]) -> None:
        problems = [
            Problem(1, shown(item), None, "missing-item-column", f"The form {form} has this item: add a column for it.")
            for form, item in sorted(columns - self._missing)
        ]
        self._missing |= columns
        self._report(problems, len(problems))

    async def _refuse_repeated(self) -> None:
        async with self._job.transaction() as tx:
            repeated = await store.take_out_repeated(tx, self._job.id)
        self._job.counts.refused += len(repeated)
        problems = [
            Problem(line, None, None, "attempt-twice", f"Line {first} is the same attempt; keep one of the two.")
            for line, first in repeated[: sheets.MOST_PROBLEMS]
        ]
        self._report(problems, len(repeated))

    def _report(self, problems: list[Problem], total: int) -> None:
        report(self._job, FILE, problems, total)
