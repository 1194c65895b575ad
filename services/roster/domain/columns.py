"""What a data file consists of: columns, each with what its cells hold."""

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Literal

Version = Literal["1.1", "1.2"]
Mode = Literal["bulk", "delta"]


class Kind(Enum):
    """What a cell holds."""

    TEXT = auto()
    KEY = auto()
    """The row's own sourcedId, or one of another file."""
    KEYS = auto()
    LIST = auto()
    IDS = auto()
    """A list of {type:identifier}."""
    SCALE = auto()
    """A list of {from:to}, kept as JSON."""
    DATE = auto()
    MOMENT = auto()
    BOOLEAN = auto()
    CODE = auto()
    CODES = auto()
    YEAR = auto()
    NUMBER = auto()


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    `target` is the file a reference points into; `needed`: without it the row means nothing. `staged` is the column's
    name here, None when it is not kept. `empty_in_bulk`: only a delta says it. `may_lack`: editions of the standard
    differ in whether there is such a column. `dispensable`: files must say it, and who is tolerant does without, for
    REST need not say it, so that a system which writes files of what it was told by REST has nothing to say; or nothing
    depends on it.
    """

    name: str
    kind: Kind = Kind.TEXT
    required: bool = False
    codes: frozenset[str] = frozenset()
    extensible: bool = False
    target: str | None = None
    needed: bool = False
    staged: str | None = ""
    empty_in_bulk: bool = False
    may_lack: bool = False
    dispensable: bool = False

    @property
    def place(self) -> str | None:
        """The column of the stage this is kept in."""
        return snake(self.name) if self.staged == "" else self.staged

    @property
    def longest(self) -> int:
        """How many bytes a cell may have; fewer where it goes into an index, whose rows PostgreSQL holds to 2,700."""
        return 1_000 if self.kind is Kind.KEY else 2_000 if self.name == "title" else 10 * 1024


@dataclass(frozen=True, slots=True)
class File:
    """One data file of the archive, as it comes: whole, or only what has changed."""

    name: str
    columns: tuple[Column, ...]
    mode: Mode = "bulk"

    @property
    def csv(self) -> str:
        return f"{self.name}.csv"

    @property
    def stage(self) -> str:
        """The stage its rows are read into."""
        return snake(self.name)

    @property
    def references(self) -> tuple[Column, ...]:
        """The columns that point into other files, or this one."""
        return tuple(column for column in self.columns if column.target is not None)

    @property
    def as_delta(self) -> "File":
        """The same file with changes only: each row says what became of it, and when."""
        columns = tuple(
            replace(column, required=True, empty_in_bulk=False) if column.empty_in_bulk else column
            for column in self.columns
        )
        return File(self.name, columns, "delta")


def snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def key(name: str, target: str, *, required: bool = False, needed: bool = False) -> Column:
    """A reference to one row of another file."""
    return Column(name, Kind.KEY, required=required or needed, target=target, needed=needed)


def code(
    name: str, codes: frozenset[str], version: Version, *, required: bool = True, dispensable: bool = False
) -> Column:
    """A word of a list; 1.2 lets vendors extend it."""
    extensible = version == "1.2"
    return Column(name, Kind.CODE, required=required, codes=codes, extensible=extensible, dispensable=dispensable)


STATUSES = frozenset({"active", "tobedeleted"})
HEAD = (
    Column("sourcedId", Kind.KEY, required=True),
    Column("status", Kind.CODE, codes=STATUSES, empty_in_bulk=True),
    Column("dateLastModified", Kind.MOMENT, empty_in_bulk=True),
)
"""What every file begins with."""
