"""Rosters as OneRoster files: for each file the query whose rows are its rows, in CSV's own text.

The queries are made of what the importer's are made of (`RECORDS` and the layout of files), the other way round: so
what is exported and imported again is what was there. A bulk file holds what is active; a delta what changed, with what
went.
"""

# ruff: noqa: S608  # the names put into SQL are constants of ours; what districts say travels as values

from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.roster.domain.columns import Column, Kind, Version
from services.roster.domain.layout import ENROLLED_1_2, READ
from services.roster.domain.oneroster import vocabularies as words
from services.roster.store.oneroster.objects.roles import ONE_ROLE
from services.roster.store.oneroster.wording import mapped, written
from services.roster.store.records import RECORDS, TYPES, Record, Ref
from shared.db import Transaction
from shared.errors import Invalid

Write = Callable[[bytes], Coroutine[Any, Any, None]]

_SPOTS = ("sector", "latitude", "longitude")
"""Columns of organisations that OneRoster has no place for but metadata."""
_SUSPECTS = ", ".join(str(ord(sign)) for sign in "'=+-@")
_OLD_WORDS = {
    ("orgs", "type"): words.ORG_TYPES_11,
    ("academicSessions", "type"): words.SESSION_TYPES_11,
    ("classes", "classType"): words.CLASS_TYPES_11,
    ("enrollments", "role"): words.ENROLLED_11,
    ("demographics", "sex"): words.SEXES_11,
    ("results", "scoreStatus"): words.SCORE_STATUSES_11,
}
_ORGS_OF_PERSON = """(
    SELECT string_agg(o.sourced_id, ',' ORDER BY held.first, o.sourced_id)
    FROM (SELECT org_id, min(role_type) AS first FROM roles WHERE person_id = t.id AND status = 'active' GROUP BY 1
          UNION SELECT school_id, 'primary' FROM enrollments
          WHERE person_id = t.id AND status = 'active'
            AND NOT EXISTS (SELECT FROM roles WHERE person_id = t.id AND status = 'active')
    ) AS held JOIN orgs o ON o.id = held.org_id AND o.status = 'active'
)"""
# What 1.1 calls an administrator has names of its own in 1.2, by where it is one.
_ROLE_1_2 = """CASE WHEN t.role <> 'administrator' THEN t.role
    WHEN EXISTS (SELECT FROM orgs o WHERE o.id = t.org_id AND o.type <> 'school') THEN 'districtAdministrator'
    ELSE 'siteAdministrator' END"""


class NoSuchRevision(Invalid):
    """There is no such revision of this district, nor a time of this form; since is either."""


@dataclass(frozen=True, slots=True)
class Since:
    """From when on a delta tells: after this time, which no revision below this number is."""

    after: datetime
    revision: int


@dataclass(frozen=True, slots=True)
class Extract:
    """What one file will hold. `keys`: the metadata that its rows have."""

    file: str
    version: Version
    since: Since | None
    keys: tuple[str, ...]

    @property
    def header(self) -> tuple[str, ...]:
        spots = tuple(f"metadata.{one}" for one in _SPOTS) if self.file == "orgs" else ()
        return (
            *(column.name for column in READ[self.version][self.file].columns),
            *spots,
            *(f"metadata.{key}" for key in self.keys),
        )


async def since_of(tx: Transaction, said: str) -> Since:
    """What a caller means by since: the number of a revision, or a time. Raises: NoSuchRevision."""
    if said.isascii() and said.isdigit():
        after = await tx.fetchval("SELECT at FROM revisions WHERE number = $1", min(int(said), 2**62))
        if after is None and int(said) == 0:
            after = datetime.fromisoformat("0001-01-01T00:00:00Z")
    else:
        try:
            after = datetime.fromisoformat(said)
            after = None if after.tzinfo is None else after.astimezone(UTC)
        except (ValueError, OverflowError):
            after = None
    if after is None:
        raise NoSuchRevision(field="since")
    lowest = await tx.fetchval("SELECT min(number) FROM revisions WHERE at > $1", after)
    return Since(after, 2**62 if lowest is None else lowest)


async def extracts(tx: Transaction, version: Version, since: Since | None, files: Sequence[str]) -> list[Extract]:
    """Those of these files that have something to say, in the order in which they refer to each other.

    A file in which nothing ever was is absent; one in which nothing is any more is there, and empty.
    """
    found = []
    for file in READ[version]:
        if file not in files:
            continue
        one = Extract(file, version, since, ())
        anything = f"SELECT EXISTS ({_changed(one)})" if since else f"SELECT EXISTS (SELECT FROM {_table(one)})"
        if await tx.fetchval(anything, *_values(one)):
            keys = await tx.fetch(
                f"""
                SELECT DISTINCT jsonb_object_keys(t.metadata) AS key FROM {_table(one)} t
                WHERE t.metadata <> '{{}}' {_only(one)} ORDER BY 1
                """,
                *_values(one),
            )
            known = [row["key"] for row in keys]
            found.append(Extract(file, version, since, tuple(key for key in known if key not in _own(file))))
    return found


