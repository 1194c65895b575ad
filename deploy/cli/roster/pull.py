"""A pull: read the provider, write the archive, load it by the same door as any other file.

The district's client secret stays where this runs; the platform only ever sees the archive.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from deploy.cli.door import Report
from deploy.cli.load import Progress
from deploy.cli.roster import provider as providers
from deploy.cli.roster.archive import Spool, write_archive
from deploy.cli.roster.collections import Collection, path_of
from deploy.cli.roster.config import ProviderConfig
from deploy.cli.roster.memory import Accepted, Memory
from deploy.cli.roster.paging import NotFiltered, Reader, moment
from deploy.cli.roster.provider import Absent, FilterRefused, Provider, PullStopped

Mode = Literal["full", "delta"]

OVERLAP = timedelta(minutes=2)
"""How far back of the last pull's beginning the next one asks: changes are committed later than they are dated."""
_ARCHIVE = "roster.zip"


@dataclass(slots=True)
class Pulled:
    """What was pulled. `since`: what the next delta asks from, once this one is accepted."""

    mode: Mode
    since: datetime
    archive: Path | None = None
    asked_since: datetime | None = None
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    collections: list[dict[str, Any]] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "mode": self.mode,
            "since": moment(self.asked_since) if self.asked_since else None,
            "collections": self.collections,
            "absent": self.absent,
            "files": self.files,
            "notes": self.notes,
        }


@dataclass(frozen=True, slots=True)
class Pull:
    """How to pull."""

    config: ProviderConfig
    memory: Memory
    folder: Path
    """Where rows and archive are put while they come; a city needs some gigabytes."""
    progress: Progress
    pause: float = 0.5
    """Seconds to wait before a provider that did not answer is asked again; doubled every time."""

    async def read(self, last: Accepted | None) -> Pulled:
        """Read the provider, or what changed there since the pull before, and write the archive.

        A provider that cannot say what changed is read in full. Raises: PullStopped.
        """
        async with self._opened() as provider:
            if last is None:
                return await self._read(provider, None, [])
            try:
                return await self._read(provider, last, [])
            except (FilterRefused, NotFiltered):
                self.memory.again()
                why = "The provider does not filter by dateLastModified, so everything was read."
                return await self._read(provider, None, [why])

    def _opened(self) -> AbstractAsyncContextManager[Provider]:
        return providers.opened(self.config, lambda said: self.progress(said), pause=self.pause)

    async def _read(self, provider: Provider, last: Accepted | None, notes: list[str]) -> Pulled:
        with ExitStack() as files:
            return await self._read_into(files, provider, last, notes)

    async def _read_into(self, files: ExitStack, provider: Provider, last: Accepted | None, notes: list[str]) -> Pulled:
        config = self.config
        reader = Reader(provider, config.limit, self.progress)
        began = datetime.now(UTC)
        pulled = Pulled(
            "full" if last is None else "delta", began, asked_since=last.since if last else None, notes=notes
        )
        spools: list[Spool] = []
        for collection in config.collections:
            # What was not granted before is not known until then: it comes whole, beside the changes of the others.
            since = last.since if last is not None and collection.name in last.collections else None
            spool = Spool(self.folder, config.version, collection, self.memory, moment(began) if since else None)
            files.callback(spool.close)
            try:
                read = await reader.read(collection.name, path_of(config.version, collection), spool, since)
            except Absent as absent:
                spool.restart()
                pulled.absent[collection.name] = str(absent)
                continue
            taken = spool.finish()
            spools.append(spool)
            pulled.collections.append(
                {"name": collection.name, "objects": read.items, "pages": read.pages, "tries": read.tries}
            )
            pulled.notes += _notes(collection, read.tries, read.largest_page, config.limit, taken.gone, taken.left_out)
        if not spools:
            said = ", ".join(f"{name} {why}" for name, why in pulled.absent.items())
            raise PullStopped(f"{config.url} gives nothing to this client ({said}); nothing was loaded.")
        pulled.since = (provider.clock or began) - OVERLAP
        self._write(spools, pulled)
        return pulled

    def _write(self, spools: Sequence[Spool], pulled: Pulled) -> None:
        self.progress("writing the archive")
        archive = self.folder / _ARCHIVE
        modes = write_archive(archive, self.config.version, urlsplit(self.config.url).netloc, spools)
        rows = {file: count for spool in spools for file, count in spool.finish().rows.items()}
        pulled.files = {
            file: {"mode": mode, "rows": rows[file]} for file, mode in sorted(modes.items()) if mode != "absent"
        }
        if pulled.files:
            pulled.archive = archive


async def pull(
    work: Pull,
    load: Callable[[Path], Awaitable[Report]],
    *,
    full: bool,
    dry_run: bool,
) -> tuple[Pulled, Report | None]:
    """Pull, load, and remember what was accepted: what was pulled, and the platform's report.

    There is no report where nothing changed: then there is nothing to load.
    """
    last = None if full else work.memory.last()
    with work.memory.learning():
        pulled = await work.read(last)
        accepted = Accepted(pulled.since, frozenset(one["name"] for one in pulled.collections))
        if pulled.archive is None:
            if not dry_run:
                work.memory.accept(accepted)
            return pulled, None
        if not dry_run:
            work.memory.loading()
        report = await load(pulled.archive)
        if not dry_run and report["state"] == "applied":
            work.memory.accept(accepted)
        return pulled, report


def _notes(collection: Collection, tries: int, page: int, limit: int, gone: int, left_out: int) -> list[str]:
    name = collection.name
    notes = []
    if page:
        notes.append(f"{name}: the provider gives at most {page:,} at once, not {limit:,}.")
    if tries > 1:
        notes.append(f"{name}: changed while it was read, so it was read {tries} times.")
    if gone:
        notes.append(f"{name}: {gone:,} are marked as deleted at the provider and were left out.")
    if left_out:
        lacking = "user profiles have no credential" if name == "users" else "have no score"
        notes.append(f"{name}: {left_out:,} {lacking}, which CSV requires, and were left out.")
    return notes
