"""The worker: takes what is staged to its end, a district at a time, two districts at once."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import structlog

from shared import crash, jobs, telemetry
from shared.auth import Caller, Purpose
from shared.compute import ProcessDied
from shared.db import Database, Transaction
from shared.errors import TrellisError, Unavailable
from shared.imports import deciding, uploads
from shared.imports.findings import Finding
from shared.imports.importers import Importer, Undoes, Verdict, WholeImporter
from shared.imports.job import Counts, Job
from shared.inbox import is_transient

AT_ONCE = 2
"""Imports of different districts that are worked on at the same time."""
_NET_SECONDS = 2.0
_ABANDONED = timedelta(minutes=2)
_UNFINISHED = ("staged", "validating", "merging", "undoing")
_LOCK = 0x696D70
"""Names the advisory locks of the workers, one each, and with a district's hash those of the districts; "imp"."""
_FENCE = 0x696D66
"""Names the advisory lock of an import that is taken whole; "imf"."""
_MOST_DEATHS = 3  # of the computing process over one file: whatever kills it stands in the file
_MOST_ATTEMPTS = 20  # that ended with our own process, over one file that is taken whole
_OURS = "A mistake of ours; the service's log says which, by the import's id."
_CHANGES_STATISTICS = 1 << 20  # bytes; what a smaller upload adds, PostgreSQL notices in time by itself

log = structlog.get_logger("imports")


class _NotApplied(Exception):
    """Whatever the import did in its transaction is to be undone."""


