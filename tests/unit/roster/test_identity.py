"""What others rely on never changing: identities, and facts as bytes."""

from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from services.roster import events
from services.roster.store.naming import row_id
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb

DISTRICT = UUID("11111111-1111-4111-8111-111111111111")


@given(st.uuids(), st.sampled_from(["org", "user", "enrollment"]), st.text())
def test_a_rows_identity_is_uuid5_of_source_type_and_name(district: UUID, type: str, name: str) -> None:
    assert row_id(district, type, name) == uuid5(district, f"sis:{type}:{name}")


def test_the_same_name_in_two_types_is_two_rows() -> None:
    assert row_id(DISTRICT, "user", "1") != row_id(DISTRICT, "class", "1")


def _bytes_of(school: UUID, begin: int | None, end: int | None) -> bytes:
    days = (events.NO_DAY if day is None else day for day in (begin, end))
    return school.bytes + b"".join(day.to_bytes(4, "big", signed=True) for day in days)


DAYS = st.none() | st.integers(-100_000, 100_000)
PLACES = st.lists(st.tuples(st.uuids(), DAYS, DAYS), max_size=4)


@given(st.uuids(), st.booleans(), PLACES)
def test_a_place_is_written_as_protobuf_would_write_it(
    person: UUID, as_student: bool, places: list[tuple[UUID, int | None, int | None]]
) -> None:
    moved = [(person.bytes, as_student, "joined", None, b"".join(_bytes_of(*place) for place in places))]
    listed = [pb.Place(school=school.bytes, begin_day=begin, end_day=end) for school, begin, end in places]

    placed = events.placements(DISTRICT, moved)
    joined = events.people(DISTRICT, moved, "joined")

    assert len(placed.facts) == as_student
    for key, fact in zip(placed.keys, placed.facts, strict=True):
        read = pb.Placement.FromString(fact)
        assert (key, fact) == (person.bytes, read.SerializeToString())
        assert (read.student, list(read.places)) == (person.bytes, listed)
    (fact,) = joined.facts
    read = pb.PersonJoined.FromString(fact)
    assert fact == read.SerializeToString()
    assert (read.person, read.as_student, list(read.places)) == (person.bytes, as_student, listed)


@given(st.uuids(), st.text(max_size=300), DAYS, DAYS, st.booleans())
def test_an_enrolment_is_written_as_protobuf_would_write_it(
    person: UUID, name: str, begin: int | None, end: int | None, ended: bool
) -> None:
    days = [events.NO_DAY if day is None else day for day in (begin, end)]
    said = f"ext:a b{' ended' if ended else ''} {days[0]} {days[1]}"
    changed = {
        "people": person.bytes, "classes": bytes(16), "schools": bytes(range(16)), "names": [name], "rest": [said]
    }  # fmt: skip

    (fact,) = events.enrollments(DISTRICT, changed).facts

    read = pb.EnrollmentChanged.FromString(fact)
    assert (read.person, read.school, read.role, read.enrollment) == (person.bytes, bytes(range(16)), "ext:a b", name)
    assert (read.HasField("begin_day"), read.HasField("end_day"), read.ended) == (
        begin is not None, end is not None, ended
    )  # fmt: skip
    assert (read.begin_day, read.end_day) == (begin or 0, end or 0)


ANSWERS = st.lists(st.none() | st.booleans(), min_size=7, max_size=7)


@given(st.uuids(), DAYS, st.sampled_from([None, "female", "other"]), ANSWERS, st.booleans())
def test_demographics_are_written_as_protobuf_would_write_them(
    person: UUID, born: int | None, sex: str | None, answers: list[bool | None], ended: bool
) -> None:
    (fact,) = events.demographics(DISTRICT, [(person.bytes, born, sex, *answers, ended)]).facts

    read = pb.Demographics.FromString(fact)
    assert fact == read.SerializeToString()
    fields = [field.name for field in pb.Demographics.DESCRIPTOR.fields if 5 <= field.number <= 11]
    said = [getattr(read, name) if read.HasField(name) else None for name in fields]
    assert (read.person, read.sex, said, read.ended) == (person.bytes, sex or "", answers, ended)
    assert (read.birth_day if read.HasField("birth_day") else None) == born


def test_a_fact_of_the_same_import_and_record_has_the_same_id() -> None:
    moved = [(UUID(int=1).bytes, True, "moved", None, b"")]

    assert events.placements(DISTRICT, moved) == events.placements(DISTRICT, moved)
    assert events.placements(DISTRICT, moved).facts != events.people(DISTRICT, moved, "moved").facts
