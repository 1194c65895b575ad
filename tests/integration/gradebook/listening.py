"""A bus that tests deliver by hand."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.events import Envelope


@dataclass
class Delivered:
    """A batch from a bus that keeps no position."""

    envelopes: Sequence[Envelope]

    async def mark(self, tx_connection: object) -> None:
        return None


class Silent:
    """A bus that nobody publishes on."""

    async def publish(self, envelopes: Sequence[Envelope]) -> None: ...

    async def listen(self, listener: str, types: Sequence[str], hear: object) -> None: ...

    async def close(self) -> None: ...
