"""What every test may ask for: a real PostgreSQL, and databases of its own in it."""

import itertools
import multiprocessing
import os
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
import structlog
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling

from deploy import provision
from deploy.postgres import PostgresSettings, Server, running
from shared.db import Database

# Of properties that do not ask for a number of their own; a machine that is busy elsewhere is no mistake of theirs.
settings.register_profile("quick", max_examples=25, deadline=None)
settings.load_profile("quick")

_LOGGED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.format_exc_info,
    structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
]

multiprocessing.set_forkserver_preload(
    ["services.assessment.main", "services.mastery.main", "services.partnership.main"]
)  # every `Compute` of a test begins as a copy of a process that has imported these, not by importing them

FreshDatabase = Callable[[str], Awaitable[Database]]
PLATFORMS = {
    "tests/e2e/test_exchange.py": "lasting",
    "tests/e2e/test_main_job.py": "lasting",
    "tests/e2e/test_partnerships.py": "lasting",
    "tests/e2e/test_kills.py": "mortal",
    "tests/e2e/test_roster_kills.py": "mortal",
}
"""Tests that ask for the same running platform are done by the same worker."""
PASSWORD = "of-the-tests"
_numbers = itertools.count(1)


class ByPlatform(LoadFileScheduling):
    """Each file to one worker; those on one platform as if they were one file."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return PLATFORMS.get(file, file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByPlatform:
    return ByPlatform(config, log)


@pytest.fixture(autouse=True)
def plain_logs() -> None:
    """Logs in plain lines: structlog's own way of drawing a traceback, with every local, takes seconds each."""
    structlog.configure(processors=_LOGGED)


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


@dataclass(frozen=True, slots=True)
class Copy:
    """A database of a service, the service's own way in, and the administrator's."""

    described: provision.ServiceDatabase
    database: Database
    admin: "asyncpg.Connection[asyncpg.Record]"

    async def close(self) -> None:
        await self.database.close()
        await self.admin.close()


class Copies:
    """Databases of the services, each a copy of a migrated one, lent to a test and emptied for the next.

    They are lent with their connections, which know their statements already. A copy whose schema a test may have
    changed is not lent again.
    """

    def __init__(self, admin_dsn: str) -> None:
        self._admin_dsn = admin_dsn
        self._free: dict[str, list[Copy]] = defaultdict(list)
        self.spoiled: set[str] = set()

    async def lend(self, template: provision.ServiceDatabase) -> Copy:
        """An empty database like the template."""
        if free := self._free[template.service]:
            return free.pop()
        name = f"{template.service}_{next(_numbers)}"
        described = replace(
            template,
            name=name,
            owner_dsn=_in_database(template.owner_dsn, name),
            app_dsn=_in_database(template.app_dsn, name),
        )
        async with provision.connected(self._admin_dsn) as admin:
            await provision.create_database(admin, described, template=template.name)
        database = Database(described.app_dsn, name=template.service)
        return Copy(described, database, await asyncpg.connect(_in_database(self._admin_dsn, name)))

    async def take_back(self, lent: Copy) -> None:
        """Empty it, or drop it."""
        service, name = lent.described.service, lent.described.name
        if name in self.spoiled:
            await lent.close()
            async with provision.connected(self._admin_dsn) as admin:
                await admin.execute(f"DROP DATABASE {provision.quoted(name)} WITH (FORCE)")
            return
        if await lent.admin.fetchval(_ENDED, f"trellis-{service}"):
            await lent.database.close()
        filled = await lent.admin.fetch(_FILLED)
        if large := ", ".join(row["name"] for row in filled if row["size"] > SMALL):
            await lent.admin.execute(f"TRUNCATE {large} CASCADE")
        if small := [row["name"] for row in filled if row["size"] <= SMALL]:
            await lent.admin.execute(_IN_ANY_ORDER + "".join(f"DELETE FROM {name};" for name in small))
        await lent.admin.execute(_RESTARTED)
        self._free[service].append(lent)

    async def close(self) -> None:
        for free in self._free.values():
            for one in free:
                await one.close()


_ENDED = """
    SELECT bool_or(theirs) FROM (
        SELECT application_name = $1 AS theirs, pg_terminate_backend(pid, 5000)
        FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
          AND (application_name <> $1 OR state <> 'idle'
               OR pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory'))
        OFFSET 0
    ) AS ended
"""
"""Ends what a test has left open, and says whether any of it was one of the connections that are lent with the copy."""

_FILLED = """
    SELECT format('%I.%I', n.nspname, c.relname) AS name, pg_relation_size(c.oid) AS size
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('public', 'stage') AND c.relkind = 'r' AND c.relname <> 'alembic_version'
      AND pg_relation_size(c.oid) > 0
"""
_IN_ANY_ORDER = "SET session_replication_role = replica;"
"""Whatever refers to whatever: all of it goes."""
SMALL = 256 * 1024
"""Bytes up to which a table is emptied row by row: to truncate it makes each of its indexes anew."""
_RESTARTED = """
    SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
    FROM pg_sequences WHERE last_value IS NOT NULL
"""


@pytest.fixture(scope="session")
async def copies(postgres: Server) -> AsyncIterator[Copies]:
    """The databases that tests have had and others may have."""
    made = Copies(postgres.admin_dsn)
    yield made
    await made.close()


@pytest.fixture
async def fresh_database(
    postgres: Server, templates: dict[str, provision.ServiceDatabase], copies: Copies
) -> AsyncIterator[FreshDatabase]:
    """Makes an empty, migrated database of a service, connected as its runtime role; the test's own while it runs."""
    lent: list[Copy] = []

    async def make(service: str) -> Database:
        if service not in templates:
            provisioned = await provision.provision(postgres.admin_dsn, PASSWORD, services=[service])
            templates[service] = provisioned[service]
        lent.append(await copies.lend(templates[service]))
        return copy(lent[-1].database)  # the same connections, but nothing that anybody remembers of the database

    yield make

    for one in lent:
        await copies.take_back(one)


@pytest.fixture
def owner_dsn(templates: dict[str, provision.ServiceDatabase], copies: Copies) -> Callable[[Database], str]:
    """How the owner of the tables connects to a fresh database, for tests that change its schema."""

    def find(database: Database) -> str:
        copies.spoiled.add(_name(database.dsn))
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
