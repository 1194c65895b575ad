"""What only the whole of a file, and the files together, can tell: twins, references, and who would leave.

Everything is one statement over a stage; what breaks a rule is marked refused, or mended and told. Plans do not trust
the row estimates of a stage that was filled a moment ago: nested loops are off.
"""

# ruff: noqa: S608  # the names put into SQL are constants of ours

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace
from uuid import UUID

from services.roster.domain.coordinates import Spot, swapped
from services.roster.domain.findings import TOLD_OF_A_KIND, Finding, Findings
from services.roster.domain.layout import SECTORS, Column, File, Kind
from services.roster.store import SOURCE, STAGES, TABLES, TYPES
from shared.db import Transaction

LEAVING_PERCENT = 5
_STUDENT = "role = 'student'"
_STAFF = "role NOT IN ('student', 'guardian', 'parent', 'relative')"
_CURRENT = "(begin_on IS NULL OR begin_on <= current_date) AND (end_on IS NULL OR end_on > current_date)"


async def _tell(
    tx: Transaction, findings: Findings, sql: str, values: Collection[object], finding: Callable[[str | None], Finding]
) -> None:
    """Run a statement that returns `line` and `value` of what it marked, and note the first ones and the number."""
    rows = await tx.fetch(
        f"WITH {sql} SELECT line, value, count(*) OVER () AS total FROM marked ORDER BY line LIMIT {TOLD_OF_A_KIND}",
        *values,
    )
    for row in rows:
        findings.add(replace(finding(row["value"]), line=row["line"], value=row["value"]))
    if rows and (more := rows[0]["total"] - len(rows)):
        findings.add(replace(finding(None), count=more))


async def trust_no_estimate(tx: Transaction) -> None:
    """For this transaction: stages have no statistics worth the name, and a nested loop over a city takes for ever."""
    await tx.run("SET LOCAL enable_nestloop = off")
    await tx.run("SET LOCAL work_mem = '64MB'")


async def twins(tx: Transaction, import_id: UUID, file: File, findings: Findings) -> None:
    """A sourcedId that a file has twice is a problem at its second line; the first stands."""
    await _tell(
        tx,
        findings,
        f"""
        twin AS (
            SELECT pos, row_number() OVER (PARTITION BY sourced_id ORDER BY pos) AS nth
            FROM stage.{file.stage} WHERE import_id = $1
        ),
        marked AS (
            UPDATE stage.{file.stage} s SET refused = true FROM twin
            WHERE s.import_id = $1 AND s.pos = twin.pos AND twin.nth > 1
            RETURNING s.line, s.sourced_id AS value
        )""",
        [import_id],
        lambda value: Finding(
            file.csv, None, "sourcedId", value, "duplicate-sourcedId", "Keep one row for each sourcedId."
        ),
    )


async def periods(tx: Transaction, import_id: UUID, file: File, findings: Findings) -> None:
    """A period that ends before it begins is a problem."""
    dates = [column for column in file.columns if column.kind is Kind.DATE]
    if len(dates) != 2:
        return
    begin, end = dates
    await _tell(
        tx,
        findings,
        f"""
        marked AS (
            UPDATE stage.{file.stage} SET refused = true
            WHERE import_id = $1 AND NOT refused AND {begin.place}::date > {end.place}::date
            RETURNING line, {end.place} AS value
        )""",
        [import_id],
        lambda value: Finding(file.csv, None, end.name, value, "dates-reversed", f"Put {end.name} after {begin.name}."),
    )


