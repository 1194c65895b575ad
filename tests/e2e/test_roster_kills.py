"""kill -9 of the whole embedded platform while it takes in a roster, at moments that are chosen: it begins again, and
ends with the rows, and the facts, of a run that nobody disturbed.

Some moments are seen from outside: bytes that are gone, what PostgreSQL is at. The others are points of `shared.crash`,
where the process kills itself.
"""

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import pytest

from deploy.cli.demo import write_demo
from deploy.cli.door import DoorError, Report, opened
from deploy.cli.load import Kind
from tests.bench.meter import admin
from tests.e2e.harness import Mortal, Platform, load_file
from tests.integration.roster.rows import Rows, facts_of, rows_of, unlike

pytestmark = pytest.mark.timeout(600)
STUDENTS = int(os.environ.get("TRELLIS_E2E_KILL_STUDENTS", "400"))
TRIES = 4
DEADLINE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Moment:
    """When the process dies: while the upload is sent, at a statement of PostgreSQL, or at a point; where nothing is
    said, when the upload has just been acknowledged."""

    name: str
    sent: bool = False
    statement: str | None = None
    point: str | None = None
    applied: bool = False
    """The import has been committed by then."""

    def __str__(self) -> str:
        return self.name


SEEN = Moment("results are merged", statement="INSERT INTO results")
MOMENTS = (
    Moment("a part of the upload was sent", sent=True),
    Moment("acknowledged"),
    Moment("files are staged", statement="COPY"),
    Moment("rows are compared", statement="INSERT INTO d_enrollments"),
    Moment("people are merged", statement="INSERT INTO people"),
    Moment("half of the files are merged", point="I1"),
    Moment("people are placed", statement="INSERT INTO placements"),
    Moment("all is merged and announced, no revision stamped", point="I2"),
    Moment("the report is kept, nothing committed", point="I2:2"),
    Moment("committed, and sent by the relay, not marked", point="R3", applied=True),
    Moment("committed, and marked by the relay, not committed there", point="R4", applied=True),
    Moment("a listener has heard of it, not committed", point="C3", applied=True),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a roster left behind: rows, facts, and who heard of how many."""

    rows: Rows
    facts: list[dict[str, Any]]
    counts: dict[str, int]
    heard: dict[str, Any]


@pytest.fixture(scope="module")
def roster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A district's roster, not compressed: its upload takes several pieces."""
    folder = tmp_path_factory.mktemp("roster")
    packed, plain = write_demo(folder, STUDENTS, seed=1).roster, folder / "plain.zip"
    with ZipFile(packed) as small, ZipFile(plain, "w") as large:
        for name in small.namelist():
            large.writestr(name, small.read(name))
    return plain


@pytest.fixture(scope="module")
async def undisturbed(mortal: Mortal, roster: Path) -> Outcome:
    """What the same roster leaves where nobody dies."""
    key = await mortal.running.new_district("undisturbed")
    async with opened(mortal.running.url, key) as door:
        report = await load_file(door, Kind.ROSTER, roster)
    return await _outcome(mortal.running, "undisturbed", report)


async def _outcome(platform: Platform, slug: str, report: Report) -> Outcome:
    assert report["state"] == "applied", report
    district = await _district(platform, slug)
    async with admin(platform, "roster") as connection:
        rows = await rows_of(connection.fetch, district)
        facts = await facts_of(connection.fetch, district)
    return Outcome(rows, facts, report["counts"], report["effects"]["heard"])


async def _district(platform: Platform, slug: str) -> UUID:
    async with admin(platform, "gateway") as connection:
        found: UUID = await connection.fetchval("SELECT id FROM districts WHERE slug = $1", slug)
    return found


async def _until_at(platform: Platform, statement: str) -> bool:
    """Wait until PostgreSQL is at a statement that begins so, or the import is over; whether it was seen."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    async with admin(platform, "roster") as connection:
        while time.monotonic() < deadline:
            at, over = await connection.fetchrow(
                """
                SELECT (SELECT count(*) FROM pg_stat_activity
                        WHERE datname = 'roster' AND pid <> pg_backend_pid() AND ltrim(query, E' \\n') LIKE $1 || '%'
                          AND state <> 'idle'),
                       (SELECT count(*) FROM imports WHERE state = 'applied' AND updated_at > now() - interval '1 s'
                          AND kind = 'roster')
                """,
                statement,
            )
            if at or over:
                return bool(at)
    raise AssertionError(f"neither at {statement} nor over")


async def _die(mortal: Mortal, key: str, moment: Moment, file: Path) -> bool:
    """Send the roster and die at the moment; False when the moment passed too fast to be seen."""
    idempotency_key = f"roster of {moment}"
    platform = mortal.running

    def gone(sent: int) -> None:
        if moment.sent and platform.processes():
            mortal.kill()

    async with opened(platform.url, key) as door:
        watching = asyncio.create_task(_until_at(platform, moment.statement)) if moment.statement else None
        try:
            await door.send(Kind.ROSTER, file, sent=gone, idempotency_key=idempotency_key)
        except DoorError:
            assert moment.sent
            return True
        if moment.point is not None:
            assert platform.process is not None
            await asyncio.to_thread(platform.process.wait, DEADLINE_SECONDS)
            mortal.bury()
            return True
        if watching is not None and not await watching:
            return False
        await asyncio.to_thread(mortal.kill)
    return True


async def _attempts(platform: Platform, district: UUID) -> int:
    """How often the district's first roster was begun."""
    async with admin(platform, "roster") as connection:
        found: int = await connection.fetchval(
            "SELECT attempts FROM imports WHERE district_id = $1 ORDER BY created_at LIMIT 1", district
        )
    return found


@pytest.mark.parametrize("moment", [SEEN, *(pytest.param(one, marks=pytest.mark.long) for one in MOMENTS)], ids=str)
async def test_a_roster_that_is_killed_ends_as_if_nothing_had_happened(
    mortal: Mortal, roster: Path, undisturbed: Outcome, moment: Moment
) -> None:
    if not mortal.running.processes():
        await asyncio.to_thread(mortal.start_again)
    for number in range(TRIES):  # a fast machine may be done before it is killed
        slug = f"{(moment.name).replace(' ', '-').replace(',', '')}-{number}"
        key = await mortal.running.new_district(slug)
        district = await _district(mortal.running, slug)
        if moment.point is not None:
            await asyncio.to_thread(mortal.kill)
            await asyncio.to_thread(mortal.start_again, {"TRELLIS_CRASH": moment.point})
        if await _die(mortal, key, moment, roster):
            break
    else:
        pytest.fail(f"never seen in {TRIES} imports: {moment}")
    print(f"killed when {moment}")  # noqa: T201  # for the report
    await asyncio.to_thread(mortal.start_again)

    async with opened(mortal.running.url, key) as door:
        accepted = await door.send(Kind.ROSTER, roster, sent=lambda _: None, idempotency_key=f"roster of {moment}")
        report = await door.wait(str(accepted["id"]), lambda _: None)
        told = await _outcome(mortal.running, slug, report)
        attempts = await _attempts(mortal.running, district)
        again = await load_file(door, Kind.ROSTER, roster)

    if moment.statement or moment.point:
        assert attempts == (1 if moment.applied else 2)
    assert unlike(told.rows, undisturbed.rows) == []
    assert (told.facts, told.counts, told.heard) == (undisturbed.facts, undisturbed.counts, undisturbed.heard)
    assert again["counts"]["added"] == again["counts"]["changed"] == 0
    async with admin(mortal.running, "roster") as connection:
        assert await facts_of(connection.fetch, district) == undisturbed.facts
