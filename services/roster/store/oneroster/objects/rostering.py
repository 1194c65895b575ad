"""The objects of the rostering service and the collections they are read in."""

from services.roster.domain.oneroster import vocabularies as words
from services.roster.domain.oneroster.versions import Service
from services.roster.store.oneroster.description import (
    ORG,
    RECORD,
    Collection,
    Object,
    Reference,
    References,
    Text,
)

_KIN = "o.sourced_id"

ORGS = Object(
    "org", "orgs", "orgs", Service.ROSTERING,
    (
        *RECORD,
        Text("name", "t.name", required=True),
        Text("type", "t.type", words.ORG_TYPES_11, required=True),
        Text("identifier", "COALESCE(t.identifier, t.sourced_id)", required=True),
        Reference("parent", ORG, _KIN, "FROM orgs o WHERE o.id = t.parent_id"),
        References("children", ORG, _KIN, "FROM orgs o WHERE o.parent_id = t.id AND o.status = 'active'"),
    ),
)  # fmt: skip

COLLECTIONS = (
    Collection("orgs", ORGS),
    Collection("schools", ORGS, "t.type = 'school'"),
)
