"""Facts as lines of JSON are what protobuf itself would write."""

import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from shared import fact_json
from shared.events_pb.trellis.events.mastery.v1 import mastery_pb2 as mastery
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb

ID, OTHER = bytes(range(16)), bytes(range(240, 256))
_PLACES = [pb.Place(school=ID, begin_day=0, end_day=-3), pb.Place(school=OTHER)]
FACTS = [
    (pb.StudentsPlaced, pb.Placement(id=ID, student=OTHER, places=_PLACES)),
    (pb.StudentsPlaced, pb.Placement()),
    (pb.PeopleJoined, pb.PersonJoined(id=ID, person=OTHER, as_student=True, places=_PLACES)),
    (pb.EnrollmentsChanged, pb.EnrollmentChanged(id=ID, role="ext:éclair", begin_day=0, enrollment='"\\\n')),
    (pb.OrganisationsChanged, pb.OrganisationChanged(id=ID, organisation=OTHER, type="school", ended=True)),
    (pb.PeopleSplit, pb.PersonSplit(id=ID, sourced_ids=["a", ""])),
    (pb.ClosuresChanged, pb.Closure(id=ID, begin_day=0, end_day=20_000, withdrawn=False)),
    (pb.DemographicsRecorded, pb.Demographics(id=ID, birth_day=-1, sex="female", asian=False, white=True)),
]


@pytest.mark.parametrize(("event", "fact"), FACTS, ids=lambda one: getattr(one, "__name__", ""))
def test_a_fact_is_written_as_protobuf_writes_it(event: Any, fact: Any) -> None:
    [line] = fact_json.lines(event, [fact.SerializeToString()]).splitlines()

    assert json.loads(line) == {"type": event.DESCRIPTOR.full_name, "fact": MessageToDict(fact)}


def test_every_fact_has_a_line_of_its_own() -> None:
    facts = [pb.Placement(id=bytes([number]) * 16).SerializeToString() for number in range(3)]

    lines = fact_json.lines(pb.StudentsPlaced, facts)

    assert lines.endswith(b"\n")
    assert len({json.loads(line)["fact"]["id"] for line in lines.splitlines()}) == 3


def test_a_type_whose_json_form_is_another_is_refused_and_not_written_wrong() -> None:
    with pytest.raises(TypeError, match="of a type that no fact has had"):
        fact_json.lines(mastery.MasteryChanged, [b""])
