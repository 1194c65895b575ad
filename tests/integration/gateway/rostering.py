"""A roster that notes what reaches it, byte for byte, and answers as it is told."""

import asyncio
from dataclasses import dataclass, field

from starlette.types import Receive, Scope, Send

from shared.auth import Caller, Tokens
from tests.unit.gateway.world import SECRET

JSON = (b"content-type", b"application/json")


@dataclass
class Arrived:
    """One request as it came."""

    method: str
    path: bytes
    query: bytes
    headers: dict[bytes, bytes]
    body: bytes
    connection: tuple[str, int]

    @property
    def caller(self) -> Caller:
        return Tokens(SECRET).read(self.headers[b"authorization"].decode().removeprefix("Bearer "))

    @property
    def address(self) -> str:
        return self.headers[b"x-public-url"].decode()


@dataclass
class Roster:
    """The roster of these tests."""

    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=lambda: [JSON])
    pieces: list[bytes] = field(default_factory=lambda: [b'{"users": []}'])
    seconds: float = 0.0
    seconds_between: float = 0.0
    breaks_after: int | None = None
    """So many pieces, then the connection breaks."""
    arrived: list[Arrived] = field(default_factory=list)
    under_way: int = 0
    given_up: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.given_up += 1
                return
            body += message["body"]
            more = message["more_body"]
        headers = dict(scope["headers"])
        client = scope["client"]
        self.arrived.append(Arrived(scope["method"], scope["raw_path"], scope["query_string"], headers, body, client))
        self.under_way += 1
        try:
            if self.seconds and await _hung_up(receive, self.seconds):
                self.given_up += 1
                return
            await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
            for number, piece in enumerate(self.pieces):
                if number == self.breaks_after:
                    raise ConnectionAbortedError
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await asyncio.sleep(self.seconds_between)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self.under_way -= 1


async def _hung_up(receive: Receive, seconds: float) -> bool:
    """Whether the other side hangs up within so many seconds."""
    waiting = asyncio.ensure_future(receive())
    await asyncio.wait([waiting], timeout=seconds)
    waiting.cancel()
    return waiting.done() and not waiting.cancelled() and waiting.result()["type"] == "http.disconnect"
