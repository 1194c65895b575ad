"""What the API may ask. Row-level security leaves out what the caller may not see; "not yours" and "not there" are one.

Records that are marked to be deleted are still found by their key, for evidence outlives an enrolment; lists leave
them out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from services.roster.domain.people import Organisation, School, Section, Student
from services.roster.store import SOURCE
from shared.db import Transaction
from shared.errors import Invalid

_Row = TypeVar("_Row")
_NOBODY = "0" * 32


@dataclass(frozen=True, slots=True)
class Page(Generic[_Row]):
    """One parent's rows, and whether there are more."""

    parent: UUID
    rows: list[_Row]
    has_next: bool


@dataclass(frozen=True, slots=True)
class Keys:
    """Rows asked for by our ids, or by the identifiers of the district's system."""

    ids: Sequence[UUID] = ()
    sourced_ids: Sequence[str] = ()

    async def rows(self, tx: Transaction, type: str) -> list[UUID]:
        """The ids of the rows of this type that are asked for.

        Found before the rows are read, and given as values: joined to the rows, the planner takes the set for a large
        one and reads the whole table.
        """
        return [*self.ids, *(await self.named(tx, type)).values()]

    async def named(self, tx: Transaction, type: str) -> dict[str, UUID]:
        """Which rows the identifiers of the district's system mean."""
        if not self.sourced_ids:
            return {}
        named = await tx.fetch(
            """
            SELECT sourced_id, row_id FROM crosswalk
            WHERE district_id = $1 AND source = $2 AND type = $3 AND sourced_id = ANY ($4) AND end_on IS NULL
            """,
            tx.caller.district, SOURCE, type, self.sourced_ids,
        )  # fmt: skip
        return {row["sourced_id"]: row["row_id"] for row in named}


class CursorGone(Invalid):
    """What this cursor points at is no longer there to be seen; begin with the first page."""


async def list_schools(tx: Transaction, keys: Keys) -> list[School]:
    """The organisations asked for, as far as the caller may see them."""
    rows = await tx.fetch(
        """
        SELECT id, sourced_id, name, type, sector, latitude, longitude, parent_id FROM orgs WHERE id = ANY ($1::uuid[])
        """,
        await keys.rows(tx, "org"),
    )
    return [School(*row) for row in rows]


async def list_organisations(tx: Transaction) -> list[Organisation]:
    """Every active organisation of the district, parents that are not active left out; by id."""
    tx.caller.need_whole_district()
    rows = await tx.fetch(
        """
        SELECT o.id, p.id AS parent, o.type
        FROM orgs o LEFT JOIN orgs p ON p.id = o.parent_id AND p.status = 'active'
        WHERE o.status = 'active' ORDER BY o.id
        """
    )
    return [Organisation(row["id"], row["parent"], row["type"]) for row in rows]


async def list_classes(tx: Transaction, keys: Keys) -> list[Section]:
    """The classes asked for, as far as the caller may see them."""
    rows = await tx.fetch(
        "SELECT id, sourced_id, title, school_id FROM classes WHERE id = ANY ($1::uuid[])",
        await keys.rows(tx, "class"),
    )
    return [Section(*row) for row in rows]


async def list_students(tx: Transaction, keys: Keys) -> list[Student]:
    """The students asked for, as far as the caller may see them; for who was absorbed, who absorbed them."""
    named = await keys.named(tx, "user")
    asked = [*keys.ids, *named.values()]
    rows = await tx.fetch(_STUDENTS, asked)
    students = {row["id"]: Student(*row) for row in rows}
    if len(students) < len(set(keys.ids)):
        absorbed = await tx.fetch(
            "SELECT absorbed_id, person_id FROM mergers WHERE absorbed_id = ANY ($1::uuid[])", keys.ids
        )
        more = {row["person_id"] for row in absorbed} - students.keys()
        students |= {row["id"]: Student(*row) for row in (await tx.fetch(_STUDENTS, list(more)) if more else ())}
        for row in absorbed:
            if row["person_id"] in students:
                students[row["person_id"]].absorbed.append(row["absorbed_id"])
    for name, id_ in named.items():
        if id_ in students and name != students[id_].sourced_id:
            students[id_].also.append(name)
    return list(students.values())


_STUDENTS = "SELECT id, sourced_id, given_name, family_name FROM people WHERE is_student AND id = ANY ($1::uuid[])"


