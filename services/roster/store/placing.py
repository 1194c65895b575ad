"""Who is at which school, from when to when: derived from enrolments and roles, for those an import touched."""

from shared.db import Transaction

PLACES = """string_agg(
    uuid_send(school_id)
    || int4send(COALESCE(begin_on - date '1970-01-01', -2147483648))
    || int4send(COALESCE(end_on - date '1970-01-01', -2147483648)),
    ''::bytea ORDER BY school_id, begin_on NULLS FIRST)"""
"""Places as bytes: a school and two days each; the smallest day there is stands for none."""
STAFF = "role NOT IN ('student', 'guardian', 'parent', 'relative')"
"""Who is at a school because of a role: neither who learns there, for that takes a class, nor who acts for a child."""
_STAYS = "person_id uuid, school_id uuid, as_student boolean, begin_on date, end_on date"


async def begin(tx: Transaction) -> None:
    """Make the stages, empty: who is touched, where they are to be and were, and who moved."""
    await tx.temp("touched", "person_id uuid")
    await tx.temp("wanted", _STAYS)
    await tx.temp("had", _STAYS)
    await tx.temp("moved", "person_id uuid, as_student boolean, what text, day int, places bytea")


async def is_anybody_known(tx: Transaction) -> bool:
    """Whether there are people. If not, nobody was anywhere before an import, and nothing of theirs is looked up."""
    found: bool = await tx.fetchval("SELECT EXISTS (SELECT FROM people WHERE district_id = $1)", tx.caller.district)
    return found


async def find_touched(tx: Transaction) -> int:
    """Whose placement may have changed; how many they are."""
    found: int = await tx.changed(
        """
        INSERT INTO touched SELECT DISTINCT person_id FROM (
            SELECT id AS person_id FROM d_users
            WHERE change <> 'new' AND was_active IS DISTINCT FROM (status = 'active')
            UNION ALL SELECT person_id FROM d_roles WHERE change <> 'dated'
            UNION ALL SELECT old_person_id FROM d_roles WHERE change = 'changed'
            UNION ALL SELECT person_id FROM d_enrollments WHERE change <> 'dated'
            UNION ALL SELECT old_person_id FROM d_enrollments WHERE change = 'changed'
        ) AS every WHERE person_id IS NOT NULL
        """
    )
    return found


async def place_first(tx: Transaction) -> None:
    """Derive the placements of a district where nobody was before: from what is new alone, which is all there is."""
    over = "CASE WHEN {}.status <> 'active' OR p.status <> 'active' THEN current_date END"
    await tx.run(
        _wanted(
            f"""
            SELECT e.person_id, e.school_id, e.role = 'student' AS as_student, e.begin_on,
                   LEAST(e.end_on, {over.format("e")}) AS end_on
            FROM d_enrollments e JOIN d_users p ON p.id = e.person_id
            WHERE e.role = 'student' OR e.{STAFF}
            UNION ALL
            SELECT r.person_id, r.org_id, false, r.begin_on, LEAST(r.end_on, {over.format("r")})
            FROM d_roles r JOIN d_users p ON p.id = r.person_id
            WHERE r.{STAFF}
            """  # noqa: S608  # constants
        )
    )
    await _find_moved(tx)
    await tx.run(
        """
        INSERT INTO placements (district_id, person_id, school_id, as_student, begin_on, end_on)
        SELECT $1, person_id, school_id, as_student, begin_on, end_on FROM wanted
        """,
        tx.caller.district,
    )


