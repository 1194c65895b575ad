"""What the graph answers."""

import httpx
import pytest

from services.gateway.graph.ids import node_id
from tests.unit.gateway.asking import Graph
from tests.unit.gateway.world import LOWER, MODEL, NORTH, PROBABILITY, SCORE, SOUTH, THETA, UPPER, World, an_id

CLASS_PAGE = """
query ClassPage($id: ID!, $first: Int!) {
  class(id: $id) {
    id sourcedId title
    school { id name classes(first: 5) { nodes { title } } }
    competencies { id code statement parent { statement } }
    students(first: $first) {
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      nodes {
        givenName familyName
        abilities { theta standardError rawScore maximum reason parameterVersion administration { title } }
        mastery { probability evidenceCount lastEvidenceAt modelVersion competency { code } }
      }
    }
  }
}
"""


class TestAClassPage:
    async def test_has_everything_in_one_answer(self, asking: Graph) -> None:
        data = await asking.data(CLASS_PAGE, {"id": "sourcedId:class-of-school-1", "first": 30})

        page = data["class"]
        assert page["title"] == "Class of School 1"
        assert page["school"]["name"] == "School 1"
        assert [student["familyName"] for student in page["students"]["nodes"]] == ["Byron000", "Byron001", "Byron002"]
        first = page["students"]["nodes"][0]
        assert first["abilities"][0]["theta"] == THETA
        assert first["abilities"][0]["administration"] == {"title": "Fall 0"}
        assert {belief["probability"] for belief in first["mastery"]} == {PROBABILITY}

    async def test_asks_each_service_once_for_all_students(self, asking: Graph, world: World) -> None:
        world.students_per_class = 100

        await asking.data(CLASS_PAGE, {"id": "sourcedId:class-of-school-1", "first": 100})

        assert world.asked["assessment /abilities:batch-list"] == 1
        assert world.asked["roster /students:batch-list"] == 1
        assert world.asked["mastery /mastery:columns"] == 1
        assert world.asked["assessment /administrations:batch-get"] == 1

    async def test_lists_competencies_with_evidence_by_code(self, asking: Graph) -> None:
        data = await asking.data(CLASS_PAGE, {"id": "sourcedId:class-of-school-1", "first": 1})

        assert [one["code"] for one in data["class"]["competencies"]] == ["4.6", "4.7", "4.8"]
        assert data["class"]["competencies"][0]["parent"] == {"statement": "Can do 0"}

    async def test_counts_students_beyond_the_first_page_for_competencies(self, asking: Graph, world: World) -> None:
        world.students_per_class = 230

        await asking.data('{ class(id: "sourcedId:class-of-school-1") { competencies { code } } }')

        assert world.asked["roster /students:batch-list"] == 3

    async def test_of_another_district_is_not_there(self, asking: Graph) -> None:
        theirs = node_id("Class", an_id(SOUTH, "class:school-1"))

        answer = await asking.ask("query ($id: ID!) { class(id: $id) { title } }", {"id": theirs})

        assert answer["data"] == {"class": None}
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["NOT_FOUND"]

    async def test_of_another_school_looks_like_one_that_does_not_exist(self, asking: Graph) -> None:
        query = "query ($id: ID!) { class(id: $id) { title } }"
        other = node_id("Class", an_id(NORTH, "class:school-2"))
        nothing = node_id("Class", an_id(NORTH, "class:school-99"))

        not_yours = await asking.ask(query, {"id": other}, word="school")
        not_there = await asking.ask(query, {"id": nothing}, word="school")

        not_yours.pop("extensions"), not_there.pop("extensions")
        assert not_yours == not_there


