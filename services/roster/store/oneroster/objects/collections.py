"""The collections of the rostering service: who belongs to what.

An enrolment counts until its end, also before it begins: rosters are set up before the first day of school.
"""

# ruff: noqa: S608  # constants

from services.roster.store.oneroster.description import Collection, Parent
from services.roster.store.oneroster.objects.rostering import (
    CLASSES,
    COURSES,
    DEMOGRAPHICS,
    ENROLLMENTS,
    ORGS,
    SESSIONS,
    USERS,
)

_TERM = "type IN ('term', 'semester')"
_SCHOOL = Parent("orgs", "p.type = 'school'")
_CLASS = Parent("classes")
_CLASS_IN_SCHOOL = Parent("classes", "p.school_id = {0}")
_STAYS = "{now:e} AND (e.end_on IS NULL OR e.end_on > current_date)"


def _enrolled(parents: str, role: str) -> str:
    return f"t.id IN ({_people_of(parents, role)})"


def _people_of(parents: str, role: str) -> str:
    return f"SELECT e.person_id FROM enrollments e WHERE {parents} AND e.role = '{role}' AND {_STAYS}"


def _at_school(role: str) -> str:
    """By the classes of the school; or by a role there, whose people are found by where they are placed.

    Gathered first: between two ways to belong, the planner would look at every person of the district.
    """
    of_school = "e.class_id IN (SELECT c.id FROM classes c WHERE c.school_id = {0})"
    return f"""t.id = ANY (ARRAY({_people_of(of_school, role)} UNION ALL
        SELECT l.person_id FROM placements l WHERE l.school_id = {{0}} AND EXISTS (
            SELECT FROM roles r WHERE r.person_id = l.person_id AND r.org_id = {{0}} AND r.role = '{role}'
            AND {{now:r}} AND (r.end_on IS NULL OR r.end_on > current_date))))"""


def _classes_of(role: str) -> str:
    also = f" AND e.role = '{role}'" if role else ""
    return f"t.id IN (SELECT e.class_id FROM enrollments e WHERE e.person_id = {{0}}{also} AND {_STAYS})"


_ENROLLED = ("enrollments",)
_AT_SCHOOL = ("enrollments", "roles", "classes")

COLLECTIONS = (
    Collection("orgs", ORGS),
    Collection("schools", ORGS, "t.type = 'school'"),
    Collection("academicSessions", SESSIONS),
    Collection("terms", SESSIONS, f"t.{_TERM}"),
    Collection("gradingPeriods", SESSIONS, "t.type = 'gradingPeriod'"),
    Collection("courses", COURSES),
    Collection("classes", CLASSES),
    Collection("users", USERS),
    Collection("students", USERS, "t.is_student"),
    Collection("teachers", USERS, "t.is_teacher"),
    Collection("enrollments", ENROLLMENTS),
    Collection("demographics", DEMOGRAPHICS),
    Collection("students of class", USERS, _enrolled("e.class_id = {0}", "student"), (_CLASS,), _ENROLLED),
    Collection("teachers of class", USERS, _enrolled("e.class_id = {0}", "teacher"), (_CLASS,), _ENROLLED),
    Collection("classes of course", CLASSES, "t.course_id = {0}", (Parent("courses"),)),
    Collection("classes of school", CLASSES, "t.school_id = {0}", (_SCHOOL,)),
    Collection(
        "enrollments of class in school", ENROLLMENTS, "t.class_id = {1}", (_SCHOOL, _CLASS_IN_SCHOOL), ("classes",)
    ),
    Collection(
        "students of class in school", USERS, _enrolled("e.class_id = {1}", "student"), (_SCHOOL, _CLASS_IN_SCHOOL),
        ("enrollments", "classes"),
    ),
    Collection(
        "teachers of class in school", USERS, _enrolled("e.class_id = {1}", "teacher"), (_SCHOOL, _CLASS_IN_SCHOOL),
        ("enrollments", "classes"),
    ),
    Collection(
        "courses of school", COURSES,
        "t.org_id = {0} OR t.id IN (SELECT c.course_id FROM classes c WHERE c.school_id = {0} AND {now:c})",
        (_SCHOOL,), ("classes",),
    ),
    Collection(
        "enrollments of school", ENROLLMENTS, "t.class_id IN (SELECT c.id FROM classes c WHERE c.school_id = {0})",
        (_SCHOOL,), ("classes",),
    ),
    Collection("students of school", USERS, _at_school("student"), (_SCHOOL,), _AT_SCHOOL),
    Collection("teachers of school", USERS, _at_school("teacher"), (_SCHOOL,), _AT_SCHOOL),
    Collection(
        "terms of school", SESSIONS,
        f"t.{_TERM} AND t.id IN (SELECT unnest(c.term_ids) FROM classes c WHERE c.school_id = {{0}} AND {{now:c}})",
        (_SCHOOL,), ("classes",),
    ),
    Collection("classes of student", CLASSES, _classes_of("student"), (Parent("people", "p.is_student"),), _ENROLLED),
    Collection("classes of teacher", CLASSES, _classes_of("teacher"), (Parent("people", "p.is_teacher"),), _ENROLLED),
    Collection("classes of user", CLASSES, _classes_of(""), (Parent("people"),), _ENROLLED),
    Collection("classes of term", CLASSES, "{0} = ANY (t.term_ids)", (Parent("academic_sessions", f"p.{_TERM}"),)),
    Collection(
        "gradingPeriods of term", SESSIONS, "t.type = 'gradingPeriod' AND t.parent_id = {0}",
        (Parent("academic_sessions", f"p.{_TERM}"),),
    ),
)  # fmt: skip
