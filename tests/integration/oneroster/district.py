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
    "resources": {"vendor_resource_id": "of-the-vendor", "roles": []},
}  # fmt: skip


def _written(value: Any) -> Any:
    is_json = isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict))
    return json.dumps(value) if is_json else value


def an_id(table: str, sourced_id: str, district: UUID = DISTRICT) -> UUID:
    """The identity of a record of one of the five kinds."""
    return uuid5(district, f"{table}:{sourced_id}")


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
