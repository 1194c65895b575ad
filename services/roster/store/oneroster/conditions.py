"""Which rows a question means, as SQL: who belongs to the collection, as of when, and what the filter asks."""

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from services.roster.domain.oneroster import filters
from services.roster.domain.oneroster.filters import Clause, Filter
from services.roster.domain.oneroster.versions import Version
from services.roster.store.oneroster.description import (
    Collection,
    Compared,
    Kind,
    Object,
    Parent,
    metadata_of,
    paths_of,
)
from services.roster.store.oneroster.wording import written

_COMPARED = {"=": "=", "!=": "IS DISTINCT FROM", ">": ">", ">=": ">=", "<": "<", "<=": "<="}
_NOW = re.compile(r"\{now:(\w+)\}")
TOMBSTONES = ("status", "dateLastModified")
"""Who asks about one of these is told of what has ended too."""


@dataclass(slots=True)
class Values:
    """The values of a statement; `put` says what stands for one in the SQL. The first is the public address."""

    root: str
    given: list[Any] = field(default_factory=list)

    def put(self, value: Any, type: str) -> str:
        self.given.append(value)
        return f"${len(self.given) + 1}::{type}"

    def all(self) -> list[Any]:
        return [self.root, *self.given]


@dataclass(frozen=True, slots=True)
class AsOf:
    """A revision of the past: every one up to `upto` counts as done but those in `later`, which committed after it."""

    number: int
    upto: int
    later: tuple[int, ...]

    def active(self, alias: str) -> str:
        """Whether a record was active then."""
        ended = f"{alias}.until > {self.upto}" + self._later(f"{alias}.until", " OR {} = ANY ({})")
        return f"({self.known(alias)} AND ({alias}.until IS NULL OR {ended}))"

    def known(self, alias: str) -> str:
        """Whether a record was there then, as it is now."""
        return f"({alias}.since <= {self.upto}{self._later(f'{alias}.since', ' AND {} <> ALL ({})')})"

    def unchanged(self, alias: str) -> str:
        """Whether a record has not changed since."""
        return f"({alias}.revision <= {self.upto}{self._later(f'{alias}.revision', ' AND {} <> ALL ({})')})"

    def _later(self, column: str, form: str) -> str:
        if not self.later:
            return ""
        return form.format(column, f"'{{{','.join(str(one) for one in self.later)}}}'::bigint[]")


def rows_of(
    collection: Collection, parents: tuple[str, ...], values: Values, as_of: AsOf | None, *, ended: bool
) -> str:
    """The condition by which a row `t` belongs to the collection; with `ended`, also when it is no more."""
    parts = [member("t", as_of)] if not ended else [as_of.known("t")] if as_of else []
    if collection.where:
        where = _keyed(collection.where, collection, parents, values)
        where = _NOW.sub(lambda found: member(found[1], as_of), where)
        parts.append(f"({where})")
    return " AND ".join(parts) or "true"


_SCHOOLS = "(SELECT string_to_array(NULLIF(current_setting('app.schools', true), ''), ','))::uuid[]"


def placed(described: Object) -> str:
    """What has to be true of a row `t` that a key for named schools sees.

    Row-level security says so itself, and more. Said here, rows are found by the people of the schools, instead of
    being looked at one after the other to the end of the district.
    """
    theirs = f"SELECT l.person_id FROM placements l WHERE l.school_id = ANY ({_SCHOOLS})"  # noqa: S608  # constants
    return f"t.{described.placed} = ANY (ARRAY({theirs}))"


def _keyed(where: str, collection: Collection, parents: tuple[str, ...], values: Values) -> str:
    """With the keys of the parents; a later one may lie within an earlier one."""
    for place in reversed(range(len(parents))):
        where = where.replace(f"{{{place}}}", key_of(collection.parents[place], values.put(parents[place], "text")))
    return where


def parents_there(collection: Collection, parents: tuple[str, ...], values: Values) -> str:
    """Whether there is all that the collection lies in, as far as the caller may see."""
    there = " AND ".join(f"{{{place}}} IS NOT NULL" for place in range(len(parents)))
    return _keyed(there, collection, parents, values)


def member(alias: str, as_of: AsOf | None) -> str:
    return as_of.active(alias) if as_of else f"{alias}.status = 'active'"


def key_of(parent: Parent, sourced_id: str) -> str:
    """SQL for how others refer to this parent; NULL when there is no such."""
    also = f" AND {parent.where}" if parent.where else ""
    return f"(SELECT p.{parent.key} FROM {parent.table} p WHERE p.sourced_id = {sourced_id}{also})"  # noqa: S608  # constants


