"""Which operation a path means, in which version.

Words and sourcedIds alternate in every path of OneRoster, so a path is known by its words.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import unquote

from services.roster.api.oneroster import gradebook, reads
from services.roster.api.oneroster.operation import Found, Operation, Operations
from services.roster.domain.oneroster.versions import PREFIX, Service, Version, base_of

OPERATIONS: Mapping[Service, Operations] = {
    Service.ROSTERING: reads.ROSTERING,
    Service.RESOURCES: reads.RESOURCES,
    Service.GRADEBOOK: gradebook.GRADEBOOK,
}
ONLY_IN_12 = frozenset({"GET /users/{}/resources"}) | gradebook.ONLY_IN_12
"""What 1.1 does not have."""

_BASES = {
    **{base_of(service, Version.V12): service for service in Service},
    base_of(Service.ROSTERING, Version.V11): None,
}
_DEPTH = PREFIX.count("/")
_Table = dict[tuple[tuple[str, ...], bool], dict[str, Operation]]


def _words(path: str) -> tuple[str, ...]:
    return tuple(path.strip("/").split("/")[::2])


def _tables() -> dict[Service | None, _Table]:
    """By service (None is 1.1, in small letters), the words of a path, and whether it ends in a sourcedId."""
    tables: dict[Service | None, _Table] = {one: {} for one in (*Service, None)}
    for service, operations in OPERATIONS.items():
        for key, operation in operations.items():
            method, _, path = key.partition(" ")
            ends = path.endswith("{}")
            tables[service].setdefault((_words(path), ends), {})[method] = operation
            if key not in ONLY_IN_12:
                small = tuple(word.lower() for word in _words(path))
                tables[None].setdefault((small, ends), {})[method] = operation
    return tables


_TABLES = _tables()


def _version_of(segments: Sequence[str]) -> Version:
    """Which version a path speaks, also one that means nothing."""
    return Version.V11 if len(segments) > _DEPTH and segments[_DEPTH].lower() == "v1p1" else Version.V12


def find(raw_path: str) -> Found | Version:
    """What this path means, or only the version that its answer has to speak."""
    segments = raw_path.strip("/").split("/")
    version, depth, table = _based(tuple(segments[: _DEPTH + 2]))
    rest = segments[depth:]
    words = tuple(rest[::2])
    if version is Version.V11:
        words = tuple([word.lower() for word in words])
    operations = table.get((words, len(rest) % 2 == 0))
    if operations is None:
        return version
    sourced_ids = tuple([unquote(one) for one in rest[1::2]])
    if "\0" in "".join(sourced_ids):
        return version  # PostgreSQL has no such text
    return Found(version, operations, sourced_ids)


@lru_cache(maxsize=1_000)
def _based(segments: tuple[str, ...]) -> tuple[Version, int, _Table]:
    """Version, how many segments its base has, and what there is under it, for a path that begins like this."""
    version = _version_of(segments)
    depth = _DEPTH + (1 if version is Version.V11 else 2)
    base = "/" + "/".join(segments[:depth]).lower()
    return version, depth, _TABLES[_BASES[base]] if base in _BASES else {}
