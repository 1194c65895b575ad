"""Whether what differs leads somewhere. What does not differ did so before, and still does, or it would differ."""

# ruff: noqa: S608  # the names put into SQL are constants of ours

from collections.abc import Collection

from services.roster.domain.columns import Column, File
from services.roster.domain.findings import Finding, Findings
from services.roster.store.checking import tell
from services.roster.store.records import RECORDS, STAGES, TYPES, Ref
from shared.db import Transaction


async def users_orgs(tx: Transaction, file: File, came: Collection[str], findings: Findings) -> int:
    """In 1.1 a user's organisations are his row's, and become roles of their own: checked before these are made.

    How many rows were refused.
    """
    column = next(column for column in file.columns if column.place == "org_sourced_ids")
    return await tell(
        tx,
        findings,
        """
        lost AS (
            SELECT s.line, string_agg(said.name, ',' ORDER BY said.n) AS names
            FROM s_users s, unnest(string_to_array(s.org_sourced_ids, ',')) WITH ORDINALITY AS said (name, n)
            WHERE NOT s.refused AND s.status IS DISTINCT FROM 'tobedeleted'
              AND NOT EXISTS (SELECT FROM n_orgs o WHERE o.sourced_id = said.name COLLATE "C")
            GROUP BY s.line
        ),
        marked AS (
            UPDATE s_users s SET refused = true FROM lost WHERE s.line = lost.line RETURNING s.line, lost.names AS value
        )""",
        [],
        lambda value: _unknown(file, column, value, "orgs" in came, must_hold=True),
    )


async def check(tx: Transaction, file: File, came: Collection[str], findings: Findings) -> int:
    """Refuse rows that refer to nothing and must; of the others keep what they said among their metadata.

    How many rows were refused.
    """
    record = RECORDS[file.name]
    for one in record.refs:
        if not one.is_named:
            await _mark_lost(tx, file.name, one, came)
    if not await tx.fetchval(f"SELECT EXISTS (SELECT FROM d_{file.stage} WHERE lost)"):
        return 0
    by_place = {ref.staged: ref for ref in record.refs}
    if file.mode == "delta":
        await _leave_the_leaving(tx, file)
    refused = 0
    for column in file.references:
        delivered = column.target in came
        must_hold = column.needed or (column.required and delivered)
        if ref := by_place.get(column.place or ""):
            if ref.is_named:
                marked = await _check_named(tx, file, column, ref, findings, delivered=delivered, must_hold=must_hold)
                refused += marked if must_hold else 0
            else:
                refused += await _refuse(tx, file, column, "d.lost", findings, delivered=delivered)
        elif column.place == "sourced_id":
            refused += await _refuse(tx, file, column, "d.id IS NULL", findings, delivered=delivered)
    await _forget_the_same(tx, file.name)
    return refused


async def one_primary(tx: Transaction, file: File, findings: Findings) -> None:
    """Nobody has two primary roles in one organisation at a time: what is known and stays so stands, then the first in
    the file; the others are secondary."""
    for others, values in ((_FIRST_IN_FILE, []), (_KNOWN_PRIMARY, [tx.caller.district])):
        await tell(
            tx,
            findings,
            f"""
            marked AS (
                UPDATE d_roles d SET role_type = 'secondary', lost = true
                FROM s_roles s
                WHERE s.line = d.line AND d.role_type = 'primary' AND d.status = 'active' AND EXISTS ({others})
                RETURNING s.line, s.sourced_id AS value
            )""",
            values,
            lambda value: Finding(
                file.csv, None, "roleType", value, "second-primary-role",
                "Read as secondary: the person has a primary role in this organisation already.", repaired=True,
            ),
        )  # fmt: skip


_FIRST_IN_FILE = """
    SELECT FROM s_roles first
    WHERE first.user_sourced_id = s.user_sourced_id AND first.org_sourced_id = s.org_sourced_id
      AND first.role_type = 'primary' AND NOT first.refused AND first.line < s.line
      AND first.status IS DISTINCT FROM 'tobedeleted'
      AND COALESCE(first.begin_date::date < d.end_on, true)
      AND COALESCE(d.begin_on < first.end_date::date, true)
"""
_KNOWN_PRIMARY = """
    SELECT FROM roles k
    WHERE k.district_id = $1 AND k.person_id = d.person_id AND k.org_id = d.org_id AND k.role_type = 'primary'
      AND k.status = 'active' AND k.sourced_id <> d.sourced_id
      AND COALESCE(k.begin_on < d.end_on, true) AND COALESCE(d.begin_on < k.end_on, true)
      AND NOT EXISTS (SELECT FROM d_roles x WHERE x.sourced_id = k.sourced_id AND x.change <> 'dated')
"""


async def _mark_lost(tx: Transaction, file: str, ref: Ref, came: Collection[str]) -> None:
    """A record known by its name alone is looked for where it is kept, and in the file that brings it."""
    target = RECORDS[ref.file]
    in_file = f"EXISTS (SELECT FROM s_{target.stage} x WHERE x.sourced_id = s.{ref.staged} AND NOT x.refused)"
    kept = f"""
        EXISTS (SELECT FROM {target.table} x WHERE x.district_id = $1 AND x.sourced_id = s.{ref.staged})
        AND NOT EXISTS (SELECT FROM d_{target.stage} x WHERE x.change = 'vanished' AND x.sourced_id = s.{ref.staged})
    """
    await tx.run(
        f"""
        UPDATE d_{STAGES[file]} d SET lost = true FROM s_{STAGES[file]} s
        WHERE s.line = d.line AND s.{ref.staged} IS NOT NULL AND NOT ({in_file}) AND NOT ({kept})
        """,
        tx.caller.district,
    )


