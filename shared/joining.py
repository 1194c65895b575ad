"""The head of an answer leaves with what comes next: one packet, and whoever waits is woken once.

uvicorn writes head and body one after the other, and uvloop sends each at once. ASGI means the head to wait for the
body; what is written and followed by nothing is held no longer than until the loop comes round.
"""

import asyncio
from typing import Any, cast

from shared.lenient import LenientRequestLine

SMALL = 64 * 1024
"""Bytes of what is joined; what is longer takes several packets anyway, and would be copied."""


class Joining:
    """A transport that sends a piece together with the one that follows; all else is the transport's own."""

    __slots__ = ("_held", "_loop", "_transport")

    def __init__(self, transport: asyncio.BaseTransport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are none of asyncio's by class
        self._loop = loop
        self._held = b""

    def __getattr__(self, name: str) -> Any:  # whatever a server asks of a transport
        return getattr(self._transport, name)

    def write(self, piece: bytes) -> None:
        held, self._held = self._held, b""
        if held and len(piece) <= SMALL:
            self._transport.write(b"".join((held, piece)))
        elif held:
            self._transport.write(held)
            self._transport.write(piece)
        elif piece:
            self._held = piece
            self._loop.call_soon(self._let_go)

    def close(self) -> None:
        self._let_go()
        self._transport.close()

    def _let_go(self) -> None:
        held, self._held = self._held, b""
        if held and not self._transport.is_closing():
            self._transport.write(held)


class JoinedAnswers(LenientRequestLine):
    """Answers with head and body in one piece."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast(asyncio.Transport, Joining(transport, self.loop)))
