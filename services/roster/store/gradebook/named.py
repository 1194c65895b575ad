"""What records point at: looked up all at once, as far as the caller may see it."""

# ruff: noqa: S608  # the names put into SQL are constants of ours

from collections.abc import Mapping, Set
from dataclasses import dataclass
from uuid import UUID

from services.roster.domain.gradebook.kinds import Target
from shared.db import Transaction


@dataclass(frozen=True, slots=True)
class Found:
    """A record that is pointed at. `id` is ours, where it has one; `within`: a class's school, a line item's class.

    `is_derived`: it is made of facts, and nobody writes it or anything of it.
    """

    id: UUID | None
    is_active: bool
    within: UUID | None
    is_derived: bool


_SOURCES = {
    Target.ORG: "SELECT id, NULL::uuid AS within FROM orgs",
    Target.SESSION: "SELECT id, NULL::uuid AS within FROM academic_sessions",
    Target.COURSE: "SELECT id, NULL::uuid AS within FROM courses",
    Target.CLASS: "SELECT id, school_id AS within FROM classes",
    Target.STUDENT: "SELECT id, NULL::uuid AS within FROM people",
    Target.CATEGORY: "SELECT NULL::uuid AS id, NULL::uuid AS within FROM categories",
    Target.SCORE_SCALE: "SELECT NULL::uuid AS id, NULL::uuid AS within FROM score_scales",
    Target.LINE_ITEM: "SELECT NULL::uuid AS id, class_id AS within FROM line_items",
    Target.ASSESSMENT_LINE_ITEM: "SELECT NULL::uuid AS id, NULL::uuid AS within FROM assessment_line_items",
}
_DERIVED = {Target.ASSESSMENT_LINE_ITEM: "assessed_items"}
_ALSO = {Target.STUDENT: " AND is_student"}


async def find(tx: Transaction, wanted: Mapping[Target, Set[str]]) -> dict[tuple[Target, str], Found]:
    """Those of the wanted that are there, ended ones too: a late grade is one."""
    targets = sorted(wanted)
    if not targets:
        return {}
    looked = []
    for number, target in enumerate(targets):
        columns, table = _SOURCES[target].removeprefix("SELECT ").rsplit(" FROM ", 1)
        looked.append(
            f"SELECT '{target}' AS target, sourced_id, status = 'active' AS is_active, {columns}, false AS is_derived "
            f"FROM {table} WHERE district_id = $1 AND sourced_id = ANY (${number + 2}::text[]){_ALSO.get(target, '')}"
        )
        if target in _DERIVED:
            looked.append(
                f"SELECT '{target}', sourced_id, status = 'active', NULL::uuid, NULL::uuid, true "
                f"FROM {_DERIVED[target]} WHERE district_id = $1 AND sourced_id = ANY (${number + 2}::text[])"
            )
    rows = await tx.fetch(
        " UNION ALL ".join(looked), tx.caller.district, *(sorted(wanted[target]) for target in targets)
    )
    return {
        (Target(row["target"]), row["sourced_id"]): Found(row["id"], row["is_active"], row["within"], row["is_derived"])
        for row in rows
    }


async def sessions_around(tx: Transaction, session: UUID) -> set[UUID]:
    """This academic session, what it is part of, and its parts."""
    rows = await tx.fetch(
        """
        WITH RECURSIVE above AS (
            SELECT id, parent_id FROM academic_sessions WHERE district_id = $1 AND id = $2
            UNION SELECT a.id, a.parent_id FROM above JOIN academic_sessions a
                ON a.district_id = $1 AND a.id = above.parent_id
        ),
        below AS (
            SELECT id FROM academic_sessions WHERE district_id = $1 AND id = $2
            UNION SELECT a.id FROM below JOIN academic_sessions a ON a.district_id = $1 AND a.parent_id = below.id
        )
        SELECT id FROM above UNION SELECT id FROM below
        """,
        tx.caller.district, session,
    )  # fmt: skip
    return {row["id"] for row in rows}


async def sessions_of_line_items(tx: Transaction, names: Set[str]) -> dict[str, set[UUID]]:
    """The academic sessions and grading periods these line items name."""
    rows = await tx.fetch(
        """
        SELECT sourced_id, grading_period_id, academic_session_id FROM line_items
        WHERE district_id = $1 AND sourced_id = ANY ($2::text[])
        """,
        tx.caller.district, sorted(names),
    )  # fmt: skip
    return {row["sourced_id"]: {one for one in tuple(row)[1:] if one is not None} for row in rows}
