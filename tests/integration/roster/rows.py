"""All that a district has in the roster, so that two districts with the same files can be compared row by row."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from services.roster.store import RECORDS

Rows = dict[str, list[dict[str, Any]]]
Fetch = Callable[..., Awaitable[Sequence[Mapping[str, Any]]]]
_TABLES = (
    *(record.table for record in RECORDS.values()), "crosswalk", "placements", "enrollments_history", "roles_history",
)  # fmt: skip
_OWN = frozenset({"district_id", "id", "row_id", "revision", "since", "until", "replaced_in", "parent_id", "org_id",
                  "school_year_id", "course_id", "school_id", "person_id", "class_id", "term_ids", "agent_ids",
                  "primary_org_id", "academic_session_id"})  # fmt: skip
"""Columns that differ between districts because identities and revisions do; what they lead to is compared by name."""


async def rows_of(fetch: Fetch, district: Any) -> Rows:
    """Everything the district has, without what is its own of each district; revisions as their order."""
    found: Rows = {}
    stamped = await fetch("SELECT number FROM revisions WHERE district_id = $1 ORDER BY at", district)
    order = {row["number"]: place for place, row in enumerate(stamped)}
    known = await fetch("SELECT row_id, sourced_id FROM crosswalk WHERE district_id = $1", district)
    names = {row["row_id"]: row["sourced_id"] for row in known}
    for table in _TABLES:
        rows = [dict(row) for row in await fetch(f"SELECT * FROM {table} WHERE district_id = $1", district)]
        for row in rows:
            for name in _OWN & row.keys():
                row[name] = _told(table, name, row[name], order, names)
        found[table] = sorted(rows, key=repr)
    found["revisions"] = [{"n": len(order)}]
    return found


async def facts_of(fetch: Fetch, district: Any) -> list[dict[str, Any]]:
    """How many facts of each type the district has announced."""
    rows = await fetch(
        "SELECT type, sum(facts)::int AS facts FROM outbox WHERE district = $1 GROUP BY 1 ORDER BY 1", district
    )
    return [dict(row) for row in rows]


def _told(table: str, name: str, value: Any, order: dict[int, int], names: dict[Any, str]) -> Any:
    if name == "district_id" or (table == "placements" and name == "id"):
        return None
    if name in ("revision", "since", "until", "replaced_in"):
        return None if value is None else order[value]
    return [names.get(one) for one in value] if isinstance(value, list) else names.get(value)


def unlike(one: Rows, other: Rows) -> list[str]:
    """Rows that only one of the two has, by table: nothing, if both have the same."""
    found = []
    for table in sorted(one.keys() | other.keys()):
        here, there = (Counter(map(_line, rows.get(table, []))) for rows in (one, other))
        found += [f"{table}: only here {line}" for line in (here - there).elements()]
        found += [f"{table}: only there {line}" for line in (there - here).elements()]
    return found


def _line(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={row[name]!r}" for name in sorted(row))