_CLASSES_OF = """
    SELECT parent.id AS parent, c.id, c.title, c.sourced_id
    FROM unnest($1::uuid[]) WITH ORDINALITY AS parent (id, n)
    CROSS JOIN LATERAL (
        SELECT id, title, sourced_id FROM classes
        WHERE school_id = parent.id AND status = 'active'
          AND ($3::uuid IS NULL OR (title, id) > (SELECT seen.title, seen.id FROM classes seen WHERE seen.id = $3))
        ORDER BY title, id LIMIT $2 + 1
    ) AS c
    ORDER BY parent.n, c.title, c.id
"""


async def classes_of_schools(
    tx: Transaction, schools: Sequence[UUID], first: int, after: UUID | None
) -> list[Page[Section]]:
    """A page of each school's classes, by title and id. Raises CursorGone."""
    if after is not None and not await tx.fetchval("SELECT EXISTS (SELECT FROM classes WHERE id = $1)", after):
        raise CursorGone
    rows = await tx.fetch(_CLASSES_OF, schools, first, after)
    found: dict[UUID, list[Section]] = {school: [] for school in schools}
    for row in rows:
        found[row["parent"]].append(Section(row["id"], row["sourced_id"], row["title"], row["parent"]))
    return _pages(found, first)


_STUDENTS_OF = """
    SELECT parent.id AS parent, p.id, p.sourced_id, p.given_name, p.family_name
    FROM unnest($1::uuid[]) WITH ORDINALITY AS parent (id, n)
    CROSS JOIN LATERAL (
        SELECT id, sourced_id, given_name, family_name FROM people
        WHERE status = 'active'
          AND id IN (
              SELECT e.person_id FROM enrollments e
              WHERE e.class_id = parent.id AND e.role = 'student' AND e.status = 'active'
                AND (e.begin_on IS NULL OR e.begin_on <= current_date)
                AND (e.end_on IS NULL OR e.end_on > current_date))
          AND ($3::uuid IS NULL OR (family_name, given_name, id) > (
              SELECT seen.family_name, seen.given_name, seen.id FROM people seen WHERE seen.id = $3))
        ORDER BY family_name, given_name, id LIMIT $2 + 1
    ) AS p
    ORDER BY parent.n, p.family_name, p.given_name, p.id
"""


async def students_of_classes(
    tx: Transaction, classes: Sequence[UUID], first: int, after: UUID | None
) -> list[Page[Student]]:
    """A page of each class's students who are enrolled today, by family name, given name and id. Raises CursorGone."""
    if after is not None and not await tx.fetchval("SELECT EXISTS (SELECT FROM people WHERE id = $1)", after):
        raise CursorGone
    rows = await tx.fetch(_STUDENTS_OF, classes, first, after)
    found: dict[UUID, list[Student]] = {section: [] for section in classes}
    for row in rows:
        student = Student(row["id"], row["sourced_id"], row["given_name"], row["family_name"])
        found[row["parent"]].append(student)
    return _pages(found, first)


def _pages(found: dict[UUID, list[_Row]], first: int) -> list[Page[_Row]]:
    return [Page(parent, rows[:first], len(rows) > first) for parent, rows in found.items()]


async def resolve_students(tx: Transaction, sourced_ids: Sequence[str]) -> str:
    """Which students these identifiers name, parallel to the question: as the contract writes them.

    A name of somebody who was absorbed means them all the same: what is made of their id stays what it was, and who
    listens knows whom they are now.
    """
    rows = await tx.fetch(
        """
        SELECT asked.sourced_id, replace(COALESCE(c.absorbed_id, p.id)::text, '-', '') AS id
        FROM unnest($2::text[]) AS asked (sourced_id)
        CROSS JOIN LATERAL (
            SELECT row_id, absorbed_id FROM crosswalk
            WHERE (district_id, source, type, sourced_id) = ($1, 'sis', 'user', asked.sourced_id) AND end_on IS NULL
            LIMIT 1
        ) AS c
        CROSS JOIN LATERAL (SELECT id FROM people WHERE id = c.row_id AND is_student LIMIT 1) AS p
        """,  # a look-up for each, whatever the planner believes of how many there are
        tx.caller.district, list(set(sourced_ids)),
    )  # fmt: skip
    found = dict(map(tuple, rows))
    return "".join([found.get(name, _NOBODY) for name in sourced_ids])
