"""The import `answers`: sheets are scored and staged while the file is validated, then merged in chunks."""

import asyncio
from uuid import UUID

import numpy as np

from services.assessment import events
from services.assessment.domain.irt.ability import engine_version
from services.assessment.domain.irt.kernels import Name
from services.assessment.domain.sheets import WITHDRAWAL, Ints
from services.assessment.events import Attempts
from services.assessment.handlers.reading import Validation
from services.assessment.peers import Roster
from services.assessment.store import attempts as store
from services.assessment.store.attempts import Kept, Merging, Slice
from shared.compute import Compute
from shared.db import Transaction
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as pb
from shared.imports import Job

SHEETS_PER_CHUNK = 8_000


class Answers:
    """Answer sheets from a file."""

    kind = "answers"

    def __init__(
        self, roster: Roster, compute: Compute, *, sheets_at_once: int = SHEETS_PER_CHUNK, kernel: Name = "numpy"
    ) -> None:
        self._roster = roster
        self._compute = compute
        self._sheets_at_once = sheets_at_once
        self._kernel = kernel

    async def validate(self, job: Job) -> None:
        """Read, check, score and stage the file, piece by piece."""
        try:
            async with asyncio.TaskGroup() as tasks:
                validation = Validation(
                    job, self._roster, self._compute, tasks, sheets_at_once=self._sheets_at_once, kernel=self._kernel
                )
                await validation.run()
        except ExceptionGroup as several:
            raise several.exceptions[0] from several

    async def merge(self, job: Job, tx: Transaction, cursor: int) -> int | None:
        """Keep a chunk of the sheets, and announce what is new. The cursor counts staged sheets."""
        chunk, following = await store.list_staged(tx, job.id, cursor, self._sheets_at_once)
        if not chunk:
            return None
        engine = engine_version(self._kernel)
        merging = Merging(tx, chunk, engine)
        verdict = _Verdict(chunk, await merging.look())
        if verdict.added.any():
            await merging.add(but=np.flatnonzero(~verdict.added).tolist())
        if verdict.replaced.any():
            await merging.replace(np.flatnonzero(verdict.replaced).tolist())
        if verdict.withdrawn.any():
            await merging.withdraw(np.flatnonzero(verdict.withdrawn).tolist())
        tx.announce_encoded(pb.AttemptsScored, *_facts(chunk, verdict, engine))
        added, changed = int(verdict.added.sum()), int((verdict.replaced | verdict.withdrawn).sum())
        job.counts.added += added
        job.counts.changed += changed
        job.counts.unchanged += len(verdict.added) - added - changed
        return following if await store.has_staged(tx, job.id, following) else None

    async def clear(self, tx: Transaction, import_id: UUID) -> None:
        """Empty this import's stage."""
        await store.clear_stage(tx, import_id)


class _Verdict:
    """What becomes of each sheet of a chunk, beside what is kept of its attempt; in none of the three: nothing."""

    def __init__(self, chunk: list[Slice], kept: Kept) -> None:
        status = np.concatenate([each.sheets["status"] for each in chunk])
        known, was_withdrawn, same = (np.zeros(len(status), dtype=bool) for _ in range(3))
        known[kept.places], was_withdrawn[kept.places], same[kept.places] = True, kept.withdrawn, kept.same
        takes_back = status == WITHDRAWAL
        self.added = ~known & ~takes_back
        self.replaced = known & ~takes_back & (was_withdrawn | ~same)
        self.withdrawn = known & takes_back & ~was_withdrawn
        self.versions: Ints = np.ones(len(status), dtype=np.int64)
        self.versions[kept.places] += kept.versions


def _facts(chunk: list[Slice], verdict: _Verdict, engine: str) -> tuple[list[bytes], list[bytes]]:
    """Keys and facts of every sheet of the chunk that is new or says something else than before."""
    keys: list[bytes] = []
    facts: list[bytes] = []
    first = 0
    for each in chunk:
        mine = slice(first, first + len(each.sheets))
        first = mine.stop
        news = verdict.added[mine] | verdict.replaced[mine] | verdict.withdrawn[mine]
        sheets = each.sheets[news]
        students = sheets["student"].tobytes()
        keys += [students[start : start + 16] for start in range(0, len(students), 16)]
        facts += events.attempts_scored(
            Attempts(
                administration=each.administration.bytes,
                form_version=each.form_version.bytes,
                purpose=each.purpose,
                parameter_version=each.parameter_version,
                engine_version=engine,
                sheets=sheets,
                scores=each.scores[news],
                versions=verdict.versions[mine][news],
            )
        )
    return keys, facts
