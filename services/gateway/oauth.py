"""The token endpoint of OAuth2 (RFC 6749, client credentials): clients of OneRoster get an access token for a key.

The client's id is the key's id, its secret the whole key, by HTTP Basic or in the form. How a key is known, from where
it may be used and how often is the door's and the budget's, as if the key itself had come.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from services.gateway.budget import Budget, TooOften
from services.gateway.keys.door import Door, Ticket
from services.gateway.keys.scopes import VERSION_1_2, name_of
from shared.errors import TrellisError, Unauthenticated

PATH = "/oauth2/token"
_FORM = "application/x-www-form-urlencoded"
_BODY_BYTES = 16_384
_COST = 1
_NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}


class Refusal(Exception):
    """An error of RFC 6749, section 5.2: a code and a sentence for people."""

    def __init__(self, code: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.status = status


@dataclass(frozen=True, slots=True)
class _Client:
    id: str
    secret: str


class TokenEndpoint:
    """Answers /oauth2/token."""

    def __init__(self, door: Door, budget: Budget) -> None:
        self._door = door
        self._budget = budget

    async def answer(self, request: Request) -> Response:
        headers = dict(_NO_STORE)
        try:
            granted = await self._grant(request, headers)
        except Refusal as no:
            if no.status == 401:
                headers["www-authenticate"] = 'Basic realm="trellis"'
            return _json({"error": no.code, "error_description": no.description}, no.status, headers)
        except TooOften as spent:
            headers["retry-after"] = str(spent.retry_after_seconds)
            return _json({"error": "temporarily_unavailable", "error_description": spent.message}, 429, headers)
        except TrellisError as wrong:
            answer = {"error": "temporarily_unavailable", "error_description": wrong.message}
            return _json(answer, wrong.status, headers)
        return _json(granted, 200, headers)

    async def _grant(self, request: Request, headers: dict[str, str]) -> dict[str, str | int]:
        form = await _form(request)
        if "grant_type" not in form:
            raise Refusal("invalid_request", "The parameter grant_type is missing; it is client_credentials.")
        client = _client(request, form)
        if form["grant_type"] != "client_credentials":
            raise Refusal("unsupported_grant_type", "The grant type is client_credentials.")
        asked = form["scope"].split() if "scope" in form else None
        names = None if asked is None else frozenset(name for one in asked if (name := name_of(one)) is not None)
        try:
            address = request.client.host if request.client else None
            ticket = await self._door.ticket(client.id, client.secret, address, names)
        except Unauthenticated:
            raise Refusal(
                "invalid_client", "The client id is the id of a key that holds, the secret the whole key.", 401
            ) from None
        subject = f"key:{client.id}"
        try:
            self._budget.charge(subject, _COST)
        finally:
            headers.update(self._budget.headers(subject))
        if ticket is None:
            raise Refusal("invalid_scope", "The key's own scopes imply none of the scopes that are asked for.")
        return {
            "access_token": ticket.token,
            "token_type": "Bearer",
            "expires_in": ticket.seconds,
            "scope": " ".join(_granted(ticket, asked)),
        }


async def _form(request: Request) -> dict[str, str]:
    """The parameters; one without a value is one that is not there."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != _FORM:
        raise Refusal("invalid_request", f"The parameters come as {_FORM}.")
    body = bytearray()
    try:
        async for piece in request.stream():
            body += piece
            if len(body) > _BODY_BYTES:
                raise Refusal("invalid_request", "The request is too large.", 413)
    except ClientDisconnect:
        raise Refusal("invalid_request", "The request broke off.") from None
    try:
        pairs = parse_qsl(body.decode(), max_num_fields=100)
    except ValueError:
        raise Refusal("invalid_request", "The parameters cannot be read.") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Refusal("invalid_request", "A parameter comes twice.")
    return form


def _client(request: Request, form: dict[str, str]) -> _Client:
    """Who asks, by HTTP Basic or by the form, and not by both."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        if "client_id" not in form or "client_secret" not in form:
            raise Refusal("invalid_client", "The client says who it is by HTTP Basic or in the form.", 401)
        return _Client(form["client_id"], form["client_secret"])
    if "client_secret" in form:
        raise Refusal("invalid_request", "The client says who it is in one way only.")
    try:
        if scheme.lower() != "basic":
            raise ValueError
        id_, colon, secret = base64.b64decode(text.strip(), validate=True).decode().partition(":")
        if not colon:
            raise ValueError
    except (ValueError, binascii.Error):
        raise Refusal("invalid_client", "The header Authorization is not HTTP Basic.", 401) from None
    client = _Client(unquote_plus(id_), unquote_plus(secret))
    if form.get("client_id", client.id) != client.id:
        raise Refusal("invalid_request", "The form and the header name two clients.")
    return client


def _granted(ticket: Ticket, asked: list[str] | None) -> list[str]:
    """The granted scopes as they were asked for, or as 1.2 writes them."""
    if asked is None:
        return [VERSION_1_2 + name for name in ticket.names]
    return [one for one in dict.fromkeys(asked) if name_of(one) in ticket.names]


def _json(answer: Mapping[str, str | int], status: int, headers: dict[str, str]) -> Response:
    return Response(orjson.dumps(answer), status, headers, "application/json")
