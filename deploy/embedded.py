"""The whole platform on one machine, in one process: PostgreSQL, the embedded bus, every service, one worker process.

`run` is `make run`: it starts everything, makes the first district and its key, fills an empty database with a
demonstration district (or loads the files it is given), says where everything is, and ends at Ctrl-C or SIGTERM.
`platform` is the part between start and stop alone. What touches data goes through the gateway's door, as for anyone.
"""

import asyncio
import errno
import gc
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import httpx
import structlog

from deploy import connections, demo_district, first_key, proposals
from deploy.cli.door import Door, DoorError, Report, opened
from deploy.cli.example import Example, to_show
from deploy.cli.load import Kind, Load, load
from deploy.home import Home, HomeFailed, locked
from deploy.postgres import PostgresFailed, PostgresSettings, Server, running
from deploy.provision import SERVICES, RoleTooStrong, ServiceDatabase, provision
from services.assessment import main as assessment
from services.gateway import main as gateway
from services.mastery import main as mastery
from services.partnership import main as partnership
from services.roster import main as roster
from shared import runtime, telemetry
from shared.bus.embedded import EmbeddedBus
from shared.compute import Compute
from shared.db import Database
from shared.network import carrier
from shared.runtime import Service

HOST = "127.0.0.1"
MAX_CONNECTIONS = 100
POSTGRES_STOP_SECONDS = 1.5
READY_SECONDS = 60.0
DEMO_STUDENTS = 2_000

log = structlog.get_logger("embedded")


class PortTaken(Exception):
    """Something else listens on the port that the gateway should have."""


class CannotRun(Exception):
    """The platform cannot start or go on; the message is for the person at the terminal."""


class Told(Exception):
    """Ctrl-C or SIGTERM."""


class Show(Protocol):
    """What a person at the terminal gets to see while the platform starts."""

    def step(self, text: str) -> None:
        """What is being done now."""

    def progress(self, subject: str, done: int | None = None, total: int | None = None) -> None:
        """How far it is; may be called from a thread."""

    def loaded(self, load: Load, report: Report) -> None:
        """A file of the user's own was loaded, or refused: the final report."""

    def ready(self, platform: "Platform") -> None:
        """Everything runs, and what was loaded can be read."""


@dataclass(frozen=True, slots=True)
class Options:
    """What `make run` can be told."""

    home: Path
    port: int = 8000
    files: Sequence[Load] = ()
    """The user's own files; none of them: the demonstration district, if the database is empty."""
    demo_students: int = DEMO_STUDENTS
    """0 leaves an empty database empty."""


@dataclass(frozen=True, slots=True)
class Platform:
    """A running platform, and how to talk to it."""

    url: str
    key: str
    district: UUID
    home: Path
    log: Path
    databases: Mapping[str, Database]
    demo: bool = False
    """The demonstration district is loaded."""


KNOWN = (
    PortTaken,
    HomeFailed,
    PostgresFailed,
    RoleTooStrong,
    connections.TooManyConnections,
    demo_district.DemoFailed,
    DoorError,
)


async def run(options: Options, show: Show) -> None:
    """Start, load, serve until told to stop, which is no error. CannotRun says what a person can do something about."""
    told = runtime.until_told()
    gc.freeze()  # what was imported stays: the collector need not walk it again, least of all at the end, for seconds
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_raise_when(told))
            await _serve(options, show)
    except BaseExceptionGroup as several:
        causes = [cause for cause in _leaves(several) if not isinstance(cause, Told)]
        if not told.is_set():
            known = [cause for cause in causes if isinstance(cause, KNOWN)]
            if known:  # whatever else broke, broke because of it
                raise CannotRun(str(known[0])) from several
            raise
        for cause in causes:
            log.error("went wrong while stopping", reason=repr(cause))
        show.step("Stopped")


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for one in group.exceptions:
        if isinstance(one, BaseExceptionGroup):
            yield from _leaves(one)
        else:
            yield one


async def _raise_when(told: asyncio.Event) -> None:
    await told.wait()
    raise Told


async def _serve(options: Options, show: Show) -> None:
    async with platform(options.home, options.port, show.step) as started, opened(started.url, started.key) as door:
        for one in sorted(options.files, key=lambda one: list(Kind).index(one.kind)):
            show.loaded(one, await load(door, one, show.progress))
        here = replace(started, demo=await _demo(started, door, options, show))
        example = to_show(started.home, options.files, here.demo)
        if here.demo or any(one.kind is Kind.PROGRAMME for one in options.files):
            await _propose(door, example, show)
        show.ready(here)
        await asyncio.Event().wait()


