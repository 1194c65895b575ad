"""Platforms for the end-to-end tests: started once per mode, a new district for every test."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.cli.demo import DemoFiles, write_demo
from tests.e2e.harness import Platform, start

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
    started = start(request.param, homes / request.param)
    yield started
    started.stop()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    """A small district's files."""
    return write_demo(tmp_path_factory.mktemp("demo"), students=120, seed=11)


@pytest.fixture(scope="session")
def slug() -> Slug:
    """A slug that no district has yet."""
    numbers = itertools.count(1)
    return lambda: f"district-{next(numbers)}"
