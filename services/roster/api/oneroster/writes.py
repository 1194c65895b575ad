"""What others write to the gradebook: PUT, POST and DELETE of both versions of OneRoster.

PUT answers 201 whether the record is new or replaced: that is the one success the official description knows.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import asyncpg
import orjson
from starlette.requests import Request
from starlette.responses import Response

from services.roster.api.oneroster.operation import Answer, Operation, Write
from services.roster.domain.gradebook import bodies, rows
from services.roster.domain.gradebook.bodies import Problem, Record
from services.roster.domain.gradebook.kinds import V1P1, V1P2, Kind, Shape, Target
from services.roster.domain.gradebook.values import LONGEST_ID
from services.roster.domain.oneroster import refusals, scopes
from services.roster.domain.oneroster.refusals import Refused
from services.roster.domain.oneroster.versions import Version
from services.roster.store.gradebook import ending, hold, named, writing
from shared.auth import Caller
from shared.db import Database, Transaction
from shared.errors import Forbidden, NotFound

LONGEST_BODY = 10_000_000
"""Bytes; some twenty thousand results."""
_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Collection:
    """What a POST adds to: the kind, and for each sourcedId of the path what it names and which field it implies."""

    kind: Kind
    targets: tuple[tuple[Target, str], ...]


_Work = Callable[[Transaction], Awaitable[None]]
_Said = TypeVar("_Said")
_SHAPES: Mapping[Version, Mapping[Kind, Shape]] = {Version.V11: V1P1, Version.V12: V1P2}


def put(kind: Kind) -> Answer:
    """Creates or replaces one record."""

    async def answer(request: Request, caller: Caller, version: Version, sourced_ids: tuple[str, ...]) -> Response:
        shape, [sourced_id] = _SHAPES[version][kind], sourced_ids
        body = await _body(request)
        record = _read(lambda: bodies.one(body, shape, sourced_id))

        async def work(tx: Transaction) -> None:
            number = await hold(tx, kind, sourced_id)
            known = await named.find(tx, bodies.named([record]))
            await writing.save(tx, number, kind, rows.rows(shape, [record], known))

        await _insist(request, caller, work)
        return Response(status_code=201)

    return answer


def delete(kind: Kind) -> Answer:
    """Ends one record."""

    async def answer(request: Request, caller: Caller, _version: Version, sourced_ids: tuple[str, ...]) -> Response:
        [sourced_id] = sourced_ids
        _nameable(kind, sourced_id)

        async def work(tx: Transaction) -> None:
            number = await hold(tx, kind, sourced_id)
            await ending.delete(tx, number, kind, sourced_id)

        await _insist(request, caller, work)
        return Response(status_code=204)

    return answer


def add(into: Collection) -> Answer:
    """Creates many records at once, with sourcedIds of ours."""

    async def answer(request: Request, caller: Caller, version: Version, sourced_ids: tuple[str, ...]) -> Response:
        for (target, _), parent in zip(into.targets, sourced_ids, strict=True):
            _nameable(target, parent)
        shape, body = _SHAPES[version][into.kind], await _body(request)
        within = "/".join(f"{target} {parent}" for (target, _), parent in zip(into.targets, sourced_ids, strict=True))
        implied = {name: parent for (_, name), parent in zip(into.targets, sourced_ids, strict=True) if name}
        records, pairs = _read(lambda: bodies.many(body, shape, caller.district, within, implied))

        async def work(tx: Transaction) -> None:
            number = await hold(tx, into.kind, within)
            await _add(tx, number, into, sourced_ids, shape, records)

        await _insist(request, caller, work)
        said = [{"suppliedSourcedId": supplied, "allocatedSourcedId": allocated} for supplied, allocated in pairs]
        return Response(orjson.dumps({"sourcedIdPairs": said}), 201, media_type="application/json")

    return answer


_LINE_ITEMS_OF_CLASS = Collection(Kind.LINE_ITEM, ((Target.CLASS, "class"),))
_LINE_ITEMS_OF_SCHOOL = Collection(Kind.LINE_ITEM, ((Target.ORG, "school"),))
_RESULTS_OF_LINE_ITEM = Collection(Kind.RESULT, ((Target.LINE_ITEM, "lineItem"),))
_RESULTS_OF_SESSION = Collection(Kind.RESULT, ((Target.CLASS, "class"), (Target.SESSION, "")))


def _singles() -> dict[str, Operation]:
    found: dict[str, Operation] = {}
    for kind, shape in V1P2.items():
        of_assessment = kind in (Kind.ASSESSMENT_LINE_ITEM, Kind.ASSESSMENT_RESULT)
        may_put = scopes.ASSESSMENT_PUT if of_assessment else scopes.GRADEBOOK_PUT
        may_delete = scopes.ASSESSMENT_DELETE if of_assessment else scopes.GRADEBOOK_DELETE
        found[f"PUT /{shape.plural}/{{}}"] = Write(put(kind), may_put)
        found[f"DELETE /{shape.plural}/{{}}"] = Write(delete(kind), may_delete)
    return found


WRITES: dict[str, Operation] = {
    **_singles(),
    "POST /classes/{}/lineItems": Write(add(_LINE_ITEMS_OF_CLASS), scopes.GRADEBOOK_POST),
    "POST /schools/{}/lineItems": Write(add(_LINE_ITEMS_OF_SCHOOL), scopes.GRADEBOOK_POST),
    "POST /lineItems/{}/results": Write(add(_RESULTS_OF_LINE_ITEM), scopes.GRADEBOOK_POST),
    "POST /classes/{}/academicSessions/{}/results": Write(add(_RESULTS_OF_SESSION), scopes.GRADEBOOK_POST),
}
"""Every write, by method and path."""


async def _body(request: Request) -> bytes:
    """All of it, up to what is sane."""
    found = bytearray()
    async for piece in request.stream():
        found += piece
        if len(found) > LONGEST_BODY:
            raise Refused(413, "invaliddata", f"The body is longer than {LONGEST_BODY:,} bytes; send fewer at once.")
    return bytes(found)


def _nameable(kind: Kind | Target, sourced_id: str) -> None:
    if not sourced_id or "\0" in sourced_id or len(sourced_id) > LONGEST_ID:
        raise refusals.unknown(f"There is no such {kind}.")


def _read(read: Callable[[], _Said]) -> _Said:
    """What the domain makes of a body, its complaints in the standard's words."""
    try:
        return read()
    except bodies.Malformed as wrong:
        raise Refused(400, "invaliddata", str(wrong)) from wrong
    except bodies.Refused as wrong:
        raise refusals.invalid(f"{wrong}.") from wrong


