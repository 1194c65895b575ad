"""`make bench-memory`: how much memory the embedded platform takes, at rest and while a large file is loaded.

Memory is the proportional set size (what several processes share is counted once) summed over the platform's process
tree without PostgreSQL's processes, sampled every 0.2 s; the maximum counts. Making the files and loading the roster,
the framework and the forms is outside of the measurement. Every load begins in a platform that was just started, so
that what an earlier one kept does not hide what this one takes. A megabyte is a million bytes.
"""

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from deploy.cli.door import opened
from deploy.cli.example import DEMO, queries
from deploy.cli.load import Kind
from deploy.cli.sending import size_of
from tests.bench.figures import figure, machine, say
from tests.bench.material import Material, write
from tests.bench.pipeline import prepare, scratch
from tests.e2e.harness import Platform, load_file, start

EMBEDDED_LIMIT_MB = 700
GROWTH_LIMIT_MB = 200
RATIO_LIMIT = 1.1
SAMPLE_SECONDS = 0.2
ITEMS = 300
"""Long sheets: 300 MB of them are half a million, and so many that the load takes minutes and not an hour."""
MOST_STUDENTS = 60_000
SEED = 1
DISTRICT = "bench-memory"
_HEAD_BYTES = 50
"""What a line has at least beside its cells."""


@dataclass(slots=True)
class Sampled:
    """The highest sum so far, in MB, and what each process had then."""

    peak: float = 0.0
    by_process: dict[str, float] = field(default_factory=dict)

    def take(self, family: Sequence[psutil.Process]) -> None:
        """One sample."""
        found = {f"{one.pid} {_name(one)}": share for one in family if (share := proportional(one)) is not None}
        if sum(found.values()) > self.peak:
            self.peak, self.by_process = sum(found.values()), found


def proportional(process: psutil.Process) -> float | None:
    """The proportional set size in MB; None when it has ended, or is PostgreSQL's."""
    with suppress(OSError, psutil.NoSuchProcess):
        if process.name() != "postgres":
            lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
            return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("Pss:")), None)
    return None


def _name(process: psutil.Process) -> str:
    with suppress(psutil.NoSuchProcess):
        words = [word for word in process.cmdline()[1:] if not word.startswith(("-B", "-I", "-c", "/"))]
        return " ".join(words[:4])[:40]
    return "ended"


@asynccontextmanager
async def sampling(platform: Platform) -> AsyncIterator[Sampled]:
    """Samples for the length of a block."""
    sampled = Sampled()

    async def again_and_again() -> None:
        while True:
            await asyncio.to_thread(sampled.take, platform.processes())
            await asyncio.sleep(SAMPLE_SECONDS)

    task = asyncio.create_task(again_and_again())
    try:
        yield sampled
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        sampled.take(platform.processes())


def tell_processes(sampled: Sampled) -> None:
    """Who holds it."""
    for name, megabytes in sorted(sampled.by_process.items(), key=lambda one: -one[1]):
        say(f"  {megabytes:7.1f} MB  {name}")


async def at_rest(folder: Path, students: int, seconds: float) -> None:
    """The platform with the demonstration district, idle and answering its ready-made queries in turn."""
    say(f"starting with a demonstration district of {students} students")
    platform = start("embedded", folder / "demo", "--students", str(students))
    try:
        async with sampling(platform) as sampled, opened(platform.url, platform.key) as door:
            await asyncio.sleep(seconds / 2)
            end = time.monotonic() + seconds / 2
            answered = 0
            while time.monotonic() < end:
                for _, query in queries(DEMO):
                    await door.graphql(query)
                    answered += 1
                    await asyncio.sleep(SAMPLE_SECONDS)
        say(f"{answered} queries answered")
        tell_processes(sampled)
        figure("memory.embedded.mb", sampled.peak, "MB", "limit", EMBEDDED_LIMIT_MB, higher_is_better=False)
    finally:
        platform.stop()


async def while_loading(folder: Path, sizes: Sequence[float], seconds: float) -> None:
    """What loading a file of each size takes beyond what the platform had before it."""
    files, parts = make_parts(folder, sizes)
    platform = start("embedded", folder / "loads")
    try:
        say(f"loading roster, framework and form of {files.students} students")
        await prepare(platform, DISTRICT, files)
    finally:
        platform.stop()
    growth = {}
    for size, part in zip(sizes, parts, strict=True):
        growth[size] = await _growth(folder / "loads", part, seconds)
        name = f"memory.load_{size:g}mb.growth_mb"
        figure(name, growth[size], "MB", "limit", GROWTH_LIMIT_MB, higher_is_better=False)
    smallest, largest = min(sizes), max(sizes)
    if largest > smallest and growth[smallest] > 0:
        name = f"memory.load_{largest:g}mb.growth_by_{smallest:g}mb"
        figure(name, growth[largest] / growth[smallest], "1", "limit", RATIO_LIMIT, higher_is_better=False)


async def _growth(home: Path, answers: Path, seconds: float) -> float:
    say(f"loading {size_of(answers) / 1e6:.1f} MB of answers")
    platform = start("embedded", home)
    try:
        async with opened(platform.url, await platform.new_key(DISTRICT)) as door:
            await door.graphql("{ __typename }")
            async with sampling(platform) as before:
                await asyncio.sleep(seconds / 2)
            began = time.monotonic()
            async with sampling(platform) as during:
                report = await load_file(door, Kind.ANSWERS, answers)
            assert report["state"] == "applied", report["problems"][:3]
        say(
            f"{report['counts']['added']} sheets in {time.monotonic() - began:.0f} s; before {before.peak:.0f} MB, then"
        )
        tell_processes(during)
        return during.peak - before.peak
    finally:
        platform.stop()


def make_parts(folder: Path, sizes: Sequence[float]) -> tuple[Material, list[Path]]:
    """A district whose students take a long form day after day, and their sheets cut into files of these sizes."""
    sheets = round(sum(sizes) * 1e6 / (_HEAD_BYTES + 2 * ITEMS)) + 100
    say(f"writing {sheets} sheets of {ITEMS} items")
    files = write(folder / "files", sheets, ITEMS, SEED, students=min(sheets, MOST_STUDENTS))
    parts = list(cut(files.answers, [round(size * 1e6) for size in sizes]))
    files.answers.unlink()
    return files, parts


def cut(answers: Path, sizes: Sequence[int]) -> Iterator[Path]:
    """Files of whole lines, as many bytes each as asked for or the part of a line more; each with the header."""
    with answers.open("rb") as source:
        header = source.readline()
        for number, size in enumerate(sizes, 1):
            part = answers.with_name(f"{answers.stem}-{number}{answers.suffix}")
            with part.open("wb") as target:
                gone = target.write(header)
                while gone < size and (line := source.readline()):
                    gone += target.write(line)
            assert gone >= size, "there are too few sheets"
            yield part


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--students", type=int, default=2_000, help="of the demonstration district")
    asked.add_argument("--megabytes", type=float, nargs="*", default=[100, 300], help="sizes of the answer files")
    asked.add_argument("--seconds", type=float, default=20.0, help="how long the platform at rest is watched")
    told = asked.parse_args()
    say(machine())
    with scratch() as folder:
        asyncio.run(at_rest(folder, told.students, told.seconds))
        if told.megabytes:
            asyncio.run(while_loading(folder, told.megabytes, told.seconds))


if __name__ == "__main__":
    main()
