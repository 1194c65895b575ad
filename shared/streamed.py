"""Answers that are written while they are made, however long they are.

What goes wrong before the first byte is answered as any other error. Afterwards the connection breaks, so that nobody
takes a part for the whole.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class Out:
    """Where an answer is written: its headers, until the first piece goes out, and then its pieces."""

    def __init__(self, send: Send, headers: Mapping[str, str]) -> None:
        self._send = send
        self._is_begun = False
        self.headers = dict(headers)
        self.is_gone = False

    async def write(self, piece: bytes) -> None:
        """Send a piece; waits while whoever reads is slower. Raises: ClientDisconnect."""
        if self.is_gone:
            raise ClientDisconnect
        if not self._is_begun:
            self._is_begun = True
            headers = [
                (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()
            ]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        if piece:
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self) -> None:
        """That was all."""
        await self.write(b"")
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


class Streamed(Response):
    """An answer that `make` writes."""

    def __init__(self, make: Callable[[Out], Awaitable[None]], media_type: str) -> None:
        super().__init__(media_type=media_type)
        self._make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        told = {name: value for name, value in self.headers.items() if name != "content-length"}
        out = Out(send, told)
        wrong: Exception | None = None
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(_watch(receive, out))
            try:
                await self._make(out)
                await out.end()
            except ClientDisconnect:
                pass
            except Exception as caught:  # raised below, where the group does not wrap it
                wrong = caught
            finally:
                watching.cancel()
        if wrong is not None:
            raise wrong


async def _watch(receive: Receive, out: Out) -> None:
    """Notice when nobody reads any more."""
    while (await receive())["type"] != "http.disconnect":
        pass
    out.is_gone = True
