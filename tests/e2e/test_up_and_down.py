"""`trellis up` and `down`: what runs, what comes back by itself, and that nothing stays behind."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from deploy import children, processes
from deploy.cli.demo import DemoFiles
from deploy.cli.door import opened
from deploy.kafka.broker import Broker
from deploy.postgres import PostgresSettings, running
from tests.e2e.harness import (
    ROOT,
    TRELLIS,
    ask_everything,
    environment,
    load_all,
    start,
)

pytestmark = pytest.mark.kafka


@pytest.fixture
def home(homes: Path, request: pytest.FixtureRequest, java: None) -> Iterator[Path]:
    """A HOME_DIR of its own; whatever still runs there after the test is stopped. Skipped where Kafka cannot run."""
    folder = homes / f"up-{abs(hash(request.node.name)) % 10_000_000}"
    yield folder
    processes.down(folder)


def of(home: Path, name: str) -> psutil.Process | None:
    """The process that `up` has recorded under this name."""
    found = children.recorded(home / "run" / f"{name}.json")
    return found[0] if found is not None else None


def everything(home: Path) -> list[psutil.Process]:
    """All that runs for this folder."""
    keeper = of(home, "keeper")
    assert keeper is not None
    return [keeper, *keeper.children(recursive=True)]


def trellis(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TRELLIS, *arguments], cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )


def wait_until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "this did not come true in time"
        time.sleep(0.1)


def alive(some: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in some if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_up_twice_is_once_and_down_leaves_nothing_running(home: Path) -> None:
    platform = start("kafka", home)
    processes_before = everything(home)

    again = trellis("up", "--home", str(home))
    stopped = trellis("down", "--home", str(home))
    nothing = trellis("down", "--home", str(home))

    assert again.returncode == 0
    assert "already running" in again.stderr
    assert f"GraphQL  {platform.url}/graphql\nAPI key  {platform.key}\n" in again.stdout
    assert stopped.returncode == nothing.returncode == 0
    assert alive(processes_before) == []
    assert "Nothing of this folder was running" in nothing.stderr


async def test_a_killed_keeper_takes_everything_with_it_and_the_next_up_has_the_data(
    home: Path, demo: DemoFiles
) -> None:
    first = start("kafka", home)
    async with opened(first.url, first.key) as door:
        await load_all(door, demo)
        before = await ask_everything(door, demo.roster)
    processes_before = everything(home)

    processes_before[0].kill()
    wait_until(lambda: alive(processes_before) == [])
    second = start("kafka", home)
    async with opened(second.url, second.key) as door:
        after = await ask_everything(door, demo.roster)
    second.stop()

    assert second.key == first.key
    assert after == before


async def test_up_uses_the_servers_it_is_told_of(
    home: Path, homes: Path, kafka: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(homes / "told", PostgresSettings("of-the-tests", durable=False)) as server:
        monkeypatch.setenv("DATABASE_URL", server.admin_dsn)
        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap)

        platform = start("kafka", home)
        its_own = [name for name in ("kafka", "postgres") if (home / name).exists()]
        async with opened(platform.url, platform.key) as door:
            answer = await door.graphql("{ __typename }")
        platform.stop()

    assert its_own == []
    assert answer == {"__typename": "Query"}


def test_a_taken_port_is_said_and_nothing_is_left_half_started(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        refused = trellis("up", "--home", str(home), "--port", str(port))

    assert refused.returncode == 1
    assert f"port {port} is taken" in refused.stderr
    assert "PORT=" in refused.stderr
    assert of(home, "keeper") is None


def _heed_ctrl_c() -> None:
    """As in a terminal: whoever runs the tests in the background has Ctrl-C ignored by all that they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_ctrl_c_while_it_starts_leaves_nothing(home: Path) -> None:
    starting = subprocess.Popen(
        [*TRELLIS, "up", "--home", str(home), "--port", "0"],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_heed_ctrl_c,
    )
    wait_until(lambda: of(home, "keeper") is not None and any(one.name() == "java" for one in everything(home)))
    processes_before = everything(home)

    os.killpg(starting.pid, signal.SIGINT)
    starting.wait(60)

    assert starting.returncode == 130
    assert alive(processes_before) == []


def test_another_process_with_a_recorded_id_is_left_alone(home: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as innocent:
        (home / "run").mkdir(parents=True)
        record = home / "run" / "roster.json"
        record.write_text(json.dumps({"pid": innocent.pid, "started": psutil.Process(innocent.pid).create_time() - 5}))

        processes.down(home)
        still_there = innocent.poll() is None
        innocent.kill()

    assert still_there
    assert not record.exists()
