"""What differs between a file and what is kept of its kind: `d_…`, with one join of the two.

`change` is new, changed, or vanished (a whole file names it no more); dated, when a delta only says a later time.
"""

# ruff: noqa: S608  # the names put into SQL are constants of ours

from collections.abc import Collection
from dataclasses import dataclass

from services.roster.domain.columns import File, Mode
from services.roster.domain.findings import Finding, Findings
from services.roster.store import agreeing
from services.roster.store.checking import tell
from services.roster.store.records import RECORDS, STAGES, Record, Ref
from shared.db import Transaction


@dataclass(frozen=True, slots=True)
class Changes:
    """How many records of a file are what."""

    new: int = 0
    changed: int = 0
    vanished: int = 0

    @property
    def some(self) -> bool:
        return bool(self.new or self.changed or self.vanished)


_COMPARED = (
    "change", "line", "sourced_id", "id", "is_new_name", "status", "was_active", "metadata", "source_modified_at",
    "kept_modified_at", "lost",
)  # fmt: skip


async def compare(tx: Transaction, file: str, mode: Mode, came: Collection[str]) -> int:
    """Fill `d_…` for a file; how many rows it holds."""
    return await tx.changed(_difference(RECORDS[file], mode, came), tx.caller.district)


def _difference(record: Record, mode: Mode, came: Collection[str]) -> str:
    key, own = record.key, record.columns
    kept = {ref.name for ref in record.refs if ref.or_kept}
    theirs = {name: f"COALESCE(s.{name}, t.{name})" if name in kept else f"s.{name}" for name in own}
    theirs |= agreeing.said(record)
    columns = {"sourced_id": "s.sourced_id", "status": "s.status", "metadata": "s.metadata", **theirs}
    is_different = f"""
        ROW({", ".join(f"t.{name}" for name in columns)}) IS DISTINCT FROM ROW({", ".join(columns.values())})
    """
    for ref in record.refs:
        if not ref.is_named and ref.file in came:  # what it refers to by name may be named no more
            is_different += f"""
                OR s.{ref.name} IN (SELECT v.sourced_id FROM d_{STAGES[ref.file]} v WHERE v.change = 'vanished')
            """
    is_later = "s.source_modified_at > COALESCE(t.source_modified_at, '-infinity')"
    when = "s.source_modified_at"
    if mode == "bulk":  # a whole file seldom says when: what is known is no older for it
        when = "GREATEST(s.source_modified_at, t.source_modified_at)"
    values = [
        f"CASE WHEN s.line IS NULL THEN t.{name} ELSE {value} END AS {name}" for name, value in theirs.items()
    ]  # fmt: skip
    dated = f"WHEN NOT ({is_different}) THEN 'dated'" if mode == "delta" else ""
    names = [*_COMPARED, *theirs, *(f"old_{ref.name}" for ref in record.refs)]
    id = "NULL::uuid" if key == "sourced_id" else f"COALESCE(s.id, t.{key})"
    on = "t.sourced_id = s.sourced_id" if key == "sourced_id" else f"t.{key} = s.id"
    return f"""
        INSERT INTO d_{record.stage} ({", ".join(names)})
        SELECT CASE WHEN s.line IS NULL THEN 'vanished' WHEN t.{key} IS NULL THEN 'new' {dated} ELSE 'changed' END,
               s.line, COALESCE(s.sourced_id, t.sourced_id), {id}, s.is_new,
               CASE WHEN s.line IS NULL THEN 'tobedeleted' ELSE s.status END, t.status = 'active',
               CASE WHEN s.line IS NULL THEN t.metadata ELSE s.metadata END,
               CASE WHEN s.line IS NULL THEN t.source_modified_at ELSE {when} END, t.source_modified_at,
               s.lost
               {"".join(f", {value}" for value in values)}
               {"".join(f", t.{ref.name}" for ref in record.refs)}
        FROM ({_incoming(record)}) AS s
        {"FULL" if mode == "bulk" else "LEFT"} JOIN (SELECT * FROM {record.table} WHERE district_id = $1) AS t ON {on}
        WHERE CASE
            WHEN s.line IS NULL THEN t.status = 'active'
            WHEN s.refused THEN false
            WHEN t.{key} IS NULL THEN true
            ELSE {is_different} {f"OR {is_later}" if mode == "delta" else ""}
        END
    """


