"""`make bench-roster`: a city's roster for the first time, once more unchanged, once more with one course renamed, and
a thousand changes of it.

The clock of an import runs from the first byte of the archive over HTTP until its report says that it is applied: every
row is merged and committed, and the facts about it are in the outbox of the same transaction. The clock of the delta
runs until what it changed is read at the OneRoster REST API. Making the archives is outside of it.

The same files once more are told by their bytes; with one that differs, everything is read and compared, so that is
measured beside it, over the same floor.

The floor is measured in the same run, before, on the same server: see `roster_floor`. Memory is the resident set of the
process that runs the roster, sampled every 0.2 s; only on Kafka the roster has a process of its own.
"""

import argparse
import asyncio
import csv
import io
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import psutil

from deploy.cli.door import Door, DoorError, opened
from deploy.kafka import broker
from tests.bench import meter, roster_delta, roster_floor
from tests.bench.figures import figure, machine, say
from tests.bench.pipeline import scratch
from tests.bench.roster_city import City, write_city
from tests.e2e.harness import Platform

TIMES_FLOOR = {"import": 4.0, "reimport": 1.5, "reimport.renamed": None}
"""How often the floor's time an import may take."""
RENAMED = "courses.csv"
MEMORY_LIMIT_MB = 400
DELTA_LIMIT_SECONDS = 5.0
CHANGES = 1_000
PATIENCE_SECONDS = 3_600.0
COSTLY = 15
"""Statements of PostgreSQL that are named, the longest first."""
SAMPLE_SECONDS = 0.2
LOOK_SECONDS = 0.05
REST = "/ims/oneroster/rostering/v1p2"


@dataclass(frozen=True, slots=True)
class Run:
    """One import: how long it took, what it counted, what it announced, and the most memory meanwhile in MB."""

    seconds: float
    counts: dict[str, int]
    envelopes: int
    facts: int
    peak: float
    spent: dict[str, float]
    """Processor seconds by part of the platform."""
    readable: float
    """Seconds until every service has heard what followed."""


@dataclass(slots=True)
class Peak:
    """The largest resident set so far, in MB."""

    megabytes: float = 0.0


@asynccontextmanager
async def watching(platform: Platform, mode: str) -> AsyncIterator[Peak]:
    """The memory of the process that runs the roster, for the length of a block."""
    part = "roster" if mode == "kafka" else "all services"
    family = [process for name, process in meter.parts(platform) if name in (part, f"worker of {part}")]
    peak = Peak()

    async def again_and_again() -> None:
        while True:
            held = 0
            for process in family:
                with suppress(psutil.NoSuchProcess):
                    held += process.memory_info().rss
            peak.megabytes = max(peak.megabytes, held / 1e6)
            await asyncio.sleep(SAMPLE_SECONDS)

    task = asyncio.create_task(again_and_again())
    try:
        yield peak
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def load(platform: Platform, mode: str, door: Door, archive: Path) -> Run:
    """Send an archive and wait until it is applied."""
    await meter.forget_statements(platform)
    async with watching(platform, mode) as peak:
        before = meter.spent(platform)
        begun = time.perf_counter()
        accepted = await door.send("roster", archive, sent=lambda _: None)
        report = await _applied(door, str(accepted["id"]), begun)
        seconds = time.perf_counter() - begun
        spent = meter.spent(platform).since(before)
        await door.wait(str(accepted["id"]), lambda _: None)
        readable = time.perf_counter() - begun
    async with meter.admin(platform, "roster") as connection:
        told = await connection.fetchrow(
            "SELECT count(*) AS envelopes, COALESCE(sum(facts), 0) AS facts FROM outbox WHERE cause = $1",
            str(accepted["id"]).removeprefix("roster-"),
        )
    assert told is not None
    return Run(seconds, report["counts"], told["envelopes"], told["facts"], peak.megabytes, spent, readable)


async def _applied(door: Door, import_id: str, begun: float) -> dict[str, Any]:
    while True:
        report = await door.report(import_id)
        if report["state"] == "applied":
            return report
        assert report["state"] not in ("refused", "failed", "held"), (report["state"], report["problems"][:3])
        assert time.perf_counter() - begun < PATIENCE_SECONDS, report
        await asyncio.sleep(LOOK_SECONDS)


async def bench_imports(platform: Platform, mode: str, door: Door, archive: Path, rows: int, folder: Path) -> None:
    """The first import and the same once more, each beside its floor."""
    say("copying the same bytes into plain tables")
    floor = await roster_floor.measure(platform, archive, folder)
    for file, seconds in floor.first.items():
        say(f"  {seconds:7.2f} s first, {floor.again[file]:7.2f} s again: {file}")
    first, again = sum(floor.first.values()), sum(floor.again.values())
    for name, found in (("import", first), ("reimport", again), ("reimport.renamed", again)):
        if name == "reimport.renamed":
            archive = await asyncio.to_thread(renamed, archive, folder / "renamed.zip")
        say(f"{name}: {rows:,} rows")
        run = await load(platform, mode, door, archive)
        say(f"  {run.counts}")
        for part, seconds in run.spent.items():
            say(f"  {seconds:7.2f} s of processor time: {part}")
        for database, calls, seconds, text in await meter.costly_statements(platform, COSTLY):
            say(f"  {seconds:7.2f} s {calls:6d} calls {database}: {text[:110]}")
        tell(f"roster.{name}.city", run, found, rows, TIMES_FLOOR[name], mode)
        if name != "import":
            assert (run.counts["added"], run.counts["changed"]) == (0, int(name != "reimport")), run.counts
            figure(f"roster.{name}.city.facts", run.facts, "1", "none", None, higher_is_better=False)


