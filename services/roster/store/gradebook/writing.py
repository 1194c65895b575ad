"""Saving records of the gradebook: what is the same stays untouched, everything else changes in one revision."""

# ruff: noqa: S608  # the names put into SQL are constants of ours

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid5

import asyncpg
import orjson

from services.roster.domain.gradebook.bodies import Objective, Problem, Refused
from services.roster.domain.gradebook.kinds import Kind
from services.roster.domain.gradebook.rows import Row
from services.roster.store import revisions
from services.roster.store.gradebook import ending
from services.roster.store.gradebook.kept import KEPT, Kept, Parent, parents_of
from services.roster.store.gradebook.known import Before, before
from shared.db import Transaction
from shared.errors import Forbidden


class NotReached(Forbidden):
    """This sourcedId belongs to a record that this key does not reach."""


async def save(tx: Transaction, number: int, kind: Kind, rows: Sequence[Row]) -> int:
    """Keep these records in this revision; how many are new or different. The caller holds their names.

    Raises Refused when what they belong to was deleted meanwhile, Forbidden for what the key does not reach.
    """
    kept, known = KEPT[kind], await before(tx, kind, [row.sourced_id for row in rows])
    changed = [row for row in rows if row.sourced_id not in known or known[row.sourced_id].differs(row)]
    if not changed:
        return 0
    await _reached(tx, kind, changed, known)
    await ending.refuse_ours(tx, kind, [row.sourced_id for row in changed if row.sourced_id not in known])
    await _move_parents(tx, number, kept, changed, known)
    await _upsert(tx, number, kept, changed)
    await _save_parts(tx, number, kept, changed, known)
    ended = [row.sourced_id for row in changed if row.status != "active" and _was_active(known, row)]
    if ended:
        await ending.end_dependants(tx, number, kind, ended)
    await revisions.stamp(tx, number)
    return len(changed)


def _was_active(known: Mapping[str, Before], row: Row) -> bool:
    return row.sourced_id in known and known[row.sourced_id].status == "active"


async def _reached(tx: Transaction, kind: Kind, rows: Sequence[Row], known: Mapping[str, Before]) -> None:
    """A key of named schools writes what is theirs; what several schools share it may add to, and not change."""
    if tx.caller.schools is None:
        return
    if kind is Kind.ASSESSMENT_LINE_ITEM:
        shared = any(one.columns.get("class_id") is None for one in known.values())
        if shared or any(row.columns["class_id"] is None for row in rows):
            raise Forbidden("A key of named schools writes assessment line items of their classes; name the class.")
    if kind is Kind.CATEGORY and known:
        await ending.only_of_caller(tx, list(known))


async def _move_parents(
    tx: Transaction, number: int, kept: Kept, rows: Sequence[Row], known: Mapping[str, Before]
) -> None:
    """What records come to, or leave, changes with them; what they stay with must not go meanwhile."""
    for parent in parents_of(kept):
        moved, stayed = _ends(parent, rows, known)
        here = await _bump(tx, number, parent, moved) if moved else set()
        if not parent.by_id:
            here |= await _share(tx, parent, stayed - moved) if stayed - moved else set()
            _still_there(parent, rows, here)


def _ends(parent: Parent, rows: Sequence[Row], known: Mapping[str, Before]) -> tuple[set[Any], set[Any]]:
    """What these rows come to or leave, and what they stay with."""
    moved: set[Any] = set()
    stayed: set[Any] = set()
    for row in rows:
        was = known.get(row.sourced_id)
        now = set(_pointed(parent, row.columns, row.scales if row.scales is not None else was.scales if was else ()))
        had = set(_pointed(parent, was.columns, was.scales)) if was is not None else set()
        if was is None or was.status != row.status:
            moved |= now | had
        else:
            moved |= now ^ had
            stayed |= now & had
    return moved, stayed


