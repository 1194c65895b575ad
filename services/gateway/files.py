"""Files at the public door: passed on as they come to the service that owns their kind; and what came of them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from services.gateway import imports, rosters
from services.gateway.gate import KeyCaller
from services.gateway.imports import Decision, Recent, Report
from shared.client import ServiceClient, error_of
from shared.errors import Invalid
from shared.imports.findings import Sort
from shared.imports.reports import FindingsPage

MOST_LISTED = 100
_KEY = "^[ -~]+$"
"""What an Idempotency-Key is made of: what any header can carry."""


class CutOff(Invalid):
    """The upload broke off before its end; nothing of it was kept."""


class Accepted(BaseModel):
    """Every byte is durable; `url` says what becomes of it."""

    id: str
    url: str
    state: str


def routes(services: Mapping[str, ServiceClient]) -> APIRouter:
    """The imports, whichever service they belong to."""
    router = APIRouter(prefix="/v1", tags=["imports"])
    for decision in ("approve", "reject", "apply", "undo"):
        _decision(router, services, decision)

    @router.get("/imports")
    async def recent(
        caller: KeyCaller,
        first: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 20,
        before: Annotated[str | None, Query(max_length=100)] = None,
        kind: Annotated[str | None, Query(max_length=100)] = None,
        state: Annotated[str | None, Query(max_length=100)] = None,
    ) -> Recent:
        """The imports that came last, newest first."""
        return await imports.recent(services, caller, first=first, before=before, kind=kind, state=state)

    @router.post("/imports/{kind}", status_code=202)
    async def receive(
        kind: str,
        request: Request,
        response: Response,
        caller: KeyCaller,
        keep_good: bool = False,
        idempotency_key: Annotated[str | None, Header(pattern=_KEY, max_length=255)] = None,
    ) -> Accepted:
        """Take a file in: the body is the file, other parameters are its kind's options. 202 when it is durable."""
        owner = services[imports.owner_of(kind)]
        imports.check(caller, kind)
        headers = {"content-type": "application/octet-stream"}
        if idempotency_key is not None:
            headers["idempotency-key"] = idempotency_key
        options = [(name, value) for name, value in request.query_params.multi_items() if name != "keep_good"]
        query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in options)
        path = f"/imports/{kind}?keep_good={'true' if keep_good else 'false'}{'&' if query else ''}{query}"
        try:
            async with owner.stream("POST", path, caller, content=_body(request), headers=headers) as answer:
                await answer.aread()
                if not answer.is_success:
                    raise error_of(answer)
                staged = answer.json()
        except ClientDisconnect as gone:
            raise CutOff from gone
        id_ = f"{kind}-{staged['id']}"
        url = f"/v1/imports/{id_}"
        response.headers["location"] = url
        return Accepted(id=id_, url=url, state=staged["state"])

    @router.get("/imports/{import_id}")
    async def report(import_id: str, caller: KeyCaller) -> Report:
        """How far an import is, what was found, and whether all that follows from it can be read."""
        return await imports.report(services, import_id, caller)

    @router.get("/imports/{import_id}/findings")
    async def findings(
        import_id: str,
        caller: KeyCaller,
        first: Annotated[int, Query(ge=1, le=MOST_LISTED)] = MOST_LISTED,
        after: Annotated[int | None, Query(ge=0)] = None,
        sort: Sort | None = None,
    ) -> FindingsPage:
        """A page of what was found: problems, repairs, reasons to hold, or all of them."""
        return await imports.findings_page(services, import_id, caller, sort=sort, first=first, after=after)

    @router.get("/imports/{import_id}/findings.csv")
    async def table(import_id: str, caller: KeyCaller) -> StreamingResponse:
        """All findings that are kept, as CSV; cells that a spreadsheet would compute begin with an apostrophe."""
        stack = AsyncExitStack()
        answer = await stack.enter_async_context(imports.findings_table(services, import_id, caller))

        async def pieces() -> AsyncIterator[bytes]:
            async with stack:
                async for piece in answer.aiter_bytes():
                    yield piece

        named = {"content-disposition": f'attachment; filename="{import_id}.csv"'}
        return StreamingResponse(pieces(), media_type="text/csv; charset=utf-8", headers=named)

    router.include_router(rosters.routes(services))
    return router


def _decision(router: APIRouter, services: Mapping[str, ServiceClient], decision: Decision) -> None:
    async def decided(import_id: str, caller: KeyCaller) -> Report:
        """The import as it is after a person's decision."""
        await imports.decide(services, import_id, decision, caller)
        return await imports.report(services, import_id, caller)

    router.add_api_route(f"/imports/{{import_id}}:{decision}", decided, methods=["POST"], name=decision)


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for piece in request.stream():
        if piece:
            yield piece
