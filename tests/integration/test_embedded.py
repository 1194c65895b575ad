"""The whole platform on one machine: it starts, it keeps what it was given, and it leaves nothing behind.

Every test runs it in a process of its own, as `make run` does, and stops it from outside.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.cli.demo import write_demo
from deploy.cli.door import Door, DoorError, opened
from deploy.cli.load import Kind, Load, load
from deploy.demo_district import load_under_key
from tests.conftest import leave_no_process
from tests.e2e.harness import FIRST_CLASS, ask_class

RUNS = """
import asyncio, sys
from pathlib import Path
from deploy import embedded

class Lines:
    def step(self, text): print("step", text, flush=True)
    def progress(self, subject, done=None, total=None): print("progress", subject, done, total, flush=True)
    def loaded(self, load, report): print("loaded", report["state"], flush=True)
    def ready(self, platform): print("ready", platform.url, platform.key, platform.demo, flush=True)

if __name__ == "__main__":
    options = embedded.Options(Path(sys.argv[1]), port=int(sys.argv[2]), demo_students=int(sys.argv[3]))
    asyncio.run(embedded.run(options, Lines()))
"""
STUDENTS = 300
"""Ten schools of thirty: enough for partnerships."""


@dataclass(slots=True)
class Run:
    """A platform in a process of its own."""

    process: subprocess.Popen[str]
    home: Path
    url: str = ""
    key: str = ""
    demo: str = ""

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def until(self, wanted: str) -> str:
        """The first line that begins so."""
        assert self.process.stdout is not None
        seen = []
        for line in self.process.stdout:
            seen.append(line)
            if line.startswith(wanted):
                return line
        raise AssertionError("".join(seen))

    def until_ready(self) -> "Run":
        _, self.url, self.key, self.demo = self.until("ready").split()
        return self

    def family(self) -> list[psutil.Process]:
        """The platform's process and everything it started."""
        me = psutil.Process(self.process.pid)
        return [me, *me.children(recursive=True)]

    def output(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.read()


Start = Callable[..., Run]


@pytest.fixture(scope="module")
def start(reachable_folder: Path) -> Iterator[Start]:
    """Starts platforms; those that a test leaves running are killed."""
    script = reachable_folder / "run.py"
    script.write_text(RUNS)
    started: list[Run] = []

    def begin(home: Path, *, port: int = 0, students: int = STUDENTS) -> Run:
        process = subprocess.Popen(
            [sys.executable, str(script), str(home), str(port), str(students)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(Run(process, home))
        return started[-1]

    yield begin
    for run in started:
        family = run.family() if run.process.poll() is None else []
        run.process.kill()
        run.process.wait()
        leave_no_process(family, within_seconds=20)
        assert run.process.stdout is not None
        run.process.stdout.close()


@pytest.fixture(scope="module")
def empty(start: Start, reachable_folder: Path) -> Run:
    """A platform without any data, running beside the others."""
    return start(reachable_folder / "empty", students=0).until_ready()


@pytest.fixture(scope="module")
def recovered(start: Start, reachable_folder: Path) -> Run:
    """A platform with the demonstration district, killed in the middle of its first load and started again."""
    first = start(reachable_folder / "recovered")
    first.until("progress answers")
    family = first.family()

    first.process.kill()
    first.process.wait()

    leave_no_process(family, within_seconds=10)
    return start(first.home).until_ready()


@pytest.fixture
def home(reachable_folder: Path, request: pytest.FixtureRequest) -> Path:
    return reachable_folder / str(request.node.name)


async def administrations(url: str, key: str) -> int:
    async with opened(url, key) as door:
        data = await door.graphql("{ administrations(first: 5) { nodes { title } } }")
    return len(data["administrations"]["nodes"])


PROPOSED = """{
  school(id: "sourcedId:SCH-0003") { areas { snapshotAt learners } willingness { area role } }
  programme(id: "sourcedId:learning-partnerships") { matching { state } proposals(first: 50) { nodes { id state } } }
}"""


async def proposed(run: "Run") -> dict[str, Any]:
    """What the demonstration's programme came to, and what one of its schools shows."""
    async with opened(run.url, run.key) as door:
        return await door.graphql(PROPOSED)


async def of_a_class(run: "Run") -> dict[str, Any]:
    """Abilities and mastery of a class's students."""
    async with opened(run.url, run.key) as door:
        return await ask_class(door, FIRST_CLASS)


def test_a_kill_in_the_middle_of_the_first_load_loses_nothing(recovered: Run) -> None:
    matched = asyncio.run(proposed(recovered))

    assert recovered.demo == "True"
    assert matched["programme"]["proposals"]["nodes"]


async def test_the_demonstration_district_survives_a_restart_with_the_same_key(
    start: Start, recovered: Run, empty: Run
) -> None:
    first = recovered
    family = first.family()
    shown = await administrations(first.url, first.key)
    matched = await proposed(first)
    known = await of_a_class(first)

    began = time.monotonic()
    os.killpg(first.process.pid, signal.SIGINT)  # as the terminal does: everyone in the foreground hears Ctrl-C
    code = first.process.wait(10)
    took = time.monotonic() - began
    again = start(first.home).until_ready()

    assert shown > 0
    assert (code, took < 5) == (0, True), first.output()
    assert "Traceback" not in first.output()
    leave_no_process(family, within_seconds=2)
    assert (again.demo, again.key) == ("True", first.key)
    assert await administrations(again.url, again.key) == shown
    assert matched["programme"]["proposals"]["nodes"], first.output()
    assert all(area["snapshotAt"] for area in matched["school"]["areas"])
    assert await proposed(again) == matched, "a second start changes nothing"
    assert any(student["mastery"] for student in known.values())
    assert await of_a_class(again) == known
    assert await administrations(empty.url, empty.key) == 0, "two platforms side by side see each other"
    with pytest.raises(DoorError, match="401"):
        await administrations(again.url, empty.key)

    family = again.family()
    again.process.terminate()
    assert again.process.wait(10) == 0
    leave_no_process(family, within_seconds=2)


async def test_a_file_whose_sending_was_cut_off_is_loaded_at_the_next_start(empty: Run, tmp_path: Path) -> None:
    files = await asyncio.to_thread(write_demo, tmp_path, STUDENTS, 1)
    what = Load(Kind.ROSTER, files.roster)

    async with opened(empty.url, empty.key) as door, half_sent(empty, door, what) as again:
        report = await load_under_key(door, again, lambda *_: None)

    assert report["state"] == "applied"


@asynccontextmanager
async def half_sent(run: Run, door: Door, what: Load) -> AsyncIterator[Load]:
    """The same file under a key whose first request goes on for ever."""
    for patience in (0.2, 1.0, 3.0, 9.0):
        known = replace(what, idempotency_key=f"cut-off-{patience}")
        _, writer = await asyncio.open_connection("127.0.0.1", run.port)
        head = [f"POST /v1/imports/{what.kind.value} HTTP/1.1", "Host: x", f"Authorization: Bearer {run.key}"]
        head += [f"Idempotency-Key: {known.idempotency_key}", "Content-Length: 100000000", "", ""]
        writer.write("\r\n".join(head).encode() + b"only the beginning " * 200_000)  # more than comes in one piece
        await writer.drain()
        await asyncio.sleep(patience)
        try:
            await load(door, known, lambda *_: None)
        except DoorError as refused:
            if refused.status == 409:
                yield known
                return
        finally:
            writer.close()
    raise AssertionError("the beginning of the file never arrived before the whole")


def test_a_home_in_use_is_a_clear_error(start: Start, empty: Run) -> None:
    second = start(empty.home, students=0)

    assert second.process.wait(60) != 0
    assert f"another Trellis (process {empty.process.pid}) uses" in second.output()


def test_a_port_that_is_taken_is_a_clear_error(start: Start, home: Path, empty: Run) -> None:
    refused = start(home, port=empty.port, students=0)

    assert refused.process.wait(60) != 0
    assert f"port {empty.port} is taken" in refused.output()


def test_a_dead_database_ends_the_platform_with_its_last_words(empty: Run) -> None:
    server = next(process for process in empty.family() if process.name() == "postgres")

    server.kill()

    assert empty.process.wait(20) != 0
    assert "PostgreSQL ended by itself" in empty.output()
