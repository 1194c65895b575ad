"""From the stages into the tables, a chunk at a time; only what differs is written.

The counts come out of the same statement that writes, so they are exact. One import is merged at a time (the kernel's
worker holds a lock), so what a statement compares with cannot change under it. References are looked up one by one,
in scalar and lateral sub-queries: a join would be planned by statistics that a growing table has outgrown.
"""

# ruff: noqa: S608  # the names put into SQL are constants of ours

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha1
from uuid import UUID

from services.roster.store import SOURCE, STAGES, TABLES, TYPES
from shared.db import Transaction


@dataclass(frozen=True, slots=True)
class Merged:
    """What one chunk did: how many rows it took from the stage, and the place of the last of them."""

    last: int
    rows: int
    added: int = 0
    changed: int = 0
    also_changed: int = 0
    """For derived rows: records of their own file that changed with them and were counted unchanged before."""


def _ref(file: str, column: str) -> str:
    return f"""(SELECT c.row_id FROM crosswalk c
        WHERE c.district_id = $2 AND c.source = '{SOURCE}' AND c.type = '{TYPES[file]}'
          AND c.sourced_id = s.{column} AND c.end_on IS NULL)"""


def _refs(file: str, column: str) -> str:
    return f"""ARRAY(
        SELECT {_ref(file, "ref")} FROM unnest(string_to_array(s.{column}, ',')) WITH ORDINALITY AS s (ref, n)
        ORDER BY s.n)"""


def _list(column: str) -> str:
    return f"COALESCE(string_to_array(s.{column}, ','), '{{}}')"


def _same(*columns: str) -> dict[str, str]:
    return {column: f"s.{column}" for column in columns}


_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "orgs": {
        **_same("name", "type", "identifier", "sector"),
        "latitude": "s.latitude::float8",
        "longitude": "s.longitude::float8",
        "parent_id": _ref("orgs", "parent_sourced_id"),
    },
    "academicSessions": {
        **_same("title", "type"),
        "start_on": "s.start_date::date",
        "end_on": "s.end_date::date",
        "parent_id": _ref("academicSessions", "parent_sourced_id"),
        "school_year": "s.school_year::smallint",
    },
    "courses": {
        **_same("title", "course_code"),
        "grades": _list("grades"),
        "org_id": _ref("orgs", "org_sourced_id"),
        "school_year_id": _ref("academicSessions", "school_year_sourced_id"),
        "subjects": _list("subjects"),
        "subject_codes": _list("subject_codes"),
    },
    "classes": {
        **_same("title", "class_code", "class_type", "location"),
        "grades": _list("grades"),
        "course_id": _ref("courses", "course_sourced_id"),
        "school_id": _ref("orgs", "school_sourced_id"),
        "term_ids": _refs("academicSessions", "term_sourced_ids"),
        "subjects": _list("subjects"),
        "subject_codes": _list("subject_codes"),
        "periods": _list("periods"),
    },
    "users": {
        **_same(
            "username", "given_name", "family_name", "middle_name", "preferred_given_name", "preferred_middle_name",
            "preferred_family_name", "pronouns", "identifier", "user_master_identifier", "email", "sms", "phone",
        ),
        "enabled": "s.enabled_user::boolean",
        "user_ids": _list("user_ids"),
        "grades": _list("grades"),
        "agent_ids": _refs("users", "agent_sourced_ids"),
        "primary_org_id": _ref("orgs", "primary_org_sourced_id"),
    },
    "roles": {
        **_same("role", "role_type"),
        "person_id": _ref("users", "user_sourced_id"),
        "org_id": _ref("orgs", "org_sourced_id"),
        "begin_on": "s.begin_date::date",
        "end_on": "s.end_date::date",
    },
    "demographics": {
        "birth_on": "s.birth_date::date",
        "sex": "s.sex",
        **{
            name: f"s.{name}::boolean"
            for name in (
                "american_indian_or_alaska_native", "asian", "black_or_african_american",
                "native_hawaiian_or_other_pacific_islander", "white",
            )
        },
        "two_or_more_races": "s.demographic_race_two_or_more_races::boolean",
        "hispanic_or_latino": "s.hispanic_or_latino_ethnicity::boolean",
        "birth_country": "s.country_of_birth_code",
        "birth_state": "s.state_of_birth_abbreviation",
        "birth_city": "s.city_of_birth",
        "residence_status": "s.public_school_residence_status",
    },
    "enrollments": {
        "role": "s.role",
        "person_id": _ref("users", "user_sourced_id"),
        "class_id": _ref("classes", "class_sourced_id"),
        "school_id": _ref("orgs", "school_sourced_id"),
        "is_primary": "s.is_primary::boolean",
        "begin_on": "s.begin_date::date",
        "end_on": "s.end_date::date",
    },
}  # fmt: skip
_PERSON = {"users": "id", "roles": "person_id", "enrollments": "person_id"}
"""Files whose changes may change where somebody is placed, and which column says who."""


