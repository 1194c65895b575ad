"""The operations of OneRoster, by base and path, with the scopes that each one takes.

Words and sourcedIds alternate in every path, so a path is known by its words. What reads is described; what writes
has a function of its own (`Write`).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import Response

from services.roster.domain.oneroster import scopes
from services.roster.domain.oneroster.versions import PREFIX, Service, Version, base_of
from services.roster.store.oneroster.description import Collection
from services.roster.store.oneroster.objects import rostering
from shared.auth import Caller


@dataclass(frozen=True, slots=True)
class Read:
    """A collection, or with `single` one object of it, and the scopes of which one is needed."""

    collection: Collection
    scopes: frozenset[str]
    single: bool = False


Answer = Callable[[Request, Caller, Version, tuple[str, ...]], Awaitable[Response]]
"""Answers a write, given the sourcedIds in its path."""


@dataclass(frozen=True, slots=True)
class Write:
    """What changes something, and the scopes of which one is needed."""

    answer: Answer
    scopes: frozenset[str]


Operation = Read | Write


@dataclass(frozen=True, slots=True)
class Found:
    """What a path means: the operations by method, and the sourcedIds in it."""

    version: Version
    operations: Mapping[str, Operation]
    sourced_ids: tuple[str, ...]


_BASES = {
    **{base_of(service, Version.V12): (service, Version.V12) for service in Service},
    base_of(Service.ROSTERING, Version.V11): (None, Version.V11),
}
_DEPTH = PREFIX.count("/")


def _reads(collections: Mapping[str, Collection], paths: str, many: frozenset[str]) -> dict[str, Operation]:
    """Operations for lines of `path collection`."""
    found: dict[str, Operation] = {}
    for line in paths.strip().splitlines():
        path, name = line.split()
        found[f"GET {path}"] = Read(collections[name], many)
    return found


def _with_singles(operations: Mapping[str, Operation], single: frozenset[str]) -> dict[str, Operation]:
    """With the single object of every collection at the top."""
    found = dict(operations)
    for key, one in operations.items():
        if isinstance(one, Read) and key.count("/") == 1:
            found[key] = Read(one.collection, single)
            found[f"{key}/{{}}"] = Read(one.collection, single, single=True)
    return found


_ROSTERING = {one.name: one for one in rostering.COLLECTIONS}
OPERATIONS: dict[Service, dict[str, Operation]] = {
    Service.ROSTERING: _with_singles(
        _reads(
            _ROSTERING,
            """
            /orgs orgs
            /schools schools
            """,
            scopes.ROSTER,
        ),
        scopes.ROSTER_CORE,
    ),
    Service.RESOURCES: {},
    Service.GRADEBOOK: {},
}
ONLY_IN_12: frozenset[str] = frozenset()


def _words(path: str) -> tuple[str, ...]:
    return tuple(path.strip("/").split("/")[::2])


def _table() -> dict[tuple[Service | None, tuple[str, ...], bool], dict[str, Operation]]:
    """By service (None is 1.1, in small letters), the words of a path, and whether it ends in a sourcedId."""
    table: dict[tuple[Service | None, tuple[str, ...], bool], dict[str, Operation]] = {}
    for service, operations in OPERATIONS.items():
        for key, operation in operations.items():
            method, _, path = key.partition(" ")
            ends = path.endswith("{}")
            table.setdefault((service, _words(path), ends), {})[method] = operation
            if key not in ONLY_IN_12:
                small = tuple(word.lower() for word in _words(path))
                table.setdefault((None, small, ends), {})[method] = operation
    return table


_TABLE = _table()


def version_of(segments: Sequence[str]) -> Version:
    """Which version a path speaks, also one that means nothing."""
    return Version.V11 if len(segments) > _DEPTH and segments[_DEPTH].lower() == "v1p1" else Version.V12


def find(raw_path: str) -> Found | Version:
    """What this path means, or only the version that its answer has to speak."""
    segments = raw_path.strip("/").split("/")
    version = version_of(segments)
    depth = _DEPTH + (1 if version is Version.V11 else 2)
    base = _BASES.get("/" + "/".join(segments[:depth]).lower())
    rest = segments[depth:]
    if base is None or not rest:
        return version
    words = tuple(rest[::2])
    if version is Version.V11:
        words = tuple(word.lower() for word in words)
    operations = _TABLE.get((base[0], words, len(rest) % 2 == 0))
    if operations is None:
        return version
    return Found(version, operations, tuple(unquote(one) for one in rest[1::2]))
