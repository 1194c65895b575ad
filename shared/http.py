"""The door of every service: health, metrics, errors said once, traces, and the transaction of a request.

The transaction ends before the reply goes out: FastAPI runs code after `yield` when the response has gone, unless the
dependency's scope is the function.
"""

import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from functools import lru_cache
from typing import Annotated, Any, get_type_hints

import structlog
from fastapi import APIRouter, Depends, FastAPI, Header, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from fastapi.telemetry import TelemetryConfig
from prometheus_client import CONTENT_TYPE_LATEST, Histogram, generate_latest
from pydantic import TypeAdapter, ValidationError
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as ASGIMessage

from shared import crash, errors, inbox, telemetry
from shared.auth import Caller, Tokens
from shared.db import Database, Transaction
from shared.errors import TrellisError, Unauthenticated

NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
"""FastAPI's own; `Observed` keeps ours."""

log = structlog.get_logger("http")


def problem(status: int, code: str, detail: str, **more: Any) -> JSONResponse:
    """An error as problem+json (RFC 9457); `code` is ours, for programs."""
    headers = {"www-authenticate": 'Bearer realm="trellis"'} if status == 401 else None
    body = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": detail, **more}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def _caller(request: Request, authorization: Annotated[str, Header()] = "") -> Caller:
    tokens: Tokens = request.app.state.tokens
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated
    return tokens.read(token)


CallerOf = Annotated[Caller, Depends(_caller)]


async def _read(request: Request, caller: CallerOf) -> AsyncIterator[Transaction]:
    database: Database = request.app.state.database
    async with database.reading(caller) as tx:
        yield tx


async def _write(request: Request, caller: CallerOf) -> AsyncIterator[Transaction]:
    database: Database = request.app.state.database
    async with database.transaction(caller) as tx:
        yield tx
    crash.point("W2")


Read = Annotated[Transaction, Depends(_read, scope="function")]
Write = Annotated[Transaction, Depends(_write, scope="function")]


class BatchRoute(APIRoute):
    """A question about many things, `async def (ask: Body, tx: Read) -> answer`, read and answered without detours.

    The same body, errors and answer as any other route; FastAPI's general way of finding arguments costs more than
    the question. A route of another form is served in that general way.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        hints = get_type_hints(self.endpoint, include_extras=True)
        if self.methods != {"POST"} or list(hints) != ["ask", "tx", "return"] or hints["tx"] != Read:
            return super().get_route_handler()
        body: TypeAdapter[Any] = TypeAdapter(hints["ask"])
        answer: TypeAdapter[Any] = TypeAdapter(hints["return"]) if hints["return"] is not Response else TypeAdapter(Any)

        async def handle(request: Request) -> Response:
            caller = _caller(request, request.headers.get("authorization", ""))
            try:
                ask = body.validate_json(await request.body())
            except ValidationError as wrong:
                raise RequestValidationError(
                    [{**one, "loc": ("body", *one["loc"])} for one in wrong.errors()]
                ) from None
            database: Database = request.app.state.database
            async with database.reading(caller) as tx:
                answered = await self.endpoint(ask, tx)
            if isinstance(answered, Response):
                return answered
            return Response(answer.dump_json(answered), media_type="application/json")

        return handle


class App(FastAPI):
    """An application behind others: what these answer themselves takes none of its detours."""

    def __init__(self, *, before: Sequence[Middleware], **how: Any) -> None:
        super().__init__(telemetry=NO_TELEMETRY, **how)
        self._before = before

    def build_middleware_stack(self) -> ASGIApp:
        app = super().build_middleware_stack()
        for cls, args, kwargs in reversed(self._before):
            app = cls(app, *args, **kwargs)
        return app


class Whole(Route):
    """Everything under a path, answered by an application of its own, before any other route is looked at.

    For addresses that are asked hundreds of times a second: finding the route costs more than some answers.
    """

    def __init__(self, prefix: str, app: ASGIApp) -> None:
        super().__init__(f"{prefix}/{{rest:path}}", app)
        self.prefix = f"{prefix}/"
        self.whole = app


class _Wholes:
    """Hands on what lies under the path of a `Whole`."""

    def __init__(self, app: ASGIApp, wholes: Sequence[Whole]) -> None:
        self._app = app
        self._wholes = wholes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            for one in self._wholes:
                if scope["path"].startswith(one.prefix):
                    scope["route"] = one
                    await one.whole(scope, receive, send)
                    return
        await self._app(scope, receive, send)


def build_app(*, name: str, database: Database, tokens: Tokens, routers: Sequence[APIRouter]) -> FastAPI:
    """A service's application: its routers, and what every service offers besides."""
    wholes = [route for router in routers for route in router.routes if isinstance(route, Whole)]
    before = [Middleware(Observed, name=name), Middleware(_Wholes, wholes=wholes)]
    app = App(title=f"Trellis {name}", openapi_url=None, before=before)
    app.state.database = database
    app.state.tokens = tokens
    answer_errors(app)
    app.include_router(health(database))
    app.include_router(_causes())
    for router in routers:
        app.router.routes.extend(router.routes)  # as they are: an included router is analysed again for every app
    return app


