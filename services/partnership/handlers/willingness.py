"""What a school says of its willingness, one by one or as a file; and what falls when it takes something back."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from services.partnership import events
from services.partnership.domain import willingness as domain
from services.partnership.domain.willingness import WITHDRAWN, WITHDRAWS, Declaration
from services.partnership.peers import Roster
from services.partnership.store import matchings, programmes, proposals
from services.partnership.store import willingness as store
from services.partnership.store.willingness import Declared
from shared.auth import Caller
from shared.db import Database, Transaction
from shared.errors import Conflict, Forbidden, Invalid, NotFound
from shared.events_pb.trellis.events.partnership.v1 import partnership_pb2 as pb
from shared.imports import Counts, Job

FILE = "willingness.csv"
LARGEST_FILE = 8 << 20  # bytes; a row is one school in one area: a city's file has one, and it is read whole
ROWS_PER_CHUNK = 1_000


class NoSuchSchool(NotFound):
    """There is no such school."""


class NothingDeclared(NotFound):
    """This school has declared nothing in this area."""


class OtherRole(Conflict):
    """This school does the opposite in this area; withdraw that first."""


class Willingness:
    """Declarations from a file."""

    kind = "willingness"

    def __init__(self, roster: Roster, *, rows_at_once: int = ROWS_PER_CHUNK) -> None:
        self._roster = roster
        self._rows_at_once = rows_at_once

    async def validate(self, job: Job) -> None:
        """Read, check against the district, and stage."""
        if job.size > LARGEST_FILE:
            remedy = f"A file of willingness has at most {LARGEST_FILE >> 20} MiB; send it in parts."
            job.problem(file=FILE, value=str(job.size), rule="file-too-large", remedy=remedy)
            job.refuse_whole()
            return
        content = b"".join([piece async for piece in job.chunks()])
        reading = await asyncio.to_thread(domain.read, content)
        schools = await self._roster.named({row.school for row in reading.rows}, job.caller) if reading.rows else {}
        async with job.database.reading(job.caller) as tx:
            areas, declared = await programmes.known_areas(tx), await store.roles(tx)
        checked = domain.check(reading.rows, schools, areas, declared)
        for problem in sorted([*reading.problems, *checked.problems], key=lambda each: each.line or 0):
            job.problem(
                file=FILE, line=problem.line, column=problem.column, value=problem.value, rule=problem.rule,
                remedy=problem.remedy,
            )  # fmt: skip
        job.problems += reading.more  # a report describes no more than the first of them
        if not reading.understood:
            job.refuse_whole()
        job.counts.refused += reading.refused + len(reading.rows) - len(checked.good)
        job.progress(job.size, job.size)
        async with job.transaction() as tx:
            await store.stage(tx, job.id, checked.good)

    async def merge(self, job: Job, tx: Transaction, cursor: int) -> int | None:
        """Keep a chunk of what the schools say. The cursor is the last line."""
        rows = await store.staged(tx, job.id, cursor, self._rows_at_once)
        if not rows:
            return None
        await say(tx, [declaration for _, declaration in rows], job.counts)
        return rows[-1][0]

    async def clear(self, tx: Transaction, import_id: UUID) -> None:
        """Empty this import's stage."""
        await store.clear_stage(tx, import_id)


async def say(tx: Transaction, said: Sequence[Declaration], counts: Counts) -> list[Declared]:
    """Keep what is new, let fall what rested on what is taken back, announce both. One declaration a school and area.

    The declarations that are new or say something else; what was said already is not said again.
    """
    await store.serialise(tx)
    before = await store.find(tx, [(each.school, each.area) for each in said])
    new = []
    fallen: list[UUID] = []
    taken_back: list[tuple[UUID, str]] = []
    for each in said:
        had = before.get((each.school, each.area))
        follows = domain.consequence(None if had is None else had.declaration, each)
        counts.added += follows.is_new
        counts.changed += follows.is_changed
        counts.unchanged += not (follows.is_new or follows.is_changed)
        if follows.is_new or follows.is_changed:
            new.append(each)
        if follows.takes_back_diagnostics:
            taken_back.append((each.school, each.area))
            fallen += await proposals.forget_figures(tx, each.school, each.area)
        if follows.takes_back_willingness:
            fallen += await proposals.withdraw_open(tx, each.school, each.area)
    if taken_back:
        async with for_the_district(tx):  # a school's key does not see what matchings are computed from
            await matchings.thaw_measured(tx, taken_back)
    kept = await store.save(tx, new) if new else []
    tx.announce(pb.WillingnessDeclared, [_fact(each) for each in kept])
    tx.announce(pb.ProposalsAnswered, [events.answered(each, "withdrawn", None) for each in fallen])
    return kept


def _fact(said: Declared) -> pb.Willingness:
    each = said.declaration
    role = WITHDRAWN if each.role == WITHDRAWS else each.role
    return events.willingness_declared(
        each.school, each.area, said.version, role, each.eagerness, each.capacity, each.diagnostics_allowed
    )


async def declare(database: Database, roster: Roster, caller: Caller, said: Declaration) -> Declared:
    """A school says that it is willing; the same again changes nothing."""
    may_speak_for(caller, said.school)
    if said.role not in (domain.OFFERS, domain.SEEKS):
        raise Invalid("role: a school offers or seeks.", field="role")
    if not domain.LEAST_EAGER <= said.eagerness <= domain.MOST_EAGER:
        raise Invalid(f"eagerness: a whole number from {domain.LEAST_EAGER} to {domain.MOST_EAGER}.", field="eagerness")
    if not 1 <= said.capacity <= domain.MOST_CAPACITY:
        raise Invalid(f"capacity: a whole number from 1 to {domain.MOST_CAPACITY}.", field="capacity")
    if not await roster.is_school(said.school, Caller.system(caller.district, caller.subject)):
        raise NoSuchSchool
    async with database.transaction(caller) as tx:
        if said.area not in await programmes.known_areas(tx):
            raise Invalid("area: no programme has this area.", field="area")
        await store.serialise(tx)
        had = (await store.find(tx, [(said.school, said.area)])).get((said.school, said.area))
        if had is not None and had.declaration.role != said.role:
            raise OtherRole
        kept = await say(tx, [said], Counts())
        if kept:
            return kept[0]
        assert had is not None, "what is not new was there before"
        return had


async def withdraw(database: Database, caller: Caller, school: UUID, area: str) -> Declared:
    """A school takes back what it declared in an area; what it was."""
    may_speak_for(caller, school)
    async with database.transaction(caller) as tx:
        await store.serialise(tx)
        had = (await store.find(tx, [(school, area)])).get((school, area))
        if had is None:
            raise NothingDeclared
        await say(tx, [_taken_back(had.declaration)], Counts())
        return had


def _taken_back(had: Declaration) -> Declaration:
    return Declaration(had.school, had.area, WITHDRAWS, had.eagerness, had.capacity, False)


@asynccontextmanager
async def for_the_district(tx: Transaction) -> AsyncIterator[None]:
    """What a school's answer depends on, or changes, beyond the rows that its key sees; no such row is told.

    After an error the transaction is undone, and nothing has to be put back.
    """
    asking, cause = tx.caller, tx.cause
    await tx.become(Caller.system(asking.district, asking.subject), cause=cause)
    yield
    await tx.become(asking, cause=cause)


def may_speak_for(caller: Caller, school: UUID) -> None:
    """Writing needs the scope, and for a caller of named schools, that this is one of them."""
    caller.need("partnership:write")
    caller.refuse_accountability()
    if caller.schools is not None and school not in caller.schools:
        raise Forbidden("This key does not speak for that school.")