async def _propose(door: Door, example: Example, show: Show) -> None:
    """The programme's first proposals; why there are none keeps nobody from the rest."""
    if example.programme is None:
        return
    try:
        show.step(await proposals.ensure(door, example.programme, example.school, show.progress))
    except DoorError as why:
        show.step(f"No partnerships are proposed: {why}")


async def _demo(started: Platform, door: Door, options: Options, show: Show) -> bool:
    """Fills an empty database; whether the demonstration district is there."""
    filled = await demo_district.look(started.databases.values(), started.district)
    if not filled.by_demo and not filled.by_others and not options.files and options.demo_students:
        await demo_district.fill(door, started.home / "demo", options.demo_students, show.progress)
        return True
    return filled.by_demo


@asynccontextmanager
async def platform(
    home_folder: Path, port: int, step: Callable[[str], None] = lambda _: None
) -> AsyncIterator[Platform]:
    """Everything, running for the length of a block; when a part dies the block is cancelled and the error raised."""
    with locked(home_folder) as home, _bound(port) as door, log_to(home.logs / "trellis.log") as log:
        step("Starting PostgreSQL")
        async with running(home.postgres, _postgres(home)) as server:
            step("Bringing the databases up to date")
            databases = await provision(server.admin_dsn, home.secrets.role_password)
            step("Starting the services")
            async with _services(home, server, databases, door) as services:
                url = f"http://{HOST}:{door.getsockname()[1]}"
                await _answers(url)
                district, key = await first_key.ensure(url, home)
                kept = {service.name: service.database for service in services if service.name != "gateway"}
                yield Platform(url, key, district, home.path, log, kept)


def _postgres(home: Home) -> PostgresSettings:
    return PostgresSettings(
        home.secrets.postgres_password, max_connections=MAX_CONNECTIONS, stop_seconds=POSTGRES_STOP_SECONDS
    )


@contextmanager
def _bound(port: int) -> Iterator[socket.socket]:
    try:
        listening = runtime.bind(HOST, port)
    except OSError as taken:
        if taken.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise PortTaken(f"port {port} is taken or not allowed; choose another with PORT=") from taken
    with listening:
        yield listening


@contextmanager
def log_to(file: Path) -> Iterator[Path]:
    """Logs go to a file, for the terminal belongs to the person; the last one is kept beside it."""
    if file.exists():
        file.replace(file.with_suffix(".previous.log"))
    with file.open("w", buffering=1) as stream:
        telemetry.configure("trellis", stream=stream)
        try:
            yield file
        finally:
            telemetry.silence(stream)


@asynccontextmanager
async def _services(
    home: Home, server: Server, databases: Mapping[str, ServiceDatabase], door: socket.socket
) -> AsyncIterator[Sequence[Service]]:
    """Every service behind a port of its own, on one bus; stopped together, before their database is."""
    async with AsyncExitStack() as kept:
        sockets = {name: kept.enter_context(runtime.bind(HOST, 0)) for name in SERVICES if name != "gateway"}
        urls = {f"{name}_url": f"http://{HOST}:{bound.getsockname()[1]}" for name, bound in sockets.items()}
        compute = Compute()
        kept.callback(compute.close)
        services = build(home, databases, urls, compute)
        connections.check(services, server.max_connections, embedded=True)
        bus = EmbeddedBus({service.name: service.database for service in services})
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(server.ended())]
            for service in services:
                tasks.append(group.create_task(runtime.run(service, bus, sockets.get(service.name, door))))
            yield services
            for task in tasks:
                task.cancel()


def build(
    home: Home, databases: Mapping[str, ServiceDatabase], urls: Mapping[str, str], compute: Compute
) -> list[Service]:
    """The services, told where their database is, where the others are, and the secrets they share."""

    def told(service: str, **more: str) -> dict[str, Any]:  # Any: pydantic's own options have types of their own
        return {"database_url": databases[service].app_dsn, "token_secret": home.secrets.token_secret, **urls, **more}

    return [
        roster.build(roster.Settings(**told("roster"))),
        assessment.build(assessment.Settings(**told("assessment")), compute),
        mastery.build(mastery.Settings(**told("mastery")), compute),
        partnership.build(partnership.Settings(**told("partnership"))),
        gateway.build(
            gateway.Settings(
                **told("gateway", key_pepper=home.secrets.key_pepper, operator_secret=home.secrets.operator_secret)
            )
        ),
    ]


async def _answers(url: str) -> None:
    async with asyncio.timeout(READY_SECONDS), httpx.AsyncClient(base_url=url, transport=carrier()) as asking:
        while True:
            try:
                if (await asking.get("/healthz")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.02)
