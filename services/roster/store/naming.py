"""Which of our identities a name means: what the crosswalk says today, else a new one that follows from the name."""

# ruff: noqa: S608  # the names put into SQL are constants of ours

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from hashlib import sha1
from uuid import UUID

from services.roster.domain.delivery import Came
from services.roster.store.records import RECORDS, SOURCE, STAGES, TYPES
from shared.db import Transaction

_PAGES_AT_ONCE = 250
"""Pages of a temporary table that are read in one go; some tens of thousands of rows."""


def row_id(district: UUID, type: str, sourced_id: str, nth: int = 1) -> UUID:
    """A row's identity at first sight: uuid5(district, `source:type:sourcedId`). Never change it.

    `nth`: an identifier that once named another row, and was given to a new one, begins a new identity.
    """
    name = f"{SOURCE}:{type}:{sourced_id}" + (f":{nth}" if nth > 1 else "")
    digest = sha1(district.bytes + name.encode(), usedforsecurity=False).digest()
    return UUID(bytes=digest[:16], version=5)


async def resolve(tx: Transaction, file: str, came: Mapping[str, Came], *, is_whole: bool, has_twins: bool) -> int:
    """Fill `n_…`: what the staged names of this kind mean, and, unless the file is whole, those referred to.

    How many of them were never seen before.
    """
    stage, type, known = STAGES[file], TYPES[file], 0
    if file in came:
        known = await tx.changed(
            f"""
            INSERT INTO n_{stage} (sourced_id, id, is_new)
            SELECT {"DISTINCT" if has_twins else ""} s.sourced_id, c.row_id, false
            FROM s_{stage} s JOIN crosswalk c ON c.sourced_id = s.sourced_id
            WHERE c.district_id = $1 AND c.source = '{SOURCE}' AND c.type = '{type}' AND c.end_on IS NULL
            """,
            tx.caller.district,
        )
    if not is_whole:
        await _refer(tx, file, came)
    if file not in came or (known == came[file].rows and not came[file].refused):
        return 0
    return await _mint(tx, file)


async def _refer(tx: Transaction, file: str, came: Collection[str]) -> None:
    """What is referred to may be known though its file did not come, or not whole."""
    names = [
        f"SELECT unnest(string_to_array({ref.staged}, ',')) COLLATE \"C\" AS name FROM s_{record.stage}"
        if ref.many
        else f"SELECT {ref.staged} AS name FROM s_{record.stage}"
        for record in RECORDS.values()
        if record.file in came
        for ref in record.refs
        if ref.file == file
    ]
    if file == "users" and "demographics" in came:
        names.append("SELECT sourced_id FROM s_demographics")
    if file == "orgs" and "users" in came:
        names.append("SELECT unnest(string_to_array(org_sourced_ids, ',')) COLLATE \"C\" FROM s_users")
    if not names:
        return
    await tx.run(
        f"""
        INSERT INTO n_{STAGES[file]} (sourced_id, id, is_new)
        SELECT c.sourced_id, c.row_id, false
        FROM (SELECT DISTINCT name FROM ({" UNION ALL ".join(names)}) AS every WHERE name IS NOT NULL) AS named
        JOIN crosswalk c ON c.sourced_id = named.name
        WHERE c.district_id = $1 AND c.source = '{SOURCE}' AND c.type = '{TYPES[file]}' AND c.end_on IS NULL
          AND NOT EXISTS (SELECT FROM n_{STAGES[file]} n WHERE n.sourced_id = named.name)
        """,
        tx.caller.district,
    )


async def _mint(tx: Transaction, file: str) -> int:
    """Give an identity to every staged name that is seen for the first time."""
    stage = STAGES[file]
    await tx.run("TRUNCATE unseen")
    new = await tx.changed(
        f"""
        INSERT INTO unseen SELECT s.sourced_id FROM s_{stage} s
        WHERE NOT s.refused AND NOT EXISTS (SELECT FROM n_{stage} n WHERE n.sourced_id = s.sourced_id)
        """
    )
    if not new:
        return 0
    is_first = not await tx.fetchval(
        "SELECT EXISTS (SELECT FROM crosswalk WHERE district_id = $1 AND source = $2 AND type = $3)",
        tx.caller.district,
        SOURCE,
        TYPES[file],
    )
    later: set[UUID] = set()
    async for names in _names(tx):
        ids = await asyncio.to_thread(_first_ids, tx.caller.district, TYPES[file], names)
        if not is_first:
            ids = await _free_ids(tx, TYPES[file], names, ids, later)
        await tx.copy(
            f"n_{stage}", ["sourced_id", "id", "is_new"], [(*one, True) for one in zip(names, ids, strict=True)]
        )
    return new


async def _names(tx: Transaction) -> AsyncIterator[list[str]]:
    """The unseen names, some pages of them at a time."""
    async for begin, end in pages(tx, "unseen"):
        yield (
            await tx.fetchval(
                "SELECT array_agg(sourced_id) FROM unseen WHERE ctid >= $1::text::tid AND ctid < $2::text::tid",
                begin,
                end,
            )
            or []
        )


async def pages(tx: Transaction, table: str) -> AsyncIterator[tuple[str, str]]:
    """The places of a temporary table's rows, cut into ranges; a range is read without looking at the rest."""
    size = await tx.fetchval("SELECT pg_relation_size($1::text::regclass) / current_setting('block_size')::int", table)
    for page in range(0, size, _PAGES_AT_ONCE):
        yield f"({page},0)", f"({page + _PAGES_AT_ONCE},0)"


def _first_ids(district: UUID, type: str, names: Sequence[str]) -> list[UUID]:
    return [row_id(district, type, name) for name in names]


async def _free_ids(
    tx: Transaction, type: str, names: Sequence[str], ids: list[UUID], later: set[UUID]
) -> list[UUID]:  # fmt: skip
    """Identities for names seen for the first time; never one that a row has already, whose name has changed.

    `later`: identities that are not the first of their names, in this file so far. Somebody else may be called so.
    """
    district, nth = tx.caller.district, 1
    while True:
        known = await tx.fetch(
            "SELECT row_id FROM crosswalk WHERE district_id = $1 AND row_id = ANY ($2)", district, ids
        )
        taken = {row["row_id"] for row in known} | later.intersection(ids)
        if nth > 1:
            taken.update(id for id, times in Counter(ids).items() if times > 1)
        if not taken:
            break
        nth += 1
        ids = [row_id(district, type, name, nth) if id in taken else id for name, id in zip(names, ids, strict=True)]
    if nth > 1:
        later.update(set(ids).difference(_first_ids(district, type, names)))
    return ids


async def forget_refused(tx: Transaction, file: str) -> None:
    """Whose row was refused at its first sight is nobody: who refers to it refers to nothing."""
    stage = STAGES[file]
    await tx.run(
        f"""
        DELETE FROM n_{stage} n USING s_{stage} s
        WHERE n.is_new AND s.sourced_id = n.sourced_id AND s.refused
          AND NOT EXISTS (SELECT FROM s_{stage} twin WHERE twin.sourced_id = n.sourced_id AND NOT twin.refused)
        """
    )
