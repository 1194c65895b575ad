"""The way of a request under /ims/oneroster: what is asked, by whom, whether he may, and the answer.

One route for everything, without the detours of a framework: collections of a hundred are asked for hundreds of times
a second. Whatever goes wrong is said in the standard's own form.
"""

import re

import orjson
import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from services.roster.api.oneroster import answers, operations
from services.roster.api.oneroster.operation import Found, Read, Write
from services.roster.domain.oneroster import scopes
from services.roster.domain.oneroster.refusals import Refused, payload, unknown
from services.roster.domain.oneroster.versions import PREFIX, Version
from shared.auth import Caller
from shared.errors import TrellisError
from shared.http import Whole

log = structlog.get_logger("oneroster")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9._~:\[\]-]+(/[A-Za-z0-9._~/-]*)?")
_MINOR = {
    401: "unauthorisedrequest", 403: "forbidden", 404: "unknownobject", 422: "invaliddata", 400: "invaliddata",
    429: "server_busy", 503: "server_busy",
}  # fmt: skip


class _OneRoster:
    """Everything under /ims/oneroster."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        found = operations.find(raw.partition(b"?")[0].decode("latin-1"))
        version = found.version if isinstance(found, Found) else found
        try:
            response = await _answered(request, found)
        except Refused as refused:
            response = refusal(refused, version)
        except TrellisError as wrong:
            response = refusal(_refused(wrong), version)
        except Exception:
            log.exception("request failed", method=request.method)
            response = refusal(Refused(500, "internal_server_error", "Something went wrong on our side."), version)
        await response(scope, receive, send)


async def _answered(request: Request, found: Found | Version) -> ASGIApp:
    caller = _caller(request)
    if not isinstance(found, Found):
        raise unknown("There is no such address in OneRoster.")
    operation = found.operations.get(request.method)
    if operation is None:
        return _no_such_method(request, found)
    if scopes.granted(caller.scopes).isdisjoint(operation.scopes):
        raise Refused(403, "forbidden", f"This needs one of the scopes {', '.join(sorted(operation.scopes))}.")
    if isinstance(operation, Write) or operation.of_results:
        caller.refuse_accountability()
    if isinstance(operation, Read):
        return await answers.answer(request, caller, found, operation, address(request))
    return await operation.answer(request, caller, found.version, found.sourced_ids)


def _caller(request: Request) -> Caller:
    scheme, _, token = _header(request, b"authorization").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Refused(401, "unauthorisedrequest", "This needs a bearer token.")
    caller: Caller = request.app.state.tokens.read(token)
    return caller


def _header(request: Request, name: bytes) -> str:
    for one, value in request.scope["headers"]:
        if one == name:
            said: bytes = value
            return said.decode("latin-1")
    return ""


def address(request: Request) -> str:
    """The public address, as the gateway says it."""
    said = _header(request, b"x-public-url").rstrip("/")
    if _ADDRESS.fullmatch(said):
        return said
    host = _header(request, b"host")
    return f"http://{host}" if re.fullmatch(r"[A-Za-z0-9._:\[\]-]+", host) else "http://localhost"


def _refused(wrong: TrellisError) -> Refused:
    minor = _MINOR.get(wrong.status, "internal_server_error")
    status = {503: 429, 400: 422, 409: 422, 413: 422}.get(wrong.status, wrong.status)
    return Refused(status, minor, wrong.message)


def refusal(refused: Refused, version: Version) -> Response:
    """The answer that says what went wrong."""
    headers = {}
    if refused.status == 401:
        headers["www-authenticate"] = 'Bearer realm="trellis"'
    if refused.status == 429:
        headers["retry-after"] = "5"
    return Response(orjson.dumps(payload(refused, version)), refused.status, headers, media_type="application/json")


def _no_such_method(request: Request, found: Found) -> Response:
    refused = Refused(405, "invaliddata", f"{request.method} is not among the operations of this address.")
    response = refusal(refused, found.version)
    response.headers["allow"] = ", ".join(sorted(found.operations))
    return response


whole = Whole(PREFIX, _OneRoster())
