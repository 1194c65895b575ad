"""Our own copies of what other services announce: forms, administrations, and where students are placed."""

from collections.abc import Iterable, Sequence
from datetime import date
from uuid import UUID

import numpy as np

from services.mastery.domain.ledger import Form
from services.mastery.store import ids
from shared.db import Transaction

_ARRIVALS = 0x6172_7276
"""Names the advisory lock; "arrv"."""


async def hold_arrivals(tx: Transaction) -> None:
    """One at a time per district from here to the commit: what arrives, and who decides to wait for it.

    Without it a form could arrive between the look that misses it and the note that waits for it, and the note would
    never be read.
    """
    await tx.run("SELECT pg_advisory_xact_lock($1, hashtext(current_setting('app.district')))", _ARRIVALS)


async def save_forms(tx: Transaction, forms: Iterable[Form]) -> None:
    """Keep these versions of forms. A version never changes, so one that is there stays as it is."""
    await tx.run_many(
        """
        INSERT INTO forms (district_id, id, code, items, maxima, difficulties, aligned_items, aligned_competencies)
        VALUES (current_setting('app.district')::uuid, $1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT DO NOTHING
        """,
        [
            (
                UUID(bytes=form.id),
                form.code,
                form.items,
                form.maxima.tolist(),
                form.difficulties.tolist(),
                form.aligned_items.tolist(),
                ids(form.aligned_competencies),
            )
            for form in sorted(forms, key=lambda form: form.id)
        ],
    )


async def forms(tx: Transaction, wanted: Iterable[bytes]) -> dict[bytes, Form]:
    """The forms among these ids that are here."""
    rows = await tx.fetch(
        """
        SELECT id, code, items, maxima, difficulties, aligned_items, aligned_competencies
        FROM forms WHERE id = ANY ($1::uuid[])
        """,
        ids(set(wanted)),
    )
    return {
        row["id"].bytes: Form(
            id=row["id"].bytes,
            code=row["code"],
            items=tuple(row["items"]),
            maxima=np.array(row["maxima"], dtype=np.int64),
            difficulties=np.array(row["difficulties"], dtype=np.float64),
            aligned_items=np.array(row["aligned_items"], dtype=np.int64),
            aligned_competencies=tuple(one.bytes for one in row["aligned_competencies"]),
        )
        for row in rows
    }


async def save_administrations(tx: Transaction, planned: Iterable[tuple[bytes, str, str, int]]) -> None:
    """Keep these administrations (id, code, title, purpose), each replacing what was known of it."""
    await tx.run_many(
        """
        INSERT INTO administrations (district_id, id, code, title, purpose)
        VALUES (current_setting('app.district')::uuid, $1, $2, $3, $4)
        ON CONFLICT (district_id, id) DO UPDATE
        SET code = excluded.code, title = excluded.title, purpose = excluded.purpose
        """,
        [(UUID(bytes=id_), code, title, purpose) for id_, code, title, purpose in planned],
    )


async def administration_codes(tx: Transaction, wanted: Iterable[bytes]) -> dict[bytes, str]:
    """The codes of the administrations among these ids that are here."""
    rows = await tx.fetch("SELECT id, code FROM administrations WHERE id = ANY ($1::uuid[])", ids(set(wanted)))
    return {row["id"].bytes: row["code"] for row in rows}


async def place(
    tx: Transaction, students: Sequence[bytes], places: Sequence[tuple[bytes, int, bytes, date | None, date | None]]
) -> None:
    """Replace where these students are placed by these rows: student, ordinal, school, begin, end (exclusive)."""
    await tx.run("DELETE FROM placements WHERE student_id = ANY ($1::uuid[])", ids(sorted(students)))
    await tx.run(
        """
        INSERT INTO placements (district_id, student_id, ordinal, school_id, begin_on, end_on)
        SELECT current_setting('app.district')::uuid, *
        FROM unnest($1::uuid[], $2::integer[], $3::uuid[], $4::date[], $5::date[])
        """,
        ids(place[0] for place in places),
        [place[1] for place in places],
        ids(place[2] for place in places),
        [place[3] for place in places],
        [place[4] for place in places],
    )


async def visible(tx: Transaction, students: Sequence[UUID]) -> set[UUID]:
    """Which of these students the caller may see: those placed in its schools, for a district all that are known."""
    rows = await tx.fetch(
        """
        SELECT student_id FROM placements WHERE student_id = ANY ($1::uuid[])
        UNION SELECT student_id FROM mastery WHERE student_id = ANY ($1::uuid[])
        """,
        students,
    )
    return {row["student_id"] for row in rows}
