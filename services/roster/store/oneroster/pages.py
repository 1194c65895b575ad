"""Pages of collections, and single objects, as JSON text that PostgreSQL built.

A page is read with one statement, so that its rows and the revision they are of belong together. Long pages come in
batches, each a statement of its own as of the revision of the first.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from services.roster.domain.oneroster.refusals import invalid, unknown
from services.roster.domain.oneroster.versions import Version
from services.roster.store import revisions
from services.roster.store.oneroster import conditions, lists
from services.roster.store.oneroster.conditions import AsOf, Values
from services.roster.store.oneroster.description import UNUSUAL, Collection
from services.roster.store.oneroster.positions import LONGEST, Known, Remembered
from services.roster.store.oneroster.question import LATEST, Document, Question, Since, document
from shared.db import Transaction
from shared.looking import NAMED, Look

BATCH = 500
_BOUND = BATCH + LONGEST  # said in the statement, so that one plan for every page walks along the index


@dataclass(frozen=True, slots=True)
class Page:
    """Rows as JSON separated by commas; the sourcedId of the last; how many there are in all.

    The list is as of `revision`, and its rows as of `latest`.
    """

    body: bytes
    rows: int
    last: str | None
    total: int
    revision: int
    latest: int


@dataclass(frozen=True, slots=True)
class _Batch:
    body: bytes
    rows: int
    last: str | None
    latest: int


async def newest(look: Look) -> int:
    """The number of the district's revision that was stamped last; 0 before the first."""
    row = await look.fetchrow(f"SELECT {LATEST} AS latest WHERE {NAMED}")  # constants
    assert row is not None
    return int(row["latest"])


async def single(look: Look, question: Question, sourced_id: str) -> tuple[bytes | None, int]:
    """One object of the collection, also when it has ended; None when there is none to be seen. And the revision."""
    about = question.collection, question.version, question.asked.fields
    usual = question.is_usual(look.caller)
    row = await look.fetchrow(_single(*about, usual=usual), question.root, sourced_id)
    if usual and row is not None and UNUSUAL in (row["body"] or b""):
        row = await look.fetchrow(_single(*about, usual=False), question.root, sourced_id)
    assert row is not None
    return row["body"], row["latest"]


