"""Deleting records of the gradebook: they stay as tombstones, and what is part of them ends with them.

Results end with their line item, parts of an assessment and their results with it. A category or a score scale that is
in use is not deleted: the grades of a class are not to vanish, nor to lose their meaning, with a word.
"""

# ruff: noqa: S608  # the names put into SQL are constants of ours

from collections.abc import Sequence

from services.roster.domain.gradebook.kinds import Kind
from services.roster.store import assessed, revisions
from services.roster.store.gradebook import whole_district
from services.roster.store.gradebook.kept import KEPT, parents_of
from shared.db import Transaction
from shared.errors import Forbidden, Invalid, NotFound

_PARTS = {
    Kind.CATEGORY: (),
    Kind.SCORE_SCALE: (),
    Kind.LINE_ITEM: ("line_item_objectives", "line_item_scales"),
    Kind.RESULT: ("result_objectives", "result_scales"),
    Kind.ASSESSMENT_LINE_ITEM: ("assessment_line_item_objectives",),
    Kind.ASSESSMENT_RESULT: ("assessment_result_objectives",),
}
_WHOLES = {
    Kind.LINE_ITEM: ((Kind.RESULT, "line_item"),),
    Kind.ASSESSMENT_LINE_ITEM: (
        (Kind.ASSESSMENT_LINE_ITEM, "parent"),
        (Kind.ASSESSMENT_RESULT, "assessment_line_item"),
    ),
}
_USERS = {
    Kind.CATEGORY: (("line_items", "category"),),
    Kind.SCORE_SCALE: (
        ("line_item_scales", "score_scale"),
        ("result_scales", "score_scale"),
        ("assessment_line_items", "score_scale"),
        ("assessment_results", "score_scale"),
    ),
}


class Ours(Forbidden):
    """This is made of what the platform itself found out; it cannot be written."""


class InUse(Invalid):
    """This is in use and cannot be deleted."""


async def delete(tx: Transaction, number: int, kind: Kind, name: str) -> None:
    """In this revision this record ends, with what is part of it. The caller holds its name.

    Raises NotFound, InUse, Forbidden.
    """
    kept = KEPT[kind]
    parents = [parent for parent in parents_of(kept) if parent.column in kept.columns]
    columns = "".join(f", {parent.column}" for parent in parents)
    row = await tx.fetchrow(
        f"""
        SELECT sourced_id{columns} FROM {kept.table} WHERE district_id = $1 AND sourced_id = $2 AND status = 'active'
        """,
        tx.caller.district, name,
    )  # fmt: skip
    await refuse_ours(tx, kind, [name])
    if row is None:
        raise NotFound(f"There is no {kind} {name}.")
    if tx.caller.schools is not None and kind is Kind.CATEGORY:
        await only_of_caller(tx, [name])
    if tx.caller.schools is not None and kind is Kind.ASSESSMENT_LINE_ITEM and row["class_id"] is None:
        raise Forbidden("This assessment line item is of no class; it needs a key of the whole district.")
    for parent in parents:
        if row[parent.column] is not None:
            key = "id" if parent.by_id else "sourced_id"
            await tx.run(
                f"UPDATE {parent.table} SET revision = $3 WHERE district_id = $1 AND {key} = $2 AND status = 'active'",
                tx.caller.district, row[parent.column], number,
            )  # fmt: skip
    ended = await tx.changed(
        f"""
        UPDATE {kept.table} SET status = 'tobedeleted', ended_on = current_date, revision = $3, until = $3
        WHERE district_id = $1 AND sourced_id = $2 AND status = 'active'
        """,
        tx.caller.district, name, number,
    )  # fmt: skip
    if not ended:
        raise NotFound(f"There is no {kind} {name}.")
    await end_dependants(tx, number, kind, [name])
    await revisions.stamp(tx, number)


async def end_dependants(tx: Transaction, number: int, kind: Kind, names: Sequence[str]) -> None:
    """What is part of records that have just ended ends in the same revision. Raises InUse."""
    async with whole_district(tx):
        await _refuse_in_use(tx, kind, names)
        await _end_parts(tx, number, kind, names)


async def refuse_ours(tx: Transaction, kind: Kind, names: Sequence[str]) -> None:
    """Raises Ours when one of these is an assessment's own."""
    if kind not in (Kind.ASSESSMENT_LINE_ITEM, Kind.ASSESSMENT_RESULT):
        return
    for name in names:
        if await assessed.is_ours(tx, KEPT[kind].table, name):
            raise Ours


async def only_of_caller(tx: Transaction, categories: Sequence[str]) -> None:
    """Raises Forbidden when other schools than the caller's have line items in one of these categories."""
    schools = tx.caller.schools or ()
    async with whole_district(tx):
        shared = await tx.fetchval(
            """
            SELECT EXISTS (SELECT FROM line_items WHERE district_id = $1 AND category = ANY ($2::text[])
                           AND status = 'active' AND school_id <> ALL ($3::uuid[]))
            """,
            tx.caller.district, list(categories), list(schools),
        )  # fmt: skip
    if shared:
        raise Forbidden("Other schools have line items in this category; it needs a key of the whole district.")


async def _refuse_in_use(tx: Transaction, kind: Kind, names: Sequence[str]) -> None:
    for table, column in _USERS.get(kind, ()):
        users = await tx.fetchval(
            f"""
            SELECT count(*) FROM {table} WHERE district_id = $1 AND {column} = ANY ($2::text[]) AND status = 'active'
            """,
            tx.caller.district, list(names),
        )  # fmt: skip
        if users:
            what = "results" if "result" in table else "line items"
            raise InUse(f"{users} {what} use this {kind}; it cannot be deleted before they are.")


async def _end_parts(tx: Transaction, number: int, kind: Kind, names: Sequence[str]) -> None:
    own = KEPT[kind].own
    for table in _PARTS[kind]:
        await tx.run(
            f"""
            UPDATE {table} SET status = 'tobedeleted', ended_on = current_date, revision = $3, until = $3
            WHERE district_id = $1 AND {own} = ANY ($2::text[]) AND status = 'active'
            """,
            tx.caller.district, list(names), number,
        )  # fmt: skip
    for part, column in _WHOLES.get(kind, ()):
        rows = await tx.fetch(
            f"""
            UPDATE {KEPT[part].table} SET status = 'tobedeleted', ended_on = current_date, revision = $3, until = $3
            WHERE district_id = $1 AND {column} = ANY ($2::text[]) AND status = 'active' RETURNING sourced_id
            """,
            tx.caller.district, list(names), number,
        )  # fmt: skip
        if rows:
            await _end_parts(tx, number, part, [row["sourced_id"] for row in rows])
