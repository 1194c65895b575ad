"""What others write to the gradebook: PUT, POST and DELETE of both versions of OneRoster.

PUT answers 201 whether the record is new or replaced: that is the one success the official description knows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from services.roster.domain.gradebook import bodies, rows
from services.roster.domain.gradebook.bodies import Problem, Record
from services.roster.domain.gradebook.kinds import V1P1, V1P2, Kind, Shape, Target
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
_ASSESSMENT = frozenset({Kind.ASSESSMENT_LINE_ITEM, Kind.ASSESSMENT_RESULT})


@dataclass(frozen=True, slots=True)
class Write:
    """One request. `segments`: the path below the service's base, percent-decoded."""

    version: Version
    method: str
    segments: tuple[str, ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Collection:
    """What a POST adds to: the kind, and what each sourcedId of the path names and implies (a field of the record)."""

    kind: Kind
    path: tuple[str, ...]
    targets: tuple[tuple[Target, str], ...]

    def parents(self, segments: Sequence[str]) -> tuple[str, ...] | None:
        """The sourcedIds of a path to it; None when the path is another."""
        if len(segments) != len(self.path):
            return None
        for wanted, segment in zip(self.path, segments, strict=True):
            if wanted and wanted != segment:
                return None
        return tuple(segment for wanted, segment in zip(self.path, segments, strict=True) if not wanted)


_COLLECTIONS = (
    Collection(Kind.LINE_ITEM, ("classes", "", "lineItems"), ((Target.CLASS, "class"),)),
    Collection(Kind.LINE_ITEM, ("schools", "", "lineItems"), ((Target.ORG, "school"),)),
    Collection(Kind.RESULT, ("lineItems", "", "results"), ((Target.LINE_ITEM, "lineItem"),)),
    Collection(
        Kind.RESULT,
        ("classes", "", "academicSessions", "", "results"),
        ((Target.CLASS, "class"), (Target.SESSION, "")),
    ),
)
_SHAPES: Mapping[Version, Mapping[Kind, Shape]] = {Version.V11: V1P1, Version.V12: V1P2}


def methods(version: Version, segments: Sequence[str]) -> frozenset[str]:
    """How this path may be written to."""
    if _single(version, segments) is not None:
        return frozenset({"PUT", "DELETE"})
    return frozenset({"POST"}) if _collection(version, segments) is not None else frozenset()


async def answer(database: Database, caller: Caller, asked: Write) -> tuple[int, bytes | None]:
    """Write it; the status and the body of the answer. Raises Refused, also when this path is not written to so."""
    single, collection = _single(asked.version, asked.segments), _collection(asked.version, asked.segments)
    match asked.method, single, collection:
        case "PUT", (shape, sourced_id), _:
            _allow(caller, scopes.ASSESSMENT_PUT if shape.kind in _ASSESSMENT else scopes.GRADEBOOK_PUT)
            record = _read(lambda: bodies.one(_bounded(asked.body), shape, sourced_id))
            await _insist(database, caller, lambda tx: _put(tx, shape, record))
            return 201, None
        case "DELETE", (shape, sourced_id), _:
            _allow(caller, scopes.ASSESSMENT_DELETE if shape.kind in _ASSESSMENT else scopes.GRADEBOOK_DELETE)
            _nameable(shape.kind, sourced_id)
            await _insist(database, caller, lambda tx: _delete(tx, shape.kind, sourced_id))
            return 204, None
        case "POST", _, (into, parents):
            _allow(caller, scopes.GRADEBOOK_POST)
            return 201, await _post(database, caller, into, parents, asked)
    raise refusals.unknown(f"There is nothing to {asked.method} at /{'/'.join(asked.segments)[:200]}.")


def _single(version: Version, segments: Sequence[str]) -> tuple[Shape, str] | None:
    if len(segments) != 2:
        return None
    plural = _spelled(version, segments[0])
    return next(((shape, segments[1]) for shape in _SHAPES[version].values() if shape.plural == plural), None)


def _collection(version: Version, segments: Sequence[str]) -> tuple[Collection, tuple[str, ...]] | None:
    if version is Version.V11:
        return None
    for one in _COLLECTIONS:
        parents = one.parents(segments)
        if parents is not None:
            return one, parents
    return None


def _spelled(version: Version, word: str) -> str:
    """1.1's paths may be written in any case."""
    if version is Version.V12:
        return word
    return next((shape.plural for shape in V1P1.values() if shape.plural.lower() == word.lower()), word)


def _allow(caller: Caller, wanted: frozenset[str]) -> None:
    if wanted.isdisjoint(scopes.granted(caller.scopes)):
        raise Refused(403, "forbidden", f"This needs the scope {sorted(wanted)[0]}.")


def _bounded(body: bytes) -> bytes:
    if len(body) > LONGEST_BODY:
        raise Refused(413, "invaliddata", f"The body is longer than {LONGEST_BODY:,} bytes; send fewer at once.")
    return body


def _nameable(kind: Kind, sourced_id: str) -> None:
    if not sourced_id or "\0" in sourced_id or len(sourced_id) > 255:
        raise refusals.unknown(f"There is no such {kind}.")


def _read(read: Any) -> Any:
    """What the domain makes of a body, its complaints in the standard's words."""
    try:
        return read()
    except bodies.Malformed as wrong:
        raise Refused(400, "invaliddata", str(wrong)) from wrong
    except bodies.Refused as wrong:
        raise refusals.invalid(f"{wrong}.") from wrong


async def _insist(database: Database, caller: Caller, work: Any) -> None:
    """Do it in a transaction of its own; again, when it and another were in each other's way."""
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


async def _put(tx: Transaction, shape: Shape, record: Record) -> None:
    await hold(tx, shape.kind, record.sourced_id)
    known = await named.find(tx, bodies.named([record]))
    await writing.save(tx, shape.kind, rows.rows(shape, [record], known))


async def _delete(tx: Transaction, kind: Kind, sourced_id: str) -> None:
    await hold(tx, kind, sourced_id)
    await ending.delete(tx, kind, sourced_id)


async def _post(database: Database, caller: Caller, into: Collection, parents: tuple[str, ...], asked: Write) -> bytes:
    """Add many at once; the body of the answer."""
    for (target, _), parent in zip(into.targets, parents, strict=True):
        if not parent or "\0" in parent or len(parent) > 255:
            raise refusals.unknown(f"There is no such {target}.")
    shape, within = _SHAPES[asked.version][into.kind], "/".join(asked.segments)
    implied = {name: parent for (_, name), parent in zip(into.targets, parents, strict=True) if name}
    records, pairs = _read(lambda: bodies.many(_bounded(asked.body), shape, caller.district, within, implied))
    await _insist(database, caller, lambda tx: _add(tx, into, parents, shape, records, within))
    return orjson.dumps(
        {
            "sourcedIdPairs": [
                {"suppliedSourcedId": supplied, "allocatedSourcedId": allocated} for supplied, allocated in pairs
            ]
        }
    )


async def _add(
    tx: Transaction, into: Collection, parents: tuple[str, ...], shape: Shape, records: list[Record], within: str
) -> None:
    await hold(tx, into.kind, within)
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
    await writing.save(tx, into.kind, kept)


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
