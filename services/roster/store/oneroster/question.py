"""What is asked of a collection, and what that is as SQL: the rows it means, their order, and how each is told."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

from services.roster.domain.oneroster.asking import Asked, unknown_field
from services.roster.domain.oneroster.versions import Version
from services.roster.store.oneroster import conditions
from services.roster.store.oneroster.conditions import TOMBSTONES, AsOf, Values
from services.roster.store.oneroster.description import (
    STAMPED,
    Collection,
    Compared,
    Given,
    Kind,
    Object,
    Shared,
    built,
    fields_of,
    paths_of,
    shared_by,
)
from shared.auth import Caller

LATEST = "COALESCE((SELECT number FROM revisions ORDER BY at DESC LIMIT 1), 0)"
"""The revision that was committed last, as SQL."""
Since = dict[datetime, int | None]
"""The lowest revision after each moment by which a filter compares."""
_ACTIVE = Given("status", dict.fromkeys(Version, "'\"active\"'"), required=True)


@dataclass(frozen=True, slots=True)
class Document:
    """How a row `t` is told: SQL for it as JSON text, and what this speaks of that rows have in common."""

    said: str
    shared: tuple[Shared, ...]

    @property
    def joins(self) -> str:
        return "".join(one.join for one in self.shared)

    def alone(self) -> "Document":
        """The same for a single row: what is spoken of once is looked up in its place, which takes less to set up."""
        said, still = self.said, []
        for one in self.shared:
            if said.count(one.said) == 1:
                said = said.replace(one.said, f"({one.sql} LIMIT 1)")
            else:
                still.append(one)
        return Document(said, tuple(still))


@dataclass(frozen=True, slots=True)
class Question:
    """A page of a collection, asked in one version of the standard, at one public address."""

    collection: Collection
    parents: tuple[str, ...]
    version: Version
    asked: Asked
    root: str

    @property
    def ended_too(self) -> bool:
        return self.asked.filter is not None and self.asked.filter.mentions(*TOMBSTONES)

    @property
    def order(self) -> str:
        """How the rows are sorted; empty for the order of their sourcedIds."""
        return _order(self.collection.of, self.version, self.asked.sort, self.asked.descending)

    def document(self, as_of: AsOf | None, *, usual: bool = False) -> Document:
        told = document(self.collection.of, self.version, self.asked.fields, active=not self.ended_too, usual=usual)
        if as_of is None:
            return told
        then = f"LEAST({STAMPED}, {_at(as_of)})"
        return Document(told.said, tuple(replace(one, sql=one.sql.replace(STAMPED, then)) for one in told.shared))

    def is_usual(self, caller: Caller) -> bool:
        """Whether the usual form will do for nearly all that is told: what has ended has no role any more, and a key
        for named schools does not see every role."""
        return caller.schools is None and not self.ended_too

    def about(self, caller: Caller) -> Hashable:
        """What a list depends on, beside revisions."""
        return (
            caller.district, caller.schools, datetime.now(UTC).date(), self.collection.name, self.parents,
            None if self.asked.filter is None else (self.version, self.asked.filter),
        )  # fmt: skip

    def where(self, caller: Caller, values: Values, since: Since, as_of: AsOf | None) -> str:
        """The condition by which a row `t` is in the list."""
        where = conditions.rows_of(self.collection, self.parents, values, as_of, ended=self.ended_too)
        if caller.schools is not None and self.collection.of.placed and not self.parents:
            where = f"{where} AND {conditions.placed(self.collection.of)}"
        if self.asked.filter is not None:
            asked = conditions.matching(self.asked.filter, self.collection.of, self.version, values, since)
            where = f"{where} AND {asked}"
            if as_of is not None and self.asked.filter.mentions("dateLastModified"):
                where += f" AND {as_of.unchanged('t')}"
        return where


def _at(as_of: AsOf) -> str:
    """When a revision was. What changed later is told as changed then: whoever asks next for what changed since the
    latest time he saw misses nothing."""
    return f"(SELECT b.at FROM revisions b WHERE b.number = {as_of.number:d})"  # noqa: S608  # a number


@lru_cache(maxsize=1_000)
def document(
    described: Object, version: Version, fields: tuple[str, ...], *, active: bool, usual: bool = False
) -> Document:
    """How an object is told with these fields, or all; what the standard requires is always there. Raises Refused.

    In a list of what is `active`, so it is said of each, also of what has ended since the revision of the list.
    """
    known = fields_of(described, version)
    for name in fields:
        if name not in known:
            raise unknown_field(name)
    chosen = [one for one in known.values() if not fields or one.required or one.name in fields]
    chosen = [_ACTIVE if active and one.name == "status" else one for one in chosen]
    return Document(built(chosen, version, usual=usual), shared_by(chosen, version))


@lru_cache(maxsize=1_000)
def _order(described: Object, version: Version, sort: str | None, descending: bool) -> str:
    compared = paths_of(described, version).get(sort or "sourcedId")
    if compared is None or compared.around != "{condition}":
        compared, descending = paths_of(described, version)["sourcedId"], False  # as the standard says of such
    if compared.sql == "t.sourced_id" and not descending:
        return ""
    return f"{_sorted_by(compared)} {'DESC' if descending else 'ASC'} NULLS LAST, t.sourced_id"


def _sorted_by(compared: Compared) -> str:
    match compared.kind:
        case Kind.TEXT:
            return f'{compared.sql} COLLATE "C"'
        case Kind.WORDS:
            return f"array_to_string({compared.sql}, ',') COLLATE \"C\""
        case _:
            return compared.sql
