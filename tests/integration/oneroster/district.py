"""A district written straight into the tables, a revision at a time."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any
from uuid import UUID, uuid5

from services.roster.store import revisions
from shared.auth import SCOPES, Caller, Purpose
from shared.db import Database, Transaction

DISTRICT = UUID("11111111-1111-4111-8111-111111111111")
OTHER = UUID("22222222-2222-4222-8222-222222222222")
NAMED = ("orgs", "academic_sessions", "courses", "classes", "people")
_DEFAULTS: dict[str, dict[str, Any]] = {
    "orgs": {"name": "An organisation", "type": "school"},
    "academic_sessions": {
        "title": "A term", "type": "term", "start_on": date(2026, 8, 1), "end_on": date(2027, 7, 31),
        "school_year": 2027,
    },
    "courses": {"title": "A course", "grades": [], "subjects": [], "subject_codes": []},
    "classes": {
        "title": "A class", "grades": [], "class_type": "scheduled", "subjects": [], "subject_codes": [],
        "periods": [], "term_ids": [],
    },
    "people": {
        "given_name": "Given", "family_name": "Family", "is_student": False, "is_teacher": False, "enabled": True,
        "user_ids": [], "grades": [], "agent_ids": [],
    },
    "roles": {"role": "student", "role_type": "primary"},
    "enrollments": {"role": "student"},
    "user_profiles": {
        "profile_type": "LMS", "vendor_id": "v", "credential_type": "plain", "username": "u", "person_id": None,
    },
    "resources": {"vendor_resource_id": "of-the-vendor", "roles": []},
}  # fmt: skip


def _written(value: Any) -> Any:
    is_json = isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict))
    return json.dumps(value) if is_json else value


def an_id(table: str, sourced_id: str, district: UUID = DISTRICT) -> UUID:
    """The identity of a record of one of the five kinds."""
    return uuid5(district, f"{table}:{sourced_id}")


async def small_district(change: "Change") -> None:
    """A district with two schools, and something of everything the rostering service tells."""
    add = change.add
    await add("orgs", "d", name="The district", type="district", identifier="NY-1", metadata={"source": "tests"})
    for school in ("north", "south"):
        await add("orgs", school, name=f"School {school}", parent_id=an_id("orgs", "d"))
    session = {"start_on": date(2026, 8, 1), "end_on": date(2027, 7, 31), "school_year": 2027}
    year = an_id("academic_sessions", "year")
    await add("academic_sessions", "year", type="schoolYear", **session)
    await add("academic_sessions", "fall", type="term", parent_id=year, **session)
    await add("academic_sessions", "q1", type="gradingPeriod", parent_id=an_id("academic_sessions", "fall"), **session)
    await add(
        "courses", "math", title="Mathematics", course_code="M-7", grades=["07"], subjects=["Maths"],
        subject_codes=["02001"], org_id=an_id("orgs", "d"), school_year_id=year,
    )  # fmt: skip
    await add("resources", "book", title="A book", roles=["student", "teacher"], importance="primary")
    await add("course_resources", "math-book", course_id=an_id("courses", "math"), resource="book")
    for school in ("north", "south"):
        await _a_school(change, school)


async def _a_school(change: "Change", school: str) -> None:
    add, org, section = change.add, an_id("orgs", school), an_id("classes", f"{school}-7a")
    await add(
        "classes", f"{school}-7a", title="7a", course_id=an_id("courses", "math"), school_id=org, class_code="7A",
        location="Room 7", grades=["07", "08"], subjects=["Maths"], subject_codes=["02001"], periods=["1", "3"],
        term_ids=[an_id("academic_sessions", "fall")],
    )  # fmt: skip
    await add("class_resources", f"{school}-book", class_id=section, resource="book")
    await a_person(change, f"{school}-t", school, "teacher")
    await a_person(change, f"{school}-g", school, "guardian", placed=False)
    for number in range(3):
        await a_person(
            change, f"{school}-s{number}", school, "student", username=f"{school}{number}", email=f"{number}@x.org",
            user_ids=["{LDAP:abc}"], grades=["07"], agent_ids=[an_id("people", f"{school}-g")], primary_org_id=org,
        )  # fmt: skip
        await add(
            "demographics", f"{school}-s{number}", person_id=an_id("people", f"{school}-s{number}"), sex="female",
            birth_on=date(2014, 2, 3), white=True, asian=False,
        )  # fmt: skip
    person = an_id("people", f"{school}-s0")
    await add("user_profiles", f"{school}-profile", person_id=person, description="An account")
    await add("user_resources", f"{school}-s0-book", person_id=person, resource="book")


async def a_person(
    change: "Change", sourced_id: str, school: str, role: str, *, placed: bool = True, **values: Any
) -> None:
    """Somebody with a role at a school, and in its class 7a when he learns or teaches."""
    flags = {"is_student": role == "student", "is_teacher": role == "teacher"}
    person, org = an_id("people", sourced_id), an_id("orgs", school)
    await change.add("people", sourced_id, **flags, **values)
    await change.add("roles", f"{sourced_id}-role", person_id=person, org_id=org, role=role)
    if placed:
        await change.add(
            "enrollments", f"{sourced_id}-7a", person_id=person, class_id=an_id("classes", f"{school}-7a"),
            school_id=org, role=role, is_primary=role == "teacher", begin_on=date(2026, 8, 1),
            end_on=date(2099, 7, 31),
        )  # fmt: skip
        await change.tx.run(
            "INSERT INTO placements (district_id, person_id, school_id, as_student) VALUES ($1, $2, $3, $4)",
            change.tx.caller.district, person, org, role == "student",
        )  # fmt: skip


class Change:
    """What is written in one revision."""

    def __init__(self, tx: Transaction, number: int) -> None:
        self.tx = tx
        self.number = number

    async def add(self, table: str, sourced_id: str, **values: Any) -> None:
        """A new record, active since this revision; what is not said is ordinary."""
        district = self.tx.caller.district
        row: dict[str, Any] = {
            "district_id": district, "sourced_id": sourced_id, "status": "active", "revision": self.number,
            "since": self.number, **_DEFAULTS.get(table, {}), **values,
        }  # fmt: skip
        if table in NAMED:
            row.setdefault("id", an_id(table, sourced_id, district))
        places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
        await self.tx.run(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", *map(_written, row.values()))

    async def change(self, table: str, sourced_id: str, **values: Any) -> None:
        """The record has these values from this revision on."""
        said = ", ".join(f"{name} = ${n}" for n, name in enumerate(values, 3))
        changed = await self.tx.changed(
            f"UPDATE {table} SET revision = $1{', ' + said if said else ''} WHERE sourced_id = $2",
            self.number, sourced_id, *map(_written, values.values()),
        )  # fmt: skip
        assert changed == 1, (table, sourced_id)

    async def end(self, table: str, sourced_id: str) -> None:
        """The record is no more from this revision on."""
        await self.change(table, sourced_id, status="tobedeleted", until=self.number)


class District:
    """Writes revisions."""

    def __init__(self, database: Database, district: UUID = DISTRICT) -> None:
        self.database = database
        self.caller = Caller(district, "of the tests", SCOPES, Purpose.ADMINISTRATION)

    @asynccontextmanager
    async def change(self) -> AsyncIterator[Change]:
        """A revision: what is written in the block becomes visible together."""
        async with self.database.transaction(self.caller) as tx:
            number = await revisions.begin(tx)
            yield Change(tx, number)
            await revisions.stamp(tx, number)