def key_of(file: str) -> str:
    """The column a file's rows are known by."""
    return "person_id" if file == "demographics" else "id"


def row_id(district: UUID, type: str, sourced_id: str, nth: int = 1) -> UUID:
    """A row's identity at first sight: uuid5(district, `source:type:sourcedId`). Never change it.

    `nth`: an identifier that once named another row, and was given to a new one, begins a new identity.
    """
    name = f"{SOURCE}:{type}:{sourced_id}" + (f":{nth}" if nth > 1 else "")
    digest = sha1(district.bytes + name.encode(), usedforsecurity=False).digest()
    return UUID(bytes=digest[:16], version=5)


async def mint(tx: Transaction, import_id: UUID, file: str, after: int, most: int) -> Merged:
    """Give an identity to the rows of a chunk that are seen for the first time."""
    row = await tx.fetchrow(
        f"""
        WITH chunk AS MATERIALIZED (
            SELECT pos, sourced_id FROM stage.{STAGES[file]}
            WHERE import_id = $1 AND pos > $3 AND NOT refused ORDER BY pos LIMIT $4
        )
        SELECT (SELECT COALESCE(max(pos), 0) FROM chunk) AS last, (SELECT count(*) FROM chunk) AS rows,
               ARRAY(SELECT sourced_id FROM chunk s WHERE {_ref(file, "sourced_id")} IS NULL) AS unseen
        """,
        import_id, tx.caller.district, after, most,
    )  # fmt: skip
    assert row is not None
    if row["unseen"]:
        ids = await _new_identities(tx, TYPES[file], row["unseen"])
        await tx.run(
            """
            INSERT INTO crosswalk (district_id, source, type, sourced_id, row_id)
            SELECT $1, $2, $3, n.sourced_id, n.row_id FROM unnest($4::text[], $5::uuid[]) AS n (sourced_id, row_id)
            """,
            tx.caller.district, SOURCE, TYPES[file], row["unseen"], ids,
        )  # fmt: skip
    return Merged(row["last"], row["rows"])


async def _new_identities(tx: Transaction, type: str, names: list[str]) -> list[UUID]:
    """Identities for names seen for the first time; never one that a row has already, whose name has changed."""
    district, nth = tx.caller.district, 1
    ids = [row_id(district, type, name) for name in names]
    while taken := {
        row["row_id"]
        for row in await tx.fetch(
            "SELECT row_id FROM crosswalk WHERE district_id = $1 AND row_id = ANY ($2)", district, ids
        )
    }:
        nth += 1
        ids = [row_id(district, type, name, nth) if id in taken else id for name, id in zip(names, ids, strict=True)]
    return ids


async def merge(tx: Transaction, import_id: UUID, file: str, after: int, most: int) -> Merged:
    """Write what is new or different in a chunk of a file."""
    row = await tx.fetchrow(_merge_sql(file), import_id, tx.caller.district, after, most)
    assert row is not None
    return Merged(row["last"], row["rows"], row["added"], row["changed"], row["also_changed"])


