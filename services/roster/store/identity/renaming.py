"""Rows that go on under another name: the crosswalk follows them, and an event keeps what was."""

# ruff: noqa: S608  # the names put into SQL are constants of ours

from collections.abc import Collection
from uuid import UUID

from services.roster.store import RECORDS, SOURCE, STAGES, TABLES, TYPES
from shared.db import Transaction

_KEPT_DAYS = 30
"""How long what an import recognised can be taken back."""


def _named(column: str, type: str) -> str:
    """Which row a name of the file means."""
    return f"""(SELECT c.row_id FROM crosswalk c WHERE c.source = '{SOURCE}' AND c.type = '{type}'
        AND c.sourced_id = {column} AND c.end_on IS NULL)"""


_TERMS = f"""ARRAY(SELECT {_named("ref", "academicSession")}
    FROM unnest(string_to_array(s.term_sourced_ids, ',')) AS ref ORDER BY 1)"""
LIKENESS = {
    "orgs": {"type": ("s.type", "t.type"), "identifier": ("s.identifier", "t.identifier")},
    "academicSessions": {
        "type": ("s.type", "t.type"),
        "title": ("s.title", "t.title"),
        "begin": ("s.start_date::date", "t.start_on"),
        "end": ("s.end_date::date", "t.end_on"),
    },
    "courses": {
        "code": ("s.course_code", "t.course_code"),
        "org": (_named("s.org_sourced_id", "org"), "t.org_id"),
    },
    "classes": {
        "school": (_named("s.school_sourced_id", "org"), "t.school_id"),
        "code": ("COALESCE(s.class_code, '')", "COALESCE(t.class_code, '')"),
        "course": (_named("s.course_sourced_id", "course"), "t.course_id"),
        "title": ("s.title", "t.title"),
        "terms": (_TERMS, "ARRAY(SELECT unnest(t.term_ids) ORDER BY 1)"),
    },
}
"""What is the same about a row whose name has changed, in the file and with us; all of it must be said, and unique."""


async def match(tx: Transaction, file: str) -> int:
    """Write into i_matched which rows of a bulk file are rows we know under another name; how many."""
    table, type = TABLES[file], TYPES[file]
    likeness = LIKENESS[file]
    names = ", ".join(f'"{name}"' for name in likeness)
    theirs, ours = (
        ", ".join(f'{pair[side]} AS "{name}"' for name, pair in likeness.items()) for side in (0, 1)
    )  # fmt: skip
    return await tx.changed(
        f"""
        WITH new AS (
            SELECT s.sourced_id, {theirs} FROM s_{STAGES[file]} s
            WHERE NOT s.refused AND s.status IS DISTINCT FROM 'tobedeleted'
              AND {_named("s.sourced_id", type)} IS NULL
        ),
        old AS (
            SELECT t.id, t.sourced_id, {ours} FROM {table} t
            WHERE NOT EXISTS (SELECT FROM s_{STAGES[file]} s WHERE s.sourced_id = t.sourced_id)
        ),
        alone AS (SELECT {names} FROM new GROUP BY {names} HAVING count(*) = 1),
        alone_here AS (SELECT {names} FROM old GROUP BY {names} HAVING count(*) = 1)
        INSERT INTO i_matched (event_id, type, row_id, was_called, is_called, reason)
        SELECT gen_random_uuid(), '{type}', old.id, old.sourced_id, new.sourced_id, '{" and ".join(likeness)}'
        FROM new JOIN old USING ({names}) JOIN alone USING ({names}) JOIN alone_here USING ({names})
        """
    )


_ENTRY = """jsonb_build_object(
    'row_id', c.row_id, 'source', c.source, 'sourced_id', c.sourced_id, 'begin_on', c.begin_on)"""


