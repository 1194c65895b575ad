"""One import: its bytes, what was found in it, and how far it is."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from uuid import UUID

import psutil
from pydantic import BaseModel

from shared.auth import Caller
from shared.db import Database, Transaction
from shared.errors import NotFound

_SPOOL = "trellis-import-"
_MOST_FINDINGS = 1_000


def _sweep_spools() -> None:
    """Remove what a killed process left behind: a spooled upload holds people's names."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_SPOOL}*"):
        owner = folder.name.removeprefix(_SPOOL).partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


class NoSuchImport(NotFound):
    """There is no such import."""


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
        _sweep_spools()
        with tempfile.TemporaryDirectory(prefix=f"{_SPOOL}{os.getpid()}-") as folder:
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
