"""The guard: whether so many would leave, or so much be missing, that a person is asked before an import is applied.

It looks after the comparison and before the merge: at the tables as they are, at the differences (`d_…`) and at what
the files name no more (`s_vanished`). Only the people whose records change are looked at, so it costs what changes.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from services.roster.domain import guarding
from services.roster.domain.delivery import Came
from services.roster.domain.guarding import Reason, Thresholds
from services.roster.store.placing import STAFF, is_anybody_known
from shared.db import Transaction
from shared.imports import Job, applied_summaries

_TOLD = 1_000
"""Schools, and classes, that are named one by one."""
_CURRENT = "(begin_on IS NULL OR begin_on <= current_date) AND (end_on IS NULL OR end_on > current_date)"
_NOT_OVER = "(end_on IS NULL OR end_on > current_date)"
_STUDENT = "role = 'student'"
_SETTINGS = (
    "school_percent", "class_percent", "class_least", "rows_least_percent", "rows_most_percent", "absent_files",
)  # fmt: skip


async def thresholds(tx: Transaction) -> Thresholds:
    """Those of the district; what nobody has changed is as it is by default."""
    row = await tx.fetchrow("SELECT * FROM guard_settings WHERE district_id = $1", tx.caller.district)
    return Thresholds() if row is None else Thresholds(**{name: row[name] for name in _SETTINGS})


async def change(tx: Transaction, to: Mapping[str, Any]) -> Thresholds:
    """Put other thresholds in force, and leave those that are not named; who comes second waits for the first."""
    held = Thresholds()
    await tx.run(
        """
        INSERT INTO guard_settings (district_id, school_percent, class_percent, class_least, rows_least_percent,
                                    rows_most_percent, absent_files, changed_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (district_id) DO NOTHING
        """,
        tx.caller.district, held.school_percent, held.class_percent, held.class_least, held.rows_least_percent,
        held.rows_most_percent, held.absent_files, tx.caller.subject,
    )  # fmt: skip
    await tx.run("SELECT FROM guard_settings WHERE district_id = $1 FOR UPDATE", tx.caller.district)
    changed = replace(await thresholds(tx), **to)
    await tx.run(
        """
        UPDATE guard_settings SET school_percent = $2, class_percent = $3, class_least = $4, rows_least_percent = $5,
            rows_most_percent = $6, absent_files = $7, changed_by = $8, changed_at = now()
        WHERE district_id = $1
        """,
        tx.caller.district, changed.school_percent, changed.class_percent, changed.class_least,
        changed.rows_least_percent, changed.rows_most_percent, changed.absent_files, tx.caller.subject,
    )  # fmt: skip
    return changed


def remember(job: Job, files: Mapping[str, Came]) -> None:
    """Keep with the report how many rows of each file came: later imports are compared with it."""
    own = {name: came for name, came in files.items() if not came.derived}
    job.summary["files"] = {name: came.rows for name, came in own.items()}
    job.summary["modes"] = {name: came.mode for name, came in own.items()}


async def check(tx: Transaction, job: Job, files: Mapping[str, Came]) -> None:
    """Hold the job for every reason to ask a person first."""
    allowed = await thresholds(tx)
    for reason in await _files(tx, job, files, allowed):
        _hold(job, reason)
    if await _find_people(tx):
        await _find_what_stays(tx)
        await _schools(tx, job, allowed)
        await _classes(tx, job, allowed)


def _hold(job: Job, reason: Reason, count: int = 1) -> None:
    job.hold(
        file=reason.file, column=reason.column, value=reason.value, rule=reason.rule, remedy=reason.remedy, count=count
    )


async def _files(tx: Transaction, job: Job, files: Mapping[str, Came], allowed: Thresholds) -> list[Reason]:
    whole = {name: came for name, came in files.items() if came.mode == "bulk" and not came.derived}
    if not whole:  # in a delta, absent files mean nothing, and so do few rows
        return []
    before = [
        {name: rows for name, rows in one.get("files", {}).items() if one.get("modes", {}).get(name) == "bulk"}
        for one in await applied_summaries(tx, job.kind, most=4 * guarding.REMEMBERED)
    ]
    before = [one for one in before if one][: guarding.REMEMBERED]
    reasons = []
    if before and allowed.absent_files == "hold":
        reasons += [guarding.absent(name, rows) for name, rows in before[0].items() if name not in files]
    for name, came in whole.items():
        seen = [one[name] for one in before if name in one]
        if reason := guarding.rows_out_of_range(name, came.rows, seen, allowed):
            reasons.append(reason)
    return reasons


async def _find_people(tx: Transaction) -> bool:
    """Whose records end or change, or those of their school or class: only they could leave. Whether there are any."""
    if not await is_anybody_known(tx):
        return False  # nobody is anywhere yet
    for file, stage in (("orgs", "orgs"), ("classes", "classes")):
        await tx.run(
            f"""
            CREATE TEMP TABLE g_ended_{stage} ON COMMIT DROP AS
            SELECT id FROM s_vanished WHERE file = '{file}' AND id IS NOT NULL
            UNION SELECT id FROM d_{stage} WHERE change = 'changed' AND was_active AND status <> 'active'
            """  # noqa: S608  # constants
        )
    await tx.run(
        """
        CREATE TEMP TABLE g_people ON COMMIT DROP AS
        SELECT DISTINCT person_id FROM (
            SELECT id AS person_id FROM s_vanished WHERE file = 'users'
            UNION ALL SELECT person_id FROM s_vanished WHERE file IN ('roles', 'enrollments')
            UNION ALL SELECT id FROM d_users WHERE change = 'changed' AND was_active AND status <> 'active'
            UNION ALL
            SELECT e.person_id FROM d_enrollments d
            JOIN enrollments e ON e.sourced_id = d.sourced_id
            WHERE d.change = 'changed' AND d.was_active
            UNION ALL
            SELECT r.person_id FROM d_roles d
            JOIN roles r ON r.sourced_id = d.sourced_id
            WHERE d.change = 'changed' AND d.was_active
            UNION ALL
            SELECT e.person_id FROM enrollments e JOIN g_ended_classes c ON c.id = e.class_id
            WHERE e.district_id = $1 AND e.status = 'active'
            UNION ALL
            SELECT p.person_id FROM placements p JOIN g_ended_orgs o ON o.id = p.school_id WHERE p.district_id = $1
            UNION ALL
            SELECT r.person_id FROM roles r JOIN g_ended_orgs o ON o.id = r.org_id
            WHERE r.district_id = $1 AND r.status = 'active'
        ) AS every WHERE person_id IS NOT NULL
        """,
        tx.caller.district,
    )
    await tx.run("ANALYZE g_people")
    return bool(await tx.fetchval("SELECT EXISTS (SELECT FROM g_people)"))


async def _find_what_stays(tx: Transaction) -> None:
    """What these people are after the import, at schools and in classes, today (`is_now`) or from a later day.

    A role of a student or a guardian (`is_role`) puts nobody at a school; but who has nothing else is of it all the
    same: a new year's students before their classes are made, and everybody's parents.
    """
    await tx.run(
        f"""
        CREATE TEMP TABLE g_after ON COMMIT DROP AS
        WITH gone AS (
            SELECT id FROM s_vanished WHERE file = 'users'
            UNION SELECT id FROM d_users WHERE change IN ('new', 'changed') AND status <> 'active'
        ),
        held AS (
            SELECT person_id, school_id, class_id, {_STUDENT} AS as_student, false AS is_role, {_CURRENT} AS is_now
            FROM enrollments e JOIN g_people USING (person_id)
            WHERE status = 'active' AND {_NOT_OVER} AND ({_STUDENT} OR {STAFF})
              AND NOT EXISTS (SELECT FROM s_vanished v WHERE v.file = 'enrollments' AND v.sourced_id = e.sourced_id)
              AND NOT EXISTS (
                SELECT FROM d_enrollments d WHERE d.change = 'changed' AND d.sourced_id = e.sourced_id)
            UNION ALL
            SELECT person_id, org_id, NULL, false, NOT {STAFF}, {_CURRENT}
            FROM roles r JOIN g_people USING (person_id)
            WHERE status = 'active' AND {_NOT_OVER}
              AND NOT EXISTS (SELECT FROM s_vanished v WHERE v.file = 'roles' AND v.sourced_id = r.sourced_id)
              AND NOT EXISTS (SELECT FROM d_roles d WHERE d.change = 'changed' AND d.sourced_id = r.sourced_id)
            UNION ALL
            SELECT person_id, school_id, class_id, {_STUDENT}, false, {_CURRENT}
            FROM d_enrollments JOIN g_people USING (person_id)
            WHERE change IN ('new', 'changed') AND status = 'active' AND {_NOT_OVER} AND ({_STUDENT} OR {STAFF})
            UNION ALL
            SELECT person_id, org_id, NULL, false, NOT {STAFF}, {_CURRENT}
            FROM d_roles JOIN g_people USING (person_id)
            WHERE change IN ('new', 'changed') AND status = 'active' AND {_NOT_OVER}
        )
        SELECT DISTINCT person_id, school_id, as_student, is_role, is_now,
               CASE WHEN class_id NOT IN (TABLE g_ended_classes) THEN class_id END AS class_id
        FROM held
        WHERE person_id NOT IN (SELECT id FROM gone WHERE id IS NOT NULL) AND school_id NOT IN (TABLE g_ended_orgs)
        """  # noqa: S608  # constants
    )
    await tx.run("ANALYZE g_after")


async def _schools(tx: Transaction, job: Job, allowed: Thresholds) -> None:
    rows = await tx.fetch(
        f"""
        WITH leaving AS (
            SELECT school_id, count(DISTINCT person_id) AS leaving FROM (
                (SELECT person_id, school_id, as_student FROM placements JOIN g_people USING (person_id)
                 WHERE district_id = $1 AND {_CURRENT}
                 EXCEPT SELECT person_id, school_id, as_student FROM g_after WHERE is_now AND NOT is_role)
                UNION ALL
                (SELECT person_id, school_id, NULL::boolean FROM placements JOIN g_people USING (person_id)
                 WHERE district_id = $1 AND {_NOT_OVER}
                 UNION
                 SELECT r.person_id, r.org_id, NULL::boolean FROM roles r JOIN g_people USING (person_id)
                 JOIN people p ON p.district_id = $1 AND p.id = r.person_id
                 WHERE r.district_id = $1 AND r.status = 'active' AND {_NOT_OVER} AND p.status = 'active'
                 EXCEPT SELECT person_id, school_id, NULL::boolean FROM g_after)
            ) AS l GROUP BY school_id HAVING count(DISTINCT person_id) > 1
        ),
        members AS (
            SELECT p.school_id, p.person_id FROM leaving l
            JOIN placements p ON p.district_id = $1 AND p.school_id = l.school_id WHERE {_NOT_OVER}
            UNION
            SELECT r.org_id, r.person_id FROM leaving l
            JOIN roles r ON r.district_id = $1 AND r.org_id = l.school_id AND r.status = 'active'
            JOIN people p ON p.district_id = $1 AND p.id = r.person_id AND p.status = 'active'
            WHERE {_NOT_OVER}
        ),
        schools AS (
            SELECT l.school_id, l.leaving, count(*) AS people
            FROM leaving l JOIN members USING (school_id) GROUP BY l.school_id, l.leaving
        )
        SELECT o.sourced_id, o.name, s.people, s.leaving, count(*) OVER () AS total
        FROM schools s JOIN orgs o ON o.district_id = $1 AND o.id = s.school_id
        WHERE s.leaving * 100 > s.people * $2::float8 ORDER BY s.leaving DESC, o.sourced_id LIMIT $3
        """,  # noqa: S608  # constants
        tx.caller.district, allowed.school_percent, _TOLD,
    )  # fmt: skip
    for row in rows:
        _hold(job, guarding.school_empties(row["sourced_id"], row["name"], row["people"], row["leaving"], allowed))
    _hold_more(job, "mass-removal", "schools", rows[0]["total"] - len(rows) if rows else 0)


async def _classes(tx: Transaction, job: Job, allowed: Thresholds) -> None:
    rows = await tx.fetch(
        f"""
        WITH enrolled AS (
            SELECT e.person_id, e.class_id, {_CURRENT} AS is_now
            FROM enrollments e JOIN g_people g ON g.person_id = e.person_id
            JOIN people p ON p.district_id = $1 AND p.id = e.person_id
            WHERE e.district_id = $1 AND e.status = 'active' AND {_NOT_OVER} AND {_STUDENT} AND p.status = 'active'
        ),
        leaving AS (
            SELECT class_id, count(DISTINCT person_id) AS leaving FROM (
                (SELECT person_id, class_id FROM enrolled WHERE is_now
                 EXCEPT SELECT person_id, class_id FROM g_after WHERE as_student AND is_now)
                UNION ALL
                (SELECT person_id, class_id FROM enrolled EXCEPT SELECT person_id, class_id FROM g_after
                 WHERE as_student)
            ) AS l GROUP BY class_id
        ),
        sections AS (
            SELECT l.class_id, l.leaving, count(DISTINCT e.person_id) AS people
            FROM leaving l JOIN enrollments e ON e.district_id = $1 AND e.class_id = l.class_id
            JOIN people p ON p.district_id = $1 AND p.id = e.person_id
            WHERE e.status = 'active' AND {_NOT_OVER} AND {_STUDENT} AND p.status = 'active'
            GROUP BY l.class_id, l.leaving
        )
        SELECT c.sourced_id, c.title, s.people, s.leaving, count(*) OVER () AS total
        FROM sections s JOIN classes c ON c.district_id = $1 AND c.id = s.class_id
        WHERE s.people >= $2 AND s.leaving * 100 >= s.people * $3::float8
        ORDER BY s.leaving DESC, c.sourced_id LIMIT $4
        """,  # noqa: S608  # constants
        tx.caller.district, allowed.class_least, allowed.class_percent, _TOLD,
    )  # fmt: skip
    for row in rows:
        _hold(job, guarding.class_empties(row["sourced_id"], row["title"], row["people"], row["leaving"], allowed))
    _hold_more(job, "class-removal", "classes", rows[0]["total"] - len(rows) if rows else 0)


def _hold_more(job: Job, rule: str, what: str, more: int) -> None:
    if more:
        remedy = f"As many more {what} would lose as much; the first {_TOLD:,} are named one by one."
        _hold(job, Reason("enrollments.csv", None, f"{more}", rule, remedy), count=more)
