"""Mutations: what is changed, what is refused and how, and that nothing is done twice."""

from typing import Any

import pytest

from services.gateway.cost import POINTS_A_CHANGE
from services.gateway.graph.ids import node_id
from services.gateway.schema import schema
from shared.auth import SCOPES, Caller, Purpose
from tests.unit.gateway.asking import Graph, graph
from tests.unit.gateway.world import NORTH, SOUTH, World, a_caller, an_id

OFFER = """mutation ($school: ID!, $area: String!, $eagerness: Int!) {
  offerPartnership(school: $school, area: $area, eagerness: $eagerness, capacity: 2, diagnosticsAllowed: true) {
    __typename
    ... on Willingness { area role eagerness diagnosticsAllowed school { name willingness { area role } } }
    ... on Refused { code message field }
  }
}"""
GOOD: dict[str, Any] = {"school": "sourcedId:school-3", "area": "reading", "eagerness": 5}
ANSWER = """mutation ($proposal: ID!, $school: ID!, $because: String) {
  declinePartnership(proposal: $proposal, school: $school, because: $because) {
    __typename
    ... on PartnershipProposal { state hostAnswer guestAnswer declinedBecause }
    ... on Refused { code message field }
  }
}"""
PROPOSAL = node_id("PartnershipProposal", an_id(NORTH, "proposal:1:2"))
PROPOSE = """mutation ($id: ID!) { proposePartnerships(programme: $id) {
  ... on Matching { state done total } ... on Refused { code message field } } }"""
PUBLISH = "mutation { publishSnapshot { ... on Snapshot { takenAt dueAt } ... on Refused { code message } } }"


async def refusal(asking: Graph, query: str, variables: dict[str, Any] | None = None, word: str = "me") -> Any:
    """Code and field of the one refusal that is the answer."""
    [answer] = (await asking.data(query, variables, word=word)).values()
    assert answer["message"]
    return answer["code"], answer.get("field")


class TestASchoolThatIsWilling:
    async def test_is_heard_and_can_be_read_in_the_same_answer(self, asking: Graph, world: World) -> None:
        said = (await asking.data(OFFER, GOOD))["offerPartnership"]

        assert (said["__typename"], said["role"], said["eagerness"]) == ("Willingness", "OFFERS", 5)
        assert said["school"] == {"name": "School 3", "willingness": [{"area": "reading", "role": "OFFERS"}]}
        [(_, what, caller)] = world.partnerships.changes
        assert (what.school, what.role, what.capacity) == (an_id(NORTH, "school:3"), "offers", 2)
        assert caller.subject == "key:test"

    async def test_may_seek_and_take_it_back_one_after_the_other(self, asking: Graph) -> None:
        data = await asking.data(
            """mutation {
                 seekPartnership(
                   school: "sourcedId:school-3", area: "reading", eagerness: 1, capacity: 1, diagnosticsAllowed: false
                 ) { ... on Willingness { role school { willingness { area } } } }
                 withdrawPartnership(school: "sourcedId:school-3", area: "reading") {
                   ... on Willingness { role school { willingness { area } } } } }"""
        )

        assert data["seekPartnership"] == {"role": "SEEKS", "school": {"willingness": [{"area": "reading"}]}}
        assert data["withdrawPartnership"] == {"role": "SEEKS", "school": {"willingness": []}}

    @pytest.mark.parametrize(
        ("wrong", "code", "field"),
        [
            ({"eagerness": 9}, "INVALID", "eagerness"), ({"area": "gossip"}, "INVALID", "area"),
            ({"area": "a\0b"}, "INVALID", "area"), ({"school": "nonsense"}, "INVALID", "school"),
            ({"school": "sourcedId:nope"}, "NOT_FOUND", "school"), ({"school": PROPOSAL}, "NOT_FOUND", "school"),
            ({"school": node_id("School", an_id(SOUTH, "school:1"))}, "NOT_FOUND", "school"),
            ({"school": "sourcedId:school-2", "area": "mathematics"}, "CONFLICT", "role"),
        ],
    )  # fmt: skip
    async def test_is_told_what_is_wrong_and_where(
        self, asking: Graph, world: World, wrong: dict[str, Any], code: str, field: str
    ) -> None:
        assert await refusal(asking, OFFER, GOOD | wrong) == (code, field)
        assert world.partnerships.said == {}

    async def test_speaks_for_itself_alone(self, asking: Graph, world: World) -> None:
        own = await asking.data(OFFER, GOOD | {"school": "sourcedId:school-1"}, word="school")
        other = await refusal(asking, OFFER, GOOD, word="school")

        assert own["offerPartnership"]["__typename"] == "Willingness"
        assert other == ("NOT_FOUND", "school")
        assert len(world.partnerships.changes) == 1


