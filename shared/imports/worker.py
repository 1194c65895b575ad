"""The imports of one service: the door they come in by, and the job that works them off one by one."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Header, Request

from shared import crash, jobs, telemetry
from shared.auth import Caller
from shared.compute import ProcessDied
from shared.db import Database, Transaction
from shared.errors import Unavailable
from shared.http import CallerOf, Read
from shared.imports import uploads
from shared.imports.job import Counts, Importer, Job, NoSuchImport, Report, report_of
from shared.inbox import is_transient

_NET_SECONDS = 2.0
_ABANDONED = timedelta(minutes=2)
_UNFINISHED = ("staged", "validating", "merging")
_LOCK = 0x696D70
"""Names the advisory lock; "imp"."""
_MOST_DEATHS = 3  # of the computing process over one file: whatever kills it stands in the file
_CHANGES_STATISTICS = 1 << 20  # bytes; what a smaller upload adds, PostgreSQL notices in time by itself

log = structlog.get_logger("imports")


class Imports:
    """The imports of one service: its door, and the job that works them off one by one."""

    def __init__(self, database: Database, importers: Sequence[Importer]) -> None:
        self._database = database
        self._importers = {importer.kind: importer for importer in importers}
        self._deaths: dict[UUID, int] = {}
        self.router = self._routes()

    async def work(self) -> None:
        """Until cancelled: take what is staged, oldest first. One worker per database, under an advisory lock."""
        await jobs.work(self._database, "imports", self._take, every_seconds=_NET_SECONDS, lock=_LOCK)

    async def _take(self) -> bool:
        """Take the first import of the queue; whether there was one. When there is none, there is time to tidy."""
        async with self._database.system() as tx:
            row = await tx.fetchrow(
                """
                SELECT import_id, district_id FROM stage.queue
                WHERE ready AND kind = ANY ($1) ORDER BY number LIMIT 1
                """,
                list(self._importers),
            )
        if row is None:
            await uploads.forget_abandoned(self._database, _ABANDONED)
            return False
        await self._attempt(row["import_id"], row["district_id"])
        return True

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
                row = await tx.fetchrow("SELECT state, kind FROM imports WHERE id = $1", import_id)
                if row is None or row["state"] == "merging":
                    await tx.run(
                        """
                        UPDATE stage.queue SET number = (SELECT max(number) + 1 FROM stage.queue) WHERE import_id = $1
                        """,
                        import_id,
                    )
                else:
                    await tx.run("UPDATE imports SET state = 'failed', updated_at = now() WHERE id = $1", import_id)
                    await self._importers[row["kind"]].clear(tx, import_id)
                    await uploads.forget(tx, import_id)
            await asyncio.sleep(1)
        self._deaths.pop(import_id, None)

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
        job = Job(
            id=import_id, kind=row["kind"], caller=caller, keep_good=row["keep_good"], database=self._database,
            size=row["bytes"],
            counts=Counts(row["added"], row["changed"], row["unchanged"], row["refused"]),
            problems=row["problems"], repairs=row["repairs"], done=row["done"], total=row["total"],
        )  # fmt: skip
        importer = self._importers[job.kind]
        with telemetry.span(f"import {job.kind}", parent=row["traceparent"]):
            cursor = row["cursor"]
            if row["state"] != "merging":
                if not await self._validated(job, importer):
                    return
                cursor = 0
            await self._merge(job, importer, cursor)

    async def _validated(self, job: Job, importer: Importer) -> bool:
        job.counts, job.problems, job.repairs = Counts(), 0, 0
        async with job.transaction() as tx:
            await importer.clear(tx, job.id)
            await job.save(tx, "validating")
        watching = asyncio.create_task(self._show_progress(job))
        try:
            await importer.validate(job)
        finally:
            watching.cancel()
            await asyncio.wait([watching])
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

    async def _show_progress(self, job: Job) -> None:
        shown = -1
        while True:
            await asyncio.sleep(0.5)
            if job.done != shown:
                shown = job.done
                try:
                    async with job.transaction() as tx:
                        await job.save(tx, "validating")
                except Exception as wrong:
                    log.warning("progress not shown", service=self._database.name, reason=type(wrong).__name__)

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
                  AND current_setting('server_version_num')::int >= 170000
                """
            )
            if tables:
                await tx.run("SET LOCAL default_statistics_target = 10")  # a small sample tells full from empty
                await tx.run(f"ANALYZE {tables}")

    def _routes(self) -> APIRouter:
        router = APIRouter()

        @router.post("/imports/{kind}", status_code=202)
        async def receive(
            kind: str,
            request: Request,
            caller: CallerOf,
            keep_good: bool = False,
            idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
        ) -> dict[str, Any]:
            """Take a file in; 202 when every byte is durable."""
            caller.need("imports:write")
            caller.need_whole_district()
            if kind not in self._importers:
                raise NoSuchImport(f"There is no import of {kind!r}; there are {', '.join(self._importers)}.")
            import_id = await self.stage(caller, kind, request.stream(), keep_good, idempotency_key)
            return {"id": str(import_id), "state": "staged"}

        @router.get("/imports/{import_id}")
        async def report(import_id: UUID, tx: Read) -> Report:
            """How far it is and what was found; an import of another district is not there."""
            tx.caller.need("imports:write")
            return await report_of(tx, import_id)

        return router

    async def stage(
        self, caller: Caller, kind: str, body: AsyncIterator[bytes], keep_good: bool, idempotency_key: str | None
    ) -> UUID:
        """Stage a body durably; the import's id, the same one for the same Idempotency-Key and file."""
        return await uploads.stage(self._database, caller, kind, body, keep_good, idempotency_key)
