"""A small district, and a system beside the district's that writes to its gradebook."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid5

import httpx
import orjson
import pytest

from services.roster import api
from services.roster.domain.oneroster.versions import Service, Version, base_of
from services.roster.store import revisions
from shared.auth import SCOPES, Caller, Purpose, Tokens
from shared.db import Database, Transaction
from shared.http import build_app

TOKENS = Tokens("a-secret-of-the-tests-that-is-long-enough")
PUBLIC = "https://roster.example.org"
_UNENCODED = "/?&='<>"  # as some clients send filters
FreshDatabase = Callable[[str], Awaitable[Database]]
DISTRICT = UUID("11111111-1111-4111-8111-111111111111")
OTHER_DISTRICT = UUID("22222222-2222-4222-8222-222222222222")


def an_id(type: str, sourced_id: str, district: UUID = DISTRICT) -> UUID:
    return uuid5(district, f"sis:{type}:{sourced_id}")


def a_caller(
    district: UUID = DISTRICT, schools: tuple[str, ...] | None = None, scopes: frozenset[str] = SCOPES
) -> Caller:
    named = None if schools is None else tuple(an_id("org", school, district) for school in schools)
    return Caller(district, "key:test", scopes, Purpose.INSTRUCTION, named)


def a_line_item(**other: Any) -> dict[str, Any]:
    return {
        "title": "Fractions, sheet 1",
        "assignDate": "2026-09-01T08:00:00Z",
        "dueDate": "2026-09-08T08:00:00Z",
        "class": {"sourcedId": "north-math"},
        "school": {"sourcedId": "north"},
        "category": {"sourcedId": "homework"},
        **other,
    }


def a_result(**other: Any) -> dict[str, Any]:
    return {
        "lineItem": {"sourcedId": "sheet-1"},
        "student": {"sourcedId": "ada"},
        "score": 7.5,
        "scoreDate": "2026-09-08",
        "scoreStatus": "fully graded",
        **other,
    }


class Gradebook:
    """What a test does with a gradebook. Refusals are answers too: their status, and what they say."""

    def __init__(self, database: Database) -> None:
        self.database = database
        app = build_app(name="roster", database=database, tokens=TOKENS, routers=[api.router])
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://roster")

    async def send(
        self, method: str, path: str, body: Any = None, *, caller: Caller | None = None, version: Version = Version.V12
    ) -> tuple[int, Any]:
        content = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        where = f"{base_of(Service.GRADEBOOK, version)}/{quote(path, safe=_UNENCODED)}"
        headers = {"authorization": f"Bearer {TOKENS.sign(caller or a_caller())}", "x-public-url": PUBLIC}
        answer = await self.client.request(method, where, headers=headers, content=content)
        said = answer.json() if answer.content else None
        if answer.is_success:
            return answer.status_code, said
        return answer.status_code, said["Description" if version is Version.V11 else "imsx_description"]

    async def get(self, path: str, **how: Any) -> Any:
        """What a collection holds, or an object; it has to be there."""
        status, said = await self.send("GET", path, **how)
        assert status == 200, said
        [held] = said.values()
        return held

    async def put(self, path: str, said: dict[str, Any], **how: Any) -> tuple[int, Any]:
        kinds = {"categories": "category"}
        plural = path.split("/")[0]
        return await self.send("PUT", path, {kinds.get(plural, plural[:-1]): said}, **how)

    async def delete(self, path: str, **how: Any) -> tuple[int, Any]:
        return await self.send("DELETE", path, **how)

    async def look(self, sql: str, *values: Any, caller: Caller | None = None) -> list[dict[str, Any]]:
        async with self.database.reading(caller or a_caller()) as tx:
            return [dict(row) for row in await tx.fetch(sql, *values)]

    async def row(self, table: str, sourced_id: str) -> dict[str, Any]:
        [row] = await self.look(
            f"SELECT t.*, to_jsonb(t) ->> 'metadata' AS said FROM {table} t WHERE sourced_id = $1", sourced_id
        )
        return row

    async def revision_of(self, table: str, sourced_id: str) -> int:
        return int((await self.row(table, sourced_id))["revision"])

    async def revisions(self) -> int:
        [row] = await self.look("SELECT count(*) AS n FROM revisions")
        return int(row["n"])


@pytest.fixture
async def gradebook(fresh_database: FreshDatabase) -> AsyncIterator[Gradebook]:
    """Two schools with a class each; two terms of a year; three students, one of them in the other school."""
    database = await fresh_database("roster")
    for district in (DISTRICT, OTHER_DISTRICT):
        async with database.transaction(a_caller(district)) as tx:
            await a_district(tx)
    made = Gradebook(database)
    yield made
    await made.client.aclose()


async def a_district(tx: Transaction) -> None:
    number = await revisions.begin(tx)
    for name, type, parent in (
        ("district", "district", None),
        ("north", "school", "district"),
        ("south", "school", "district"),
    ):
        await _record(
            tx, number, "orgs", "org", name, name=name, type=type, parent_id=parent and _id(tx, "org", parent)
        )
    for name, type, parent in (
        ("year", "schoolYear", None),
        ("autumn", "term", "year"),
        ("autumn-1", "gradingPeriod", "autumn"),
        ("spring", "term", "year"),
    ):
        await tx.run(
            """
            INSERT INTO academic_sessions (district_id, id, sourced_id, status, revision, since, title, type, start_on,
                                           end_on, parent_id, school_year)
            VALUES ($1, $2, $3, 'active', $4, $4, $3, $5, '2026-08-01', '2027-07-31', $6, 2027)
            """,
            tx.caller.district, _id(tx, "academicSession", name), name, number, type,
            parent and _id(tx, "academicSession", parent),
        )  # fmt: skip
    await _record(
        tx, number, "courses", "course", "math", title="Mathematics", grades=[], subjects=[], subject_codes=[]
    )
    for school in ("north", "south"):
        await _record(
            tx, number, "classes", "class", f"{school}-math",
            title="Mathematics", grades=[], course_id=_id(tx, "course", "math"), class_type="scheduled",
            school_id=_id(tx, "org", school), term_ids=[_id(tx, "academicSession", "autumn")], subjects=[],
            subject_codes=[], periods=[],
        )  # fmt: skip
    for name, is_student in (("ada", True), ("ben", True), ("sol", True), ("ms-lee", False)):
        await _record(
            tx, number, "people", "user", name,
            is_student=is_student, is_teacher=not is_student, enabled=True, user_ids=[], given_name=name,
            family_name="Of the tests", grades=[], agent_ids=[],
        )  # fmt: skip
        await tx.run(
            "INSERT INTO placements (district_id, person_id, school_id, as_student) VALUES ($1, $2, $3, $4)",
            tx.caller.district, _id(tx, "user", name), _id(tx, "org", "south" if name == "sol" else "north"),
            is_student,
        )  # fmt: skip
    await tx.run(
        "INSERT INTO categories (district_id, sourced_id, status, revision, since, title) "
        "VALUES ($1, 'homework', 'active', $2, $2, 'Homework')",
        tx.caller.district, number,
    )  # fmt: skip
    await revisions.stamp(tx, number)


def _id(tx: Transaction, type: str, name: str) -> UUID:
    return an_id(type, name, tx.caller.district)


async def _record(tx: Transaction, number: int, table: str, kind: str, sourced_id: str, /, **columns: Any) -> None:
    names = ["district_id", "id", "sourced_id", "status", "revision", "since", *columns]
    given = [tx.caller.district, _id(tx, kind, sourced_id), sourced_id, "active", number, number, *columns.values()]
    places = ", ".join(f"${place}" for place in range(1, len(names) + 1))
    await tx.run(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", *given)
