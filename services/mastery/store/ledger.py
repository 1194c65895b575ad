"""The ledger of evidence: an attempt's latest sheet, a row each."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from services.mastery.domain.ledger import Sheets
from services.mastery.store import ids
from shared.db import Transaction
from shared.events import bucket_of

_STUDENTS = 0x6C65_6467
"""Names the advisory locks; "ledg"."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a batch was to the ledger: sheets not seen before, and the students whose earlier sheets were corrected."""

    new: Sheets
    corrected: set[bytes]


async def hold(tx: Transaction, students: Iterable[bytes]) -> None:
    """Nobody else learns about these students until this transaction ends.

    A lock per bucket of the bus, taken in order: listeners of different partitions never meet, and two that hear the
    same student (a rebalance, a fact that waited) take turns.
    """
    buckets = sorted({bucket_of(student) for student in students})
    await tx.run(
        """
        SELECT pg_advisory_xact_lock($1, hashtext(current_setting('app.district')) # bucket)
        FROM unnest($2::integer[]) AS bucket
        """,
        _STUDENTS,
        buckets,
    )


async def record(tx: Transaction, scored: Sheets) -> Recorded:
    """Keep the latest version of every attempt; one that is not higher than what is there changes nothing."""
    latest: dict[bytes, int] = {}
    for row, (attempt, version) in enumerate(zip(scored.attempts, scored.versions, strict=True)):
        if attempt not in latest or scored.versions[latest[attempt]] < version:
            latest[attempt] = row
    there = {
        row["attempt_id"].bytes: row
        for row in await tx.fetch(
            """
            SELECT attempt_id, version FROM unnest($1::uuid[], $2::uuid[]) AS heard (student_id, attempt_id)
            JOIN sheets USING (student_id, attempt_id)
            """,
            ids(scored.students[row] for row in latest.values()),
            ids(latest),
        )
    }
    new, corrections, corrected = [], [], set()
    for attempt, row in latest.items():
        known = there.get(attempt)
        if known is None:
            new.append(row)
        elif known["version"] < scored.versions[row]:
            corrections.append(row)
            corrected.add(scored.students[row])
    await _save(tx, scored.take(sorted(new + corrections, key=lambda row: scored.attempts[row])))
    return Recorded(scored.take(new), corrected)


async def _save(tx: Transaction, sheets: Sheets) -> None:
    if not len(sheets):
        return
    await tx.run(
        """
        INSERT INTO sheets AS kept (
            district_id, attempt_id, student_id, administration_id, form_id, completed_at, version, modality, purpose,
            scores
        )
        SELECT current_setting('app.district')::uuid, *
        FROM unnest(
            $1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::bigint[], $6::integer[], $7::smallint[], $8::smallint[],
            $9::bytea[]
        )
        ON CONFLICT (district_id, student_id, attempt_id) DO UPDATE SET
            administration_id = excluded.administration_id, form_id = excluded.form_id,
            completed_at = excluded.completed_at, version = excluded.version, modality = excluded.modality,
            purpose = excluded.purpose, scores = excluded.scores
        WHERE kept.version < excluded.version
        """,
        ids(sheets.attempts),
        ids(sheets.students),
        ids(sheets.administrations),
        ids(sheets.forms),
        sheets.completed_at,
        sheets.versions,
        sheets.modalities,
        sheets.purposes,
        sheets.scores,
    )


async def sheets_of(tx: Transaction, students: Collection[bytes]) -> Sheets:
    """The whole ledger of these students, as far as the caller may see them."""
    if not students:
        return Sheets.none()
    rows = await tx.fetch(
        """
        SELECT attempt_id, version, student_id, administration_id, form_id, completed_at, modality, purpose, scores
        FROM sheets WHERE student_id = ANY ($1::uuid[])
        """,
        ids(students),
    )
    return Sheets(
        attempts=[row["attempt_id"].bytes for row in rows],
        versions=[row["version"] for row in rows],
        students=[row["student_id"].bytes for row in rows],
        administrations=[row["administration_id"].bytes for row in rows],
        forms=[row["form_id"].bytes for row in rows],
        completed_at=[row["completed_at"] for row in rows],
        modalities=[row["modality"] for row in rows],
        purposes=[row["purpose"] for row in rows],
        scores=[row["scores"] for row in rows],
    )


async def count(tx: Transaction) -> tuple[int, int]:
    """How many sheets and entries there are, for the students the caller may see."""
    _may_read(tx)
    sheets = await tx.fetchval("SELECT count(*) FROM sheets")
    entries = await tx.fetchval("SELECT COALESCE(sum(entries), 0)::bigint FROM mastery")
    return int(sheets), int(entries)


async def evidence_of(tx: Transaction, students: Collection[UUID]) -> Sheets:
    """The whole ledger of these students, for a caller who wants to know why."""
    _may_read(tx)
    return await sheets_of(tx, [student.bytes for student in students])


def _may_read(tx: Transaction) -> None:
    tx.caller.need("mastery:read")
    tx.caller.refuse_accountability()
