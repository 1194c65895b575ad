"""A city's roster out and in again: exported as files, and pulled by another district over OneRoster's REST.

The clock of the export runs from the question until the archive is on disk, compressed. Its floor is PostgreSQL's own
COPY of the same tables as CSV to nowhere, read by the same driver on the same machine, in the same run. The clock of
the pull runs until its archive is written; the platform itself is the provider, so both ends share the processors.
Memory is the largest resident set meanwhile, above what it was before: it has to stay the same when the city doubles.
"""

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path

import psutil

from deploy.cli.door import Door, opened
from deploy.cli.roster import memory
from deploy.cli.roster.config import read_config
from deploy.cli.roster.pull import Pull
from deploy.cli.sending import size_of
from services.gateway.keys.grants import district_id
from tests.bench import meter
from tests.bench.figures import figure, machine, say
from tests.bench.pipeline import scratch
from tests.bench.roster import watching
from tests.bench.roster_city import City, write_city
from tests.e2e.harness import Platform

TABLES = (
    "orgs", "academic_sessions", "courses", "classes", "people", "roles", "enrollments", "demographics",
)  # fmt: skip
SECRET = "TRELLIS_BENCH_PULL_SECRET"


async def bench_export(platform: Platform, mode: str, door: Door, slug: str, out: Path, rows: int) -> None:
    """One export, beside its floor."""
    floor = await copied(platform, slug)
    async with watching(platform, mode) as peak:
        await asyncio.sleep(1)
        before = peak.megabytes
        begun = time.perf_counter()
        with out.open("wb") as into:
            await door.fetch("/v1/exports/roster", {}, into, lambda _: None)
        seconds = time.perf_counter() - begun
    say(f"export: {rows:,} rows, {size_of(out):,} bytes in {seconds:.1f} s; COPY alone {floor:.1f} s")
    figure("roster.export.seconds", seconds, "s", "COPY of the tables to nowhere", floor, higher_is_better=False)
    figure("roster.export.memory", peak.megabytes - before, "MB", "growth", None, higher_is_better=False)


async def copied(platform: Platform, slug: str) -> float:
    """How long PostgreSQL needs to say the same tables as CSV."""

    async def nowhere(piece: bytes) -> None:
        """Let it go."""

    begun = time.perf_counter()
    async with meter.admin(platform, "roster") as connection:
        for table in TABLES:
            of_district = f"SELECT * FROM {table} WHERE district_id = '{district_id(slug)}'"
            await connection.copy_from_query(of_district, output=nowhere, format="csv")
    return time.perf_counter() - begun


async def bench_pull(platform: Platform, key: str, folder: Path) -> None:
    """One full pull from the platform's own REST, written to disk."""
    os.environ[SECRET] = key
    file = folder / "city.toml"
    file.write_text(
        f'url = "{platform.url}"\nversion = "1.2"\ntoken_url = "{platform.url}/oauth2/token"\n'
        f'client_id = "{key.split("_")[2]}"\nsecret_env = "{SECRET}"\nlimit = 10000\n'
    )
    us = psutil.Process()
    before = most = us.memory_info().rss

    def heard(subject: str, done: int | None = None, total: int | None = None) -> None:
        nonlocal most
        most = max(most, us.memory_info().rss)

    begun = time.perf_counter()
    with (
        memory.opened(folder / "city.pulls", "city") as known,
        tempfile.TemporaryDirectory(dir=folder) as rows,
        known.learning(),
    ):
        pulled = await Pull(read_config(file), known, Path(rows), heard).read(None)
    seconds = time.perf_counter() - begun
    objects = sum(int(one["objects"]) for one in pulled.collections)
    say(f"pull: {objects:,} objects in {seconds:.1f} s; absent: {pulled.absent or 'nothing'}")
    figure("roster.pull.rate", objects / seconds, "objects/s", "nothing", None, higher_is_better=True)
    figure("roster.pull.memory", (most - before) / 1e6, "MB", "growth", None, higher_is_better=False)


async def bench(mode: str, folder: Path, asked: argparse.Namespace) -> None:
    """One city after the other in one platform, each in a district of its own."""
    platform = await meter.start_counting(mode, folder / mode)
    try:
        for students in asked.students:
            archive = folder / f"{students}.zip"
            rows = sum(write_city(archive, City(students, asked.seed)).values())
            slug = f"city-{students}"
            key = await platform.new_district(slug)
            async with opened(platform.url, key) as door:
                accepted = await door.send("roster", archive, sent=lambda _: None)
                report = await door.wait(str(accepted["id"]), lambda _: None)
                assert report["state"] == "applied", report
                say(f"{students:,} students")
                await bench_export(platform, mode, door, slug, folder / "out.zip", rows)
            if not asked.without_pull:
                await bench_pull(platform, key, folder)
    finally:
        platform.stop()


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--students", type=int, nargs="+", default=[250_000, 500_000])
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--mode", choices=["kafka", "embedded"], default="embedded")
    words.add_argument("--without-pull", action="store_true", help="the exports alone")
    asked = words.parse_args()
    say(machine())
    with scratch() as folder:
        asyncio.run(bench(asked.mode, folder, asked))


if __name__ == "__main__":
    main()