def renamed(archive: Path, target: Path) -> Path:
    """The same files, but for the title of one course."""
    with ZipFile(archive) as old, ZipFile(target, "w", ZIP_DEFLATED, compresslevel=1) as new:
        for entry in old.infolist():
            with old.open(entry) as source, new.open(entry.filename, "w", force_zip64=True) as copy:
                if entry.filename == RENAMED:
                    rows = [*csv.reader(io.StringIO(source.read().decode(), newline=""))]
                    rows[1][rows[0].index("title")] += " renamed"
                    text = io.StringIO(newline="")
                    csv.writer(text).writerows(rows)
                    copy.write(text.getvalue().encode())
                else:
                    shutil.copyfileobj(source, copy, 1 << 20)
    return target


def tell(name: str, run: Run, floor: float, rows: int, limit: float | None, mode: str) -> None:
    """Print what an import found."""
    figure(name, run.seconds, "s", "floor", round(floor, 2), higher_is_better=False)
    kind = "none" if limit is None else "limit"
    figure(f"{name}.times_floor", run.seconds / floor, "1", kind, limit, higher_is_better=False)
    figure(f"{name}.readable", run.readable, "s", "none", None, higher_is_better=False)
    figure(f"{name}.rows", rows, "1", "none", None, higher_is_better=True)
    figure(f"{name}.rows_per_s", rows / run.seconds, "1/s", "none", None, higher_is_better=True)
    figure(f"{name}.envelopes", run.envelopes, "1", "none", None, higher_is_better=False)
    if name.startswith("roster.import"):
        figure(f"{name}.facts", run.facts, "1", "none", None, higher_is_better=True)
    if mode == "kafka":
        figure(f"{name}.memory", run.peak, "MB", "limit", MEMORY_LIMIT_MB, higher_is_better=False)
    else:
        figure(f"{name}.memory_of_all_services", run.peak, "MB", "none", None, higher_is_better=False)


async def bench_delta(platform: Platform, door: Door, city: City, folder: Path) -> None:
    """A thousand changes, from the first byte until they are read at the REST API."""
    changes = min(CHANGES, city.shape.students)
    delta = roster_delta.write(folder / "delta.zip", city, changes)
    assert not await _seen(door, delta), "what the delta changes was there before"
    begun = time.perf_counter()
    accepted = await door.send("roster", delta.archive, sent=lambda _: None)
    while not await _seen(door, delta):
        report = await door.report(str(accepted["id"]))
        assert report["state"] not in ("refused", "failed", "held"), (report["state"], report["problems"][:3])
        assert time.perf_counter() - begun < PATIENCE_SECONDS, report
        await asyncio.sleep(LOOK_SECONDS)
    seconds = time.perf_counter() - begun
    say(f"{changes} changes")
    figure("roster.delta.seconds", seconds, "s", "limit", DELTA_LIMIT_SECONDS, higher_is_better=False)
    run = await door.report(str(accepted["id"]))
    say(f"  {run['counts']}")


async def _seen(door: Door, delta: roster_delta.Delta) -> bool:
    """Whether the last person has the new name, and the last enrolment its end."""
    try:
        user = (await door.get(f"{REST}/users/{delta.person}"))["user"]
        enrollment = (await door.get(f"{REST}/enrollments/{delta.enrollment}"))["enrollment"]
    except DoorError as busy:
        if busy.status not in (429, 503):
            raise
        return False
    return bool(user["givenName"] == delta.name and enrollment.get("endDate") == delta.end)


async def bench(mode: str, folder: Path, asked: argparse.Namespace) -> None:
    """One mode from the making of the archive to its delta."""
    archive = folder / "city.zip"
    city = City(asked.students, asked.seed)
    begun = time.perf_counter()
    made = write_city(archive, city)
    rows = sum(made.values())
    say(f"{made}: {archive.stat().st_size:,} bytes, written in {time.perf_counter() - begun:.0f} s")
    platform = await meter.start_counting(mode, folder / mode)
    try:
        for name, value in (await meter.durability(platform)).items():
            say(f"{mode}: PostgreSQL {name} = {value}")
        key = await platform.new_district("city")
        async with opened(platform.url, key) as door:
            await bench_imports(platform, mode, door, archive, rows, folder)
            if not asked.without_delta:
                await bench_delta(platform, door, city, folder)
    finally:
        platform.stop()


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--students", type=int, default=1_100_000)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--mode", choices=["kafka", "embedded"], default="kafka" if broker.can_run() else "embedded")
    words.add_argument("--without-delta", action="store_true", help="the two imports alone")
    asked = words.parse_args()
    say(machine())
    with scratch() as folder:
        asyncio.run(bench(asked.mode, folder, asked))


if __name__ == "__main__":
    main()
