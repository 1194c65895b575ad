"""Connections to the roster that speak HTTP/1.1 with nothing around it, and the pool that lends them.

A general client costs a quarter of a millisecond a request, which is as much as everything else a request costs here.
A connection is lent to one request at a time. It comes back only after a whole answer; given up in the middle of one,
for whatever reason, it is closed. So cancelled requests can neither lose a connection nor leave half an answer in it.
"""

import asyncio
from collections import deque
from contextlib import AbstractAsyncContextManager
from typing import cast

import httptools

HIGH_WATER = 262_144
"""Bytes of an answer that are taken in before anyone has asked for them."""
IDLE_SECONDS = 15.0
"""Half of what a service keeps a silent connection for: none is used that is being closed over there."""


class Away(Exception):
    """Nobody answers there, or the connection broke."""


class Connection(asyncio.Protocol):
    """One connection: a question goes out, an answer comes in."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.used = False
        self.idle_since = 0.0
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._parser: httptools.HttpResponseParser
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._of_head = False
        self._begun = self._whole = self._reusable = False
        self._paused = False
        self._waiting: asyncio.Future[None] | None = None
        self._draining: asyncio.Future[None] | None = None

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def can_be_lent_again(self) -> bool:
        return self._whole and self._reusable and self.is_open

    @property
    def has_begun(self) -> bool:
        """Status and headers of the answer are here."""
        return self._begun

    def ask(self, head: bytes, *, of_head: bool) -> None:
        """Begin a request: its line and headers."""
        if self._transport is None:
            raise Away
        self.status, self.headers, self._of_head = 0, [], of_head
        self._begun = self._whole = self._reusable = False
        self._pieces.clear()
        self._held = 0
        self._parser = httptools.HttpResponseParser(self)
        self.used = True
        self._transport.write(head)

    async def send(self, piece: bytes) -> None:
        """Send some of the body; waits while the other side takes nothing."""
        while self._draining is not None:
            await asyncio.shield(self._draining)
        if self._transport is None or self._transport.is_closing():
            raise Away
        self._transport.write(piece)

    async def answer(self) -> None:
        """Wait for status and headers."""
        while not self._begun:
            await self._more()

    async def read(self) -> tuple[bytes, bool]:
        """What has come of the body, and whether it ends here."""
        while not self._pieces and not self._whole:
            await self._more()
        if len(self._pieces) == 1:
            piece = self._pieces.popleft()
        else:
            piece = b"".join(self._pieces)
            self._pieces.clear()
        self._held = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return piece, self._whole

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def _more(self) -> None:
        if not self.is_open:
            raise Away
        self._waiting = self._loop.create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    # The loop calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are none of asyncio's by class

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.resume_writing()
        self._wake()

    def data_received(self, data: bytes) -> None:
        if self._whole or not self.used:  # nobody asked for anything
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()
        self._wake()

    def pause_writing(self) -> None:
        self._draining = self._loop.create_future()

    def resume_writing(self) -> None:
        draining, self._draining = self._draining, None
        if draining is not None and not draining.done():
            draining.set_result(None)

    # The parser calls these.

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # something interim
            self.headers = []
            return
        self.status = status
        self._begun = True
        self._reusable = self._parser.should_keep_alive()
        if self._of_head:  # the parser waits for a body that never comes
            self._whole, self._reusable = True, False

    def on_body(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._held += len(piece)
        if self._held > HIGH_WATER and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._begun:
            self._whole = True


class _Loan(AbstractAsyncContextManager[Connection]):
    """A connection for the length of a block; by hand, for a generator would cost as much as the request it is for."""

    __slots__ = ("_connection", "_connections", "_fresh")

    def __init__(self, connections: "Connections", fresh: bool) -> None:
        self._connections = connections
        self._fresh = fresh

    async def __aenter__(self) -> Connection:
        self._connection = await self._connections.take(self._fresh)
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        self._connections.give_back(self._connection)


class Connections:
    """A pool of connections to one place."""

    def __init__(self, host: str, port: int, *, tls: bool, most: int, connect_seconds: float) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._connect_seconds = connect_seconds
        self._free = asyncio.Semaphore(most)
        self._idle: deque[Connection] = deque()
        self._lent: set[Connection] = set()

    def lend(self, *, fresh: bool = False) -> AbstractAsyncContextManager[Connection]:
        """A connection for one request; Away when there is none in time. A `fresh` one was never used."""
        return _Loan(self, fresh)

    async def take(self, fresh: bool) -> Connection:
        """A connection; whoever takes it gives it back."""
        connection = await self._take(fresh)
        self._lent.add(connection)
        return connection

    def give_back(self, connection: Connection) -> None:
        """The next request may have it, if it has come to the end of its answer."""
        self._lent.discard(connection)
        self._free.release()
        if connection.can_be_lent_again:
            connection.idle_since = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close every connection, whatever it is doing."""
        for connection in (*self._idle, *self._lent):
            connection.close()
        self._idle.clear()

    async def _take(self, fresh: bool) -> Connection:
        if not self._free.locked() and not fresh and (idle := self._latest()) is not None:
            await self._free.acquire()
            return idle
        try:
            async with asyncio.timeout(self._connect_seconds):
                await self._free.acquire()
                try:
                    return (None if fresh else self._latest()) or await self._connected()
                except BaseException:
                    self._free.release()
                    raise
        except (OSError, TimeoutError) as away:
            raise Away from away

    def _latest(self) -> Connection | None:
        """The connection that was silent for the shortest time, if it is not too long."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                if asyncio.get_running_loop().time() - connection.idle_since < IDLE_SECONDS:
                    return connection
                connection.close()
        return None

    async def _connected(self) -> Connection:
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(Connection, self._host, self._port, ssl=self._tls or None))[1]
