"""Files in: staged durably, validated whole, then merged in chunks that only go forward.

receiving → staged → validating → refused
                               → merging → applied

`failed` is a mistake of ours while validating, never of the file's; nothing of it was applied.

A kill while validating starts validation over; a kill while merging resumes at the cursor, which moves in the same
transaction as the rows. All or none by default; with `keep_good` the valid rows are merged and the rest reported.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Protocol
from uuid import UUID

import structlog
from fastapi import APIRouter, Header, Request
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError

from shared import crash, telemetry
from shared.auth import Caller
from shared.db import Database, Transaction
from shared.errors import Conflict, Invalid, NotFound
from shared.events import uuid7
from shared.http import CallerOf, Read
from shared.inbox import TRANSIENT

_PIECE_BYTES = 1 << 20
_MOST_FINDINGS = 1_000
_NET_SECONDS = 2.0
_ABANDONED = timedelta(minutes=2)
_BACK_OFF_SECONDS = (0.2, 1.0, 3.0, 10.0)

log = structlog.get_logger("imports")


class SameKeyOtherFile(Invalid):
    """This Idempotency-Key was used with another file; use a new key for a new file."""


class StillReceiving(Conflict):
    """A request with this Idempotency-Key is still being received; one that broke off is forgotten in two minutes."""


class NoSuchImport(NotFound):
    """There is no such import."""


class EmptyFile(Invalid):
    """The body is empty; send the file as the body of the request."""


class Finding(BaseModel):
    """Something in a file that broke a rule: a problem, or a repair that was made."""

    file: str
    line: int | None
    column: str | None
    value: str | None
    rule: str
    remedy: str


@dataclass(slots=True)
class Counts:
    """Records, by what the import did with them."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: int = 0


class Report(BaseModel):
    """How far an import is, and what it found. `problems` and `repairs` are the first ones; the counts are whole."""

    id: UUID
    kind: str
    state: str
    done: int
    total: int | None
    counts: dict[str, int]
    problem_count: int
    repair_count: int
    problems: list[Finding]
    repairs: list[Finding]


