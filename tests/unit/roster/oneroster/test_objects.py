"""The descriptions of objects against the official schemas."""

import pytest

from services.roster.domain.oneroster.versions import Version
from services.roster.store.oneroster.description import Object, fields_of
from services.roster.store.oneroster.objects import gradebook, resources, rostering
from tests.integration.oneroster import official

pytestmark = pytest.mark.skipif(not official.HERE, reason="the official descriptions are not here")
OBJECTS = [
    (rostering.ORGS, "OrgDType"), (rostering.SESSIONS, "AcademicSessionDType"), (rostering.COURSES, "CourseDType"),
    (rostering.CLASSES, "ClassDType"), (rostering.USERS, "UserDType"), (rostering.ENROLLMENTS, "EnrollmentDType"),
    (rostering.DEMOGRAPHICS, "DemographicsDType"), (resources.RESOURCES, "ResourceDType"),
    (gradebook.CATEGORIES, "CategoryDType"), (gradebook.SCORE_SCALES, "ScoreScaleDType"),
    (gradebook.LINE_ITEMS, "LineItemDType"), (gradebook.RESULTS, "ResultDType"),
    (gradebook.ASSESSMENT_LINE_ITEMS, "AssessmentLineItemDType"),
    (gradebook.ASSESSMENT_RESULTS, "AssessmentResultDType"),
]  # fmt: skip


@pytest.mark.parametrize(("described", "schema"), OBJECTS, ids=[schema for _, schema in OBJECTS])
def test_an_object_has_the_fields_of_its_schema_and_knows_which_are_required(described: Object, schema: str) -> None:
    theirs = official.description(described.service)["components"]["schemas"][schema]

    ours = fields_of(described, Version.V12)

    assert set(ours) == set(theirs["properties"])
    assert {name for name, field in ours.items() if field.required} == set(theirs["required"])
