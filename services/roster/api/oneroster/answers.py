"""Answers of reads: one object, or a page of a collection with where the others are."""

from collections.abc import AsyncIterator
from weakref import WeakKeyDictionary

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp

from services.roster.api.oneroster.operation import Found, Read
from services.roster.domain.oneroster import asking
from services.roster.domain.oneroster.refusals import unknown
from services.roster.store.oneroster import pages
from services.roster.store.oneroster.pages import Page, Question
from services.roster.store.oneroster.positions import Remembered
from shared.auth import Caller
from shared.db import Database, Plans

_JSON = "application/json"
_remembered: "WeakKeyDictionary[Database, Remembered]" = WeakKeyDictionary()


def remembered(database: Database) -> Remembered:
    """What is remembered of the lists of this database."""
    found = _remembered.get(database)
    if found is None:
        found = _remembered[database] = Remembered()
    return found


async def answer(request: Request, caller: Caller, found: Found, operation: Read, root: str) -> ASGIApp:
    """What a read answers. Raises Refused."""
    if operation.diagnostic:
        caller.refuse_accountability()
    asked = asking.read(request.scope["query_string"].decode("latin-1"))
    collection = operation.collection
    if operation.single:
        *parents, sourced_id = found.sourced_ids
        question = Question(collection, tuple(parents), found.version, asked, root)
        return await _single(request, caller, question, sourced_id)
    return await _page(request, caller, Question(collection, found.sourced_ids, found.version, asked, root))


async def _single(request: Request, caller: Caller, question: Question, sourced_id: str) -> Response:
    database: Database = request.app.state.database
    async with database.looking(caller, Plans.ONCE) as tx:
        body = await pages.single(tx, question, sourced_id)
    if body is None:
        raise unknown("There is no such object, or none that this key may see.")
    return Response(b'{"%s":%s}' % (question.collection.of.name.encode(), body), media_type=_JSON)


async def _page(request: Request, caller: Caller, question: Question) -> ASGIApp:
    database: Database = request.app.state.database
    plans = Plans.ONCE if question.asked.filter is None else Plans.ALWAYS
    async with database.looking(caller, plans) as tx:
        page = await pages.page(tx, question, remembered(database))
    headers = {
        "x-total-count": str(page.total),
        "x-trellis-revision": str(page.revision),
        "link": _links(request, question, page),
    }
    name = question.collection.of.plural.encode()
    wanted = min(question.asked.limit, page.total - question.asked.offset)
    if page.rows >= wanted or page.rows < min(question.asked.limit, pages.BATCH):
        return Response(b'{"%s":[%s]}' % (name, page.body), headers=headers, media_type=_JSON)
    pieces = _sorted(database, caller, question, page) if question.order else _on(database, caller, question, page)
    return StreamingResponse(_around(name, pieces), headers=headers, media_type=_JSON)


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
    plans = Plans.ONCE if question.asked.filter is None else Plans.ALWAYS
    while left > 0 and last is not None:
        async with database.looking(caller, plans) as tx:
            page = await pages.further(tx, question, page.revision, last, left)
        yield page.body
        left, last = left - page.rows, page.last if page.rows == pages.BATCH else None


async def _sorted(database: Database, caller: Caller, question: Question, page: Page) -> AsyncIterator[bytes]:
    async with database.looking(caller, Plans.ALWAYS) as tx:
        keys = await pages.sorted_keys(tx, question, page.revision)
    for place in range(0, len(keys), pages.BATCH):
        async with database.looking(caller, Plans.ONCE) as tx:
            body = await pages.of_keys(tx, question, keys[place : place + pages.BATCH])
        yield body


def _links(request: Request, question: Question, page: Page) -> str:
    asked, total = question.asked, page.total
    path = (request.scope.get("raw_path") or request.scope["path"].encode()).partition(b"?")[0].decode("latin-1")
    last = (total - 1) // asked.limit * asked.limit if total else 0
    places = {"first": 0, "last": last}
    if asked.offset + asked.limit < total:
        places["next"] = asked.offset + asked.limit
    if asked.offset > 0:
        places["prev"] = max(0, min(asked.offset, last + asked.limit) - asked.limit)
    return ", ".join(
        f'<{question.root}{path}?{asked.elsewhere(offset, page.revision)}>; rel="{name}"'
        for name, offset in places.items()
    )
