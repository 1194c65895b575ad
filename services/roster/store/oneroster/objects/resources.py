"""The objects of the resources service and the collections they are read in."""

from services.roster.domain.oneroster.versions import Service
from services.roster.store.oneroster.description import RECORD, Collection, Object, Parent, Text, Words

RESOURCES = Object(
    "resource", "resources", "resources", Service.RESOURCES,
    (
        *RECORD,
        Text("title", "t.title"),
        Words("roles", "t.roles"),
        Text("importance", "t.importance"),
        Text("vendorResourceId", "t.vendor_resource_id", required=True),
        Text("vendorId", "t.vendor_id"),
        Text("applicationId", "t.application_id"),
    ),
)  # fmt: skip


def _of(name: str, parent: str, table: str, column: str) -> Collection:
    where = f"t.sourced_id IN (SELECT a.resource FROM {table} a WHERE a.{column} = {{0}} AND {{now:a}})"  # noqa: S608  # constants
    return Collection(name, RESOURCES, where, (Parent(parent),), (table,))


COLLECTIONS = (
    Collection("resources", RESOURCES),
    _of("resources of class", "classes", "class_resources", "class_id"),
    _of("resources of course", "courses", "course_resources", "course_id"),
    _of("resources of user", "people", "user_resources", "person_id"),
)
