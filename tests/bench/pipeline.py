"""`make bench-pipeline`: answer sheets per second, from the first byte at the gateway until a reader finds all of it.

The clock runs from the first byte of the CSV over HTTP until one GraphQL query returns the expected evidence total and
the last student's mastery. Making the files and loading roster, framework and form is outside of it.
"""

import argparse
import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.cli.door import Door, DoorError, opened
from deploy.cli.load import Kind
from deploy.kafka import broker
from tests.bench import floor, material, meter, profile
from tests.bench.figures import figure, machine, say
from tests.bench.material import Material
from tests.e2e.harness import Platform, load_file

LIMITS = {"kafka": 5_000, "embedded": 4_000}
"""Sheets per second on two cores, 100,000 sheets of 40 items."""
GROWTH_LIMIT = 1.2
"""How much more a sheet may cost among 400,000 than among 50,000."""
PATIENCE_SECONDS = 1_800.0
LOOK_SECONDS = 0.2

QUERY = """
query Arrived($student: ID!) {
  ledger { sheets entries }
  student(id: $student) { mastery { probability evidenceCount } }
}
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What one load took: seconds by the clock, and processor seconds by part."""

    sheets: int
    seconds: float
    phases: Mapping[str, float]
    spent: Mapping[str, float]
    statements: Mapping[str, tuple[int, float]]

    @property
    def per_sheet(self) -> float:
        """Microseconds by the clock."""
        return 1e6 * self.seconds / self.sheets

    @property
    def statements_per_1000(self) -> float:
        return 1_000 * sum(calls for calls, _ in self.statements.values()) / self.sheets


async def prepare(platform: Platform, slug: str, files: Material) -> str:
    """A new district with roster, framework and form; its key."""
    key = await platform.new_district(slug)
    async with opened(platform.url, key) as door:
        for kind, path in ((Kind.ROSTER, files.roster), (Kind.FRAMEWORK, files.framework), (Kind.FORMS, files.forms)):
            report = await load_file(door, kind, path)
            assert report["state"] == "applied", report
    return key


async def load(platform: Platform, key: str, files: Material) -> Run:
    """Load the sheets and wait until they can be read."""
    async with opened(platform.url, key) as door:
        phases: dict[str, float] = {}
        await meter.forget_statements(platform)
        before = meter.spent(platform)
        begun = time.perf_counter()
        accepted = await door.send("answers", files.answers, sent=lambda _: None)
        phases["received"] = time.perf_counter() - begun
        await _applied(door, str(accepted["id"]), begun, phases)
        while not await _arrived(door, files):
            assert time.perf_counter() - begun < PATIENCE_SECONDS, "the sheets did not arrive"
            await asyncio.sleep(LOOK_SECONDS)
        seconds = time.perf_counter() - begun
        phases["readable"] = seconds
        return Run(files.sheets, seconds, phases, meter.spent(platform).since(before), await meter.statements(platform))


async def _applied(door: Door, import_id: str, begun: float, phases: dict[str, float]) -> None:
    while True:
        report = await door.report(import_id)
        state = str(report["state"])
        if state in ("refused", "failed"):
            raise AssertionError(report["problems"][:3])
        if state in ("merging", "applied"):
            phases.setdefault("validated", time.perf_counter() - begun)
        if state == "applied":
            phases["merged"] = time.perf_counter() - begun
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _arrived(door: Door, files: Material) -> bool:
    try:
        answer: dict[str, Any] = await door.graphql(QUERY, {"student": f"sourcedId:{files.last_student}"})
    except DoorError as busy:
        if busy.status not in (200, 429, 503):
            raise
        return False
    mastery = answer["student"]["mastery"]
    return answer["ledger"] == {"sheets": files.sheets, "entries": files.entries} and sum(
        one["evidenceCount"] for one in mastery
    ) == files.items and all(one["probability"] is not None for one in mastery)  # fmt: skip


