"""Starts and stops one Apache Kafka broker on this machine: for the tests, and for `make up` without a cluster.

Needs Java 17 or newer, and Maven once, to fetch the jars that pom.xml names.
"""

import asyncio
import base64
import fcntl
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from string import Template
from uuid import uuid4

from deploy import children
from shared.bus.kafka_cluster import reachable
from shared.errors import Unavailable

HERE = Path(__file__).parent
LIBS = HERE / "libs"
START_SECONDS = 90.0
STOP_SECONDS = 30.0
MAVEN_SECONDS = 600.0


class NoJava(Unavailable):
    """No `java` was found. Kafka needs Java 17: install it, or name your cluster with KAFKA_BOOTSTRAP_SERVERS."""


class NoMaven(Unavailable):
    """No `mvn` was found. Maven fetches Kafka: install it, or name your cluster with KAFKA_BOOTSTRAP_SERVERS."""


class NoJars(Unavailable):
    """Maven did not fetch the broker's jars."""


class BrokerDied(Unavailable):
    """The Kafka broker ended instead of answering; its log says why."""


def can_run() -> bool:
    """Whether this machine has what a broker needs: Java, and the jars or Maven to fetch them."""
    return shutil.which("java") is not None and (has_jars() or shutil.which("mvn") is not None)


def jars() -> Path:
    """The folder with the broker's jars, fetched on first use."""
    if has_jars():
        return LIBS
    maven = shutil.which("mvn")
    if maven is None:
        raise NoMaven
    with (HERE / "pom.xml").open() as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
        if not has_jars():
            _fetch(maven)
    return LIBS


def has_jars() -> bool:
    """Whether the jars that pom.xml names are here already."""
    complete = LIBS / ".complete"
    return complete.exists() and complete.read_bytes() == (HERE / "pom.xml").read_bytes()


def _fetch(maven: str) -> None:
    shutil.rmtree(LIBS, ignore_errors=True)
    command = [maven, "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={LIBS}"]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=MAVEN_SECONDS, check=False)  # noqa: S603  # our own words
    if answer.returncode != 0:
        raise NoJars(f"Maven did not fetch the broker's jars: {(answer.stdout + answer.stderr).strip()[-2000:]}")
    shutil.copyfile(HERE / "pom.xml", LIBS / ".complete")


class Broker:
    """One broker whose data, settings and log live in a folder; started again, it keeps its data and its port."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        heap_mb: int = 512,
        settings: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self.log = log or self.folder / "broker.log"
        self._properties = self.folder / "server.properties"
        self._heap_mb = heap_mb
        self._settings = dict(settings or {})
        self._process: children.Process | None = None
        self.port = port or self._last_port() or free_port()

    @property
    def bootstrap(self) -> str:
        """What a client is given as its bootstrap servers."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise BrokerDied("The Kafka broker was not started.")
        return self._process.pid

    async def start(self) -> None:
        """Start, and return when it answers. It ends with this process, however that goes (Linux)."""
        java = shutil.which("java")
        if java is None:
            raise NoJava
        libs = await asyncio.to_thread(jars)
        await asyncio.to_thread(self._prepare, java, libs)
        command = [java, f"-Xmx{self._heap_mb}m", "-XX:+UseSerialGC", *_classpath(libs)]
        self._process = children.start([*command, "kafka.Kafka", str(self._properties)], self.log)
        try:
            await self._answering()
        except BaseException:
            await self.stop()
            raise

    def has_ended(self) -> bool:
        """Whether it was started, and is gone although nobody stopped it."""
        return self._process is not None and self._process.poll() is not None

    async def _answering(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not await reachable(self.bootstrap):
            if self._process is not None and self._process.poll() is not None:
                raise BrokerDied(f"The Kafka broker ended instead of answering: {self._last_words()}")
            if time.monotonic() > deadline:
                raise BrokerDied(f"The Kafka broker did not answer in {START_SECONDS:.0f} s: {self._last_words()}")
            await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """Shut down cleanly; killed when that takes too long."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(self._process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End it the hard way, as a power cut would; start() brings it back with its data."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _prepare(self, java: str, libs: Path) -> None:
        logs = self.folder / "log"
        self.folder.mkdir(parents=True, exist_ok=True)
        written = Template((HERE / "server.properties").read_text()).substitute(
            port=self.port, controller_port=free_port(), log_dirs=logs
        )
        extra = "".join(f"{name}={value}\n" for name, value in self._settings.items())
        self._properties.write_text(written + extra)
        if (logs / "meta.properties").exists():
            return
        cluster = base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("=").replace("-", "A")
        command = [java, "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", *_classpath(libs)]
        command += ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", cluster]
        command += ["-c", str(self._properties)]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS, check=False)  # noqa: S603  # our own words
        if answer.returncode != 0:
            raise BrokerDied(f"Kafka's storage was not formatted: {(answer.stdout + answer.stderr).strip()[-2000:]}")

    def _last_port(self) -> int | None:
        """The port of the last start, if nobody has taken it since."""
        if not self._properties.exists():
            return None
        for line in self._properties.read_text().splitlines():
            if line.startswith("advertised.listeners="):
                port = int(line.rpartition(":")[2])
                return port if _is_free(port) else None
        return None

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace").strip()[-1500:] if self.log.exists() else ""


@asynccontextmanager
async def running(
    folder: Path, *, port: int = 0, heap_mb: int = 512, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Broker]:
    """A broker for as long as the block lasts."""
    broker = Broker(folder, port=port, heap_mb=heap_mb, settings=settings)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


def free_port() -> int:
    """A port of the loopback interface that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _classpath(libs: Path) -> list[str]:
    return [f"-Dlog4j2.configurationFile={HERE / 'log4j2.xml'}", "-cp", str(libs / "*")]
