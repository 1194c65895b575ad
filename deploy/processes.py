"""`make up` and `make down`: Kafka, PostgreSQL and a process per service, all in the background.

`up` starts a keeper (this module, run as a script) and waits until it says that everything runs. The keeper owns the
rest: it starts what is missing, restarts a service or a broker that ended, and stops everything in the right order
when `down` tells it to, or when it could not start everything. What it starts ends with it, even when it is killed.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy import children, first_key
from deploy.home import Home, HomeFailed, locked, opened
from deploy.kafka.broker import Broker, free_port, has_jars
from deploy.postgres import PostgresSettings, Server, running
from deploy.provision import SERVICES, ServiceDatabase, provision
from deploy.service import KafkaSettings
from deploy.topics import topics
from shared import runtime
from shared.bus.kafka_cluster import Cluster, brokers, create_topics
from shared.errors import TrellisError
from shared.network import carrier

HOST = "127.0.0.1"
MAX_CONNECTIONS = 100
READY_SECONDS = 90.0
DOWN_SECONDS = 90.0
RESTART_SECONDS = (0.5, 2.0, 10.0, 30.0)
CALM_SECONDS = 300.0
LOOK_SECONDS = 0.5
KEEPER = "keeper.json"
IN_ORDER = ("gateway", "partnership", "mastery", "assessment", "roster", "kafka")
"""How they are stopped: who asks before who is asked, who publishes before the bus."""

Tell = Callable[[str], None]


class UpFailed(HomeFailed):
    """The platform did not start."""


class Surroundings(BaseSettings):
    """What `make up` may be told to use instead of starting its own."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: str | None = Field(
        default=None, description="PostgreSQL, as a role that may make databases and roles"
    )
    kafka_bootstrap_servers: str | None = Field(default=None, description="An existing Kafka cluster")
    trellis_kafka_replication: int | None = Field(default=None, ge=1, description="Copies of every topic")


@dataclass(frozen=True, slots=True)
class Running:
    """What `up` has started, and how to talk to it."""

    url: str
    key: str
    home: Path


