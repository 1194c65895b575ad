"""What is read of the rostering and the resources service, with the scopes the official description asks for."""

from services.roster.api.oneroster.operation import Operation, Read, whole
from services.roster.domain.oneroster import scopes
from services.roster.store.oneroster.objects import collections, resources

_COLLECTIONS = {one.name: one for one in (*collections.COLLECTIONS, *resources.COLLECTIONS)}
_WHOLE = (
    "orgs", "schools", "academicSessions", "terms", "gradingPeriods", "courses", "classes", "users", "students",
    "teachers", "enrollments",
)  # fmt: skip
_WITHIN = {
    "/classes/{}/students": "students of class",
    "/classes/{}/teachers": "teachers of class",
    "/courses/{}/classes": "classes of course",
    "/schools/{}/classes": "classes of school",
    "/schools/{}/classes/{}/enrollments": "enrollments of class in school",
    "/schools/{}/classes/{}/students": "students of class in school",
    "/schools/{}/classes/{}/teachers": "teachers of class in school",
    "/schools/{}/courses": "courses of school",
    "/schools/{}/enrollments": "enrollments of school",
    "/schools/{}/students": "students of school",
    "/schools/{}/teachers": "teachers of school",
    "/schools/{}/terms": "terms of school",
    "/students/{}/classes": "classes of student",
    "/teachers/{}/classes": "classes of teacher",
    "/terms/{}/classes": "classes of term",
    "/terms/{}/gradingPeriods": "gradingPeriods of term",
    "/users/{}/classes": "classes of user",
}

ROSTERING: dict[str, Operation] = {
    **whole(_COLLECTIONS["demographics"], "/demographics", scopes.DEMOGRAPHICS),
    **{f"GET {path}": Read(_COLLECTIONS[name], scopes.ROSTER) for path, name in _WITHIN.items()},
}
for _name in _WHOLE:
    ROSTERING |= whole(_COLLECTIONS[_name], f"/{_name}", scopes.ROSTER_CORE)

RESOURCES: dict[str, Operation] = {
    **whole(_COLLECTIONS["resources"], "/resources", scopes.RESOURCES_CORE),
    "GET /classes/{}/resources": Read(_COLLECTIONS["resources of class"], scopes.RESOURCES),
    "GET /courses/{}/resources": Read(_COLLECTIONS["resources of course"], scopes.RESOURCES),
    "GET /users/{}/resources": Read(_COLLECTIONS["resources of user"], scopes.RESOURCES),
}
