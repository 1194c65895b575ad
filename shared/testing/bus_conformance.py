"""What every bus must do, as tests: a bus is one of ours when a class derived from `BusConformance` is green.

The derived class says in a fixture `world` how its bus and its databases are made. Producers, relays, inboxes and
databases are the real ones.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import asyncpg

from shared import crash, telemetry
from shared.auth import Caller
from shared.bus.bus import Bus
from shared.db import Database, Transaction
from shared.errors import Invalid, Unavailable
from shared.events import uuid7
from shared.events_pb.trellis.events.assessment.v1.assessment_pb2 import Form, FormPublished
from shared.events_pb.trellis.events.roster.v1.roster_pb2 import Placement, StudentsPlaced
from shared.inbox import Consumer, Listens
from shared.outbox import Relay

DEADLINE_SECONDS = 60.0

MakeDatabase = Callable[[], Awaitable[Database]]
MakeBus = Callable[[str, Mapping[str, Database]], Bus]


async def add_effects_table(owner_dsn: str) -> None:
    """Where the suite's handler leaves its effects, in the order they happened."""
    connection = await asyncpg.connect(owner_dsn)
    try:
        await connection.execute(
            """
            CREATE TABLE effects (number bigint GENERATED ALWAYS AS IDENTITY, district uuid, key bytea, value integer);
            GRANT SELECT, INSERT ON effects TO PUBLIC
            """
        )
    finally:
        await connection.close()


def a_key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def a_fact(key: bytes, value: int) -> Placement:
    """A fact of this key; the value tells it from the key's others."""
    fact = Placement(id=uuid7().bytes, student=key)
    fact.places.add(school=value.to_bytes(4, "big"))
    return fact


def value_of(fact: Placement) -> int:
    return int.from_bytes(fact.places[0].school, "big")


def trace_now() -> str:
    """The id of the trace we are in; empty outside of one."""
    return (telemetry.traceparent() or "-").split("-")[1]


@dataclass
class Producer:
    """A service that announces, and its relay."""

    database: Database
    bus: Bus

    async def announce(self, district: UUID, facts: Sequence[Placement]) -> None:
        async with self.database.transaction(Caller.system(district, "conformance")) as tx:
            tx.announce(StudentsPlaced, facts)

    async def publish_form(self, district: UUID, form: bytes) -> None:
        async with self.database.transaction(Caller.system(district, "conformance")) as tx:
            tx.announce(FormPublished, [Form(id=uuid7().bytes, form=form)])

    @asynccontextmanager
    async def relaying(self) -> AsyncIterator[None]:
        async with alive(Relay(self.database, self.bus).run()):
            yield

    async def relay_until_killed(self, point: str) -> None:
        """Relay until the crash point is reached."""
        with crash.armed(point):
            await killed(Relay(self.database, self.bus).run())