def matching(
    asked: Filter, described: Object, version: Version, values: Values, since: dict[datetime, int | None]
) -> str:
    """What a filter asks, as SQL. `since`: the lowest revision after each moment that it compares by."""
    tests = [_clause(clause, described, version, values, since) for clause in asked.clauses]
    return "(" + (" OR " if asked.any else " AND ").join(tests) + ")"


def moments(asked: Filter | None) -> list[datetime]:
    """The moments after which somebody asks for changes."""
    return [
        filters.moment(clause.value)
        for clause in (asked.clauses if asked else ())
        if clause.path == "dateLastModified" and clause.op in (">", ">=")
    ]


def _clause(
    clause: Clause, described: Object, version: Version, values: Values, since: dict[datetime, int | None]
) -> str:
    compared = paths_of(described, version).get(clause.path)
    if compared is None and clause.path.startswith("metadata."):
        key = values.put(clause.path.removeprefix("metadata."), "text")
        compared = Compared(Kind.TEXT, f"(({metadata_of(described)}) ->> {key})")
    if compared is None:
        raise filters.unfit(f"{described.name} has no field {clause.path[:100]!r} that can be asked about.")
    negated = clause.op == "!=" and compared.around != "{condition}"
    condition = _condition(compared, "=" if negated else clause.op, clause.value, values, since)
    around = compared.around.replace("{condition}", condition)
    return f"(NOT {around})" if negated else f"({around})"


def _condition(compared: Compared, op: str, value: str, values: Values, since: dict[datetime, int | None]) -> str:
    if op == "~" and compared.kind is not Kind.WORDS:
        return f"strpos(lower({_as_text(compared)}), lower({values.put(value, 'text')})) > 0"
    sql, sign = compared.sql, _COMPARED.get(op, op)
    match compared.kind:
        case Kind.TEXT if op == "=" and compared.equal:
            return compared.equal.replace("{value}", values.put(value, "text"))
        case Kind.TEXT:
            collate = ' COLLATE "C"' if op not in ("=", "!=") else ""
            return f"{sql} {sign} {values.put(value, 'text')}{collate}"
        case Kind.FLAG:
            if op not in ("=", "!="):
                raise filters.unfit("A boolean is equal or not.")
            return f"{sql} {sign} {values.put(filters.truth(value), 'boolean')}"
        case Kind.NUMBER:
            return f"{sql} {sign} {values.put(filters.number(value), 'double precision')}"
        case Kind.DAY:
            wanted: date = filters.day(value)
            return f"{sql} {sign} {values.put(wanted, 'date')}"
        case Kind.MOMENT:
            return f"{sql} {sign} {values.put(filters.moment(value), 'timestamptz')}"
        case Kind.CHANGED:
            return _changed(sql, op, filters.moment(value), values, since)
        case Kind.WORDS:
            return _words(sql, op, value, values)


def _changed(sql: str, op: str, moment: datetime, values: Values, since: dict[datetime, int | None]) -> str:
    after, lowest = op in (">", ">="), since.get(moment)
    if after and lowest is None:
        return "false"  # and nothing is put: PostgreSQL refuses a value that nobody asks about
    exact = f"{sql} {_COMPARED[op]} {values.put(moment, 'timestamptz')}"
    return f"t.revision >= {lowest:d} AND {exact}" if after else exact


def _words(sql: str, op: str, value: str, values: Values) -> str:
    named = [word.strip() for word in value.split(",") if word.strip()]
    match op:
        case "=":
            return f"{sql} @> {values.put(named, 'text[]')}"
        case "!=":
            return f"NOT {sql} @> {values.put(named, 'text[]')}"
        case "~":
            given = values.put([word.lower() for word in named], "text[]")
            return f"EXISTS (SELECT FROM unnest({sql}) w, unnest({given}) n WHERE strpos(lower(w), n) > 0)"
        case _:
            given = values.put(value, "text")
            return f'EXISTS (SELECT FROM unnest({sql}) w WHERE w {_COMPARED[op]} {given} COLLATE "C")'


def _as_text(compared: Compared) -> str:
    match compared.kind:
        case Kind.MOMENT | Kind.CHANGED:
            return written(compared.sql)
        case Kind.TEXT:
            return compared.sql
        case _:
            return f"({compared.sql})::text"
