"""A listener of the conformance suite as a process of its own, to be killed for good.

Run as `python -m tests.e2e.listener_process BOOTSTRAP DSN NAME`.
"""

import asyncio
import sys

from shared.bus.kafka import KafkaBus
from shared.bus.kafka_cluster import Cluster
from shared.db import Database
from shared.testing.bus_conformance import Listener


async def main(bootstrap: str, dsn: str, name: str) -> None:
    bus = KafkaBus(Cluster(bootstrap), name=name, instance="victim", session_seconds=6.0)
    await Listener(name, Database(dsn, name=name), bus).consumer().run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
