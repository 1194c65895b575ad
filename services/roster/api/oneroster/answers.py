"""Answers of reads: one object, or a page of a collection with where the others are."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp

from services.roster.api.oneroster.kept import Answer, Kept
from services.roster.api.oneroster.operation import Found, Read
from services.roster.domain.oneroster import asking
from services.roster.domain.oneroster.refusals import unknown
from services.roster.store.oneroster import pages
from services.roster.store.oneroster.pages import Page
from services.roster.store.oneroster.positions import Remembered
from services.roster.store.oneroster.question import Question
from shared.auth import Caller
from shared.db import Database, Plans

_JSON = "application/json"


@dataclass(slots=True)
class _Memory:
    """What is remembered of a database's lists, and the answers that were given."""

    lists: Remembered = field(default_factory=Remembered)
    kept: Kept = field(default_factory=Kept)


_memories: "WeakKeyDictionary[Database, _Memory]" = WeakKeyDictionary()


async def answer(request: Request, caller: Caller, found: Found, operation: Read, root: str) -> ASGIApp:
    """What a read answers. Raises Refused."""
    query = request.scope["query_string"].decode("latin-1")
    asked = asking.read(query)
    *parents, sourced_id = found.sourced_ids if operation.single else (*found.sourced_ids, "")
    question = Question(operation.collection, tuple(parents), found.version, asked, root)
    database: Database = request.app.state.database
    memory = _memories.get(database)
    if memory is None:
        memory = _memories[database] = _Memory()
    about = (caller.district, caller.schools, datetime.now(UTC).date(), root, _path(request), query)
    given = memory.kept.find(about) if asked.filter is None else None
    glimpse = pages.Glimpse()
    async with database.look(caller) as look:
        if given is not None and given.latest == await pages.newest(look):
            return Response(given.body, headers=given.headers, media_type=_JSON)
        if operation.single:
            body, latest = await pages.single(look, question, sourced_id)
        else:
            glimpse = await pages.at_once(look, question, memory.lists)
    page = glimpse.page
    if page is None and not operation.single:
        async with database.looking(caller, _plans(question)) as tx:
            page = await pages.page(tx, question, memory.lists, glimpse)
    if page is None:
        if body is None:
            raise unknown("There is no such object, or none that this key may see.")
        made = Answer(b'{"%s":%s}' % (question.collection.of.name.encode(), body), {}, latest)
    else:
        headers = {
            "x-total-count": str(page.total),
            "x-trellis-revision": str(page.revision),
            "link": _links(request, question, page),
        }
        name = question.collection.of.plural.encode()
        if not _is_whole(question, page):
            further = _sorted if question.order else _on
            return StreamingResponse(
                _around(name, further(database, caller, question, page)), headers=headers, media_type=_JSON
            )
        made = Answer(b'{"%s":[%s]}' % (name, page.body), headers, page.latest)
    if asked.filter is None:
        memory.kept.keep(about, made)
    return Response(made.body, headers=made.headers, media_type=_JSON)


def _plans(question: Question) -> Plans:
    """Planning takes longer than reading a page; only what changed since is found in another way when it is little."""
    asked = question.asked.filter
    return Plans.ALWAYS if asked is not None and asked.mentions("dateLastModified") else Plans.ONCE


def _is_whole(question: Question, page: Page) -> bool:
    """Whether there is no more to the page than its first batch."""
    wanted = min(question.asked.limit, page.total - question.asked.offset)
    return page.rows >= wanted or page.rows < min(question.asked.limit, pages.BATCH)


async def _around(name: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    between = b'{"%s":[' % name
    async for piece in pieces:
        if piece:
            yield between + piece
            between = b","
    yield b"]}"


async def _on(database: Database, caller: Caller, question: Question, page: Page) -> AsyncIterator[bytes]:
    """The batches of a long page; no transaction is held while somebody reads slowly."""
    yield page.body
    left, last = question.asked.limit - page.rows, page.last
    while left > 0 and last is not None:
        async with database.looking(caller, _plans(question)) as tx:
            page = await pages.further(tx, question, page.revision, last, left)
        yield page.body
        left, last = left - page.rows, page.last if page.rows == pages.BATCH else None


async def _sorted(database: Database, caller: Caller, question: Question, page: Page) -> AsyncIterator[bytes]:
    async with database.looking(caller, _plans(question)) as tx:
        keys = await pages.sorted_keys(tx, question, page.revision)
    for place in range(0, len(keys), pages.BATCH):
        async with database.looking(caller, Plans.ONCE) as tx:
            body = await pages.of_keys(tx, question, keys[place : place + pages.BATCH], page.revision)
        yield body


def _links(request: Request, question: Question, page: Page) -> str:
    asked, total = question.asked, page.total
    last = (total - 1) // asked.limit * asked.limit if total else 0
    places = {"first": 0, "last": last}
    if asked.offset + asked.limit < total:
        places["next"] = asked.offset + asked.limit
    if asked.offset > 0:
        places["prev"] = max(0, min(asked.offset, last + asked.limit) - asked.limit)
    return ", ".join(
        f'<{question.root}{_path(request)}?{asked.elsewhere(offset, page.revision)}>; rel="{name}"'
        for name, offset in places.items()
    )


def _path(request: Request) -> str:
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1")
