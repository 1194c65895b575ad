"""A roster with two schools, written straight into its tables; attendance and closures come as files."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

import httpx
import pytest
from google.protobuf.message import Message

from services.roster.api import daily as api
from services.roster.handlers import AttendanceImport, ClosuresImport
from shared.auth import Caller
from shared.client import ServiceClient
from shared.db import Database, Transaction
from shared.events import type_of
from shared.http import build_app
from shared.imports import Imports, Report, report_of
from tests.integration.roster.conftest import DISTRICT, OTHER_DISTRICT, TOKENS, a_caller, an_id

FreshDatabase = Callable[[str], Awaitable[Database]]
_Fact = TypeVar("_Fact", bound=Message)

SCHOOLS = ("S1", "S2")
CLASSES = {"C1": "S1", "C2": "S2"}
STUDENTS = {"P1": "S1", "P2": "S1", "P3": "S2"}
TEACHER = "T1"


class DailyRoster:
    """What a test does with attendance and closures: load files, ask, and look."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.imports = Imports(database, [AttendanceImport(), ClosuresImport()])
        app = build_app(name="roster", database=database, tokens=TOKENS, routers=[api.router, self.imports.router])
        self.client = ServiceClient("http://roster", TOKENS, transport=httpx.ASGITransport(app))

    async def load(
        self, kind: str, text: str | bytes, *, district: UUID = DISTRICT, keep_good: bool = False, **options: str
    ) -> Report:
        """Hand in a file and take it to its end."""
        content = text if isinstance(text, bytes) else text.encode()

        async def body() -> AsyncIterator[bytes]:
            yield content

        import_id = await self.imports.stage(a_caller(district), kind, body(), keep_good, None, options)
        await self.imports.advance(import_id, district)
        async with self.database.reading(a_caller(district)) as tx:
            return await report_of(tx, import_id)

    async def ask(self, path: str, body: dict[str, Any], caller: Caller | None = None) -> Any:
        return await self.client.post(path, body, caller or a_caller())

    async def announced(self, event: type[_Fact]) -> list[Any]:
        """Every fact of an event announced so far, oldest first."""
        async with self.database.system() as tx:
            rows = await tx.fetch("SELECT payload FROM outbox WHERE type = $1 ORDER BY id", type_of(event))
        return [fact for row in rows for fact in event.FromString(row["payload"]).facts]  # type: ignore[attr-defined]  # every event has facts

    async def change(self, sql: str, *values: Any) -> None:
        """Change something behind the service's back: a moment is moved, so that time has passed."""
        async with self.database.transaction(a_caller()) as tx:
            await tx.run(sql, *values)


async def _people(tx: Transaction, district: UUID) -> None:
    async def crosswalk(type: str, name: str) -> None:
        await tx.run(
            """
            INSERT INTO crosswalk (district_id, row_id, source, sourced_id, begin_on, type)
            VALUES ($1, $2, 'sis', $3, '2026-08-31', $4)
            """,
            district, an_id(type, name, district), name, type,
        )  # fmt: skip

    record = "district_id, id, sourced_id, status, metadata, revision, since"
    values = "$1, $2, $3, 'active', '{}', 1, 1"
    for name in (*SCHOOLS, "D1"):
        await tx.run(
            f"INSERT INTO orgs ({record}, name, type) VALUES ({values}, $3, $4)",
            district, an_id("org", name, district), name, "school" if name in SCHOOLS else "district",
        )  # fmt: skip
        await crosswalk("org", name)
    for name, school in CLASSES.items():
        await tx.run(
            f"""
            INSERT INTO classes ({record}, title, grades, class_type, school_id, term_ids, subjects, subject_codes,
                                 periods)
            VALUES ({values}, $3, '{{}}', 'scheduled', $4, '{{}}', '{{}}', '{{}}', '{{}}')
            """,
            district, an_id("class", name, district), name, an_id("org", school, district),
        )  # fmt: skip
        await crosswalk("class", name)
    for name, school in {**STUDENTS, TEACHER: "S1"}.items():
        person = an_id("user", name, district)
        await tx.run(
            f"""
            INSERT INTO people ({record}, is_student, is_teacher, enabled, user_ids, given_name, family_name, grades,
                                agent_ids)
            VALUES ({values}, $4, NOT $4, true, '{{}}', 'Ada', 'Ash', '{{}}', '{{}}')
            """,
            district, person, name, name in STUDENTS,
        )  # fmt: skip
        await crosswalk("user", name)
        await tx.run(
            """
            INSERT INTO placements (district_id, person_id, school_id, as_student, begin_on)
            VALUES ($1, $2, $3, $4, '2020-08-31')
            """,
            district, person, an_id("org", school, district), name in STUDENTS,
        )  # fmt: skip


@pytest.fixture
async def daily(fresh_database: FreshDatabase) -> AsyncIterator[DailyRoster]:
    """Two districts with the same names in them."""
    service = DailyRoster(await fresh_database("roster"))
    for district in (DISTRICT, OTHER_DISTRICT):
        async with service.database.transaction(a_caller(district)) as tx:
            await _people(tx, district)
    yield service
    await service.client.close()
