"""Reads a whole district through the methods of a OneRoster 1.1 client that nobody here wrote; as JSON, the sourcedIds
of each collection, and how many rows it found within some.

python -m tests.integration.oneroster.foreign_client http://127.0.0.1:8000/ims/oneroster/v1p1 TOKEN
"""

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import oneroster_client as theirs

PAGE = 100
COLLECTIONS = {
    "orgs": (theirs.OrgsManagementApi, "get_orgs", "get_org"),
    "schools": (theirs.SchoolsManagementApi, "get_schools", "get_school"),
    "academicSessions": (theirs.AcademicSessionsManagementApi, "get_academic_sessions", "get_academic_session"),
    "terms": (theirs.TermsManagementApi, "get_terms", "get_term"),
    "gradingPeriods": (theirs.GradingPeriodsManagementApi, "get_grading_periods", "get_grading_period"),
    "courses": (theirs.CoursesManagementApi, "get_courses", "get_course"),
    "classes": (theirs.ClassesManagementApi, "get_classes", "get_class"),
    "users": (theirs.UsersManagementApi, "get_users", "get_user"),
    "students": (theirs.StudentsManagementApi, "get_students", "get_student"),
    "teachers": (theirs.TeachersManagementApi, "get_teachers", "get_teacher"),
    "enrollments": (theirs.EnrollmentsManagementApi, "get_enrollments", "get_enrollment"),
    "demographics": (theirs.DemographicsManagementApi, "get_demographics", "get_demographic"),
    "resources": (theirs.ResourcesManagementApi, "get_resources", "get_resource"),
    "categories": (theirs.CategoriesManagementApi, "get_categories", "get_category"),
    "lineItems": (theirs.LineItemsManagementApi, "get_line_items", "get_line_item"),
    "results": (theirs.ResultsManagementApi, "get_results", "get_result"),
}
WITHIN = {
    "classes": [
        (theirs.StudentsManagementApi, "get_students_for_class"),
        (theirs.TeachersManagementApi, "get_teachers_for_class"),
        (theirs.ResourcesManagementApi, "get_resources_for_class"),
        (theirs.LineItemsManagementApi, "get_line_items_for_class"),
        (theirs.ResultsManagementApi, "get_results_for_class"),
    ],
    "courses": [
        (theirs.ClassesManagementApi, "get_classes_for_course"),
        (theirs.ResourcesManagementApi, "get_resources_for_course"),
    ],
    "schools": [
        (theirs.ClassesManagementApi, "get_classes_for_school"),
        (theirs.CoursesManagementApi, "get_courses_for_school"),
        (theirs.EnrollmentsManagementApi, "get_enrollments_for_school"),
        (theirs.StudentsManagementApi, "get_students_for_school"),
        (theirs.TeachersManagementApi, "get_teachers_for_school"),
        (theirs.TermsManagementApi, "get_terms_for_school"),
    ],
    "terms": [
        (theirs.ClassesManagementApi, "get_classes_for_term"),
        (theirs.GradingPeriodsManagementApi, "get_grading_periods_for_term"),
    ],
    "students": [(theirs.ClassesManagementApi, "get_classes_for_student")],
    "teachers": [(theirs.ClassesManagementApi, "get_classes_for_teacher")],
    "users": [(theirs.ClassesManagementApi, "get_classes_for_user")],
}
SINGLES = 3
PARENTS = 2


def rows_of(answer: Any) -> list[Any]:
    """The collection in an answer, which has one member."""
    (rows,) = [getattr(answer, name) for name in answer.swagger_types]
    return list(rows or [])


def pages(method: Callable[..., Any], *parents: str) -> Iterator[Any]:
    """Every row, a page at a time."""
    offset = 0
    while rows := rows_of(method(*parents, limit=PAGE, offset=offset)):
        yield from rows
        offset += PAGE


def main(address: str, token: str) -> None:
    configuration = theirs.Configuration()
    configuration.host = address
    configuration.access_token = token
    client = theirs.ApiClient(configuration)
    named: dict[str, list[str]] = {}
    within: dict[str, int] = {}
    for name, (api, many, one) in COLLECTIONS.items():
        there = api(client)
        rows = list(pages(getattr(there, many)))
        names = [row.sourced_id for row in rows]
        assert len(set(names)) == len(names), name
        named[name] = names
        for sourced_id in names[:SINGLES]:
            (single,) = [value for value in getattr(there, one)(sourced_id).to_dict().values() if value]
            assert single["sourced_id"] == sourced_id
        for inner, method in WITHIN.get(name, []):
            found = [len(list(pages(getattr(inner(client), method), parent))) for parent in names[-PARENTS:]]
            within[f"{name}: {method}"] = sum(found)
    print(json.dumps({"named": named, "within": within}))  # noqa: T201  # what it is run for


if __name__ == "__main__":
    main(*sys.argv[1:])
