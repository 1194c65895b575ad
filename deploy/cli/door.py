"""The platform's door as a program uses it: files in, what became of them, questions, keys and districts."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from deploy.cli.sending import bytes_of, length_of

if TYPE_CHECKING:  # otherwise where it is used: half a second that commands on files need not wait
    import httpx

LONGEST_POLL_SECONDS = 1.0
AWAY_SECONDS = 60.0
"""How long the platform may be out of reach while an import is waited for."""

_ENDS = ("refused", "failed", "held", "reported", "expired")

Report = dict[str, Any]


class DoorError(Exception):
    """The platform said no, or nothing at all; the message is for a person, `body` what the platform answered."""

    def __init__(self, message: str, *, status: int | None = None, body: object = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = body

    @property
    def is_refusal(self) -> bool:
        """Whether what was sent is wrong, rather than who sent it or whether the platform is there."""
        return self.status in (400, 404, 409, 413, 415, 422)


class Door:
    """One platform, asked with one key."""

    def __init__(self, url: str, key: str) -> None:
        import httpx

        from shared.network import carrier

        self.url = url.rstrip("/")
        self._http = httpx.AsyncClient(
            base_url=self.url,
            headers={"authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(30, connect=5),
            transport=carrier(),
        )

    async def send(
        self,
        kind: str,
        file: Path,
        *,
        sent: Callable[[int], None],
        options: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> Report:
        """Upload a file, or a folder's files as one archive; `sent` hears the bytes gone so far.

        Answers when it is durably staged.
        """
        import httpx

        async def pieces() -> AsyncIterator[bytes]:
            gone = 0
            while piece := await asyncio.to_thread(next, content, b""):
                yield piece
                gone += len(piece)
                sent(gone)

        headers = {"content-type": "application/octet-stream"}
        if (length := length_of(file)) is not None:
            headers["content-length"] = str(length)
        if idempotency_key is not None:
            headers["idempotency-key"] = idempotency_key
        timeout = httpx.Timeout(600, connect=5)
        content = bytes_of(file)
        try:
            accepted: Report = await self._ask(
                "POST", f"/v1/imports/{kind}", params=options, headers=headers, content=pieces(), timeout=timeout
            )
        finally:
            with suppress(ValueError):  # an early answer: a thread is reading the next piece still, and ends by itself
                content.close()
        return accepted

    async def report(self, import_id: str) -> Report:
        """How far an import is and what it found."""
        report: Report = await self._ask("GET", f"/v1/imports/{import_id}")
        return report

    async def wait(self, import_id: str, heard: Callable[[Report], None]) -> Report:
        """The report once the import is over and all that follows from it can be read; `heard` gets each one before.

        The platform may be restarted meanwhile: an import that was acknowledged goes on.
        """
        loop = asyncio.get_running_loop()
        seen, pause = loop.time(), 0.05
        while True:
            try:
                report = await self.report(import_id)
            except DoorError as away:
                if away.status not in (None, 502, 503, 504) or loop.time() - seen > AWAY_SECONDS:
                    raise
            else:
                seen = loop.time()
                heard(report)
                if is_over(report):
                    return report
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_POLL_SECONDS)

    async def decide(self, import_id: str, what: str) -> Report:
        """approve, reject, apply or undo an import; its report."""
        report: Report = await self._ask("POST", f"/v1/imports/{import_id}:{what}")
        return report

    async def graphql(self, query: str, variables: Mapping[str, object] | None = None) -> dict[str, Any]:
        """The `data` of an answer without errors."""
        answer = await self._ask("POST", "/graphql", json={"query": query, "variables": dict(variables or {})})
        if answer.get("errors"):
            first = answer["errors"][0]
            raise DoorError(str(first.get("message")), status=200, body=answer)
        data: dict[str, Any] = answer["data"]
        return data

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """A REST answer."""
        return await self._ask("GET", path, params=params)

    async def post(self, path: str, body: Mapping[str, object]) -> Any:
        """A REST answer to a JSON body."""
        return await self._ask("POST", path, json=body)

    async def put(self, path: str, body: Mapping[str, object]) -> Any:
        """A REST answer to a JSON body that replaces what is there."""
        return await self._ask("PUT", path, json=body)

    async def delete(self, path: str) -> Any:
        """Take something away."""
        return await self._ask("DELETE", path)

    async def fetch(
        self, path: str, params: Mapping[str, str], into: BinaryIO, got: Callable[[int], None]
    ) -> Mapping[str, str]:
        """Write an answer into a file while it comes; `got` hears the bytes so far. Its headers."""
        import httpx

        with self._told():
            async with self._http.stream("GET", path, params=params, timeout=httpx.Timeout(600, connect=5)) as response:
                if not response.is_success:
                    await response.aread()
                    raise self._refusal(response)
                size = 0
                async for piece in response.aiter_raw():
                    await asyncio.to_thread(into.write, piece)
                    size += len(piece)
                    got(size)
                return response.headers

    async def close(self) -> None:
        """Let the connections go."""
        await self._http.aclose()

    async def _ask(self, method: str, path: str, **how: Any) -> Any:
        with self._told():
            response = await self._http.request(method, path, **how)
        if not response.is_success:
            raise self._refusal(response)
        return _body(response)

    @staticmethod
    def _refusal(response: "httpx.Response") -> DoorError:
        body = _body(response)
        return DoorError(_said(response.status_code, body), status=response.status_code, body=body)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """A platform that does not answer is said in a sentence."""
        import httpx

        try:
            yield
        except (httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout) as late:
            raise DoorError(f"{self.url} did not answer in time") from late
        except (httpx.ReadError, httpx.RemoteProtocolError) as broken:
            raise DoorError(f"{self.url} broke off in the middle of an answer") from broken
        except httpx.TransportError as away:  # a refused connection too comes as ConnectTimeout from this transport
            raise DoorError(f"nothing answers at {self.url}; is the platform running?") from away


@asynccontextmanager
async def opened(url: str, key: str) -> AsyncIterator[Door]:
    """A door for the length of a block."""
    door = Door(url, key)
    try:
        yield door
    finally:
        await door.close()


def is_over(report: Report) -> bool:
    """Nothing more comes of it by itself; or it is applied, and everything that follows from it readable."""
    state = report["state"]
    return state in _ENDS or (state in ("applied", "undone") and bool(report["readable"]))


def _body(response: "httpx.Response") -> Any:
    if not response.content:
        return None
    try:
        return json.loads(response.content)
    except ValueError:
        return response.text[:500]


def _said(status: int, body: object) -> str:
    match body:
        case {"detail": str(detail), "problems": [{"at": str(at), "rule": str(rule)}, *_]}:
            return f"{detail} {at}: {rule} ({status})"
        case {"detail": str(detail)}:
            return f"{detail} ({status})"
        case {"errors": [{"message": str(message)}, *_]}:
            return f"{message} ({status})"
    return f"the platform answered {status}"
