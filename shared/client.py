"""One service asking another: JSON over HTTP, with a deadline, the caller attached and the trace carried on.

The deadline belongs to the transport; never wrap a call in `wait_for`.
"""

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
from pydantic import BaseModel

from shared import errors, telemetry
from shared.auth import Caller, Tokens
from shared.network import carrier


class MayHaveHappened(errors.Unavailable):
    """No answer came in time: what was asked for may have happened. Look before asking for it again."""


class ServiceClient:
    """Asks one service. Errors come back as the same classes the service raised."""

    def __init__(
        self,
        base_url: str,
        tokens: Tokens,
        *,
        timeout_seconds: float = 2.5,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._tokens = tokens
        self._http = httpx.AsyncClient(
            base_url=base_url, timeout=httpx.Timeout(timeout_seconds), transport=transport or carrier()
        )

    async def post(self, path: str, body: BaseModel | dict[str, Any], caller: Caller) -> Any:
        """Ask with a JSON body; the parsed answer. Reading only: tried once more when the connection fails."""
        content = body.model_dump_json().encode() if isinstance(body, BaseModel) else orjson.dumps(body)
        headers = self._headers(caller) | {"content-type": "application/json"}
        return self._answer(await self._ask("POST", path, headers=headers, content=content))

    async def send(self, path: str, body: BaseModel | dict[str, Any], caller: Caller) -> Any:
        """Have something changed; the parsed answer. Never tried again: MayHaveHappened when no answer says whether."""
        content = body.model_dump_json().encode() if isinstance(body, BaseModel) else orjson.dumps(body)
        headers = self._headers(caller) | {"content-type": "application/json"}
        with telemetry.span(f"ask {path}"):
            try:
                response = await self._http.post(path, headers=headers, content=content)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as away:  # nothing was sent
                raise errors.Unavailable("A service that is needed does not answer; nothing was changed.") from away
            except httpx.TransportError as unknown:
                raise MayHaveHappened from unknown
        if response.is_server_error and response.status_code != errors.Unavailable.status:
            raise MayHaveHappened  # it broke, before its commit or after it
        return self._answer(response)

    async def get(self, path: str, caller: Caller, **params: Any) -> Any:
        return self._answer(await self._ask("GET", path, headers=self._headers(caller), params=params))

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        caller: Caller,
        *,
        content: AsyncIterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        timeout_seconds: float = 600,
    ) -> AsyncIterator[httpx.Response]:
        """Pass a body through as it comes; the answer as it comes. Never tried again."""
        try:
            async with self._http.stream(
                method,
                path,
                headers=self._headers(caller) | dict(headers or {}),
                params=params,
                content=content,
                timeout=httpx.Timeout(timeout_seconds, connect=2.5),
            ) as response:
                yield response
        except httpx.TransportError as away:
            raise errors.Unavailable(f"{self._http.base_url.host} does not answer.") from away

    async def close(self) -> None:
        await self._http.aclose()

    def _headers(self, caller: Caller) -> dict[str, str]:
        headers = {"authorization": f"Bearer {self._tokens.sign(caller)}"}
        if trace := telemetry.traceparent():
            headers["traceparent"] = trace
        return headers

    async def _ask(self, method: str, path: str, **how: Any) -> httpx.Response:
        with telemetry.span(f"ask {path}"):
            try:
                try:
                    return await self._http.request(method, path, **how)
                except (httpx.ConnectError, httpx.ConnectTimeout, httpx.RemoteProtocolError, httpx.ReadError):
                    return await self._http.request(method, path, **how)
            except httpx.TransportError as away:
                raise errors.Unavailable("A service that is needed does not answer.") from away

    @staticmethod
    def _answer(response: httpx.Response) -> Any:
        if response.is_success:
            return orjson.loads(response.content) if response.content else None
        raise error_of(response)


def error_of(response: httpx.Response) -> errors.TrellisError:
    """The error a service's problem+json speaks of."""
    try:
        problem = orjson.loads(response.content)
        kind = errors.BY_CODE[problem["code"]]
        about = {"field": problem["field"]} if "field" in problem else {}
        return kind(problem["detail"], **about)
    except (ValueError, KeyError, TypeError):
        return errors.Unavailable("A service that is needed could not answer.")