class TestAnAnswer:
    async def test_of_one_side_is_kept_with_its_words(self, asking: Graph) -> None:
        answer = {"proposal": PROPOSAL, "school": "sourcedId:school-2", "because": "Not this year."}

        said = (await asking.data(ANSWER, answer))["declinePartnership"]

        assert (said["state"], said["hostAnswer"], said["guestAnswer"]) == ("DECLINED", None, "DECLINED")
        assert said["declinedBecause"] == "Not this year."

    async def test_of_both_sides_makes_a_partnership(self, asking: Graph) -> None:
        query = """mutation ($proposal: ID!) {
            host: acceptPartnership(proposal: $proposal, school: "sourcedId:school-1") {
              ... on PartnershipProposal { state } }
            guest: acceptPartnership(proposal: $proposal, school: "sourcedId:school-2") {
              ... on PartnershipProposal { state } } }"""

        data = await asking.data(query, {"proposal": PROPOSAL})

        assert data == {"host": {"state": "PROPOSED"}, "guest": {"state": "ACCEPTED"}}

    @pytest.mark.parametrize(
        ("wrong", "code", "field"),
        [
            ({"proposal": "sourcedId:x"}, "INVALID", "proposal"),
            ({"proposal": node_id("School", an_id(NORTH, "school:1"))}, "NOT_FOUND", "proposal"),
            ({"proposal": node_id("PartnershipProposal", an_id(SOUTH, "proposal:1:2"))}, "NOT_FOUND", "proposal"),
            ({"school": "sourcedId:school-3"}, "INVALID", "school"),
            ({"because": "x" * 1_001}, "INVALID", "because"), ({"because": "\0"}, "INVALID", "because"),
        ],
    )  # fmt: skip
    async def test_that_cannot_be_is_refused(
        self, asking: Graph, world: World, wrong: dict[str, Any], code: str, field: str
    ) -> None:
        answer = {"proposal": PROPOSAL, "school": "sourcedId:school-1", "because": None}

        assert await refusal(asking, ANSWER, answer | wrong) == (code, field)
        assert world.partnerships.answers == {}

    async def test_about_other_schools_is_refused_as_if_there_was_no_such_proposal(self, asking: Graph) -> None:
        others = node_id("PartnershipProposal", an_id(NORTH, "proposal:2:3"))
        answer = {"proposal": others, "school": "sourcedId:school-1"}

        assert await refusal(asking, ANSWER, answer, word="school") == ("NOT_FOUND", "proposal")


class TestTheDistrict:
    async def test_starts_a_matching(self, asking: Graph, world: World) -> None:
        data = await asking.data(PROPOSE, {"id": "sourcedId:learning-partnerships"})

        assert data["proposePartnerships"] == {"state": "QUEUED", "done": 0, "total": 4}
        assert world.partnerships.matchings == 2

    async def test_alone_may_start_one(self, asking: Graph, world: World) -> None:
        asked = {"id": "sourcedId:learning-partnerships"}

        assert await refusal(asking, PROPOSE, asked, word="school") == ("FORBIDDEN", None)
        assert await refusal(asking, PROPOSE, {"id": "sourcedId:nope"}) == ("NOT_FOUND", "programme")
        assert await refusal(asking, PROPOSE, {"id": "sourcedId:reading-circle"}) == ("CONFLICT", None)
        assert world.partnerships.matchings == 1

    async def test_publishes_a_snapshot_for_administration_only(self, world: World) -> None:
        callers = {"me": a_caller(purpose=Purpose.ADMINISTRATION), "teacher": a_caller()}
        async with graph(world, callers) as asking:
            due = await asking.data(PUBLISH)
            not_due = await refusal(asking, PUBLISH, word="teacher")
            state = await asking.data("{ snapshot { takenAt dueAt } }")

        assert due["publishSnapshot"]["dueAt"] is not None
        assert state["snapshot"] == due["publishSnapshot"]
        assert not_due == ("FORBIDDEN", None)
        assert len(world.snapshots_due) == 1