@dataclass(slots=True)
class Job:
    """One import at work: its bytes (`size` of them), its findings, its counts."""

    id: UUID
    kind: str
    caller: Caller
    keep_good: bool
    database: Database
    size: int = 0
    counts: Counts = field(default_factory=Counts)
    problems: int = 0
    repairs: int = 0
    done: int = 0
    total: int | None = None
    _found: list[tuple[int, bool, Finding]] = field(default_factory=list)
    _noted: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """A short transaction of its own, on the district's behalf."""
        async with self.database.transaction(self.caller, cause=str(self.id)) as tx:
            yield tx

    async def chunks(self) -> AsyncIterator[bytes]:
        """The uploaded bytes, in order, in pieces of at most 1 MiB."""
        ordinal = 0
        while True:
            async with self.database.system() as tx:
                piece = await tx.fetchval(
                    "SELECT bytes FROM stage.uploads WHERE import_id = $1 AND ordinal = $2", self.id, ordinal
                )
            if piece is None:
                return
            yield piece
            ordinal += 1

    @asynccontextmanager
    async def spool(self) -> AsyncIterator[Path]:
        """The whole upload as a file, for formats that are read from their end."""
        with tempfile.TemporaryDirectory(prefix="trellis-import-") as folder:
            path = Path(folder) / "upload"
            with path.open("wb") as file:
                async for piece in self.chunks():
                    await asyncio.to_thread(file.write, piece)
            yield path

    def problem(
        self, *, file: str, line: int | None = None, column: str | None = None, value: str | None = None,
        rule: str, remedy: str, count: int = 1,
    ) -> None:  # fmt: skip
        """A rule is broken, here. `count` when it stands for several of the same kind."""
        self.problems += count
        self._note(False, file, line, column, value, rule, remedy)

    def repair(
        self, *, file: str, line: int | None = None, column: str | None = None, value: str | None = None,
        rule: str, remedy: str, count: int = 1,
    ) -> None:  # fmt: skip
        """A rule was broken and the meaning was plain: what was done about it is the remedy."""
        self.repairs += count
        self._note(True, file, line, column, value, rule, remedy)

    def refuse_whole(self) -> None:
        """The file as a whole cannot be understood or trusted: not even `keep_good` merges anything of it."""
        self.keep_good = False

    def progress(self, done: int, total: int | None) -> None:
        self.done, self.total = done, total

    def _note(
        self, repaired: bool, file: str, line: int | None, column: str | None, value: str | None, rule: str, remedy: str
    ) -> None:
        # Problems and repairs have room of their own: a file full of repairs must not hide its problems.
        if self._noted[repaired] < _MOST_FINDINGS:
            self._noted[repaired] += 1
            shown = None if value is None else value[:200]
            found = Finding(file=file, line=line, column=column, value=shown, rule=rule, remedy=remedy)
            self._found.append((len(self._found), repaired, found))

    async def save(self, tx: Transaction, state: str, *, cursor: int | None = None) -> None:
        """Keep state, counts and progress, in this transaction."""
        c = self.counts
        await tx.run(
            """
            UPDATE imports SET state = $2, cursor = COALESCE($3, cursor), done = $4, total = $5, added = $6,
                changed = $7, unchanged = $8, refused = $9, problems = $10, repairs = $11, updated_at = now()
            WHERE id = $1
            """,
            self.id, state, cursor, self.done, self.total, c.added, c.changed, c.unchanged, c.refused,
            self.problems, self.repairs,
        )  # fmt: skip

    async def save_findings(self, tx: Transaction) -> None:
        """Replace the findings by these: the first thousand problems and the first thousand repairs."""
        await tx.run("DELETE FROM import_findings WHERE import_id = $1", self.id)
        await tx.run_many(
            """
            INSERT INTO import_findings
                (import_id, number, district_id, repaired, file, line, "column", value, rule, remedy)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            """,
            [
                (self.id, number, self.caller.district, repaired, f.file, f.line, f.column, f.value, f.rule, f.remedy)
                for number, repaired, f in self._found
            ],
        )


class Importer(Protocol):
    """What a service knows about one kind of file."""

    kind: str

    async def validate(self, job: Job) -> None:
        """Read the upload, stage what is valid, note what is not. Runs again from the start after a kill."""

    async def merge(self, job: Job, tx: Transaction, cursor: int) -> int | None:
        """Merge one chunk; the next cursor, or None when everything is merged. Announcements ride in `tx`."""

    async def clear(self, tx: Transaction, import_id: UUID) -> None:
        """Empty this import's stages."""


