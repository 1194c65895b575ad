"""The operations of the gradebook service: what is read, with the scopes the official description asks for, and writes.

Who comes for accountability gets no results, neither of assessments nor of the district's own gradebooks (OneRoster has
no word for what a result was meant for), and writes nothing.
"""

from services.roster.api.oneroster import writes
from services.roster.api.oneroster.operation import Operation, Read, whole
from services.roster.domain.oneroster import scopes
from services.roster.store.oneroster.objects import gradebook

_COLLECTIONS = {one.name: one for one in gradebook.COLLECTIONS}
_WITHIN = {
    "/classes/{}/categories": "categories of class",
    "/classes/{}/scoreScales": "scoreScales of class",
    "/classes/{}/lineItems": "lineItems of class",
    "/classes/{}/results": "results of class",
    "/classes/{}/lineItems/{}/results": "results of lineItem",
    "/classes/{}/students/{}/results": "results of student",
    "/schools/{}/scoreScales": "scoreScales of school",
}

GRADEBOOK: dict[str, Operation] = {
    **{f"GET {path}": Read(_COLLECTIONS[name], scopes.GRADEBOOK) for path, name in _WITHIN.items()},
    **whole(_COLLECTIONS["assessmentLineItems"], "/assessmentLineItems", scopes.ASSESSMENT),
    **whole(_COLLECTIONS["assessmentResults"], "/assessmentResults", scopes.ASSESSMENT),
    **writes.WRITES,
}
for _name in ("categories", "scoreScales", "lineItems", "results"):
    GRADEBOOK |= whole(_COLLECTIONS[_name], f"/{_name}", scopes.GRADEBOOK_CORE)

_OF_1_1 = frozenset({"categories", "lineItems", "results"})


def _is_new(operation: str) -> bool:
    """Whether 1.1 has nothing like it: it creates no results in classes, and has no scales, and no assessments."""
    method, _, path = operation.partition(" ")
    words = path.strip("/").split("/")[::2]
    return method == "POST" or words == ["classes", "categories"] or words[-1] not in _OF_1_1


ONLY_IN_12 = frozenset(filter(_is_new, GRADEBOOK))
"""What 1.1 does not have."""
