"""The class page through the gateway over HTTP, against stock Strawberry giving the same data back from constants.

`make bench-class-page STUDENTS=30 COMPETENCIES=10 SECONDS=24`. Both serve the same query text to the same load
generator in turns. The platform does everything it does (keys, limits, row-level security, its services, PostgreSQL
with fsync), as processes on Kafka where Java and Maven are there, and in one process; its processor time is that of
all of its processes, PostgreSQL's and the broker's among them.
"""

import argparse
import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from deploy.cli.load import Kind
from tests.bench.class_district import CLASS, ClassDistrict
from tests.bench.figures import figure, machine, say
from tests.e2e.harness import ROOT, Platform, district, environment, load_file, start

QUERY = """
query ClassPage($id: ID!, $first: Int!) {
  class(id: $id) {
    title
    students(first: $first) {
      nodes {
        id
        givenName
        familyName
        mastery { probability evidenceCount lastEvidenceAt competency { code statement } }
      }
    }
  }
}
"""
CONNECTIONS = 8
ROUNDS = 3


@dataclass(slots=True)
class Rounds:
    """What one server did, all rounds together."""

    requests: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    milliseconds: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds

    def percentile(self, q: float) -> float:
        return float(np.percentile(self.milliseconds, q))

    def said(self, name: str) -> str:
        return (
            f"{name}: {self.per_second:.1f} requests/s, p50 {self.percentile(50):.1f} ms, "
            f"p99 {self.percentile(99):.1f} ms, {1000 * self.cpu_seconds / self.requests:.2f} ms of processor a request"
        )


@dataclass(frozen=True, slots=True)
class Server:
    """Something that answers the class page."""

    url: str
    key: str
    processes: Sequence[psutil.Process]
    expected: Any
    variables: dict[str, Any]

    def cpu_seconds(self) -> float:
        total = 0.0
        for process in self.processes:
            with suppress(psutil.NoSuchProcess):
                spent = process.cpu_times()
                total += spent.user + spent.system
        return total

    def round(self, seconds: float, into: Rounds) -> None:
        """One round of load."""
        told = {
            "url": self.url, "key": self.key, "query": QUERY, "variables": self.variables,
            "connections": CONNECTIONS, "seconds": seconds, "expected": self.expected,
        }  # fmt: skip
        before = self.cpu_seconds()
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.class_load"],
            input=json.dumps(told), capture_output=True, text=True, cwd=ROOT, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr[-2_000:])
        found = json.loads(done.stdout)
        into.requests += found["requests"]
        into.seconds += found["seconds"]
        into.milliseconds += found["milliseconds"]
        into.cpu_seconds += self.cpu_seconds() - before


def family(platform: Platform) -> list[psutil.Process]:
    """Every process of a platform, PostgreSQL and the broker among them."""
    if platform.process is not None:
        return platform.processes()
    keeper = psutil.Process(json.loads((platform.home / "run" / "keeper.json").read_text())["pid"])
    return [keeper, *keeper.children(recursive=True)]


def ask(url: str, key: str, variables: dict[str, Any]) -> dict[str, Any]:
    """One answer."""
    body = json.dumps({"query": QUERY, "variables": variables}).encode()
    headers = {"content-type": "application/json", "accept": "application/json"}
    if key:
        headers["authorization"] = f"Bearer {key}"
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as answer:  # noqa: S310  # ours
        found: dict[str, Any] = json.load(answer)
    return found


async def fill(platform: Platform, size: ClassDistrict, folder: Path) -> dict[str, Any]:
    """Loads the district into the platform; the class page, complete."""
    async with district(platform, "bench") as door:
        for kind, path in size.write(folder).items():
            report = await load_file(door, Kind(kind), path)
            if report["state"] != "applied":
                raise RuntimeError(f"{kind}: {report}")
    return {"id": f"sourcedId:{CLASS}", "first": size.students}


@contextmanager
def stock(answer: dict[str, Any], folder: Path, variables: dict[str, Any]) -> Iterator[Server]:
    """Stock Strawberry in a process of its own."""
    file = folder / "constants.json"
    file.write_text(json.dumps(answer), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.stock_strawberry", str(file), str(port)], cwd=ROOT, env=environment()
    )
    try:
        url = f"http://127.0.0.1:{port}/graphql"
        deadline = time.monotonic() + 30
        while True:
            try:
                if ask(url, "", variables)["data"] != answer["data"]:
                    raise RuntimeError("stock Strawberry answers something else")
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
        yield Server(url, "", [psutil.Process(process.pid)], answer["data"], variables)
    finally:
        process.terminate()
        process.wait(10)


def bench(mode: str, size: ClassDistrict, seconds: float, folder: Path) -> tuple[Rounds, Rounds]:
    """The platform's rounds and the peer's, in turns."""
    platform = start(
        mode, folder / mode, environ={"TRELLIS_GATEWAY_COST_PER_MINUTE": "100000000"}
    )  # one key asks for all: what a minute may cost is not what is measured
    try:
        variables = asyncio.run(fill(platform, size, folder / "files"))
        key = asyncio.run(platform.new_key("bench"))
        url = f"{platform.url}/graphql"
        answer = ask(url, key, variables)
        cells = [len(one["mastery"]) for one in answer["data"]["class"]["students"]["nodes"]]
        if cells != [size.competencies] * size.students:
            raise RuntimeError(f"the class page is not complete: {cells}")
        ours, theirs = Rounds(), Rounds()
        with stock(answer, folder, variables) as peer:
            server = Server(url, key, family(platform), answer["data"], variables)
            for one in (server, peer):
                one.round(min(seconds, 2), Rounds())  # warm
            for _ in range(ROUNDS):
                server.round(seconds / ROUNDS, ours)
                peer.round(seconds / ROUNDS, theirs)
        return ours, theirs
    finally:
        platform.stop()


def report(prefix: str, ours: Rounds, theirs: Rounds) -> None:
    """The figures, and the story."""
    say(ours.said(prefix))
    say(theirs.said("stock Strawberry"))
    figure(
        f"{prefix}.requests_per_s", ours.per_second, "1/s", "peer", round(theirs.per_second, 4), higher_is_better=True
    )
    figure(
        f"{prefix}.p99_ms", ours.percentile(99), "ms", "peer", round(theirs.percentile(99), 4), higher_is_better=False
    )


def main(arguments: Sequence[str]) -> None:
    options = argparse.ArgumentParser(prog="make bench-class-page")
    options.add_argument("--students", type=int, default=30)
    options.add_argument("--competencies", type=int, default=10)
    options.add_argument("--seconds", type=float, default=24, help="of load for each server, in three rounds")
    options.add_argument("--modes", nargs="+", choices=["kafka", "embedded"], default=["kafka", "embedded"])
    told = options.parse_args(arguments)
    size = ClassDistrict(told.students, told.competencies)
    say(machine())
    say(f"{size.students} students, {size.competencies} competencies each, {CONNECTIONS} connections")
    for mode in told.modes:
        if mode == "kafka" and not (shutil.which("java") and shutil.which("mvn")):
            say("kafka: left out, there is no Java with Maven here")
            continue
        folder = Path(tempfile.mkdtemp(prefix="trellis-bench-"))
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)  # PostgreSQL's own account must reach its data
        try:
            ours, theirs = bench(mode, size, told.seconds, folder)
        finally:
            shutil.rmtree(folder)
        report("class_page" if mode == "kafka" else f"class_page.{mode}", ours, theirs)


if __name__ == "__main__":
    main(sys.argv[1:])