class Imports:
    """The imports of one service: its door, and the job that works them off one by one."""

    def __init__(self, database: Database, importers: Sequence[Importer]) -> None:
        self._database = database
        self._importers = {importer.kind: importer for importer in importers}
        self.router = self._routes()

    async def work(self) -> None:
        """Until cancelled: take what is staged, oldest first. One worker per database, under an advisory lock."""
        failures = 0
        while True:
            try:
                await self._lead()
            except Exception as wrong:
                wait = _BACK_OFF_SECONDS[min(failures, len(_BACK_OFF_SECONDS) - 1)]
                failures += 1
                log.warning("imports wait", service=self._database.name, reason=repr(wrong)[:300], seconds=wait)
                await asyncio.sleep(wait)
            else:
                failures = 0

    async def _lead(self) -> None:
        woken = asyncio.Event()
        connection = await self._database.raw()
        try:
            await connection.add_listener("imports", lambda *_: woken.set())
            await connection.execute("SELECT pg_advisory_lock($1)", 0x696D70)
            while True:
                woken.clear()
                row = await connection.fetchrow(
                    """
                    SELECT import_id, district_id FROM stage.queue
                    WHERE ready AND kind = ANY ($1) ORDER BY number LIMIT 1
                    """,
                    list(self._importers),
                )
                if row is not None:
                    await self._attempt(row["import_id"], row["district_id"])
                    continue
                await self._forget_abandoned()
                try:
                    async with asyncio.timeout(_NET_SECONDS):
                        await woken.wait()
                except TimeoutError:
                    await connection.fetchval("SELECT 1")
        finally:
            connection.terminate()

    async def _attempt(self, import_id: UUID, district: UUID) -> None:
        """Take one import forward; a mistake of ours in one must not hold up the others."""
        try:
            await self.advance(import_id, district)
        except (*TRANSIENT, DBAPIError):
            raise
        except Exception:
            log.exception("import failed", service=self._database.name, id=str(import_id))
            caller = Caller.system(district, f"import:{import_id}")
            async with self._database.transaction(caller) as tx:
                state = await tx.fetchval("SELECT state FROM imports WHERE id = $1", import_id)
                if state == "merging":
                    await tx.run(
                        """
                        UPDATE stage.queue SET number = (SELECT max(number) + 1 FROM stage.queue) WHERE import_id = $1
                        """,
                        import_id,
                    )
                else:
                    await tx.run("UPDATE imports SET state = 'failed', updated_at = now() WHERE id = $1", import_id)
                    await self._forget_upload(tx, import_id)
            await asyncio.sleep(1)

    async def _forget_abandoned(self) -> None:
        """Uploads that broke off long ago leave nothing behind."""
        async with self._database.system() as tx:
            rows = await tx.fetch(
                "SELECT import_id, district_id FROM stage.queue WHERE NOT ready AND touched_at < now() - $1::interval",
                _ABANDONED,
            )
        for row in rows:
            caller = Caller.system(row["district_id"], "imports")
            async with self._database.transaction(caller) as tx:
                await self._forget_upload(tx, row["import_id"])
                await tx.run("DELETE FROM imports WHERE id = $1", row["import_id"])

    async def advance(self, import_id: UUID, district: UUID) -> None:
        """Take one import to its end."""
        caller = Caller.system(district, f"import:{import_id}")
        async with self._database.transaction(caller) as tx:
            row = await tx.fetchrow("SELECT * FROM imports WHERE id = $1", import_id)
            if row is None:
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
        refused = job.problems > 0 and not job.keep_good
        async with job.transaction() as tx:
            await job.save_findings(tx)
            job.progress(0, job.total)
            await job.save(tx, "refused" if refused else "merging", cursor=0)
            if refused:
                await importer.clear(tx, job.id)
                await self._forget_upload(tx, job.id)
        log.info("import validated", service=self._database.name, id=str(job.id), kind=job.kind, refused=refused)
        return not refused

    async def _show_progress(self, job: Job) -> None:
        shown = -1
        while True:
            await asyncio.sleep(0.5)
            if job.done != shown:
                shown = job.done
                async with job.transaction() as tx:
                    await job.save(tx, "validating")

    async def _merge(self, job: Job, importer: Importer, cursor: int) -> None:
        at: int | None = cursor
        chunks = 0
        while at is not None:
            if chunks.bit_count() <= 1:  # at 0, 1, 2, 4, 8, … chunks the tables have doubled
                await self._refresh_statistics()
            async with job.transaction() as tx:
                at = await importer.merge(job, tx, at)
                crash.point("I1")
                await job.save(tx, "merging", cursor=at)
            chunks += 1
        crash.point("I2")
        async with job.transaction() as tx:
            await importer.clear(tx, job.id)
            await self._forget_upload(tx, job.id)
            await job.save(tx, "applied")
        await self._refresh_statistics()
        log.info("import applied", service=self._database.name, id=str(job.id), kind=job.kind)

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
                await tx.run(f"ANALYZE {tables}")

    @staticmethod
    async def _forget_upload(tx: Transaction, import_id: UUID) -> None:
        await tx.run("DELETE FROM stage.uploads WHERE import_id = $1", import_id)
        await tx.run("DELETE FROM stage.queue WHERE import_id = $1", import_id)

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
        import_id = uuid7()
        async with self._database.transaction(caller) as tx:
            made = await tx.fetchval(
                """
                INSERT INTO imports (id, district_id, kind, subject, state, keep_good, idempotency_key, traceparent)
                VALUES ($1, $2, $3, $4, 'receiving', $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id
                """,
                import_id, caller.district, kind, caller.subject, keep_good, idempotency_key, telemetry.traceparent(),
            )  # fmt: skip
            if made is not None:
                await tx.run(
                    "INSERT INTO stage.queue (import_id, district_id, kind) VALUES ($1, $2, $3)",
                    import_id, caller.district, kind,
                )  # fmt: skip
        if made is None:
            return await self._again(caller, kind, body, str(idempotency_key))
        try:
            digest, size = await self._receive(caller, import_id, body)
        except BaseException:
            async with self._database.transaction(caller) as tx:
                await self._forget_upload(tx, import_id)
                await tx.run("DELETE FROM imports WHERE id = $1", import_id)
            raise
        async with self._database.transaction(caller) as tx:
            await tx.run(
                "UPDATE imports SET state = 'staged', digest = $2, bytes = $3, updated_at = now() WHERE id = $1",
                import_id, digest, size,
            )  # fmt: skip
            await tx.run("UPDATE stage.queue SET ready = true WHERE import_id = $1", import_id)
            await tx.run("SELECT pg_notify('imports', '')")
        return import_id

    async def _receive(self, caller: Caller, import_id: UUID, body: AsyncIterator[bytes]) -> tuple[bytes, int]:
        digest, size, ordinal = hashlib.sha256(), 0, 0
        async for piece in _pieces(body):
            digest.update(piece)
            size += len(piece)
            async with self._database.transaction(caller) as tx:
                await tx.run("INSERT INTO stage.uploads VALUES ($1, $2, $3)", import_id, ordinal, piece)
                await tx.run("UPDATE stage.queue SET touched_at = now() WHERE import_id = $1", import_id)
            ordinal += 1
        if not size:
            raise EmptyFile
        return digest.digest(), size

    async def _again(self, caller: Caller, kind: str, body: AsyncIterator[bytes], idempotency_key: str) -> UUID:
        """The key is known: the same file gets the same answer, another file is refused."""
        async with self._database.reading(caller) as tx:
            row = await tx.fetchrow(
                "SELECT id, digest FROM imports WHERE kind = $1 AND idempotency_key = $2", kind, idempotency_key
            )
        if row is None or row["digest"] is None:
            raise StillReceiving
        digest = hashlib.sha256()
        async for piece in body:
            digest.update(piece)
        if digest.digest() != row["digest"]:
            raise SameKeyOtherFile
        found: UUID = row["id"]
        return found


