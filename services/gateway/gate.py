"""The gate before every route: nothing is parsed, and nothing is said to be there or not, before the key holds."""

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.keys.door import Door, Operator
from shared.auth import Caller
from shared.errors import Forbidden, TrellisError
from shared.http import problem

OPEN = frozenset({"/healthz", "/readyz", "/graphql", "/oauth2/token"})
"""Health needs no key. /graphql and /oauth2/token ask for one themselves, and answer in their own way; only GraphiQL's
page needs none."""
OPEN_FOLDER = "/graphiql/"
"""What the page loads."""


class Gate:
    """Lets nobody pass without a key, whatever route they ask for."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self._app = app
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN and not scope["path"].startswith(OPEN_FOLDER):
            try:
                scope.setdefault("state", {})["who"] = await self._door.who(Request(scope))
            except TrellisError as wrong:
                await problem(wrong.status, wrong.code, wrong.message)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _who(request: Request) -> Caller | Operator:
    found: Caller | Operator = request.state.who
    return found


Who = Annotated[Caller | Operator, Depends(_who)]


def _key(who: Who) -> Caller:
    if isinstance(who, Operator):
        raise Forbidden("This needs a district's API key; the operator's secret reaches districts and keys only.")
    return who


KeyCaller = Annotated[Caller, Depends(_key)]
