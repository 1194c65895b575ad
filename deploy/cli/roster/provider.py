"""A OneRoster provider over HTTP: a token, and pages of JSON, asked for with patience and within its own host."""

import asyncio
import base64
import email.utils
import json
import random
import re
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from deploy.cli.roster.config import ProviderConfig

if TYPE_CHECKING:  # otherwise where it is used: half a second that commands on files need not wait
    import httpx

ATTEMPTS = 6
LONGEST_WAIT_SECONDS = 600.0
"""Who asks for more patience than this is asked again another day."""
LARGEST_ANSWER = 256 << 20
"""Bytes of one answer, unpacked; what is longer is not read to its end."""
_FIRST_PAUSE_SECONDS = 0.5
_REDIRECTS = 5
_FRESH_SECONDS = 30.0
"""A token with less than this before it is renewed before it is used."""
_BUSY = (429, 503)
_PACKED = ("gzip", "x-gzip", "deflate")
_OF_THE_WIRE = ("content-encoding", "content-length", "transfer-encoding")
_TOKEN = re.compile(r"[\x21-\x7e]+")
"""What an access token is made of (RFC 6749, appendix A.12), but for spaces, which no header could carry."""


class PullStopped(Exception):
    """The provider could not be read to its end; nothing was loaded. The message is for a person."""


class Absent(Exception):
    """The provider does not give this collection to this client; the message says how it put it."""


class FilterRefused(Exception):
    """The provider does not understand a filter."""


