"""Envelopes as Kafka records and back: CloudEvents names in the headers, the bucket as key, the payload as value."""

from datetime import datetime
from typing import Any
from uuid import UUID

from shared.events import Envelope


class NotAnEnvelope(Exception):
    """A record without the headers of an envelope: somebody else wrote into our topic."""


def record_of(envelope: Envelope) -> dict[str, Any]:
    """An envelope as a Kafka record."""
    headers = [
        ("ce_id", str(envelope.id).encode()),
        ("ce_type", envelope.type.encode()),
        ("ce_source", envelope.source.encode()),
        ("ce_time", envelope.time.isoformat().encode()),
        ("district", str(envelope.district).encode()),
        ("facts", str(envelope.facts).encode()),
    ]
    if envelope.traceparent is not None:
        headers.append(("traceparent", envelope.traceparent.encode()))
    if envelope.cause is not None:
        headers.append(("cause", envelope.cause.encode()))
    return {
        "timestamp": int(envelope.time.timestamp() * 1000),
        "key": str(envelope.bucket).encode(),
        "value": envelope.payload,
        "headers": headers,
    }


def envelope_of(record: Any) -> Envelope:
    """A Kafka record as the envelope it was. Raises NotAnEnvelope."""
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    try:
        return Envelope(
            id=UUID(headers["ce_id"]),
            type=headers["ce_type"],
            source=headers["ce_source"],
            district=UUID(headers["district"]),
            bucket=int(record.key),
            facts=int(headers["facts"]),
            time=datetime.fromisoformat(headers["ce_time"]),
            payload=record.value if record.value is not None else b"",
            traceparent=headers.get("traceparent"),
            cause=headers.get("cause"),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise NotAnEnvelope(f"{type(error).__name__}: {error}") from error