def _incoming(record: Record) -> str:
    """The staged rows as they will be kept: with types, and with identities in place of names."""
    joins, lost = [], []
    columns = [f"{one.value} AS {one.name}" for one in record.fields]
    for number, ref in enumerate(record.refs):
        join, value, is_lost = _resolved(record, ref, f"r{number}")
        joins.append(join)
        columns.append(f"{value} AS {ref.name}")
        lost += [is_lost] if is_lost else []
    id = "NULL::uuid AS id, false AS is_new"
    if names := record.names_file:
        id = "own.id, own.is_new"
        outer = "" if record.is_named else "LEFT"
        joins.append(f"{outer} JOIN n_{STAGES[names]} own ON own.sourced_id = s.sourced_id")
        lost += [] if record.is_named else ["own.id IS NULL"]
    return f"""
        SELECT s.line, s.refused, s.sourced_id, {id}, COALESCE(s.status, 'active') AS status,
               COALESCE(s.metadata, '{{}}') AS metadata, s.date_last_modified::timestamptz AS source_modified_at,
               {" OR ".join(lost) or "false"} AS lost
               {"".join(f", {column}" for column in columns)}
        FROM s_{record.stage} s {" ".join(joins)}
    """


def _resolved(record: Record, ref: Ref, alias: str) -> tuple[str, str, str]:
    """How a reference is resolved: a join, the value, and the condition that it (or one of several) leads nowhere."""
    if not ref.is_named:
        return "", f's.{ref.staged} COLLATE "default"', ""
    names = f"n_{STAGES[ref.file]}"
    if not ref.many:
        join = f"LEFT JOIN {names} {alias} ON {alias}.sourced_id = s.{ref.staged}"
        return join, f"{alias}.id", f"s.{ref.staged} IS NOT NULL AND {alias}.id IS NULL"
    join = f"""
        LEFT JOIN (
            SELECT one.line, array_agg(n.id ORDER BY one.n) FILTER (WHERE n.id IS NOT NULL) AS ids,
                   bool_or(n.id IS NULL) AS lost
            FROM (SELECT line, said.name, said.n
                  FROM s_{record.stage}, unnest(string_to_array({ref.staged}, ',')) WITH ORDINALITY AS said (name, n)
                  WHERE {ref.staged} IS NOT NULL) AS one
            LEFT JOIN {names} n ON n.sourced_id = one.name COLLATE "C"
            GROUP BY one.line
        ) AS {alias} ON {alias}.line = s.line
    """
    return join, f"COALESCE({alias}.ids, '{{}}')", f"COALESCE({alias}.lost, false)"


async def forget_aliases(tx: Transaction, file: str) -> None:
    """Of several names in the file that mean one person, the one he is known by speaks; else the first."""
    stage, kind = STAGES[file], RECORDS[file].names_file
    if kind is None:
        return
    names = f"n_{STAGES[kind]}"
    if not await tx.fetchval(
        f"""
        SELECT EXISTS (SELECT FROM d_{stage} WHERE change <> 'vanished' AND is_new_name IS NOT TRUE)
           AND EXISTS (SELECT FROM {names} GROUP BY id HAVING count(*) > 1)
        """
    ):
        return
    await tx.run(
        f"""
        DELETE FROM d_{stage} d USING (
            SELECT s.line, row_number() OVER (
                PARTITION BY n.id ORDER BY (s.sourced_id = t.sourced_id) IS TRUE DESC, s.line) AS nth
            FROM s_{stage} s JOIN {names} n ON n.sourced_id = s.sourced_id
            LEFT JOIN {RECORDS[file].table} t ON t.district_id = $1 AND t.{RECORDS[file].key} = n.id
            WHERE NOT s.refused
        ) AS spoken
        WHERE spoken.line = d.line AND spoken.nth > 1
        """,
        tx.caller.district,
    )


