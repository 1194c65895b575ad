"""A file of attendance: a line for a student, a day and a school."""

import asyncio
from collections.abc import Mapping, Sequence
from hashlib import sha256
from uuid import UUID

from services.roster.domain import attendance as domain
from services.roster.domain.sheet import Wrong
from services.roster.handlers import taking
from services.roster.handlers.taking import OPTIONS
from services.roster.store import attendance as store
from services.roster.store.attendance import Changed, Unfit
from shared.db import Transaction
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb
from shared.imports import Job, Verdict

FILE = "attendance.csv"
MOST_CODES = 50
"""Codes of unknown meaning that the report lists."""
_REMEDIES = {
    "unknown-student": "There is no student with this sourcedId; correct it, or import the roster first.",
    "unknown-school": "There is no school with this sourcedId; correct it, or import the roster first.",
    "not-a-school": "This organisation is not a school; name the school itself.",
}


class AttendanceImport:
    """Attendance from a file; what it does not name stays as it is."""

    kind = "attendance"
    options: Mapping[str, Sequence[str]] = OPTIONS

    async def take(self, job: Job, tx: Transaction) -> Verdict:
        """Read it all, refuse what does not fit, keep and announce what is not known yet."""
        found = await taking.compared(job, tx, FILE, domain.read, store, _wrong)
        if found is None:
            return Verdict.REFUSED
        job.summary["codes"] = _codes(await store.codes(tx))
        if found is Verdict.APPLIED:
            job.merging()
            await store.merge(tx)
            async for some in store.changed(tx):
                keys, said = await asyncio.to_thread(facts, job.id, some)
                tx.announce_encoded(pb.AttendanceRecorded, keys, said)
                await tx.flush_announced()
        return found


def facts(import_id: UUID, changed: Sequence[Changed]) -> tuple[list[bytes], list[bytes]]:
    """What is said of each student and day now: the students, and the facts as bytes.

    A fact's id follows from its import and what it is about.
    """
    begin = import_id.bytes
    said = [
        pb.Attendance(
            id=sha256(begin + one.student + one.school + one.day.to_bytes(4, "big", signed=True)).digest()[:16],
            student=one.student,
            school=one.school,
            day=one.day,
            code=one.code,
            modality=one.modality,
            withdrawn=one.withdrawn,
        ).SerializeToString()
        for one in changed
    ]
    return [one.student for one in changed], said


def _codes(counted: dict[str, int]) -> dict[str, object]:
    """For the report: how many rows mean what, and the codes that mean nothing to us, the most frequent first."""
    means: dict[str, int] = {}
    unknown: dict[str, int] = {}
    for code, count in sorted(counted.items(), key=lambda one: (-one[1], one[0])):
        status = domain.status_of(code)
        if status is None:
            unknown[code] = count
        else:
            means[status] = means.get(status, 0) + count
    return {"means": means, "unknown": dict(list(unknown.items())[:MOST_CODES])}


def _wrong(one: Unfit) -> Wrong:
    if one.rule == "recorded-twice":
        remedy = f"Line {one.earlier} is about the same student, day and school; leave one of them out."
        return Wrong(one.line, "student", one.student, one.rule, remedy)
    column, value = ("student", one.student) if one.rule == "unknown-student" else ("school", one.school)
    return Wrong(one.line, column, value, one.rule, _REMEDIES[one.rule])
