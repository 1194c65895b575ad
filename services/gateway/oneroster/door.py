"""What is asked of a request for OneRoster before it passes: a key or an access token, and that it is not too often.

A plain ASGI application in front of all others, for a thousand requests a second are meant to go through it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.budget import Budget, TooOften
from services.gateway.keys.door import Door
from services.gateway.oneroster import faults
from services.gateway.oneroster.passage import CutOff, Passage
from shared.errors import TrellisError, Unauthenticated, Unavailable

PREFIX = b"/ims/oneroster/"
COST = 1
"""Points of a key's minute for each request, whatever it asks for: clients must be able to read a city in one go."""
_TOLD = (b"content-type", b"content-length", b"accept", b"prefer")
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")

log = structlog.get_logger("oneroster")


@dataclass(frozen=True, slots=True)
class _Route:
    """Names these requests among the durations that are kept."""

    path: str = "/ims/oneroster/{path}"


_ROUTE = _Route()


class Broken(TrellisError):
    """Something went wrong on our side."""


class OneRoster:
    """Lets requests for OneRoster pass to the roster; all others go on to the application behind."""

    def __init__(
        self, app: ASGIApp, *, door: Door, budget: Budget, passage: Passage, public_url: str | None = None
    ) -> None:
        self._app = app
        self._door = door
        self._budget = budget
        self._passage = passage
        self._public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["raw_path"][: len(PREFIX)].lower() != PREFIX:
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTE
        told: dict[str, str] = {}
        try:
            await self._pass(scope, receive, send, told)
        except CutOff:
            raise  # what had come of the answer is out: the connection must break, so that nobody takes it for whole
        except TrellisError as wrong:
            await _refuse(scope, send, wrong, told)
        except Exception:
            log.exception("request failed", method=scope["method"])
            await _refuse(scope, send, Broken(), told)

    async def _pass(self, scope: Scope, receive: Receive, send: Send, told: dict[str, str]) -> None:
        found: dict[bytes, bytes] = dict(scope["headers"])
        client = scope["client"]
        authorization = found.get(b"authorization", b"").decode("latin-1")
        caller = await self._door.oneroster_caller(authorization, client[0] if client else None)
        try:
            self._budget.charge(caller.subject, COST)
        finally:
            told.update(self._budget.headers(caller.subject))
        headers = {name.decode(): found[name].decode("latin-1") for name in _TOLD if name in found}
        headers["x-public-url"] = self._public_url or _address(scope, found)
        await self._passage.take(scope["method"], _target(scope), caller, headers, told, receive, send)


def _target(scope: Scope) -> str:
    """Path and query as they came."""
    target: bytes = PREFIX + scope["raw_path"][len(PREFIX) :]
    if query := scope["query_string"]:
        target += b"?" + query
    return target.decode("latin-1")


def _address(scope: Scope, found: Mapping[bytes, bytes]) -> str:
    """Where the client believes us to be; what is forwarded by others is not asked."""
    host = found.get(b"host", b"")
    if _HOST.fullmatch(host):
        return f"{scope['scheme']}://{host.decode()}"
    name, port = scope["server"]
    return f"{scope['scheme']}://{name}:{port}"


async def _refuse(scope: Scope, send: Send, wrong: TrellisError, told: Mapping[str, str]) -> None:
    headers = {"content-type": "application/json", "cache-control": "no-store", **told}
    match wrong:
        case Unauthenticated():
            headers["www-authenticate"] = 'Bearer realm="trellis"'
        case TooOften():
            headers["retry-after"] = str(wrong.retry_after_seconds)
        case Unavailable():
            headers["retry-after"] = "1"
    body = faults.body(scope["raw_path"], wrong)
    headers["content-length"] = str(len(body))
    written = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": wrong.status, "headers": written})
    await send({"type": "http.response.body", "body": body})
