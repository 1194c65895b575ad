"""Reads topics.yaml: which topics there are, whose they are, and how Kafka shall keep them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from shared.bus.kafka_cluster import LARGEST_RECORD_BYTES, Topic

FILE = Path(__file__).with_name("topics.yaml")
DAY_MILLISECONDS = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Declared:
    """One entry of topics.yaml."""

    name: str
    key: str
    partitions: int
    retention_days: int
    producer: str
    consumers: tuple[str, ...]
    personal_data: bool

    def topic(self, replication: int) -> Topic:
        """As Kafka is asked for it: of three copies, two must have a record before it is acknowledged."""
        return Topic(
            self.name,
            self.partitions,
            replication,
            {
                "retention.ms": str(self.retention_days * DAY_MILLISECONDS),
                "min.insync.replicas": str(max(1, replication - 1)),
                "unclean.leader.election.enable": "false",
                "max.message.bytes": str(LARGEST_RECORD_BYTES),
            },
        )


def declared(file: Path = FILE) -> list[Declared]:
    """Every topic there is."""
    entries: dict[str, dict[str, Any]] = yaml.safe_load(file.read_text())["topics"]
    return [Declared(name, **{**entry, "consumers": tuple(entry["consumers"])}) for name, entry in entries.items()]


def topics(replication: int = 1) -> list[Topic]:
    """Every topic, as Kafka is asked for it."""
    return [one.topic(replication) for one in declared()]
