"""What an import would change at each school."""

# ruff: noqa: S608  # the names put into SQL are constants of ours

from typing import Any
from uuid import UUID

from shared.db import Transaction

_WORDS = "CASE d.change WHEN 'new' THEN 'added' WHEN 'vanished' THEN 'leaving' ELSE 'changed' END"
_DIFFERS = "d.change <> 'dated'"


async def by_school(tx: Transaction) -> list[dict[str, Any]]:
    """For each school of which anything changes: what kind of records, and how many are added, changed, leaving, and
    unchanged. People count where they have a role or an enrolment, before or after."""
    rows = await tx.fetch(
        f"""
        WITH of_school AS (
            SELECT 'classes' AS kind, school_id AS school, {_WORDS} AS word FROM d_classes d WHERE {_DIFFERS}
            UNION ALL SELECT 'enrollments', school_id, {_WORDS} FROM d_enrollments d WHERE {_DIFFERS}
            UNION ALL SELECT 'roles', org_id, {_WORDS} FROM d_roles d WHERE {_DIFFERS}
            UNION ALL
            SELECT 'users', held.school, {_WORDS}
            FROM d_users d JOIN (
                SELECT org_id AS school, person_id FROM d_roles
                UNION SELECT school_id, person_id FROM d_enrollments
                UNION SELECT r.org_id, r.person_id FROM roles r
                      WHERE r.district_id = $1 AND r.status = 'active'
                        AND r.person_id IN (SELECT id FROM d_users WHERE change <> 'new')
            ) AS held ON held.person_id = d.id WHERE {_DIFFERS}
        ),
        counted AS (
            SELECT kind, school, word, count(*) AS n FROM of_school WHERE school IS NOT NULL GROUP BY 1, 2, 3
        )
        SELECT COALESCE(n.sourced_id, o.sourced_id, c.school::text) AS school, COALESCE(d.name, o.name) AS name,
               c.kind, c.word, c.n, c.school AS id
        FROM counted c
        LEFT JOIN orgs o ON o.district_id = $1 AND o.id = c.school
        LEFT JOIN d_orgs d ON d.id = c.school
        LEFT JOIN n_orgs n ON n.id = c.school
        ORDER BY 1, 3, 4
        """,
        tx.caller.district,
    )
    found: dict[str, dict[str, Any]] = {}
    by_id: dict[UUID, dict[str, Any]] = {}
    for row in rows:
        school = found.setdefault(row["school"], {"school": row["school"], "name": row["name"]})
        school.setdefault(row["kind"], {})[row["word"]] = row["n"]
        by_id[row["id"]] = school
    for row in await _unchanged(tx, list(by_id)):
        by_id[row["school"]].setdefault(row["kind"], {})["unchanged"] = row["n"]
    return list(found.values())


async def _unchanged(tx: Transaction, schools: list[UUID]) -> list[Any]:
    """How many records that came are as they were, at those of these schools that were known.

    Whose roles and enrolments did not come is where he is known to be.
    """
    known = [
        row["id"]
        for row in await tx.fetch(
            "SELECT id FROM unnest($1::uuid[]) AS id WHERE NOT EXISTS "
            "(SELECT FROM d_orgs d WHERE d.id = id.id AND d.change = 'new')",
            schools,
        )
    ]
    if not known:
        return []
    has_roles = await tx.fetchval("SELECT EXISTS (SELECT FROM s_roles) OR EXISTS (SELECT FROM s_enrollments)")
    held = _NAMED if has_roles else _KNOWN
    return await tx.fetch(
        f"""
        WITH schools AS (SELECT n.id, n.sourced_id FROM n_orgs n WHERE n.id = ANY ($1)),
        {", ".join(f"same_{kind} AS ({_same(kind)})" for kind in ("classes", "enrollments", "roles", "users"))}
        SELECT 'classes' AS kind, o.id AS school, count(*) AS n
        FROM same_classes s JOIN schools o ON o.sourced_id = s.school_sourced_id GROUP BY 2
        UNION ALL SELECT 'enrollments', o.id, count(*)
        FROM same_enrollments s JOIN schools o ON o.sourced_id = s.school_sourced_id GROUP BY 2
        UNION ALL SELECT 'roles', o.id, count(*)
        FROM same_roles s JOIN schools o ON o.sourced_id = s.org_sourced_id GROUP BY 2
        UNION ALL SELECT 'users', held.school, count(*)
        FROM same_users s JOIN ({held}) AS held ON held.person = s.sourced_id GROUP BY 2
        """,
        known, *([] if has_roles else [tx.caller.district]),
    )  # fmt: skip


def _same(kind: str) -> str:
    """The staged rows of which nothing differs."""
    return f"""
        SELECT s.* FROM s_{kind} s
        WHERE NOT s.refused
          AND NOT EXISTS (SELECT FROM d_{kind} d WHERE d.line = s.line AND d.change IN ('new', 'changed'))
    """


_NAMED = """
    SELECT o.id AS school, r.user_sourced_id AS person FROM s_roles r JOIN schools o ON o.sourced_id = r.org_sourced_id
    UNION SELECT o.id, e.user_sourced_id FROM s_enrollments e JOIN schools o ON o.sourced_id = e.school_sourced_id
"""
_KNOWN = """
    SELECT r.org_id AS school, n.sourced_id AS person
    FROM n_users n JOIN roles r ON r.district_id = $2 AND r.person_id = n.id AND r.status = 'active'
    WHERE r.org_id = ANY ($1) GROUP BY 1, 2
"""
