"""kill -9 of every part of a platform on Kafka, in the middle of a load: nothing is lost and nothing counts twice.

How far the load is when the part is killed is counted in the databases; the seed and the counts are printed.
"""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import asyncpg
import psutil
import pytest

from deploy import children
from deploy.cli.demo import DemoFiles, write_demo
from deploy.cli.door import Door
from deploy.cli.load import Kind
from tests.e2e.harness import Platform, ask_everything, differences, district, load_file, start, students_of
from tests.e2e.recompute import recompute

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1200)]
STUDENTS = int(os.environ.get("TRELLIS_E2E_KILL_STUDENTS", "2500"))
KILLS = 3
DEADLINE_SECONDS = 300.0
SCORED = "trellis.events.assessment.v1.AttemptsScored"
HEARD = """
    SELECT COALESCE(sum(inbox.facts), 0)::bigint FROM inbox
    WHERE type = $1 AND listener = 'mastery' AND cause = $2
"""


@pytest.fixture(scope="module")
async def platform(homes: Path, java: None) -> AsyncIterator[Platform]:
    """One platform for all the kills, with a broker of its own."""
    small = {
        "TRELLIS_FACTS_PER_BATCH": "300",
        "TRELLIS_ROSTER_ROWS_AT_ONCE": "300",
    }  # many steps, so that a kill finds something half done
    started = await asyncio.to_thread(start, "kafka", homes / "kills", environ=small)
    yield started
    await asyncio.to_thread(started.stop)


def of(platform: Platform, name: str) -> psutil.Process | None:
    """The process that runs under this name now."""
    found = children.recorded(platform.home / "run" / f"{name}.json")
    return found[0] if found is not None else None


async def kill(platform: Platform, name: str) -> None:
    """kill -9, and wait until another has taken its place."""
    victim = of(platform, name)
    assert victim is not None
    victim.kill()
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (now := of(platform, name)) is None or now.pid == victim.pid:
        assert time.monotonic() < deadline, f"{name} was not started again"
        await asyncio.sleep(0.1)


class Counter:
    """How much of a load is committed in one service's database."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]", sql: str, *about: object) -> None:
        self._connection = connection
        self._sql = sql
        self._about = about

    async def now(self) -> int:
        return int(await self._connection.fetchval(self._sql, *self._about))

    async def close(self) -> None:
        await self._connection.close()

    async def reach(self, count: int) -> int:
        """Wait until so much is committed; how much it was then."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (now := await self.now()) < count:
            assert time.monotonic() < deadline, f"{now} of {count} were committed"
            await asyncio.sleep(0.01)
        return now


async def database_of(platform: Platform, service: str) -> "asyncpg.Connection[asyncpg.Record]":
    """The database of a service, as the service itself connects."""
    process = of(platform, service)
    assert process is not None
    return await asyncpg.connect(process.environ()[f"TRELLIS_{service.upper()}_DATABASE_URL"])


async def killed_on_the_way(
    platform: Platform, name: str, counter: Counter, total: int, chance: random.Random
) -> list[float]:
    """Kill three times between a tenth and nine tenths of the load; where it was each time."""
    shares = []
    for least, most in ((0.1, 0.3), (0.35, 0.55), (0.6, 0.8)):
        reached = await counter.reach(int(total * chance.uniform(least, most)))
        await kill(platform, name)
        shares.append(reached / total)
    print(f"killed {name} at " + ", ".join(f"{share:.0%}" for share in shares))  # noqa: T201  # for the report
    return shares


async def load_before_answers(door: Door, files: DemoFiles) -> None:
    for kind, file in ((Kind.ROSTER, files.roster), (Kind.FRAMEWORK, files.framework), (Kind.FORMS, files.forms)):
        assert (await load_file(door, kind, file))["state"] == "applied"


def the_seed() -> int:
    seed = int(os.environ.get("TRELLIS_E2E_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"TRELLIS_E2E_SEED={seed}")  # noqa: T201  # to repeat what failed
    return seed


@pytest.mark.parametrize(
    "victim", ["mastery", *(pytest.param(name, marks=pytest.mark.long) for name in ("assessment", "kafka", "gateway"))]
)
async def test_answers_survive_three_kills_on_their_way(platform: Platform, tmp_path: Path, victim: str) -> None:
    seed = the_seed()
    files = write_demo(tmp_path, STUDENTS, seed=seed)
    sheets = len(files.answers.read_text(encoding="utf-8").splitlines()) - 1

    async with district(platform, f"killed-{victim}-{seed}") as door:
        await load_before_answers(door, files)
        accepted = await door.send(Kind.ANSWERS, files.answers, sent=lambda _: None)
        cause = str(accepted["id"]).partition("-")[2]
        listening = await database_of(platform, "mastery")
        heard = Counter(listening, HEARD, SCORED, cause)
        shares = await killed_on_the_way(platform, victim, heard, sheets, random.Random(seed))
        report = await door.wait(str(accepted["id"]), lambda _: None)
        told = await ask_everything(door, files.roster)
        counted = await heard.now()
        await listening.close()

    assert report["state"] == "applied"
    assert report["counts"]["added"] == sheets
    assert counted == sheets
    assert differences(told, recompute(files.forms, [files.answers]), students_of(files)) == []
    assert sum(0.1 <= share <= 0.9 for share in shares) >= 2


@pytest.mark.long
async def test_a_roster_survives_three_kills_on_its_way(platform: Platform, tmp_path: Path) -> None:
    seed = the_seed()
    files = write_demo(tmp_path, STUDENTS, seed=seed)

    async with district(platform, f"killed-roster-{seed}") as door:
        accepted = await door.send(Kind.ROSTER, files.roster, sent=lambda _: None)
        merged, rows = await rows_merged(platform, UUID(str(accepted["id"]).partition("-")[2]))
        shares = await killed_on_the_way(platform, "roster", merged, rows, random.Random(seed))
        report = await door.wait(str(accepted["id"]), lambda _: None)
        for kind, file in ((Kind.FRAMEWORK, files.framework), (Kind.FORMS, files.forms), (Kind.ANSWERS, files.answers)):
            assert (await load_file(door, kind, file))["state"] == "applied"
        told = await ask_everything(door, files.roster)
        await merged.close()

    assert report["state"] == "applied"
    assert report["counts"]["added"] == rows
    assert differences(told, recompute(files.forms, [files.answers]), students_of(files)) == []
    assert sum(0.1 <= share <= 0.9 for share in shares) >= 2


async def rows_merged(platform: Platform, import_id: UUID) -> tuple[Counter, int]:
    """How many rows of a roster are merged, and of how many; once it has been found good."""
    connection = await database_of(platform, "roster")
    district_id = await connection.fetchval("SELECT district_id FROM stage.queue WHERE import_id = $1", import_id)
    await connection.execute("SELECT set_config('app.district', $1, false)", str(district_id))
    merging = Counter(connection, "SELECT count(*) FROM imports WHERE id = $1 AND state = 'merging'", import_id)
    await merging.reach(1)
    rows = await connection.fetchval("SELECT total FROM imports WHERE id = $1", import_id)
    done = "SELECT CASE state WHEN 'merging' THEN done ELSE total END FROM imports WHERE id = $1"
    return Counter(connection, done, import_id), int(rows)