async def _insist(request: Request, caller: Caller, work: _Work) -> None:
    """Do it in a transaction of its own; again, when it and another were in each other's way."""
    database: Database = request.app.state.database
    for left in reversed(range(_ATTEMPTS)):
        try:
            async with database.transaction(caller) as tx:
                await work(tx)
            return
        except bodies.Refused as wrong:
            raise refusals.invalid(f"{wrong}.") from wrong
        except ending.InUse as wrong:
            raise Refused(422, "deletefailure", wrong.message) from wrong
        except NotFound as wrong:
            raise refusals.unknown(wrong.message) from wrong
        except Forbidden as wrong:
            raise Refused(403, "forbidden", wrong.message) from wrong
        except asyncpg.DeadlockDetectedError as wrong:
            if not left:
                raise _busy() from wrong
        except asyncpg.LockNotAvailableError as wrong:
            raise _busy() from wrong


def _busy() -> Refused:
    return Refused(429, "server_busy", "An import is changing these records; try again in a minute.")


async def _add(
    tx: Transaction,
    number: int,
    into: Collection,
    parents: tuple[str, ...],
    shape: Shape,
    records: Sequence[Record],
) -> None:
    wanted = bodies.named(records)
    for (target, _), parent in zip(into.targets, parents, strict=True):
        wanted.setdefault(target, set()).add(parent)
    known = await named.find(tx, wanted)
    for (target, _), parent in zip(into.targets, parents, strict=True):
        there = known.get((target, parent))
        if there is None or (target is Target.LINE_ITEM and not there.is_active):
            raise NotFound(f"There is no {target} {parent}.")
    kept = rows.rows(shape, records, known)
    if len(parents) == 2:
        session = known[Target.SESSION, parents[1]].id
        assert session is not None  # sessions have an identity of ours
        await _within(tx, session, kept)
    await writing.save(tx, number, into.kind, kept)


async def _within(tx: Transaction, session: UUID, results: Sequence[rows.Row]) -> None:
    """Line items that say when they belong are of this academic session, of one around it or of a part of it."""
    around = await named.sessions_around(tx, session)
    of_line_items = await named.sessions_of_line_items(tx, {row.columns["line_item"] for row in results})
    problems = []
    for row in results:
        named_there = of_line_items.get(row.columns["line_item"], set())
        if named_there and not named_there & around:
            rule = f"is {row.columns['line_item']}: this line item is of another academic session"
            problems.append(Problem(f"{row.place}.lineItem", rule))
    if problems:
        raise bodies.Refused(problems)
