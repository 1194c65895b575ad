"""What an import would change at each school."""

# ruff: noqa: S608  # the names put into SQL are constants of ours

from typing import Any

from shared.db import Transaction

_WORDS = "CASE d.change WHEN 'new' THEN 'added' WHEN 'vanished' THEN 'leaving' ELSE 'changed' END"


async def by_school(tx: Transaction) -> list[dict[str, Any]]:
    """For each school of which anything changes: what kind of records, and how many are added, changed, leaving.
    People count where they have a role or an enrolment, before or after."""
    rows = await tx.fetch(
        f"""
        WITH of_school AS (
            SELECT 'classes' AS kind, school_id AS school, {_WORDS} AS word FROM d_classes d
            UNION ALL SELECT 'enrollments', school_id, {_WORDS} FROM d_enrollments d
            UNION ALL SELECT 'roles', org_id, {_WORDS} FROM d_roles d
            UNION ALL
            SELECT 'users', held.school, {_WORDS}
            FROM d_users d JOIN (
                SELECT org_id AS school, person_id FROM d_roles
                UNION SELECT school_id, person_id FROM d_enrollments
                UNION SELECT r.org_id, r.person_id FROM roles r
                      WHERE r.district_id = $1 AND r.status = 'active'
                        AND r.person_id IN (SELECT id FROM d_users WHERE change <> 'new')
            ) AS held ON held.person_id = d.id
        ),
        counted AS (
            SELECT kind, school, word, count(*) AS n FROM of_school WHERE school IS NOT NULL GROUP BY 1, 2, 3
        )
        SELECT COALESCE(n.sourced_id, o.sourced_id, c.school::text) AS school, COALESCE(d.name, o.name) AS name,
               c.kind, c.word, c.n
        FROM counted c
        LEFT JOIN orgs o ON o.district_id = $1 AND o.id = c.school
        LEFT JOIN d_orgs d ON d.id = c.school
        LEFT JOIN n_orgs n ON n.id = c.school
        ORDER BY 1, 3, 4
        """,
        tx.caller.district,
    )
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        school = found.setdefault(row["school"], {"school": row["school"], "name": row["name"]})
        school.setdefault(row["kind"], {})[row["word"]] = row["n"]
    return list(found.values())
