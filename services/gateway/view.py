"""/graphql: GraphQL over HTTP, in this order: who asks, how often, how large, parse, shape, validate, cost, execute.

Everything before the parse is refused with its own status whatever is accepted. From there on
application/graphql-response+json says 400 when nothing was executed, and application/json says 200.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

import orjson
import structlog
from graphql import ExecutionResult, Executor, GraphQLSchema
from starlette.requests import Request
from starlette.responses import Response

from services.gateway import limits, page
from services.gateway.budget import Budget, TooOften
from services.gateway.clients import Services
from services.gateway.context import Context
from services.gateway.cost import Reckoning
from services.gateway.documents import Document, Documents, NotADocument, is_query
from services.gateway.errors import entry, said
from services.gateway.execution.walk import execute
from services.gateway.limits import COST, RESPONSE_BYTES
from services.gateway.requests import Asked, Media, Refused, media_of, read, wants_page
from shared.auth import Caller
from shared.client import MayHaveHappened
from shared.errors import LimitExceeded, TrellisError, Unauthenticated, Unavailable

_LEAST_CHARGE = 1
CHALLENGE = {"www-authenticate": 'Bearer realm="trellis"'}

Answered = TypeVar("Answered")

log = structlog.get_logger("graphql")


class Doorkeeper(Protocol):
    """Says who is calling, from what the request carries."""

    async def caller(self, request: Request) -> Caller:
        """The caller; Unauthenticated without a key that holds."""
        ...


class TookTooLong(LimitExceeded):
    """The answer took longer than five seconds; ask for less at once."""


class AnswerTooLarge(LimitExceeded):
    """The answer is larger than 2 MB; ask for less at once."""


class NobodyWaits(TrellisError):
    """Whoever asked has hung up."""


class GraphQLView:
    """Answers /graphql."""

    def __init__(
        self,
        schema: GraphQLSchema,
        door: Doorkeeper,
        services: Services,
        budget: Budget,
        *,
        wall_clock_seconds: float = limits.WALL_CLOCK_SECONDS,
    ) -> None:
        self._schema = schema
        self._budget = budget
        self._door = door
        self._services = services
        self._wall_clock_seconds = wall_clock_seconds
        self._documents = Documents(schema)

    async def answer(self, request: Request) -> Response:
        accept = request.headers.get("accept")
        if request.method in ("GET", "HEAD") and wants_page(accept):
            return page.graphiql()
        media = media_of(accept)
        try:
            caller = await self._door.caller(request)
        except Unauthenticated as stranger:
            return _response({"errors": [said(stranger)]}, 401, media or "application/json", CHALLENGE)
        except TrellisError as wrong:
            return _response({"errors": [said(wrong)]}, wrong.status, media or "application/json")
        answered = await self._ask(request, caller, media)
        answered.headers.update(self._budget.headers(caller.subject))
        return answered

    async def _ask(self, request: Request, caller: Caller, media: Media | None) -> Response:
        speak: Media = media or "application/json"
        try:
            self._budget.charge(caller.subject, _LEAST_CHARGE)
            if media is None:
                raise Refused(406, "Answers are application/graphql-response+json or application/json.")
            return await self._reply(request, await read(request), caller, media)
        except Refused as no:
            refusal = {"message": no.message, "extensions": {"code": no.code}}
            return _response({"errors": [refusal]}, no.status, speak, no.headers)
        except TooOften as spent:
            wait = {"retry-after": str(spent.retry_after_seconds)}
            return _response({"errors": [said(spent)]}, spent.status, speak, wait)

    async def _reply(self, request: Request, asked: Asked, caller: Caller, media: Media) -> Response:
        requested: dict[str, Any] = {}
        try:
            document = self._documents.read(asked.query)
            operation = document.operation(asked.operation_name)
            if request.method == "GET" and not is_query(operation):
                raise Refused(405, "GET only asks; send this by POST.", headers={"allow": "POST"})
            reckoning = Reckoning(self._schema, document.ast, operation, asked.variables)
            cost = max(reckoning.asked.cost, _LEAST_CHARGE)
            requested = {"cost": {"requested": cost, "maximum": COST}}
            reckoning.asked.check()
            self._budget.charge(caller.subject, cost - _LEAST_CHARGE)
            result = await _while_waited_for(request, self._execute(document, asked, caller))
            if result.data is None and result.errors and all(not error.path for error in result.errors):
                raise NotADocument(result.errors)
        except NotADocument as wrong:
            return _unexecuted([entry(error) for error in wrong.errors], {}, media)
        except TooOften:
            raise
        except TrellisError as wrong:
            return _unexecuted([said(wrong)], requested, media, away=isinstance(wrong, Unavailable))
        actual = max(reckoning.actual(result.data).cost, _LEAST_CHARGE)
        requested["cost"]["actual"] = actual
        self._budget.refund(caller.subject, max(0, cost - actual))
        answer: dict[str, Any] = {"data": result.data, "extensions": requested}
        if result.errors:
            answer["errors"] = [entry(error) for error in result.errors]
        return _response(answer, 200, media, most=RESPONSE_BYTES)

    async def _execute(self, document: Document, asked: Asked, caller: Caller) -> ExecutionResult:
        """Walk the fields; everything under way is cancelled when the wall clock has run out."""
        try:
            async with asyncio.timeout(self._wall_clock_seconds):
                executor = Executor.build(
                    self._schema,
                    document.ast,
                    context_value=Context.of(caller, self._services),
                    raw_variable_values=asked.variables,
                    operation_name=asked.operation_name,
                    max_coercion_errors=5,
                    hide_suggestions=True,
                )
                if isinstance(executor, list):
                    return ExecutionResult(None, executor)
                return await execute(executor, document.plans, document.ast)
        except TimeoutError:
            log.warning("query ran out of time", subject=caller.subject, operation=asked.operation_name is not None)
            raise (TookTooLong if is_query(document.operation(asked.operation_name)) else MayHaveHappened) from None


async def _while_waited_for(request: Request, work: Coroutine[Any, Any, Answered]) -> Answered:
    """What the work comes to; it is given up when whoever asked has hung up."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_hung_up(request))
    try:
        await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise NobodyWaits
        return working.result()
    finally:
        working.cancel()
        gone.cancel()
        await asyncio.wait((working, gone))


async def _hung_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _unexecuted(
    errors: list[dict[str, Any]], extensions: dict[str, Any], media: Media, *, away: bool = False
) -> Response:
    """An answer without data: nothing was executed, or nothing of it may be shown."""
    status = 503 if away else 400
    answer: dict[str, Any] = {"errors": errors}
    if extensions:
        answer["extensions"] = extensions
    return _response(answer, status if media == "application/graphql-response+json" else 200, media)


def _response(
    answer: dict[str, Any],
    status: int,
    media: Media,
    headers: dict[str, str] | None = None,
    *,
    most: int | None = None,
) -> Response:
    body = orjson.dumps(answer)
    if most is not None and len(body) > most:
        return _unexecuted([said(AnswerTooLarge())], answer.get("extensions", {}), media)
    return Response(body, status, {"cache-control": "no-store", **(headers or {})}, f"{media}; charset=utf-8")
