"""What a key may do, in OneRoster's words: the scopes of OAuth2 that clients of OneRoster ask for.

The names are the standard's. 1.1 and 1.2 write them under addresses of their own and mean the same; inside only those
of 1.2 travel.
"""

from collections.abc import Iterable

VERSION_1_1 = "https://purl.imsglobal.org/spec/or/v1p1/scope/"
VERSION_1_2 = "https://purl.imsglobal.org/spec/or/v1p2/scope/"

IMPLIED: dict[str, tuple[str, ...]] = {
    "roster:read": ("roster.readonly", "roster-core.readonly", "resource.readonly", "resource-core.readonly"),
    "demographics:read": ("roster-demographics.readonly",),
    "assessment:read": ("gradebook.readonly", "gradebook-core.readonly", "assessment.readonly"),
    "gradebook:write": (
        "gradebook.createput", "gradebook.createpost", "gradebook.delete", "assessment.createput", "assessment.delete",
    ),
}  # fmt: skip
"""What each scope of a key is worth in OneRoster; scopes that are not here open nothing there."""

_NEEDS = {name: scope for scope, names in IMPLIED.items() for name in names}


def implied(scopes: Iterable[str]) -> tuple[str, ...]:
    """The names that a key with these scopes may have, in the order of the table."""
    held = frozenset(scopes)
    return tuple(name for scope, names in IMPLIED.items() if scope in held for name in names)


def written(names: Iterable[str]) -> tuple[str, ...]:
    """Names as the addresses of 1.2."""
    return tuple(VERSION_1_2 + name for name in names)


def name_of(address: str) -> str | None:
    """The name behind an address of either version; None when it is none that we know."""
    for version in (VERSION_1_2, VERSION_1_1):
        name = address.removeprefix(version)
        if name != address and name in _NEEDS:
            return name
    return None


def inside(names: Iterable[str]) -> frozenset[str]:
    """What a caller with these names may do inside: our scopes they need, and the names themselves, as addresses."""
    known = [name for name in names if name in _NEEDS]
    return frozenset((*(_NEEDS[name] for name in known), *written(known)))
