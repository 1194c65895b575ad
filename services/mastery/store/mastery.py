"""What is believed, a packed row per student."""

from collections.abc import Collection, Sequence
from uuid import UUID

import asyncpg

from services.mastery.domain.standing import Standing
from services.mastery.store import ids
from shared.db import Transaction

_COLUMNS = """
    student_id, through_at, through_administration, through_form, model_version, entries,
    competencies, probabilities, counts, last_evidence
"""


async def standings(tx: Transaction, students: Collection[bytes]) -> dict[bytes, Standing]:
    """Where these students stand; those without a single sheet are left out."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM mastery WHERE student_id = ANY ($1::uuid[])", ids(students))  # noqa: S608  # a constant
    return {row["student_id"].bytes: _standing(row) for row in rows}


async def visible_standings(tx: Transaction, students: Collection[UUID]) -> dict[UUID, Standing | None]:
    """Where those of these students stand whom the caller may see, to teach them; None without a single sheet.

    A caller for named schools sees the students placed there today; one for a district all that are known.
    """
    tx.caller.need("mastery:read")
    tx.caller.refuse_accountability()
    rows = await tx.fetch(
        f"""
        SELECT asked, mastery.* FROM unnest($1::uuid[]) AS asked
        LEFT JOIN (SELECT {_COLUMNS} FROM mastery) mastery ON mastery.student_id = asked
        WHERE mastery.student_id IS NOT NULL OR EXISTS (SELECT FROM placements WHERE placements.student_id = asked)
        """,  # noqa: S608  # a constant
        students,
    )
    return {row["asked"]: None if row["student_id"] is None else _standing(row) for row in rows}


async def save(tx: Transaction, students: Sequence[bytes], stands: Sequence[Standing]) -> None:
    """Keep where these students stand, in one statement and in the order given: sort them, and nothing deadlocks."""
    await tx.run(
        f"""
        INSERT INTO mastery (district_id, {_COLUMNS})
        SELECT current_setting('app.district')::uuid, *
        FROM unnest(
            $1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::integer[],
            $7::bytea[], $8::bytea[], $9::bytea[], $10::bytea[]
        )
        ON CONFLICT (district_id, student_id) DO UPDATE SET
            through_at = excluded.through_at, through_administration = excluded.through_administration,
            through_form = excluded.through_form, model_version = excluded.model_version, entries = excluded.entries,
            competencies = excluded.competencies, probabilities = excluded.probabilities, counts = excluded.counts,
            last_evidence = excluded.last_evidence
        """,  # noqa: S608  # a constant
        ids(students),
        [one.through[0] for one in stands],
        [one.through[1] for one in stands],
        [one.through[2] for one in stands],
        [one.model_version for one in stands],
        [one.entries for one in stands],
        [one.competencies for one in stands],
        [one.probabilities for one in stands],
        [one.counts for one in stands],
        [one.last_evidence for one in stands],
    )


def _standing(row: asyncpg.Record) -> Standing:
    return Standing(
        through=(row["through_at"], row["through_administration"], row["through_form"]),
        model_version=row["model_version"],
        entries=row["entries"],
        competencies=row["competencies"],
        probabilities=row["probabilities"],
        counts=row["counts"],
        last_evidence=row["last_evidence"],
    )
