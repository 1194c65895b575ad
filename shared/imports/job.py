"""One import at work: its bytes, what was found in it, and how far it is."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from shared import spool
from shared.auth import Caller, Purpose
from shared.db import Database, Transaction
from shared.imports.findings import Finding, Notes, Sort, as_kept

_SPOOL = "trellis-import-"


@dataclass(slots=True)
class Counts:
    """Records, by what the import did with them."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: int = 0


@dataclass(slots=True)
class Job:
    """One import at work: its bytes (`size` of them), its findings, its counts.

    `options`: what the sender asked for besides keep_good. `approved`: a person has seen why it was held, and wants it;
    `seen` are those reasons. What would hold it besides was not seen, and holds it again.
    `summary`: kept with the report as JSON. `purpose`: what the key that sent it is for, where that is known.
    """

    id: UUID
    kind: str
    caller: Caller
    keep_good: bool
    database: Database
    size: int = 0
    purpose: Purpose | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    approved: bool = False
    seen: frozenset[Finding] = frozenset()
    counts: Counts = field(default_factory=Counts)
    summary: dict[str, Any] = field(default_factory=dict)
    problems: int = 0
    repairs: int = 0
    holds: int = 0
    done: int = 0
    total: int | None = None
    state: str = "validating"
    _notes: Notes = field(default_factory=Notes)
    _passed: list[Finding] = field(default_factory=list)

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
        with spool.folder(_SPOOL) as folder:
            path = folder / "upload"
            with path.open("wb") as file:
                async for piece in self.chunks():
                    await asyncio.to_thread(file.write, piece)
            yield path

    def is_on(self, option: str) -> bool:
        """Whether an option that is on or off is on."""
        return self.options.get(option) == "true"

    def problem(
        self, *, file: str, line: int | None = None, column: str | None = None, value: str | None = None,
        rule: str, remedy: str, count: int = 1,
    ) -> None:  # fmt: skip
        """A rule is broken, here. `count` when it stands for several of the same kind."""
        self.problems += count
        self._notes.add(Sort.PROBLEM, file, line, column, value, rule, remedy)

    def repair(
        self, *, file: str, line: int | None = None, column: str | None = None, value: str | None = None,
        rule: str, remedy: str, count: int = 1,
    ) -> None:  # fmt: skip
        """A rule was broken and the meaning was plain: what was done about it is the remedy."""
        self.repairs += count
        self._notes.add(Sort.REPAIR, file, line, column, value, rule, remedy)

    def hold(
        self, *, file: str, line: int | None = None, column: str | None = None, value: str | None = None,
        rule: str, remedy: str, count: int = 1,
    ) -> None:  # fmt: skip
        """The file may be as it should be, or an accident: a person is asked, and the remedy says what.

        What a person has seen in these very words, and approved, does not ask again by itself.
        """
        found = as_kept(file=file, line=line, column=column, value=value, rule=rule, remedy=remedy)
        if found in self.seen and not self.holds:
            self._passed.append(found)
            return
        for one in (*self._passed, found):
            self._notes.add(Sort.HOLD, one.file, one.line, one.column, one.value, one.rule, one.remedy)
        self.holds += len(self._passed) + count
        self._passed = []

    def refuse_whole(self) -> None:
        """The file as a whole cannot be understood or trusted: not even `keep_good` merges anything of it."""
        self.keep_good = False

    def progress(self, done: int, total: int | None) -> None:
        """How far the work is, for whoever watches; saved now and then by another connection."""
        self.done, self.total = done, total

    def merging(self) -> None:
        """Everything is checked; from here on it is merged. For whoever watches a whole import."""
        self.state = "merging"

    def begin_again(self) -> None:
        """Forget what an earlier attempt counted and found."""
        self.counts, self._notes, self.summary, self._passed = Counts(), Notes(), {}, []
        self.problems = self.repairs = self.holds = 0
        self.state = "validating"

    async def save(self, tx: Transaction, state: str, *, cursor: int | None = None) -> None:
        """Keep state, counts, summary and progress, in this transaction."""
        c = self.counts
        await tx.run(
            """
            UPDATE imports SET state = $2, cursor = COALESCE($3, cursor), done = $4, total = $5, added = $6,
                changed = $7, unchanged = $8, refused = $9, problems = $10, repairs = $11, holds = $12,
                summary = $13::json, updated_at = clock_timestamp(),
                applied_at = CASE WHEN $2 = 'applied' THEN COALESCE(applied_at, clock_timestamp()) END
            WHERE id = $1
            """,
            self.id, state, cursor, self.done, self.total, c.added, c.changed, c.unchanged, c.refused,
            self.problems, self.repairs, self.holds, json.dumps(self.summary, ensure_ascii=False),
        )  # fmt: skip

    async def show_progress(self, tx: Transaction) -> None:
        """Keep how far the work is, while it goes on."""
        await tx.run(
            """
            UPDATE imports SET state = $2, done = $3, total = $4, problems = $5, repairs = $6, updated_at = now()
            WHERE id = $1
            """,
            self.id, self.state, self.done, self.total, self.problems, self.repairs,
        )  # fmt: skip

    async def save_findings(self, tx: Transaction) -> None:
        """Replace the findings by these: the first ten thousand of each sort."""
        await tx.run("DELETE FROM import_findings WHERE import_id = $1", self.id)
        columns = list(zip(*(_row(number, *noted) for number, noted in enumerate(self._notes.kept)), strict=True))
        if columns:
            await tx.run(
                """
                INSERT INTO import_findings
                    (import_id, district_id, number, repaired, held, file, line, "column", value, rule, remedy)
                SELECT $1, $2, * FROM unnest($3::bigint[], $4::boolean[], $5::boolean[], $6::text[], $7::bigint[],
                                             $8::text[], $9::text[], $10::text[], $11::text[])
                """,
                self.id, self.caller.district, *columns,
            )  # fmt: skip


def _row(number: int, sort: Sort, f: Finding) -> tuple[object, ...]:
    is_repair, is_hold = sort is Sort.REPAIR, sort is Sort.HOLD
    return (number, is_repair, is_hold, f.file, f.line, f.column, f.value, f.rule, f.remedy)
