"""What OneRoster 1.1 has, as the published list says it: its operations, its objects, their fields and words."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from tests.integration.oneroster.official import SPECS

_FILE = SPECS / "oneroster-1.1-operations.md"
_ALWAYS = frozenset({"sourcedId", "status", "dateLastModified", "metadata"})
_KINDS = {
    "schools": "orgs", "terms": "academicSessions", "gradingPeriods": "academicSessions", "students": "users",
    "teachers": "users",
}  # fmt: skip
_SINGLES = {"classes": "class", "categories": "category", "demographics": "demographics"}


@dataclass(frozen=True)
class Operation:
    """An operation; every sourcedId of its path is {}."""

    method: str
    path: str

    @property
    def collection(self) -> str:
        """What it is about: `users` for all kinds of people."""
        last = self.path.removesuffix("/{}").rpartition("/")[2]
        return _KINDS.get(last, last)

    @property
    def kind(self) -> str:
        """One of them."""
        return _SINGLES.get(self.collection, self.collection.removesuffix("s"))

    @property
    def member(self) -> str:
        """The only member of an answer."""
        return self.kind if self.path.endswith("{}") else self.collection

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def operations() -> list[Operation]:
    """All of them; none where the list is not here."""
    if not _FILE.exists():
        return []
    found: list[Operation] = []
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if said := re.match(r"\*\*(Rostering|Resources|Gradebook), (GET|PUT and DELETE)", line):
            paths = [re.sub("{[^}]*}", "{}", one) for one in re.findall("`([^`]+)`", line)]
            paths = [one.replace("…", "/schools/{}/classes/{}") for one in paths]
            found += [Operation(method, path) for path in paths for method in said[2].split(" and ")]
    return found


@cache
def objects() -> dict[str, dict[str, frozenset[str]]]:
    """The fields of each object; for those that are a choice of words, the words."""
    found = {}
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 4 and re.fullmatch("[a-zA-Z]+", cells[1]) and cells[1] != "object":
            found[cells[1]] = {name: frozenset[str]() for name in _ALWAYS} | dict(_fields(cells[2]))
            found[cells[1]]["status"] = frozenset({"active", "tobedeleted"})
    return found


def _fields(cell: str) -> Iterator[tuple[str, frozenset[str]]]:
    for name, words in re.findall(r"(\w+)(?: \(([^)]*)\)| \[[^\]]*\])?(?:, |$)", cell):
        yield name, frozenset(words.removeprefix("one: ").split(", ")) - {""}
