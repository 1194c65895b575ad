"""Facts and the envelopes they travel in.

An event is a Protobuf message with one repeated field, `facts`. In every fact field 1 is its own id and field 2 the
key whose order is kept. An envelope is such a message, filled with facts of one district and one bucket; its id is
the deduplication key of every listener and is never changed.
"""

import importlib
import os
import time
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from itertools import accumulate
from typing import Any
from uuid import UUID

from google.protobuf.message import Message

BUCKETS = 64
_FACTS_PER_ENVELOPE = 256
_BYTES_PER_ENVELOPE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Envelope:
    """What moves: facts of one type, district and bucket, as bytes, with what CloudEvents calls context."""

    id: UUID
    type: str
    source: str
    district: UUID
    bucket: int
    facts: int
    time: datetime
    payload: bytes
    traceparent: str | None
    cause: str | None


def uuid7() -> UUID:
    """A time-ordered UUID (RFC 9562, version 7)."""
    milliseconds = time.time_ns() // 1_000_000
    number = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    number &= ~(0xF << 76) & ~(0x3 << 62)
    return UUID(int=number | (0x7 << 76) | (0x2 << 62))


def bucket_of(key: bytes) -> int:
    """Which of the 64 buckets a key belongs to; this decides the partition, never change it."""
    return zlib.crc32(key) % BUCKETS


def type_of(event: type[Message]) -> str:
    """The full name of an event's message: the CloudEvents type, and the topic."""
    return str(event.DESCRIPTOR.full_name)


@cache
def class_of(type_name: str) -> type[Message]:
    """The generated class of an event's full name, e.g. `trellis.events.<service>.v1.<Event>`."""
    package, _, name = type_name.rpartition(".")
    service = package.split(".")[-2]
    module = importlib.import_module(f"shared.events_pb.{package}.{service}_pb2")
    found: type[Message] = getattr(module, name)
    return found


def key_of(event: type[Message], fact: Message) -> bytes:
    """The key whose order is kept: field 2 of the fact."""
    key: bytes = getattr(fact, _key_field(event))
    return key


def _key_field(event: type[Message]) -> str:
    fact = event.DESCRIPTOR.fields_by_name["facts"].message_type
    assert fact is not None
    return str(fact.fields_by_number[2].name)


def facts_of(type_name: str, payload: bytes) -> Sequence[Any]:
    """The facts inside an envelope's payload."""
    return class_of(type_name).FromString(payload).facts  # type: ignore[attr-defined,no-any-return]  # every event has `facts`


def payload_of(event: type[Message], facts: Iterable[Message]) -> bytes:
    """One event's bytes, holding these facts."""
    return event(facts=list(facts)).SerializeToString()


def envelopes(
    event: type[Message],
    facts: Iterable[Message],
    *,
    source: str,
    district: UUID,
    traceparent: str | None,
    cause: str | None,
) -> Iterator[Envelope]:
    """Cut facts into envelopes, keeping their order within each bucket."""
    key = _key_field(event)
    listed = list(facts)
    yield from encoded_envelopes(
        event,
        [getattr(fact, key) for fact in listed],
        [fact.SerializeToString() for fact in listed],
        source=source,
        district=district,
        traceparent=traceparent,
        cause=cause,
    )


def encoded_envelopes(
    event: type[Message],
    keys: Sequence[bytes],
    facts: Sequence[bytes],
    *,
    source: str,
    district: UUID,
    traceparent: str | None,
    cause: str | None,
) -> Iterator[Envelope]:
    """The same of facts that are serialised already; `keys` are theirs, in the same order."""
    by_bucket: dict[int, list[bytes]] = defaultdict(list)
    for key, fact in zip(keys, facts, strict=True):
        by_bucket[bucket_of(key)].append(fact)
    now = datetime.now(UTC)
    for bucket, several in sorted(by_bucket.items()):
        for some in _slices(several):
            yield Envelope(
                id=uuid7(),
                type=type_of(event),
                source=source,
                district=district,
                bucket=bucket,
                facts=len(some),
                time=now,
                payload=joined(some),
                traceparent=traceparent,
                cause=cause,
            )


def joined(facts: Iterable[bytes]) -> bytes:
    """One event's bytes, holding these serialised facts: each is field 1, with its length before it."""
    return b"".join([part for fact in facts for part in (_prefix(len(fact)), fact)])


@lru_cache(maxsize=4096)
def _prefix(length: int) -> bytes:
    """The tag of field 1 and a length as a varint."""
    found = bytearray((0x0A,))
    while length >= 0x80:
        found.append(length & 0x7F | 0x80)
        length >>= 7
    found.append(length)
    return bytes(found)


def _slices(facts: list[bytes]) -> Iterator[list[bytes]]:
    at = 0
    while some := facts[at : at + _FACTS_PER_ENVELOPE]:
        if sum(map(len, some)) > _BYTES_PER_ENVELOPE:
            fitting = sum(size <= _BYTES_PER_ENVELOPE for size in accumulate(map(len, some)))
            some = some[: max(1, fitting)]
        yield some
        at += len(some)
