"""How an object of OneRoster is described: its fields, each with its JSON and what filters and sorts compare.

From the description the JSON is built inside PostgreSQL, as text: a member that is NULL is left out. The row is `t`;
what many rows have in common is joined to it once and said once. `{root}` in SQL stands for the public address. SQL
here is constant; what a caller says is never part of it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache

from services.roster.domain.oneroster.versions import BOTH, Service, Version
from services.roster.domain.oneroster.vocabularies import Vocabulary
from services.roster.store.oneroster.wording import (
    Kinship,
    gathered,
    listed,
    mapped,
    nowhere,
    quoted,
    reference,
    written,
)


class Kind(StrEnum):
    """How values are compared."""

    TEXT = "text"
    FLAG = "flag"
    DAY = "day"
    MOMENT = "moment"
    NUMBER = "number"
    WORDS = "words"
    CHANGED = "changed"


UNUSUAL = b"\x01"
"""In what is said in the usual form: it has to be asked for in full. No JSON has this byte in it."""
UNTOLD = f"chr({UNUSUAL[0]})"
"""It, as SQL."""


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """What a path of a filter means: a value, or for parts of lists a condition `around` it ({condition}).

    `equal`: how it is said that it equals a {value} so that an index finds the rows.
    """

    kind: Kind
    sql: str
    around: str = "{condition}"
    equal: str = ""


@dataclass(frozen=True, slots=True)
class Shared:
    """What many rows of a page have in common, `said` once for each value of a column of theirs.

    A lateral join: while it tells a page, PostgreSQL remembers what it found (Memoize) where its statistics say that
    values recur. LIMIT keeps it a look-up by index of what is not remembered, and the rows in their order.
    """

    name: str
    sql: str

    @property
    def said(self) -> str:
        """How it is spoken of."""
        return f"{self.name}.said"

    @property
    def join(self) -> str:
        return f" LEFT JOIN LATERAL ({self.sql} LIMIT 1) {self.name} ON true"


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A member of an object. Each kind of field says its own JSON and paths."""

    name: str
    versions: frozenset[Version] = field(default=BOTH, kw_only=True)
    required: bool = field(default=False, kw_only=True)

    def json(self, version: Version) -> str:
        """SQL for the member's value as JSON text, NULL when there is none."""
        raise NotImplementedError

    def usual(self, version: Version) -> str:
        """The same, with UNUSUAL where it takes more to say it: a plan is set up whole, whatever of it is needed."""
        return self.json(version)

    def shared(self, version: Version) -> tuple[Shared, ...]:
        """What its SQL speaks of that rows have in common."""
        return ()

    def paths(self, version: Version) -> Mapping[str, Compared]:
        """What filters may ask of it, by dotted path."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, eq=False)
class Text(Field):
    """A text. One that has `words11`, its vocabulary in 1.1, is never NULL, or the vocabulary has no other."""

    sql: str
    words11: Vocabulary | None = None

    def _said(self, version: Version) -> str:
        return mapped(self.sql, self.words11) if self.words11 and version is Version.V11 else self.sql

    def json(self, version: Version) -> str:
        return quoted(self._said(version))

    def paths(self, version: Version) -> Mapping[str, Compared]:
        return {self.name: Compared(Kind.TEXT, self._said(version))}


@dataclass(frozen=True, slots=True, eq=False)
class Flag(Field):
    """A boolean, which OneRoster writes as the string true or false."""

    sql: str

    def json(self, version: Version) -> str:
        return f"""CASE WHEN {self.sql} THEN '"true"' WHEN NOT {self.sql} THEN '"false"' END"""

    def paths(self, version: Version) -> Mapping[str, Compared]:
        return {self.name: Compared(Kind.FLAG, self.sql)}


@dataclass(frozen=True, slots=True, eq=False)
class Day(Field):
    """A date."""

    sql: str

    def json(self, version: Version) -> str:
        return f"""'"' || {self.sql}::text || '"'"""

    def paths(self, version: Version) -> Mapping[str, Compared]:
        return {self.name: Compared(Kind.DAY, self.sql)}


@dataclass(frozen=True, slots=True, eq=False)
class Moment(Field):
    """A date and time."""

    sql: str

    def json(self, version: Version) -> str:
        return f"""'"' || {written(self.sql)} || '"'"""

    def paths(self, version: Version) -> Mapping[str, Compared]:
        return {self.name: Compared(Kind.MOMENT, self.sql)}


CHANGED = "(SELECT v.at FROM revisions v WHERE v.number = t.revision)"
"""When the record changed last."""
STAMPED = "stamp.at"
"""The same, where it is told."""


@dataclass(frozen=True, slots=True, eq=False)
class Changed(Field):
    """When the record changed last: the time of its revision."""

    def json(self, version: Version) -> str:
        return "stamped.said"

    def shared(self, version: Version) -> tuple[Shared, ...]:
        said = f"""'"' || {written(STAMPED)} || '"'"""
        return (Shared("stamped", f"SELECT {said} AS said FROM revisions stamp WHERE stamp.number = t.revision"),)  # noqa: S608  # constants

    def paths(self, version: Version) -> Mapping[str, Compared]:
        return {self.name: Compared(Kind.CHANGED, CHANGED)}


@dataclass(frozen=True, slots=True, eq=False)
class Number(Field):
    """A number."""

    sql: str

    def json(self, version: Version) -> str:
        return f"({self.sql})::text"

    def paths(self, version: Version) -> Mapping[str, Compared]:
        return {self.name: Compared(Kind.NUMBER, self.sql)}


@dataclass(frozen=True, slots=True, eq=False)
class Words(Field):
    """A list of texts (text[]); an empty one is left out."""

    sql: str

    def json(self, version: Version) -> str:
        return f"CASE WHEN cardinality({self.sql}) > 0 THEN array_to_json({self.sql})::text END"

    def paths(self, version: Version) -> Mapping[str, Compared]:
        return {self.name: Compared(Kind.WORDS, self.sql)}


@dataclass(frozen=True, slots=True, eq=False)
class Metadata(Field):
    """What the source says beyond the standard (jsonb); `metadata.anything` may be asked about."""

    sql: str = "t.metadata"

    def json(self, version: Version) -> str:
        return f"CASE WHEN ({self.sql}) <> '{{}}' THEN ({self.sql})::text END"

    def paths(self, version: Version) -> Mapping[str, Compared]:
        return {}


_BY_ID = re.compile(r"FROM (\w+) o WHERE o\.id = (\w+)\.(\w+)")
_BY_IDS = re.compile(r"FROM (\w+) o WHERE o\.id = ANY \(t\.(\w+)\)")
"""What one of the kinds that have an identity is found by, or several."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference(Field):
    """A reference. `sql` is a sourcedId; or, with `source`, a column of what this FROM clause finds.

    What is found by an id that the row has is shared. `often`: a column of the row in which the same id as a part's
    stands as a rule. A required one that finds nothing leads nowhere.
    """

    to: Kinship
    sql: str
    source: str = ""
    often: str = ""

    def json(self, version: Version) -> str:
        said = reference(self.sql, self.to, version)
        found = [f"(SELECT {said} {self.source} LIMIT 1)" if self.source else said]  # constants
        for shared in self.shared(version):
            of_row = f"CASE WHEN {self._id} = {self.often} THEN {shared.said} END"
            found = [of_row, *found] if self.often else [shared.said]
        if self.required:
            found.append(nowhere(self.to, version))
        return found[0] if len(found) == 1 else f"COALESCE({', '.join(found)})"

    def shared(self, version: Version) -> tuple[Shared, ...]:
        by_id = _BY_ID.fullmatch(self.source)
        table, of, column = by_id.groups() if by_id else ("", "", "")
        if self.often:
            of, column = self.often.split(".")
        if of != "t":
            return ()
        said = reference(self.sql, self.to, version)
        found = f"SELECT {said} AS said FROM {table} o WHERE o.id = t.{column}"  # noqa: S608  # constants
        return (Shared(f"{table}_by_{column}", found),)

    @property
    def _id(self) -> str:
        """The column with the id by which it is found."""
        return self.source.rpartition(" = ")[2]

    def paths(self, version: Version) -> Mapping[str, Compared]:
        value = f"(SELECT {self.sql} {self.source} LIMIT 1)" if self.source else self.sql  # constants
        by_id, equal = _BY_ID.fullmatch(self.source), ""
        if by_id is not None and self.sql == "o.sourced_id":
            equal = f"{self._id} = (SELECT k.id FROM {by_id[1]} k WHERE k.sourced_id = {{value}})"  # noqa: S608  # constants
        compared = Compared(Kind.TEXT, value, equal=equal)
        return {self.name: compared, f"{self.name}.sourcedId": compared}