async def rows(tx: Transaction, one: Extract, write: Write) -> None:
    """The file's rows, without its header."""
    sql = " UNION ALL ".join(_selects(one))
    await tx.copy_out(sql, write, list(one.keys), *_values(one))


def _own(file: str) -> tuple[str, ...]:
    return _SPOTS if file == "orgs" else ()


def _table(one: Extract) -> str:
    return RECORDS[one.file].table


def _values(one: Extract) -> tuple[object, ...]:
    return () if one.since is None else (one.since.revision, one.since.after)


def _changed(one: Extract) -> str:
    return f"SELECT FROM {_table(one)} t WHERE true {_only(one)} {_or_renamed(one)}"


def _only(one: Extract, first: int = 1) -> str:
    """Which records: those that are active, or those that changed since."""
    if one.since is None:
        return "AND t.status = 'active'"
    return f"""AND t.revision >= ${first}
        AND EXISTS (SELECT FROM revisions v WHERE v.number = t.revision AND v.at > ${first + 1})"""


def _or_renamed(one: Extract, first: int = 1) -> str:
    return f"UNION ALL SELECT FROM {_RENAMED[one.file](first)} x" if one.file in _RENAMED else ""


def _selects(one: Extract) -> Iterator[str]:
    """The queries whose rows together are the file's."""
    if one.since is None:
        of_whom = "JOIN people whose ON whose.id = t.person_id AND whose.status = 'active'"
        joins = of_whom if one.file == "demographics" else ""
        yield _select(one, "t.sourced_id", "NULL", "NULL", joins, "AND t.status = 'active'")
        return
    revisions = "JOIN revisions v ON v.number = t.revision"
    yield _select(one, "t.sourced_id", "t.status", written("v.at"), revisions, "AND t.revision >= $2 AND v.at > $3")
    if one.file in _RENAMED:
        gone = f"JOIN {_RENAMED[one.file](2)} gone ON gone.row_id = t.{RECORDS[one.file].key}"
        yield _select(one, "gone.name", "'tobedeleted'", written("gone.at"), gone, "")


def _select(one: Extract, name: str, status: str, changed: str, joins: str, where: str) -> str:
    """`name`, `status` and `changed` are what stands in the columns that every file begins with."""
    record = RECORDS[one.file]
    head = {"sourcedId": name, "status": status, "dateLastModified": changed}
    cells, joined = [], [joins]
    for column in READ[one.version][one.file].columns:
        if column.name in head:
            cells.append(head[column.name])
            continue
        cell, join = _cell(one, record, column)
        cells.append(cell)
        joined.append(join)
    if one.file == "orgs":
        said = {spot: _safe(f"t.metadata ->> '{spot}'") for spot in _SPOTS}
        cells += [f"COALESCE(t.{spot}::text, {text})" for spot, text in said.items()]
    cells += [_safe(f"t.metadata ->> ($1::text[])[{nth}]") for nth in range(1, len(one.keys) + 1)]
    if (one.version, one.file) == ("1.1", "results"):
        where += " AND t.score IS NOT NULL"  # without a score 1.1 knows no result
    return f"SELECT {', '.join(cells)} FROM {record.table} t {' '.join(joined)} WHERE $1::text[] IS NOT NULL {where}"


def _cell(one: Extract, record: Record, column: Column) -> tuple[str, str]:
    """The SQL of a cell, and what must be joined for it."""
    if (special := _SPECIAL.get((one.version, one.file, column.name))) is not None:
        return special, ""
    for ref in record.refs:
        if ref.staged == column.place:
            return _reference(one, ref, column)
    for field in record.fields:
        if field.staged == column.place:
            said = f"t.{field.name}"
            if one.version == "1.1" and (old := _OLD_WORDS.get((one.file, column.name))) is not None:
                said = f"({mapped(said, old)})"
            return _text(said, field.type, column.kind), ""
    return "NULL", ""  # not kept: a password, or what another file says better