class TestAStudent:
    async def test_shows_evidence_page_by_page(self, asking: Graph) -> None:
        query = """query ($after: String) { student(id: "sourcedId:student-0-of-class-of-school-1") {
            evidence(first: 3, after: $after) {
              pageInfo { hasNextPage hasPreviousPage endCursor }
              edges { cursor node { item score before after modality competency { code } administration { title } } }
            } } }"""

        first = (await asking.data(query))["student"]["evidence"]
        rest = (await asking.data(query, {"after": first["pageInfo"]["endCursor"]}))["student"]["evidence"]

        assert [edge["node"]["item"] for edge in first["edges"]] == ["m4-000", "m4-001", "m4-002"]
        assert first["pageInfo"]["hasNextPage"] is True
        assert first["pageInfo"]["hasPreviousPage"] is False
        assert [edge["node"]["item"] for edge in rest["edges"]] == ["m4-003"]
        assert rest["pageInfo"]["hasNextPage"] is False
        assert rest["pageInfo"]["hasPreviousPage"] is True
        assert first["edges"][0]["node"]["score"] == SCORE
        assert first["edges"][0]["node"]["modality"] == "IN_PERSON"

    async def test_shows_the_mastery_asked_for_in_the_order_asked_for(self, asking: Graph) -> None:
        ids = ["sourcedId:case-3", node_id("Competency", an_id(NORTH, "competency:1")), "sourcedId:case-0"]

        data = await asking.data(
            """query ($ids: [ID!]) { student(id: "sourcedId:student-0-of-class-of-school-1") {
                 mastery(competencies: $ids) {
                   probability lower upper level evidenceCount competency { sourcedId } } } }""",
            {"ids": ids},
        )

        shown = data["student"]["mastery"]
        assert [one["competency"]["sourcedId"] for one in shown] == ["case-3", "case-1", "case-0"]
        assert [one["probability"] for one in shown] == [PROBABILITY, PROBABILITY, None]
        assert [one["lower"] for one in shown] == [LOWER, LOWER, None]
        assert [one["upper"] for one in shown] == [UPPER, UPPER, None]
        assert [one["level"] for one in shown] == ["DEVELOPING", "DEVELOPING", "UNKNOWN"]

    async def test_shows_what_is_known_of_clusters_and_how_much_of_them_is(self, asking: Graph, world: World) -> None:
        data = await asking.data(
            """{ student(id: "sourcedId:student-0-of-class-of-school-1") {
                 all: rollUps { competency { sourcedId } coverage }
                 some: rollUps(competencies: ["sourcedId:case-3", "sourcedId:case-0"]) {
                   competency { sourcedId } probability lower upper assessed leaves coverage
                   evidenceCount lastEvidenceAt modelVersion } } }"""
        )

        assert data["student"]["all"] == [{"competency": {"sourcedId": "case-0"}, "coverage": 0.75}]
        unknown, known = data["student"]["some"]
        assert unknown == {
            "competency": {"sourcedId": "case-3"}, "probability": None, "lower": None, "upper": None, "assessed": 0,
            "leaves": 1, "coverage": 0, "evidenceCount": 0, "lastEvidenceAt": None, "modelVersion": MODEL,
        }  # fmt: skip
        assert (known["probability"], known["lower"], known["upper"]) == (PROBABILITY, LOWER, UPPER)
        assert (known["assessed"], known["leaves"], known["evidenceCount"]) == (3, 4, 6)
        assert world.asked["mastery /roll-ups:batch-list"] == 2

    async def test_knows_a_competency_by_its_identifier_in_capitals_too(self, asking: Graph) -> None:
        data = await asking.data(
            """{ student(id: "sourcedId:student-0-of-class-of-school-1") {
                 mastery(competencies: ["sourcedId:CASE-3"]) { competency { sourcedId } } } }"""
        )

        assert [one["competency"]["sourcedId"] for one in data["student"]["mastery"]] == ["case-3"]

    async def test_has_no_mastery_of_a_competency_that_does_not_exist(self, asking: Graph) -> None:
        answer = await asking.ask(
            '{ student(id: "sourcedId:student-0-of-class-of-school-1") '
            '{ givenName mastery(competencies: ["sourcedId:nope"]) { probability } } }'
        )

        assert answer["data"]["student"] == {"givenName": "Ada0", "mastery": None}
        assert answer["errors"][0]["extensions"]["code"] == "NOT_FOUND"

    async def test_of_another_school_is_not_there(self, asking: Graph) -> None:
        query = 'query { student(id: "sourcedId:student-0-of-class-of-school-2") { givenName } }'

        assert await asking.codes(query) == []
        assert await asking.codes(query, word="school") == ["NOT_FOUND"]


class TestANode:
    @pytest.mark.parametrize(
        ("kind", "name"),
        [
            ("Class", "class:school-1"),
            ("Student", "student:class-of-school-1:0"),
            ("School", "school:1"),
            ("Competency", "competency:1"),
            ("Administration", "administration:1"),
        ],
    )
    async def test_is_found_again_by_its_id(self, asking: Graph, kind: str, name: str) -> None:
        id_ = node_id(kind, an_id(NORTH, name))  # type: ignore[arg-type]  # any kind, from the parameters

        data = await asking.data("query ($id: ID!) { node(id: $id) { __typename id } }", {"id": id_})

        assert data["node"] == {"__typename": kind, "id": id_}

    @pytest.mark.parametrize("id_", ["", "nonsense", "sourcedId:x", "U3R1ZGVudDp4", "é", "sourcedId:"])
    async def test_is_invalid_with_an_id_of_no_node(self, asking: Graph, id_: str) -> None:
        assert await asking.codes("query ($id: ID!) { node(id: $id) { id } }", {"id": id_}) == ["INVALID"]

    async def test_is_not_found_by_a_name_that_nothing_can_have(self, asking: Graph, world: World) -> None:
        query = "query ($id: ID!) { student(id: $id) { id } }"

        assert await asking.codes(query, {"id": "sourcedId:a\0"}) == ["NOT_FOUND"]
        assert not world.asked

    async def test_of_another_kind_is_not_found_by_a_look_up(self, asking: Graph) -> None:
        student = node_id("Student", an_id(NORTH, "student:class-of-school-1:0"))

        assert await asking.codes("query ($id: ID!) { class(id: $id) { id } }", {"id": student}) == ["NOT_FOUND"]