@dataclass(frozen=True, slots=True, eq=False)
class References(Field):
    """References to all that a FROM clause (with a WHERE) finds, by sourcedId; no empty list is told.

    What is found by the ids that the row has is shared.
    """

    to: Kinship
    sql: str
    source: str
    given: str = ""
    """A cheap condition without which there are none."""
    unless: tuple[tuple[str, str], ...] = ()

    def json(self, version: Version) -> str:
        found = [self._first(version)]
        found += [self._found(sql, source, version) for sql, source in self.unless]
        if self.required:
            found.append(f"concat('[', {nowhere(self.to, version)}, ']')")
        return found[0] if len(found) == 1 else f"COALESCE({', '.join(found)})"

    def usual(self, version: Version) -> str:
        return f"COALESCE({self._first(version)}, {UNTOLD})" if self.unless else self.json(version)

    def shared(self, version: Version) -> tuple[Shared, ...]:
        by_ids = _BY_IDS.fullmatch(self.source)
        if by_ids is None:
            return ()
        said = gathered(reference(self.sql, self.to, version), self.sql)
        return (Shared(f"{by_ids[1]}_by_{by_ids[2]}", f"SELECT {said} AS said {self.source}"),)  # constants

    def _first(self, version: Version) -> str:
        for shared in self.shared(version):
            return shared.said
        found = self._found(self.sql, self.source, version)
        return f"CASE WHEN {self.given} THEN {found} END" if self.given else found

    def _found(self, sql: str, source: str, version: Version) -> str:
        return listed(reference(sql, self.to, version), source, sql)

    def paths(self, version: Version) -> Mapping[str, Compared]:
        compared = Compared(Kind.TEXT, self.sql, f"EXISTS (SELECT {self.source} AND {{condition}})")
        return {self.name: compared, f"{self.name}.sourcedId": compared}


