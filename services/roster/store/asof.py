"""What people were, where and with whom, as of a day.

A record says from when to when it holds. Where it was corrected, the version that was replaced first after that day is
what was true of it then; without one, the record as it is now.
"""

# ruff: noqa: S608  # the names put into SQL are constants of ours

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

from services.roster.store import SOURCE
from shared.db import Transaction

_ACTING = ("guardian", "parent", "relative")


@dataclass(frozen=True, slots=True)
class RoleThen:
    """What somebody was in an organisation."""

    sourced_id: str
    organisation: UUID
    role: str
    role_type: str
    begin: date | None
    end: date | None


@dataclass(frozen=True, slots=True)
class EnrollmentThen:
    """Somebody in a class."""

    sourced_id: str
    section: UUID
    school: UUID
    role: str
    primary: bool | None
    begin: date | None
    end: date | None


@dataclass(frozen=True, slots=True)
class Related:
    """Somebody who acts for a student, or a student somebody acts for."""

    id: UUID
    sourced_id: str
    given_name: str
    family_name: str
    role: str | None


@dataclass(slots=True)
class Then:
    """One person as of a day; `names` are the sourcedIds they had."""

    person: UUID
    names: list[str]
    roles: list[RoleThen] = field(default_factory=list)
    enrollments: list[EnrollmentThen] = field(default_factory=list)
    guardians: list[Related] = field(default_factory=list)
    children: list[Related] = field(default_factory=list)

    @property
    def schools(self) -> list[UUID]:
        """Where they were: by an enrolment, or by a role that is not one of acting for others."""
        at = [one.school for one in self.enrollments]
        at += [one.organisation for one in self.roles if one.role not in _ACTING]
        return list(dict.fromkeys(at))


def _versions(table: str, columns: str, people: str) -> str:
    """Each record of these people in the version that was true on day $2, whether or not it held on that day."""
    return f"""
        SELECT DISTINCT ON (sourced_id) * FROM (
            SELECT sourced_id, person_id, begin_on, end_on, NULL::date AS ended_on, replaced_on, replaced_in, {columns}
            FROM {table}_history WHERE person_id = ANY ({people}) AND replaced_on > $2
            UNION ALL
            SELECT sourced_id, person_id, begin_on, end_on, ended_on, NULL, NULL, {columns}
            FROM {table} WHERE person_id = ANY ({people})
        ) AS every
        ORDER BY sourced_id, replaced_on NULLS LAST, replaced_in NULLS LAST
    """


_HELD = """
    (begin_on IS NULL OR begin_on <= $2) AND (end_on IS NULL OR end_on > $2) AND (ended_on IS NULL OR ended_on > $2)
"""


async def people(tx: Transaction, ids: Sequence[UUID], on: date) -> list[Then]:
    """These people as of a day, in the order they were asked for; who may not be seen is left out."""
    tx.caller.need("roster:read")
    rows = await tx.fetch(
        f"""
        SELECT asked.id AS asked, p.id, ARRAY(
            SELECT DISTINCT c.sourced_id::text FROM crosswalk c
            WHERE c.row_id = p.id AND c.source = '{SOURCE}' AND c.begin_on <= $2
              AND (c.end_on IS NULL OR c.end_on > $2) ORDER BY 1) AS names
        FROM unnest($1::uuid[]) WITH ORDINALITY AS asked (id, n)
        JOIN people p ON p.id = COALESCE(
            (SELECT m.person_id FROM mergers m WHERE m.absorbed_id = asked.id), asked.id)
        ORDER BY asked.n
        """,
        list(dict.fromkeys(ids)), on,
    )  # fmt: skip
    found = {row["id"]: Then(row["id"], row["names"]) for row in rows}
    seen = list(found)
    for row in await _then(tx, "roles", "org_id, role, role_type", seen, on):
        found[row["person_id"]].roles.append(
            RoleThen(row["sourced_id"], row["org_id"], row["role"], row["role_type"], row["begin_on"], row["end_on"])
        )
    for row in await _then(tx, "enrollments", "class_id, school_id, role, is_primary", seen, on):
        found[row["person_id"]].enrollments.append(
            EnrollmentThen(
                row["sourced_id"], row["class_id"], row["school_id"], row["role"], row["is_primary"], row["begin_on"],
                row["end_on"],
            )
        )  # fmt: skip
    await _relations(tx, found, seen, on)
    return list(found.values())


async def _then(tx: Transaction, table: str, columns: str, people: Sequence[UUID], on: date) -> list[Any]:
    """The records of these people that held on that day."""
    return await tx.fetch(
        f"SELECT * FROM ({_versions(table, columns, '$1::uuid[]')}) AS v WHERE {_HELD} ORDER BY sourced_id", people, on
    )


async def _relations(tx: Transaction, found: dict[UUID, Then], people: Sequence[UUID], on: date) -> None:
    """Who acted for whom, as far as both records were there on that day."""
    rows = await tx.fetch(
        """
        SELECT s.id AS student, s.sourced_id, s.given_name, s.family_name, g.id AS guardian,
               g.sourced_id AS guardian_sourced_id, g.given_name AS guardian_given, g.family_name AS guardian_family
        FROM people s, unnest(s.agent_ids) WITH ORDINALITY AS agent (id, n) JOIN people g ON g.id = agent.id
        WHERE (s.id = ANY ($1) OR s.agent_ids && $1::uuid[]) AND (s.id = ANY ($1) OR g.id = ANY ($1))
          AND (s.ended_on IS NULL OR s.ended_on > $2) AND (g.ended_on IS NULL OR g.ended_on > $2)
        ORDER BY s.id, agent.n
        """,
        people, on,
    )  # fmt: skip
    guardians = list({row["guardian"] for row in rows})
    acting = await tx.fetch(
        f"""
        SELECT person_id, min(role) AS role FROM ({_versions("roles", "role", "$1::uuid[]")}) AS v
        WHERE {_HELD} AND role IN {_ACTING} GROUP BY person_id
        """,
        guardians, on,
    )  # fmt: skip
    as_what = {row["person_id"]: row["role"] for row in acting}
    for row in rows:
        role = as_what.get(row["guardian"])
        if row["student"] in found:
            found[row["student"]].guardians.append(
                Related(
                    row["guardian"], row["guardian_sourced_id"], row["guardian_given"], row["guardian_family"], role
                )
            )
        if row["guardian"] in found:
            found[row["guardian"]].children.append(
                Related(row["student"], row["sourced_id"], row["given_name"], row["family_name"], role)
            )
