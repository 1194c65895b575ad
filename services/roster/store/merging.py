"""What differs goes into the tables, a file in a few statements; what was before goes into the history."""

# ruff: noqa: S608  # the names put into SQL are constants of ours

from services.roster.store.records import RECORDS, SOURCE, TYPES, Record
from shared.db import Transaction

_HISTORY = {
    "roles": ("person_id", "org_id", "role", "role_type", "begin_on", "end_on"),
    "enrollments": ("person_id", "class_id", "school_id", "role", "is_primary", "begin_on", "end_on"),
}
"""Of these it is kept what they were: if one of these columns differs."""

_WHO = """
    SELECT person_id, bool_or(role = 'student') AS is_student, bool_or(role = 'teacher') AS is_teacher
    FROM (SELECT person_id, role FROM d_enrollments WHERE change = 'new'
          UNION ALL SELECT person_id, role FROM d_roles WHERE change = 'new') AS held
    GROUP BY person_id
"""


async def merge(tx: Transaction, file: str, revision: int) -> None:
    """Write what is new, changed, or vanished of a file, all of it in this revision."""
    await change(tx, file, revision)
    await add(tx, file, revision)
    if file in TYPES:
        await _name(tx, RECORDS[file])


async def change(tx: Transaction, file: str, revision: int) -> None:
    """Write what is changed or vanished of a file; what is new comes after it."""
    record = RECORDS[file]
    if file == "lineItems":
        await _schools_of_line_items(tx)
    if file in _HISTORY:
        await _remember(tx, record, revision)
    if record.names_file:
        await _free_names(tx, record)
    await _end_vanished(tx, record, revision)
    await _change(tx, record, revision)


async def date(tx: Transaction, file: str) -> None:
    """What a delta says anew without a difference keeps the later time, and its revision."""
    record = RECORDS[file]
    mine = "d.sourced_id" if record.key == "sourced_id" else "d.id"
    await tx.run(
        f"""
        UPDATE {record.table} t SET source_modified_at = d.source_modified_at
        FROM d_{record.stage} d WHERE d.change = 'dated' AND t.district_id = $1 AND t.{record.key} = {mine}
        """,
        tx.caller.district,
    )


async def add(tx: Transaction, file: str, revision: int, within: tuple[str, str] | None = None) -> None:
    """Write what is new of a file, or what of it is `within` a range of places in `d_…`."""
    record = RECORDS[file]
    own = list(record.columns)
    key = {"id": ["id"], "person_id": ["person_id"], "sourced_id": []}[record.key]
    flags, values, who = [], [], ""
    if record.file == "users":
        flags, who = ["is_student", "is_teacher"], f"LEFT JOIN ({_WHO}) AS who ON who.person_id = d.id"
        values = [f"COALESCE(who.{flag}, false)" for flag in flags]
    names = ["district_id", *key, "sourced_id", "status", "ended_on", "source_modified_at", "metadata", "revision",
             "since", "until", *own, *flags]  # fmt: skip
    # A gradebook may be written to by others at the same time: what they added meanwhile is theirs no less than ours.
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name not in ("district_id", "sourced_id"))
    conflict = (
        ""
        if record.names_file or record.file in _HISTORY
        else (f"ON CONFLICT (district_id, sourced_id) DO UPDATE SET {changes}")
    )
    await tx.run(
        f"""
        INSERT INTO {record.table} ({", ".join(names)})
        SELECT $1, {"d.id, " if key else ""}d.sourced_id, d.status,
               CASE WHEN d.status = 'active' THEN NULL ELSE current_date END, d.source_modified_at, d.metadata,
               $2::bigint, $2::bigint, CASE WHEN d.status = 'active' THEN NULL ELSE $2::bigint END
               {"".join(f", d.{name}" for name in own)}{"".join(f", {value}" for value in values)}
        FROM d_{record.stage} d {who}
        WHERE d.change = 'new' {"AND d.ctid >= $3::text::tid AND d.ctid < $4::text::tid" if within else ""}
        {conflict}
        """,
        tx.caller.district, revision, *(within or ()),
    )  # fmt: skip


async def _change(tx: Transaction, record: Record, revision: int) -> None:
    mine = "d.sourced_id" if record.key == "sourced_id" else "d.id"
    own = "".join(f", {name} = d.{name}" for name in record.columns)
    await tx.run(
        f"""
        UPDATE {record.table} t SET sourced_id = d.sourced_id, status = d.status, metadata = d.metadata,
            source_modified_at = d.source_modified_at, revision = $2,
            ended_on = CASE WHEN d.status = 'active' THEN NULL ELSE COALESCE(t.ended_on, current_date) END,
            since = CASE WHEN d.status = 'active' AND t.status <> 'active' THEN $2 ELSE t.since END,
            until = CASE WHEN d.status = 'active' THEN NULL ELSE COALESCE(t.until, $2) END{own}
        FROM d_{record.stage} d
        WHERE d.change = 'changed' AND t.district_id = $1 AND t.{record.key} = {mine}
        """,
        tx.caller.district, revision,
    )  # fmt: skip


async def _end_vanished(tx: Transaction, record: Record, revision: int) -> None:
    """What the file no longer names ends today; it stays, marked to be deleted."""
    mine = "d.sourced_id" if record.key == "sourced_id" else "d.id"
    await tx.run(
        f"""
        UPDATE {record.table} t SET status = 'tobedeleted', ended_on = current_date, revision = $2, until = $2
        FROM d_{record.stage} d
        WHERE d.change = 'vanished' AND t.district_id = $1 AND t.{record.key} = {mine}
        """,
        tx.caller.district, revision,
    )  # fmt: skip


async def _remember(tx: Transaction, record: Record, revision: int) -> None:
    columns = ", ".join(_HISTORY[record.file])
    before, after = (", ".join(f"{side}.{name}" for name in _HISTORY[record.file]) for side in "td")
    await tx.run(
        f"""
        INSERT INTO {record.table}_history (district_id, sourced_id, replaced_on, replaced_in, {columns})
        SELECT $1, t.sourced_id, current_date, $2, {before}
        FROM d_{record.stage} d JOIN {record.table} t ON t.district_id = $1 AND t.sourced_id = d.sourced_id
        WHERE d.change = 'changed' AND ROW({before}) IS DISTINCT FROM ROW({after})
        """,
        tx.caller.district, revision,
    )  # fmt: skip


async def _free_names(tx: Transaction, record: Record) -> None:
    """A name that goes from one record to another is given up before it is taken."""
    await tx.run(
        f"""
        UPDATE {record.table} t SET sourced_id = t.{record.key}::text
        FROM d_{record.stage} d
        WHERE d.change IN ('new', 'changed') AND t.district_id = $1 AND t.sourced_id = d.sourced_id
          AND t.{record.key} <> d.id
        """,
        tx.caller.district,
    )


async def _name(tx: Transaction, record: Record) -> None:
    """Whose name was seen for the first time is known by it from now on."""
    await tx.run(
        f"""
        INSERT INTO crosswalk (district_id, source, type, sourced_id, row_id)
        SELECT $1, '{SOURCE}', '{TYPES[record.file]}', sourced_id, id FROM d_{record.stage}
        WHERE change = 'new' AND is_new_name
        """,
        tx.caller.district,
    )


async def _schools_of_line_items(tx: Transaction) -> None:
    """In 1.1 a line item is of its class's school."""
    await tx.run(
        """
        UPDATE d_line_items d SET school_id = c.school_id FROM classes c
        WHERE d.school_id IS NULL AND c.district_id = $1 AND c.id = d.class_id
        """,
        tx.caller.district,
    )