class Provider:
    """One provider, asked by one client. `heard` gets a sentence whenever there is something to wait for."""

    def __init__(
        self, config: ProviderConfig, http: "httpx.AsyncClient", heard: Callable[[str], None], *, pause: float
    ) -> None:
        self._config = config
        self._http = http
        self._heard = heard
        self._pause = pause
        self._token: str | None = None
        self._expires_at = 0.0
        self._host = _host(config.url)
        self.raw_filters = False
        """Whether it only understands filters that are not percent-encoded."""
        self.lower_paths = False
        """Whether it only knows addresses in lower case."""
        self.clock: datetime | None = None
        """What time it was at the provider when it first answered."""

    async def page(self, path: str, params: Mapping[str, str]) -> tuple[Any, "httpx.Headers"]:
        """One page of a collection: its JSON and its headers.

        Raises: Absent, FilterRefused, PullStopped.
        """
        response = await self._asked(path, params)
        if response.status_code == 400 and "filter" in params and not self.raw_filters:
            self.raw_filters = True
            response = await self._asked(path, params)
        if response.status_code == 400 and "filter" in params:
            raise FilterRefused
        status = response.status_code
        if status in (401, 403, 404):
            raise Absent(f"{status} {_reason(status)}")
        if status != 200:
            raise PullStopped(f"{response.url.copy_with(query=None)} answered {status}; nothing was loaded.")
        try:
            return _read(response.content), response.headers
        except (ValueError, RecursionError) as wrong:
            raise PullStopped(
                f"{response.url.copy_with(query=None)} answered what is no JSON; nothing was loaded."
            ) from wrong

    async def _asked(self, path: str, params: Mapping[str, str]) -> "httpx.Response":
        """Ask with a token that holds; once more when it turns out to have expired on the way."""
        response = await self._cased(path, params)
        if response.status_code == 401:
            self._token = None
            response = await self._cased(path, params)
        return response

    async def _cased(self, path: str, params: Mapping[str, str]) -> "httpx.Response":
        """Ask in the standard's letters, or in lower case where a provider only knows those."""
        if self._token is None or asyncio.get_running_loop().time() > self._expires_at - _FRESH_SECONDS:
            await self._renew()
        response = await self._get(self._config.url + (path.lower() if self.lower_paths else path), params)
        if response.status_code != 404 or self.lower_paths or path == path.lower():
            return response
        lower = await self._get(self._config.url + path.lower(), params)
        self.lower_paths = lower.status_code == 200
        return lower

    async def _get(self, url: str, params: Mapping[str, str]) -> "httpx.Response":
        """Follow the provider's redirects as long as they stay with it."""
        for _ in range(_REDIRECTS + 1):
            response = await self._patiently(
                "GET", url, params, {"authorization": f"Bearer {self._token}", "accept": "application/json"}
            )
            if not response.has_redirect_location:
                return response
            try:
                url, params = urljoin(str(response.url), response.headers["location"]), {}
                is_elsewhere = _host(url) != self._host
            except ValueError as wrong:
                raise PullStopped(f"{self._config.url} redirects to an address that is none: refused.") from wrong
            if is_elsewhere:
                raise PullStopped(f"{self._config.url} redirects to another host, {urlsplit(url).netloc}: refused.")
        raise PullStopped(f"{self._config.url} redirects in a circle.")

    async def _patiently(
        self, method: str, url: str, params: Mapping[str, str], headers: Mapping[str, str], body: str | None = None
    ) -> "httpx.Response":
        """Ask again when the provider is busy or out of reach, as often and as late as is reasonable."""
        import httpx

        about = urlsplit(url).netloc
        for attempt in range(1, ATTEMPTS + 1):
            said = "does not answer"
            wait = self._pause * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)
            try:
                response = await self._sent(self._request(method, url, params, headers, body))
            except httpx.RequestError as away:
                if attempt == ATTEMPTS:
                    raise PullStopped(f"{about} does not answer ({type(away).__name__}); nothing was loaded.") from away
            except httpx.InvalidURL as wrong:
                raise PullStopped(f"{about} gave an address that is none; nothing was loaded.") from wrong
            else:
                self.clock = self.clock or _clock(response.headers.get("date"))
                if response.status_code not in _BUSY:
                    return response
                said = f"is busy ({response.status_code})"
                asked = _seconds(response.headers.get("retry-after"))
                wait = wait if asked is None else asked
                if wait > LONGEST_WAIT_SECONDS:
                    raise PullStopped(f"{about} asks to be left alone for {wait:.0f} s; nothing was loaded.")
                if attempt == ATTEMPTS:
                    raise PullStopped(f"{about} {said} again and again; nothing was loaded.")
            self._heard(f"{about} {said}, waiting {wait:.0f} s")
            await asyncio.sleep(wait)
        raise AssertionError("the last attempt returned or raised")

    async def _sent(self, request: "httpx.Request") -> "httpx.Response":
        """The whole answer, if it is of a size that can be meant. Raises: PullStopped, httpx.RequestError."""
        import httpx

        about, found = request.url.netloc.decode(), bytearray()
        sent = await self._http.send(request, stream=True)
        try:
            packed = sent.headers.get("content-encoding", "identity").strip().lower()
            if packed != "identity" and packed not in _PACKED:
                raise PullStopped(f"{about} answered what is packed as {packed}; nothing was loaded.")
            unpacking = None if packed == "identity" else zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib
            async for piece in sent.aiter_raw():
                found += unpacking.decompress(piece, LARGEST_ANSWER + 1 - len(found)) if unpacking else piece
                if len(found) > LARGEST_ANSWER:
                    raise PullStopped(
                        f"{about} answered more than {LARGEST_ANSWER:,} bytes at once; nothing was loaded."
                    )
        except zlib.error as broken:
            raise httpx.DecodingError(str(broken), request=request) from broken
        finally:
            await sent.aclose()
        told = [(name, value) for name, value in sent.headers.multi_items() if name not in _OF_THE_WIRE]
        return httpx.Response(sent.status_code, headers=told, content=bytes(found), request=request)

    def _request(
        self, method: str, url: str, params: Mapping[str, str], headers: Mapping[str, str], body: str | None
    ) -> "httpx.Request":
        query = urlencode(params, quote_via=quote)
        whole = f"{url}{'&' if '?' in url else '?'}{query}" if query else url
        request = self._http.build_request(
            method, whole, headers={**headers, "accept-encoding": "gzip, deflate"}, content=body
        )
        if self.raw_filters and "filter" in params:
            raw = "&".join(f"{name}={value}" for name, value in params.items())
            path = request.url.raw_path.partition(b"?")[0]
            request.extensions["target"] = path + b"?" + raw.encode("ascii")
        return request

    async def _renew(self) -> None:
        """Ask for a token with the client's id and secret (RFC 6749, 4.4). Raises: PullStopped."""
        config = self._config
        form = urlencode({"grant_type": "client_credentials", "scope": " ".join(config.scopes)})
        for encoded in (True, False):
            response = await self._patiently(
                "POST", config.token_url, {},
                {
                    "authorization": _basic(config.client_id, config.secret, encoded=encoded),
                    "accept": "application/json", "content-type": "application/x-www-form-urlencoded",
                },
                form,
            )  # fmt: skip
            if response.status_code not in (400, 401):
                break
        about = urlsplit(config.token_url).netloc
        try:
            said = json.loads(response.content)
        except ValueError:
            said = None
        if response.status_code != 200:
            why = said.get("error") if isinstance(said, dict) else None
            hint = ' Name the scopes it grants as "scopes".' if why == "invalid_scope" else ""
            raise PullStopped(f"{about} gives no token: {why or response.status_code}.{hint}")
        token = said.get("access_token") if isinstance(said, dict) else None
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise PullStopped(f"{about} answered without an access_token.")
        self._token = token
        lives = said.get("expires_in")
        lives = float(lives) if isinstance(lives, int | float | str) and str(lives).isdigit() else 3600.0
        self._expires_at = asyncio.get_running_loop().time() + max(lives, _FRESH_SECONDS + 1)


