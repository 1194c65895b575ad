"""What only the whole of a file can tell by itself: twins, periods of turned dates, and where an organisation is.

Everything is one statement over a stage; what breaks a rule is marked refused, or mended and told.
"""

# ruff: noqa: S608  # the names put into SQL are constants of ours

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace

from services.roster.domain.cells import reversed_period
from services.roster.domain.columns import Column, File
from services.roster.domain.coordinates import Spot, swapped
from services.roster.domain.findings import TOLD_OF_A_KIND, Finding, Findings
from services.roster.domain.layout import SECTORS
from shared.db import Transaction


async def tell(
    tx: Transaction, findings: Findings, sql: str, values: Collection[object], finding: Callable[[str | None], Finding]
) -> int:
    """Run a statement that returns `line` and `value` of what it marked, tell the first ones; how many it marked."""
    rows = await tx.fetch(
        f"WITH {sql} SELECT line, value, count(*) OVER () AS total FROM marked ORDER BY line LIMIT {TOLD_OF_A_KIND}",
        *values,
    )
    for row in rows:
        findings.add(replace(finding(row["value"]), line=row["line"], value=row["value"]))
    if rows and (more := rows[0]["total"] - len(rows)):
        findings.add(replace(finding(None), count=more))
    return rows[0]["total"] if rows else 0


async def twins(tx: Transaction, file: File, findings: Findings) -> int:
    """A sourcedId that a file has twice is a problem at its second line; the first stands. How many there are."""
    return await tell(
        tx,
        findings,
        f"""
        twin AS (
            SELECT line, row_number() OVER (PARTITION BY sourced_id ORDER BY line) AS nth FROM s_{file.stage}
        ),
        marked AS (
            UPDATE s_{file.stage} s SET refused = true FROM twin WHERE s.line = twin.line AND twin.nth > 1
            RETURNING s.line, s.sourced_id AS value
        )""",
        [],
        lambda value: Finding(
            file.csv, None, "sourcedId", value, "duplicate-sourcedId", "Keep one row for each sourcedId."
        ),
    )


async def periods(tx: Transaction, file: File, begin: Column, end: Column, findings: Findings) -> int:
    """A period that ends before it begins is a problem; for dates that had to be turned first. How many."""
    return await tell(
        tx,
        findings,
        f"""
        marked AS (
            UPDATE s_{file.stage} SET refused = true
            WHERE NOT refused AND {begin.place}::date > {end.place}::date
            RETURNING line, {end.place} AS value
        )""",
        [],
        lambda value: reversed_period(file, begin, end, 0, value or ""),
    )


async def places(tx: Transaction, file: File, findings: Findings) -> None:
    """Sector, latitude and longitude leave an organisation's metadata for columns of their own, if they make sense."""
    exchanged = await _swapped(tx, file, findings)
    sectors = ", ".join(f"'{sector}'" for sector in sorted(SECTORS))
    wanted = {
        "sector": (f"lower(value) IN ({sectors})", "lower(value)", "district, charter or private"),
        "latitude": (_between(90), "value", "degrees from -90 to 90"),
        "longitude": (_between(180), "value", "degrees from -180 to 180"),
    }
    for name, (is_fine, read, meant) in wanted.items():
        told_already = exchanged if name != "sector" else []
        await tx.run(
            f"""
            UPDATE s_orgs s SET {name} = {read}, metadata = NULLIF(s.metadata - '{name}', '{{}}')
            FROM (SELECT line, metadata ->> '{name}' AS value FROM s_orgs) AS v
            WHERE s.line = v.line AND s.line <> ALL ($1::int[]) AND {is_fine}
            """,
            told_already,
        )
        await tell(
            tx,
            findings,
            f"""
            marked AS (
                SELECT line, metadata ->> '{name}' AS value FROM s_orgs
                WHERE line <> ALL ($1::int[]) AND metadata ? '{name}'
            )""",
            [told_already],
            lambda value, name=name, meant=meant: Finding(  # type: ignore[misc]  # the defaults only bind the loop's names
                file.csv, None, f"metadata.{name}", value, f"metadata-{name}",
                f"Kept as it is among the metadata, and not used: it is not {meant}.", repaired=True,
            ),
        )  # fmt: skip


_DEGREES = "'^[-+]?[0-9]{1,3}([.][0-9]*)?$'"


def _between(limit: int) -> str:
    return f"CASE WHEN value ~ {_DEGREES} THEN abs(value::float8) <= {limit} ELSE false END"


async def _swapped(tx: Transaction, file: File, findings: Findings) -> list[int]:
    """The rows whose latitude and longitude have changed places, each of them told."""
    rows = await tx.fetch(
        f"""
        SELECT line, said.latitude, said.longitude, type = 'school' AS is_school
        FROM s_orgs, LATERAL (
            SELECT metadata ->> 'latitude' AS latitude, metadata ->> 'longitude' AS longitude) AS said
        WHERE NOT refused AND said.latitude ~ {_DEGREES} AND said.longitude ~ {_DEGREES}
        ORDER BY line
        """
    )
    spots = [Spot(float(row["latitude"]), float(row["longitude"]), row["is_school"]) for row in rows]
    found = [rows[at] for at in await asyncio.to_thread(swapped, spots)]
    for row in found:
        findings.add(
            Finding(
                file.csv, row["line"], "metadata.latitude", row["latitude"], "coordinates-swapped",
                f"Kept as they are among the metadata, and not used: latitude {row['latitude']} and longitude "
                f"{row['longitude']} seem to have changed places. Exchange them.", repaired=True,
            )
        )  # fmt: skip
    return [row["line"] for row in found]