def up(home_folder: Path, port: int, tell: Tell) -> Running:
    """Start everything, unless it runs already; returns when it answers. Raises UpFailed, and leaves nothing then."""
    home = opened(home_folder)
    if (found := _found(home.path)) is not None:
        tell("Trellis is already running")
        return found
    _stop_leftovers(home.path)
    _put_logs_aside(home)
    log = home.logs / "keeper.log"
    with log.open("ab") as complaints:
        keeper = subprocess.Popen(  # noqa: S603  # ourselves
            [sys.executable, "-m", "deploy.processes", str(home.path), str(port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            start_new_session=True,
        )
    try:
        return _follow(keeper, home.path, log, tell)
    except BaseException:  # Ctrl-C, too: nothing half-started stays
        keeper.terminate()
        keeper.wait()
        raise


def _follow(keeper: children.Process, home_folder: Path, log: Path, tell: Tell) -> Running:
    """Pass on what the keeper says until it is ready."""
    assert keeper.stdout is not None
    for line in keeper.stdout:
        said = json.loads(line)
        if "ready" in said:
            return Running(said["ready"], said["key"], home_folder)
        if "failed" in said:
            raise UpFailed(said["failed"])
        tell(said["step"])
    raise UpFailed(f"Trellis did not start; see {log}")


def down(home_folder: Path) -> bool:
    """Stop what `up` started in this folder; whether anything ran."""
    home_folder = home_folder.expanduser().resolve()
    found = children.recorded(home_folder / "run" / KEEPER)
    if found is not None:
        children.stop(found[0], seconds=DOWN_SECONDS)
    left = _stop_leftovers(home_folder)
    return found is not None or left


def _stop_leftovers(home_folder: Path) -> bool:
    """What outlived a keeper that was killed, where the kernel does not see to that; whether there was any."""
    any_left = False
    for name in IN_ORDER:
        record = home_folder / "run" / f"{name}.json"
        if (found := children.recorded(record)) is not None:
            children.stop(found[0])
            any_left = True
        children.forget(record)
    return any_left


def _put_logs_aside(home: Home) -> None:
    """Every start begins new logs; those of the last one are kept beside them."""
    for name in (*IN_ORDER, "keeper"):
        log = home.logs / f"{name}.log"
        if log.exists():
            log.replace(log.with_suffix(".previous.log"))


def _found(home_folder: Path) -> Running | None:
    """The platform that runs in this folder and is ready."""
    found = children.recorded(home_folder / "run" / KEEPER)
    if found is None or "url" not in found[1]:
        return None
    return Running(str(found[1]["url"]), (home_folder / "key").read_text().strip(), home_folder)


class _Keeper:
    """Everything that `up` has started."""

    def __init__(self, home: Home, port: int, tell: Tell) -> None:
        self._home = home
        self._tell = tell
        self._around = Surroundings()
        self._ports = {name: free_port() for name in SERVICES} | ({"gateway": port} if port else {})
        self._processes: dict[str, children.Process] = {}
        self._environment: dict[str, str] = {}
        self._broker: Broker | None = None
        self._postgres: Server | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._ports['gateway']}"

    @asynccontextmanager
    async def all(self) -> AsyncIterator[None]:
        """Everything, for the length of a block."""
        _refuse_taken(self._ports["gateway"])
        async with AsyncExitStack() as stack:
            async with asyncio.TaskGroup() as both:
                databases = both.create_task(self._databases(stack))
                cluster = both.create_task(self._kafka(stack))
            self._environment = self._told(databases.result(), cluster.result())
            self._tell("Starting the services")
            stack.push_async_callback(self._stop_services)
            for name in SERVICES:
                self._start(name)
            deadline = time.monotonic() + READY_SECONDS
            for name in SERVICES:
                await self._answers(name, deadline)
            await first_key.ensure(self.url, self._home)
            yield

    async def _databases(self, stack: AsyncExitStack) -> Mapping[str, ServiceDatabase]:
        admin_dsn = self._around.database_url
        if admin_dsn is None:
            self._tell("Starting PostgreSQL")
            settings = PostgresSettings(self._home.secrets.postgres_password, max_connections=MAX_CONNECTIONS)
            self._postgres = await stack.enter_async_context(running(self._home.postgres, settings))
            admin_dsn = self._postgres.admin_dsn
        self._tell("Bringing the databases up to date")
        return await provision(admin_dsn, self._home.secrets.role_password)

    async def _kafka(self, stack: AsyncExitStack) -> Cluster:
        if self._around.kafka_bootstrap_servers is not None:
            cluster = KafkaSettings().cluster
            copies = self._around.trellis_kafka_replication or min(3, await brokers(cluster))
        else:
            self._tell("Starting Kafka" if has_jars() else "Fetching Kafka with Maven, this once")
            self._broker = Broker(self._home.path / "kafka", log=self._home.logs / "kafka.log")
            stack.push_async_callback(self._stop_broker)
            await self._start_broker()
            cluster, copies = Cluster(self._broker.bootstrap), 1
        await create_topics(cluster, topics(copies))
        return cluster

    def _told(self, databases: Mapping[str, ServiceDatabase], cluster: Cluster) -> dict[str, str]:
        """What the services find in their environment, beside what `up` itself was told."""
        secrets = self._home.secrets
        told = {"TRELLIS_BUS": "kafka", "KAFKA_BOOTSTRAP_SERVERS": cluster.bootstrap_servers}
        for name in SERVICES:
            prefix = f"TRELLIS_{name.upper()}_"
            told[f"{prefix}DATABASE_URL"] = databases[name].app_dsn
            told[f"{prefix}TOKEN_SECRET"] = secrets.token_secret
            told |= {f"{prefix}{peer.upper()}_URL": f"http://{HOST}:{port}" for peer, port in self._ports.items()}
        told["TRELLIS_GATEWAY_KEY_PEPPER"] = secrets.key_pepper
        told["TRELLIS_GATEWAY_OPERATOR_SECRET"] = secrets.operator_secret
        return {**os.environ, **told}

    def _start(self, name: str) -> None:
        command = [sys.executable, "-m", "deploy.cli", "service", name, "--port", str(self._ports[name])]
        log = self._home.logs / f"{name}.log"
        self._processes[name] = children.start(command, log, environment=self._environment)
        children.record(self._home.run / f"{name}.json", self._processes[name].pid)

    async def _start_broker(self) -> None:
        assert self._broker is not None
        await self._broker.start()
        children.record(self._home.run / "kafka.json", self._broker.pid)

    async def _answers(self, name: str, deadline: float) -> None:
        async with httpx.AsyncClient(transport=carrier()) as asking:
            while True:
                if self._processes[name].poll() is not None:
                    raise UpFailed(f"{name} ended instead of answering; the end of its log:\n{self._last_words(name)}")
                if time.monotonic() > deadline:
                    raise UpFailed(f"{name} did not answer; the end of its log:\n{self._last_words(name)}")
                with suppress(httpx.TransportError):
                    answer = await asking.get(f"http://{HOST}:{self._ports[name]}/readyz")
                    if answer.is_success:
                        return
                await asyncio.sleep(0.1)

    def _last_words(self, name: str) -> str:
        return (self._home.logs / f"{name}.log").read_text(errors="replace").strip()[-1500:]

    async def watch(self) -> None:
        """Start again what ended by itself, sooner the first time than when it ends again and again.

        Raises PostgresFailed when our PostgreSQL ends: there is nothing to wait for then.
        """
        async with asyncio.TaskGroup() as watching:
            if self._postgres is not None:
                watching.create_task(self._postgres.ended())
            watching.create_task(self._restart())

    async def _restart(self) -> None:
        failures: dict[str, list[float]] = {name: [] for name in (*SERVICES, "kafka")}
        due: dict[str, float] = {}
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = time.monotonic()
            for name in self._ended():
                if name not in due:
                    recent = [at for at in failures[name] if now - at < CALM_SECONDS]
                    failures[name] = [*recent, now]
                    due[name] = now + RESTART_SECONDS[min(len(recent), len(RESTART_SECONDS) - 1)]
                    _note(f"{name} ended; it is started again")
                elif now >= due[name]:
                    del due[name]
                    await self._start_again(name)

    def _ended(self) -> list[str]:
        ended = [name for name, process in self._processes.items() if process.poll() is not None]
        return [*ended, "kafka"] if self._broker is not None and self._broker.has_ended() else ended

    async def _start_again(self, name: str) -> None:
        if name != "kafka":
            self._start(name)
            return
        try:
            await self._start_broker()
        except TrellisError as failed:  # the next look tries again, later
            _note(f"kafka was not started: {failed}")

    async def _stop_services(self) -> None:
        gateway = self._processes.pop("gateway", None)
        await self._stop_all({"gateway": gateway} if gateway is not None else {})
        await self._stop_all(self._processes)

    async def _stop_all(self, processes: Mapping[str, children.Process]) -> None:
        for process in processes.values():
            if process.poll() is None:
                process.terminate()
        for name, process in processes.items():
            try:
                await asyncio.to_thread(process.wait, children.STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                await asyncio.to_thread(process.wait)
            children.forget(self._home.run / f"{name}.json")

    async def _stop_broker(self) -> None:
        assert self._broker is not None
        await self._broker.stop()
        children.forget(self._home.run / "kafka.json")


def _refuse_taken(port: int) -> None:
    try:
        runtime.bind(HOST, port).close()
    except OSError:
        raise UpFailed(f"port {port} is taken or not allowed; choose another with PORT=") from None


def _note(text: str) -> None:
    """A line in the keeper's own log."""
    sys.stderr.write(json.dumps({"event": text, "level": "warning", "timestamp": time.time()}) + "\n")
    sys.stderr.flush()


class _Told(Exception):
    """SIGINT or SIGTERM."""


async def _raise_when(told: asyncio.Event) -> None:
    await told.wait()
    raise _Told


async def keep(home_folder: Path, port: int) -> None:
    """The keeper: run everything until told to stop, saying how it goes in JSON lines on standard output."""
    told = runtime.until_told()
    with locked(home_folder) as home:
        record = home.run / KEEPER
        children.record(record, os.getpid())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_raise_when(told))
                keeper = _Keeper(home, port, lambda step: _say(step=step))
                async with keeper.all():
                    children.record(record, os.getpid(), url=keeper.url)
                    _say(ready=keeper.url, key=home.key)
                    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # from here on nobody reads what we print
                    await keeper.watch()
        finally:
            children.forget(record)


def _say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def main(home_folder: str, port: str) -> None:
    """Keep; a failure is said in one sentence, and all of it is in the log."""
    try:
        asyncio.run(keep(Path(home_folder), int(port)))
    except* _Told:
        pass
    except* Exception as failed:
        traceback.print_exception(failed)
        first = _first(failed)
        with suppress(OSError):
            _say(failed=str(first) or type(first).__name__)


if __name__ == "__main__":
    main(*sys.argv[1:])
