"""The kernel at the worst moment: uploads that stall, deaths at the seams, errors of the driver."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared import crash
from shared.auth import Caller
from shared.away import is_away
from shared.compute import Compute, ProcessDied
from shared.db import Database, Transaction
from shared.errors import Conflict, Invalid, Unavailable
from shared.events import payload_of, type_of
from shared.events_pb.trellis.events.assessment.v1.assessment_pb2 import Form, FormPublished
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as roster
from shared.imports import Imports, Job, Report, report_of, uploads
from shared.inbox import Consumer, Listens
from shared.looking import NAMED
from tests.integration.test_kernel import Delivered, NoBus, a_placement, body_of, outbox

FreshDatabase = Callable[[str], Awaitable[Database]]
DISTRICT = UUID("11111111-1111-4111-8111-111111111111")
OTHER = UUID("22222222-2222-4222-8222-222222222222")
CALLER = Caller.system(DISTRICT, "test")


@pytest.fixture
async def database(fresh_database: FreshDatabase) -> Database:
    return await fresh_database("kernel")


async def count(database: Database, table: str) -> int:
    async with database.system() as tx:
        return int(await tx.fetchval(f"SELECT count(*) FROM {table}"))


async def report(database: Database, import_id: UUID) -> Report:
    async with database.reading(CALLER) as tx:
        return await report_of(tx, import_id)


class Whole:
    """Imports a file in one chunk: every line is announced."""

    kind = "whole"

    def __init__(self) -> None:
        self.breaks = False
        self.cleared: list[UUID] = []

    async def validate(self, job: Job) -> None:
        if self.breaks:
            raise RuntimeError("a mistake of ours")

    async def merge(self, job: Job, tx: Transaction, cursor: int) -> int | None:
        lines = [line async for piece in job.chunks() for line in piece.decode().splitlines()]
        tx.announce(roster.StudentsPlaced, [a_placement(line.ljust(16).encode()) for line in lines])
        job.counts.added += len(lines)
        return None

    async def clear(self, tx: Transaction, import_id: UUID) -> None:
        self.cleared.append(import_id)


class TestUploads:
    async def test_one_that_stalls_until_it_is_forgotten_is_not_acknowledged(self, database: Database) -> None:
        imports = Imports(database, [Whole()])

        async def stalling() -> AsyncIterator[bytes]:
            yield b"x" * (2 << 20)
            async with database.system() as tx:
                await tx.run("UPDATE stage.queue SET touched_at = now() - interval '1 hour'")
            await uploads.forget_abandoned(database, timedelta(minutes=2))
            yield b"y" * (1 << 20)

        with pytest.raises(Conflict):
            await imports.stage(CALLER, "whole", stalling(), False, None)

        assert await count(database, "stage.uploads") == 0

    async def test_one_that_stalls_at_its_end_is_not_acknowledged(self, database: Database) -> None:
        imports = Imports(database, [Whole()])

        async def stalling() -> AsyncIterator[bytes]:
            yield b"x" * (2 << 20)
            async with database.system() as tx:
                await tx.run("UPDATE stage.queue SET touched_at = now() - interval '1 hour'")
            await uploads.forget_abandoned(database, timedelta(minutes=2))

        with pytest.raises(Conflict):
            await imports.stage(CALLER, "whole", stalling(), False, None)

        assert await count(database, "stage.uploads") == 0

    async def test_a_slow_one_is_kept_piece_by_piece_long_before_it_counts_as_abandoned(self) -> None:
        async def slow() -> AsyncIterator[bytes]:
            for number in range(3):
                await asyncio.sleep(0.05)
                yield bytes([number])

        assert [piece async for piece in uploads._pieces(slow(), 0.01)] == [b"\0", b"\1", b"\2"]
        assert [piece async for piece in uploads._pieces(slow(), 60)] == [b"\0\1\2"]


class TestImports:
    async def test_a_death_after_the_only_chunk_counts_it_once(self, database: Database) -> None:
        imports = Imports(database, [Whole()])
        import_id = await imports.stage(CALLER, "whole", body_of("one\ntwo\n"), False, None)

        with crash.armed("I2"), pytest.raises(crash.Crashed):
            await imports.advance(import_id, DISTRICT)
        await imports.advance(import_id, DISTRICT)

        found = await report(database, import_id)
        assert (found.state, found.counts["added"]) == ("applied", 2)
        assert sum(envelope.facts for envelope in await outbox(database)) == 2

    async def test_a_mistake_of_ours_leaves_nothing_in_the_stages(self, database: Database) -> None:
        importer = Whole()
        importer.breaks = True
        imports = Imports(database, [importer])
        import_id = await imports.stage(CALLER, "whole", body_of("one\n"), False, None)

        importer.cleared.clear()
        await imports._worker._attempt(import_id, DISTRICT)

        assert (await report(database, import_id)).state == "failed"
        assert importer.cleared == [import_id, import_id]  # before validating, and after it failed
        assert await count(database, "stage.uploads") == 0

    async def test_a_file_that_brings_the_computing_process_down_again_and_again_does_not_hold_up_the_others(
        self, database: Database
    ) -> None:
        compute = Compute()

        class Deadly(Whole):
            async def validate(self, job: Job) -> None:
                await compute.run(os._exit, 1)

        imports = Imports(database, [Deadly()])
        import_id = await imports.stage(CALLER, "whole", body_of("one\n"), False, None)
        for _ in range(2):
            with pytest.raises(ProcessDied):
                await imports._worker._attempt(import_id, DISTRICT)
            assert (await report(database, import_id)).state == "validating"

        await imports._worker._attempt(import_id, DISTRICT)

        assert (await report(database, import_id)).state == "failed"
        assert await count(database, "stage.queue") == 0

    async def test_two_workers_that_both_think_they_lead_merge_a_chunk_once(self, database: Database) -> None:
        met = asyncio.Barrier(2)

        class Slow(Whole):
            async def merge(self, job: Job, tx: Transaction, cursor: int) -> int | None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await met.wait()
                return await super().merge(job, tx, cursor)

        first, second = Imports(database, [Slow()]), Imports(database, [Slow()])
        import_id = await first.stage(CALLER, "whole", body_of("one\ntwo\n"), False, None)
        async with database.transaction(CALLER) as tx:
            await tx.run("UPDATE imports SET state = 'merging' WHERE id = $1", import_id)

        ended = await asyncio.gather(
            first.advance(import_id, DISTRICT), second.advance(import_id, DISTRICT), return_exceptions=True
        )

        assert [type(one) for one in ended if one is not None] == [Unavailable]
        assert sum(envelope.facts for envelope in await outbox(database)) == 2
        assert (await report(database, import_id)).counts["added"] == 2


class TestListeners:
    async def test_a_city_of_facts_that_waited_is_heard_in_order_and_a_bounded_number_at_once(
        self, database: Database
    ) -> None:
        waited = [a_placement(number.to_bytes(16, "big")) for number in range(12_001)]
        async with database.system() as tx:
            await tx.run_many(
                """
                INSERT INTO waiting (listener, district, needs, type, payload)
                VALUES ('listener', $1, 'form:1', $2, $3)
                """,
                [(DISTRICT, type_of(roster.StudentsPlaced), payload_of(roster.StudentsPlaced, [w])) for w in waited],
            )
        async with database.transaction(CALLER) as tx:
            tx.announce(FormPublished, [Form(id=b"i" * 16, form=b"f" * 16)])
        heard: list[list[bytes]] = []

        async def again(tx: Transaction, facts: list[roster.Placement]) -> None:
            heard.append([fact.student for fact in facts])

        async def arrives(tx: Transaction, facts: list[Form]) -> None:
            tx.arrived(["form:1"])

        listens = [Listens(roster.StudentsPlaced, again), Listens(FormPublished, arrives)]
        await Consumer("listener", database, listens, NoBus()).hear(Delivered(await outbox(database)))

        assert [student for batch in heard for student in batch] == [fact.student for fact in waited]
        assert max(map(len, heard)) <= 5_000
        assert await count(database, "waiting") == 0

    async def test_a_fact_is_parked_whatever_characters_the_reason_has(self, database: Database) -> None:
        async with database.transaction(CALLER) as tx:
            tx.announce(roster.StudentsPlaced, [a_placement()])

        async def handler(tx: Transaction, facts: list[Any]) -> None:
            raise Invalid("no form is named a\0b\ud800")

        consumer = Consumer("listener", database, [Listens(roster.StudentsPlaced, handler)], NoBus())
        await consumer.hear(Delivered(await outbox(database)))

        async with database.system() as tx:
            assert await tx.fetchval("SELECT reason FROM parked") == "Invalid: no form is named a\\x00b\\ud800"

    async def test_a_deadlock_said_by_the_session_is_tried_again_not_parked(self, database: Database) -> None:
        async with database.transaction(CALLER) as tx:
            tx.announce(roster.StudentsPlaced, [a_placement()])
        attempts = []

        async def handler(tx: Transaction, facts: list[Any]) -> None:
            attempts.append(facts)
            if len(attempts) == 1:
                await tx.session.execute(text("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$"))

        consumer = Consumer("listener", database, [Listens(roster.StudentsPlaced, handler)], NoBus())
        batch = Delivered(await outbox(database))

        with pytest.raises(DBAPIError):
            await consumer.hear(batch)
        await consumer.hear(batch)

        assert len(attempts) == 2
        assert await count(database, "parked") == 0

    async def test_what_the_session_wrote_for_a_poison_fact_is_undone_and_the_others_stay(
        self, database: Database
    ) -> None:
        async with database.transaction(CALLER) as tx:
            tx.announce(roster.StudentsPlaced, [a_placement(bytes([number]) * 16) for number in range(5)])

        async def handler(tx: Transaction, facts: list[roster.Placement]) -> None:
            for fact in facts:
                await tx.session.execute(
                    text("INSERT INTO positions VALUES ('of the session', :key, 0)"), {"key": fact.student.hex()}
                )
                if fact.student[0] == 3:
                    raise Invalid("poison")

        consumer = Consumer("listener", database, [Listens(roster.StudentsPlaced, handler)], NoBus())
        await consumer.hear(Delivered(await outbox(database)))

        assert await count(database, "positions") == 4
        assert await count(database, "parked") == 1

    async def test_a_temporary_stage_made_beside_a_poison_fact_serves_the_others(self, database: Database) -> None:
        good, poison = [bytes([number]) * 16 for number in range(6)], b"p" * 16
        async with database.transaction(CALLER) as tx:
            tx.announce(roster.StudentsPlaced, [a_placement(student) for student in (*good, poison)])
        heard: list[bytes] = []

        async def handler(tx: Transaction, facts: list[roster.Placement]) -> None:
            await tx.temp("staged", "student bytea")
            await tx.copy("staged", ["student"], [(fact.student,) for fact in facts])
            if any(fact.student == poison for fact in facts):
                raise Invalid("poison")
            heard.extend(row["student"] for row in await tx.fetch("SELECT student FROM staged"))

        consumer = Consumer("listener", database, [Listens(roster.StudentsPlaced, handler)], NoBus())
        await consumer.hear(Delivered(await outbox(database)))

        assert sorted(heard) == good
        assert await count(database, "parked") == 1

    async def test_a_temporary_stage_holds_no_row_of_another_district(self, database: Database) -> None:
        for district in (DISTRICT, OTHER):
            async with database.transaction(Caller.system(district, "test")) as tx:
                tx.announce(roster.StudentsPlaced, [a_placement(district.bytes)])
        staged: list[list[bytes]] = []

        async def handler(tx: Transaction, facts: list[roster.Placement]) -> None:
            await tx.temp("staged", "student bytea")
            await tx.copy("staged", ["student"], [(fact.student,) for fact in facts])
            staged.append([row["student"] for row in await tx.fetch("SELECT student FROM staged")])

        consumer = Consumer("listener", database, [Listens(roster.StudentsPlaced, handler)], NoBus())
        await consumer.hear(Delivered(await outbox(database)))

        assert staged == [[DISTRICT.bytes], [OTHER.bytes]]


async def test_a_server_that_goes_away_under_a_session_is_unavailable(database: Database) -> None:
    with pytest.raises(Unavailable):
        async with database.system() as tx:
            await tx.session.execute(text("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '57P01'; END $$"))


class TestOneQuestionPutWrongly:
    """What nobody can answer, however often it is asked, is no database that is away."""

    async def test_surfaces_as_what_it_is(self, database: Database) -> None:
        ways = (database.transaction(CALLER), database.reading(CALLER), database.looking(CALLER))

        for way in ways:
            with pytest.raises(asyncpg.InterfaceError, match="expects 1 argument"):
                async with way as tx:
                    await tx.fetchval("SELECT $1::integer")
        with pytest.raises(asyncpg.InterfaceError, match="expects 4 arguments"):
            async with database.look(CALLER) as look:
                await look.fetchrow(f"SELECT $1::integer, $4::integer WHERE {NAMED}", 7)  # constants
        async with database.reading(CALLER) as tx:
            assert await tx.fetchval("SELECT 1") == 1

    async def test_in_a_session_too(self, database: Database) -> None:
        with pytest.raises(DBAPIError, match="expects 1 argument"):
            async with database.reading(CALLER) as tx:
                await (await tx.session.connection()).exec_driver_sql("SELECT $1::integer")

    async def test_parks_its_fact_instead_of_holding_up_the_others(self, database: Database) -> None:
        async with database.transaction(CALLER) as tx:
            tx.announce(roster.StudentsPlaced, [a_placement(DISTRICT.bytes)])

        async def handler(tx: Transaction, facts: list[roster.Placement]) -> None:
            await tx.fetchval("SELECT $1::integer")

        consumer = Consumer("listener", database, [Listens(roster.StudentsPlaced, handler)], NoBus())
        await consumer.hear(Delivered(await outbox(database)))

        assert await count(database, "parked") == 1


async def test_a_connection_that_is_closed_under_a_transaction_is_a_database_that_is_away(database: Database) -> None:
    for way in (database.transaction(CALLER), database.reading(CALLER), database.looking(CALLER)):
        with pytest.raises(Unavailable):
            await _cut_off(way)


async def test_a_connection_that_is_still_busy_is_a_database_that_is_away(database: Database) -> None:
    async with database.system() as tx:
        slow = asyncio.create_task(tx.fetchval("SELECT pg_sleep(0.3)"))
        await asyncio.sleep(0.1)
        with pytest.raises(asyncpg.InterfaceError) as busy:
            await tx.fetchval("SELECT 1")
        await slow

    assert is_away(busy.value)


async def _cut_off(way: contextlib.AbstractAsyncContextManager[Transaction]) -> None:
    async with way as tx:
        await tx.connection.close(timeout=5)
        await tx.fetchval("SELECT 1")