def _text(sql: str, type: str, kind: Kind) -> str:
    match type:
        case "text":
            return _safe(sql) if kind is Kind.TEXT else sql
        case "text[]":
            listed = f"NULLIF(array_to_string({sql}, ','), '')"
            return _safe(listed) if kind is Kind.LIST else listed
        case "timestamptz":  # in the files a date, of the day it is at Greenwich
            return f"({sql} AT TIME ZONE 'UTC')::date::text"
        case "jsonb":
            pair = "'{' || (pair ->> 'itemValueLHS') || ':' || (pair ->> 'itemValueRHS') || '}'"
            return f"(SELECT string_agg({pair}, ',') FROM jsonb_array_elements({sql}) AS pair)"
    return f"{sql}::text"


def _safe(sql: str) -> str:
    """Text that a spreadsheet would take for a formula is told to be text, as spreadsheets do: by an apostrophe."""
    is_suspect = f"ascii({sql}) IN ({_SUSPECTS}) AND {sql} ~ '^''*[=+@-]'"  # few begin so, and a pattern costs more
    return f"CASE WHEN {is_suspect} THEN '''' || ({sql}) ELSE {sql} END"


def _reference(one: Extract, ref: Ref, column: Column) -> tuple[str, str]:
    """A reference by name. In a bulk file only to what is in the archive too: what means nothing without is left out.

    A reference that led nowhere when it came, and must be said, is said as it came.
    """
    target, alias = RECORDS[ref.file].table, f"r_{ref.name}"
    is_there = "" if one.since else f"AND {alias}.status = 'active'"
    as_it_came = f"t.metadata ->> '{column.name}'" if column.required and not column.needed else "NULL"
    if ref.many:
        listed = f"""(SELECT string_agg({alias}.sourced_id, ',' ORDER BY said.n)
            FROM unnest(t.{ref.name}) WITH ORDINALITY AS said (id, n)
            JOIN {target} {alias} ON {alias}.id = said.id {is_there})"""
        return f"COALESCE({listed}, {as_it_came})", ""
    key = "id" if ref.is_named else "sourced_id"
    kind = "JOIN" if column.needed and one.since is None else "LEFT JOIN"
    join = f"{kind} {target} {alias} ON {alias}.{key} = t.{ref.name} {is_there}"
    return f"COALESCE({alias}.sourced_id, {as_it_came})", join


def _renamed(table: str, type: str) -> Callable[[int], str]:
    """Names that records were known by and are no more, changed since: for those who knew them they are gone."""

    def names(first: int) -> str:
        return f"""(
            SELECT e.row_id, e.name, max(e.at) AS at FROM (
                SELECT row_id, was_called AS name, v.at FROM identity_events JOIN revisions v ON v.number = revision
                WHERE type = '{type}' AND undone_at IS NULL AND v.at > ${first + 1}
                UNION ALL
                SELECT row_id, is_called, undone_at FROM identity_events
                WHERE type = '{type}' AND undone_at > ${first + 1}
            ) AS e
            WHERE e.name IS NOT NULL AND ${first}::bigint IS NOT NULL
              AND NOT EXISTS (SELECT FROM {table} x WHERE x.sourced_id = e.name)
            GROUP BY 1, 2
        )"""

    return names


_ENROLLED = ", ".join(f"'{role}'" for role in sorted(ENROLLED_1_2))
_RENAMED = {
    file: _renamed(RECORDS[file].table, type) for file, type in {**TYPES, "demographics": TYPES["users"]}.items()
}
_SPECIAL: dict[tuple[Version, str, str], str] = {
    ("1.1", "users", "orgSourcedIds"): _ORGS_OF_PERSON,
    ("1.1", "users", "role"): mapped(ONE_ROLE.sql, words.ROLES_11),
    ("1.2", "roles", "role"): f"({_ROLE_1_2})",
    ("1.2", "enrollments", "role"): f"CASE WHEN t.role IN ({_ENROLLED}) OR t.role LIKE 'ext:%' "
    "THEN t.role ELSE 'ext:' || t.role END",
}
"""Cells that one version has and the other has not, or calls otherwise."""
_SPECIAL["1.1", "lineItems", "resultValueMin"] = "COALESCE(t.result_value_min, 0)::text"
_SPECIAL["1.1", "lineItems", "resultValueMax"] = "COALESCE(t.result_value_max, 100)::text"
_LINE_ITEM_SESSION = "SELECT s.sourced_id FROM academic_sessions s WHERE s.id = COALESCE(t.{0}, t.{1})"
_SPECIAL["1.1", "lineItems", "gradingPeriodSourcedId"] = (
    f"({_LINE_ITEM_SESSION.format('grading_period_id', 'academic_session_id')})"
)
_SPECIAL["1.2", "lineItems", "academicSessionSourcedId"] = (
    f"({_LINE_ITEM_SESSION.format('academic_session_id', 'grading_period_id')})"
)
