"""A GraphQL request as it comes over HTTP: what is accepted, what is asked, and what shape the answer takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from starlette.requests import ClientDisconnect, Request

from services.gateway.limits import BODY_BYTES

Media = Literal["application/graphql-response+json", "application/json"]
MEDIA: tuple[Media, ...] = ("application/graphql-response+json", "application/json")
_HTML = ("text/html", "application/xhtml+xml")


class Refused(Exception):
    """The request is not one of GraphQL over HTTP; nothing of it was looked at further."""

    def __init__(self, status: int, message: str, *, code: str = "INVALID", headers: Mapping[str, str] | None = None):
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of a request."""

    query: str
    operation_name: str | None = None
    variables: dict[str, Any] = field(default_factory=dict)


def media_of(accept: str | None) -> Media | None:
    """The media type to answer in; None when none that we speak is accepted. Without a wish: application/json."""
    if not accept or not accept.strip():
        return "application/json"
    for wish in _wishes(accept):
        for media in MEDIA:
            if wish == media:
                return media
        if wish in ("*/*", "application/*"):
            return "application/json"
    return None


def wants_page(accept: str | None) -> bool:
    """Whether this is a browser that shows pages rather than a program that reads JSON."""
    wishes = _wishes(accept or "")
    return bool(wishes) and wishes[0] in _HTML


def _wishes(accept: str) -> list[str]:
    """Accepted media types, the most wanted first; equals in the order given; those of quality 0 left out."""
    found: list[tuple[float, str]] = []
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = float(parameter[2:])
                except ValueError:
                    quality = 0.0
        if name and quality > 0:
            found.append((quality, name))
    return [name for _, name in sorted(found, key=lambda one: -one[0])]


async def read(request: Request) -> Asked:
    """What is asked. Refused when it is not well-formed."""
    match request.method:
        case "POST":
            return _asked(await _body(request))
        case "GET":
            return _asked(_from_url(request.query_params))
        case _:
            raise Refused(405, "GraphQL is asked by GET or POST.", headers={"allow": "GET, POST"})


async def _body(request: Request) -> Any:
    kind, *parameters = (piece.strip().lower() for piece in request.headers.get("content-type", "").split(";"))
    charset = next((piece.removeprefix("charset=").strip('"') for piece in parameters if "charset=" in piece), "utf-8")
    if kind != "application/json" or charset not in ("utf-8", "utf8"):
        raise Refused(415, "The body of a GraphQL request is application/json in UTF-8.")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refused(415, "The body of a GraphQL request is not compressed.")
    too_large = Refused(413, f"The body of a GraphQL request has at most {BODY_BYTES} bytes.", code="LIMIT")
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > BODY_BYTES:
        raise too_large
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES:
                raise too_large
    except ClientDisconnect:
        raise Refused(400, "The body broke off before its end.") from None
    try:
        return orjson.loads(bytes(body))
    except orjson.JSONDecodeError:
        raise Refused(400, "The body is not JSON.") from None


def _from_url(parameters: Mapping[str, str]) -> dict[str, Any]:
    if sum(len(name) + len(value) for name, value in parameters.items()) > BODY_BYTES:
        raise Refused(414, f"The parameters of a GraphQL request have at most {BODY_BYTES} characters.", code="LIMIT")
    found: dict[str, Any] = {name: value for name, value in parameters.items() if name in ("query", "operationName")}
    for name in ("variables", "extensions"):
        if text := parameters.get(name):
            try:
                found[name] = orjson.loads(text)
            except orjson.JSONDecodeError:
                raise Refused(400, f"The parameter {name} is not JSON.") from None
    return found


def _asked(parameters: Any) -> Asked:
    if not isinstance(parameters, dict):
        raise Refused(400, "A GraphQL request is one JSON object; batches are not taken.")
    query = parameters.get("query")
    operation_name = parameters.get("operationName")
    variables = parameters.get("variables")
    extensions = parameters.get("extensions")
    if not isinstance(query, str) or not query:
        raise Refused(400, "The parameter query is missing, or is not a string.")
    if operation_name is not None and not isinstance(operation_name, str):
        raise Refused(400, "The parameter operationName is not a string.")
    if variables is not None and not isinstance(variables, dict):
        raise Refused(400, "The parameter variables is not an object.")
    if extensions is not None and not isinstance(extensions, dict):
        raise Refused(400, "The parameter extensions is not an object.")
    return Asked(query, operation_name or None, variables or {})
