"""The kernel's promises, on real PostgreSQL."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from shared import crash, migrate
from shared.auth import Caller
from shared.db import Database, Transaction
from shared.errors import Conflict, Invalid
from shared.events import Envelope, key_of, uuid7
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as roster
from shared.imports import Imports, Job, SameKeyOtherFile, report_of
from shared.inbox import Consumer, Listens
from shared.outbox import Relay, envelope_of
from tests.integration.work import at_work

FreshDatabase = Callable[[str], Awaitable[Database]]
DISTRICT = UUID("11111111-1111-4111-8111-111111111111")
OTHER = UUID("22222222-2222-4222-8222-222222222222")


@dataclass
class Delivered:
    envelopes: Sequence[Envelope]

    async def mark(self, tx_connection: Any) -> None:
        return None


class NoBus:
    """Publishes into a list; hears nothing."""

    def __init__(self) -> None:
        self.published: list[Envelope] = []

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        self.published += envelopes

    async def listen(self, listener: str, types: Sequence[str], hear: Any) -> None: ...

    async def close(self) -> None: ...


def a_placement(student: bytes = b"s" * 16) -> roster.Placement:
    return roster.Placement(id=uuid7().bytes, student=student)


async def outbox(database: Database) -> list[Envelope]:
    async with database.system() as tx:
        return [envelope_of(row) for row in await tx.fetch("SELECT * FROM outbox ORDER BY id")]


@pytest.fixture
async def database(fresh_database: FreshDatabase) -> Database:
    return await fresh_database("kernel")


class Effects:
    """A handler whose effects are rows: one import row per fact heard, in its district."""

    def __init__(self) -> None:
        self.poison: set[bytes] = set()
        self.unknown: set[bytes] = set()

    async def __call__(self, tx: Transaction, facts: list[roster.Placement]) -> None:
        for fact in facts:
            if fact.student in self.poison:
                raise Invalid("poison")
            if fact.student in self.unknown:
                tx.wait(roster.StudentsPlaced, fact, needs=f"student:{fact.student.hex()}")
                continue
            await tx.run(
                """
                INSERT INTO imports (id, district_id, kind, subject, state, keep_good)
                VALUES ($1, $2, $3, '', 'applied', false)
                """,
                uuid4(), tx.caller.district, fact.student.hex(),
            )  # fmt: skip

    async def seen(self, database: Database, district: UUID = DISTRICT) -> list[str]:
        async with database.reading(Caller.system(district, "test")) as tx:
            return [row["kind"] for row in await tx.fetch("SELECT kind FROM imports ORDER BY created_at, kind")]


@asynccontextmanager
async def announcing(
    database: Database, district: UUID = DISTRICT, cause: str | None = None
) -> AsyncIterator[Transaction]:
    async with database.transaction(Caller.system(district, "test"), cause=cause) as tx:
        yield tx


async def test_what_a_rolled_back_transaction_announced_never_happened(database: Database) -> None:
    async def announce_and_fail() -> None:
        async with announcing(database) as tx:
            tx.announce(roster.StudentsPlaced, [a_placement()])
            raise Conflict

    with pytest.raises(Conflict):
        await announce_and_fail()

    assert await outbox(database) == []


async def test_a_crash_before_commit_leaves_neither_row_nor_fact(database: Database) -> None:
    with crash.armed("W1"), pytest.raises(crash.Crashed):
        async with announcing(database) as tx:
            tx.announce(roster.StudentsPlaced, [a_placement()])

    assert await outbox(database) == []


async def test_facts_are_cut_by_bucket_and_keep_their_order(database: Database) -> None:
    facts = [a_placement(student=bytes([number % 7]) * 16) for number in range(700)]

    async with announcing(database, cause="import-1") as tx:
        tx.announce(roster.StudentsPlaced, facts)

    heard: dict[bytes, list[bytes]] = {}
    for envelope in await outbox(database):
        inside = roster.StudentsPlaced.FromString(envelope.payload).facts
        assert len(inside) == envelope.facts <= 256
        assert envelope.cause == "import-1"
        for fact in inside:
            heard.setdefault(fact.student, []).append(fact.id)
    sent: dict[bytes, list[bytes]] = {}
    for fact in facts:
        sent.setdefault(key_of(roster.StudentsPlaced, fact), []).append(fact.id)
    assert heard == sent


async def test_the_relay_marks_what_the_bus_took_and_sends_it_once(database: Database) -> None:
    bus = NoBus()
    relay = Relay(database, bus)
    async with announcing(database) as tx:
        tx.announce(roster.StudentsPlaced, [a_placement()])

    connection = await database.raw()
    first, second = await relay.send(connection), await relay.send(connection)
    await connection.close()

    assert (first, second) == (1, 0)
    assert [e.id for e in bus.published] == [e.id for e in await outbox(database)]


@pytest.mark.parametrize("point", ["R1", "R3", "R4"])
async def test_a_relay_that_dies_sends_again_rather_than_never(database: Database, point: str) -> None:
    bus = NoBus()
    relay = Relay(database, bus)
    async with announcing(database) as tx:
        tx.announce(roster.StudentsPlaced, [a_placement()])

    connection = await database.raw()
    with crash.armed(point), pytest.raises(crash.Crashed):
        await relay.send(connection)
    again = await relay.send(connection)
    await connection.close()

    assert again == 1
    assert {e.id for e in bus.published} == {e.id for e in await outbox(database)}


async def test_an_envelope_heard_twice_has_one_effect(database: Database) -> None:
    effects = Effects()
    consumer = Consumer("test", database, [Listens(roster.StudentsPlaced, effects)], NoBus())
    async with announcing(database) as tx:
        tx.announce(roster.StudentsPlaced, [a_placement()])
    batch = Delivered(await outbox(database))

    await consumer.hear(batch)
    await consumer.hear(batch)
    await consumer.hear(Delivered([*batch.envelopes, *batch.envelopes]))

    assert len(await effects.seen(database)) == 1


@pytest.mark.parametrize("point", ["C2", "C3"])
async def test_a_listener_that_dies_before_commit_has_no_effect_and_hears_again(database: Database, point: str) -> None:
    effects = Effects()
    consumer = Consumer("test", database, [Listens(roster.StudentsPlaced, effects)], NoBus())
    async with announcing(database) as tx:
        tx.announce(roster.StudentsPlaced, [a_placement()])
    batch = Delivered(await outbox(database))

    with crash.armed(point), pytest.raises(crash.Crashed):
        await consumer.hear(batch)
    before = await effects.seen(database)
    await consumer.hear(batch)

    assert before == []
    assert len(await effects.seen(database)) == 1


async def test_two_districts_in_one_batch_stay_apart(database: Database) -> None:
    effects = Effects()
    consumer = Consumer("test", database, [Listens(roster.StudentsPlaced, effects)], NoBus())
    for number in range(6):
        async with announcing(database, district=(DISTRICT, OTHER)[number % 2]) as tx:
            tx.announce(roster.StudentsPlaced, [a_placement(bytes([number]) * 16)])

    await consumer.hear(Delivered(await outbox(database)))

    assert await effects.seen(database, DISTRICT) == [(bytes([n]) * 16).hex() for n in (0, 2, 4)]
    assert await effects.seen(database, OTHER) == [(bytes([n]) * 16).hex() for n in (1, 3, 5)]


async def test_a_poison_fact_is_parked_its_key_waits_behind_and_the_others_go_on(database: Database) -> None:
    effects = Effects()
    effects.poison = {b"p" * 16}
    consumer = Consumer("test", database, [Listens(roster.StudentsPlaced, effects)], NoBus())
    async with announcing(database) as tx:
        tx.announce(roster.StudentsPlaced, [a_placement(key * 16) for key in (b"a", b"p", b"b", b"p", b"c")])

    await consumer.hear(Delivered(await outbox(database)))

    async with database.system() as tx:
        parked = [row["reason"] for row in await tx.fetch("SELECT reason FROM parked ORDER BY id")]
    assert sorted(await effects.seen(database)) == [(key * 16).hex() for key in (b"a", b"b", b"c")]
    assert parked == ["Invalid: poison", "behind an earlier fact of the same key"]

    effects.poison = set()
    redriven = await consumer.redrive()

    assert redriven == 2
    assert (await effects.seen(database)).count((b"p" * 16).hex()) == 2


async def test_a_fact_waits_for_what_it_refers_to_and_is_heard_when_that_arrives(database: Database) -> None:
    effects = Effects()
    effects.unknown = {b"w" * 16}
    consumer = Consumer("test", database, [Listens(roster.StudentsPlaced, effects)], NoBus())
    async with announcing(database, cause="import-2") as tx:
        tx.announce(roster.StudentsPlaced, [a_placement(b"w" * 16)])
    await consumer.hear(Delivered(await outbox(database)))
    waiting = await effects.seen(database)

    async def arrives(tx: Transaction, facts: list[roster.Placement]) -> None:
        effects.unknown = set()
        if facts[0].student == b"n" * 16:
            tx.arrived([f"student:{(b'w' * 16).hex()}"])
        else:
            await effects(tx, facts)

    second = Consumer("test", database, [Listens(roster.StudentsPlaced, arrives)], NoBus())
    async with announcing(database) as tx:
        tx.announce(roster.StudentsPlaced, [a_placement(b"n" * 16)])
    await second.hear(Delivered((await outbox(database))[1:]))

    assert waiting == []
    assert await effects.seen(database) == [(b"w" * 16).hex()]
    async with database.system() as tx:
        assert await tx.fetchval("SELECT count(*) FROM waiting") == 0


class Lines:
    """Imports a text file: every line is a row; the line `bad` breaks a rule."""

    kind = "lines"

    async def validate(self, job: Job) -> None:
        number = 0
        async for piece in job.chunks():
            for number, line in enumerate(piece.decode().splitlines(), 1):
                if line == "bad":
                    job.problem(file="lines", line=number, value=line, rule="not-bad", remedy="say something good")
        job.progress(number, number)

    async def merge(self, job: Job, tx: Transaction, cursor: int) -> int | None:
        lines = [line async for piece in job.chunks() for line in piece.decode().splitlines()]
        if cursor >= len(lines):
            return None
        if lines[cursor] == "bad":
            job.counts.refused += 1
        else:
            job.counts.added += 1
            tx.announce(roster.StudentsPlaced, [a_placement(lines[cursor].ljust(16).encode())])
        return cursor + 1

    async def clear(self, tx: Transaction, import_id: UUID) -> None: ...


async def body_of(text: str) -> AsyncIterator[bytes]:
    yield text.encode()


async def imported(imports: Imports, database: Database, text: str, *, keep_good: bool = False) -> Any:
    caller = Caller.system(DISTRICT, "test")
    import_id = await imports.stage(caller, "lines", body_of(text), keep_good, None)
    await imports.advance(import_id, DISTRICT)
    async with database.reading(caller) as tx:
        return await report_of(tx, import_id)


async def test_an_import_is_all_or_none(database: Database) -> None:
    imports = Imports(database, [Lines()])

    report = await imported(imports, database, "one\nbad\nthree\n")

    assert report.state == "refused"
    assert [(p.line, p.rule) for p in report.problems] == [(2, "not-bad")]
    assert await outbox(database) == []


async def test_keep_good_merges_the_valid_rows_and_reports_the_rest(database: Database) -> None:
    imports = Imports(database, [Lines()])

    report = await imported(imports, database, "one\nbad\nthree\n", keep_good=True)

    assert report.state == "applied"
    assert report.counts == {"added": 2, "changed": 0, "unchanged": 0, "refused": 1}
    assert len(report.problems) == 1


@pytest.mark.parametrize(("point", "time"), [("I1", 1), ("I1", 2), ("I2", 1)])
async def test_an_import_killed_while_merging_goes_on_where_it_was(database: Database, point: str, time: int) -> None:
    imports = Imports(database, [Lines()])
    caller = Caller.system(DISTRICT, "test")
    import_id = await imports.stage(caller, "lines", body_of("one\ntwo\nthree\n"), False, None)

    with crash.armed(point, time=time), pytest.raises(crash.Crashed):
        await imports.advance(import_id, DISTRICT)
    await imports.advance(import_id, DISTRICT)

    async with database.reading(caller) as tx:
        report = await report_of(tx, import_id)
    assert (report.state, report.counts["added"]) == ("applied", 3)
    assert len(await outbox(database)) == 3


async def test_the_same_idempotency_key_gives_the_same_import_and_refuses_another_file(database: Database) -> None:
    imports = Imports(database, [Lines()])
    caller = Caller.system(DISTRICT, "test")

    first = await imports.stage(caller, "lines", body_of("one"), False, "key-1")
    again = await imports.stage(caller, "lines", body_of("one"), False, "key-1")

    assert first == again
    with pytest.raises(SameKeyOtherFile):
        await imports.stage(caller, "lines", body_of("two"), False, "key-1")


async def test_another_districts_import_is_not_there(database: Database) -> None:
    imports = Imports(database, [Lines()])
    import_id = await imports.stage(Caller.system(DISTRICT, "test"), "lines", body_of("one"), False, None)

    async with database.reading(Caller.system(OTHER, "test")) as tx:
        rows = await tx.fetch("SELECT * FROM imports WHERE id = $1", import_id)

    assert rows == []


async def test_the_job_takes_what_is_staged_without_being_asked(database: Database) -> None:
    imports = Imports(database, [Lines()])
    caller = Caller.system(DISTRICT, "test")

    async with at_work(imports.work()), asyncio.timeout(20):
        import_id = await imports.stage(caller, "lines", body_of("one\ntwo"), False, None)
        while True:
            async with database.reading(caller) as tx:
                report = await report_of(tx, import_id)
            if report.state == "applied":
                break
            await asyncio.sleep(0.05)

    assert report.counts["added"] == 2


async def test_the_start_up_check_passes_on_a_migrated_database(database: Database) -> None:
    await migrate.check_row_level_security(database.dsn)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("CREATE TABLE secrets (id int)", "secrets has no row-level security"),
        ("ALTER TABLE imports NO FORCE ROW LEVEL SECURITY", "imports has no row-level security"),
        (
            "ALTER TABLE inbox ENABLE ROW LEVEL SECURITY; ALTER TABLE inbox FORCE ROW LEVEL SECURITY",
            "inbox is on the list",
        ),
        ("CREATE VIEW peek AS SELECT * FROM imports", "the view peek runs"),
        ("DROP POLICY district ON imports", "imports has no row-level security"),
    ],
)
async def test_the_start_up_check_refuses_what_would_leak(
    database: Database, owner_dsn: Callable[[Database], str], sql: str, said: str
) -> None:
    owner = await asyncpg.connect(owner_dsn(database))
    await owner.execute(sql)
    await owner.close()

    with pytest.raises(migrate.NotSafe, match=said):
        await migrate.check_row_level_security(database.dsn)


async def test_what_a_killed_import_spooled_is_removed_by_the_next(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await dead.wait()
    left, alive = tmp_path / f"trellis-import-{dead.pid}-x", tmp_path / "trellis-import-1-x"
    left.mkdir()
    alive.mkdir()
    job = Job(uuid4(), "lines", Caller.system(DISTRICT, "test"), False, database)

    async with job.spool() as path:
        there = path.exists()

    assert there
    assert not left.exists()
    assert alive.exists()


async def test_a_text_that_no_database_can_keep_is_invalid(fresh_database: FreshDatabase) -> None:
    database = await fresh_database("roster")
    caller = Caller.system(DISTRICT, "a test")

    with pytest.raises(Invalid, match="NUL"):
        async with database.reading(caller) as tx:
            await tx.fetchval("SELECT count(*) FROM people WHERE sourced_id = $1", "a\0b")


async def test_days_are_those_at_greenwich_wherever_the_server_stands(
    fresh_database: FreshDatabase, owner_dsn: Callable[[Database], str]
) -> None:
    database = await fresh_database("roster")
    owner = await asyncpg.connect(owner_dsn(database))
    await owner.execute(f"ALTER DATABASE {database.dsn.rpartition('/')[2]} SET timezone = 'Pacific/Kiritimati'")
    await owner.close()
    caller = Caller.system(DISTRICT, "a test")
    elsewhere = Database(database.dsn, name="roster")

    async with elsewhere.transaction(caller) as tx:
        written = await tx.fetchval("SHOW timezone")
    async with elsewhere.looking(caller) as tx:
        read = await tx.fetchval("SELECT timestamptz '2026-01-31T23:30:00Z'::date::text")
    await elsewhere.close()

    assert (written, read) == ("UTC", "2026-01-31")
