"""Days in the graph: what of a school or a class is closed, and a student's attendance between two days."""

from tests.unit.gateway.asking import Graph
from tests.unit.gateway.world import World

CLOSED = """query Closed($day: Date!) {
  school(id: "sourcedId:school-1") { closures(asOf: $day) { class { title } begin end modality reason } }
  class(id: "sourcedId:class-of-school-1") { closures(asOf: $day) { class { title } end } }
}"""
ATTENDED = """query Attended($begin: Date!, $end: Date!) {
  class(id: "sourcedId:class-of-school-1") {
    students(first: 3) { nodes { attendance(begin: $begin, end: $end) { recorded codes { code status days } } } }
  }
}"""


class TestClosures:
    async def test_of_a_school_are_its_own_and_those_of_its_classes(self, asking: Graph) -> None:
        closures = (await asking.data(CLOSED, {"day": "2026-09-15"}))["school"]["closures"]

        whole, of_class, elsewhere = closures
        assert whole == {
            "class": None,
            "begin": "2026-09-15",
            "end": "2026-09-16",
            "modality": "remote",
            "reason": "No water",
        }
        assert (of_class["class"], of_class["end"]) == ({"title": "Class of School 1"}, None)
        assert elsewhere["class"] is None

    async def test_of_a_class_are_its_own_and_those_of_its_whole_school(self, asking: Graph) -> None:
        closures = (await asking.data(CLOSED, {"day": "2026-09-15"}))["class"]["closures"]

        assert closures == [
            {"class": None, "end": "2026-09-16"},
            {"class": {"title": "Class of School 1"}, "end": None},
        ]

    async def test_are_those_of_the_day_asked_for(self, asking: Graph) -> None:
        before, after = [
            (await asking.data(CLOSED, {"day": day}))["class"]["closures"] for day in ("2026-09-14", "2026-09-16")
        ]

        assert before == []
        assert [one["end"] for one in after] == [None]

    async def test_of_a_school_and_its_class_are_asked_once(self, asking: Graph, world: World) -> None:
        await asking.data(CLOSED, {"day": "2026-09-15"})

        assert world.asked["roster /closures:batch-list"] == 1


class TestAttendance:
    async def test_is_counted_by_code_the_most_frequent_first(self, asking: Graph) -> None:
        span = {"begin": "2026-09-14", "end": "2026-09-19"}
        nodes = (await asking.data(ATTENDED, span))["class"]["students"]["nodes"]

        assert nodes[0]["attendance"] == {
            "recorded": 5,
            "codes": [
                {"code": "P", "status": "Present", "days": 3},
                {"code": "E", "status": "ExcusedAbsence", "days": 1},
                {"code": "Q7", "status": None, "days": 1},
            ],
        }

    async def test_ends_before_the_end(self, asking: Graph) -> None:
        span = {"begin": "2026-09-14", "end": "2026-09-16"}
        nodes = (await asking.data(ATTENDED, span))["class"]["students"]["nodes"]

        assert [node["attendance"]["recorded"] for node in nodes] == [2, 2, 2]

    async def test_of_a_whole_class_is_asked_once(self, asking: Graph, world: World) -> None:
        await asking.data(ATTENDED, {"begin": "2026-09-14", "end": "2026-09-16"})

        assert world.asked["roster /attendance:batch-list"] == 1

    async def test_of_no_days_or_of_more_than_a_year_is_refused(self, asking: Graph) -> None:
        none = await asking.codes(ATTENDED, {"begin": "2026-09-14", "end": "2026-09-14"})
        many = await asking.codes(ATTENDED, {"begin": "2026-09-14", "end": "2027-09-16"})

        assert set(none) == set(many) == {"INVALID"}

    async def test_needs_the_roster(self, asking: Graph) -> None:
        codes = await asking.codes(ATTENDED, {"begin": "2026-09-14", "end": "2026-09-16"}, word="no roster")

        assert codes == ["FORBIDDEN"]
