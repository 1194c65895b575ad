"""Rosters at the public door, as files and as facts: they pass as they come from the roster, however long they are."""

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.gateway.gate import KeyCaller
from shared.auth import Caller
from shared.client import ServiceClient, error_of
from shared.streamed import Out, Streamed

_HEADERS = ("content-disposition", "x-trellis-revision")
_LONGEST_SECONDS = 600.0
"""How long the roster may be silent: it looks for a file's metadata before it writes the first row."""


def routes(services: Mapping[str, ServiceClient]) -> APIRouter:
    """The archives that systems of a district fetch, and where those who listen to its facts begin."""
    router = APIRouter(prefix="/v1", tags=["exports"])

    def passed(path: str, caller: Caller, params: Mapping[str, str | None], media_type: str) -> Response:
        """The roster's answer, as it comes."""
        caller.need("roster:read")
        caller.need_whole_district()
        said = {name: value for name, value in params.items() if value is not None}

        async def make(out: Out) -> None:
            async with services["roster"].stream(
                "GET", path, caller, params=said, timeout_seconds=_LONGEST_SECONDS
            ) as answer:
                if not answer.is_success:
                    await answer.aread()
                    raise error_of(answer)
                out.headers |= {name: answer.headers[name] for name in _HEADERS if name in answer.headers}
                async for piece in answer.aiter_raw():
                    await out.write(piece)

        return Streamed(make, media_type)

    @router.get(
        "/exports/roster",
        response_class=Response,
        responses={200: {"content": {"application/zip": {}}, "description": "A OneRoster archive"}},
    )
    async def roster(
        caller: KeyCaller,
        version: Literal["1.1", "1.2"] = "1.2",
        since: Annotated[str | None, Query(max_length=40)] = None,
    ) -> Response:
        """The district as a OneRoster archive: whole, or what changed since a revision or a time.

        x-trellis-revision says up to which revision it tells: the next delta's since.
        """
        return passed("/exports/roster", caller, {"version": version, "since": since}, "application/zip")

    @router.get(
        "/exports/roster-facts",
        response_class=Response,
        responses={200: {"content": {"application/x-ndjson": {}}, "description": "A line of JSON for each fact"}},
    )
    async def roster_facts(caller: KeyCaller, types: Annotated[str | None, Query(max_length=400)] = None) -> Response:
        """What is so now, as facts, for who begins to listen: lines of JSON.

        The first line says from which moment on to listen, the last how many facts there were of each type.
        """
        return passed("/exports/roster-facts", caller, {"types": types}, "application/x-ndjson")

    return router
