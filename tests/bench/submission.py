"""`make bench-submission`: one sheet through the API until it is visible as mastery at the gateway, unloaded.

A sheet of one student goes in as a file of one row; from the first byte on the student's mastery is asked for again and
again, until its evidence has grown by the sheet's items.
"""

import argparse
import asyncio
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from deploy.kafka import broker
from shared.network import carrier
from tests.bench import material, meter
from tests.bench.figures import figure, machine, say
from tests.bench.pipeline import prepare, scratch
from tests.e2e.harness import Platform, start

LIMITS_MS = {50: 150.0, 99: 600.0}
"""On Kafka, by percentile."""
STUDENTS = 600
LOOK_SECONDS = 0.005
PATIENCE_SECONDS = 60.0
WARM_UP = 5

QUERY = "query Seen($student: ID!) { student(id: $student) { mastery { evidenceCount } } }"


async def submissions(platform: Platform, key: str, count: int, items: int) -> list[float]:
    """Seconds of each submission, one after the other."""
    begins = datetime(2026, 9, 20, 9, tzinfo=UTC)
    taken = []
    async with httpx.AsyncClient(
        base_url=platform.url,
        headers={"authorization": f"Bearer {key}"},
        transport=carrier(),
        timeout=httpx.Timeout(30),
    ) as client:
        for number in range(count):
            sheet = material.one_sheet(number % STUDENTS, begins + timedelta(minutes=number), items)
            seen = await _evidence(client, number % STUDENTS)
            begun = time.perf_counter()
            answer = await client.post("/v1/imports/answers", content=sheet)
            answer.raise_for_status()
            while await _evidence(client, number % STUDENTS) != seen + items:
                assert time.perf_counter() - begun < PATIENCE_SECONDS, answer.json()
                await asyncio.sleep(LOOK_SECONDS)
            taken.append(time.perf_counter() - begun)
    return taken


async def _evidence(client: httpx.AsyncClient, number: int) -> int:
    ask = {"query": QUERY, "variables": {"student": f"sourcedId:{material.student(number)}"}}
    while True:
        answer = await client.post("/graphql", json=ask)
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            await asyncio.sleep(0.1)
            continue
        return sum(one["evidenceCount"] for one in answer.json()["data"]["student"]["mastery"])


async def bench(mode: str, folder: Path, asked: argparse.Namespace) -> None:
    """One mode."""
    files = material.write(folder / "files", STUDENTS, asked.items, asked.seed)
    platform = start(mode, folder / mode)
    try:
        for name, value in (await meter.durability(platform)).items():
            say(f"{mode}: PostgreSQL {name} = {value}")
        key = await prepare(platform, "bench", files)
        taken = (await submissions(platform, key, asked.submissions + WARM_UP, asked.items))[WARM_UP:]
    finally:
        platform.stop()
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    for percentile, limit in LIMITS_MS.items():
        held = limit if mode == "kafka" else None
        figure(
            f"submission.{mode}.p{percentile}_ms", 1e3 * cuts[percentile - 1], "ms", "limit" if held else "none", held,
            higher_is_better=False,
        )  # fmt: skip


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--submissions", type=int, default=200)
    words.add_argument("--items", type=int, default=40)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--modes", nargs="+", default=["kafka", "embedded"], choices=["kafka", "embedded"])
    asked = words.parse_args()
    say(machine())
    for mode in asked.modes:
        if mode == "kafka" and not broker.can_run():
            say("kafka: Java 17 and Maven are not here; left out")
            continue
        with scratch() as folder:
            asyncio.run(bench(mode, folder, asked))


if __name__ == "__main__":
    main()
