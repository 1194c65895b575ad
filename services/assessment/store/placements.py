"""Where students are enrolled, as the roster last said: it decides which attempts a school's callers see."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from shared.db import Transaction


@dataclass(frozen=True, slots=True)
class Place:
    """One enrolment, from `begin_on` (inclusive) to `end_on` (exclusive)."""

    student: UUID
    school: UUID
    begin_on: date | None
    end_on: date | None


async def replace(tx: Transaction, students: Sequence[UUID], places: Sequence[Place]) -> None:
    """These are all the places of these students."""
    await tx.run(
        "DELETE FROM placements WHERE district_id = $1 AND student_id = ANY ($2)", tx.caller.district, students
    )
    await tx.run(
        """
        INSERT INTO placements (district_id, student_id, ordinal, school_id, begin_on, end_on)
        SELECT $1, p.student, p.ordinal, p.school, p.begin_on, p.end_on
        FROM unnest($2::uuid[], $3::uuid[], $4::date[], $5::date[])
             WITH ORDINALITY AS p (student, school, begin_on, end_on, ordinal)
        """,
        tx.caller.district,
        [place.student for place in places],
        [place.school for place in places],
        [place.begin_on for place in places],
        [place.end_on for place in places],
    )