async def place(tx: Transaction) -> None:
    """Derive the placements of those touched anew, and who of them joined, moved, left."""
    await _flag(tx)
    await tx.run(
        _wanted(
            f"""
            SELECT e.person_id, e.school_id, e.role = 'student' AS as_student, e.begin_on,
                   LEAST(e.end_on, e.ended_on, p.ended_on) AS end_on
            FROM touched JOIN enrollments e ON e.district_id = $1 AND e.person_id = touched.person_id
            JOIN people p ON p.district_id = $1 AND p.id = touched.person_id
            WHERE e.role = 'student' OR e.{STAFF}
            UNION ALL
            SELECT r.person_id, r.org_id, false, r.begin_on, LEAST(r.end_on, r.ended_on, p.ended_on)
            FROM touched JOIN roles r ON r.district_id = $1 AND r.person_id = touched.person_id
            JOIN people p ON p.district_id = $1 AND p.id = touched.person_id
            WHERE r.{STAFF}
            """  # noqa: S608  # a constant
        ),
        tx.caller.district,
    )
    await tx.run(
        """
        INSERT INTO had
        SELECT p.person_id, p.school_id, p.as_student, p.begin_on, p.end_on
        FROM touched JOIN placements p ON p.district_id = $1 AND p.person_id = touched.person_id
        """,
        tx.caller.district,
    )
    await _find_moved(tx)
    await tx.run(
        """
        DELETE FROM placements p USING (SELECT * FROM had EXCEPT SELECT * FROM wanted) AS gone
        WHERE p.district_id = $1 AND p.person_id = gone.person_id AND p.school_id = gone.school_id
          AND p.as_student = gone.as_student
          AND p.begin_on IS NOT DISTINCT FROM gone.begin_on AND p.end_on IS NOT DISTINCT FROM gone.end_on
        """,
        tx.caller.district,
    )
    await tx.run(
        """
        INSERT INTO placements (district_id, person_id, school_id, as_student, begin_on, end_on)
        SELECT $1, * FROM (SELECT * FROM wanted EXCEPT SELECT * FROM had) AS new
        """,
        tx.caller.district,
    )


def _wanted(stays: str) -> str:
    """SQL that fills `wanted`. Enrolments that touch or overlap in one school are one stay: a student in six classes is
    once at the school."""
    return f"""
        INSERT INTO wanted
        SELECT person_id, school_id, as_student, lower(days), upper(days)
        FROM (
            SELECT person_id, school_id, as_student, unnest(range_agg(daterange(begin_on, end_on))) AS days
            FROM ({stays}) AS stay
            WHERE begin_on IS NULL OR end_on IS NULL OR begin_on < end_on
            GROUP BY person_id, school_id, as_student
        ) AS stays
    """  # noqa: S608  # a constant


async def _flag(tx: Transaction) -> None:
    """Who is a student, and who a teacher: by a role, or by an enrolment as one."""
    await tx.run(
        """
        UPDATE people p SET is_student = held.is_student, is_teacher = held.is_teacher
        FROM (
            SELECT person_id, COALESCE(bool_or(role = 'student'), false) AS is_student,
                   COALESCE(bool_or(role = 'teacher'), false) AS is_teacher
            FROM (
                SELECT r.person_id, r.role FROM touched t
                JOIN roles r ON r.district_id = $1 AND r.person_id = t.person_id
                UNION ALL SELECT e.person_id, e.role FROM touched t
                JOIN enrollments e ON e.district_id = $1 AND e.person_id = t.person_id
                UNION ALL SELECT person_id, NULL FROM touched
            ) AS said
            GROUP BY person_id
        ) AS held
        WHERE p.district_id = $1 AND p.id = held.person_id
          AND (p.is_student, p.is_teacher) IS DISTINCT FROM (held.is_student, held.is_teacher)
        """,
        tx.caller.district,
    )


async def _find_moved(tx: Transaction) -> None:
    """Whose places are others than before, with all of them as bytes: a school and two days each."""
    await tx.run(
        f"""
        INSERT INTO moved
        SELECT person_id, as_student,
               CASE WHEN is_here AND NOT was_here THEN 'joined' WHEN was_here AND NOT is_here THEN 'left'
                    WHEN is_here THEN 'moved' END,
               until - date '1970-01-01', places
        FROM (
            SELECT different.person_id, different.as_student,
                   COALESCE(bool_or(w.end_on IS NULL OR w.end_on > current_date)
                            FILTER (WHERE w.person_id IS NOT NULL), false) AS is_here,
                   EXISTS (SELECT FROM had h
                           WHERE h.person_id = different.person_id AND h.as_student = different.as_student
                             AND (h.end_on IS NULL OR h.end_on > current_date)) AS was_here,
                   LEAST(max(w.end_on), current_date) AS until,
                   COALESCE({PLACES}, '') AS places
            FROM (
                SELECT person_id, as_student FROM (TABLE had EXCEPT TABLE wanted) AS gone
                UNION SELECT person_id, as_student FROM (TABLE wanted EXCEPT TABLE had) AS new
            ) AS different
            LEFT JOIN wanted w ON w.person_id = different.person_id AND w.as_student = different.as_student
            GROUP BY different.person_id, different.as_student
        ) AS compared
        """  # noqa: S608  # a constant
    )