@dataclass
class Listener:
    """A service that listens: each fact leaves one row, in the district that the transaction speaks for."""

    name: str
    database: Database
    bus: Bus
    poison: set[bytes] = field(default_factory=set)
    unknown: set[bytes] = field(default_factory=set)
    failures: int = 0
    pause_seconds: float = 0.0
    traces: list[str] = field(default_factory=list)

    async def placed(self, tx: Transaction, facts: list[Placement]) -> None:
        await asyncio.sleep(self.pause_seconds)
        self.traces.append(trace_now())
        if self.failures:
            self.failures -= 1
            raise Unavailable
        for fact in facts:
            if fact.student in self.poison:
                raise Invalid("This fact cannot be processed.")
            if fact.student in self.unknown:
                tx.wait(StudentsPlaced, fact, needs=f"form:{fact.student.hex()}")
                continue
            await tx.run(
                "INSERT INTO effects (district, key, value) VALUES ($1, $2, $3)",
                tx.caller.district, fact.student, value_of(fact),
            )  # fmt: skip

    async def published(self, tx: Transaction, facts: list[Form]) -> None:
        self.unknown -= {fact.form for fact in facts}
        tx.arrived(f"form:{fact.form.hex()}" for fact in facts)

    def consumer(self) -> Consumer:
        listens = [Listens(StudentsPlaced, self.placed), Listens(FormPublished, self.published)]
        return Consumer(self.name, self.database, listens, self.bus)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        async with alive(self.consumer().run()):
            yield

    async def listen_until_killed(self, point: str) -> None:
        """Listen until the crash point is reached."""
        with crash.armed(point):
            await killed(self.consumer().run())

    async def effects(self, district: UUID) -> dict[bytes, list[int]]:
        """Each key's values, in the order they took effect."""
        async with self.database.system() as tx:
            rows = await tx.fetch("SELECT key, value FROM effects WHERE district = $1 ORDER BY number", district)
        seen: dict[bytes, list[int]] = defaultdict(list)
        for row in rows:
            seen[row["key"]].append(row["value"])
        return dict(seen)

    async def count(self, district: UUID) -> int:
        return sum(len(values) for values in (await self.effects(district)).values())

    async def heard(self, district: UUID, facts: int) -> dict[bytes, list[int]]:
        """Wait until so many facts took effect, then a little for one too many; the effects."""
        await eventually(lambda: self._has(district, facts))
        await asyncio.sleep(0.2)
        return await self.effects(district)

    async def _has(self, district: UUID, facts: int) -> bool:
        return await self.count(district) >= facts

    async def parked(self, district: UUID) -> int:
        async with self.database.system() as tx:
            return int(await tx.fetchval("SELECT count(*) FROM parked WHERE district = $1", district))

    async def waiting(self, district: UUID) -> int:
        async with self.database.system() as tx:
            return int(await tx.fetchval("SELECT count(*) FROM waiting WHERE district = $1", district))


class World:
    """Makes producers and listeners around one kind of bus."""

    def __init__(self, make_bus: MakeBus, make_database: MakeDatabase) -> None:
        self._make_bus = make_bus
        self._make_database = make_database
        self._databases: dict[str, Database] = {}
        self._buses: list[Bus] = []

    async def producer(self, name: str = "roster") -> Producer:
        self._databases[name] = await self._make_database()
        return Producer(self._databases[name], self._bus(name))

    async def listener(self) -> Listener:
        """One that nobody has heard of before."""
        name = f"listener-{uuid4().hex[:12]}"
        self._databases[name] = await self._make_database()
        return Listener(name, self._databases[name], self._bus(name))

    def again(self, listener: Listener) -> Listener:
        """The same listener after its process died: same name, same database, another bus."""
        return Listener(listener.name, listener.database, self._bus(listener.name))

    async def close(self) -> None:
        for bus in self._buses:
            await bus.close()

    def _bus(self, name: str) -> Bus:
        self._buses.append(self._make_bus(name, self._databases))
        return self._buses[-1]


