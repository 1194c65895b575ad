"""What is found in a file: problems, repairs, and reasons to ask a person first."""

from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

MOST_KEPT = 10_000
"""Of each sort; how many there were is counted without bound."""
_LONGEST_VALUE = 200


class Sort(StrEnum):
    """What a finding does to its import: a problem refuses it, a repair is told, a hold asks a person."""

    PROBLEM = "problem"
    REPAIR = "repair"
    HOLD = "hold"


class Finding(BaseModel):
    """Something in a file that broke a rule: a problem, a repair that was made, a reason to hold the file."""

    model_config = ConfigDict(frozen=True)

    file: str
    line: int | None
    column: str | None
    value: str | None
    rule: str
    remedy: str


@dataclass(slots=True)
class Notes:
    """The first findings of each sort: a file full of repairs must not hide its problems."""

    kept: list[tuple[Sort, Finding]] = field(default_factory=list)
    _room: dict[Sort, int] = field(default_factory=lambda: dict.fromkeys(Sort, MOST_KEPT))

    def add(
        self, sort: Sort, file: str, line: int | None, column: str | None, value: str | None, rule: str, remedy: str
    ) -> None:
        """Keep this one, while there is room for its sort."""
        if self._room[sort]:
            self._room[sort] -= 1
            self.kept.append((sort, as_kept(file, line, column, value, rule, remedy)))


def as_kept(file: str, line: int | None, column: str | None, value: str | None, rule: str, remedy: str) -> Finding:
    """A finding as it is kept with the report: no longer than is told, and nothing PostgreSQL cannot write."""
    return Finding(
        file=_writable(file), line=line, column=None if column is None else _writable(column),
        value=None if value is None else _writable(value[:_LONGEST_VALUE]), rule=rule, remedy=_writable(remedy),
    )  # fmt: skip


def _writable(text: str) -> str:
    """The same without what PostgreSQL cannot keep as text: NUL and half of a surrogate pair."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