async def follow(tx: Transaction, file: str, import_id: UUID, revision: int) -> None:
    """Let the crosswalk follow the rows of a file that are in i_matched, and keep what was."""
    await tx.run("ANALYZE i_matched")
    await tx.run(
        f"""
        INSERT INTO identity_events (
            district_id, id, revision, kind, type, row_id, was_called, is_called, reason, subject, import_id)
        SELECT $1, event_id, $2, 'reattached', type, row_id, was_called, is_called, reason, $3, $4
        FROM i_matched WHERE type = '{TYPES[file]}'
        """,
        tx.caller.district, revision, tx.caller.subject, import_id,
    )  # fmt: skip
    await _keep_images(tx, file)
    await _end(tx, file)
    await _begin(tx, file)


async def _keep_images(tx: Transaction, file: str) -> None:
    """The whole rows as they are: the import is about to write what the file says over them."""
    for one in (file, "demographics") if file == "users" else (file,):
        key = "person_id" if one == "demographics" else "id"
        await tx.run(
            f"""
            INSERT INTO identity_changes (district_id, event_id, place, key, was, became)
            SELECT $1, m.event_id, '{TABLES[one]}', jsonb_build_object('{key}', t.{key}), to_jsonb(t), '{{}}'
            FROM i_matched m JOIN {TABLES[one]} t ON t.{key} = m.row_id WHERE m.type = '{TYPES[file]}'
            """,
            tx.caller.district,
        )


async def _end(tx: Transaction, file: str) -> None:
    """The former names mean nothing from today on."""
    await _date(tx, file, "was_called", "current_date", "old.end_on IS NULL")


async def _begin(tx: Transaction, file: str) -> None:
    """The new names mean these rows from today on; who was called so earlier today is so again."""
    await _date(tx, file, "is_called", "NULL::date", "old.begin_on = current_date")
    await tx.run(
        f"""
        WITH made AS (
            INSERT INTO crosswalk AS c (district_id, source, type, sourced_id, row_id)
            SELECT $1, '{SOURCE}', m.type, m.is_called, m.row_id FROM i_matched m WHERE m.type = '{TYPES[file]}'
            ON CONFLICT (district_id, row_id, source, sourced_id, begin_on) DO NOTHING
            RETURNING c.row_id, {_ENTRY} AS key, to_jsonb(c) AS image
        )
        INSERT INTO identity_changes (district_id, event_id, place, key, was, became)
        SELECT $1, m.event_id, 'crosswalk', made.key, NULL, made.image
        FROM made JOIN i_matched m ON m.row_id = made.row_id AND m.type = '{TYPES[file]}'
        """,
        tx.caller.district,
    )


async def _date(tx: Transaction, file: str, name: str, end: str, which: str) -> None:
    """Set the end of the entries under these names."""
    await tx.run(
        f"""
        WITH changed AS (
            UPDATE crosswalk c SET end_on = {end}
            FROM i_matched m
            JOIN crosswalk old ON old.row_id = m.row_id AND old.source = '{SOURCE}' AND old.type = m.type
                AND old.sourced_id = m.{name}
            WHERE m.type = '{TYPES[file]}' AND {which}
              AND (c.row_id, c.source, c.sourced_id, c.begin_on)
                  = (old.row_id, old.source, old.sourced_id, old.begin_on)
            RETURNING m.event_id, {_ENTRY} AS key, old.end_on AS was, c.end_on AS became
        )
        INSERT INTO identity_changes (district_id, event_id, place, key, was, became)
        SELECT $1, event_id, 'crosswalk', key, jsonb_build_object('end_on', was), jsonb_build_object('end_on', became)
        FROM changed
        """,
        tx.caller.district,
    )


async def forget(tx: Transaction) -> None:
    """What an import recognised can be taken back for thirty days."""
    await tx.run(
        """
        DELETE FROM identity_changes c USING identity_events e
        WHERE c.event_id = e.id AND e.kind = 'reattached' AND e.at < now() - make_interval(days => $1)
        """,
        _KEPT_DAYS,
    )


