"""Where the pages of a list begin: walked through once, and from then on kept right by what changed.

A row that joined or left a list has the revision in which it did. So the stretches in which such rows lie are read
anew, by index, and the others stay. Only where rows can leave without a trace (identities that became others), where
another table decides who belongs, and for filters and keys of schools, the list is walked through again.
"""

# ruff: noqa: S608  # constants

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.roster.store.oneroster.conditions import AsOf, Values
from services.roster.store.oneroster.positions import EVERY, Known, Positions
from services.roster.store.oneroster.question import LATEST, Question, Since
from shared.db import Transaction

_UNDONE = "(SELECT count(*) FROM identity_events WHERE undone_at IS NOT NULL)"
_MOST = 2_000
"""If more rows than these changed, walking through the list is as quick."""
_TRIES = 3


async def walked(tx: Transaction, question: Question, since: Since, as_of: AsOf | None) -> Known:
    """Through the whole list once."""
    values = Values("")
    where = question.where(tx.caller, values, since, as_of)
    row = await tx.fetchrow(
        f"""
        SELECT {LATEST} AS latest, {_UNDONE} AS undone, listed.*
        FROM (SELECT count(*) AS total, array_agg(t.sourced_id) FILTER (WHERE t.n % {EVERY} = 1) AS keys
              FROM (SELECT t.sourced_id, row_number() OVER (ORDER BY t.sourced_id) AS n
                    FROM {question.collection.of.table} t WHERE {where} AND $1::text IS NOT NULL) t) listed
        """,
        *values.all(),
    )
    assert row is not None
    return Known(row["latest"], row["undone"], Positions(row["total"], tuple(sorted(row["keys"] or ()))))


async def renewed(tx: Transaction, question: Question, known: Known, since: Since) -> Known:
    """The same list as it is now; with the very positions, if nobody joined or left it."""
    if tx.caller.schools is not None or question.asked.filter is not None:
        return await walked(tx, question, since, None)
    for _ in range(_TRIES):
        news = await _news(tx, question, known.revision)
        stretches = known.positions.stretches(news.names)
        if news.elsewhere or news.undone != known.undone or len(news.names) > _MOST:
            break
        if not stretches:
            return replace(known, revision=news.latest)
        if not known.positions.keys or 2 * len(stretches) > len(known.positions.keys):
            break
        latest, found = await _read(tx, question, known.positions, stretches, since)
        if latest == news.latest:
            return Known(latest, news.undone, known.positions.renewed(found))
    return await walked(tx, question, since, None)


@dataclass(frozen=True, slots=True)
class _News:
    """What happened since a revision: whose belonging may have changed, and whether something else decides anew."""

    latest: int
    undone: int
    elsewhere: bool
    names: Sequence[str]


async def _news(tx: Transaction, question: Question, revision: int) -> _News:
    collection = question.collection
    others = ("identity_events", *collection.others, *(parent.table for parent in collection.parents))
    elsewhere = " OR ".join(f"EXISTS (SELECT FROM {table} o WHERE o.revision = ANY (numbers))" for table in others)
    joined = "" if collection.where else "AND (t.since = ANY (numbers) OR t.until = ANY (numbers))"
    row = await tx.fetchrow(
        f"""
        SELECT {LATEST} AS latest, {_UNDONE} AS undone, {elsewhere} AS elsewhere,
            ARRAY(SELECT t.sourced_id FROM {collection.of.table} t
                  WHERE t.revision = ANY (numbers) {joined} LIMIT {_MOST + 1}) AS names
        FROM (SELECT ARRAY(
            SELECT v.number FROM revisions v
            WHERE v.at > COALESCE((SELECT w.at FROM revisions w WHERE w.number = $1), '-infinity')) AS numbers) news
        """,
        revision,
    )
    assert row is not None
    return _News(row["latest"], row["undone"], row["elsewhere"], row["names"])


async def _read(
    tx: Transaction, question: Question, positions: Positions, stretches: Sequence[int], since: Since
) -> tuple[int, dict[int, list[str]]]:
    """The newest revision, and the sourcedIds that are in these stretches of the list now."""
    values = Values("")
    where = question.where(tx.caller, values, since, None)
    bounds = [positions.bounds(stretch) for stretch in stretches]
    low, high = (values.put([bound[side] for bound in bounds], "text[]") for side in (0, 1))
    rows = await tx.fetch(
        f"""
        SELECT {LATEST} AS latest, stretch.n, ARRAY(
            SELECT t.sourced_id FROM {question.collection.of.table} t
            WHERE {where} AND t.sourced_id >= stretch.low AND t.sourced_id < stretch.high ORDER BY t.sourced_id
        ) AS names
        FROM unnest({low}, {high}) WITH ORDINALITY AS stretch (low, high, n) WHERE $1::text IS NOT NULL
        """,
        *values.all(),
    )
    return rows[0]["latest"], {stretches[row["n"] - 1]: row["names"] for row in rows}
