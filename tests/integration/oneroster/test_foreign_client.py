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
    counts = json.loads(said)
    for name, table in (
        ("orgs", "orgs"), ("academicSessions", "academic_sessions"), ("courses", "courses"), ("classes", "classes"),
        ("users", "people"), ("enrollments", "enrollments"), ("demographics", "demographics"),
        ("resources", "resources"), ("categories", "categories"), ("lineItems", "line_items"), ("results", "results"),
    ):  # fmt: skip
        ((there,),) = [
            row.values() for row in await roster.look(f"SELECT count(*) FROM {table} WHERE status = 'active'")
        ]
        assert counts[name] == there, name
    assert all(counts.values()), counts
    await roster.client.close()