async def _pieces(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in pieces of about 1 MiB."""
    gathered = bytearray()
    async for part in body:
        gathered += part
        while len(gathered) >= _PIECE_BYTES:
            yield bytes(gathered[:_PIECE_BYTES])
            del gathered[:_PIECE_BYTES]
    if gathered:
        yield bytes(gathered)


async def report_of(tx: Transaction, import_id: UUID) -> Report:
    """An import as its district sees it."""
    row = await tx.fetchrow("SELECT * FROM imports WHERE id = $1", import_id)
    if row is None:
        raise NoSuchImport
    found = await tx.fetch("SELECT * FROM import_findings WHERE import_id = $1 ORDER BY number", import_id)
    findings: tuple[list[Finding], list[Finding]] = ([], [])
    for one in found:
        findings[one["repaired"]].append(
            Finding(
                file=one["file"], line=one["line"], column=one["column"], value=one["value"], rule=one["rule"],
                remedy=one["remedy"],
            )
        )  # fmt: skip
    return Report(
        id=row["id"], kind=row["kind"], state=row["state"], done=row["done"], total=row["total"],
        counts={name: row[name] for name in ("added", "changed", "unchanged", "refused")},
        problem_count=row["problems"], repair_count=row["repairs"],
        problems=findings[0], repairs=findings[1],
    )  # fmt: skip
