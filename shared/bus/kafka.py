"""The bus of a city: Apache Kafka through aiokafka, whose defaults lose records and whose clients can stall.

This is the only module that may construct a producer or a consumer (a test sees to it), so that every setting below
holds everywhere. Topic = the envelope's type; partition = bucket mod partitions; see kafka_records.py.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaError,
    ProducerClosed,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from aiokafka.structs import TopicPartition

from shared import crash
from shared.bus.bus import Hear
from shared.bus.kafka_cluster import (
    LARGEST_RECORD_BYTES,
    REQUEST_SECONDS,
    START_SECONDS,
    STOP_SECONDS,
    BrokerAway,
    Cluster,
    look_away,
    within,
)
from shared.bus.kafka_records import NotAnEnvelope, envelope_of, record_of
from shared.events import Envelope

log = structlog.get_logger("bus")
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it repeats ten times a second what we say once

BATCH_BYTES = 512 * 1024
PUBLISH_SECONDS = 15.0
SESSION_SECONDS = 20.0
HEARING_SECONDS = 900.0  # what one batch and its back-offs may take before the group gives the partitions away
POLL_SECONDS = 0.5
RECORDS_PER_POLL = 500
FACTS_PER_BATCH = 5_000
FIRST_BACK_OFF_SECONDS = 0.2
LONGEST_BACK_OFF_SECONDS = 15.0
STALL_SECONDS = 60.0
CHECK_SECONDS = 5.0

_MOVED_ON = (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)


class Stalled(Exception):
    """This listener hears nothing although there is something to hear. End the process; a new one will hear it."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Envelopes that came together from Kafka, and up to where they reach in each partition."""

    envelopes: Sequence[Envelope]
    upto: Mapping[TopicPartition, int]

    async def mark(self, tx_connection: object) -> None:
        """Nothing: offsets are committed to Kafka after the transaction, and the inbox absorbs what comes again."""


