"""A OneRoster provider that can be told to misbehave as real ones do."""

from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from deploy.cli.roster.collections import COLLECTIONS, path_of

CLIENT, SECRET = "district", "s3cret+/="


def _truly(real: int) -> int | None:
    return real


def _nothing(pages: int) -> None:
    pass


@dataclass
class Misbehaving:
    """What it holds, how it errs, and what it was asked."""

    version: str = "1.2"
    objects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    clamp: int | None = None
    short_pages: tuple[int, ...] = ()
    """Sizes of the pages, in turn, whatever is asked for."""
    total: Callable[[int], int | None] = _truly
    links: bool = True
    after_page: Callable[[int], None] = _nothing
    rounds_offsets: bool = False
    ignores_offset: bool = False
    ignores_filter: bool = False
    wants_raw_filter: bool = False
    refuses_filter: bool = False
    lower_case_only: bool = False
    refused: dict[str, int] = field(default_factory=dict)
    answers: list[web.Response | Exception] = field(default_factory=list)
    """Given instead of pages, in turn."""
    token_lasts: int = 10**9
    """How many pages a token is good for."""
    token_answers: list[web.Response] = field(default_factory=list)
    decodes_basic: bool = True
    url: str = ""
    tokens: int = 0
    pages: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Paths and raw query strings of pages that were given."""
    scopes: str = ""
    _used: int = 0

    async def token(self, request: web.Request) -> web.Response:
        if self.token_answers:
            return self.token_answers.pop(0)
        given = b64decode(request.headers["authorization"].removeprefix("Basic ")).decode().split(":", 1)
        pair = [unquote(one) for one in given] if self.decodes_basic else given
        form = await request.post()
        if pair != [CLIENT, SECRET] or form["grant_type"] != "client_credentials":
            return web.json_response({"error": "invalid_client"}, status=401)
        self.tokens += 1
        self._used = 0
        self.scopes = str(form["scope"])
        return web.json_response({"access_token": f"token-{self.tokens}", "token_type": "Bearer", "expires_in": 3600})

    async def page(self, request: web.Request) -> web.StreamResponse:
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                assert request.transport is not None
                request.transport.close()
                raise answer
            return answer
        if request.headers["authorization"] != f"Bearer token-{self.tokens}" or self._used >= self.token_lasts:
            return web.Response(status=401)
        name = self._named(request.path)
        if name is None:
            return web.Response(status=404)
        if name in self.refused:
            return web.Response(status=self.refused[name])
        raw = request.raw_path.partition("?")[2]
        if "filter=" in raw and (
            self.refuses_filter or (self.wants_raw_filter and "filter=dateLastModified>'" not in raw)
        ):
            return web.Response(status=400)
        self._used += 1
        self.pages += 1
        self.asked.append((request.path, raw))
        answer = self._cut(request, name)
        self.after_page(self.pages)
        return answer

    def _named(self, path: str) -> str | None:
        for collection in COLLECTIONS[self.version]:
            known = path_of(self.version, collection)
            if path == (known.lower() if self.lower_case_only else known):
                return collection.name
        return None

    def _cut(self, request: web.Request, name: str) -> web.Response:
        every = self.objects.get(name, [])
        if (said := request.query.get("filter")) and not self.ignores_filter:
            since = said.partition(">")[2].strip("'")
            every = [one for one in every if one["dateLastModified"] > since]
        limit, offset = int(request.query["limit"]), int(request.query["offset"])
        size = min(limit, self.clamp or limit)
        if self.short_pages:
            size = self.short_pages[self.pages % len(self.short_pages)]
        if self.rounds_offsets:
            offset = offset // size * size
        if self.ignores_offset:
            offset = 0
        found = every[offset : offset + size]
        headers = {}
        if (total := self.total(len(every))) is not None:
            headers["x-total-count"] = str(total)
        if self.links and offset + size < len(every):
            headers["link"] = f'<{self.url}{request.path}?limit={limit}&offset={offset + size}>; rel="next"'
        elif self.links:
            headers["link"] = f'<{self.url}{request.path}?limit={limit}&offset=0>; rel="first"'
        return web.json_response({name: found}, headers=headers)


@asynccontextmanager
async def serving(provider: Misbehaving) -> AsyncIterator[Misbehaving]:
    """The provider on a port of its own."""
    app = web.Application()
    app.router.add_post("/oauth2/token", provider.token)
    app.router.add_get("/{path:.*}", provider.page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield provider
    finally:
        await runner.cleanup()


def orgs(count: int, changed: str = "2026-01-01T00:00:00.000Z") -> list[dict[str, Any]]:
    """So many schools."""
    return [
        {
            "sourcedId": f"s{nth}", "status": "active", "dateLastModified": changed, "name": f"School {nth}",
            "type": "school", "identifier": f"{nth:04}",
        }
        for nth in range(count)
    ]  # fmt: skip
