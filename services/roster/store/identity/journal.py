"""What an event did to rows, kept so that it can be taken back exactly.

Before and after, the same rows are looked at: those a condition names that holds of them before as well as after. What
differs is kept column by column. Taking back sets each of these columns to what it was, if it still is what the event
made it: what others changed since, stays.
"""

# ruff: noqa: S608  # the names put into SQL are constants of ours

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from shared.db import Transaction

_PERSONS = (
    "roles", "enrollments", "user_profiles", "user_resources", "results", "assessment_results",
    "scored_attempts",
)  # fmt: skip
"""Records that belong to a person, in the column person_id."""
_HISTORY = ("roles_history", "enrollments_history")
KEYS: Mapping[str, Sequence[str]] = {
    "people": ("id",),
    "demographics": ("person_id",),
    "standings": ("sourced_id",),
    **dict.fromkeys(_PERSONS, ("sourced_id",)),
    **dict.fromkeys(_HISTORY, ("sourced_id", "replaced_in")),
    "attendance": ("person_id", "day", "school_id"),
    "attendance_history": ("person_id", "day", "school_id", "replaced_at"),
    "crosswalk": ("row_id", "source", "sourced_id", "begin_on"),
    "mergers": ("absorbed_id",),
    "orgs": ("id",),
    "academic_sessions": ("id",),
    "courses": ("id",),
    "classes": ("id",),
}
"""The tables that events change, and what tells their rows apart within a district."""
_TYPES = {
    "source": "text", "sourced_id": "text", "begin_on": "date", "replaced_in": "bigint", "day": "date",
    "replaced_at": "timestamptz",
}  # fmt: skip
_MANY = 1_000
"""Changes from which on whole tables are read rather than looked into."""
OF_A_PERSON = (*_PERSONS, *_HISTORY)
RECORDS = ("people", "demographics", "standings", *_PERSONS, "orgs", "academic_sessions", "courses", "classes")
"""Those whose rows have a revision."""


def key_object(place: str, alias: str) -> str:
    """The key of a row, as JSON."""
    return "jsonb_build_object(" + ", ".join(f"'{key}', {alias}.{key}" for key in KEYS[place]) + ")"


def _matches(place: str, row: str, change: str) -> str:
    """A change is about this row. Compared as the column's own type, so that its index is used."""
    return " AND ".join(f"{row}.{key} = ({change}.key ->> '{key}')::{_TYPES.get(key, 'uuid')}" for key in KEYS[place])


@asynccontextmanager
async def watching(tx: Transaction, event: UUID, conditions: Mapping[str, str], *values: object) -> AsyncIterator[None]:
    """Keep what becomes, inside, of the rows that these conditions name, by table."""
    await tx.temp("i_before", "place text, key jsonb, image jsonb")
    for place, condition in conditions.items():
        await tx.run(
            f"""
            INSERT INTO i_before SELECT '{place}', {key_object(place, "t")}, to_jsonb(t) FROM {place} t
            WHERE {condition}
            """,
            *values,
        )
    yield
    for place, condition in conditions.items():
        count = len(values)
        await tx.run(
            f"""
            INSERT INTO identity_changes (district_id, event_id, place, key, was, became)
            SELECT ${count + 1}, ${count + 2}, '{place}', key,
                   CASE WHEN now.image IS NULL OR old.image IS NULL THEN old.image ELSE ({_part("old", "now")}) END,
                   CASE WHEN now.image IS NULL OR old.image IS NULL THEN now.image ELSE ({_part("now", "old")}) END
            FROM (SELECT key, image FROM i_before WHERE place = '{place}') AS old
            FULL JOIN (SELECT {key_object(place, "t")} AS key, to_jsonb(t) AS image FROM {place} t WHERE {condition})
                AS now USING (key)
            WHERE old.image - 'revision' IS DISTINCT FROM now.image - 'revision'
            """,
            *values, tx.caller.district, event,
        )  # fmt: skip


