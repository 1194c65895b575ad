"""The roster as files of OneRoster: an archive that is sent while it is written, all of it as of one moment."""

import asyncio
import csv
import io
from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.roster.domain.gradebook_files import GRADEBOOK, RESULTS
from services.roster.domain.layout import NAMES
from services.roster.store import exporting, revisions
from services.roster.store.exporting import Extract, Since
from shared.auth import Caller, Purpose
from shared.db import Database, Transaction
from shared.http import CallerOf
from shared.streamed import Out, Streamed
from shared.zipping import StreamedZip

router = APIRouter()

REVISION = "x-trellis-revision"
_PIECE = 1 << 18
_LEVEL = 5
_DEMOGRAPHICS = frozenset({"demographics"})


@router.get("/exports/roster")
async def export(
    request: Request,
    caller: CallerOf,
    version: Literal["1.1", "1.2"] = "1.2",
    since: Annotated[str | None, Query(max_length=40)] = None,
) -> Response:
    """The district as a OneRoster archive: whole, or what changed since a revision or a time.

    The header x-trellis-revision, and the archive's comment, say the revision up to which it tells.
    """
    caller.need("roster:read")
    caller.need_whole_district()
    database: Database = request.app.state.database
    files = files_for(caller, version)

    async def make(out: Out) -> None:
        async with database.snapshot(caller) as tx:
            after = None if since is None else await exporting.since_of(tx, since)
            revision = await revisions.latest(tx)
            out.headers[REVISION] = str(revision)
            out.headers["content-disposition"] = f'attachment; filename="roster-{revision}.zip"'
            found = await exporting.extracts(tx, version, after, files)
            await _write(tx, out, f"revision {revision}", version, after, found)

    return Streamed(make, "application/zip")


def files_for(caller: Caller, version: Literal["1.1", "1.2"]) -> Sequence[str]:
    """The files that this caller may have; the others are absent."""
    may = NAMES[version]
    if "demographics:read" not in caller.scopes:
        may = may - _DEMOGRAPHICS
    if "assessment:read" not in caller.scopes:
        may = may - GRADEBOOK
    if caller.purpose is Purpose.ACCOUNTABILITY:
        may = may - RESULTS
    return sorted(may)


async def _write(
    tx: Transaction, out: Out, comment: str, version: Literal["1.1", "1.2"], since: Since | None, found: list[Extract]
) -> None:
    """The manifest, and each file behind it."""
    archive = _Archive(out, comment)
    mode = "bulk" if since is None else "delta"
    modes = dict.fromkeys(NAMES[version], "absent") | {one.file: mode for one in found}
    await archive.begin("manifest.csv")
    await archive.rows(
        ("propertyName", "value"),
        ("manifest.version", "1.0"),
        ("oneroster.version", version),
        *((f"file.{name}", said) for name, said in sorted(modes.items())),
        ("source.systemName", "Trellis"),
    )
    for one in found:
        await archive.begin(f"{one.file}.csv")
        await archive.rows(one.header)
        await exporting.rows(tx, one, archive.add)
    await archive.end()


class _Archive:
    """An archive on its way out, compressed beside the loop, some hundred kilobytes at a time."""

    def __init__(self, out: Out, comment: str) -> None:
        self._out = out
        self._zip = StreamedZip(comment, level=_LEVEL)
        self._waiting = bytearray()

    async def begin(self, name: str) -> None:
        await self._flush()
        await self._out.write(self._zip.begin(name))

    async def rows(self, *rows: Sequence[str]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(rows)
        await self.add(text.getvalue().encode())

    async def add(self, content: bytes) -> None:
        self._waiting += content
        if len(self._waiting) >= _PIECE:
            await self._flush()

    async def end(self) -> None:
        await self._flush()
        await self._out.write(await asyncio.to_thread(self._zip.end))

    async def _flush(self) -> None:
        if self._waiting:
            content, self._waiting = bytes(self._waiting), bytearray()
            await self._out.write(await asyncio.to_thread(self._zip.add, content))
