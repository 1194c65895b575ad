"""The roster's facts for who begins to listen: what is so now, as of one moment, and from when on to hear the rest.

What each row says is what an import would announce of it: the same columns and the same encoders.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Annotated, Any
from uuid import UUID, uuid4

import orjson
from fastapi import APIRouter, Query, Request
from google.protobuf.message import Message
from starlette.responses import Response

from services.roster import events, events_identity
from services.roster.handlers import closures as handled
from services.roster.store import closures, revisions, telling
from services.roster.store.closures import Changed
from shared import fact_json
from shared.auth import Caller
from shared.db import Database, Transaction
from shared.errors import Invalid
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb
from shared.http import CallerOf
from shared.outbox import listen_from
from shared.streamed import Out, Streamed

router = APIRouter()

FORMAT = "trellis.roster-facts.v1"
_DEMOGRAPHICS = pb.DemographicsRecorded.DESCRIPTOR.name
Said = tuple[type[Message], Sequence[bytes]]
"""Facts of one event, serialised."""


class NoSuchFacts(Invalid):
    """Types are names of facts of the present state, with commas between."""


@router.get("/exports/roster-facts")
async def bootstrap(
    request: Request, caller: CallerOf, types: Annotated[str | None, Query(max_length=400)] = None
) -> Response:
    """What is so now, as lines of JSON: what this is and from when on to listen; the facts; how many they were."""
    caller.need("roster:read")
    caller.need_whole_district()
    database: Database = request.app.state.database
    wanted = types_for(caller, types)

    async def make(out: Out) -> None:
        moment = await listen_from(database)  # before the snapshot: what it does not hold comes after this moment
        async with database.snapshot(caller) as tx:
            revision, at = await revisions.latest(tx), await tx.fetchval("SELECT now()")
            out.headers["x-trellis-revision"] = str(revision)
            head = {
                "format": FORMAT, "district": caller.district, "revision": revision, "at": at, "listen_from": moment,
                "types": wanted,
            }  # fmt: skip
            await out.write(orjson.dumps(head, option=orjson.OPT_UTC_Z) + b"\n")
            told: Counter[str] = Counter(dict.fromkeys(wanted, 0))
            async for event, facts in _said(tx, wanted):
                told[event.DESCRIPTOR.name] += len(facts)
                await out.write(await asyncio.to_thread(fact_json.lines, event, facts))
            await out.write(orjson.dumps({"end": told, "facts": told.total()}) + b"\n")

    return Streamed(make, "application/x-ndjson")


def types_for(caller: Caller, types: str | None) -> list[str]:
    """Which facts to tell: those asked for, else all that this caller may have. Raises: NoSuchFacts, Forbidden."""
    if types is None:
        return [name for name in TYPES if name != _DEMOGRAPHICS or "demographics:read" in caller.scopes]
    asked = {name.strip() for name in types.split(",")}
    if asked - set(TYPES):
        raise NoSuchFacts(f"Types are some of {', '.join(TYPES)}, with commas between.", field="types")
    if _DEMOGRAPHICS in asked:
        caller.need("demographics:read")
    return [name for name in TYPES if name in asked]


async def _said(tx: Transaction, wanted: Sequence[str]) -> AsyncIterator[Said]:
    """All facts of these types.

    Their ids are this answer's own, but for mergers and splits, whose ids say which of them holds.
    """
    cause = uuid4()
    for of in dict.fromkeys(TYPES[name] for name in wanted):
        async for event, facts in of(tx, cause):
            if event.DESCRIPTOR.name in wanted and facts:
                yield event, facts


async def _organisations(tx: Transaction, cause: UUID) -> AsyncIterator[Said]:
    found = events.organisations(cause, await telling.organisations(tx, present=True))
    yield pb.OrganisationsChanged, _serialised(found)


async def _people(tx: Transaction, cause: UUID) -> AsyncIterator[Said]:
    async for placed in telling.placed(tx):
        joined = await asyncio.to_thread(events.people, cause, placed, "joined")
        yield pb.PeopleJoined, joined.facts
        placements = await asyncio.to_thread(events.placements, cause, placed)
        yield pb.StudentsPlaced, placements.facts


async def _enrollments(tx: Transaction, cause: UUID) -> AsyncIterator[Said]:
    async for columns in telling.enrolled(tx):
        yield pb.EnrollmentsChanged, (await asyncio.to_thread(events.enrollments, cause, columns)).facts


async def _mergers(tx: Transaction, cause: UUID) -> AsyncIterator[Said]:
    found = await telling.mergers(tx)
    yield pb.PeopleMerged, _serialised([events_identity.merged(*row) for row in found])


async def _splits(tx: Transaction, cause: UUID) -> AsyncIterator[Said]:
    found = await telling.rejoined(tx)
    facts = [events_identity.split(one["revision"], one["person"], one["other"], [], undone=True) for one in found]
    yield pb.PeopleSplit, _serialised(facts)


async def _closures(tx: Transaction, cause: UUID) -> AsyncIterator[Said]:
    async for found in closures.not_over(tx):
        changed = [Changed(one, withdrawn=False, is_new=True) for one in found]
        yield pb.ClosuresChanged, _serialised(list(handled.facts(cause, changed)))


async def _demographics(tx: Transaction, cause: UUID) -> AsyncIterator[Said]:
    async for rows in telling.described(tx):
        yield pb.DemographicsRecorded, (await asyncio.to_thread(events.demographics, cause, rows)).facts


def _serialised(facts: Sequence[Any]) -> list[bytes]:
    return [fact.SerializeToString() for fact in facts]


TYPES: dict[str, Callable[[Transaction, UUID], AsyncIterator[Said]]] = {
    pb.OrganisationsChanged.DESCRIPTOR.name: _organisations,
    pb.PeopleJoined.DESCRIPTOR.name: _people,
    pb.StudentsPlaced.DESCRIPTOR.name: _people,
    pb.EnrollmentsChanged.DESCRIPTOR.name: _enrollments,
    pb.PeopleMerged.DESCRIPTOR.name: _mergers,
    pb.PeopleSplit.DESCRIPTOR.name: _splits,
    pb.ClosuresChanged.DESCRIPTOR.name: _closures,
    _DEMOGRAPHICS: _demographics,
}
"""The facts that a present state is made of, and what tells them."""