def _part(one: str, other: str) -> str:
    """The columns of one image that are otherwise in the other."""
    return f"""
        SELECT jsonb_object_agg(each.key, each.value) FROM jsonb_each({one}.image) AS each
        WHERE each.key <> 'revision' AND each.value IS DISTINCT FROM {other}.image -> each.key
    """


async def take_back(tx: Transaction, events: Sequence[UUID], revision: int) -> None:
    """Make the rows that these events changed what they were."""
    await tx.temp("i_changes", "place text, key jsonb, was jsonb, became jsonb")
    count = await tx.changed(
        "INSERT INTO i_changes SELECT place, key, was, became FROM identity_changes WHERE event_id = ANY ($1)", events
    )
    await tx.run("ANALYZE i_changes")
    before = await tx.fetchval("SELECT current_setting('enable_nestloop')")
    if count > _MANY:
        await tx.run("SET LOCAL enable_nestloop = off")
    for place in KEYS:
        await tx.run(
            f"""
            DELETE FROM {place} t USING i_changes c
            WHERE c.place = '{place}' AND c.was IS NULL AND {_matches(place, "t", "c")}
            """
        )
    await _free_names(tx)
    for place in KEYS:
        await _put_back(tx, place, revision)
    await tx.run("SELECT set_config('enable_nestloop', $1, true)", before)


async def _put_back(tx: Transaction, place: str, revision: int) -> None:
    """The rows of one table that the events changed, and those that they took away."""
    columns = await _columns(tx, place)
    is_record = place in RECORDS
    values = (revision,) if is_record else ()
    sets = ", ".join(f"{name} = old.{name}" for name in columns if name not in ("revision", "since"))
    if is_record:
        again = "t.until IS NOT NULL AND old.until IS NULL"
        sets += f", revision = $1, since = CASE WHEN {again} THEN $1 ELSE old.since END"
    await tx.run(
        f"""
        UPDATE {place} t SET {sets}
        FROM i_changes c JOIN {place} s ON {_matches(place, "s", "c")},
             LATERAL jsonb_populate_record(s, (
                 SELECT jsonb_object_agg(each.key, each.value) FROM jsonb_each(c.was) AS each
                 WHERE NOT c.became ? each.key OR each.key = 'sourced_id'
                    OR to_jsonb(s) -> each.key = c.became -> each.key)) AS old
        WHERE c.place = '{place}' AND c.was IS NOT NULL AND c.became IS NOT NULL
          AND {" AND ".join(f"t.{key} = s.{key}" for key in KEYS[place])}
        """,
        *values,
    )
    names = ", ".join(columns)
    rows = ", ".join("$1" if is_record and name == "revision" else f"old.{name}" for name in columns)
    await tx.run(
        f"""
        INSERT INTO {place} ({names}) SELECT {rows}
        FROM i_changes c, LATERAL jsonb_populate_record(NULL::{place}, c.was) AS old
        WHERE c.place = '{place}' AND c.became IS NULL
        """,
        *values,
    )


async def _free_names(tx: Transaction) -> None:
    """Names may change places among the rows: none is held while they are given back."""
    for place in ("people", "demographics", "orgs", "academic_sessions", "courses", "classes"):
        await tx.run(
            f"""
            UPDATE {place} t SET sourced_id = chr(1) || t.sourced_id FROM i_changes c
            WHERE c.place = '{place}' AND c.was ? 'sourced_id' AND c.became IS NOT NULL AND {_matches(place, "t", "c")}
            """
        )


async def _columns(tx: Transaction, place: str) -> list[str]:
    rows = await tx.fetch(
        """
        SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped
        ORDER BY attnum
        """,
        place,
    )
    return [row["attname"] for row in rows]


async def put(tx: Transaction, place: str, image: str) -> None:
    """A row, from its image as JSON text."""
    await tx.run(f"INSERT INTO {place} SELECT (jsonb_populate_record(NULL::{place}, $1::text::jsonb)).*", image)