class BusConformance:
    """Derive from this, and give it a fixture `world`."""

    async def test_facts_of_one_key_take_effect_in_order_and_once(self, world: World) -> None:
        district, producer, listener = uuid4(), await world.producer(), await world.listener()
        keys = [a_key(number) for number in range(40)]

        async with producer.relaying(), listener.listening():
            for value in range(25):
                await producer.announce(district, [a_fact(key, value) for key in keys])
            effects = await listener.heard(district, 40 * 25)

        assert effects == {key: list(range(25)) for key in keys}

    async def test_a_batch_that_was_not_heard_comes_again_in_order(self, world: World) -> None:
        district, producer, listener = uuid4(), await world.producer(), await world.listener()
        listener.failures = 3

        async with producer.relaying(), listener.listening():
            for value in range(10):
                await producer.announce(district, [a_fact(a_key(7), value)])
            effects = await listener.heard(district, 10)

        assert effects == {a_key(7): list(range(10))}

    async def test_what_is_published_twice_takes_effect_once(self, world: World) -> None:
        district, producer, listener = uuid4(), await world.producer(), await world.listener()
        await producer.announce(district, [a_fact(a_key(number), 1) for number in range(30)])

        await producer.relay_until_killed("R3")
        async with producer.relaying(), listener.listening():
            await producer.announce(district, [a_fact(a_key(number), 2) for number in range(30)])
            effects = await listener.heard(district, 60)

        assert effects == {a_key(number): [1, 2] for number in range(30)}

    async def test_a_relay_killed_anywhere_loses_and_doubles_nothing(self, world: World) -> None:
        district, producer, listener = uuid4(), await world.producer(), await world.listener()
        points = ["R1", "R2", "R3", "R4"]

        async with listener.listening():
            for value, point in enumerate(points):
                await producer.announce(district, [a_fact(a_key(number), value) for number in range(20)])
                await producer.relay_until_killed(point)
            async with producer.relaying():
                effects = await listener.heard(district, 20 * len(points))

        assert effects == {a_key(number): list(range(len(points))) for number in range(20)}

    async def test_a_listener_killed_anywhere_loses_and_doubles_nothing(self, world: World) -> None:
        district, producer, listener = uuid4(), await world.producer(), await world.listener()
        points = ["C1", "C2", "C3", "C4"]

        async with producer.relaying():
            for value, point in enumerate(points):
                await producer.announce(district, [a_fact(a_key(number), value) for number in range(20)])
                await listener.listen_until_killed(point)
                listener = world.again(listener)
            async with listener.listening():
                effects = await listener.heard(district, 20 * len(points))

        assert effects == {a_key(number): list(range(len(points))) for number in range(20)}

    async def test_a_parked_fact_holds_up_its_own_key_alone_until_it_is_redriven(self, world: World) -> None:
        district, producer, listener = uuid4(), await world.producer(), await world.listener()
        bad, good = uuid4().bytes, uuid4().bytes
        listener.poison = {bad}

        async with producer.relaying(), listener.listening():
            for value in range(5):
                await producer.announce(district, [a_fact(bad, value), a_fact(good, value)])
            held_up = await listener.heard(district, 5)
            await eventually(lambda: listener_has_parked(listener, district, 5))
            listener.poison = set()
            await listener.consumer().redrive()
            await producer.announce(district, [a_fact(bad, 5), a_fact(good, 5)])
            effects = await listener.heard(district, 12)

        assert held_up == {good: list(range(5))}
        assert effects == {bad: list(range(6)), good: list(range(6))}
        assert await listener.parked(district) == 0

    async def test_a_listener_killed_while_it_parks_parks_once(self, world: World) -> None:
        district, producer, listener = uuid4(), await world.producer(), await world.listener()
        bad = uuid4().bytes
        listener.poison = {bad}
        await producer.announce(district, [a_fact(bad, 0)])

        async with producer.relaying():
            await listener.listen_until_killed("C6")
            successor = world.again(listener)
            successor.poison = {bad}
            async with successor.listening():
                await eventually(lambda: listener_has_parked(successor, district, 1))
                await asyncio.sleep(0.2)

        assert await successor.parked(district) == 1

    async def test_a_fact_waits_for_what_it_refers_to(self, world: World) -> None:
        district, listener = uuid4(), await world.listener()
        producer, publisher = await world.producer(), await world.producer("assessment")
        early = uuid4().bytes
        listener.unknown = {early}

        async with producer.relaying(), publisher.relaying(), listener.listening():
            await producer.announce(district, [a_fact(early, 0), a_fact(early, 1), a_fact(a_key(1), 0)])
            before = await listener.heard(district, 1)
            waited = await listener.waiting(district)
            await publisher.publish_form(district, early)
            after = await listener.heard(district, 3)

        assert before == {a_key(1): [0]}
        assert waited == 2
        assert after == {early: [0, 1], a_key(1): [0]}
        assert await listener.waiting(district) == 0

    async def test_who_starts_from_the_beginning_comes_to_the_same_end(self, world: World) -> None:
        district, producer, first = uuid4(), await world.producer(), await world.listener()
        rebuilt = await world.listener()

        async with producer.relaying():
            async with first.listening():
                for value in range(10):
                    await producer.announce(district, [a_fact(a_key(number), value) for number in range(30)])
                effects = await first.heard(district, 300)
            async with rebuilt.listening():
                again = await rebuilt.heard(district, 300)

        assert again == effects

    async def test_a_slow_listener_does_not_hold_up_a_fast_one(self, world: World) -> None:
        district, producer = uuid4(), await world.producer()
        slow, fast = await world.listener(), await world.listener()
        slow.pause_seconds = 1.5

        async with producer.relaying(), slow.listening(), fast.listening():
            for value in range(4):
                await producer.announce(district, [a_fact(a_key(1), value)])
                await fast.heard(district, value + 1)
            heard_by_the_slow = await slow.count(district)
            slow.pause_seconds = 0.0
            effects = await slow.heard(district, 4)

        assert heard_by_the_slow < 4
        assert effects == {a_key(1): [0, 1, 2, 3]}

    async def test_a_dead_listener_holds_up_only_itself(self, world: World) -> None:
        district, producer = uuid4(), await world.producer()
        dead, well = await world.listener(), await world.listener()
        dead.failures = 1_000_000

        async with producer.relaying(), dead.listening(), well.listening():
            await producer.announce(district, [a_fact(a_key(1), 0)])
            effects = await well.heard(district, 1)

        assert effects == {a_key(1): [0]}
        assert await dead.count(district) == 0

    async def test_who_joins_late_hears_what_was_and_what_comes(self, world: World) -> None:
        district, producer, late = uuid4(), await world.producer(), await world.listener()

        async with producer.relaying():
            for value in range(10):
                await producer.announce(district, [a_fact(a_key(number), value) for number in range(20)])
            async with late.listening():
                for value in range(10, 20):
                    await producer.announce(district, [a_fact(a_key(number), value) for number in range(20)])
                effects = await late.heard(district, 400)

        assert effects == {a_key(number): list(range(20)) for number in range(20)}

    async def test_interleaved_districts_stay_apart(self, world: World) -> None:
        one, other, producer, listener = uuid4(), uuid4(), await world.producer(), await world.listener()

        async with producer.relaying(), listener.listening():
            for value in range(10):
                await producer.announce(one, [a_fact(a_key(1), value)])
                await producer.announce(other, [a_fact(a_key(1), 100 + value)])
            effects_of_one = await listener.heard(one, 10)
            effects_of_other = await listener.heard(other, 10)

        assert effects_of_one == {a_key(1): list(range(10))}
        assert effects_of_other == {a_key(1): list(range(100, 110))}

    async def test_a_trace_goes_on_where_the_fact_is_heard(self, world: World) -> None:
        district, producer, listener = uuid4(), await world.producer(), await world.listener()
        telemetry.provider("conformance")

        async with producer.relaying(), listener.listening():
            with telemetry.span("a request"):
                trace = trace_now()
                await producer.announce(district, [a_fact(a_key(1), 0)])
            await listener.heard(district, 1)

        assert trace
        assert trace in listener.traces


@asynccontextmanager
async def alive(work: Awaitable[None]) -> AsyncIterator[None]:
    """Something runs for as long as the block; should it end by itself, so does the block."""
    async with AsyncExitStack() as stack:
        group = await stack.enter_async_context(asyncio.TaskGroup())
        task = group.create_task(_for_ever(work))
        yield
        task.cancel()


async def _for_ever(work: Awaitable[None]) -> None:
    await work
    raise AssertionError("this was to run until it is cancelled")


async def killed(work: Awaitable[None]) -> None:
    """Let it run until an armed crash point is reached."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait({task}, timeout=DEADLINE_SECONDS)
    if not done:
        task.cancel()
        raise AssertionError("the crash point was not reached")
    if not _is_crash(task.exception()):
        task.result()
        raise AssertionError("it ended without reaching the crash point")


def _is_crash(error: BaseException | None) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(_is_crash(one) for one in error.exceptions)
    return isinstance(error, crash.Crashed)


async def listener_has_parked(listener: Listener, district: UUID, facts: int) -> bool:
    return await listener.parked(district) >= facts


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it holds. AssertionError when it never does."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not await holds():
        assert time.monotonic() < deadline, "this did not come true in time"
        await asyncio.sleep(0.02)
