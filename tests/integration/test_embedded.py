"""The whole platform on one machine: it starts, it keeps what it was given, and it leaves nothing behind.

Every test runs it in a process of its own, as `make run` does, and stops it from outside.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from deploy.cli.door import DoorError, opened
from tests.conftest import leave_no_process

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
STUDENTS = 60


@dataclass(slots=True)
class Run:
    """A platform in a process of its own."""

    process: subprocess.Popen[str]
    home: Path
    url: str = ""
    key: str = ""
    demo: str = ""

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
        run.process.kill()
        run.process.wait()
        assert run.process.stdout is not None
        run.process.stdout.close()


@pytest.fixture(scope="module")
def empty(start: Start, reachable_folder: Path) -> Run:
    """A platform without any data, running beside the others."""
    return start(reachable_folder / "empty", students=0).until_ready()


@pytest.fixture
def home(reachable_folder: Path, request: pytest.FixtureRequest) -> Path:
    return reachable_folder / str(request.node.name)


async def administrations(url: str, key: str) -> int:
    async with opened(url, key) as door:
        data = await door.graphql("{ administrations(first: 5) { nodes { title } } }")
    return len(data["administrations"]["nodes"])


async def test_the_demonstration_district_survives_a_restart_with_the_same_key(
    start: Start, home: Path, empty: Run
) -> None:
    first = start(home).until_ready()
    family = first.family()
    shown = await administrations(first.url, first.key)

    began = time.monotonic()
    os.killpg(first.process.pid, signal.SIGINT)  # as the terminal does: everyone in the foreground hears Ctrl-C
    code = first.process.wait(10)
    took = time.monotonic() - began
    again = start(home).until_ready()

    assert shown > 0
    assert (code, took < 5) == (0, True), first.output()
    assert "Traceback" not in first.output()
    leave_no_process(family, within_seconds=2)
    assert (again.demo, again.key) == ("True", first.key)
    assert await administrations(again.url, again.key) == shown
    assert await administrations(empty.url, empty.key) == 0, "two platforms side by side see each other"
    with pytest.raises(DoorError, match="401"):
        await administrations(again.url, empty.key)


def test_a_kill_in_the_middle_of_the_first_load_loses_nothing(start: Start, home: Path) -> None:
    first = start(home)
    first.until("progress answers")
    family = first.family()

    first.process.kill()
    first.process.wait()
    leave_no_process(family, within_seconds=10)
    again = start(home).until_ready()
    family = again.family()
    again.process.terminate()

    assert again.demo == "True"
    assert again.process.wait(10) == 0
    leave_no_process(family, within_seconds=2)


def test_a_home_in_use_is_a_clear_error(start: Start, empty: Run) -> None:
    second = start(empty.home, students=0)

    assert second.process.wait(60) != 0
    assert f"another Trellis (process {empty.process.pid}) uses" in second.output()


def test_a_port_that_is_taken_is_a_clear_error(start: Start, home: Path, empty: Run) -> None:
    port = int(empty.url.rpartition(":")[2])

    refused = start(home, port=port, students=0)

    assert refused.process.wait(60) != 0
    assert f"port {port} is taken" in refused.output()


def test_a_dead_database_ends_the_platform_with_its_last_words(empty: Run) -> None:
    server = next(process for process in empty.family() if process.name() == "postgres")

    server.kill()

    assert empty.process.wait(20) != 0
    assert "PostgreSQL ended by itself" in empty.output()
