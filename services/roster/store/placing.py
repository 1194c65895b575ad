"""Who is at which school, from when to when: derived from enrolments and roles, for those an import touched."""

# ruff: noqa: S608  # the names put into SQL are constants of ours

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.roster.domain.placement import Placed
from shared.db import Transaction

_STAFF = "role NOT IN ('student', 'guardian', 'parent', 'relative')"


@dataclass(frozen=True, slots=True)
class Touched:
    """People an import may have moved, and the place of the last of them in the stage."""

    last: int
    people: Sequence[UUID]


async def touched(tx: Transaction, import_id: UUID, after: int, most: int) -> Touched:
    """The next people to look at."""
    rows = await tx.fetch(
        "SELECT pos, person_id FROM stage.touched WHERE import_id = $1 AND pos > $2 ORDER BY pos LIMIT $3",
        import_id, after, most,
    )  # fmt: skip
    return Touched(rows[-1]["pos"] if rows else 0, [row["person_id"] for row in rows])


async def place(tx: Transaction, people: Sequence[UUID]) -> list[Placed]:
    """Derive the placements of these people anew; the students among them whose placement is another than before.

    Enrolments that touch or overlap in one school are one stay: a student in six classes is once at the school.
    """
    await tx.run(
        """
        UPDATE people p SET is_student = NOT p.is_student
        WHERE p.id = ANY ($1) AND p.is_student IS DISTINCT FROM (
            EXISTS (SELECT FROM roles r WHERE r.person_id = p.id AND r.role = 'student')
            OR EXISTS (SELECT FROM enrollments e WHERE e.person_id = p.id AND e.role = 'student'))
        """,
        people,
    )
    rows = await tx.fetch(
        f"""
        WITH stay AS (
            SELECT e.person_id, e.school_id, e.role = 'student' AS as_student, e.begin_on,
                   LEAST(e.end_on, e.ended_on, p.ended_on) AS end_on
            FROM enrollments e JOIN people p ON p.id = e.person_id
            WHERE e.person_id = ANY ($1) AND (e.role = 'student' OR e.{_STAFF})
            UNION ALL
            SELECT r.person_id, r.org_id, false, r.begin_on, LEAST(r.end_on, r.ended_on, p.ended_on)
            FROM roles r JOIN people p ON p.id = r.person_id WHERE r.person_id = ANY ($1) AND r.{_STAFF}
        ),
        wanted AS MATERIALIZED (
            SELECT person_id, school_id, as_student, lower(days) AS begin_on, upper(days) AS end_on
            FROM (
                SELECT person_id, school_id, as_student, unnest(range_agg(daterange(begin_on, end_on))) AS days
                FROM stay WHERE begin_on IS NULL OR end_on IS NULL OR begin_on < end_on
                GROUP BY person_id, school_id, as_student
            ) AS stays
        ),
        had AS MATERIALIZED (
            SELECT person_id, school_id, as_student, begin_on, end_on FROM placements WHERE person_id = ANY ($1)
        ),
        gone AS (SELECT * FROM had EXCEPT SELECT * FROM wanted),
        new AS (SELECT * FROM wanted EXCEPT SELECT * FROM had),
        removed AS (
            DELETE FROM placements p USING gone g
            WHERE p.person_id = g.person_id AND p.school_id = g.school_id AND p.as_student = g.as_student
              AND p.begin_on IS NOT DISTINCT FROM g.begin_on AND p.end_on IS NOT DISTINCT FROM g.end_on
        ),
        written AS (
            INSERT INTO placements (district_id, person_id, school_id, as_student, begin_on, end_on)
            SELECT $2, person_id, school_id, as_student, begin_on, end_on FROM new
        ),
        moved AS (
            SELECT person_id FROM gone WHERE as_student UNION SELECT person_id FROM new WHERE as_student
        )
        SELECT m.person_id, w.school_id, w.begin_on, w.end_on
        FROM moved m LEFT JOIN wanted w ON w.person_id = m.person_id AND w.as_student
        ORDER BY m.person_id, w.school_id, w.begin_on NULLS FIRST
        """,
        people, tx.caller.district,
    )  # fmt: skip
    places: dict[UUID, list[tuple[UUID, date | None, date | None]]] = {}
    for row in rows:
        mine = places.setdefault(row["person_id"], [])
        if row["school_id"] is not None:
            mine.append((row["school_id"], row["begin_on"], row["end_on"]))
    return [Placed(student, tuple(mine)) for student, mine in places.items()]