async def _leave_the_leaving(tx: Transaction, file: File) -> None:
    """Who says that something ends need not say what it belonged to: that may have ended before it."""
    stage, refs = file.stage, RECORDS[file.name].refs
    kept = ", ".join(
        f"{ref.name} = CASE WHEN d.{ref.name} IS NULL THEN d.old_{ref.name} ELSE d.{ref.name} END" for ref in refs
    )  # fmt: skip
    await tx.run(f"DELETE FROM d_{stage} WHERE lost AND status = 'tobedeleted' AND change = 'new'")
    await tx.run(
        f"""
        UPDATE d_{stage} d SET lost = false {", " if kept else ""}{kept}
        WHERE lost AND status = 'tobedeleted' AND change = 'changed'
        """
    )


async def _check_named(
    tx: Transaction, file: File, column: Column, ref: Ref, findings: Findings, *, delivered: bool, must_hold: bool
) -> int:
    names = f"n_{STAGES[ref.file]}"
    said = f"string_to_array(s.{ref.staged}, ',')" if ref.many else f"ARRAY[s.{ref.staged}]"
    lost = f"""
        lost AS (
            SELECT s.line, string_agg(said.name, ',' ORDER BY said.n) AS names
            FROM d_{file.stage} d JOIN s_{file.stage} s ON s.line = d.line,
                 unnest({said}) WITH ORDINALITY AS said (name, n)
            WHERE d.lost AND NOT s.refused AND said.name IS NOT NULL
              AND NOT EXISTS (SELECT FROM {names} n WHERE n.sourced_id = said.name COLLATE "C")
            GROUP BY s.line
        )
    """
    if must_hold:
        action = f"""
            UPDATE s_{file.stage} s SET refused = true FROM lost WHERE s.line = lost.line
            RETURNING s.line, lost.names AS value
        """
    else:
        action = f"""
            UPDATE d_{file.stage} d SET metadata = d.metadata || jsonb_build_object('{column.name}', lost.names)
            FROM lost WHERE d.line = lost.line RETURNING d.line, lost.names AS value
        """
    return await tell(
        tx,
        findings,
        f"{lost}, marked AS ({action})",
        [],
        lambda value: _unknown(file, column, value, delivered, must_hold=must_hold),
    )


async def _refuse(
    tx: Transaction, file: File, column: Column, is_lost: str, findings: Findings, *, delivered: bool
) -> int:
    """Refuse what leads nowhere by a name of its own, or by itself."""
    assert column.target is not None
    target = RECORDS[column.target]
    exists = "false"
    if column.target not in TYPES:
        exists = f"""
            EXISTS (SELECT FROM s_{target.stage} x WHERE x.sourced_id = s.{column.place} AND NOT x.refused)
            OR EXISTS (SELECT FROM {target.table} x WHERE x.sourced_id = s.{column.place})
            AND NOT EXISTS (
                SELECT FROM d_{target.stage} x WHERE x.change = 'vanished' AND x.sourced_id = s.{column.place})
        """
    return await tell(
        tx,
        findings,
        f"""
        marked AS (
            UPDATE s_{file.stage} s SET refused = true FROM d_{file.stage} d
            WHERE d.line = s.line AND {is_lost} AND NOT s.refused AND NOT ({exists})
            RETURNING s.line, s.{column.place} AS value
        )""",
        [],
        lambda value: _unknown(file, column, value, delivered, must_hold=True),
    )


def _unknown(file: File, column: Column, value: str | None, delivered: bool, *, must_hold: bool) -> Finding:
    where = f"{column.target}.csv" if delivered else "what is known of this district"
    remedy = (
        f"Name one that is in {where}, or add it there."
        if must_hold
        else f"Kept among the metadata as {column.name}; it leads nowhere."
    )
    return Finding(file.csv, None, column.name, value, "unknown-reference", remedy, repaired=not must_hold)


async def forget_refused(tx: Transaction, file: str) -> None:
    """A refused row changes nothing."""
    stage = STAGES[file]
    await tx.run(f"DELETE FROM d_{stage} d USING s_{stage} s WHERE s.line = d.line AND s.refused")


async def _forget_the_same(tx: Transaction, file: str) -> None:
    """What was mended just as it was the last time is no change."""
    record = RECORDS[file]
    columns = ("status", "metadata", "sourced_id", *record.columns)
    mine = "d.id" if record.key != "sourced_id" else "d.sourced_id"
    await tx.run(
        f"""
        DELETE FROM d_{record.stage} d USING {record.table} t
        WHERE d.lost AND d.change = 'changed' AND t.district_id = $1 AND t.{record.key} = {mine}
          AND ROW({", ".join(f"t.{name}" for name in columns)})
              IS NOT DISTINCT FROM ROW({", ".join(f"d.{name}" for name in columns)})
        """,
        tx.caller.district,
    )
