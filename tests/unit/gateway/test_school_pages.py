"""School pages, programmes and proposals in the graph: what is shown, to whom, and in no order of merit."""

from graphql import GraphQLEnumType, get_named_type, parse

from services.gateway.graph.ids import node_id
from services.gateway.limits import COST, check_shape
from services.gateway.schema import schema
from tests.unit.gateway.asking import Graph
from tests.unit.gateway.partnerships import LEFT, REASON
from tests.unit.gateway.world import LEARNERS, NEED, NORTH, SOUTH, STRENGTH, World, an_id

SCHOOL_PAGE = """query SchoolPage($id: ID!) {
  school(id: $id) {
    name
    parent { name }
    areas { competency { code statement } snapshotAt learners strength need suppressed }
    willingness { area role eagerness capacity diagnosticsAllowed declaredAt school { name } }
  }
}"""
PROPOSALS = """query Proposals($programme: ID!, $state: ProposalState) {
  programme(id: $programme) {
    id title currency
    areas { code title competencies { code } }
    matching { state done total proposals unmatchedCount explanation snapshotAt
      unmatched(first: 50) { nodes { area role reason school { name } } } }
  }
  partnershipProposals(programme: $programme, state: $state, first: 50) {
    pageInfo { hasNextPage }
    nodes {
      id area state reason hostBasis guestBasis distanceKm hostAnswer guestAnswer hostName guestName
      host { name parent { name } } guest { name }
      programme { title }
    }
  }
}"""
FIRST = {"programme": "sourcedId:learning-partnerships"}
WITH_RESULTS = ("strength", "need", "learners", "theta", "probability", "score", "rank", "order", "sort")


class TestASchoolPage:
    async def test_shows_the_figures_of_its_snapshot_and_withholds_small_ones(self, asking: Graph) -> None:
        page = (await asking.data(SCHOOL_PAGE, {"id": "sourcedId:school-1"}))["school"]

        told, withheld = page["areas"]
        assert (told["learners"], told["strength"], told["need"]) == (LEARNERS, STRENGTH, NEED)
        assert told["suppressed"] is False
        assert (withheld["learners"], withheld["strength"], withheld["need"]) == (None, None, None)
        assert withheld["suppressed"] is True
        assert told["competency"] == {"code": "4.8", "statement": "Can do 1"}
        assert page["parent"] == {"name": "The Office"}

    async def test_shows_what_the_school_declares(self, asking: Graph) -> None:
        page = (await asking.data(SCHOOL_PAGE, {"id": "sourcedId:school-2"}))["school"]

        assert [(one["area"], one["role"]) for one in page["willingness"]] == [
            ("mathematics", "SEEKS"),
            ("reading", "OFFERS"),
        ]
        assert page["willingness"][0]["diagnosticsAllowed"] is False
        assert page["willingness"][0]["school"] == {"name": "School 2"}

    async def test_of_a_school_without_figures_or_declarations_has_empty_lists(self, asking: Graph) -> None:
        page = (await asking.data(SCHOOL_PAGE, {"id": "sourcedId:school-3"}))["school"]

        assert page["areas"] == page["willingness"] == []

    async def test_is_for_the_schools_own_key_and_for_no_other_schools(self, asking: Graph) -> None:
        own = await asking.data(SCHOOL_PAGE, {"id": "sourcedId:school-1"}, word="school")
        other = await asking.ask(SCHOOL_PAGE, {"id": "sourcedId:school-2"}, word="school")

        assert own["school"]["areas"][0]["strength"] == STRENGTH
        assert own["school"]["parent"] is None
        assert other["data"] == {"school": None}
        assert [error["extensions"]["code"] for error in other["errors"]] == ["NOT_FOUND"]

    async def test_is_for_its_own_district(self, asking: Graph) -> None:
        theirs = node_id("School", an_id(SOUTH, "school:1"))

        assert await asking.codes(SCHOOL_PAGE, {"id": theirs}) == ["NOT_FOUND"]

    async def test_asks_each_service_once_for_all_schools_of_a_page(self, asking: Graph, world: World) -> None:
        await asking.data(
            """{ partnershipProposals(programme: "sourcedId:learning-partnerships", first: 50) { nodes {
                 host { areas { strength } willingness { area } } guest { areas { need } willingness { area } } } } }"""
        )

        assert world.asked["mastery /areas:batch-list"] == 1
        assert world.asked["partnership /willingness:batch-list"] == 1

    async def test_stays_when_partnership_is_away(self, asking: Graph, world: World) -> None:
        world.away.add("partnership")

        answer = await asking.ask(SCHOOL_PAGE, {"id": "sourcedId:school-1"})

        assert answer["data"]["school"]["areas"][0]["need"] == NEED
        assert answer["data"]["school"]["willingness"] is None
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAVAILABLE"]


