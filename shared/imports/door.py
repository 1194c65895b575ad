"""The imports of one service: the door they come in by, what is told of them, and what a person decides."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from shared.auth import Caller, Purpose
from shared.db import Database, Transaction
from shared.errors import Invalid
from shared.http import CallerOf, Read, Write
from shared.imports import deciding, reports, uploads
from shared.imports.findings import Sort
from shared.imports.importers import Importer, InOrder, TellsResults, Undoes, WholeImporter, options_of
from shared.imports.reports import Brief, FindingsPage, NoSuchImport, Report, report_of
from shared.imports.worker import Worker

MOST_LISTED = 100


class UnknownOption(Invalid):
    """This kind of file does not know this option."""


class Imports:
    """The imports of one service: its door, and the job that works them off."""

    def __init__(self, database: Database, importers: Sequence[Importer | WholeImporter]) -> None:
        self._database = database
        self._importers = {importer.kind: importer for importer in importers}
        self._results = {each.kind: each.results for each in importers if isinstance(each, TellsResults)}
        self._worker = Worker(database, self._importers)
        self.work = self._worker.work
        self.advance = self._worker.advance
        self.router = self._routes()

    async def stage(
        self,
        caller: Caller,
        kind: str,
        body: AsyncIterator[bytes],
        keep_good: bool,
        idempotency_key: str | None,
        options: Mapping[str, str] | None = None,
    ) -> UUID:
        """Stage a body durably; the import's id, the same one for the same Idempotency-Key and file."""
        how = uploads.How(kind, keep_good, idempotency_key, dict(options or {}))
        return await uploads.stage(self._database, caller, body, how)

    def _routes(self) -> APIRouter:
        router = APIRouter()
        decisions: Mapping[str, Callable[[Transaction, UUID], Awaitable[None]]] = {
            "approve": self._approve, "reject": deciding.reject, "apply": self._apply, "undo": self._undo,
        }  # fmt: skip
        for name, decide in decisions.items():
            self._decision(router, name, decide)

        @router.get("/imports")
        async def recent(
            tx: Read,
            first: Annotated[int, Query(ge=1, le=MOST_LISTED + 1)] = 20,
            before: UUID | None = None,
            state: str | None = None,
            kind: Annotated[list[str] | None, Query()] = None,
        ) -> list[Brief]:
            """The district's imports that came last, newest first: a page, and one more to see that there are more."""
            _may(tx.caller)
            kinds = [one for one in self._importers if kind is None or one in kind]
            return await reports.recent(tx, kinds, first=first, before=before, state=state)

        @router.post("/imports/{kind}", status_code=202)
        async def receive(
            kind: str,
            request: Request,
            caller: CallerOf,
            keep_good: bool = False,
            idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
        ) -> dict[str, Any]:
            """Take a file in; 202 when every byte is durable. Other parameters are the kind's options."""
            _may(caller)
            if kind not in self._importers:
                raise NoSuchImport(f"There is no import of {kind!r}; there are {', '.join(self._importers)}.")
            options = _options(kind, self._importers[kind], request.query_params.multi_items())
            import_id = await self.stage(caller, kind, request.stream(), keep_good, idempotency_key, options)
            return {"id": str(import_id), "state": "staged"}

        @router.get("/imports/{import_id}")
        async def report(import_id: UUID, tx: Read) -> Report:
            """How far it is and what was found; an import of another district is not there."""
            tx.caller.need("imports:write")
            return await report_of(tx, import_id, self._results)

        @router.get("/imports/{import_id}/findings")
        async def findings(
            import_id: UUID,
            tx: Read,
            first: Annotated[int, Query(ge=1, le=MOST_LISTED)] = MOST_LISTED,
            after: Annotated[int | None, Query(ge=0)] = None,
            sort: Sort | None = None,
        ) -> FindingsPage:
            """A page of what was found."""
            _may(tx.caller)
            return await reports.findings_page(
                tx, import_id, sort=sort, first=first, after=after, results=self._results
            )  # fmt: skip

        @router.get("/imports/{import_id}/findings.csv")
        async def table(import_id: UUID, caller: CallerOf) -> StreamingResponse:
            """All that was found and kept, as a table."""
            _may(caller)
            async with self._database.reading(caller) as tx:
                await reports.findings_page(tx, import_id, sort=None, first=1, after=None)
            return StreamingResponse(self._table(caller, import_id), media_type="text/csv; charset=utf-8")

        return router

    async def _table(self, caller: Caller, import_id: UUID) -> AsyncIterator[bytes]:
        async with self._database.reading(caller) as tx:
            async for piece in reports.findings_table(tx, import_id, self._results):
                yield piece

    def _decision(
        self, router: APIRouter, name: str, decide: Callable[[Transaction, UUID], Awaitable[None]]
    ) -> None:  # fmt: skip
        async def decided(import_id: UUID, tx: Write) -> Report:
            """The import as it is after a person's decision."""
            _may(tx.caller)
            await self._check_purpose(tx, import_id)
            await decide(tx, import_id)
            return await report_of(tx, import_id, self._results)

        router.add_api_route(f"/imports/{{import_id}}:{name}", decided, methods=["POST"], name=name)

    async def _check_purpose(self, tx: Transaction, import_id: UUID) -> None:
        """For accountability nothing is decided about results: only about what was sent for it, which has none."""
        if tx.caller.purpose is Purpose.ACCOUNTABILITY:
            row = await tx.fetchrow("SELECT kind, purpose FROM imports WHERE id = $1", import_id)
            if row is not None and row["kind"] in self._results and row["purpose"] != Purpose.ACCOUNTABILITY:
                tx.caller.refuse_accountability()

    async def _approve(self, tx: Transaction, import_id: UUID) -> None:
        await self._check_order(tx, import_id)
        await deciding.approve(tx, import_id)

    async def _apply(self, tx: Transaction, import_id: UUID) -> None:
        await self._check_order(tx, import_id)
        await deciding.apply(tx, import_id)

    async def _check_order(self, tx: Transaction, import_id: UUID) -> None:
        kind = await tx.fetchval("SELECT kind FROM imports WHERE id = $1 FOR UPDATE", import_id)
        importer = self._importers.get(kind)
        if isinstance(importer, InOrder) and importer.in_order:
            await deciding.check_order(tx, import_id)

    async def _undo(self, tx: Transaction, import_id: UUID) -> None:
        kind = await tx.fetchval("SELECT kind FROM imports WHERE id = $1", import_id)
        if kind in self._importers and not isinstance(self._importers[kind], Undoes):
            raise deciding.NotUndoable(f"An import of {kind} cannot be undone; send the file as it was before.")
        await deciding.undo(tx, import_id)


def _may(caller: Caller) -> None:
    caller.need("imports:write")
    caller.need_whole_district()


def _options(kind: str, importer: Importer | WholeImporter, given: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The options of a request, each known to the importer and with a value it may have."""
    known = options_of(importer)
    options: dict[str, str] = {}
    for name, value in given:
        if name == "keep_good":
            continue
        if name not in known:
            there_are = f"there are keep_good and {', '.join(known)}" if known else "there is only keep_good"
            raise UnknownOption(f"An import of {kind} has no option {name!r}; {there_are}.", field=name)
        if value not in known[name]:
            raise UnknownOption(f"The option {name} is one of {', '.join(known[name])}, not {value!r}.", field=name)
        if name in options:
            raise UnknownOption(f"The option {name} is given twice.", field=name)
        options[name] = value
    return options
