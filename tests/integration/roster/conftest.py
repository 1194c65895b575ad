"""A roster service on a real database, and the way a file takes through it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID, uuid5

import httpx
import pytest

from deploy import provision
from deploy.postgres import Server
from services.roster import api
from services.roster.handlers import RosterImport
from shared.auth import SCOPES, Caller, Purpose, Tokens
from shared.client import ServiceClient
from shared.db import Database
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb
from shared.http import build_app
from shared.imports import Imports, Report, deciding, report_of

PASSWORD = "of-the-tests"
FreshDatabase = Callable[[str], Awaitable[Database]]
DISTRICT = UUID("11111111-1111-4111-8111-111111111111")
OTHER_DISTRICT = UUID("22222222-2222-4222-8222-222222222222")
TOKENS = Tokens("a-secret-of-the-tests-that-is-long-enough")


def an_id(type: str, sourced_id: str, district: UUID = DISTRICT) -> UUID:
    """The id a row has at first sight."""
    return uuid5(district, f"sis:{type}:{sourced_id}")


def a_caller(
    district: UUID = DISTRICT, schools: tuple[str, ...] | None = None, scopes: frozenset[str] = SCOPES
) -> Caller:
    """Somebody with a key: of the district, or of named schools of it."""
    named = None if schools is None else tuple(an_id("org", school, district) for school in schools)
    return Caller(district, "key:test", scopes, Purpose.INSTRUCTION, named)


class RosterService:
    """What a test does with the roster: load files, ask, and look."""

    def __init__(self, database: Database, importer: RosterImport) -> None:
        self.database = database
        self.imports = Imports(database, [importer])
        app = build_app(name="roster", database=database, tokens=TOKENS, routers=[api.router, self.imports.router])
        self.client = ServiceClient("http://roster", TOKENS, transport=httpx.ASGITransport(app))

    async def stage(
        self, archive: bytes, *, district: UUID = DISTRICT, keep_good: bool = False, **options: str
    ) -> UUID:
        """Hand in a file, as the door would."""

        async def body() -> AsyncIterator[bytes]:
            yield archive

        return await self.imports.stage(a_caller(district), "roster", body(), keep_good, None, options)

    async def load(
        self, archive: bytes, *, district: UUID = DISTRICT, keep_good: bool = False, **options: str
    ) -> Report:
        """Hand in a file and take it to its end."""
        import_id = await self.stage(archive, district=district, keep_good=keep_good, **options)
        await self.imports.advance(import_id, district)
        return await self.report(import_id, district)

    async def approve(self, import_id: UUID, *, district: UUID = DISTRICT) -> Report:
        """Say that what was held is meant, and take it to its end."""
        async with self.database.transaction(a_caller(district)) as tx:
            await deciding.approve(tx, import_id)
        await self.imports.advance(import_id, district)
        return await self.report(import_id, district)

    async def report(self, import_id: UUID, district: UUID = DISTRICT) -> Report:
        async with self.database.reading(a_caller(district)) as tx:
            return await report_of(tx, import_id)

    async def ask(self, path: str, body: dict[str, Any], caller: Caller | None = None) -> Any:
        return await self.client.post(path, body, caller or a_caller())

    async def look(self, sql: str, *values: Any, caller: Caller | None = None) -> list[dict[str, Any]]:
        """What a caller sees in the tables."""
        async with self.database.reading(caller or a_caller()) as tx:
            return [dict(row) for row in await tx.fetch(sql, *values)]

    async def announced(self, district: UUID = DISTRICT) -> list[pb.Placement]:
        """Every fact announced so far, oldest first."""
        async with self.database.system() as tx:
            rows = await tx.fetch(
                "SELECT payload FROM outbox WHERE district = $1 AND type LIKE '%.StudentsPlaced' ORDER BY id", district
            )
        return [fact for row in rows for fact in pb.StudentsPlaced.FromString(row["payload"]).facts]

    async def heard(self, event: type[Any], district: UUID = DISTRICT) -> list[Any]:
        """Every fact of an event so far, oldest first."""
        async with self.database.system() as tx:
            rows = await tx.fetch(
                "SELECT payload FROM outbox WHERE district = $1 AND type = $2 ORDER BY id",
                district, event.DESCRIPTOR.full_name,
            )  # fmt: skip
        return [fact for row in rows for fact in event.FromString(row["payload"]).facts]

    async def staged_rows(self) -> int:
        """How many rows the stages hold."""
        async with self.database.system() as tx:
            tables = await tx.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'stage'")
            return sum([await tx.fetchval(f"SELECT count(*) FROM stage.{row['tablename']}") for row in tables])


@pytest.fixture(scope="module")
async def lasting_roster(
    request: pytest.FixtureRequest, postgres: Server, templates: dict[str, provision.ServiceDatabase]
) -> AsyncIterator[RosterService]:
    """A roster that the tests of one module share, for those that leave nothing behind."""
    if "roster" not in templates:
        templates |= await provision.provision(postgres.admin_dsn, PASSWORD, services=["roster"])
    template, name = templates["roster"], f"roster_of_{request.module.__name__.rpartition('.')[2]}"
    made = provision.ServiceDatabase(
        "roster",
        name,
        template.owner,
        template.app,
        owner_dsn=template.owner_dsn.rpartition("/")[0] + f"/{name}",
        app_dsn=template.app_dsn.rpartition("/")[0] + f"/{name}",
    )
    async with provision.connected(postgres.admin_dsn) as admin:
        await provision.create_database(admin, made, template=template.name)
    service = RosterService(Database(made.app_dsn, name="roster"), RosterImport())
    yield service
    await service.client.close()
    await service.database.close()
    async with provision.connected(postgres.admin_dsn) as admin:
        await admin.execute(f"DROP DATABASE {provision.quoted(name)} WITH (FORCE)")


@pytest.fixture
async def roster(fresh_database: FreshDatabase) -> AsyncIterator[RosterService]:
    """A roster on a database of its own."""
    service = RosterService(await fresh_database("roster"), RosterImport())
    yield service
    await service.client.close()
