"""Rosters as files at the public door: an archive passes as it comes from the roster, however long it is."""

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.gateway.gate import KeyCaller
from shared.client import ServiceClient, error_of
from shared.streamed import Out, Streamed

_HEADERS = ("content-disposition", "x-trellis-revision")
_LONGEST_SECONDS = 600.0
"""How long the roster may be silent: it looks for a file's metadata before it writes the first row."""


def routes(services: Mapping[str, ServiceClient]) -> APIRouter:
    """The archives that systems of a district fetch."""
    router = APIRouter(prefix="/v1", tags=["exports"])

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
        caller.need("roster:read")
        caller.need_whole_district()
        params = {"version": version} | ({"since": since} if since is not None else {})

        async def make(out: Out) -> None:
            async with services["roster"].stream(
                "GET", "/exports/roster", caller, params=params, timeout_seconds=_LONGEST_SECONDS
            ) as answer:
                if not answer.is_success:
                    await answer.aread()
                    raise error_of(answer)
                out.headers |= {name: answer.headers[name] for name in _HEADERS if name in answer.headers}
                async for piece in answer.aiter_raw():
                    await out.write(piece)

        return Streamed(make, "application/zip")

    return router
