"""kill -9 of the whole embedded platform in the middle of a load or a matching: nothing is lost or counts twice.

How far the load is when it is killed is told by the import's own report; the seed and the shares are printed.
"""

import asyncio
import os
import random
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.cli.demo import AnswersFormat, write_demo
from deploy.cli.door import Door, DoorError, Report, opened
from deploy.cli.load import Kind
from tests.e2e.harness import (
    FIRST_CLASS,
    Mortal,
    ask_class,
    ask_everything,
    demo_as,
    differences,
    load_all,
    load_file,
    students_of,
)
from tests.e2e.partnerships import load_willing, outcome, propose, until_proposed, until_solving, write_willing
from tests.e2e.recompute import recompute

pytestmark = pytest.mark.timeout(900)
STUDENTS = int(os.environ.get("TRELLIS_E2E_KILL_STUDENTS", "1000"))
FEW_STUDENTS = 400
WILLING_STUDENTS = 200_000
"""Some 340 schools: their matching takes a second or more."""

DEADLINE_SECONDS = 240.0
SCORED = "trellis.events.assessment.v1.AttemptsScored"


def the_seed() -> int:
    seed = int(os.environ.get("TRELLIS_E2E_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"TRELLIS_E2E_SEED={seed}")  # noqa: T201  # to repeat what failed
    return seed


async def reach(door: Door, import_id: str, enough: float, sheets: int) -> float:
    """Wait until this share of the sheets has become evidence; the share it was then."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (share := heard(await door.report(import_id)) / sheets) < enough:
        assert time.monotonic() < deadline, f"{share:.0%} were committed"
    return share


def heard(report: Report) -> int:
    """How many sheets have become evidence."""
    return int(report["effects"]["heard"].get("mastery", {}).get(SCORED, 0))


@pytest.mark.parametrize(
    ("form", "students", "kills"),
    [
        (AnswersFormat.PARQUET, FEW_STUDENTS, 1),
        *(pytest.param(form, STUDENTS, 3, marks=pytest.mark.long) for form in AnswersFormat),
    ],
)
async def test_answers_survive_kills_of_the_whole_platform(
    mortal: Mortal, tmp_path: Path, form: AnswersFormat, students: int, kills: int
) -> None:
    seed = the_seed()
    chance = random.Random(seed)
    files, as_csv = demo_as(form, tmp_path, students, seed)
    expected = recompute(files.forms, [as_csv])
    sheets = as_csv.read_bytes().count(b"\n") - 1
    shares: list[float] = []

    while sum(0.1 <= share <= 0.9 for share in shares) < kills:  # a fast machine may be done before it is killed
        assert len(shares) < kills + 3, f"killed at {shares}"
        key = await mortal.running.new_district(f"killed-{form.value}-{kills}-{len(shares)}")
        async with opened(mortal.running.url, key) as door:
            await load_all(door, files, answers=[])
            accepted = str((await door.send(Kind.ANSWERS, files.answers, sent=lambda _: None))["id"])
            shares.append(await reach(door, accepted, chance.uniform(0.1, 0.6), sheets))
            await asyncio.to_thread(mortal.kill)
        await asyncio.to_thread(mortal.start_again)
        async with opened(mortal.running.url, key) as door:
            report = await door.wait(accepted, lambda _: None)
            told = await ask_everything(door, files.roster)
        print(f"killed {form.value} at {shares[-1]:.0%}")  # noqa: T201  # for the report

        assert report["state"] == "applied"
        assert report["counts"] == {"added": sheets, "changed": 0, "unchanged": 0, "refused": 0}
        assert heard(report) == sheets
        assert differences(told, expected, students_of(files)) == []


@pytest.mark.long
async def test_a_roster_survives_kills_at_moments_that_nobody_chose(mortal: Mortal, tmp_path: Path) -> None:
    seed = the_seed()
    chance = random.Random(seed)
    files = write_demo(tmp_path, STUDENTS, seed=seed)
    key = await mortal.running.new_district("killed-roster")

    async with opened(mortal.running.url, key) as door:
        accepted = str((await door.send(Kind.ROSTER, files.roster, sent=lambda _: None))["id"])
    for _ in range(3):
        await asyncio.sleep(chance.uniform(0, 1))
        await asyncio.to_thread(mortal.kill)
        await asyncio.to_thread(mortal.start_again)
    async with opened(mortal.running.url, key) as door:
        report = await door.wait(accepted, lambda _: None)
        for kind, file in ((Kind.FRAMEWORK, files.framework), (Kind.FORMS, files.forms), (Kind.ANSWERS, files.answers)):
            assert (await load_file(door, kind, file))["state"] == "applied"
        told = await ask_everything(door, files.roster)

    assert report["state"] == "applied"
    assert differences(told, recompute(files.forms, [files.answers]), students_of(files)) == []


async def test_an_upload_that_was_never_acknowledged_leaves_nothing(mortal: Mortal, tmp_path: Path) -> None:
    files = write_demo(tmp_path, 600, seed=1)
    key = await mortal.running.new_district("never-acknowledged")
    async with opened(mortal.running.url, key) as door:
        await load_all(door, files, answers=[])

        def kill_in_the_middle(gone: int) -> None:
            if gone > files.answers.stat().st_size / 3 and mortal.running.processes():
                mortal.kill()

        with pytest.raises(DoorError):
            await door.send(Kind.ANSWERS, files.answers, sent=kill_in_the_middle)
    await asyncio.to_thread(mortal.start_again)

    async with opened(mortal.running.url, key) as door:
        told = await ask_class(door, FIRST_CLASS)
        again = await load_file(door, Kind.ANSWERS, files.answers)

    assert len(told) > 15
    assert all(one == {"attempts": [], "mastery": {}} for one in told.values())
    assert again["counts"]["added"] == files.answers.read_bytes().count(b"\n") - 1


async def test_a_matching_killed_in_the_middle_starts_over_and_proposes_the_same(
    mortal: Mortal, tmp_path: Path
) -> None:
    files = write_willing(tmp_path, WILLING_STUDENTS, seed=the_seed())
    key = await mortal.running.new_district("killed-matching")
    async with opened(mortal.running.url, key) as door:
        await load_willing(door, files)
        undisturbed = await propose(door)
        expected = await outcome(door)

        await until_solving(door)
        await asyncio.to_thread(mortal.kill)
    killed = datetime.now(UTC)
    await asyncio.to_thread(mortal.start_again)
    async with opened(mortal.running.url, key) as door:
        matching = await until_proposed(door)
        told = await outcome(door)

    assert datetime.fromisoformat(matching["requestedAt"]) < killed < datetime.fromisoformat(matching["finishedAt"])
    assert matching["requestedAt"] != undisturbed["requestedAt"]
    assert matching["state"] == "PROPOSED"
    assert len(expected[0]) > 100
    assert told == expected