def tell(mode: str, run: Run, *, headline: bool) -> None:
    """Print what a run found."""
    name = f"pipeline.{mode}"
    if headline:
        rate = run.sheets / run.seconds
        figure(f"{name}.sheets_per_s", rate, "1/s", "limit", LIMITS[mode], higher_is_better=True)
        at = 0.0
        for phase, until in run.phases.items():
            figure(
                f"{name}.clock.{phase}",
                1e6 * (until - at) / run.sheets,
                "us/sheet",
                "none",
                None,
                higher_is_better=False,
            )
            at = until
        for part, seconds in run.spent.items():
            figure(
                f"{name}.cpu.{part.replace(' ', '_')}",
                1e6 * seconds / run.sheets,
                "us/sheet",
                "none",
                None,
                higher_is_better=False,
            )
        whole = sum(run.spent.values())
        figure(f"{name}.cpu.whole", 1e6 * whole / run.sheets, "us/sheet", "none", None, higher_is_better=False)
    figure(
        f"{name}.statements_per_1000_sheets.{run.sheets}",
        run.statements_per_1000,
        "1",
        "none",
        None,
        higher_is_better=False,
    )


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that PostgreSQL's own account can reach when we are root."""
    folder = Path(tempfile.mkdtemp(prefix="trellis-bench-"))
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


async def bench(mode: str, folder: Path, asked: argparse.Namespace) -> None:
    """One mode: the headline size with its floor, then the sizes that show whether a sheet's cost grows."""
    sizes = dict.fromkeys([asked.sheets, *asked.growth])
    files = {}
    for size in sizes:
        say(f"{mode}: writing {size} sheets × {asked.items} items")
        files[size] = material.write(folder / f"files-{size}", size, asked.items, asked.seed)
    platform = await meter.start_counting(mode, folder / mode)
    try:
        for name, value in (await meter.durability(platform)).items():
            say(f"{mode}: PostgreSQL {name} = {value}")
        runs: dict[int, Run] = {}
        for size in sizes:
            say(f"{mode}: loading roster, framework and form of {size} students")
            key = await prepare(platform, f"bench-{size}", files[size])
            say(f"{mode}: loading {size} sheets")
            with profile.sampled(platform, asked.profile / mode) if asked.profile else nullcontext({}) as samples:
                runs[size] = await load(platform, key, files[size])
            for part, file in samples.items():
                say(profile.told(part, file))
            tell(mode, runs[size], headline=size == asked.sheets)
            if size == asked.sheets:
                for database, calls, seconds, text in await meter.costly_statements(platform, 12):
                    say(f"  {1e6 * seconds / size:7.1f} us/sheet {calls:6d} calls {database}: {text[:110]}")
                found = await floor.measure(platform, files[size].forms.read_bytes())
                rate = size / found.total
                figure(
                    f"pipeline.{mode}.floor",
                    size / runs[size].seconds,
                    "1/s",
                    "floor",
                    round(rate),
                    higher_is_better=True,
                )
                for table, seconds in found.seconds.items():
                    figure(
                        f"pipeline.floor.{table}",
                        1e6 * seconds / size,
                        "us/sheet",
                        "none",
                        None,
                        higher_is_better=False,
                    )
        if asked.growth:
            small, large = min(asked.growth), max(asked.growth)
            grown = runs[large].per_sheet / runs[small].per_sheet
            figure(
                f"pipeline.{mode}.cost_at_{large}_over_{small}",
                grown,
                "1",
                "limit",
                GROWTH_LIMIT,
                higher_is_better=False,
            )
    finally:
        platform.stop()


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--sheets", type=int, default=100_000)
    words.add_argument("--items", type=int, default=40)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--growth", type=int, nargs="*", default=[], help="sizes whose cost per sheet is compared")
    words.add_argument("--profile", type=Path, help="a folder for samples of every process; they cost some speed")
    words.add_argument("--modes", nargs="+", default=["kafka", "embedded"], choices=["kafka", "embedded"])
    asked = words.parse_args()
    say(machine())
    for mode in asked.modes:
        if mode == "kafka" and not broker.can_run():
            say("kafka: Java 17 and Maven are not here; left out")
            continue
        with scratch() as folder:
            asyncio.run(bench(mode, folder, asked))


if __name__ == "__main__":
    main()
