"""What an import ended, found again: as differences that the merge writes like those of a file.

A record comes back when nothing has touched it since, and what it refers to is there or comes back with it. What the
import had put in its place, an enrolment of the same person in the same class under another name, ends.
"""

# ruff: noqa: S608  # the names put into SQL are constants of ours

from dataclasses import dataclass
from uuid import UUID

from services.roster.store.records import RECORDS, Record
from shared.db import Transaction

_PLACES = {"enrollments": ("person_id", "class_id", "role"), "roles": ("person_id", "org_id", "role")}
"""Two records of these that agree in this are one and the same under two names."""


@dataclass(frozen=True, slots=True)
class Returning:
    """How many records of a file come back, are left as they are, and end in their place."""

    came_back: int
    changed_since: int
    ended: int

    @property
    def some(self) -> bool:
        """Whether anything changes."""
        return bool(self.came_back or self.ended)


async def find(tx: Transaction, import_id: UUID) -> dict[str, Returning]:
    """Fill `d_…` (made, and empty) with what an import ended; by file, where it ended anything."""
    numbers = await tx.fetch(
        "SELECT number FROM revisions WHERE district_id = $1 AND import_id = $2", tx.caller.district, import_id
    )
    found = {}
    for number in (row["number"] for row in numbers):
        for file, record in RECORDS.items():
            over = await tx.fetchval(
                f"""
                SELECT count(*) FROM {record.table}
                WHERE district_id = $1 AND until = $2 AND since < $2 AND revision >= $2
                """,
                tx.caller.district, number,
            )  # fmt: skip
            if over:
                came_back = await tx.changed(_returning(record), tx.caller.district, number)
                ended = await tx.changed(_replaced(record), tx.caller.district, number) if file in _PLACES else 0
                found[file] = Returning(came_back, over - came_back, ended)
    return found


def _columns(record: Record, change: str, status: str) -> tuple[str, str]:
    """The columns of a difference that changes nothing but the status, and what they are made of."""
    values = {
        "change": f"'{change}'", "sourced_id": "t.sourced_id",
        "id": "NULL" if record.key == "sourced_id" else f"t.{record.key}", "is_new_name": "false",
        "status": f"'{status}'", "was_active": "t.status = 'active'", "metadata": "t.metadata",
        "source_modified_at": "t.source_modified_at", "kept_modified_at": "t.source_modified_at", "lost": "false",
        **{name: f"t.{name}" for name in record.columns},
        **{f"old_{ref.name}": f"t.{ref.name}" for ref in record.refs},
    }  # fmt: skip
    return ", ".join(values), ", ".join(values.values())


def _returning(record: Record) -> str:
    names, values = _columns(record, "changed", "active")
    return f"""
        INSERT INTO d_{record.stage} ({names})
        SELECT {values} FROM {record.table} t
        WHERE t.district_id = $1 AND t.until = $2 AND t.since < $2 AND t.revision = $2 AND t.status <> 'active'
          {"".join(f"AND {condition}" for condition in _ends_are_there(record))}
    """


def _ends_are_there(record: Record) -> list[str]:
    """What a record refers to is not over, or comes back too."""
    found = []
    for ref in record.refs:
        if ref.many or ref.file == record.file:
            continue
        target = RECORDS[ref.file]
        key = "id" if target.is_named else "sourced_id"
        found.append(
            f"""
            NOT EXISTS (
                SELECT FROM {target.table} o
                WHERE o.district_id = $1 AND o.{key} = t.{ref.name} AND o.status <> 'active'
                  AND NOT EXISTS (SELECT FROM d_{target.stage} d WHERE d.{key} = o.{key} AND d.change = 'changed'))
            """
        )
    if record.file == "demographics":
        found.append(
            """
            NOT EXISTS (
                SELECT FROM people o WHERE o.district_id = $1 AND o.id = t.person_id AND o.status <> 'active'
                  AND NOT EXISTS (SELECT FROM d_users d WHERE d.id = o.id AND d.change = 'changed'))
            """
        )
    return found


def _replaced(record: Record) -> str:
    names, values = _columns(record, "vanished", "tobedeleted")
    same = " AND ".join(f"d.{name} = t.{name}" for name in _PLACES[record.file])
    return f"""
        INSERT INTO d_{record.stage} ({names})
        SELECT {values} FROM {record.table} t
        WHERE t.district_id = $1 AND t.since = $2 AND t.revision = $2 AND t.status = 'active'
          AND EXISTS (SELECT FROM d_{record.stage} d WHERE d.change = 'changed' AND {same})
    """
