"""The ledger of evidence: an attempt's latest sheet, a row each."""

from collections.abc import Collection, Iterable, Mapping
from uuid import UUID

import numpy as np

from services.mastery.domain.ledger import Sheets
from services.mastery.store import ids
from shared.copying import cut, numbers, packed, tuples
from shared.db import Transaction
from shared.events import bucket_of

_STUDENTS = 0x6C65_6467
"""Names the advisory locks; "ledg"."""


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


_HEARD = """
    attempt_id uuid, student_id uuid, administration_id uuid, form_id uuid, completed_at bigint, version integer,
    modality smallint, purpose smallint, scores bytea, withdrawn boolean
"""
_NAMES = [column.split()[0] for column in _HEARD.split(",")]
_INSERT = f"""
    INSERT INTO sheets AS kept (district_id, {", ".join(_NAMES)}, origin_id)
    SELECT (SELECT current_setting('app.district')::uuid), * FROM heard_sheets ORDER BY student_id, attempt_id
"""  # noqa: S608  # constants
_REPLACE = f"""
    ON CONFLICT (district_id, student_id, attempt_id) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in _NAMES[2:])}
    WHERE kept.version < excluded.version
"""  # noqa: S608  # constants


async def stage(tx: Transaction, heard: Sheets) -> None:
    """Send what was heard to the database once; the statements that follow look at it there."""
    await tx.temp("heard_sheets", f"{_HEARD}, origin_id uuid")
    by_width: dict[int, list[int]] = {}
    for row, scores in enumerate(heard.scores):
        by_width.setdefault(len(scores), []).append(row)
    groups = [heard] if len(by_width) == 1 else [heard.take(rows) for rows in by_width.values()]
    await tx.copy_binary("heard_sheets", _NAMES, [_tuples(sheets) for sheets in groups])


async def follow(tx: Transaction, whom: Mapping[UUID, UUID]) -> None:
    """What was heard of students who were merged into others is the others'; whose it was stays with it."""
    await tx.run(
        """
        UPDATE heard_sheets s SET student_id = w.now, origin_id = w.origin
        FROM unnest($1::uuid[], $2::uuid[]) AS w (origin, now) WHERE s.student_id = w.origin
        """,
        list(whom), list(whom.values()),
    )  # fmt: skip


def _tuples(sheets: Sheets) -> bytes:
    return tuples(
        packed(sheets.attempts),
        packed(sheets.students),
        packed(sheets.administrations),
        packed(sheets.forms),
        np.array(sheets.completed_at, dtype=np.int64),
        np.array(sheets.versions, dtype=np.int32),
        np.array(sheets.modalities, dtype=np.int16),
        np.array(sheets.purposes, dtype=np.int16),
        np.frombuffer(b"".join(sheets.scores), dtype=np.uint8).reshape(len(sheets), -1),
        np.array(sheets.withdrawn, dtype=np.bool_),
    )


async def versions(tx: Transaction) -> dict[bytes, int]:
    """The versions that the ledger has of what was heard, by key."""
    row = await tx.fetchrow(
        """
        SELECT string_agg(uuid_send(heard.student_id) || uuid_send(heard.attempt_id), ''::bytea) AS keys,
               string_agg(int4send(known.version), ''::bytea) AS versions
        FROM heard_sheets heard CROSS JOIN LATERAL (
            -- OFFSET 0: look each one up by the key, however many there are; never read the whole ledger instead.
            SELECT version FROM sheets WHERE student_id = heard.student_id AND attempt_id = heard.attempt_id OFFSET 0
        ) AS known
        """
    )
    if row is None or row["keys"] is None:
        return {}
    return dict(zip(cut(row["keys"], 32), numbers(row["versions"], ">i4"), strict=True))


async def save(tx: Transaction, *, all_new: bool) -> None:
    """Keep the latest version of what was heard; one that is not higher than what is there changes nothing.

    `all_new` says that none of it is there: it is up to the caller to know, and to hold the students.
    """
    await tx.run(_INSERT if all_new else _INSERT + _REPLACE)


async def sheets_of(tx: Transaction, students: Collection[bytes]) -> Sheets:
    """What counts in the ledger of these students, as far as the caller may see them: nothing withdrawn."""
    if not students:
        return Sheets.none()
    rows = await tx.fetch(
        """
        SELECT administration_id, form_id, modality, purpose, count(*) AS sheets,
               string_agg(uuid_send(attempt_id), ''::bytea) AS attempts,
               string_agg(int4send(version), ''::bytea) AS versions,
               string_agg(uuid_send(student_id), ''::bytea) AS students,
               string_agg(int8send(completed_at), ''::bytea) AS completed_at, string_agg(scores, ''::bytea) AS scores
        FROM sheets WHERE student_id = ANY ($1::uuid[]) AND NOT withdrawn
        GROUP BY administration_id, form_id, modality, purpose
        """,
        ids(students),
    )
    found = Sheets.none()
    for row in rows:
        many = row["sheets"]
        found.attempts.extend(cut(row["attempts"], 16))
        found.versions.extend(numbers(row["versions"], ">i4"))
        found.students.extend(cut(row["students"], 16))
        found.administrations.extend([row["administration_id"].bytes] * many)
        found.forms.extend([row["form_id"].bytes] * many)
        found.completed_at.extend(numbers(row["completed_at"], ">i8"))
        found.modalities.extend([row["modality"]] * many)
        found.purposes.extend([row["purpose"]] * many)
        found.scores.extend(cut(row["scores"], len(row["scores"]) // many))  # a form's sheets are equally long
        found.withdrawn.extend([False] * many)
    return found


async def count(tx: Transaction) -> tuple[int, int]:
    """How many sheets and entries there are, for the students the caller may see."""
    _may_read(tx)
    sheets = await tx.fetchval("SELECT count(*) FROM sheets WHERE NOT withdrawn")
    entries = await tx.fetchval("SELECT COALESCE(sum(entries), 0)::bigint FROM mastery")
    return int(sheets), int(entries)


async def evidence_of(tx: Transaction, students: Collection[UUID]) -> Sheets:
    """What counts in the ledger of these students, for a caller who wants to know why."""
    _may_read(tx)
    return await sheets_of(tx, [student.bytes for student in students])


def _may_read(tx: Transaction) -> None:
    tx.caller.need("mastery:read")
    tx.caller.refuse_accountability()
