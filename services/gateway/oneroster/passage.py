"""The way from the gateway to the roster, for requests that pass as they came."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from urllib.parse import urlsplit

from starlette.types import Receive, Send

from services.gateway.oneroster.connection import Away, Connection, Connections
from shared import telemetry
from shared.auth import Caller, Tokens
from shared.client import MayHaveHappened
from shared.errors import TrellisError, Unavailable

CONNECTIONS = 64
"""At once; a request beyond them waits for one no longer than it would for a connection."""
CONNECT_SECONDS = 2.5
SILENT_SECONDS = 60.0
"""How long the roster may say nothing, before its answer or within it, and how long a client may take nothing."""
WATCHED_AFTER_SECONDS = 0.2
"""A question whose answer takes longer is given up when nobody waits for it any more."""
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_ANSWERED = frozenset(
    {
        b"content-type", b"content-length", b"link", b"x-total-count", b"etag", b"location", b"retry-after",
        b"x-trellis-revision", b"cache-control", b"allow", b"preference-applied",
    }
)  # fmt: skip


class CutOff(TrellisError):
    """The answer broke off, and part of it is out."""


class _HungUp(Exception):
    """Whoever sent the request is gone."""


class Passage:
    """Hands requests to the roster on a caller's behalf, and its answers back."""

    def __init__(self, base_url: str, tokens: Tokens, *, silent_seconds: float = SILENT_SECONDS) -> None:
        there = urlsplit(base_url)
        if there.hostname is None:
            raise ValueError(f"{base_url} has no host")
        self._tls = there.scheme == "https"
        self._place = there.hostname, there.port or (443 if self._tls else 80)
        self._before = there.path.rstrip("/")
        self._host = there.netloc
        self._tokens = tokens
        self._silent_seconds = silent_seconds
        self._connections: Connections | None = None

    async def take(
        self,
        method: str,
        target: str,
        caller: Caller,
        headers: dict[str, str],
        told: Mapping[str, str],
        receive: Receive,
        send: Send,
    ) -> None:
        """Pass one request; the answer goes out with what is `told` besides. Unavailable before it has begun, CutOff
        after."""
        headers["authorization"] = f"Bearer {self._tokens.sign(caller)}"
        if trace := telemetry.traceparent():
            headers["traceparent"] = trace
        body = _body(receive) if method in _WITH_BODY else None
        if body is None:
            headers.pop("content-length", None)
        elif "content-length" not in headers:
            headers["transfer-encoding"] = "chunked"
        written = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        head = f"{method} {self._before}{target} HTTP/1.1\r\nhost: {self._host}\r\n{written}\r\n".encode("latin-1")
        asked = begun = False
        try:
            async with _Patience(self._silent_seconds, receive if method in _SAFE else None) as patience:
                for fresh in (False, True):
                    async with self._lent(fresh) as connection:
                        again = connection.used and body is None
                        asked = True
                        try:
                            connection.ask(head, of_head=method == "HEAD")
                            if body is not None:
                                await _send(body, connection, patience, chunked="content-length" not in headers)
                            await connection.answer()
                        except Away:
                            if again:  # it was being closed over there
                                continue
                            raise
                        begun = True
                        await _answer(connection, told, send, patience)
                        return
        except _HungUp:
            return
        except (Away, TimeoutError) as lost:
            if begun:
                raise CutOff from lost
            if method in _SAFE or not asked:
                raise Unavailable from lost
            raise MayHaveHappened from lost

    async def close(self) -> None:
        """Close every connection."""
        if self._connections is not None:
            self._connections.close()

    def _lent(self, fresh: bool) -> AbstractAsyncContextManager[Connection]:
        if self._connections is None:  # it belongs to the loop that runs
            host, port = self._place
            self._connections = Connections(
                host, port, tls=self._tls, most=CONNECTIONS, connect_seconds=CONNECT_SECONDS
            )
        return self._connections.lend(fresh=fresh)


async def _send(body: AsyncIterator[bytes], connection: Connection, patience: "_Patience", *, chunked: bool) -> None:
    try:
        async for piece in body:
            patience.renew()
            await connection.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            await connection.send(b"0\r\n\r\n")
    except Away:
        if not connection.has_begun:  # it may have answered before it had heard everything
            raise


async def _answer(connection: Connection, told: Mapping[str, str], send: Send, patience: "_Patience") -> None:
    headers = [one for one in connection.headers if one[0] in _ANSWERED]
    headers += [(name.encode(), value.encode()) for name, value in told.items()]
    await send({"type": "http.response.start", "status": connection.status, "headers": headers})
    ended = False
    while not ended:
        piece, ended = await connection.read()
        if not ended:
            patience.renew()
        await send({"type": "http.response.body", "body": piece, "more_body": not ended})


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    """What the client sends, as it comes."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _HungUp
        more = message.get("more_body", False)
        if piece := message.get("body", b""):
            yield piece


class _Patience:
    """Gives up what is done within when nothing happens for too long, or the client has hung up (as `receive` tells).

    Neither begins before an answer is slow: a deadline and a task for each would cost more than they save. What may
    change something is never given up for a client that is gone.
    """

    def __init__(self, seconds: float, receive: Receive | None) -> None:
        self._seconds = seconds
        self._receive = receive
        self._limit = asyncio.timeout(None)
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._later: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[None] | None = None
        self._gone = False

    async def __aenter__(self) -> "_Patience":
        await self._limit.__aenter__()
        self._later = self._loop.call_later(min(WATCHED_AFTER_SECONDS, self._seconds), self._begin)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, wrong: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._later is not None:
            self._later.cancel()
        if self._watch is not None:
            self._watch.cancel()
        try:
            await self._limit.__aexit__(kind, wrong, trace)
        except TimeoutError:
            if self._gone:
                raise _HungUp from None
            raise

    def renew(self) -> None:
        """Something happened: be as patient again."""
        self._since = self._loop.time()
        if not self._gone and self._limit.when() is not None:
            self._limit.reschedule(self._since + self._seconds)

    def _begin(self) -> None:
        self._limit.reschedule(self._since + self._seconds)
        if self._receive is not None:
            self._watch = self._loop.create_task(self._wait_for_the_end(self._receive))

    async def _wait_for_the_end(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        self._limit.reschedule(self._loop.time())
