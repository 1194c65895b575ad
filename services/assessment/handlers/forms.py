"""The import `forms`: validate the whole file, then merge it in chunks."""

import asyncio
from uuid import UUID

from services.assessment import events
from services.assessment.domain import formsfile
from services.assessment.domain.problems import Problem, shown
from services.assessment.handlers.reporting import report
from services.assessment.peers import Mastery
from services.assessment.store import forms as store
from services.assessment.store.forms import Saved
from shared.compute import Compute
from shared.db import Transaction
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as pb
from shared.imports import Job

FILE = "forms.json"
LARGEST_FILE = 256 << 20  # bytes; a JSON document is read whole
SMALL_FILE = 256 << 10  # bytes; not worth the way to the worker process
RECORDS_PER_CHUNK = 200
_NO_COMPETENCY = "There is no competency with this CASE identifier; import its framework first."
_NO_FORM = "There is no such form in the file or in the district; add it or correct the id."


class Forms:
    """Test forms and administrations from a file."""

    kind = "forms"

    def __init__(self, mastery: Mastery, compute: Compute, *, records_at_once: int = RECORDS_PER_CHUNK) -> None:
        self._mastery = mastery
        self._compute = compute
        self._records_at_once = records_at_once

    async def validate(self, job: Job) -> None:
        """Read, check against the rules and against what the district knows, and stage."""
        content = await _content(job)
        if content is None:
            job.refuse_whole()
            return
        if len(content) <= SMALL_FILE:
            parsed = await asyncio.to_thread(formsfile.parse, content)
        else:
            parsed = await self._compute.run(formsfile.parse, content)
        report(job, FILE, parsed.problems, parsed.problem_count)
        if parsed.file is None:
            job.counts.refused += 1
            job.refuse_whole()
            return
        file = parsed.file
        if job.keep_good:
            report(job, FILE, file.fallen, len(file.fallen))
        competencies = await self._mastery.competencies(file.competencies, job.caller)
        async with job.database.reading(job.caller) as tx:
            known = await store.known_forms(tx, file.unknown_forms)
        problems = [
            Problem(None, at, shown(identifier), "unknown-competency", _NO_COMPETENCY)
            for identifier, places in file.competencies.items()
            if identifier not in competencies
            for at in places
        ]
        problems += [
            Problem(None, at, shown(code), "unknown-form", _NO_FORM)
            for code, places in file.unknown_forms.items()
            if code not in known
            for at in places
        ]
        if problems:
            text = content.decode("utf-8-sig")
            first = problems[: formsfile.MOST_PROBLEMS]
            report(job, FILE, await asyncio.to_thread(formsfile.located, text, first), len(problems))
        forms = [form for form in file.forms if form.competencies <= competencies.keys()]
        sat = known | {form.code for form in forms}
        planned = [each for each in file.administrations if sat.issuperset(each.forms)]
        job.counts.refused += file.refused + len(file.forms) - len(forms) + len(file.administrations) - len(planned)
        job.progress(job.size, job.size)
        async with job.transaction() as tx:
            await store.stage(tx, job.id, forms, planned, competencies)

    async def merge(self, job: Job, tx: Transaction, cursor: int) -> int | None:
        """Keep a chunk of the records and announce what is new."""
        staged = await store.staged(tx, job.id, cursor, self._records_at_once)
        if staged is None:
            return None
        saved = await store.save_forms(tx, staged.forms)
        tx.announce(
            pb.FormPublished,
            [events.form_published(each.version_id, each.form, each.competencies) for each in saved.published],
        )
        _count(job, saved)
        saved = await store.save_administrations(tx, staged.administrations)
        tx.announce(
            pb.AdministrationPlanned,
            [events.administration_planned(each.id, each.administration) for each in saved.planned],
        )
        _count(job, saved)
        return staged.next

    async def clear(self, tx: Transaction, import_id: UUID) -> None:
        """Empty this import's stage."""
        await store.clear_stage(tx, import_id)


async def _content(job: Job) -> bytes | None:
    if job.size > LARGEST_FILE:
        remedy = f"A forms file has at most {LARGEST_FILE >> 20} MiB; send it in parts."
        job.problem(file=FILE, rule="file-too-large", value=str(job.size), remedy=remedy)
        return None
    content = bytearray()
    async for piece in job.chunks():
        content += piece
    return bytes(content)


def _count(job: Job, saved: Saved) -> None:
    job.counts.added += saved.added
    job.counts.changed += saved.changed
    job.counts.unchanged += saved.unchanged
