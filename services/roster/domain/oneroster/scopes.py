"""Which OneRoster scopes a caller has: those of its token, or else those that our own scopes stand for."""

from collections.abc import Iterable
from functools import lru_cache

_PURL = "https://purl.imsglobal.org/spec/or/v1p2/scope/"
ROSTER = frozenset({_PURL + "roster.readonly"})
ROSTER_CORE = ROSTER | {_PURL + "roster-core.readonly"}
DEMOGRAPHICS = frozenset({_PURL + "roster-demographics.readonly"})
RESOURCES = frozenset({_PURL + "resource.readonly"})
RESOURCES_CORE = RESOURCES | {_PURL + "resource-core.readonly"}
GRADEBOOK = frozenset({_PURL + "gradebook.readonly"})
GRADEBOOK_CORE = GRADEBOOK | {_PURL + "gradebook-core.readonly"}
GRADEBOOK_PUT = frozenset({_PURL + "gradebook.createput"})
GRADEBOOK_POST = frozenset({_PURL + "gradebook.createpost"})
GRADEBOOK_DELETE = frozenset({_PURL + "gradebook.delete"})
ASSESSMENT = frozenset({_PURL + "assessment.readonly"})
ASSESSMENT_PUT = frozenset({_PURL + "assessment.createput"})
ASSESSMENT_DELETE = frozenset({_PURL + "assessment.delete"})

_IMPLIED = {
    "roster:read": ROSTER_CORE | RESOURCES_CORE,
    "demographics:read": DEMOGRAPHICS,
    "assessment:read": GRADEBOOK_CORE | ASSESSMENT,
    "gradebook:write": GRADEBOOK_PUT | GRADEBOOK_POST | GRADEBOOK_DELETE | ASSESSMENT_PUT | ASSESSMENT_DELETE,
}


@lru_cache(maxsize=1_000)
def granted(scopes: frozenset[str]) -> frozenset[str]:
    """The OneRoster scopes of a caller who came with these."""
    named = frozenset(scope for scope in scopes if scope.startswith(_PURL))
    return named or _union(_IMPLIED[scope] for scope in scopes if scope in _IMPLIED)


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*sets)
