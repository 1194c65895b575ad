"""The floor under the pipeline: one COPY of ready bytes per table it fills, indexes present, and the scoring kernel.

Nothing else is in it: no parsing, no look-ups, no policies, no facts, no bus. What is copied is what the pipeline has
written, column for column, into empty tables of the same shape on the same server, each COPY a durable transaction.
"""

import io
import time
from dataclasses import dataclass

import numpy as np

from services.assessment.domain import scoring
from services.assessment.domain.formsfile import parse
from tests.bench.meter import admin
from tests.e2e.harness import Platform

TABLES = (
    ("assessment", "attempts"),
    ("assessment", "outbox"),
    ("mastery", "inbox"),
    ("mastery", "sheets"),
    ("mastery", "mastery"),
    ("mastery", "outbox"),
)
"""The tables that keep what the pipeline writes, by database."""

_AT_ONCE = 5_000  # sheets; what stays in the processor's cache


@dataclass(frozen=True, slots=True)
class Floor:
    """Seconds by table, and of the scoring kernel."""

    seconds: dict[str, float]

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


async def measure(platform: Platform, forms: bytes) -> Floor:
    """The floor under what this platform has just kept; `forms` holds the one form that was taken."""
    seconds = {f"{database}.{table}": await _copied(platform, database, table) for database, table in TABLES}
    return Floor(seconds | {"scoring": await _scored(platform, forms)})


async def _copied(platform: Platform, database: str, table: str) -> float:
    async with admin(platform, database) as connection:
        ready = io.BytesIO()
        await connection.copy_from_query(f"SELECT * FROM {table}", output=ready, format="binary")
        ready.seek(0)
        await connection.execute("DROP SCHEMA IF EXISTS floor CASCADE; CREATE SCHEMA floor")
        await connection.execute(f"CREATE TABLE floor.{table} (LIKE public.{table} INCLUDING ALL EXCLUDING IDENTITY)")
        begun = time.perf_counter()
        await connection.copy_to_table(table, schema_name="floor", source=ready, format="binary")
        taken = time.perf_counter() - begun
        await connection.execute("DROP SCHEMA floor CASCADE")
    return taken


async def _scored(platform: Platform, forms: bytes) -> float:
    async with admin(platform, "assessment") as connection:
        rows = await connection.fetch("SELECT scores FROM attempts")
    read = parse(forms).file
    assert read is not None
    [form] = read.forms
    codes = np.frombuffer(b"".join(row["scores"] for row in rows), dtype=np.uint8).reshape(len(rows), -1)
    begun = time.perf_counter()
    for start in range(0, len(codes), _AT_ONCE):
        scoring.results(form, codes[start : start + _AT_ONCE])
    return time.perf_counter() - begun