def _pointed(parent: Parent, columns: Mapping[str, Any], scales: Sequence[str]) -> list[Any]:
    if parent.column == "score_scale" and "score_scale" not in columns:
        return list(scales)
    value = columns.get(parent.column)
    return [] if value is None else [value]


async def _bump(tx: Transaction, number: int, parent: Parent, ends: set[Any]) -> set[Any]:
    """These change in this revision too; those of them that are active."""
    key, type_ = ("id", "uuid") if parent.by_id else ("sourced_id", "text")
    rows = await tx.fetch(
        f"""
        WITH held AS (
            SELECT {key} FROM {parent.table} WHERE district_id = $1 AND {key} = ANY ($2::{type_}[])
            ORDER BY {key} FOR NO KEY UPDATE
        )
        UPDATE {parent.table} t SET revision = $3 FROM held
        WHERE t.district_id = $1 AND t.{key} = held.{key}
        RETURNING t.{key} AS key, t.status = 'active' AS is_active
        """,
        tx.caller.district, sorted(ends), number,
    )  # fmt: skip
    return {row["key"] for row in rows if row["is_active"]}


async def _share(tx: Transaction, parent: Parent, ends: set[Any]) -> set[Any]:
    """Nobody deletes these before we are done; those of them that are active."""
    rows = await tx.fetch(
        f"""
        SELECT sourced_id FROM {parent.table}
        WHERE district_id = $1 AND sourced_id = ANY ($2::text[]) AND status = 'active' ORDER BY sourced_id FOR SHARE
        """,
        tx.caller.district, sorted(ends),
    )  # fmt: skip
    return {row["sourced_id"] for row in rows}


def _still_there(parent: Parent, rows: Sequence[Row], here: set[Any]) -> None:
    problems = [
        Problem(row.place, f"names {parent.target} {end}, which is deleted")
        for row in rows
        if row.status == "active"
        for end in _pointed(parent, row.columns, row.scales or ())
        if end not in here
    ]
    if problems:
        raise Refused(problems)


async def _upsert(tx: Transaction, number: int, kept: Kept, rows: Sequence[Row]) -> None:
    """All of them in one statement. Columns the version of the standard has no word for stay as they are."""
    columns = [name for name in kept.columns if name in rows[0].columns]
    try:
        await tx.run(
            _upsert_sql(kept, columns),
            tx.caller.district,
            number,
            [row.sourced_id for row in rows],
            [row.status for row in rows],
            [row.modified_at for row in rows],
            [orjson.dumps(row.metadata).decode() for row in rows],
            *([_value(kept.columns[name], row.columns[name]) for row in rows] for name in columns),
        )
    except asyncpg.InsufficientPrivilegeError as wrong:
        raise NotReached from wrong


def _value(type_: str, value: Any) -> Any:
    return orjson.dumps(value).decode() if type_ == "jsonb" else value


def _upsert_sql(kept: Kept, columns: Sequence[str]) -> str:
    arrays = ", ".join(f"${number}::{kept.columns[name]}[]" for number, name in enumerate(columns, start=7))
    names = ", ".join(columns)
    return f"""
        INSERT INTO {kept.table} AS t
            (district_id, sourced_id, status, source_modified_at, metadata, {names}, ended_on, revision, since, until)
        SELECT $1, i.*, CASE WHEN i.status = 'active' THEN NULL ELSE current_date END, $2, $2,
               CASE WHEN i.status = 'active' THEN NULL ELSE $2::bigint END
        FROM unnest($3::text[], $4::text[], $5::timestamptz[], $6::jsonb[], {arrays})
             AS i (sourced_id, status, source_modified_at, metadata, {names})
        ORDER BY i.sourced_id
        ON CONFLICT (district_id, sourced_id) DO UPDATE SET
            status = excluded.status, source_modified_at = excluded.source_modified_at, metadata = excluded.metadata,
            {", ".join(f"{name} = excluded.{name}" for name in columns)},
            revision = excluded.revision,
            since = CASE WHEN t.status <> 'active' AND excluded.status = 'active' THEN excluded.since ELSE t.since END,
            until = CASE WHEN excluded.status = 'active' THEN NULL ELSE COALESCE(t.until, excluded.until) END,
            ended_on = CASE WHEN excluded.status = 'active' THEN NULL ELSE COALESCE(t.ended_on, excluded.ended_on) END
    """