class TestPages:
    async def test_of_classes_and_students_lead_through_everything_once(self, asking: Graph, world: World) -> None:
        world.students_per_class = 7
        query = """query ($after: String) { class(id: "sourcedId:class-of-school-1") { students(first: 3, after: $after)
            { nodes { familyName } pageInfo { hasNextPage endCursor } } } }"""

        seen, after, pages = [], None, 0
        while pages < 10:
            page = (await asking.data(query, {"after": after}))["class"]["students"]
            seen += [student["familyName"] for student in page["nodes"]]
            pages += 1
            if not page["pageInfo"]["hasNextPage"]:
                break
            after = page["pageInfo"]["endCursor"]

        assert seen == [f"Byron{n:03}" for n in range(7)]
        assert pages == 3

    async def test_of_a_school(self, asking: Graph) -> None:
        data = await asking.data(
            """{ classes(school: "sourcedId:school-2", first: 10) { edges { cursor node { title } } }
                 school(id: "sourcedId:school-2") {
                   name type sector latitude longitude classes(first: 1) { nodes { id } } } }"""
        )

        assert [edge["node"]["title"] for edge in data["classes"]["edges"]] == ["Class of School 2"]
        assert data["school"]["latitude"] == 41.5
        assert len(data["school"]["classes"]["nodes"]) == 1

    async def test_of_administrations(self, asking: Graph) -> None:
        query = """query ($after: String) { administrations(first: 2, after: $after) {
            nodes { title purpose } pageInfo { endCursor hasNextPage } } }"""

        first = (await asking.data(query))["administrations"]
        rest = (await asking.data(query, {"after": first["pageInfo"]["endCursor"]}))["administrations"]

        assert [one["title"] for one in first["nodes"] + rest["nodes"]] == ["Fall 0", "Fall 1", "Fall 2"]
        assert first["nodes"][0]["purpose"] == "DIAGNOSTIC"
        assert rest["pageInfo"]["hasNextPage"] is False

    @pytest.mark.parametrize("cursor", ["nonsense", "cm93OnB1cHB5", ""])
    async def test_refuse_a_cursor_that_is_not_theirs(self, asking: Graph, cursor: str) -> None:
        query = "query ($after: String) { administrations(first: 2, after: $after) { nodes { id } } }"

        assert await asking.codes(query, {"after": cursor}) == ["INVALID"]


class TestWhenSomethingIsAway:
    async def test_the_rest_of_the_answer_is_there(self, asking: Graph, world: World) -> None:
        world.away.add("mastery")

        answer = await asking.ask(
            '{ student(id: "sourcedId:student-0-of-class-of-school-1") '
            "{ givenName abilities { theta } mastery { probability } } }"
        )

        assert answer["data"]["student"]["givenName"] == "Ada0"
        assert answer["data"]["student"]["abilities"][0]["theta"] == THETA
        assert answer["data"]["student"]["mastery"] is None
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAVAILABLE"]
        assert answer["errors"][0]["path"] == ["student", "mastery"]

    async def test_nothing_inside_is_told(self, asking: Graph, world: World) -> None:
        world.broken = True
        try:
            answer = await asking.ask('{ school(id: "sourcedId:school-1") { name } }')
        except httpx.HTTPError:
            raise AssertionError("an answer was expected") from None

        assert "secret detail" not in str(answer)
        assert answer["errors"][0]["extensions"]["code"] == "UNAVAILABLE"


class TestTheCaller:
    async def test_travels_to_the_services_whole(self, asking: Graph, world: World) -> None:
        await asking.data('{ school(id: "sourcedId:school-1") { name } }', word="school")

        [caller] = world.callers
        assert caller.district == NORTH
        assert caller.subject == "key:test"
        assert caller.schools == (an_id(NORTH, "school:1"),)

    async def test_of_one_request_never_serves_another(self, asking: Graph, world: World) -> None:
        query = '{ school(id: "sourcedId:school-1") { id } }'

        mine = await asking.data(query)
        theirs = await asking.data(query, word="south")

        assert mine != theirs
        assert world.asked["roster /schools:batch-get"] == 2