class TestProposals:
    async def test_say_between_whom_why_and_what_that_rests_on(self, asking: Graph) -> None:
        data = await asking.data(PROPOSALS, FIRST)

        [proposal] = [one for one in data["partnershipProposals"]["nodes"] if one["hostName"] == "School 1"]
        assert proposal["host"] == {"name": "School 1", "parent": {"name": "The Office"}}
        assert proposal["guest"] == {"name": proposal["guestName"]} == {"name": "School 2"}
        assert (proposal["hostBasis"], proposal["guestBasis"]) == ("MEASURED", "DECLARED")
        assert (proposal["reason"], proposal["state"], proposal["hostAnswer"]) == (REASON, "PROPOSED", None)
        assert proposal["programme"] == {"title": "Learning Partnerships"}

    async def test_come_with_the_matching_and_whom_it_left(self, asking: Graph) -> None:
        programme = (await asking.data(PROPOSALS, FIRST))["programme"]

        assert programme["matching"]["state"] == "PROPOSED"
        assert {one["school"]["name"] for one in programme["matching"]["unmatched"]["nodes"]} == {
            "School 1",
            "School 3",
        }
        assert {one["reason"] for one in programme["matching"]["unmatched"]["nodes"]} == {LEFT}
        assert [area["competencies"] for area in programme["areas"]] == [[{"code": "4.7"}, {"code": "4.8"}], []]

    async def test_of_a_programme_without_a_matching_are_none(self, asking: Graph) -> None:
        data = await asking.data(PROPOSALS, {"programme": "sourcedId:reading-circle"})

        assert data["programme"]["matching"] is None
        assert data["partnershipProposals"]["nodes"] == []

    async def test_can_be_asked_for_by_their_state(self, asking: Graph) -> None:
        accepted = await asking.data(PROPOSALS, FIRST | {"state": "ACCEPTED"})
        proposed = await asking.data(PROPOSALS, FIRST | {"state": "PROPOSED"})

        assert accepted["partnershipProposals"]["nodes"] == []
        assert len(proposed["partnershipProposals"]["nodes"]) == 2

    async def test_lead_page_by_page_through_all_once(self, asking: Graph) -> None:
        query = """query ($after: String) { programme(id: "sourcedId:learning-partnerships") {
            proposals(first: 1, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } }
            matching { unmatched(first: 1, after: $after) { edges { node { area } } } } } }"""

        first = (await asking.data(query))["programme"]["proposals"]
        rest = (await asking.data(query, {"after": first["pageInfo"]["endCursor"]}))["programme"]["proposals"]

        assert first["nodes"] != rest["nodes"]
        assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)

    async def test_to_a_schools_key_are_its_own_and_name_the_other_side(self, asking: Graph) -> None:
        data = await asking.data(PROPOSALS, FIRST, word="school")

        [proposal] = data["partnershipProposals"]["nodes"]
        assert proposal["host"] == {"name": "School 1", "parent": None}
        assert (proposal["guest"], proposal["guestName"]) == (None, "School 2")
        assert [one["school"]["name"] for one in data["programme"]["matching"]["unmatched"]["nodes"]] == ["School 1"]

    async def test_of_other_schools_or_districts_are_no_node(self, asking: Graph) -> None:
        own = node_id("PartnershipProposal", an_id(NORTH, "proposal:1:2"))
        others = node_id("PartnershipProposal", an_id(NORTH, "proposal:2:3"))
        query = "query ($id: ID!) { node(id: $id) { __typename id } }"

        assert (await asking.data(query, {"id": own}, word="school"))["node"]["id"] == own
        assert await asking.codes(query, {"id": others}, word="school") == ["NOT_FOUND"]
        assert await asking.codes(query, {"id": own}, word="south") == ["NOT_FOUND"]

    async def test_of_no_programme_are_not_found(self, asking: Graph) -> None:
        assert await asking.codes(PROPOSALS, {"programme": "sourcedId:nope"}) == ["NOT_FOUND", "NOT_FOUND"]


class TestProgrammes:
    async def test_are_listed_and_found_again_by_id_and_code(self, asking: Graph) -> None:
        listed = (await asking.data("{ programmes(first: 10) { nodes { id sourcedId } } }"))["programmes"]["nodes"]
        again = await asking.data(
            "query ($id: ID!) { node(id: $id) { ... on Programme { sourcedId } } programme(id: $id) { title } }",
            {"id": listed[0]["id"]},
        )

        assert [one["sourcedId"] for one in listed] == ["learning-partnerships", "reading-circle"]
        assert again == {
            "node": {"sourcedId": "learning-partnerships"},
            "programme": {"title": "Learning Partnerships"},
        }

    async def test_of_another_district_are_not_there(self, asking: Graph) -> None:
        theirs = node_id("Programme", an_id(SOUTH, "programme:reading-circle"))

        assert await asking.codes("query ($id: ID!) { programme(id: $id) { title } }", {"id": theirs}) == ["NOT_FOUND"]


class TestNoOrderOfMerit:
    def test_no_argument_of_the_schema_can_sort_or_filter_by_results(self) -> None:
        for kind in schema._schema.type_map.values():
            for field in getattr(kind, "fields", {}).values():
                for name, argument in getattr(field, "args", {}).items():
                    inner = get_named_type(argument.type)
                    words = [name, *(inner.values if isinstance(inner, GraphQLEnumType) else ())]
                    if not kind.name.startswith("__"):
                        assert not [word for word in words if any(bad in word.lower() for bad in WITH_RESULTS)], name

    def test_there_is_no_list_of_schools_with_their_figures_but_pairs_and_those_left(self) -> None:
        lists = {
            f"{kind.name}.{name}"
            for kind in schema._schema.type_map.values()
            for name, field in getattr(kind, "fields", {}).items()
            if get_named_type(field.type).name in ("School", "SchoolConnection") and "[" in str(field.type)
        }

        assert lists == set()


class TestTheLimits:
    async def test_leave_room_for_both_pages(self, asking: Graph) -> None:
        page = await asking.ask(SCHOOL_PAGE, {"id": "sourcedId:school-1"})
        proposals = await asking.ask(PROPOSALS, FIRST)

        for answer in (page, proposals):
            assert "errors" not in answer
            assert answer["extensions"]["cost"]["requested"] < COST / 10

    def test_of_depth_are_kept_by_both_pages(self) -> None:
        check_shape(parse(SCHOOL_PAGE))
        check_shape(parse(PROPOSALS))
