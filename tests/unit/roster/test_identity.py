"""What others rely on never changing: identities and days."""

from datetime import date
from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from services.roster import events
from services.roster.domain.placement import Placed
from services.roster.store.merging import row_id

DISTRICT = UUID("11111111-1111-4111-8111-111111111111")


@given(st.uuids(), st.sampled_from(["org", "user", "enrollment"]), st.text())
def test_a_rows_identity_is_uuid5_of_source_type_and_name(district: UUID, type: str, name: str) -> None:
    assert row_id(district, type, name) == uuid5(district, f"sis:{type}:{name}")


def test_the_same_name_in_two_types_is_two_rows() -> None:
    assert row_id(DISTRICT, "user", "1") != row_id(DISTRICT, "class", "1")


def test_a_place_says_its_days_and_leaves_open_what_is_open() -> None:
    student, school = UUID(int=1), UUID(int=2)

    (fact,) = events.placements(DISTRICT, [Placed(student, ((school, date(1970, 1, 11), None),))])

    assert (fact.student, fact.places[0].school) == (student.bytes, school.bytes)
    assert fact.places[0].begin_day == 10
    assert not fact.places[0].HasField("end_day")


def test_a_fact_of_the_same_import_and_student_has_the_same_id() -> None:
    moved = [Placed(UUID(int=1), ())]

    assert list(events.placements(DISTRICT, moved)) == list(events.placements(DISTRICT, moved))