async def places(tx: Transaction, import_id: UUID, file: File, findings: Findings) -> None:
    """Sector, latitude and longitude leave an organisation's metadata for columns of their own, if they make sense."""
    exchanged = await _swapped(tx, import_id, file, findings)
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
            UPDATE stage.orgs s SET {name} = {read}, metadata = s.metadata - '{name}'
            FROM (SELECT pos, metadata ->> '{name}' AS value FROM stage.orgs WHERE import_id = $1) AS v
            WHERE s.import_id = $1 AND s.pos = v.pos AND s.pos <> ALL ($2::bigint[]) AND {is_fine}
            """,
            import_id,
            told_already,
        )
        await _tell(
            tx,
            findings,
            f"""
            marked AS (
                SELECT line, metadata ->> '{name}' AS value FROM stage.orgs
                WHERE import_id = $1 AND pos <> ALL ($2::bigint[]) AND metadata ? '{name}'
            )""",
            [import_id, told_already],
            lambda value, name=name, meant=meant: Finding(  # type: ignore[misc]  # the defaults only bind the loop's names
                file.csv, None, f"metadata.{name}", value, f"metadata-{name}",
                f"Kept as it is among the metadata, and not used: it is not {meant}.", repaired=True,
            ),
        )  # fmt: skip


_DEGREES = "'^[-+]?[0-9]{1,3}([.][0-9]*)?$'"


def _between(limit: int) -> str:
    return f"CASE WHEN value ~ {_DEGREES} THEN abs(value::float8) <= {limit} ELSE false END"


async def _swapped(tx: Transaction, import_id: UUID, file: File, findings: Findings) -> list[int]:
    """The rows whose latitude and longitude have changed places, each of them told."""
    rows = await tx.fetch(
        f"""
        SELECT pos, line, said.latitude, said.longitude, type = 'school' AS is_school
        FROM stage.orgs, LATERAL (
            SELECT metadata ->> 'latitude' AS latitude, metadata ->> 'longitude' AS longitude) AS said
        WHERE import_id = $1 AND NOT refused AND said.latitude ~ {_DEGREES} AND said.longitude ~ {_DEGREES}
        ORDER BY pos
        """,
        import_id,
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
    return [row["pos"] for row in found]


async def references(
    tx: Transaction, import_id: UUID, file: File, delivered: Collection[str], findings: Findings
) -> None:
    """Every reference leads somewhere: into this import, or, where that file did not come, to what is known already."""
    for column in file.references:
        assert column.target is not None
        must_hold = column.needed or (column.required and column.target in delivered)
        await _references_of(tx, import_id, file, column, column.target in delivered, must_hold, findings)


async def _references_of(
    tx: Transaction, import_id: UUID, file: File, column: Column, delivered: bool, must_hold: bool, findings: Findings
) -> None:
    assert column.target is not None
    lost = f"""
        part AS (
            SELECT s.pos, s.line, r.ref, r.n
            FROM stage.{file.stage} s, unnest({_several(column)}) WITH ORDINALITY AS r (ref, n)
            WHERE s.import_id = $1 AND NOT s.refused AND s.{column.place} IS NOT NULL
        ),
        lost AS MATERIALIZED (SELECT * FROM part WHERE NOT ({_is_known(column.target, delivered)})),
        lost_of AS (SELECT pos, string_agg(ref, ',' ORDER BY n) AS refs FROM lost GROUP BY pos)
    """
    if must_hold:
        action = f"""
            UPDATE stage.{file.stage} s SET refused = true FROM lost_of l
            WHERE s.import_id = $1 AND s.pos = l.pos RETURNING s.line, l.refs AS value
        """
        where = f"{column.target}.csv" if delivered else "what is known of this district"
        remedy = f"Name one that is in {where}, or add it there."
    else:
        action = f"""
            UPDATE stage.{file.stage} s
            SET metadata = s.metadata || jsonb_build_object('{column.name}', l.refs),
                {column.place} = (
                    SELECT string_agg(p.ref, ',' ORDER BY p.n) FROM part p
                    WHERE p.pos = s.pos AND NOT EXISTS (SELECT FROM lost WHERE lost.pos = p.pos AND lost.n = p.n))
            FROM lost_of l WHERE s.import_id = $1 AND s.pos = l.pos RETURNING s.line, l.refs AS value
        """
        remedy = f"Kept among the metadata as {column.name}; it leads nowhere."
    await _tell(
        tx,
        findings,
        f"{lost}, marked AS ({action})",
        [import_id],
        lambda value: Finding(
            file.csv, None, column.name, value, "unknown-reference", remedy, repaired=not must_hold
        ),
    )  # fmt: skip


def _several(column: Column) -> str:
    return f"string_to_array(s.{column.place}, ',')" if column.kind is Kind.KEYS else f"ARRAY[s.{column.place}]"


def _is_known(target: str, delivered: bool) -> str:
    crosswalk = f"""
        EXISTS (SELECT FROM crosswalk c WHERE c.source = '{SOURCE}' AND c.type = '{TYPES[target]}'
                AND c.sourced_id = part.ref AND c.end_on IS NULL)
    """
    if not delivered:
        return crosswalk
    stage = STAGES[target]
    return f"""
        EXISTS (SELECT FROM stage.{stage} t
                WHERE t.import_id = $1 AND t.sourced_id = part.ref AND NOT t.refused)
        OR (EXISTS (SELECT FROM stage.{stage} t WHERE t.import_id = $1 AND t.sourced_id = part.ref) AND {crosswalk})
    """


async def find_vanished(tx: Transaction, import_id: UUID, file: str) -> None:
    """A bulk file says "this is all": what it does not name any more is gone. Refused rows are named."""
    key = "person_id" if file == "demographics" else "id"
    await tx.run(
        f"""
        INSERT INTO stage.vanished (import_id, file, row_id)
        SELECT $1, $2, t.{key} FROM {TABLES[file]} t
        WHERE t.status = 'active' AND NOT EXISTS (
            SELECT FROM stage.{STAGES[file]} s
            JOIN crosswalk c ON c.source = '{SOURCE}' AND c.type = '{TYPES[file]}' AND c.sourced_id = s.sourced_id
                AND c.end_on IS NULL
            WHERE s.import_id = $1 AND c.row_id = t.{key})
        """,
        import_id, file,
    )  # fmt: skip


async def mass_removal(tx: Transaction, import_id: UUID, findings: Findings) -> bool:
    """Whether more than 5 % of a school's people would leave because the files no longer name them.

    One person may always leave, however small the school. People whose rows are there and say that they end are not
    counted: that is said on purpose, a row that is missing may be an accident. So staff whom the file still names at
    the school in any way are not missing; students are when none of their rows says that they are there today.
    """
    rows = await tx.fetch(
        f"""
        WITH present AS (
            SELECT DISTINCT person_id, school_id, as_student FROM placements WHERE {_CURRENT}
        ),
        held AS (
            SELECT person_id, school_id, {_STUDENT} AS as_student, id FROM enrollments
            WHERE status = 'active' AND {_CURRENT} AND ({_STUDENT} OR {_STAFF})
            UNION ALL
            SELECT person_id, org_id, false, id FROM roles WHERE status = 'active' AND {_CURRENT} AND {_STAFF}
        ),
        staying AS (
            SELECT person_id, school_id, as_student FROM held
            WHERE NOT EXISTS (SELECT FROM stage.vanished v WHERE v.import_id = $1 AND v.row_id = held.id)
              AND NOT EXISTS (SELECT FROM stage.vanished v WHERE v.import_id = $1 AND v.row_id = held.person_id)
        ),
        coming AS (
            SELECT user_sourced_id AS person, school_sourced_id AS school, true AS as_student
            FROM stage.enrollments WHERE import_id = $1 AND NOT refused AND status IS DISTINCT FROM 'tobedeleted'
              AND COALESCE(begin_date::date <= current_date, true) AND COALESCE(end_date::date > current_date, true)
              AND {_STUDENT}
            UNION ALL
            SELECT user_sourced_id, org_sourced_id, false FROM stage.roles WHERE import_id = $1 AND {_STAFF}
            UNION ALL
            SELECT user_sourced_id, school_sourced_id, false FROM stage.enrollments WHERE import_id = $1 AND {_STAFF}
        ),
        leaving AS (
            SELECT person_id, school_id FROM (
                SELECT person_id, school_id, as_student FROM present
                EXCEPT SELECT person_id, school_id, as_student FROM staying
            ) AS p
            WHERE NOT EXISTS (
                SELECT FROM coming c
                JOIN crosswalk cp ON cp.source = '{SOURCE}' AND cp.type = 'user' AND cp.sourced_id = c.person
                    AND cp.end_on IS NULL
                JOIN crosswalk cs ON cs.source = '{SOURCE}' AND cs.type = 'org' AND cs.sourced_id = c.school
                    AND cs.end_on IS NULL
                WHERE cp.row_id = p.person_id AND cs.row_id = p.school_id AND c.as_student = p.as_student)
        ),
        schools AS (
            SELECT school_id, count(DISTINCT person_id) AS people FROM present GROUP BY school_id
        )
        SELECT (SELECT min(c.sourced_id) FROM crosswalk c WHERE c.row_id = s.school_id AND c.end_on IS NULL) AS school,
               s.people, count(DISTINCT l.person_id) AS leaving
        FROM schools s JOIN leaving l USING (school_id)
        GROUP BY s.school_id, s.people
        HAVING count(DISTINCT l.person_id) > 1 AND count(DISTINCT l.person_id) * 100 > s.people * {LEAVING_PERCENT}
        ORDER BY 1
        """,
        import_id,
    )
    for row in rows:
        share = 100 * row["leaving"] / row["people"]
        remedy = (
            f"{row['leaving']} of this school's {row['people']} people would leave ({share:.0f} %; the most is "
            f"{LEAVING_PERCENT} %). Send the whole roster; who really leaves stays in it with an endDate or the status "
            "tobedeleted."
        )
        findings.add(Finding("enrollments.csv", None, "schoolSourcedId", row["school"], "mass-removal", remedy))
    return bool(rows)