def health(database: Database, *, with_metrics: bool = True) -> APIRouter:
    """Alive; ready when the database answers; metrics, unless the service is open to the world."""
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @router.get("/readyz")
    async def readyz() -> dict[str, str]:
        async with database.system() as tx:
            await tx.fetchval("SELECT 1")
        return {"status": "ready"}

    if with_metrics:
        router.add_api_route("/metrics", metrics_page)
    return router


async def metrics_page() -> Response:
    """All counters and durations, as Prometheus reads them."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _causes() -> APIRouter:
    router = APIRouter()

    @router.get("/causes/{cause}")
    async def cause(cause: str, request: Request, tx: Read) -> dict[str, Any]:
        """What came of an import here: facts by type announced, heard, waiting and parked; and the types heard here."""
        tx.caller.need("imports:write")
        listens: Sequence[str] = getattr(request.app.state, "listens", ())
        return {"listens": list(listens), **await inbox.effects_of(tx, cause)}

    return router


def answer_errors(app: FastAPI) -> None:
    """Translate what went wrong into a status, in one place."""

    @app.exception_handler(TrellisError)
    async def said(_request: Request, wrong: TrellisError) -> JSONResponse:
        about = {"field": wrong.detail["field"]} if "field" in wrong.detail else {}
        return problem(wrong.status, wrong.code, wrong.message, **about)

    @app.exception_handler(RequestValidationError)
    async def unreadable(_request: Request, wrong: RequestValidationError) -> JSONResponse:
        where = [{"at": ".".join(str(part) for part in one["loc"]), "rule": one["msg"]} for one in wrong.errors()]
        return problem(422, errors.Invalid.code, "The request does not have the documented form.", problems=where)

    @app.exception_handler(Exception)
    async def unexpected(_request: Request, _wrong: Exception) -> JSONResponse:
        return problem(500, TrellisError.code, "Something went wrong on our side.")


class Observed:
    """A span, a duration and, when something broke, one log line for every request. Bodies pass untouched."""

    def __init__(self, app: ASGIApp, name: str) -> None:
        self._app = app
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.monotonic()
        status = 500

        async def watched(message: ASGIMessage) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with telemetry.span(f"{self._name} {scope['method']}", parent=_traceparent(scope)):
            try:
                await self._app(scope, receive, watched)
            except Exception:
                log.exception("request failed", service=self._name, method=scope["method"])
                raise
            finally:
                route = getattr(scope.get("route"), "path", "none")
                _durations(self._name, scope["method"], route, status).observe(time.monotonic() - begun)


@lru_cache(maxsize=1_000)
def _durations(service: str, method: str, route: str, status: int) -> Histogram:
    return telemetry.HTTP_SECONDS.labels(service, method, route, str(status))


def _traceparent(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"traceparent":
            given: bytes = value
            return given.decode("latin-1")
    return None