@lru_cache(maxsize=1_000)
def _single(collection: Collection, version: Version, fields: tuple[str, ...], *, usual: bool) -> str:
    """The statement for one object of a collection that lies in nothing else."""
    values = Values("")
    name = values.put("", "text")
    rows = conditions.rows_of(collection, (), values, None, ended=True)
    told = document(collection.of, version, fields, active=False, usual=usual).alone()
    return _with_root(f"""
        SELECT {LATEST} AS latest, (
            SELECT convert_to({told.said}, 'UTF8') FROM {collection.of.table} t {told.joins}
            WHERE t.sourced_id = {name} AND {rows}) AS body
        WHERE $1::text IS NOT NULL AND {NAMED}
    """)  # noqa: S608  # constants


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What one statement told: a page, if that is all there is to it; else the newest rows at a place of a list that
    may have moved."""

    page: Page | None = None
    rows: tuple[Known, _Batch] | None = None


_NOTHING = Glimpse()


async def at_once(look: Look, question: Question, remembered: Remembered) -> Glimpse:
    """A page in one statement: it is remembered where it begins, and nothing has changed since."""
    asked, about = question.asked, question.about(look.caller)
    known = remembered.find((about, asked.revision) if asked.revision else about)
    if known is None or (known.positions.total == 0 and question.parents) or conditions.moments(asked.filter):
        return _NOTHING
    if asked.revision and asked.revision != remembered.newest(look.caller.district):
        return _NOTHING
    batch = await _placed(look, question, {}, None, known)
    remembered.saw(look.caller.district, batch.latest)
    if known.revision == batch.latest:
        return Glimpse(_page(question, remembered, about, known, batch))
    return _NOTHING if asked.revision else Glimpse(rows=(known, batch))


async def page(tx: Transaction, question: Question, remembered: Remembered, glimpse: Glimpse) -> Page:
    """The first batch of the page that is asked for, and what is known of the whole list. Raises Refused."""
    since = await _moments(tx, question)
    if question.asked.revision:
        found = await _then(tx, question, remembered, since, question.asked.revision)
    else:
        found = await _now(tx, question, remembered, since, glimpse)
    if found.total == 0 and question.parents:
        await _need_parents(tx, question)
    return found


async def _now(tx: Transaction, question: Question, remembered: Remembered, since: Since, glimpse: Glimpse) -> Page:
    """A page of the list as it is."""
    asked, about = question.asked, question.about(tx.caller)
    known, batch = glimpse.rows or (remembered.find(about), None)
    before = known
    if known is None and asked.offset:
        known = await lists.walked(tx, question, since, None)
        remembered.keep(about, known)
        return await _then(tx, question, remembered, since, known.revision)
    batch = batch or await _placed(tx, question, since, None, known)
    if known is None and batch.rows < min(asked.limit, BATCH):
        return Page(batch.body, batch.rows, batch.last, batch.rows, batch.latest, batch.latest)
    if known is None:
        known = await lists.walked(tx, question, since, None)
    elif known.revision != batch.latest:
        known = await lists.renewed(tx, question, known, since)
    remembered.keep(about, known)
    is_the_same = before is not None and before.positions is known.positions
    if not is_the_same and (known.revision != batch.latest or (before is not None and asked.offset)):
        return await _then(tx, question, remembered, since, known.revision)  # the list moved under the page
    return _page(question, remembered, about, known, batch)


def _page(question: Question, remembered: Remembered, about: Hashable, known: Known, batch: _Batch) -> Page:
    """What was read of a list that is known; whoever goes on reads on in the same revision."""
    if known.positions.total > question.asked.offset + batch.rows:
        remembered.keep((about, batch.latest), replace(known, revision=batch.latest))
    return Page(batch.body, batch.rows, batch.last, known.positions.total, batch.latest, batch.latest)


async def _then(tx: Transaction, question: Question, remembered: Remembered, since: Since, revision: int) -> Page:
    """A page of the list as it was in this revision, which may be the newest."""
    about = question.about(tx.caller)
    as_of = await past(tx, revision)
    known = remembered.find((about, revision)) or remembered.find(about)
    if known is None or known.revision != revision:
        known = await lists.walked(tx, question, since, as_of)
        if as_of is None and known.revision != revision:
            as_of = await past(tx, revision)
            known = await lists.walked(tx, question, since, as_of)
        known = replace(known, revision=revision)
    remembered.keep((about, revision), known)
    batch = await _placed(tx, question, since, as_of, known)
    if as_of is None and batch.latest != revision:
        batch = await _placed(tx, question, since, await past(tx, revision), known)
    remembered.saw(tx.caller.district, batch.latest)
    return Page(batch.body, batch.rows, batch.last, known.positions.total, revision, batch.latest)


async def _placed(
    tx: Transaction | Look, question: Question, since: Since, as_of: AsOf | None, known: Known | None
) -> _Batch:
    """What is at the place that is asked for, where it is known where that begins."""
    asked, positions = question.asked, known.positions if known else None
    limit = min(asked.limit, BATCH)
    if question.order:
        return await _sorted(tx, question, since, as_of, limit)
    start, skip = positions.at(asked.offset) if positions and asked.offset else (None, asked.offset)
    if positions and start is None and asked.offset:
        start, skip = positions.keys[-1] if positions.keys else None, BATCH  # past the end: nothing
    end = positions.before(asked.offset + limit) if positions and as_of is not None else None
    return await _batch(tx, question, since, as_of, _Span(start, end, limit, skip))


async def further(tx: Transaction, question: Question, revision: int, after: str, rows: int) -> Page:
    """The next batch of a page in the order of sourcedIds, as of the revision in which it began."""
    since = await _moments(tx, question)
    as_of = await past(tx, revision)
    span = _Span(after, None, min(rows, BATCH), 0, beyond=True)
    batch = await _batch(tx, question, since, as_of, span)
    if as_of is None and batch.latest != revision:
        batch = await _batch(tx, question, since, await past(tx, revision), span)
    return Page(batch.body, batch.rows, batch.last, 0, revision, batch.latest)


@dataclass(frozen=True, slots=True)
class _Span:
    """From which sourcedId (or from beyond it) to before which, how many rows, and how many to pass over first."""

    start: str | None
    end: str | None
    rows: int
    skip: int
    beyond: bool = False


async def _batch(tx: Transaction | Look, question: Question, since: Since, as_of: AsOf | None, span: _Span) -> _Batch:
    values = Values(question.root)
    where = question.where(tx.caller, values, since, as_of)
    if span.start is not None:
        where += f" AND t.sourced_id {'>' if span.beyond else '>='} {values.put(span.start, 'text')}"
    if span.end is not None:
        where += f" AND t.sourced_id < {values.put(span.end, 'text')}"
    bound = f"LIMIT {_BOUND}" if span.skip <= LONGEST else ""
    rows = f"""
        SELECT t.* FROM (
            SELECT t.* FROM {question.collection.of.table} t WHERE {where} ORDER BY t.sourced_id {bound}
        ) t LIMIT {values.put(span.rows, "bigint")} OFFSET {values.put(span.skip, "bigint")}
    """  # noqa: S608  # constants
    return await _told(tx, question, rows, values, as_of)


async def _sorted(tx: Transaction | Look, question: Question, since: Since, as_of: AsOf | None, limit: int) -> _Batch:
    """SourcedIds are sorted, not whole rows."""
    values, table = Values(question.root), question.collection.of.table
    where = question.where(tx.caller, values, since, as_of)
    rows = f"""
        SELECT t.* FROM (
            SELECT row_number() OVER () AS n, t.sourced_id FROM (
                SELECT t.sourced_id FROM {table} t WHERE {where} ORDER BY {question.order}
                LIMIT {values.put(limit, "bigint")} OFFSET {values.put(question.asked.offset, "bigint")}
            ) t
        ) k JOIN {table} t ON t.sourced_id = k.sourced_id ORDER BY k.n
    """  # noqa: S608  # constants
    return await _told(tx, question, rows, values, as_of)


async def sorted_keys(tx: Transaction, question: Question, revision: int) -> list[str]:
    """The sourcedIds of a page in another order than theirs."""
    since = await _moments(tx, question)
    values = Values("")
    where = question.where(tx.caller, values, since, await past(tx, revision))
    rows = await tx.fetch(
        _with_root(f"""
        SELECT t.sourced_id FROM {question.collection.of.table} t WHERE {where} AND $1::text = ''
        ORDER BY {question.order}
        LIMIT {values.put(question.asked.limit, "bigint")} OFFSET {values.put(question.asked.offset, "bigint")}
        """),  # noqa: S608  # constants
        *values.all(),
    )
    return [row["sourced_id"] for row in rows]


async def of_keys(tx: Transaction, question: Question, keys: Sequence[str], revision: int) -> bytes:
    """These objects, in this order, for a list that is as of this revision."""
    as_of = await past(tx, revision)
    batch = await _of_keys(tx, question, keys, as_of)
    if as_of is None and batch.latest != revision:
        batch = await _of_keys(tx, question, keys, await past(tx, revision))
    return batch.body


async def _of_keys(tx: Transaction, question: Question, keys: Sequence[str], as_of: AsOf | None) -> _Batch:
    values = Values(question.root)
    rows = f"""
        SELECT t.* FROM unnest({values.put(list(keys), "text[]")}) WITH ORDINALITY AS k (sourced_id, n)
        JOIN {question.collection.of.table} t ON t.sourced_id = k.sourced_id ORDER BY k.n
    """  # noqa: S608  # constants
    return await _told(tx, question, rows, values, as_of)


async def _told(tx: Transaction | Look, question: Question, rows: str, values: Values, as_of: AsOf | None) -> _Batch:
    usual = question.is_usual(tx.caller)
    row = await tx.fetchrow(_telling(tx, question.document(as_of, usual=usual), rows), *values.all())
    if usual and row is not None and UNUSUAL in (row["body"] or b""):
        row = await tx.fetchrow(_telling(tx, question.document(as_of), rows), *values.all())
    assert row is not None
    return _Batch(row["body"] or b"", row["n"], row["last"], row["latest"])


def _telling(tx: Transaction | Look, told: Document, rows: str) -> str:
    """The statement for these rows, told like this."""
    return _with_root(f"""
        SELECT {LATEST} AS latest, page.*
        FROM (SELECT count(*) AS n, max(t.sourced_id) AS last, convert_to(string_agg(t.doc, ','), 'UTF8') AS body
              FROM (SELECT t.sourced_id, {told.said} AS doc FROM ({rows}) t {told.joins}) t) page
        WHERE $1::text IS NOT NULL AND {NAMED if isinstance(tx, Look) else "true"}
    """)  # noqa: S608  # constants


def _with_root(sql: str) -> str:
    return sql.replace("{root}", "$1::text")


async def past(tx: Transaction, number: int | None) -> AsOf | None:
    """How to read as of this revision; None when it is still the newest. Raises Refused."""
    if number is None or number == 0:
        return None
    row = await tx.fetchrow(
        """
        SELECT b.at < (SELECT max(at) FROM revisions) AS passed, u.upto,
            ARRAY(SELECT number FROM revisions WHERE at > b.at AND number < u.upto) AS later
        FROM revisions b, LATERAL (SELECT max(number) AS upto FROM revisions WHERE at <= b.at) u
        WHERE b.number = $1
        """,
        number,
    )
    if row is None:
        raise invalid("This revision is not known; begin with the first page.")
    return AsOf(number, row["upto"], tuple(row["later"])) if row["passed"] else None


async def _moments(tx: Transaction, question: Question) -> Since:
    """The lowest revision after each moment that the filter compares by, once all that was stamped is there."""
    moments = conditions.moments(question.asked.filter)
    if moments:
        await revisions.settle(tx)
    return {moment: await tx.fetchval("SELECT min(number) FROM revisions WHERE at >= $1", moment) for moment in moments}


async def _need_parents(tx: Transaction, question: Question) -> None:
    values = Values("")
    there = conditions.parents_there(question.collection, question.parents, values)
    if not await tx.fetchval(f"SELECT {there} AND $1::text IS NOT NULL", *values.all()):  # constants
        raise unknown("There is no such object, or none that this key may see.")
