"""What every test may ask for: a real PostgreSQL, and databases of its own in it."""

import itertools
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest
from hypothesis import settings

from deploy import provision
from deploy.postgres import PostgresSettings, Server, running
from shared.db import Database

settings.register_profile("quick", max_examples=40)  # of properties that do not ask for a number of their own
settings.load_profile("quick")

FreshDatabase = Callable[[str], Awaitable[Database]]
PASSWORD = "of-the-tests"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def reachable_folder() -> Iterator[Path]:
    """A temporary folder that PostgreSQL's own account can reach when the tests run as root."""
    folder = Path(tempfile.mkdtemp(prefix="trellis-tests-"))
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
async def postgres(reachable_folder: Path) -> AsyncIterator[Server]:
    """One PostgreSQL server for the whole run, not made to survive a power cut."""
    settings = PostgresSettings(PASSWORD, max_connections=200, shared_buffers_mb=128, durable=False)
    async with running(reachable_folder / "session", settings) as server:
        yield server


@pytest.fixture(scope="session")
def templates() -> dict[str, provision.ServiceDatabase]:
    """The migrated databases that are copied, by service; each is made when a test first asks for it."""
    return {}


@pytest.fixture
async def fresh_database(
    postgres: Server, templates: dict[str, provision.ServiceDatabase]
) -> AsyncIterator[FreshDatabase]:
    """Makes an empty, migrated database of a service, connected as its runtime role; gone after the test."""
    made: list[Database] = []

    async def make(service: str) -> Database:
        if service not in templates:
            provisioned = await provision.provision(postgres.admin_dsn, PASSWORD, services=[service])
            templates[service] = provisioned[service]
        template = templates[service]
        name = f"{service}_{next(_numbers)}"
        copy = provision.ServiceDatabase(
            service,
            name,
            template.owner,
            template.app,
            owner_dsn=_in_database(template.owner_dsn, name),
            app_dsn=_in_database(template.app_dsn, name),
        )
        async with provision.connected(postgres.admin_dsn) as admin:
            await provision.create_database(admin, copy, template=template.name)
        database = Database(copy.app_dsn, name=service)
        made.append(database)
        return database

    yield make

    async with provision.connected(postgres.admin_dsn) as admin:
        for database in made:
            await database.close()
            await admin.execute(f"DROP DATABASE {provision.quoted(_name(database.dsn))} WITH (FORCE)")


@pytest.fixture
def owner_dsn(templates: dict[str, provision.ServiceDatabase]) -> Callable[[Database], str]:
    """How the owner of the tables connects to a fresh database, for tests that change its schema."""

    def find(database: Database) -> str:
        return _in_database(templates[database.name].owner_dsn, _name(database.dsn))

    return find


def leave_no_process(family: Sequence[psutil.Process], *, within_seconds: float) -> None:
    """Fails when one of these still runs after that time; one that is dead but not yet buried does not count."""
    deadline = time.monotonic() + within_seconds
    while alive := [process for process in family if _runs(process)]:
        assert time.monotonic() < deadline, f"still running: {alive}"
        time.sleep(0.05)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _in_database(dsn: str, name: str) -> str:
    return dsn.rpartition("/")[0] + "/" + name


def _name(dsn: str) -> str:
    return dsn.rpartition("/")[2]
