"""What a running platform spends: processor time by part, and SQL statements, between two moments."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil

from deploy.home import opened as opened_home
from deploy.postgres import processes_on
from deploy.postgres_place import find_place
from tests.e2e.harness import Platform, start

DATABASES = ("roster", "assessment", "mastery", "partnership", "gateway")
DURABILITY = ("fsync", "synchronous_commit", "full_page_writes")


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of processor time by part of the platform."""

    seconds: Mapping[str, float]

    def since(self, before: "Spent") -> dict[str, float]:
        """What was spent after `before`, the greatest first."""
        spent = {part: value - before.seconds.get(part, 0.0) for part, value in self.seconds.items()}
        return dict(sorted(((p, s) for p, s in spent.items() if s > 0.005), key=lambda one: -one[1]))


def spent(platform: Platform) -> Spent:
    """Processor time until now, of every process of the platform."""
    seconds: Counter[str] = Counter()
    for part, process in parts(platform):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds[part] += times.user + times.system
    return Spent(seconds)


def parts(platform: Platform) -> Iterator[tuple[str, psutil.Process]]:
    """Every process of a platform, and which part of it that is."""
    for process in everyone(platform):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            yield _part(process), process


def everyone(platform: Platform) -> list[psutil.Process]:
    """All processes of a platform, whoever is their parent."""
    found = {one.pid: one for one in [*platform.processes(), *processes_on(_data(platform.home))]}
    for record in (platform.home / "run").glob("*.json"):
        with suppress(psutil.NoSuchProcess, ValueError, KeyError):
            top = psutil.Process(int(json.loads(record.read_text())["pid"]))
            found |= {one.pid: one for one in (top, *top.children(recursive=True))}
    return list(found.values())


def _part(process: psutil.Process) -> str:
    words = process.cmdline()
    title = " ".join(words)
    if title.startswith("postgres:"):
        who = title.split()
        return f"postgres {who[2]}" if len(who) > 2 and who[2] in DATABASES else "postgres itself"
    if process.name().startswith("postgres"):
        return "postgres itself"
    if process.name() == "java":
        return "kafka"
    if "forkserver" in title or "resource_tracker" in title:
        return _whose(process)
    if "service" in words:
        return words[words.index("service") + 1]
    return "all services" if "run" in words else "keeper"


def _whose(worker: psutil.Process) -> str:
    parent = worker.parent()
    while parent is not None and "forkserver" in " ".join(parent.cmdline()):
        parent = parent.parent()
    return "worker" if parent is None else f"worker of {_part(parent)}"


def _data(home: Path) -> Path:
    return find_place(home / "postgres").data


def postgres_dsn(platform: Platform, database: str = "postgres") -> str:
    """Connects as the superuser to a database of the platform's own PostgreSQL."""
    password = opened_home(platform.home).secrets.postgres_password
    port = (_data(platform.home) / "postmaster.pid").read_text().splitlines()[3]
    return f"postgresql://postgres:{password}@127.0.0.1:{port}/{database}"


@asynccontextmanager
async def admin(platform: Platform, database: str = "postgres") -> "AsyncIterator[asyncpg.Connection[asyncpg.Record]]":
    """A superuser's connection for the length of a block."""
    connection = await asyncpg.connect(postgres_dsn(platform, database))
    try:
        yield connection
    finally:
        await connection.close()


async def start_counting(mode: str, home: Path, *arguments: str) -> Platform:
    """A platform whose PostgreSQL counts statements: that needs a library loaded at its start."""
    first = start(mode, home, *arguments)
    async with admin(first) as asking:
        await asking.execute("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
    first.stop()
    platform = start(mode, home, *arguments)
    async with admin(platform) as asking:
        await asking.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    return platform


async def statements(platform: Platform) -> dict[str, tuple[int, float]]:
    """How many statements each database has run since the count began, and the seconds they took."""
    async with admin(platform) as asking:
        rows = await asking.fetch(
            """
            SELECT d.datname, sum(s.calls)::bigint AS calls, sum(s.total_exec_time) / 1000 AS seconds
            FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid GROUP BY d.datname
            """
        )
    return {row["datname"]: (row["calls"], row["seconds"]) for row in rows}


async def costly_statements(platform: Platform, most: int) -> list[tuple[str, int, float, str]]:
    """The statements that took longest: database, calls, seconds, text."""
    async with admin(platform) as asking:
        rows = await asking.fetch(
            """
            SELECT d.datname, s.calls, s.total_exec_time / 1000 AS seconds, s.query
            FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid ORDER BY seconds DESC LIMIT $1
            """,
            most,
        )
    return [(row["datname"], row["calls"], row["seconds"], " ".join(row["query"].split())) for row in rows]


async def forget_statements(platform: Platform) -> None:
    """Count from nothing."""
    async with admin(platform) as asking:
        await asking.fetch("SELECT pg_stat_statements_reset()")


async def durability(platform: Platform) -> dict[str, str]:
    """What PostgreSQL promises of a commit."""
    async with admin(platform) as asking:
        return {name: await asking.fetchval(f"SHOW {name}") for name in DURABILITY}