def _merge_sql(file: str) -> str:
    table, key = TABLES[file], key_of(file)
    columns = {"status": "COALESCE(s.status, 'active')", "metadata": "s.metadata", **_COLUMNS[file]}
    names = ", ".join(columns)
    incoming = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    ours, theirs = (", ".join(f"{side}.{name}" for name in columns) for side in ("t", "i"))
    updates = ", ".join(f"{name} = excluded.{name}" for name in columns)
    ended = "CASE WHEN status = 'active' THEN NULL ELSE current_date END"
    ends_again = f"CASE WHEN excluded.status = 'active' THEN NULL ELSE COALESCE({table}.ended_on, current_date) END"
    touched, also_changed = _touched(file)
    return f"""
        WITH chunk AS MATERIALIZED (
            SELECT * FROM stage.{STAGES[file]}
            WHERE import_id = $1 AND pos > $3 AND NOT refused ORDER BY pos LIMIT $4
        ),
        incoming AS MATERIALIZED (
            SELECT {_ref(file, "sourced_id")} AS {key}, {incoming},
                   s.date_last_modified::timestamptz AS source_modified_at
            FROM chunk s
        ),
        different AS MATERIALIZED (
            SELECT i.*, t.{key} IS NULL AS is_new, t.{_PERSON.get(file, key)} AS old_person
            FROM incoming i
            LEFT JOIN LATERAL (SELECT * FROM {table} WHERE district_id = $2 AND {key} = i.{key} LIMIT 1) AS t ON true
            WHERE t.{key} IS NULL OR ROW({ours}) IS DISTINCT FROM ROW({theirs})
        ),
        written AS (
            INSERT INTO {table} (district_id, {key}, ended_on, source_modified_at, {names})
            SELECT $2, {key}, {ended}, source_modified_at, {names} FROM different
            ON CONFLICT (district_id, {key}) DO UPDATE SET
                {updates}, ended_on = {ends_again}, source_modified_at = excluded.source_modified_at, changed_at = now()
            RETURNING 1
        )
        {touched}
        SELECT (SELECT COALESCE(max(pos), 0) FROM chunk) AS last,
               (SELECT count(*) FROM incoming) AS rows,
               (SELECT count(*) FROM different WHERE is_new) AS added,
               (SELECT count(*) FROM different WHERE NOT is_new) AS changed,
               {also_changed} AS also_changed
    """


def _touched(file: str) -> tuple[str, str]:
    """Note whose placement may have changed; and how many people were untouched until now."""
    if file not in _PERSON:
        return "", "0::bigint"
    who = f"""
        , who AS (
            SELECT DISTINCT {_PERSON[file]} AS person_id FROM different
            UNION SELECT old_person FROM different WHERE old_person IS NOT NULL
        ),
        noted AS (
            INSERT INTO stage.touched (import_id, person_id) SELECT $1, person_id FROM who
            ON CONFLICT DO NOTHING RETURNING 1
        )
    """
    return who, "(SELECT count(*) FROM noted)"


async def end_vanished(tx: Transaction, import_id: UUID, file: str, after: int, most: int) -> Merged:
    """Rows that the file no longer names end today; they stay, marked to be deleted."""
    table, key = TABLES[file], key_of(file)
    touched, also_changed = _touched(file)
    row = await tx.fetchrow(
        f"""
        WITH chunk AS MATERIALIZED (
            SELECT pos, row_id FROM stage.vanished WHERE import_id = $1 AND file = $2 AND pos > $3 ORDER BY pos LIMIT $4
        ),
        different AS (
            UPDATE {table} t SET status = 'tobedeleted', ended_on = current_date, changed_at = now()
            FROM chunk WHERE t.{key} = chunk.row_id
            RETURNING t.{_PERSON.get(file, key)}, NULL::uuid AS old_person
        )
        {touched}
        SELECT (SELECT COALESCE(max(pos), 0) FROM chunk) AS last, (SELECT count(*) FROM chunk) AS rows,
               (SELECT count(*) FROM different) AS changed,
               {also_changed} AS also_changed
        """,
        import_id, file, after, most,
    )  # fmt: skip
    assert row is not None
    return Merged(row["last"], row["rows"], changed=row["changed"], also_changed=row["also_changed"])