class TestAChange:
    @pytest.mark.parametrize("lacking", ["partnership:write", "roster:read"])
    async def test_without_its_scope_is_refused(self, world: World, lacking: str) -> None:
        async with graph(world, {"me": a_caller(scopes=SCOPES - {lacking})}) as asking:
            assert await refusal(asking, OFFER, GOOD) == ("FORBIDDEN", None)
        assert world.partnerships.changes == []

    async def test_of_a_service_that_is_away_was_not_made_and_says_so(self, asking: Graph, world: World) -> None:
        world.away.add("partnership")

        [answer] = (await asking.data(OFFER, GOOD)).values()

        assert (answer["code"], answer["field"]) == ("UNAVAILABLE", None)
        assert "nothing was changed" in answer["message"]
        assert world.asked["partnership /willingness:declare"] == 1

    async def test_that_got_no_answer_is_made_once_and_says_that_it_may_have_happened(
        self, asking: Graph, world: World
    ) -> None:
        world.silent.add("partnership")

        [answer] = (await asking.data(OFFER, GOOD)).values()

        assert answer["code"] == "UNAVAILABLE"
        assert "may have happened" in answer["message"]
        assert len(world.partnerships.changes) == 1

    async def test_that_runs_out_of_time_may_have_happened(self, world: World) -> None:
        async with graph(world, {"me": a_caller()}, wall_clock_seconds=0.0) as hurried:
            answer = await hurried.post({"query": OFFER, "variables": GOOD})

        assert answer.status_code == 503
        [error] = answer.json()["errors"]
        assert error["extensions"]["code"] == "UNAVAILABLE"
        assert "may have happened" in error["message"]

    async def test_costs_ten_points_that_are_not_given_back(self, asking: Graph) -> None:
        made = (await asking.ask(OFFER, GOOD))["extensions"]["cost"]
        refused = (await asking.ask(OFFER, GOOD | {"eagerness": 9}))["extensions"]["cost"]

        assert made["requested"] > POINTS_A_CHANGE == 10
        assert refused["actual"] >= POINTS_A_CHANGE

    async def test_is_not_made_by_get(self, asking: Graph, world: World) -> None:
        answer = await asking.http.get(
            "/graphql", params={"query": PUBLISH}, headers={"authorization": "Bearer me", "accept": "application/json"}
        )

        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        assert world.snapshots_due == []

    async def test_needs_a_key(self, asking: Graph, world: World) -> None:
        answer = await asking.post({"query": OFFER, "variables": GOOD}, word="stranger")

        assert answer.status_code == 401
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert not world.asked

    async def test_of_another_district_reaches_its_own_alone(self, asking: Graph, world: World) -> None:
        await asking.data(OFFER, GOOD, word="south")

        [(_, what, caller)] = world.partnerships.changes
        assert isinstance(caller, Caller)
        assert (what.school, caller.district) == (an_id(SOUTH, "school:3"), SOUTH)

    async def test_that_breaks_unexpectedly_is_an_error_that_tells_nothing(self, asking: Graph, world: World) -> None:
        world.broken = True

        answer = await asking.ask(OFFER, GOOD)

        assert answer["data"] == {"offerPartnership": None}
        assert "secret detail" not in str(answer)


def test_everything_that_can_be_changed_is_described_with_its_arguments() -> None:
    mutation = schema._schema.mutation_type
    assert mutation is not None

    undescribed = [name for name, field in mutation.fields.items() if not field.description]
    undescribed += [
        f"{name}({argument})"
        for name, field in mutation.fields.items()
        for argument, given in field.args.items()
        if not given.description
    ]

    assert undescribed == []


def test_every_change_answers_with_a_thing_or_a_refusal() -> None:
    mutation = schema._schema.mutation_type
    assert mutation is not None

    for field in mutation.fields.values():
        assert [one.name for one in field.type.types][1:] == ["Refused"]
        assert field.type.name.endswith("Result")
