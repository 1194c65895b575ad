"""`make bench-roster-bad`: how long it takes until a bad roster is refused or repaired, each by itself.

The archives are those of the tests, and a few more: one that is cut off anywhere, a bomb of a gigabyte, a directory
that lies. Each is sent to a running platform over HTTP; its clock runs from the first byte until its report is final.
What is refused is sent to a district that has a roster: it must say so in the right file by the right rule, and leave
the district's revision as it is. What is repaired is sent to a district of its own, and must tell it likewise.
"""

import argparse
import asyncio
import io
import statistics
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.cli.door import Door, Report, opened
from tests.bench import meter
from tests.bench.figures import figure, machine, say
from tests.bench.pipeline import scratch
from tests.e2e.harness import Platform, start
from tests.integration.roster.archives import Roster, a_roster
from tests.integration.roster.test_bad_input import UNSAFE, WRONG
from tests.integration.roster.test_strictness import REPAIRED

LIMIT_SECONDS = 2.0
FEWEST = 40
LOOK_SECONDS = 0.01
REST = "/ims/oneroster/rostering/v1p2/orgs"
REVISIONS = "SELECT count(*) FROM revisions"
UNDER_WAY = ("staged", "validating", "merging")


@dataclass(frozen=True, slots=True)
class Bad:
    """An archive; what is wrong must be told in this file by this rule; it is repaired, or else refused."""

    name: str
    content: bytes
    file: str
    rule: str
    repaired: bool = False
    strict: bool = False


def archives(students: int) -> Iterator[Bad]:
    """Every one, those that change the district last."""
    for name, (change, (file, _, _, _, rule)) in WRONG.items():
        yield Bad(name, _changed(change).zip(), file, rule)
    for name, (make, file, rule) in UNSAFE.items():
        yield Bad(name, make(), file, rule)
    whole = a_roster(students).zip()
    for tenth in range(1, 10):
        yield Bad(f"cut off after {tenth} tenths", whole[: len(whole) * tenth // 10], "archive", "archive")
    yield Bad("a bomb of a gigabyte", _bomb(), "bomb.csv", "ratio")
    yield Bad("a directory that lies about a size", _lying(whole), "users.csv", "archive")
    yield Bad("the last line of a large file is wrong", _late(students).zip(), "enrollments.csv", "unknown-reference")
    for strict in (True, False):
        for name, (repairable, (file, _, _, rule)) in REPAIRED.items():
            said = f"{name}, strictly" if strict else name
            yield Bad(said, _changed(repairable).zip(), file, rule, repaired=not strict, strict=strict)


def _changed(change: Callable[[Roster], Any]) -> Roster:
    files = a_roster()
    change(files)
    return files


def _late(students: int) -> Roster:
    files = a_roster(students)
    files.files["enrollments"][-1] = files.files["enrollments"][-1].replace(f"s{students - 1:03}", "nobody")
    return files


def _bomb() -> bytes:
    held = io.BytesIO(a_roster().zip())
    with zipfile.ZipFile(held, "a", zipfile.ZIP_DEFLATED) as zipped, zipped.open("bomb.csv", "w") as bomb:
        for _ in range(1_000):
            bomb.write(b"0" * 1_000_000)
    return held.getvalue()


def _lying(whole: bytes) -> bytes:
    """Of users.csv it says that it is ten bytes long, before the file and in the directory."""
    content, ten = bytearray(whole), (10).to_bytes(4, "little")
    with zipfile.ZipFile(io.BytesIO(whole)) as zipped:
        before_file = zipped.getinfo("users.csv").header_offset
    in_directory = content.rindex(b"users.csv") - 46
    content[before_file + 22 : before_file + 26] = ten
    content[in_directory + 24 : in_directory + 28] = ten
    return bytes(content)


async def take(door: Door, bad: Bad, file: Path) -> tuple[float, Report]:
    """Send an archive: the seconds until nothing more comes of it, and its report."""
    await asyncio.to_thread(file.write_bytes, bad.content)
    begun = time.perf_counter()
    options = {"strict": "true"} if bad.strict else {}
    accepted = await door.send("roster", file, options=options, sent=lambda _: None)
    while True:
        report = await door.report(str(accepted["id"]))
        if report["state"] not in UNDER_WAY:
            return time.perf_counter() - begun, report
        await asyncio.sleep(LOOK_SECONDS)


def wrong_with(bad: Bad, report: Report, *, revised: bool) -> str | None:
    """What should not be; None when all is as it should."""
    told = report["repairs" if bad.repaired else "problems"]
    if report["state"] != ("applied" if bad.repaired else "refused"):
        return f"it is {report['state']}"
    if revised != bad.repaired:
        return "something of it was applied" if revised else "nothing was applied"
    found = [one for one in told if (one["file"], one["rule"]) == (bad.file, bad.rule)]
    if not found:
        return f"it is not told in {bad.file} by {bad.rule}: {told[:3]}"
    return None if all(one["remedy"] for one in found) else "it says no remedy"


async def bench(platform: Platform, folder: Path, students: int) -> int:
    """Send all of them; how many were not taken as they should be."""
    seconds: dict[str, float] = {}
    cpu: dict[str, float] = {}
    faults = 0
    file, home = folder / "archive.zip", await platform.new_district("refuses")
    async with opened(platform.url, home) as door:
        _, first = await take(door, Bad("", a_roster().zip(), "", ""), file)
    assert first["state"] == "applied", first
    async with meter.admin(platform, "roster") as connection:
        for number, bad in enumerate(archives(students)):
            key = await platform.new_district(f"repairs-{number}") if bad.repaired else home
            async with opened(platform.url, key) as door:
                await door.get(REST)  # the connection is there
                before, spent = await connection.fetchval(REVISIONS), meter.spent(platform)
                took, report = await take(door, bad, file)
                cpu[bad.name] = sum(meter.spent(platform).since(spent).values())
                revised = await connection.fetchval(REVISIONS) != before
            seconds[bad.name] = took
            fault = wrong_with(bad, report, revised=revised)
            faults += fault is not None
            found = f": {fault}" if fault else ""
            say(f"{took:6.2f} s, processors {cpu[bad.name]:5.2f} s, {report['state']:8} {bad.name}{found}")
    slowest = max(seconds, key=lambda name: seconds[name])
    say(f"the slowest: {slowest}")
    figure("roster.bad_archives", len(seconds) - faults, "1", "limit", FEWEST, higher_is_better=True)
    figure("roster.bad_archives.misjudged", faults, "1", "none", None, higher_is_better=False)
    figure("roster.bad_archives.slowest", seconds[slowest], "s", "limit", LIMIT_SECONDS, higher_is_better=False)
    figure("roster.bad_archives.median", statistics.median(seconds.values()), "s", "none", None, higher_is_better=False)
    figure("roster.bad_archives.cpu", max(cpu.values()), "s", "none", None, higher_is_better=False)
    return faults


def main() -> int:
    """Measure and print; 1 when an archive was not taken as it should be."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--students", type=int, default=5_000, help="of the larger archives")
    asked = words.parse_args()
    say(machine())
    with scratch() as folder:
        platform = start("embedded", folder / "home")
        try:
            return 1 if asyncio.run(bench(platform, folder, asked.students)) else 0
        finally:
            platform.stop()


if __name__ == "__main__":
    sys.exit(main())
