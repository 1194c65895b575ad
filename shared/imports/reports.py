"""What a district is told of its imports."""

import csv
import io
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from shared.auth import Purpose
from shared.db import Transaction
from shared.errors import NotFound
from shared.imports.findings import Finding, Sort

Results = Mapping[str, frozenset[str]]
"""By kind of import, the files of it that tell results."""
NO_RESULTS: Results = MappingProxyType({})
SHOWN = 1_000
"""Findings of each sort in a report; all that are kept are in its pages and its table."""
_ROWS_AT_ONCE = 2_000
_VERDICTS = {
    "applied": "accepted", "undoing": "accepted", "undone": "accepted", "refused": "refused", "expired": "refused",
    "held": "held", "reported": "reported", "failed": "failed",
}  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SORTED = "CASE WHEN held THEN 'hold' WHEN repaired THEN 'repair' ELSE 'problem' END"
_WITHHELD = "This file tells results, which are not given for the purpose accountability."
_COLUMNS = ("file", "line", "column", "value", "rule", "remedy")


class NoSuchImport(NotFound):
    """There is no such import."""


class Brief(BaseModel):
    """How far an import is, in a list. `verdict`, when it is over: accepted, refused, held, reported, failed."""

    id: UUID
    kind: str
    state: str
    verdict: str | None
    done: int
    total: int | None
    counts: dict[str, int]
    problem_count: int
    repair_count: int
    hold_count: int
    options: dict[str, str]
    created_at: datetime
    updated_at: datetime
    applied_at: datetime | None
    kept_until: datetime | None
    approved_by: str | None
    approved_at: datetime | None
    rejected_by: str | None
    rejected_at: datetime | None
    undone_by: str | None
    undone_at: datetime | None


class Report(Brief):
    """How far an import is, and what it found. The lists hold the first findings; the counts are whole."""

    problems: list[Finding]
    repairs: list[Finding]
    holds: list[Finding]
    summary: dict[str, Any]


class Found(BaseModel):
    """A finding in a page: its place in the report, and what it does to the import."""

    number: int
    sort: Sort
    finding: Finding


class FindingsPage(BaseModel):
    """Findings in their order."""

    items: list[Found]
    has_next: bool


async def report_of(tx: Transaction, import_id: UUID, results: Results = NO_RESULTS) -> Report:
    """An import as its district sees it; for accountability without what stands in files of `results`."""
    row = await _row(tx, import_id)
    withheld = _withheld(tx, row, results)
    found = await tx.fetch(
        f"""
        SELECT * FROM (
            SELECT *, {_SORTED} AS sort, row_number() OVER (PARTITION BY repaired, held ORDER BY number) AS nth
            FROM import_findings WHERE import_id = $1
        ) AS f WHERE nth <= $2 ORDER BY number
        """,  # noqa: S608  # a constant
        import_id, SHOWN,
    )  # fmt: skip
    by_sort: dict[str, list[Finding]] = {sort: [] for sort in Sort}
    for one in found:
        by_sort[one["sort"]].append(_finding(one, withheld))
    return Report(
        **_brief(row).model_dump(),
        problems=by_sort[Sort.PROBLEM], repairs=by_sort[Sort.REPAIR], holds=by_sort[Sort.HOLD],
        summary=row["summary"],
    )  # fmt: skip


async def recent(
    tx: Transaction, kinds: list[str], *, first: int, before: UUID | None = None, state: str | None = None
) -> list[Brief]:
    """The imports of the district that came last, newest first; those before `before`, of one state."""
    rows = await tx.fetch(
        """
        SELECT * FROM imports
        WHERE district_id = $1 AND kind = ANY ($2) AND ($3::uuid IS NULL OR id < $3)
          AND ($4::text IS NULL OR state = $4) AND state <> 'receiving'
        ORDER BY id DESC LIMIT $5
        """,
        tx.caller.district, kinds, before, state, first,
    )  # fmt: skip
    return [_brief(row) for row in rows]