async def keep_former(tx: Transaction, table: str) -> None:
    """Identifiers of people that this import changes end today, in entries of their own.

    They begin with the entry before them, or with the first name of the person.
    """
    for source, column in (("state", "user_master_identifier"), ("local", "identifier")):
        await tx.run(
            f"""
            INSERT INTO crosswalk (district_id, source, type, sourced_id, row_id, begin_on, end_on)
            SELECT $1, '{source}', 'user', p.{column}, p.id,
                   COALESCE((SELECT max(c.end_on) FROM crosswalk c WHERE c.row_id = p.id AND c.source = '{source}'),
                            (SELECT min(c.begin_on) FROM crosswalk c WHERE c.row_id = p.id), current_date),
                   current_date
            FROM {table} d JOIN people p ON p.id = d.id
            WHERE d.change = 'changed' AND p.{column} IS NOT NULL AND p.{column} IS DISTINCT FROM d.{column}
            ON CONFLICT (district_id, row_id, source, sourced_id, begin_on) DO UPDATE SET end_on = excluded.end_on
            """,
            tx.caller.district,
        )


async def set_aside(tx: Transaction) -> None:
    """Take out of the stage what is said of people who were absorbed: their name leads to who was kept.

    Where the kept one's own name does not come any more, the absorbed one's row speaks for them both.
    """
    if not await tx.fetchval("SELECT EXISTS (SELECT FROM mergers)"):
        return
    await tx.temp("i_aside", 'sourced_id text COLLATE "C", called text COLLATE "C"')
    await tx.run(
        f"""
        INSERT INTO i_aside
        SELECT c.sourced_id, p.sourced_id FROM mergers m
        JOIN crosswalk c ON c.row_id = m.person_id AND c.source = '{SOURCE}' AND c.type = 'user' AND c.end_on IS NULL
        JOIN people p ON p.id = m.person_id
        WHERE c.sourced_id <> p.sourced_id
        """
    )
    for stage in ("s_users", "s_demographics"):
        await tx.run(
            f"""
            UPDATE {stage} s SET sourced_id = a.called FROM i_aside a
            WHERE s.sourced_id = a.sourced_id AND NOT s.refused AND s.status IS DISTINCT FROM 'tobedeleted'
              AND NOT EXISTS (SELECT FROM {stage} own WHERE own.sourced_id = a.called AND NOT own.refused)
              AND NOT EXISTS (SELECT FROM {stage} other JOIN i_aside b ON b.sourced_id = other.sourced_id
                              WHERE b.called = a.called AND other.sourced_id < s.sourced_id AND NOT other.refused)
            """
        )
        await tx.run(f"DELETE FROM {stage} s USING i_aside a WHERE s.sourced_id = a.sourced_id")
    for record in RECORDS.values():
        for ref in record.refs:
            if ref.file == "users":
                await _refer(tx, f"s_{record.stage}", ref.staged, many=ref.many)


async def _refer(tx: Transaction, stage: str, column: str, *, many: bool) -> None:
    """Who is referred to by the name of somebody absorbed, is referred to by the name of who was kept."""
    if not many:
        await tx.run(f"UPDATE {stage} s SET {column} = a.called FROM i_aside a WHERE s.{column} = a.sourced_id")
        return
    await tx.run(
        f"""
        UPDATE {stage} s SET {column} = (
            SELECT string_agg(name, ',' ORDER BY n) FROM (
                SELECT COALESCE(a.called, one.name) AS name, min(one.n) AS n
                FROM unnest(string_to_array(s.{column}, ',')) WITH ORDINALITY AS one (name, n)
                LEFT JOIN i_aside a ON a.sourced_id = one.name GROUP BY 1) AS named)
        WHERE string_to_array(s.{column}, ',') && (SELECT array_agg(a.sourced_id::text) FROM i_aside a)
        """
    )


def in_order(files: Collection[str]) -> list[str]:
    """Files of rows that can be recognised by likeness, in the order in which they refer to each other."""
    return [file for file in LIKENESS if file in files]