@dataclass(frozen=True, slots=True, eq=False)
class Parts(Field):
    """A list of objects of their own: what the first of these FROM clauses (with a WHERE) that finds anything finds.

    `members` speak of `p`, which every FROM clause names; `order` too.
    """

    members: tuple[Field, ...]
    sources: tuple[str, ...]
    order: str = ""
    given: str = ""
    """A cheap condition without which there are none."""

    def json(self, version: Version) -> str:
        found = [self._found(source, version) for source in self.sources]
        said = found[0] if len(found) == 1 else f"COALESCE({', '.join(found)})"
        return f"CASE WHEN {self.given} THEN {said} END" if self.given else said

    def usual(self, version: Version) -> str:
        if len(self.sources) == 1:
            return self.json(version)
        return f"COALESCE({self._found(self.sources[0], version)}, {UNTOLD})"

    def shared(self, version: Version) -> tuple[Shared, ...]:
        return tuple(one for member in self.members for one in member.shared(version))

    def _found(self, source: str, version: Version) -> str:
        return listed(built(self.members, version), source, self.order)

    def paths(self, version: Version) -> Mapping[str, Compared]:
        found = {}
        for member in self.members:
            for path, compared in member.paths(version).items():
                tests, before = [], ""
                for source in self.sources:
                    tests.append(f"{before}EXISTS (SELECT {source} AND {compared.around})")
                    before += f"NOT EXISTS (SELECT {source}) AND "
                around = " OR ".join(f"({test})" for test in tests)
                found[f"{self.name}.{path}"] = Compared(compared.kind, compared.sql, f"({around})", compared.equal)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Given(Field):
    """A member whose JSON is said outright, by version; filters compare `compared`, if anything."""

    said: Mapping[Version, str]
    compared: Compared | None = None
    briefly: str = ""
    """The usual form, if it has one."""

    def json(self, version: Version) -> str:
        return self.said[version]

    def usual(self, version: Version) -> str:
        return self.briefly or self.json(version)

    def paths(self, version: Version) -> Mapping[str, Compared]:
        return {} if self.compared is None else {self.name: self.compared}