async def _save_parts(
    tx: Transaction, number: int, kept: Kept, rows: Sequence[Row], known: Mapping[str, Before]
) -> None:
    """Objectives and scales: rows of their own, in places that are named after the record."""
    if kept.objectives is not None:
        said = {
            row.sourced_id: _objectives(row)
            for row in rows
            if row.objectives is not None and _objectives(row) != _had(known, row)[0]
        }
        columns = {"source": "text", "objective": "text"}
        columns |= {"score": "double precision", "text_score": "text"} if kept.scored else {}
        await _save_places(tx, number, kept.objectives, kept.own, columns, said)
    if kept.scales is not None:
        scales = {
            row.sourced_id: [(scale,) for scale in row.scales] if row.status == "active" else []
            for row in rows
            if row.scales is not None and (row.scales if row.status == "active" else ()) != _had(known, row)[1]
        }
        await _save_places(tx, number, kept.scales, kept.own, {"score_scale": "text"}, scales)


def _objectives(row: Row) -> list[tuple[Any, ...]]:
    """What is kept; nothing of a record that ends."""
    if row.status != "active" or row.objectives is None:
        return []
    return [_cells(one) for one in row.objectives]


def _cells(one: Objective) -> tuple[Any, ...]:
    return one.source, one.name, one.score, one.text_score


def _had(known: Mapping[str, Before], row: Row) -> tuple[list[tuple[Any, ...]], tuple[str, ...]]:
    was = known.get(row.sourced_id)
    return ([], ()) if was is None else ([_cells(one) for one in was.objectives], was.scales)


async def _save_places(
    tx: Transaction,
    number: int,
    table: str,
    own: str,
    columns: Mapping[str, str],
    said: Mapping[str, Sequence[tuple[Any, ...]]],
) -> None:
    """Each record's parts, in order, in places numbered from 0; what is in no place any more ends."""
    if not said:
        return
    places = [
        (f"{uuid5(tx.caller.district, f'{table}:{name}')}.{place:04}", name, cells)
        for name, parts in said.items()
        for place, cells in enumerate(parts)
    ]
    await tx.run(
        f"""
        UPDATE {table} SET status = 'tobedeleted', ended_on = current_date, revision = $2, until = $2
        WHERE district_id = $1 AND {own} = ANY ($3::text[]) AND status = 'active' AND sourced_id <> ALL ($4::text[])
        """,
        tx.caller.district, number, list(said), [place[0] for place in places],
    )  # fmt: skip
    if not places:
        return
    names = ", ".join(columns)
    arrays = ", ".join(f"${number}::{type_}[]" for number, type_ in enumerate(columns.values(), start=5))
    await tx.run(
        f"""
        INSERT INTO {table} AS t
            (district_id, status, metadata, revision, since, sourced_id, {own}, {names})
        SELECT $1, 'active', '{{}}', $2, $2, i.*
        FROM unnest($3::text[], $4::text[], {arrays}) AS i (sourced_id, {own}, {names})
        ON CONFLICT (district_id, sourced_id) DO UPDATE SET
            status = 'active', ended_on = NULL, until = NULL, revision = excluded.revision,
            since = CASE WHEN t.status = 'active' THEN t.since ELSE excluded.since END,
            {", ".join(f"{name} = excluded.{name}" for name in columns)}
        """,
        tx.caller.district, number, [place[0] for place in places], [place[1] for place in places],
        *([place[2][at] for place in places] for at in range(len(columns))),
    )  # fmt: skip
