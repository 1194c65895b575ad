"""How an object is told: what its fields find in common."""

from services.roster.domain.oneroster.versions import Version
from services.roster.store.oneroster.objects import gradebook, rostering
from services.roster.store.oneroster.question import document


def test_what_two_fields_find_by_the_same_id_is_joined_once() -> None:
    told = document(rostering.USERS, Version.V12, (), active=True)

    assert told.joins.count(" orgs_by_primary_org_id ON true") == 1
    assert told.said.count("orgs_by_primary_org_id.said") > 1


def test_what_nobody_asked_for_is_not_joined() -> None:
    told = document(rostering.CLASSES, Version.V12, ("title",), active=True)

    assert "orgs_by_school_id" in told.joins  # the standard requires it
    assert "categories" not in told.joins
    assert "sessions_by_grading" not in document(gradebook.LINE_ITEMS, Version.V12, ("title",), active=True).joins


def test_for_a_single_row_what_is_spoken_of_once_is_looked_up_in_its_place() -> None:
    told = document(rostering.CLASSES, Version.V12, (), active=False)

    alone = told.alone()

    assert told.joins
    assert alone.joins == ""
    assert ".said" not in alone.said
