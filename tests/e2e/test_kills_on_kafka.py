"""kill -9 of every part of a platform on Kafka, in the middle of a load or matching: nothing is lost or counts twice.

How far the load is when the part is killed is counted in the databases; the seed and the counts are printed.
"""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import psutil
import pytest

from deploy import children
from deploy.cli.demo import AnswersFormat, DemoFiles, write_demo
from deploy.cli.door import Door
from deploy.cli.load import Kind
from tests.e2e.harness import Platform, ask_everything, demo_as, differences, district, load_file, start, students_of
from tests.e2e.partnerships import load_willing, outcome, propose, until_proposed, until_solving, write_willing
from tests.e2e.recompute import recompute

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1200)]
STUDENTS = int(os.environ.get("TRELLIS_E2E_KILL_STUDENTS", "2500"))
FEW_STUDENTS = 1_000
WILLING_STUDENTS = 200_000
"""Some 340 schools: their matching takes a second or more."""

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
        "TRELLIS_ASSESSMENT_SHEETS_AT_ONCE": "100",
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
    platform: Platform, name: str, counter: Counter, total: int, chance: random.Random, kills: int
) -> list[float]:
    """Kill up to three times between a tenth and nine tenths of the load; where it was each time."""
    shares = []
    for least, most in ((0.1, 0.3), (0.35, 0.55), (0.6, 0.8))[:kills]:
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
    ("victim", "form", "kills"),
    [
        ("mastery", AnswersFormat.CSV, 1),
        ("assessment", AnswersFormat.NDJSON, 1),
        ("gateway", AnswersFormat.PARQUET, 1),
        *(
            pytest.param(victim, form, 3, marks=pytest.mark.long)
            for victim in ("mastery", "assessment", "kafka", "gateway")
            for form in AnswersFormat
        ),
    ],
)
async def test_answers_survive_kills_on_their_way(
    platform: Platform, tmp_path: Path, victim: str, form: AnswersFormat, kills: int
) -> None:
    seed = the_seed()
    files, as_csv = demo_as(form, tmp_path, STUDENTS if kills > 1 else FEW_STUDENTS, seed)
    sheets = len(as_csv.read_text(encoding="utf-8").splitlines()) - 1

    async with district(platform, f"killed-{victim}-{form.value}-{kills}-{seed}") as door:
        await load_before_answers(door, files)
        accepted = await door.send(Kind.ANSWERS, files.answers, sent=lambda _: None)
        cause = str(accepted["id"]).partition("-")[2]
        listening = await database_of(platform, "mastery")
        heard = Counter(listening, HEARD, SCORED, cause)
        shares = await killed_on_the_way(platform, victim, heard, sheets, random.Random(seed), kills)
        report = await door.wait(str(accepted["id"]), lambda _: None)
        told = await ask_everything(door, files.roster)
        counted = await heard.now()
        await listening.close()

    assert report["state"] == "applied"
    assert report["counts"]["added"] == sheets
    assert counted == sheets
    assert differences(told, recompute(files.forms, [as_csv]), students_of(files)) == []
    # What was accepted goes on without the gateway: it may be done before another gateway can be killed.
    in_the_middle = 1 if victim == "gateway" else (kills + 1) // 2
    assert sum(0.1 <= share <= 0.9 for share in shares) >= in_the_middle


async def test_a_matching_killed_with_its_service_starts_over_and_proposes_the_same(
    platform: Platform, tmp_path: Path
) -> None:
    seed = the_seed()
    files = write_willing(tmp_path, WILLING_STUDENTS, seed=seed)

    async with district(platform, f"killed-matching-{seed}") as door:
        await load_willing(door, files)
        undisturbed = await propose(door)
        expected = await outcome(door)
        await until_solving(door)
        await kill(platform, "partnership")
        killed = datetime.now(UTC)
        matching = await until_proposed(door)
        told = await outcome(door)

    assert datetime.fromisoformat(matching["requestedAt"]) < killed < datetime.fromisoformat(matching["finishedAt"])
    assert matching["requestedAt"] != undisturbed["requestedAt"]
    assert matching["state"] == "PROPOSED"
    assert len(expected[0]) > 100
    assert told == expected


@pytest.mark.parametrize("kills", [1, pytest.param(10, marks=pytest.mark.long)])
async def test_a_roster_survives_kills_on_its_way(platform: Platform, tmp_path: Path, kills: int) -> None:
    """A roster is one transaction: what shows that a kill found it unfinished is that it was begun again."""
    seed = the_seed()
    chance = random.Random(seed)
    files = write_demo(tmp_path, STUDENTS if kills > 1 else FEW_STUDENTS, seed=seed)
    async with district(platform, f"undisturbed-roster-{kills}-{seed}") as door:
        started = time.monotonic()
        undisturbed = await load_file(door, Kind.ROSTER, files.roster)
        seconds = time.monotonic() - started

    async with district(platform, f"killed-roster-{kills}-{seed}") as door:
        accepted = await door.send(Kind.ROSTER, files.roster, sent=lambda _: None)
        attempts = await attempts_of(platform, UUID(str(accepted["id"]).partition("-")[2]))
        for begun in range(1, kills + 1):
            await attempts.reach(begun)
            await asyncio.sleep(chance.uniform(0.05, 0.4) * seconds)
            await kill(platform, "roster")
        report = await door.wait(str(accepted["id"]), lambda _: None)
        for kind, file in ((Kind.FRAMEWORK, files.framework), (Kind.FORMS, files.forms), (Kind.ANSWERS, files.answers)):
            assert (await load_file(door, kind, file))["state"] == "applied"
        told = await ask_everything(door, files.roster)
        taken = await attempts.now()
        await attempts.close()

    assert taken == kills + 1
    assert report["state"] == "applied"
    assert report["counts"] == undisturbed["counts"]
    assert differences(told, recompute(files.forms, [files.answers]), students_of(files)) == []


async def attempts_of(platform: Platform, import_id: UUID) -> Counter:
    """How many times an import has been begun."""
    connection = await database_of(platform, "roster")
    district_id = await connection.fetchval("SELECT district_id FROM stage.queue WHERE import_id = $1", import_id)
    await connection.execute("SELECT set_config('app.district', $1, false)", str(district_id))
    return Counter(connection, "SELECT attempts FROM imports WHERE id = $1", import_id)
