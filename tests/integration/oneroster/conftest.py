"""The roster's REST on a database that a test fills by itself, and the official schemas it is held against."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from deploy import provision
from deploy.postgres import Server
from services.roster import api
from shared.auth import SCOPES, Caller, Purpose, Tokens
from shared.db import Database
from shared.http import build_app
from tests.integration.oneroster.district import DISTRICT, District, an_id, small_district

PASSWORD = "of-the-tests"

TOKENS = Tokens("a-secret-of-the-tests-that-is-long-enough")
PUBLIC = "https://roster.example.org"
ROSTERING = "/ims/oneroster/rostering/v1p2"
GRADEBOOK = "/ims/oneroster/gradebook/v1p2"
RESOURCES = "/ims/oneroster/resources/v1p2"
V11 = "/ims/oneroster/v1p1"
FreshDatabase = Callable[[str], Awaitable[Database]]


def a_caller(
    schools: tuple[str, ...] | None = None, scopes: frozenset[str] = SCOPES, purpose: Purpose = Purpose.INTEGRATION,
    district: Any = DISTRICT,
) -> Caller:  # fmt: skip
    """Somebody with a key: of the district, or of named schools of it."""
    named = None if schools is None else tuple(an_id("orgs", school, district) for school in schools)
    return Caller(district, "key:test", scopes, purpose, named)


class Rest:
    """Asks the roster as the gateway would."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.district = District(database)
        app = build_app(name="roster", database=database, tokens=TOKENS, routers=[api.router])
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://roster")

    async def ask(self, path: str, caller: Caller | None = None, method: str = "GET", **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {TOKENS.sign(caller or a_caller())}", "x-public-url": PUBLIC}
        return await self.client.request(method, path, headers={**headers, **more.pop("headers", {})}, **more)

    async def get(self, path: str, caller: Caller | None = None) -> Any:
        """The body of an answer that has to be 200."""
        answer = await self.ask(path, caller)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def names(self, path: str, caller: Caller | None = None) -> list[str]:
        """The sourcedIds of a collection, in order."""
        (rows,) = (await self.get(path, caller)).values()
        return [row["sourcedId"] for row in rows]


@pytest.fixture(scope="module")
async def told(
    request: pytest.FixtureRequest, postgres: Server, templates: dict[str, provision.ServiceDatabase]
) -> AsyncIterator[Rest]:
    """The REST of a small district, shared by the tests of a module that only read."""
    if "roster" not in templates:
        templates |= await provision.provision(postgres.admin_dsn, PASSWORD, services=["roster"])
    template, name = templates["roster"], f"rest_of_{request.module.__name__.rpartition('.')[2]}"
    made = provision.ServiceDatabase(
        "roster", name, template.owner, template.app,
        owner_dsn=template.owner_dsn.rpartition("/")[0] + f"/{name}",
        app_dsn=template.app_dsn.rpartition("/")[0] + f"/{name}",
    )  # fmt: skip
    async with provision.connected(postgres.admin_dsn) as admin:
        await provision.create_database(admin, made, template=template.name)
    rest = Rest(Database(made.app_dsn, name="roster"))
    async with rest.district.change() as change:
        await small_district(change)
    yield rest
    await rest.client.aclose()
    await rest.database.close()
    async with provision.connected(postgres.admin_dsn) as admin:
        await admin.execute(f"DROP DATABASE {provision.quoted(name)} WITH (FORCE)")


@pytest.fixture
async def rest(fresh_database: FreshDatabase) -> AsyncIterator[Rest]:
    """The roster's REST on an empty database."""
    made = Rest(await fresh_database("roster"))
    yield made
    await made.client.aclose()