class KafkaBus:
    """Publishes for one service and listens for it. `instance` tells its processes apart, and survives a restart."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        name: str,
        instance: str = "0",
        publish_seconds: float = PUBLISH_SECONDS,
        session_seconds: float = SESSION_SECONDS,
        facts_per_batch: int = FACTS_PER_BATCH,
        stall_seconds: float = STALL_SECONDS,
    ) -> None:
        self._cluster = cluster
        self._name = name
        self._instance = instance
        self._publish_seconds = publish_seconds
        self._session_seconds = session_seconds
        self._facts_per_batch = facts_per_batch
        self._stall_seconds = stall_seconds
        self._publishing = asyncio.Lock()
        self._producer: AIOKafkaProducer | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Return when every one is durable on all in-sync replicas. Raises Unavailable.

        One batch per partition is under way at a time, and the next leaves when it is acknowledged: whatever fails,
        no later envelope can overtake an earlier one of its bucket.
        """
        async with self._publishing:
            if self._closed:
                raise BrokerAway("This bus is closed.")
            try:
                await self._publish(envelopes)
            except (KafkaError, OSError, TimeoutError) as error:
                await self._drop_producer()
                log.warning("publish_failed", bus=self._name, error=repr(error))
                raise BrokerAway from error

    async def _publish(self, envelopes: Sequence[Envelope]) -> None:
        producer = await self._started_producer()
        partitions = {
            topic: len(await within(REQUEST_SECONDS, producer.partitions_for(topic)))
            for topic in {envelope.type for envelope in envelopes}
        }
        queues: dict[tuple[str, int], list[Envelope]] = defaultdict(list)
        for envelope in envelopes:
            queues[envelope.type, envelope.bucket % partitions[envelope.type]].append(envelope)
        batches = {at: _batches(producer, queue) for at, queue in queues.items()}
        while batches:
            under_way = []
            for (topic, partition), waiting in list(batches.items()):
                batch = next(waiting, None)
                if batch is None:
                    del batches[topic, partition]
                else:
                    under_way.append(await producer.send_batch(batch, topic, partition=partition))
            await _all_acknowledged(under_way, self._publish_seconds)

    async def _started_producer(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                **self._cluster.access(),
                client_id=f"{self._name}-{self._instance}",
                acks="all",
                enable_idempotence=True,
                compression_type="lz4",
                max_batch_size=BATCH_BYTES,
                max_request_size=LARGEST_RECORD_BYTES,
                linger_ms=5,
            )
            try:
                await within(START_SECONDS, producer.start())
            except BaseException:
                await self._let_go(producer)
                raise
            self._producer = producer
        return self._producer

    async def _drop_producer(self) -> None:
        """After any failure the next publish starts with a new one: an idempotent producer can stick for ever."""
        producer, self._producer = self._producer, None
        if producer is not None:
            # An idempotent producer never gives a batch up, and stop() waits for all of them: for ever, when the
            # broker is away. There is no public way to say that nobody waits for them any more.
            producer._message_accumulator.fail_all(ProducerClosed())
            await self._let_go(producer)

    async def _let_go(self, client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
        """Stop a client, but wait for it only so long: it may hang while the broker is away."""
        leaving = asyncio.create_task(_stopped(client))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._left)
        await asyncio.wait({leaving}, timeout=STOP_SECONDS)

    def _left(self, leaving: "asyncio.Task[None]") -> None:
        self._leaving.discard(leaving)
        if not leaving.cancelled() and (error := leaving.exception()) is not None:
            log.info("client_did_not_stop_cleanly", bus=self._name, error=repr(error))

    async def listen(self, listener: str, types: Sequence[str], hear: Hear) -> None:
        """Hand these types to hear() until cancelled; one call per listener in a process.

        Raises Stalled when the client hears nothing although there is something to hear.
        """
        back_off = FIRST_BACK_OFF_SECONDS
        while True:
            try:
                async with self._consumer(listener, types) as consumer:
                    back_off = FIRST_BACK_OFF_SECONDS
                    await self._hear_all(consumer, listener, hear)
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("listener_lost_broker", listener=listener, error=repr(error), again_in_seconds=back_off)
            await asyncio.sleep(back_off)
            back_off = min(2 * back_off, LONGEST_BACK_OFF_SECONDS)

    @asynccontextmanager
    async def _consumer(self, listener: str, types: Sequence[str]) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            **self._cluster.access(),
            client_id=f"{listener}-{self._instance}",
            group_id=listener,
            group_instance_id=f"{listener}-{self._instance}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_poll_records=RECORDS_PER_POLL,
            max_poll_interval_ms=int(HEARING_SECONDS * 1000),
            session_timeout_ms=int(self._session_seconds * 1000),
            heartbeat_interval_ms=int(self._session_seconds * 1000 / 6),
            metadata_max_age_ms=30_000,
        )
        consumer.subscribe(topics=list(types), listener=_Rebalances(listener))
        try:
            await within(START_SECONDS, consumer.start())
            yield consumer
        finally:
            await self._let_go(consumer)

    async def _hear_all(self, consumer: AIOKafkaConsumer, listener: str, hear: Hear) -> None:
        progress = _Progress(consumer, listener, self._stall_seconds)
        back_off = FIRST_BACK_OFF_SECONDS
        while True:
            polled = await consumer.getmany(timeout_ms=int(POLL_SECONDS * 1000))
            if not polled:
                await progress.nothing_came()
                continue
            if await self._hear_polled(consumer, listener, polled, hear):
                back_off = FIRST_BACK_OFF_SECONDS
            else:
                await asyncio.sleep(back_off)
                back_off = min(2 * back_off, LONGEST_BACK_OFF_SECONDS)
            progress.made()

    async def _hear_polled(
        self, consumer: AIOKafkaConsumer, listener: str, polled: Mapping[TopicPartition, Sequence[Any]], hear: Hear
    ) -> bool:
        """Hear what was fetched, batch by batch; when one is not heard, go back to where it begins."""
        unheard = {at: records[0].offset for at, records in polled.items()}
        for batch in _deliveries(polled, self._facts_per_batch):
            try:
                if batch.envelopes:
                    await hear(batch)
            except Exception as error:
                log.warning("batch_not_heard", listener=listener, envelopes=len(batch.envelopes), error=repr(error))
                _go_back(consumer, unheard)
                return False
            unheard |= batch.upto
            try:
                await within(REQUEST_SECONDS, consumer.commit(dict(batch.upto)))
            except _MOVED_ON as error:  # whoever has these partitions now hears them again, and the inbox absorbs them
                log.info("offsets_not_committed", listener=listener, error=repr(error))
        return True

    async def close(self) -> None:
        """Let go of every connection."""
        async with self._publishing:
            self._closed = True
            await self._drop_producer()
            if self._leaving:
                await asyncio.wait(set(self._leaving), timeout=STOP_SECONDS)


