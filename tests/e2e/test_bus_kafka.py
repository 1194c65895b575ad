"""Kafka as a bus: the suite that every bus passes, and what only a broker can do to us."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from deploy.kafka.broker import Broker, running
from deploy.topics import topics
from shared.bus.bus import Batch
from shared.bus.kafka import KafkaBus, Stalled
from shared.bus.kafka_cluster import Cluster, Topic, create_topics, reachable
from shared.db import Database
from shared.errors import Unavailable
from shared.events import Envelope, uuid7
from shared.testing.bus_conformance import (
    BusConformance,
    World,
    a_fact,
    a_key,
    add_effects_table,
    alive,
    eventually,
)

pytestmark = pytest.mark.kafka
PLACED = "trellis.events.roster.v1.StudentsPlaced"
DISTRICT = uuid4()
ROOT = Path(__file__).parents[2]


@pytest.fixture
async def world(
    kafka: Broker, fresh_database: Callable[[str], Awaitable[Database]], owner_dsn: Callable[[Database], str]
) -> AsyncIterator[World]:
    async def make_database() -> Database:
        database = await fresh_database("kernel")
        await add_effects_table(owner_dsn(database))
        return database

    made = World(lambda name, databases: KafkaBus(Cluster(kafka.bootstrap), name=name), make_database)
    yield made
    await made.close()


class TestKafkaBus(BusConformance):
    """The suite, on a real broker."""


@pytest.fixture
async def topic(kafka: Broker) -> str:
    """A topic of its own for a test."""
    name = f"trellis.events.test.v1.T{uuid4().hex}"
    await create_topics(Cluster(kafka.bootstrap), [Topic(name, 4, 1, {"max.message.bytes": "8388608"})])
    return name


@pytest.fixture
async def bus(kafka: Broker) -> AsyncIterator[KafkaBus]:
    bus = KafkaBus(Cluster(kafka.bootstrap), name="test")
    yield bus
    await bus.close()


def an_envelope(topic: str, bucket: int = 0, payload: bytes = b"x", facts: int = 1) -> Envelope:
    now = datetime.now(UTC)
    return Envelope(uuid7(), topic, "test", DISTRICT, bucket, facts, now, payload, "00-" + "1" * 32, "roster-1")


class Heard:
    """Remembers what came."""

    def __init__(self, pause_seconds: float = 0.0) -> None:
        self.envelopes: list[Envelope] = []
        self.batches: list[int] = []
        self._pause_seconds = pause_seconds

    async def __call__(self, batch: Batch) -> None:
        await asyncio.sleep(self._pause_seconds)
        self.envelopes += batch.envelopes
        self.batches.append(sum(envelope.facts for envelope in batch.envelopes))

    def payloads(self, bucket: int) -> list[bytes]:
        return [envelope.payload for envelope in self.envelopes if envelope.bucket == bucket]

    async def all_of(self, sent: Sequence[Envelope]) -> None:
        wanted = {envelope.id for envelope in sent}
        await eventually(lambda: self._has(wanted))

    async def _has(self, wanted: set[UUID]) -> bool:
        return wanted <= {envelope.id for envelope in self.envelopes}


async def test_an_envelope_arrives_as_it_was_sent(bus: KafkaBus, topic: str) -> None:
    heard, sent = Heard(), an_envelope(topic, bucket=63, payload=b"\x00\xff" * 100, facts=3)

    await bus.publish([sent])
    async with alive(bus.listen(f"l-{topic}", [topic], heard)):
        await heard.all_of([sent])

    assert heard.envelopes == [sent]


async def test_a_fact_as_large_as_a_test_form_passes(bus: KafkaBus, topic: str) -> None:
    heard, sent = Heard(), an_envelope(topic, payload=b"form" * 1_000_000)

    await bus.publish([an_envelope(topic), sent, an_envelope(topic)])
    async with alive(bus.listen(f"l-{topic}", [topic], heard)):
        await heard.all_of([sent])

    assert len(heard.envelopes[1].payload) == 4_000_000


async def test_batches_are_cut_to_a_bounded_number_of_facts(bus: KafkaBus, topic: str) -> None:
    heard, sent = Heard(), [an_envelope(topic, bucket=number % 64, facts=256) for number in range(200)]

    await bus.publish(sent)
    async with alive(bus.listen(f"l-{topic}", [topic], heard)):
        await heard.all_of(sent)

    assert max(heard.batches) <= 5_000


async def test_a_broker_killed_in_the_middle_loses_nothing_and_swaps_nothing(tmp_path: Path) -> None:
    async with running(tmp_path / "kafka") as broker:
        cluster = Cluster(broker.bootstrap)
        await create_topics(cluster, topics())
        bus, heard, sent = KafkaBus(cluster, name="test"), Heard(), list[Envelope]()

        async def publish_all() -> None:
            for number in range(100):
                some = [an_envelope(PLACED, bucket, payload=b"%d" % number) for bucket in range(8)]
                while True:
                    with suppress(Unavailable):
                        await bus.publish(some)
                        break
                    await asyncio.sleep(0.2)
                sent.extend(some)
                await asyncio.sleep(0.02)

        async with alive(bus.listen("test", [PLACED], heard)), asyncio.TaskGroup() as group:
            group.create_task(publish_all())
            await asyncio.sleep(1.0)
            broker.kill()
            await asyncio.sleep(1.0)
            await broker.start()
            await eventually(lambda: done_with(sent, 800))
            await heard.all_of(sent)
        await bus.close()

    for bucket in range(8):
        first_times = list(dict.fromkeys(heard.payloads(bucket)))
        assert first_times == [b"%d" % number for number in range(100)]


async def done_with(sent: Sequence[Envelope], count: int) -> bool:
    return len(sent) >= count


async def test_a_dead_broker_is_unavailable_and_back_again_it_is_not(tmp_path: Path) -> None:
    async with running(tmp_path / "kafka") as broker:
        cluster = Cluster(broker.bootstrap)
        await create_topics(cluster, topics())
        bus = KafkaBus(cluster, name="test", publish_seconds=5.0)
        await bus.publish([an_envelope(PLACED)])
        broker.kill()

        began = time.monotonic()
        with pytest.raises(Unavailable):
            await bus.publish([an_envelope(PLACED)])
        gave_up_after = time.monotonic() - began
        await broker.start()
        await bus.publish([an_envelope(PLACED)])
        await bus.close()

    assert gave_up_after < 15


async def test_a_topic_that_nobody_declared_is_unavailable_not_made(bus: KafkaBus, kafka: Broker) -> None:
    with pytest.raises(Unavailable):
        await bus.publish([an_envelope("trellis.events.test.v1.Misspelt")])


async def test_topics_are_made_once(kafka: Broker) -> None:
    assert await create_topics(Cluster(kafka.bootstrap), topics()) == []


async def test_a_topic_with_other_partitions_is_refused_for_it_would_break_the_order(kafka: Broker, topic: str) -> None:
    with pytest.raises(Unavailable, match="has 4 partitions, not 5"):
        await create_topics(Cluster(kafka.bootstrap), [Topic(topic, 5, 1, {})])


async def test_a_stranger_in_our_topic_holds_nobody_up(bus: KafkaBus, topic: str) -> None:
    heard, sent = Heard(), [an_envelope(topic), an_envelope(topic)]
    stranger = an_envelope(topic)
    object.__setattr__(stranger, "district", "not a district")

    await bus.publish([sent[0], stranger, sent[1]])
    async with alive(bus.listen(f"l-{topic}", [topic], heard)):
        await heard.all_of(sent)

    assert heard.envelopes == sent


async def test_two_processes_of_a_listener_share_its_partitions(kafka: Broker, topic: str) -> None:
    cluster, first, second = Cluster(kafka.bootstrap), Heard(), Heard()
    buses = [KafkaBus(cluster, name="test", instance=str(number)) for number in range(2)]
    sent: list[Envelope] = []

    async with (
        alive(buses[0].listen(f"l-{topic}", [topic], first)),
        alive(buses[1].listen(f"l-{topic}", [topic], second)),
    ):
        for number in range(200):
            some = [an_envelope(topic, bucket, payload=b"%d" % number) for bucket in range(4)]
            await buses[0].publish(some)
            sent += some
            await asyncio.sleep(0.02)
        await eventually(lambda: between_them(sent, first, second))
    for bus in buses:
        await bus.close()

    assert second.envelopes
    for bucket in range(4):
        for heard in (first, second):
            numbers = [int(payload) for payload in dict.fromkeys(heard.payloads(bucket))]
            assert numbers == sorted(numbers)


async def between_them(sent: Sequence[Envelope], *heard: Heard) -> bool:
    return {one.id for one in sent} <= {one.id for some in heard for one in some.envelopes}


async def test_a_listener_killed_while_partitions_are_taken_from_it_loses_nothing(
    kafka: Broker, world: World, tmp_path: Path
) -> None:
    district, producer, heir = uuid4(), await world.producer(), await world.listener()
    facts = [a_fact(a_key(number), value) for value in range(5) for number in range(20)]
    victim = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.e2e.listener_process", kafka.bootstrap, heir.database.dsn, heir.name),
        cwd=ROOT,
        env={**os.environ, "TRELLIS_CRASH": "C5:2"},  # the first time nothing was its own yet
    )

    async with producer.relaying():
        await producer.announce(district, facts[:50])
        await heir.heard(district, 50)
        async with heir.listening():
            died = await asyncio.wait_for(victim.wait(), 60)
            await producer.announce(district, facts[50:])
            effects = await heir.heard(district, 100)

    assert died == -signal.SIGKILL
    assert effects == {a_key(number): list(range(5)) for number in range(20)}


async def test_a_client_that_hears_nothing_although_there_is_something_ends(kafka: Broker, topic: str) -> None:
    bus = DeafBus(Cluster(kafka.bootstrap), name="test", stall_seconds=2.0)
    await bus.publish([an_envelope(topic)])

    with pytest.raises(Stalled):
        await asyncio.wait_for(bus.listen(f"l-{topic}", [topic], Heard()), 30)

    await bus.close()


class DeafBus(KafkaBus):
    """Its client fetches nothing, as happens to aiokafka now and then."""

    async def _hear_all(self, consumer, listener, hear) -> None:  # type: ignore[no-untyped-def]  # as the client has it
        consumer.pause(*consumer.assignment())
        await super()._hear_all(consumer, listener, hear)


async def test_a_stopped_broker_answers_no_more_and_leaves_its_data(tmp_path: Path) -> None:
    async with running(tmp_path / "kafka") as broker:
        await create_topics(Cluster(broker.bootstrap), topics())
        answered = await reachable(broker.bootstrap)
        first_port = broker.port
    answers_after = await reachable(broker.bootstrap)

    async with running(tmp_path / "kafka") as again:
        missing = await create_topics(Cluster(again.bootstrap), topics())

    assert answered
    assert not answers_after
    assert again.port == first_port
    assert missing == []