async def applied_summaries(tx: Transaction, kind: str, *, most: int) -> list[dict[str, Any]]:
    """What the last imports of this kind that are applied still said of themselves, the latest first."""
    rows = await tx.fetch(
        """
        SELECT summary FROM imports
        WHERE district_id = $1 AND kind = $2 AND state = 'applied' ORDER BY applied_at DESC LIMIT $3
        """,
        tx.caller.district, kind, most,
    )  # fmt: skip
    return [row["summary"] for row in rows]


async def findings_page(
    tx: Transaction,
    import_id: UUID,
    *,
    sort: Sort | None,
    first: int,
    after: int | None,
    results: Results = NO_RESULTS,
) -> FindingsPage:
    """So many findings, of one sort or of all, behind the place `after`."""
    withheld = _withheld(tx, await _row(tx, import_id), results)
    rows = await tx.fetch(
        f"""
        SELECT *, {_SORTED} AS sort FROM import_findings
        WHERE import_id = $1 AND number > $2 AND ($3::text IS NULL OR {_SORTED} = $3) ORDER BY number LIMIT $4
        """,  # noqa: S608  # a constant
        import_id, -1 if after is None else after, sort, first + 1,
    )  # fmt: skip
    items = [Found(number=row["number"], sort=row["sort"], finding=_finding(row, withheld)) for row in rows[:first]]
    return FindingsPage(items=items, has_next=len(rows) > first)


async def findings_table(
    tx: Transaction, import_id: UUID, results: Results = NO_RESULTS
) -> AsyncIterator[bytes]:  # fmt: skip
    """All kept findings as CSV. A cell that a spreadsheet would compute begins with an apostrophe."""
    await _row(tx, import_id)
    yield ",".join(("sort", *_COLUMNS)).encode() + b"\r\n"
    after: int | None = None
    while True:
        page = await findings_page(tx, import_id, sort=None, first=_ROWS_AT_ONCE, after=after, results=results)
        out = io.StringIO()
        writer = csv.writer(out)
        for one in page.items:
            cells = one.finding.model_dump()
            writer.writerow([one.sort.value, *(_cell(cells[name]) for name in _COLUMNS)])
        yield out.getvalue().encode()
        if not page.has_next:
            return
        after = page.items[-1].number


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


async def _row(tx: Transaction, import_id: UUID) -> asyncpg.Record:
    row = await tx.fetchrow("SELECT * FROM imports WHERE id = $1", import_id)
    if row is None:
        raise NoSuchImport
    return row


def _brief(row: asyncpg.Record) -> Brief:
    return Brief(
        id=row["id"], kind=row["kind"], state=row["state"], verdict=_VERDICTS.get(row["state"]), done=row["done"],
        total=row["total"], counts={name: row[name] for name in ("added", "changed", "unchanged", "refused")},
        problem_count=row["problems"], repair_count=row["repairs"], hold_count=row["holds"],
        options=row["options"], created_at=row["created_at"], updated_at=row["updated_at"],
        applied_at=row["applied_at"], kept_until=row["kept_until"], approved_by=row["approved_by"],
        approved_at=row["approved_at"], rejected_by=row["rejected_by"], rejected_at=row["rejected_at"],
        undone_by=row["undone_by"], undone_at=row["undone_at"],
    )  # fmt: skip


def _withheld(tx: Transaction, row: asyncpg.Record, results: Results) -> tuple[str, ...]:
    """The files of this import whose cells this caller is not shown."""
    return tuple(results.get(row["kind"], ())) if tx.caller.purpose is Purpose.ACCOUNTABILITY else ()


def _finding(row: asyncpg.Record, withheld: tuple[str, ...]) -> Finding:
    found = Finding(**{name: row[name] for name in _COLUMNS})
    if found.file.lower().endswith(withheld):  # remedies say how a value was read
        return found.model_copy(update={"value": None, "remedy": _WITHHELD})
    return found