class _Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is not typed
    """Says what moved. Nothing is committed here: what was heard is committed already."""

    def __init__(self, listener: str) -> None:
        self._listener = listener

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        crash.point("C5")
        log.debug("partitions_revoked", listener=self._listener, partitions=len(list(revoked)))

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        log.info("partitions_assigned", listener=self._listener, partitions=len(list(assigned)))


class _Progress:
    """Notices a client that hears nothing although there is something to hear."""

    def __init__(self, consumer: AIOKafkaConsumer, listener: str, stall_seconds: float) -> None:
        self._consumer = consumer
        self._listener = listener
        self._stall_seconds = stall_seconds
        self._last = self._checked = self._answered = time.monotonic()

    def made(self) -> None:
        """Something was fetched."""
        self._last = time.monotonic()

    async def nothing_came(self) -> None:
        """Raises Stalled when something should have; TimeoutError when the broker says nothing for as long."""
        now = time.monotonic()
        if now - self._checked < min(CHECK_SECONDS, self._stall_seconds / 4):
            return
        self._checked = now
        try:
            behind = await within(REQUEST_SECONDS, self._is_behind())
        except (KafkaError, OSError, TimeoutError):
            self._last = time.monotonic()
            if self._last - self._answered > self._stall_seconds:
                raise TimeoutError("Kafka has not answered this listener") from None
            return
        self._answered = time.monotonic()
        if not behind:
            self._last = self._answered
        elif self._answered - self._last > self._stall_seconds:
            raise Stalled(f"{self._listener} has heard nothing for {self._answered - self._last:.0f} s")

    async def _is_behind(self) -> bool:
        assigned = self._consumer.assignment()
        if not assigned:
            return False
        ends = await self._consumer.end_offsets(assigned)
        for at, end in ends.items():
            if end > await self._consumer.position(at):
                return True
        return False


async def _stopped(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    try:
        await client.stop()
    finally:  # a batch that was just given up can make the producer stumble before it closes its connections
        if isinstance(client, AIOKafkaProducer):
            await client.client.close()


async def _all_acknowledged(under_way: "Sequence[asyncio.Future[Any]]", seconds: float) -> None:
    if not under_way:
        return
    done, late = await asyncio.wait(under_way, timeout=seconds)
    for future in late:
        future.add_done_callback(look_away)
    errors = [error for future in done if (error := future.exception()) is not None]
    if errors:
        raise errors[0]
    if late:
        raise TimeoutError(f"not acknowledged in {seconds:.0f} s")


def _batches(producer: AIOKafkaProducer, envelopes: Sequence[Envelope]) -> Iterator[Any]:
    """One partition's envelopes, in order, in as few batches as fit; each is made when it is its turn."""
    batch = producer.create_batch()
    for envelope in envelopes:
        record = record_of(envelope)
        if batch.append(**record) is None:
            yield batch
            batch = producer.create_batch()
            batch.append(**record)
    batch.close()
    yield batch


def _deliveries(polled: Mapping[TopicPartition, Sequence[Any]], most: int) -> Iterator[Delivered]:
    """Batches of a bounded number of facts, in order within each partition."""
    envelopes: list[Envelope] = []
    upto: dict[TopicPartition, int] = {}
    facts = 0
    for at, records in polled.items():
        for record in records:
            try:
                envelope = envelope_of(record)
            except NotAnEnvelope as error:
                log.error(
                    "record_skipped", topic=at.topic, partition=at.partition, offset=record.offset, why=str(error)
                )
                upto[at] = record.offset + 1
                continue
            if envelopes and facts + envelope.facts > most:
                yield Delivered(envelopes, upto)
                envelopes, upto, facts = [], {}, 0
            envelopes.append(envelope)
            upto[at] = record.offset + 1
            facts += envelope.facts
    if upto:
        yield Delivered(envelopes, upto)


def _go_back(consumer: AIOKafkaConsumer, unheard: Mapping[TopicPartition, int]) -> None:
    """aiokafka moves on whether or not anything was committed, so go back ourselves."""
    for at, offset in unheard.items():
        try:
            consumer.seek(at, offset)
        except IllegalStateError:  # taken away meanwhile: its new owner starts at the committed offset
            log.debug("partition_gone", topic=at.topic, partition=at.partition)
