"""Pages of collections, and single objects, as JSON text that PostgreSQL built.

A page is read with one statement, so that its rows, the revision they are of and the stamp of its list belong
together. Long pages come in batches, each a statement of its own as of the revision of the first.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from services.roster.domain.oneroster.asking import Asked, unknown_field
from services.roster.domain.oneroster.refusals import Refused, invalid, unknown
from services.roster.domain.oneroster.versions import Version
from services.roster.store import revisions
from services.roster.store.oneroster import conditions
from services.roster.store.oneroster.conditions import TOMBSTONES, AsOf, Values
from services.roster.store.oneroster.description import (
    CHANGED,
    Collection,
    Compared,
    Kind,
    Object,
    Text,
    built,
    fields_of,
    paths_of,
)
from services.roster.store.oneroster.positions import EVERY, Positions, Remembered
from shared.db import Transaction

BATCH = 500
_BOUND = BATCH + EVERY  # said in the statement, so that one plan for every page walks along the index
_LATEST = "COALESCE((SELECT number FROM revisions ORDER BY at DESC LIMIT 1), 0)"
_TRIES = 5
_ACTIVE = Text("status", "'active'::text", required=True)


@dataclass(frozen=True, slots=True)
class Question:
    """A page of a collection, asked in one version of the standard, at one public address."""

    collection: Collection
    parents: tuple[str, ...]
    version: Version
    asked: Asked
    root: str

    @property
    def ended_too(self) -> bool:
        return self.asked.filter is not None and self.asked.filter.mentions(*TOMBSTONES)

    @property
    def order(self) -> str:
        """How the rows are sorted; empty for the order of their sourcedIds."""
        return _order(self.collection.of, self.version, self.asked.sort, self.asked.descending)

    def document(self, as_of: AsOf | None) -> str:
        said = document(self.collection.of, self.version, self.asked.fields, active=not self.ended_too)
        if as_of is None:
            return said
        return said.replace(CHANGED, f"LEAST({CHANGED}, {_at(as_of)})")

    def about(self, tx: Transaction) -> Hashable:
        """What a list depends on, beside revisions."""
        return (
            tx.caller.district, tx.caller.schools, datetime.now(UTC).date(), self.collection.name, self.parents,
            None if self.asked.filter is None else (self.version, self.asked.filter),
        )  # fmt: skip


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
    stamp: int


def _at(as_of: AsOf) -> str:
    """When a revision was. What changed later is told as changed then: whoever asks next for what changed since the
    latest time he saw misses nothing."""
    return f"(SELECT b.at FROM revisions b WHERE b.number = {as_of.number:d})"  # noqa: S608  # a number


@lru_cache(maxsize=1_000)
def document(described: Object, version: Version, fields: tuple[str, ...], *, active: bool) -> str:
    """SQL for an object with these fields, or all; what the standard requires is always there. Raises Refused.

    In a list of what is `active`, so it is said of each, also of what has ended since the revision of the list.
    """
    known = fields_of(described, version)
    for name in fields:
        if name not in known:
            raise unknown_field(name)
    chosen = [one for one in known.values() if not fields or one.required or one.name in fields]
    return built([_ACTIVE if active and one.name == "status" else one for one in chosen], version)


@lru_cache(maxsize=1_000)
def _order(described: Object, version: Version, sort: str | None, descending: bool) -> str:
    compared = paths_of(described, version).get(sort or "sourcedId")
    if compared is None or compared.around != "{condition}":
        compared, descending = paths_of(described, version)["sourcedId"], False  # as the standard says of such
    if compared.sql == "t.sourced_id" and not descending:
        return ""
    return f"{_sorted_by(compared)} {'DESC' if descending else 'ASC'} NULLS LAST, t.sourced_id"


def _sorted_by(compared: Compared) -> str:
    match compared.kind:
        case Kind.TEXT:
            return f'{compared.sql} COLLATE "C"'
        case Kind.WORDS:
            return f"array_to_string({compared.sql}, ',') COLLATE \"C\""
        case _:
            return compared.sql


async def single(tx: Transaction, question: Question, sourced_id: str) -> tuple[bytes | None, int]:
    """One object of the collection, also when it has ended; None when there is none to be seen. And the revision."""
    values = Values(question.root)
    name = values.put(sourced_id, "text")
    rows = conditions.rows_of(question.collection, question.parents, values, None, ended=True)
    table = question.collection.of.table
    said = document(question.collection.of, question.version, question.asked.fields, active=False)
    row = await tx.fetchrow(
        _with_root(f"""
        SELECT {_LATEST} AS latest, (
            SELECT convert_to({said}, 'UTF8') FROM {table} t WHERE t.sourced_id = {name} AND {rows}) AS body
        WHERE $1::text IS NOT NULL
        """),  # noqa: S608  # constants
        *values.all(),
    )
    assert row is not None
    return row["body"], row["latest"]


async def page(tx: Transaction, question: Question, remembered: Remembered) -> Page:
    """The first batch of the page that is asked for, and what is known of the whole list. Raises Refused."""
    since = await _moments(tx, question)
    for _ in range(_TRIES):
        as_of = await past(tx, question.asked.revision)
        found = await _page(tx, question, remembered, since, as_of)
        if found is not None:
            if found.total == 0 and question.parents:
                await _need_parents(tx, question)
            return found
    raise Refused(429, "server_busy", "The list changes too quickly to be read; try again.")


async def _page(
    tx: Transaction,
    question: Question,
    remembered: Remembered,
    since: dict[datetime, int | None],
    as_of: AsOf | None,
) -> Page | None:
    asked, about = question.asked, question.about(tx)
    known = remembered.find((about, asked.revision) if asked.revision is not None else about)
    if asked.offset and known is None:
        known = await _walk(tx, question, since, as_of)
        remembered.keep((about, asked.revision) if asked.revision is not None else about, *known)
    limit = min(asked.limit, BATCH)
    if question.order:
        batch = await _sorted(tx, question, since, as_of, limit)
    else:
        start, skip = known[1].at(asked.offset) if known else (None, asked.offset)
        if known and start is None and asked.offset:
            start, skip = known[1].keys[-1] if known[1].keys else None, BATCH  # past the end: nothing
        end = known[1].before(asked.offset + limit) if known and asked.revision is not None else None
        batch = await _batch(tx, question, since, as_of, _Span(start, end, limit, skip))
    if asked.revision is not None:
        if as_of is None and batch.latest != asked.revision:
            return None  # something was committed in between
    elif known and known[0] != batch.stamp:
        known = None
        if asked.offset:
            remembered.keep(about, *await _walk(tx, question, since, None))
            return None
    if known is None:
        if asked.offset == 0 and batch.rows < limit:
            known = batch.stamp, Positions(batch.rows, ())
        else:
            known = await _walk(tx, question, since, as_of)
            if asked.revision is None and known[0] != batch.stamp:
                remembered.keep(about, *known)
                return None
        remembered.keep((about, asked.revision) if asked.revision is not None else about, *known)
    revision = asked.revision if asked.revision is not None else batch.latest
    if asked.revision is None and known[1].total > asked.offset + batch.rows:
        remembered.keep((about, revision), *known)
    return Page(batch.body, batch.rows, batch.last, known[1].total, revision, batch.latest)


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


async def _batch(
    tx: Transaction, question: Question, since: dict[datetime, int | None], as_of: AsOf | None, span: _Span
) -> _Batch:
    values = Values(question.root)
    where = _where(question, values, since, as_of)
    if span.start is not None:
        where += f" AND t.sourced_id {'>' if span.beyond else '>='} {values.put(span.start, 'text')}"
    if span.end is not None:
        where += f" AND t.sourced_id < {values.put(span.end, 'text')}"
    bound = f"LIMIT {_BOUND}" if span.skip <= EVERY else ""
    rows = f"""
        SELECT t.* FROM (
            SELECT t.* FROM {question.collection.of.table} t WHERE {where} ORDER BY t.sourced_id {bound}
        ) t LIMIT {values.put(span.rows, "bigint")} OFFSET {values.put(span.skip, "bigint")}
    """  # noqa: S608  # constants
    return await _told(tx, question, rows, values, as_of)


async def _sorted(
    tx: Transaction, question: Question, since: dict[datetime, int | None], as_of: AsOf | None, limit: int
) -> _Batch:
    values = Values(question.root)
    where = _where(question, values, since, as_of)
    rows = f"""
        SELECT t.* FROM {question.collection.of.table} t WHERE {where} ORDER BY {question.order}
        LIMIT {values.put(limit, "bigint")} OFFSET {values.put(question.asked.offset, "bigint")}
    """  # noqa: S608  # constants
    return await _told(tx, question, rows, values, as_of)


async def sorted_keys(tx: Transaction, question: Question, revision: int) -> list[str]:
    """The sourcedIds of a page in another order than theirs."""
    since = await _moments(tx, question)
    values = Values("")
    where = _where(question, values, since, await past(tx, revision))
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


async def _told(tx: Transaction, question: Question, rows: str, values: Values, as_of: AsOf | None) -> _Batch:
    row = await tx.fetchrow(
        _with_root(f"""
        SELECT {_LATEST} AS latest, {_stamp(tx, question)} AS stamp, page.*
        FROM (SELECT count(*) AS n, max(t.sourced_id) AS last, convert_to(string_agg(t.doc, ','), 'UTF8') AS body
              FROM (SELECT t.sourced_id, {question.document(as_of)} AS doc FROM ({rows}) t) t) page
        WHERE $1::text IS NOT NULL
        """),  # noqa: S608  # constants
        *values.all(),
    )
    assert row is not None
    return _Batch(row["body"] or b"", row["n"], row["last"], row["latest"], row["stamp"])


async def _walk(
    tx: Transaction, question: Question, since: dict[datetime, int | None], as_of: AsOf | None
) -> tuple[int, Positions]:
    """Through the whole list once: its stamp and its positions."""
    values = Values("")
    where = _where(question, values, since, as_of)
    row = await tx.fetchrow(
        f"""
        WITH listed AS MATERIALIZED (
            SELECT t.sourced_id, row_number() OVER (ORDER BY t.sourced_id) AS n
            FROM {question.collection.of.table} t WHERE {where} AND $1::text IS NOT NULL)
        SELECT {_stamp(tx, question)} AS stamp, (SELECT count(*) FROM listed) AS total,
            ARRAY(SELECT sourced_id FROM listed WHERE n % {EVERY} = 1 ORDER BY n) AS keys
        """,  # noqa: S608  # constants
        *values.all(),
    )
    assert row is not None
    return row["stamp"], Positions(row["total"], tuple(row["keys"]))


def _where(question: Question, values: Values, since: dict[datetime, int | None], as_of: AsOf | None) -> str:
    where = conditions.rows_of(question.collection, question.parents, values, as_of, ended=question.ended_too)
    if question.asked.filter is not None:
        asked = conditions.matching(question.asked.filter, question.collection.of, question.version, values, since)
        where = f"{where} AND {asked}"
        if as_of is not None and question.asked.filter.mentions("dateLastModified"):
            where += f" AND {as_of.unchanged('t')}"
    return where


def _stamp(tx: Transaction, question: Question) -> str:
    """What changes when the list may have changed: the newest revision of a row that decides who belongs."""
    if tx.caller.schools is not None or question.asked.filter is not None:
        return _LATEST
    of = question.collection.of
    tables = (*(of.made_of or (of.table,)), *question.collection.others)
    newest = ", ".join(f"(SELECT max(revision) FROM {table})" for table in tables)  # noqa: S608  # constants
    return f"COALESCE(GREATEST({newest}), 0)"


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


async def _moments(tx: Transaction, question: Question) -> dict[datetime, int | None]:
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
