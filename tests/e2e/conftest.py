"""Platforms for the end-to-end tests: started once per mode, a new district for every test."""

import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from deploy.cli.demo import DemoFiles, write_demo
from deploy.kafka import broker
from deploy.kafka.broker import Broker
from deploy.topics import topics
from shared.bus.kafka_cluster import Cluster, create_topics
from tests.e2e.harness import Mortal, Platform, start

Slug = Callable[[], str]
MODES = ["embedded", pytest.param("kafka", marks=pytest.mark.kafka)]


@pytest.fixture(scope="session")
def homes() -> Iterator[Path]:
    """A folder for HOME_DIRs that PostgreSQL's own account can reach when the tests run as root."""
    folder = Path(tempfile.mkdtemp(prefix="trellis-e2e-"))
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session", params=MODES)
def platform(request: pytest.FixtureRequest, homes: Path) -> Iterator[Platform]:
    """A running platform with an empty first district, in each of the two modes."""
    if request.param == "kafka":
        request.getfixturevalue("java")
    started = start(request.param, homes / request.param)
    yield started
    started.stop()


@pytest.fixture(scope="session")
def mortal(homes: Path) -> Iterator[Mortal]:
    """One embedded platform for all the kills; it takes many steps, so that a kill finds something half done."""
    made = Mortal(homes / "mortal", {"TRELLIS_ASSESSMENT_SHEETS_AT_ONCE": "100"})
    yield made
    made.running.stop()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    """A small district's files."""
    return write_demo(tmp_path_factory.mktemp("demo"), students=120, seed=11)


@pytest.fixture(scope="session")
def slug() -> Slug:
    """A slug that no district has yet."""
    numbers = itertools.count(1)
    return lambda: f"district-{next(numbers)}"


@pytest.fixture(scope="session")
def java() -> None:
    """What a broker needs. Where it is missing the tests on Kafka are skipped, except where they are required."""
    if not broker.can_run():
        if os.environ.get("TRELLIS_KAFKA_REQUIRED"):
            pytest.fail("Kafka tests are required here, and Java 17 or Maven is missing")
        pytest.skip("Java 17 and Maven are not here")


@pytest.fixture(scope="session")
async def kafka(java: None) -> AsyncIterator[Broker]:
    """One broker for the whole run, with every topic."""
    with tempfile.TemporaryDirectory(prefix="trellis-kafka-") as folder:
        async with broker.running(Path(folder) / "kafka") as started:
            await create_topics(Cluster(started.bootstrap), topics())
            yield started