@asynccontextmanager
async def opened(
    config: ProviderConfig, heard: Callable[[str], None], *, pause: float = _FIRST_PAUSE_SECONDS
) -> AsyncIterator[Provider]:
    """A provider for the length of a block."""
    import httpx

    from shared.network import authorities

    # httpx's own transport, not aiohttp's: only it can send a filter as it is, which some providers need.
    async with httpx.AsyncClient(
        verify=authorities(), timeout=httpx.Timeout(120, connect=10), follow_redirects=False
    ) as http:
        yield Provider(config, http, heard, pause=pause)


def _basic(client_id: str, secret: str, *, encoded: bool) -> str:
    """Who asks; form-encoded first, as the RFC has it, though many servers take it as it is."""
    pair = ":".join(quote(one, safe="") if encoded else one for one in (client_id, secret))
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _read(content: bytes) -> Any:
    """An answer's JSON, without what no file can hold."""
    found = json.loads(content)
    suspects = content.lower()
    return _writable(found) if b"\\ud" in suspects or b"\\u0000" in suspects else found


def _writable(value: Any) -> Any:
    """The same with a question mark for half of a surrogate pair, and U+FFFD for NUL."""
    match value:
        case str():
            return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        case list():
            return [_writable(one) for one in value]
        case dict():
            return {_writable(name): _writable(one) for name, one in value.items()}
    return value


def _host(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _reason(status: int) -> str:
    return {401: "not authorised", 403: "not granted", 404: "not there"}[status]


def _clock(date: str | None) -> datetime | None:
    try:
        return email.utils.parsedate_to_datetime(date or "").astimezone(UTC)
    except (TypeError, ValueError):
        return None


def _seconds(retry_after: str | None) -> float | None:
    """How long Retry-After asks to wait: it is a number of seconds, or a date."""
    if retry_after is None:
        return None
    if retry_after.strip().isdigit():
        return float(retry_after)
    then = _clock(retry_after)
    return None if then is None else max(0.0, (then - datetime.now(UTC)).total_seconds())
