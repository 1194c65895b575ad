"""OneRoster's REST through the gateway: pages and single objects per second, and what depth costs.

The demonstration district on a platform's own processes, PostgreSQL durable. Every address of a first round is asked
once: random offsets over all collections, a hundred rows a page; random ids. A second round repeats a few hundred of
them, as several vendors do between two imports. Load comes from `wrk`; without it from a generator of our own, which
takes processor time from the platform. The peer's figures are those that edfi-oneroster publishes for itself, the best
of each: its machine is not this one.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from deploy.cli.demo import write_demo
from deploy.cli.load import Kind
from deploy.kafka import broker
from tests.bench import meter
from tests.bench.figures import figure, machine, say
from tests.bench.pipeline import scratch
from tests.e2e.harness import Platform, district, load_file, start

BASE = "/ims/oneroster"
COLLECTIONS = {
    "rostering/v1p2": (
        "orgs", "schools", "academicSessions", "terms", "gradingPeriods", "courses", "classes", "users", "students",
        "teachers", "enrollments", "demographics",
    ),
    "gradebook/v1p2": ("categories", "lineItems", "results"),
    "resources/v1p2": ("resources",),
}  # fmt: skip
TARGETS = {"collection": 300, "by_id": 1_000}
PEER = {"collection": 143, "by_id": 246}
CONNECTIONS = 16
PAGE = 100
MOST = 50_000
WARM = 400
REPEATED = 250
LONGEST = 600
DEPTH_LIMIT = 2.0
LUA = """
local paths, at = {}, 0
for line in io.lines(os.getenv("PATHS")) do paths[#paths + 1] = line end
local again = os.getenv("AGAIN") == "yes"
local head = { ["authorization"] = "Bearer " .. os.getenv("KEY") }
function request()
  at = at + 1
  if at > #paths then
    at = 1
    if not again then
      print("all")
      io.stdout:flush()
      wrk.thread:stop()
    end
  end
  return wrk.format("GET", paths[at], head)
end
function done(summary, latency)
  local e = summary.errors
  io.stderr:write(string.format('{"requests": %d, "seconds": %f, "wrong": %d, "p50": %f, "p99": %f}',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"""


@dataclass(frozen=True, slots=True)
class Round:
    """What a round of load found; milliseconds."""

    requests: int
    seconds: float
    wrong: int
    p50: float
    p99: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


@dataclass(frozen=True, slots=True)
class District:
    """Where the district answers, and the sourcedIds of each of its collections."""

    url: str
    key: str
    names: Mapping[str, Sequence[str]]

    def pages(self, count: int, seed: random.Random) -> list[str]:
        """Different pages, as evenly over the collections as they have rows."""
        found: list[str] = []
        each = count // len(self.names) + 1
        for path, names in self.names.items():
            offsets = seed.sample(range(len(names)), min(each, len(names)))
            found += [f"{path}?limit={PAGE}&offset={offset}" for offset in offsets]
        large = max(self.names, key=lambda path: len(self.names[path]))
        spare = set(range(len(self.names[large]))) - {int(one.rpartition("=")[2]) for one in found if large in one}
        found += [
            f"{large}?limit={PAGE}&offset={offset}"
            for offset in seed.sample(sorted(spare), min(len(spare), max(0, count - len(found))))
        ]
        seed.shuffle(found)
        return found

    def objects(self, count: int, seed: random.Random) -> list[str]:
        """Different objects of all kinds."""
        every = [f"{path}/{name}" for path, names in self.names.items() for name in names]
        return seed.sample(every, min(count, len(every)))


async def read(platform: Platform, folder: Path, students: int) -> District:
    """A new district with the demonstration files, and what it holds."""
    files = write_demo(folder, students, seed=1)
    async with district(platform, "bench") as door:
        report = await load_file(door, Kind.ROSTER, files.roster)
        assert report["state"] == "applied", report
    key = await platform.new_key("bench")
    names: dict[str, list[str]] = {}
    async with aiohttp.ClientSession(platform.url, headers={"authorization": f"Bearer {key}"}) as session:
        for service, collections in COLLECTIONS.items():
            for collection in collections:
                path = f"{BASE}/{service}/{collection}"
                found = await _names(session, path)
                if found:
                    names[path] = found
    return District(platform.url, key, names)


async def _names(session: aiohttp.ClientSession, path: str) -> list[str]:
    found: list[str] = []
    while True:
        async with session.get(path, params={"limit": MOST, "offset": len(found), "fields": "sourcedId"}) as answer:
            answer.raise_for_status()
            body: dict[str, list[dict[str, Any]]] = await answer.json()
            found += [one["sourcedId"] for one in next(iter(body.values()))]
            if len(found) >= int(answer.headers["x-total-count"]):
                return found


def load(told: District, paths: Sequence[str], folder: Path, seconds: float = 0) -> Round:
    """Ask for each path once; with `seconds`, again and again for so long."""
    if shutil.which("wrk") is None:
        return asyncio.run(_ask(told, paths, seconds))
    (folder / "paths").write_text("\n".join(paths) + "\n", encoding="utf-8")
    (folder / "load.lua").write_text(LUA, encoding="utf-8")
    with subprocess.Popen(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds or LONGEST:.0f}s", "--timeout", "30s", "-sload.lua", told.url],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PATHS": "paths", "KEY": told.key, "AGAIN": "yes" if seconds else "no"},
    ) as running:  # fmt: skip
        assert running.stdout is not None
        for line in running.stdout:
            if line == "all\n":  # it would wait until its time is over
                running.send_signal(signal.SIGINT)
                break
        _, said = running.communicate()
    return Round(**json.loads(said))


async def _ask(told: District, paths: Sequence[str], seconds: float) -> Round:
    waits: list[float] = []
    wrong = 0
    begun = time.perf_counter()
    left = iter(paths)

    async def worker(session: aiohttp.ClientSession) -> None:
        nonlocal wrong, left
        while True:
            path = next(left, None)
            if path is None or (seconds and time.perf_counter() - begun > seconds):
                if not seconds or time.perf_counter() - begun > seconds:
                    return
                left = iter(paths)
                continue
            asked = time.perf_counter()
            async with session.get(path) as answer:
                await answer.read()
                wrong += answer.status != 200
            waits.append(time.perf_counter() - asked)

    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    headers = {"authorization": f"Bearer {told.key}"}
    async with aiohttp.ClientSession(told.url, connector=connector, headers=headers) as session:
        await asyncio.gather(*(worker(session) for _ in range(CONNECTIONS)))
    whole = time.perf_counter() - begun
    cuts = statistics.quantiles(waits, n=100)
    return Round(len(waits), whole, wrong, 1e3 * cuts[49], 1e3 * cuts[98])


def measure(platform: Platform, told: District, kind: str, paths: Sequence[str], folder: Path, seconds: float) -> None:
    """First the paths that nobody has asked for, then some of them again and again."""
    load(told, paths[:WARM], folder)
    before = meter.spent(platform)
    first = load(told, paths[WARM:], folder)
    spent = meter.spent(platform).since(before)
    load(told, paths[-REPEATED:], folder, 2)
    again = load(told, paths[-REPEATED:], folder, seconds)
    for name, one in ((f"roster.rest.{kind}", first), (f"roster.rest.{kind}.repeated", again)):
        if one.wrong:
            raise RuntimeError(f"{name}: {one.wrong} of {one.requests} answers were wrong")
        say(f"{name}: {one.requests} requests in {one.seconds:.1f} s, p50 {one.p50:.1f} ms, p99 {one.p99:.1f} ms")
        figure(name, one.per_second, "1/s", "limit", TARGETS[kind], higher_is_better=True)
        figure(
            f"{name}.beside_peer", one.per_second, "1/s", "edfi-oneroster, as published", PEER[kind],
            higher_is_better=True,
        )  # fmt: skip
        figure(f"{name}.p99_ms", one.p99, "ms", "none", None, higher_is_better=False)
    for part, taken in spent.items():
        name = f"roster.rest.{kind}.cpu.{part.replace(' ', '_')}"
        figure(name, 1e3 * taken / first.requests, "ms/request", "none", None, higher_is_better=False)


async def depth(told: District, samples: int) -> float:
    """How much longer the deepest pages of the longest list take than its first, each page asked for once, in turns."""
    path = max(told.names, key=lambda one: len(told.names[one]))
    last = len(told.names[path]) - 2 * PAGE
    waits: dict[bool, list[float]] = {True: [], False: []}
    async with aiohttp.ClientSession(told.url, headers={"authorization": f"Bearer {told.key}"}) as session:
        for number in range(samples):
            for deep in (False, True):
                # What is not known is passed over; it keeps answers that were given from fitting.
                query: dict[str, str | int] = {
                    "limit": PAGE,
                    "offset": last - number if deep else number,
                    "x": f"depth-{number}",
                }
                begun = time.perf_counter()
                async with session.get(path, params=query) as answer:
                    await answer.read()
                    answer.raise_for_status()
                waits[deep].append(time.perf_counter() - begun)
    return statistics.median(waits[True]) / statistics.median(waits[False])


def bench(mode: str, folder: Path, asked: argparse.Namespace) -> None:
    """One platform."""
    platform = start(mode, folder / mode, environ={"TRELLIS_GATEWAY_COST_PER_MINUTE": "1000000000"})
    try:
        for name, value in asyncio.run(meter.durability(platform)).items():
            say(f"{mode}: PostgreSQL {name} = {value}")
        told = asyncio.run(read(platform, folder / "files", asked.students))
        say(f"{mode}: " + ", ".join(f"{path.rpartition('/')[2]} {len(names):,}" for path, names in told.names.items()))
        seed = random.Random(asked.seed)
        measure(platform, told, "collection", told.pages(asked.requests, seed), folder, asked.seconds)
        measure(platform, told, "by_id", told.objects(2 * asked.requests, seed), folder, asked.seconds)
        figure("roster.rest.depth", asyncio.run(depth(told, 60)), "1", "limit", DEPTH_LIMIT, higher_is_better=False)
    finally:
        platform.stop()


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--students", type=int, default=5_000)
    words.add_argument("--requests", type=int, default=4_000, help="different pages, and half of the different objects")
    words.add_argument("--seconds", type=float, default=10, help="of load for what is repeated")
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--mode", choices=["kafka", "embedded"], default="kafka")
    asked = words.parse_args()
    say(machine())
    if shutil.which("wrk") is None:
        say("wrk is not here (Debian: apt-get install wrk): the generator of our own slows the platform down")
    if asked.mode == "kafka" and not broker.can_run():
        say("Java 17 and Maven are not here: everything runs in one process")
        asked.mode = "embedded"
    with scratch() as folder:
        bench(asked.mode, folder, asked)


if __name__ == "__main__":
    main()