def built(fields: Sequence[Field], version: Version, *, usual: bool = False) -> str:
    """SQL for an object of these fields as JSON text, or its usual form; members that are NULL are left out."""
    chosen = [one for one in fields if version in one.versions]
    said = [f"""',"{one.name}":' || {one.usual(version) if usual else one.json(version)}""" for one in chosen]
    members = ", ".join(said)
    if chosen[0].required:  # it is always there, and has no comma before it
        return f"concat('{{{members[2:]}, '}}')"
    return f"concat('{{', right(concat({members}), -1), '}}')"


def shared_by(fields: Sequence[Field], version: Version) -> tuple[Shared, ...]:
    """What the SQL of these fields speaks of that rows have in common, each once."""
    chosen = (one for one in fields if version in one.versions)
    return tuple(dict.fromkeys(shared for one in chosen for shared in one.shared(version)))


@dataclass(frozen=True, slots=True, eq=False)
class Object:
    """A kind of object: its name alone and among others, its table, its service and its fields.

    `made_of`: the tables behind it, where it is a view. `of_results`: it says how somebody did. `placed`: the column
    of the person without whose place at a school a key for that school does not see it.
    """

    name: str
    plural: str
    table: str
    service: Service
    fields: tuple[Field, ...]
    made_of: tuple[str, ...] = ()
    of_results: bool = False
    placed: str = ""


RECORD = (
    Text("sourcedId", "t.sourced_id", required=True),
    Text("status", "t.status", required=True),
    Changed("dateLastModified", required=True),
    Metadata("metadata"),
)
"""What every object begins with."""


@cache
def fields_of(described: Object, version: Version) -> Mapping[str, Field]:
    """The fields it has in this version, by name."""
    return {one.name: one for one in described.fields if version in one.versions}


@cache
def metadata_of(described: Object) -> str:
    """The SQL of what it says beyond the standard."""
    return next(one.sql for one in described.fields if isinstance(one, Metadata))


@cache
def paths_of(described: Object, version: Version) -> Mapping[str, Compared]:
    """What filters may ask of it in this version."""
    return {path: how for one in fields_of(described, version).values() for path, how in one.paths(version).items()}


@dataclass(frozen=True, slots=True, eq=False)
class Parent:
    """What a collection lies in: the table, and which of its rows count (`p`). `key` is how others refer to it."""

    table: str
    where: str = ""
    key: str = "id"


@dataclass(frozen=True, slots=True, eq=False)
class Collection:
    """A list of objects: those for which `where` holds.

    In it `t` is the object, `{0}` and `{1}` are the keys of the parents, `{now:e}` says that the record `e` is
    active (or was, in the revision that is read). `others`: tables besides the object's that decide who belongs.
    """

    name: str
    of: Object
    where: str = ""
    parents: tuple[Parent, ...] = ()
    others: tuple[str, ...] = ()
