"""Which operation a path means, in which version.

Words and sourcedIds alternate in every path of OneRoster, so a path is known by its words.
"""

from collections.abc import Mapping, Sequence
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


def _version_of(segments: Sequence[str]) -> Version:
    """Which version a path speaks, also one that means nothing."""
    return Version.V11 if len(segments) > _DEPTH and segments[_DEPTH].lower() == "v1p1" else Version.V12


def find(raw_path: str) -> Found | Version:
    """What this path means, or only the version that its answer has to speak."""
    segments = raw_path.strip("/").split("/")
    version = _version_of(segments)
    depth = _DEPTH + (1 if version is Version.V11 else 2)
    base = "/" + "/".join(segments[:depth]).lower()
    rest = segments[depth:]
    if base not in _BASES or not rest:
        return version
    words = tuple(rest[::2])
    if version is Version.V11:
        words = tuple(word.lower() for word in words)
    operations = _TABLE.get((_BASES[base], words, len(rest) % 2 == 0))
    if operations is None:
        return version
    sourced_ids = tuple(unquote(one) for one in rest[1::2])
    if any("\0" in one for one in sourced_ids):
        return version  # PostgreSQL has no such text
    return Found(version, operations, sourced_ids)
