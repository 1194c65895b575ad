"""What every bus promises, whichever carries the facts: Kafka (kafka.py) or the outboxes themselves (embedded.py).

Delivery is at least once and in order per (type, bucket); that effects happen once is the inbox's work.
shared/testing/bus_conformance.py holds every bus to these words.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncpg

    from shared.events import Envelope


class Batch(Protocol):
    """Envelopes delivered together, and the mark that says they were heard."""

    @property
    def envelopes(self) -> Sequence[Envelope]:
        """In order per (type, bucket); never empty."""
        ...

    async def mark(self, tx_connection: asyncpg.Connection) -> None:
        """Move this listener's position, inside the transaction that holds the effect.

        The embedded bus keeps its position there. Kafka's does nothing: its offsets are committed after hear() returns.
        """
        ...


Hear = Callable[[Batch], Awaitable[None]]


class Bus(Protocol):
    """Carries envelopes from the relay of one service to the listeners of the others."""

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """Return when every one is durable; order within a bucket is the order given. Raises Unavailable.

        After Unavailable any of them may have arrived: publish them again, all, in the same order.
        """
        ...

    async def listen(self, listener: str, types: Sequence[str], hear: Hear) -> None:
        """Hand these types to hear(), batch by batch, until cancelled.

        hear() returns after its transaction committed; when it raises, the same envelopes come again after a
        back-off. A listener new to a type hears it from the beginning.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection; nothing is heard or published afterwards."""
        ...
