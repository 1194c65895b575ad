"""Where Kafka is, whether it answers, and which topics it has."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from shared.errors import Unavailable

T = TypeVar("T")

LARGEST_RECORD_BYTES = 8 * 1024 * 1024  # one fact can be a whole test form
REQUEST_SECONDS = 10.0
START_SECONDS = 45.0  # longer than a session: a static member may wait for its own ghost to be declared dead
STOP_SECONDS = 10.0
_TOPIC_EXISTS = 36


class BrokerAway(Unavailable):
    """Kafka does not answer at the moment; try again."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where Kafka is, and how to get in."""

    bootstrap_servers: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "SCRAM-SHA-512"
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def access(self) -> dict[str, Any]:
        """The arguments that every kind of client takes."""
        shared: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers,
            "security_protocol": self.security_protocol,
            "request_timeout_ms": int(REQUEST_SECONDS * 1000),
        }
        if "SSL" in self.security_protocol:
            shared["ssl_context"] = ssl.create_default_context()
        if self.security_protocol.startswith("SASL"):
            shared |= {"sasl_mechanism": self.sasl_mechanism}
            shared |= {"sasl_plain_username": self.username, "sasl_plain_password": self.password}
        return shared


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it shall be. The number of partitions is fixed at creation: order per key depends on it."""

    name: str
    partitions: int
    replication: int
    settings: Mapping[str, str]


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Wait so long and no longer. What is late is left alone, not cancelled: cancelling breaks aiokafka's clients."""
    task = asyncio.create_task(work)
    task.add_done_callback(look_away)
    done, _ = await asyncio.wait({task}, timeout=seconds)
    if not done:
        raise TimeoutError(f"no answer in {seconds:.0f} s")
    return task.result()


def look_away(late: "asyncio.Future[Any]") -> None:
    """Nobody waits for this any more; what became of it is no news."""
    if not late.cancelled():
        late.exception()


async def reachable(bootstrap_servers: str) -> bool:
    """Whether a broker answers there now."""
    host, _, port = bootstrap_servers.split(",")[0].rpartition(":")
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), 1.0)
        writer.close()
    except (OSError, TimeoutError):
        return False
    try:
        async with _admin(Cluster(bootstrap_servers)) as admin:
            answer = await within(REQUEST_SECONDS, admin.describe_cluster())
    except (KafkaError, OSError, TimeoutError):
        return False
    return int(answer["controller_id"]) >= 0


async def brokers(cluster: Cluster) -> int:
    """How many brokers the cluster has. Raises Unavailable."""
    try:
        async with _admin(cluster) as admin:
            answer = await within(REQUEST_SECONDS, admin.describe_cluster())
    except (KafkaError, OSError, TimeoutError) as error:
        raise BrokerAway(f"Kafka does not answer at {cluster.bootstrap_servers}.") from error
    return len(answer["brokers"])


async def create_topics(cluster: Cluster, topics: Iterable[Topic]) -> list[str]:
    """Create the topics that are not there yet; their names. Raises Unavailable, also when partitions differ."""
    wanted = {topic.name: topic for topic in topics}
    try:
        async with _admin(cluster) as admin:
            there = {t["topic"]: len(t["partitions"]) for t in await within(REQUEST_SECONDS, admin.describe_topics())}
            for name, topic in wanted.items():
                if there.get(name, topic.partitions) != topic.partitions:
                    raise Unavailable(
                        f"Topic {name} has {there[name]} partitions, not {topic.partitions}: order per student would "
                        "break. Delete it when it is empty, or correct deploy/topics.yaml."
                    )
            missing = [topic for name, topic in wanted.items() if name not in there]
            if missing:
                asked = [NewTopic(t.name, t.partitions, t.replication, None, dict(t.settings)) for t in missing]
                answer = await within(3 * REQUEST_SECONDS, admin.create_topics(asked))
                for name, code, *why in answer.topic_errors:
                    if code not in (0, _TOPIC_EXISTS):
                        raise Unavailable(
                            f"Topic {name} was not created: {why[0] if why and why[0] else for_code(code)}"
                        )
            return [topic.name for topic in missing]
    except (KafkaError, OSError, TimeoutError) as error:
        raise BrokerAway(f"Kafka does not answer at {cluster.bootstrap_servers}.") from error


@asynccontextmanager
async def _admin(cluster: Cluster) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**cluster.access(), client_id="trellis-topics")
    try:
        await within(START_SECONDS, admin.start())
        yield admin
    finally:
        await within(STOP_SECONDS, admin.close())