class Worker:
    """Takes the imports of one service from the queue."""

    def __init__(self, database: Database, importers: Mapping[str, Importer | WholeImporter]) -> None:
        self._database = database
        self._importers = importers
        self._deaths: dict[UUID, int] = {}

    async def work(self) -> None:
        """Until cancelled. Two workers per database, each under an advisory lock; never two in one district."""
        async with asyncio.TaskGroup() as group:
            for number in range(AT_ONCE):
                group.create_task(
                    jobs.work(
                        self._database, "imports", self._take, every_seconds=_NET_SECONDS, lock=_LOCK + number
                    )
                )  # fmt: skip

    async def _take(self) -> bool:
        """Take the first import of a district nobody works on; whether there was one. Else there is time to tidy."""
        async with self._database.system() as tx:
            rows = await tx.fetch(
                """
                SELECT district_id, min(number) AS number FROM stage.queue
                WHERE ready AND kind = ANY ($1) GROUP BY district_id ORDER BY number
                """,
                list(self._importers),
            )
        for row in rows:
            async with self._district(row["district_id"]) as is_ours:
                if is_ours and (import_id := await self._first(row["district_id"])):
                    await self._attempt(import_id, row["district_id"])
                    return True
        if not rows:
            await uploads.forget_abandoned(self._database, _ABANDONED)
            await deciding.give_up_expired(self._database)
        return False

    @asynccontextmanager
    async def _district(self, district: UUID) -> AsyncIterator[bool]:
        """The district's lock, on a connection of its own, if nobody has it."""
        connection = await self._database.raw()
        try:
            yield bool(await connection.fetchval("SELECT pg_try_advisory_lock($1, hashtext($2))", _LOCK, str(district)))
        finally:
            with contextlib.suppress(Exception):  # closed in good order, the lock is free when this returns
                await connection.close(timeout=5)
            connection.terminate()

    async def _first(self, district: UUID) -> UUID | None:
        """What the district has waited for longest; looked up under its lock."""
        async with self._database.system() as tx:
            found: UUID | None = await tx.fetchval(
                """
                SELECT import_id FROM stage.queue WHERE ready AND kind = ANY ($1) AND district_id = $2
                ORDER BY number LIMIT 1
                """,
                list(self._importers), district,
            )  # fmt: skip
        return found

    async def _attempt(self, import_id: UUID, district: UUID) -> None:
        """Take one import forward; a mistake of ours in one must not hold up the others."""
        try:
            await self.advance(import_id, district)
        except Exception as wrong:
            if is_transient(wrong) and not self._is_hopeless(import_id, wrong):
                raise
            log.exception("import failed", service=self._database.name, id=str(import_id))
            caller = Caller.system(district, f"import:{import_id}")
            async with self._database.transaction(caller) as tx:
                await self._fail(tx, import_id, wrong)
            await asyncio.sleep(1)
        self._deaths.pop(import_id, None)

    async def _fail(self, tx: Transaction, import_id: UUID, wrong: Exception) -> None:
        row = await tx.fetchrow(
            "SELECT state, kind, undone_by, summary FROM imports WHERE id = $1 FOR UPDATE", import_id
        )
        importer = None if row is None else self._importers[row["kind"]]
        if row is None or (row["state"] == "merging" and not isinstance(importer, WholeImporter)):
            await tx.run(
                "UPDATE stage.queue SET number = (SELECT max(number) + 1 FROM stage.queue) WHERE import_id = $1",
                import_id,
            )
            return
        if row["state"] == "undoing":
            reason = wrong.message if isinstance(wrong, TrellisError) else _OURS
            failed = {"at": datetime.now(UTC).isoformat(), "by": row["undone_by"], "reason": reason}
            await tx.run(
                """
                UPDATE imports SET state = 'applied', undone_by = NULL, summary = $2::json, updated_at = now()
                WHERE id = $1
                """,
                import_id, json.dumps({**row["summary"], "undo_failed": failed}, ensure_ascii=False),
            )  # fmt: skip
        else:
            await tx.run("UPDATE imports SET state = 'failed', updated_at = now() WHERE id = $1", import_id)
        if importer is not None and not isinstance(importer, WholeImporter):
            await importer.clear(tx, import_id)
        await uploads.forget(tx, import_id)

    def _is_hopeless(self, import_id: UUID, wrong: Exception) -> bool:
        """Whether this file has brought the computing process down again and again: the others wait behind it."""
        if isinstance(wrong, ProcessDied):
            self._deaths[import_id] = self._deaths.get(import_id, 0) + 1
        return self._deaths.get(import_id, 0) >= _MOST_DEATHS

    async def advance(self, import_id: UUID, district: UUID) -> None:
        """Take one import to its end."""
        caller = Caller.system(district, f"import:{import_id}")
        async with self._database.transaction(caller) as tx:
            row = await tx.fetchrow("SELECT * FROM imports WHERE id = $1", import_id)
            if row is None or row["state"] not in _UNFINISHED:
                await tx.run("DELETE FROM stage.queue WHERE import_id = $1", import_id)
                return
            seen = [] if row["approved_at"] is None else await deciding.seen(tx, import_id)
        job = self._job(row, caller, seen)
        importer = self._importers[job.kind]
        with telemetry.span(f"import {job.kind}", parent=row["traceparent"]):
            if isinstance(importer, WholeImporter):
                await self._whole(job, importer, undoing=row["state"] == "undoing")
                return
            cursor = row["cursor"]
            if row["state"] != "merging":
                if not await self._validated(job, importer):
                    return
                cursor = 0
            await self._merge(job, importer, cursor)

    def _job(self, row: asyncpg.Record, caller: Caller, seen: Sequence[Finding]) -> Job:
        return Job(
            id=row["id"], kind=row["kind"], caller=caller, keep_good=row["keep_good"], database=self._database,
            size=row["bytes"], purpose=row["purpose"] and Purpose(row["purpose"]), options=row["options"],
            approved=row["approved_at"] is not None,
            seen=frozenset(seen),
            counts=Counts(row["added"], row["changed"], row["unchanged"], row["refused"]),
            summary=row["summary"], problems=row["problems"], repairs=row["repairs"], holds=row["holds"],
            done=row["done"], total=row["total"], state=row["state"],
        )  # fmt: skip

    # In one transaction

    async def _whole(self, job: Job, importer: WholeImporter, *, undoing: bool) -> None:
        await self._begin_attempt(job, undoing=undoing)
        try:
            if undoing:
                await self._undo(job, importer)
            else:
                await self._taken(job, importer)
        except Exception:
            async with job.transaction() as tx:  # we live: this attempt did not end with us
                await tx.run("UPDATE imports SET attempts = attempts - 1 WHERE id = $1", job.id)
            raise

    async def _begin_attempt(self, job: Job, *, undoing: bool) -> None:
        async with job.transaction() as tx:
            attempts = await tx.fetchval(
                "UPDATE imports SET attempts = attempts + 1 WHERE id = $1 RETURNING attempts", job.id
            )
            if attempts <= _MOST_ATTEMPTS and not undoing:
                job.begin_again()
                await job.save(tx, job.state)
        if attempts > _MOST_ATTEMPTS:
            raise RuntimeError(f"{_MOST_ATTEMPTS} processes have ended while they worked on this file")

    async def _taken(self, job: Job, importer: WholeImporter) -> None:
        verdict = Verdict.REFUSED
        try:
            async with self._database.alone(job.caller, cause=str(job.id)) as tx:
                await self._fence_whole(job, tx)
                async with self._progress_shown(job):
                    verdict = await importer.take(job, tx)
                if job.problems and not job.keep_good and verdict is Verdict.APPLIED:
                    verdict = Verdict.REFUSED
                crash.point("I1")
                if verdict is not Verdict.APPLIED:
                    raise _NotApplied
                await self._settle(job, tx, verdict)
                crash.point("I2")
        except _NotApplied:
            async with job.transaction() as tx:
                await self._settle(job, tx, verdict)
        if verdict is Verdict.APPLIED and job.size >= _CHANGES_STATISTICS and job.counts.added + job.counts.changed:
            await self._refresh_statistics()
        log.info("import taken", service=self._database.name, id=str(job.id), kind=job.kind, verdict=verdict)

    async def _settle(self, job: Job, tx: Transaction, verdict: Verdict) -> None:
        await job.save_findings(tx)
        await job.save(tx, verdict.value)
        if verdict in (Verdict.HELD, Verdict.REPORTED):
            await deciding.keep(tx, job.id, job.kind)
        else:
            await uploads.forget(tx, job.id)

    async def _undo(self, job: Job, importer: WholeImporter) -> None:
        assert isinstance(importer, Undoes)
        async with self._database.alone(job.caller, cause=str(job.id)) as tx:
            await self._fence_whole(job, tx)
            summary = {**job.summary, "undone": dict(await importer.undo(job, tx))}
            summary.pop("undo_failed", None)
            crash.point("I1")
            await tx.run(
                """
                UPDATE imports SET state = 'undone', undone_at = clock_timestamp(), updated_at = clock_timestamp(),
                    summary = $2::json
                WHERE id = $1
                """,
                job.id, json.dumps(summary, ensure_ascii=False),
            )  # fmt: skip
            await uploads.forget(tx, job.id)
            crash.point("I2")
        log.info("import undone", service=self._database.name, id=str(job.id), kind=job.kind)

    async def _fence_whole(self, job: Job, tx: Transaction) -> None:
        """One transaction at a time does this import, and none that another has finished: the district's lock is lost
        with its connection."""
        await tx.run("SELECT pg_advisory_xact_lock($1, hashtext($2))", _FENCE, str(job.id))
        state = await tx.fetchval("SELECT state FROM imports WHERE id = $1", job.id)
        if state not in _UNFINISHED:
            raise Unavailable("Another worker has finished this import.")

    @asynccontextmanager
    async def _progress_shown(self, job: Job) -> AsyncIterator[None]:
        """Another connection saves how far the work is, while the block runs."""
        watching = asyncio.create_task(self._show_progress(job))
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.wait([watching])

    async def _show_progress(self, job: Job) -> None:
        shown: object = None
        while True:
            await asyncio.sleep(0.5)
            if (job.state, job.done) != shown:
                shown = (job.state, job.done)
                try:
                    async with job.transaction() as tx:
                        await job.show_progress(tx)
                except Exception as wrong:
                    log.warning("progress not shown", service=self._database.name, reason=type(wrong).__name__)

    # In chunks

    async def _validated(self, job: Job, importer: Importer) -> bool:
        job.begin_again()
        async with job.transaction() as tx:
            await importer.clear(tx, job.id)
            await job.save(tx, "validating")
        async with self._progress_shown(job):
            await importer.validate(job)
        refused = job.problems > 0 and not job.keep_good
        async with job.transaction() as tx:
            await job.save_findings(tx)
            job.progress(0, job.total)
            await job.save(tx, "refused" if refused else "merging", cursor=0)
            if refused:
                await importer.clear(tx, job.id)
                await uploads.forget(tx, job.id)
        log.info("import validated", service=self._database.name, id=str(job.id), kind=job.kind, refused=refused)
        return not refused

    async def _merge(self, job: Job, importer: Importer, cursor: int) -> None:
        at: int | None = cursor
        is_large = job.size >= _CHANGES_STATISTICS
        chunks = 0
        while at is not None:
            if is_large and chunks.bit_count() <= 1:  # at 0, 1, 2, 4, 8, … chunks the tables have doubled
                await self._refresh_statistics()
            async with job.transaction() as tx:
                await self._fence(job, tx, at)
                at = await importer.merge(job, tx, at)
                crash.point("I1")
                await job.save(tx, "merging" if at is not None else "applied", cursor=at)
                if at is None:  # in the last chunk's transaction: merged again, its records would count again
                    crash.point("I2")
                    await importer.clear(tx, job.id)
                    await uploads.forget(tx, job.id)
            chunks += 1
        if is_large:
            await self._refresh_statistics()
        log.info("import applied", service=self._database.name, id=str(job.id), kind=job.kind)

    async def _fence(self, job: Job, tx: Transaction, cursor: int) -> None:
        """Only who knows how far the import is goes on with it: the worker's lock is lost with its connection."""
        kept = await tx.fetchval("SELECT cursor FROM imports WHERE id = $1 AND state = 'merging' FOR UPDATE", job.id)
        if kept != cursor:
            raise Unavailable("Another worker has gone on with this import.")

    async def _refresh_statistics(self) -> None:
        """Tell the planner how much there is: a plan for empty tables takes hours on full ones."""
        async with self._database.system() as tx:
            tables = await tx.fetchval(
                """
                SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ')
                FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname IN ('public', 'stage') AND c.relkind = 'r' AND NOT c.relispartition
                  AND c.relname NOT IN ('uploads', 'alembic_version')
                """
            )
            if tables:
                await tx.run("SET LOCAL default_statistics_target = 10")  # a small sample tells full from empty
                await tx.run(f"ANALYZE {tables}")
