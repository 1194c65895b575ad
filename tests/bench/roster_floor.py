"""The floor under a roster's import: the same CSV bytes copied into plain indexed tables, by the same PostgreSQL.

Nothing else is in it: no checks, no policies, no identities, no history, no facts. The floor under the same archive
once more is one COPY of each file into a stage, and one join that compares it with the table.
"""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

from tests.bench.meter import admin
from tests.bench.roster_city import FILES, columns
from tests.e2e.harness import Platform

DATABASE = "floor"
TYPES = {
    "startDate": "date", "endDate": "date", "beginDate": "date", "birthDate": "date", "enabledUser": "boolean",
    "primary": "boolean", "dateLastModified": "timestamptz", "americanIndianOrAlaskaNative": "boolean",
    "asian": "boolean", "blackOrAfricanAmerican": "boolean", "nativeHawaiianOrOtherPacificIslander": "boolean",
    "white": "boolean", "demographicRaceTwoOrMoreRaces": "boolean", "hispanicOrLatinoEthnicity": "boolean",
}  # fmt: skip
"""The columns that are not text."""

INDEXED = {
    "orgs": ("parentSourcedId",),
    "academicSessions": ("parentSourcedId",),
    "courses": ("orgSourcedId", "schoolYearSourcedId"),
    "classes": ("courseSourcedId", "schoolSourcedId"),
    "users": ("primaryOrgSourcedId",),
    "roles": ("userSourcedId", "orgSourcedId"),
    "enrollments": ("classSourcedId", "schoolSourcedId", "userSourcedId"),
    "demographics": (),
}
"""The columns that refer to other rows; lists of references are not indexed."""


@dataclass(frozen=True, slots=True)
class Floor:
    """Seconds of the first copy and of the comparison, by file."""

    first: dict[str, float]
    again: dict[str, float]


async def measure(platform: Platform, archive: Path, folder: Path) -> Floor:
    """The floor under this archive, in a scratch database of the platform's own PostgreSQL."""
    async with admin(platform) as connection:
        await connection.execute(f"CREATE DATABASE {DATABASE}")
    try:
        return await _measure(platform, archive, folder)
    finally:
        async with admin(platform) as connection:
            await connection.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


async def _measure(platform: Platform, archive: Path, folder: Path) -> Floor:
    floor = Floor({}, {})
    async with admin(platform, DATABASE) as connection:
        for file in FILES:
            plain = _unpacked(archive, file, folder)
            await connection.execute(
                f"CREATE TABLE {_quoted(file)} ({_columns(file)}, PRIMARY KEY ({_quoted('sourcedId')}))"
            )
            for column in INDEXED[file]:
                await connection.execute(f"CREATE INDEX ON {_quoted(file)} ({_quoted(column)})")
            begun = time.perf_counter()
            await connection.copy_to_table(file, source=plain, format="csv", header=True)
            floor.first[file] = time.perf_counter() - begun
            await connection.execute(f"ANALYZE {_quoted(file)}")
            begun = time.perf_counter()
            async with connection.transaction():
                await connection.execute(f"CREATE TEMP TABLE stage ({_columns(file)}) ON COMMIT DROP")
                await connection.copy_to_table("stage", source=plain, format="csv", header=True)
                different = await connection.fetchval(_comparison(file))
            floor.again[file] = time.perf_counter() - begun
            assert different == 0, f"{file}: {different} rows are not what was copied"
            plain.unlink()
    return floor


def _unpacked(archive: Path, file: str, folder: Path) -> Path:
    """A file of the archive as it is; unpacking it is no part of the floor."""
    plain = folder / f"{file}.csv"
    with ZipFile(archive) as packed, packed.open(f"{file}.csv") as source, plain.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    return plain


def _columns(file: str) -> str:
    return ", ".join(f"{_quoted(column)} {TYPES.get(column, 'text')}" for column in columns(file))


def _comparison(file: str) -> str:
    pairs = (f"({', '.join(f'{side}.{_quoted(column)}' for column in columns(file))})" for side in ("s", "t"))
    return (
        f"SELECT count(*) FROM stage s FULL JOIN {_quoted(file)} t USING ({_quoted('sourcedId')}) "
        f"WHERE ROW{' IS DISTINCT FROM ROW'.join(pairs)}"
    )


def _quoted(name: str) -> str:
    return f'"{name}"'