async def forget_older(tx: Transaction, file: File, findings: Findings) -> None:
    """What a delta says is left out where something later is known already; each is told."""
    await tell(
        tx,
        findings,
        f"""
        marked AS (
            DELETE FROM d_{file.stage} WHERE change = 'changed' AND source_modified_at < kept_modified_at
            RETURNING line, sourced_id AS value
        )""",
        [],
        lambda value: Finding(
            file.csv, None, "dateLastModified", value, "older-than-known",
            "Left out: what is known of this record was changed later.", repaired=True,
        ),
    )  # fmt: skip


async def keep_all(tx: Transaction, file: str) -> None:
    """Nothing of a file vanishes."""
    await tx.run(f"DELETE FROM d_{STAGES[file]} WHERE change = 'vanished'")


async def keep_those_of(tx: Transaction, file: str, teller: str) -> None:
    """What people have does not vanish where a row of theirs, in the file that tells of it, is refused.

    The row may have said just that, under another name: what is known stays until it can be read.
    """
    who = "sourced_id" if teller == "users" else "user_sourced_id"
    await tx.run(
        f"""
        DELETE FROM d_{STAGES[file]} d
        USING s_{STAGES[teller]} s JOIN n_{STAGES["users"]} n ON n.sourced_id = s.{who}
        WHERE d.change = 'vanished' AND s.refused AND d.person_id = n.id
        """
    )


async def changes(tx: Transaction, file: str) -> Changes:
    """How many records of a file are new, changed, vanished."""
    rows = await tx.fetch(f"SELECT change, count(*) AS n FROM d_{STAGES[file]} GROUP BY change")
    found = {row["change"]: row["n"] for row in rows}
    return Changes(found.get("new", 0), found.get("changed", 0), found.get("vanished", 0))


async def list_vanished(tx: Transaction) -> int:
    """Who is named no more, in one table for those who judge whether that was meant; how many."""
    current = "(begin_on IS NULL OR begin_on <= current_date) AND (end_on IS NULL OR end_on > current_date)"
    picked = {
        "orgs": "NULL::uuid, NULL::uuid, id, NULL, true",
        "classes": "NULL::uuid, id, school_id, NULL, true",
        "users": "id, NULL::uuid, NULL::uuid, NULL, true",
        "roles": f"person_id, NULL::uuid, org_id, role, {current}",
        "enrollments": f"person_id, class_id, school_id, role, {current}",
    }
    return await tx.changed(
        "INSERT INTO s_vanished (file, sourced_id, id, person_id, class_id, school_id, role, is_current)"
        + " UNION ALL ".join(
            f" SELECT '{file}', sourced_id, id, {columns} FROM d_{STAGES[file]} WHERE change = 'vanished'"
            for file, columns in picked.items()
        )
    )


async def end_former_roles(tx: Transaction) -> int:
    """In a delta of 1.1 a user's row says all his roles: what it says no more has vanished; how many."""
    return await tx.changed(
        """
        INSERT INTO d_roles (change, sourced_id, status, was_active, metadata, source_modified_at, role, role_type,
                             begin_on, end_on, person_id, org_id, old_person_id, old_org_id)
        SELECT 'vanished', r.sourced_id, 'tobedeleted', true, r.metadata, r.source_modified_at, r.role, r.role_type,
               r.begin_on, r.end_on, r.person_id, r.org_id, r.person_id, r.org_id
        FROM s_users s JOIN n_users n ON n.sourced_id = s.sourced_id
        JOIN roles r ON r.district_id = $1 AND r.person_id = n.id
        WHERE NOT s.refused AND r.status = 'active' AND starts_with(r.sourced_id, s.sourced_id || '|')
          AND NOT EXISTS (SELECT FROM s_roles said WHERE said.sourced_id = r.sourced_id)
        """,
        tx.caller.district,
    )


async def only_roles_changed(tx: Transaction) -> int:
    """How many people have other roles, and are not changed otherwise."""
    found: int = await tx.fetchval(
        """
        SELECT count(DISTINCT person_id) FROM d_roles r
        WHERE change <> 'dated' AND NOT EXISTS (SELECT FROM d_users u WHERE u.id = r.person_id AND u.change <> 'dated')
        """
    )
    return found
