"""A client library that nobody here wrote reads the demonstration district."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn

from deploy.cli.demo import write_demo
from services.roster import api
from services.roster.handlers import RosterImport
from shared.http import build_app
from tests.integration.roster.conftest import TOKENS, FreshDatabase, RosterService, a_caller

THERE = {
    "orgs": "orgs WHERE true", "schools": "orgs WHERE type = 'school'", "courses": "courses WHERE true",
    "academicSessions": "academic_sessions WHERE true", "terms": "academic_sessions WHERE type IN ('term', 'semester')",
    "gradingPeriods": "academic_sessions WHERE type = 'gradingPeriod'", "classes": "classes WHERE true",
    "users": "people WHERE true", "students": "people WHERE is_student", "teachers": "people WHERE is_teacher",
    "enrollments": "enrollments WHERE true", "demographics": "demographics WHERE true",
    "resources": "resources WHERE true", "categories": "categories WHERE true", "lineItems": "line_items WHERE true",
    "results": "results WHERE true",
}  # fmt: skip
"""Where the rows of each collection are."""
ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def served(roster: RosterService) -> AsyncIterator[str]:
    """The roster on a port of this machine, as long as the block lasts."""
    app = build_app(name="roster", database=roster.database, tokens=TOKENS, routers=[api.router])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
    running = asyncio.ensure_future(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await running


async def test_it_reads_the_whole_district_through_its_own_methods(
    fresh_database: FreshDatabase, tmp_path: Path
) -> None:
    files = write_demo(tmp_path, students=120, seed=1)
    roster = RosterService(await fresh_database("roster"), RosterImport())
    report = await roster.load(files.roster.read_bytes())
    assert report.state == "applied", report

    async with served(roster) as address:
        reading = await asyncio.create_subprocess_exec(
            sys.executable, "-W", "ignore", "-m", "tests.integration.oneroster.foreign_client",
            f"{address}/ims/oneroster/v1p1", TOKENS.sign(a_caller()),
            cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, complaint = await reading.communicate()

    assert reading.returncode == 0, complaint.decode()[-3_000:]
    read = json.loads(said)
    assert read["named"].keys() == THERE.keys()
    for name, told in THERE.items():
        there = await roster.look(f"SELECT sourced_id FROM {told} AND status = 'active'")
        assert sorted(read["named"][name]) == sorted(row["sourced_id"] for row in there), name
        assert there, name
    assert all(read["within"].values()), read["within"]
    await roster.client.close()
