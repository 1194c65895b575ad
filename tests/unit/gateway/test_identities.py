"""Who is who in the graph: reviews with both people beside each other, what was decided, and decisions."""

from typing import Any

import pytest

from services.gateway.graph.ids import node_id
from shared.auth import SCOPES
from tests.unit.gateway.asking import Graph, graph
from tests.unit.gateway.identities import ADA, BEN, EVENT, REVIEWS
from tests.unit.gateway.world import NORTH, World, a_caller, an_id

PEOPLE = "id sourcedId status givenName familyName birthDate identifier stateId schools"
LIST = f"""
query ($first: Int!, $after: String, $decided: Boolean! = false) {{
  identityReviews(first: $first, after: $after, decided: $decided) {{
    nodes {{ id importId reason agrees differs decision newcomer {{ {PEOPLE} }} candidate {{ {PEOPLE} }} }}
    pageInfo {{ hasNextPage endCursor }}
  }}
}}
"""
EVENT_OR_NOT = "{ __typename ... on IdentityEvent { kind reason undoneBy } ... on Refused { code message field } }"
REVIEW_OR_NOT = "{ __typename ... on IdentityReview { id decision } ... on Refused { code field } }"


async def change(asking: Graph, what: str, shape: str, *, word: str = "me") -> Any:
    [answer] = (await asking.data(f"mutation {{ {what} {shape} }}", word=word)).values()
    return answer


class TestReviews:
    async def test_show_both_people_and_why_it_is_asked(self, asking: Graph) -> None:
        found = (await asking.data(LIST, {"first": 1}))["identityReviews"]["nodes"][0]

        known = {
            "status": "active", "familyName": "Byron", "birthDate": "2016-05-01", "identifier": "17", "stateId": None,
            "schools": ["North", "South"],
        }  # fmt: skip
        assert found == {
            "id": str(REVIEWS[0]), "importId": f"roster-{an_id(NORTH, 'import')}", "reason": "near-twin",
            "agrees": ["birth date", "family name"], "differs": ["given name"], "decision": None,
            "newcomer": {**known, "id": str(BEN), "sourcedId": "s-Ben", "givenName": "Ben"},
            "candidate": {**known, "id": str(ADA), "sourcedId": "s-Ada", "givenName": "Ada"},
        }  # fmt: skip

    async def test_come_page_by_page_and_those_decided_apart(self, asking: Graph) -> None:
        first = (await asking.data(LIST, {"first": 2}))["identityReviews"]
        second = (await asking.data(LIST, {"first": 2, "after": first["pageInfo"]["endCursor"]}))["identityReviews"]
        decided = (await asking.data(LIST, {"first": 2, "decided": True}))["identityReviews"]

        assert [one["id"] for one in (*first["nodes"], *second["nodes"])] == list(map(str, REVIEWS))
        assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
        assert decided["nodes"] == []

    async def test_lie_beside_what_became_of_identities(self, asking: Graph) -> None:
        ask = "{ identityEvents(first: 5) { nodes { id kind type row other wasCalled isCalled by importId } } }"

        [found] = (await asking.data(ask))["identityEvents"]["nodes"]

        assert found == {
            "id": str(EVENT), "kind": "REATTACHED", "type": "user", "row": str(ADA), "other": str(BEN),
            "wasCalled": "s-Ben", "isCalled": "s-Ada", "by": "key:test",
            "importId": f"roster-{an_id(NORTH, 'import')}",
        }  # fmt: skip


class TestADecision:
    @pytest.mark.parametrize(
        ("what", "verdict"), [("decideSamePerson", "same"), ("decideDifferentPeople", "different")]
    )
    async def test_about_a_review_answers_with_it(
        self, asking: Graph, world: World, what: str, verdict: str
    ) -> None:  # fmt: skip
        answer = await change(asking, f'{what}(review: "{REVIEWS[1]}")', REVIEW_OR_NOT)

        assert answer == {"__typename": "IdentityReview", "id": str(REVIEWS[1]), "decision": verdict.upper()}
        assert world.identified == [verdict]

    @pytest.mark.parametrize(("review", "code"), [(str(EVENT), "CONFLICT"), ("gossip", "INVALID")])
    async def test_about_a_review_that_is_none_or_decided_is_refused(
        self, asking: Graph, review: str, code: str
    ) -> None:
        answer = await change(asking, f'decideSamePerson(review: "{review}")', REVIEW_OR_NOT)

        assert (answer["__typename"], answer["code"]) == ("Refused", code)

    @pytest.mark.parametrize(
        ("named", "asked"),
        [
            ("sourcedId:s-Ada", "s-Ada"), (str(ADA), str(ADA)), (node_id("Student", ADA), str(ADA)),
            ("sourcedId:sourcedId:x", "sourcedId:x"),
        ],
    )  # fmt: skip
    async def test_to_merge_names_people_in_any_way(self, asking: Graph, world: World, named: str, asked: str) -> None:
        what = f'mergePeople(person: "{named}", absorbed: "{BEN}", force: true, reason: "one child")'

        answer = await change(asking, what, EVENT_OR_NOT)

        assert answer == {"__typename": "IdentityEvent", "kind": "MERGED", "reason": "one child", "undoneBy": None}
        assert world.identified == [{"person": asked, "absorbed": str(BEN), "force": True, "reason": "one child"}]

    async def test_to_split_and_to_take_back(self, asking: Graph, world: World) -> None:
        what = f'splitPerson(person: "{ADA}", sourcedIds: ["e-1", "r-1"], sourcedId: "s-9", givenName: "Eve")'

        split = await change(asking, what, EVENT_OR_NOT)
        undone = await change(asking, f'undoIdentityEvent(event: "{EVENT}")', EVENT_OR_NOT)

        assert (split["kind"], undone["undoneBy"]) == ("SPLIT", "key:test")
        assert world.identified == [
            {
                "person": str(ADA), "sourced_ids": ["e-1", "r-1"], "sourced_id": "s-9", "given_name": "Eve",
                "family_name": None, "reason": None,
            },
            "undo",
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("what", "field"),
        [
            ('mergePeople(person: "sourcedId:nobody", absorbed: "sourcedId:x")', "person"),
            ('mergePeople(person: "sourcedId:x", absorbed: "gossip")', "absorbed"),
            ('mergePeople(person: "sourcedId:", absorbed: "sourcedId:x")', "person"),
            ('mergePeople(person: "sourcedId:\\u0000", absorbed: "sourcedId:x")', "person"),
            ('splitPerson(person: "sourcedId:x", sourcedIds: [])', "sourcedIds"),
            ('splitPerson(person: "sourcedId:x", sourcedIds: ["a"], givenName: "")', "givenName"),
            ('undoIdentityEvent(event: "gossip")', "event"),
        ],
    )
    async def test_that_is_said_wrong_names_its_argument(
        self, asking: Graph, world: World, what: str, field: str
    ) -> None:
        answer = await change(asking, what, EVENT_OR_NOT)

        assert (answer["__typename"], answer["code"], answer["field"]) == ("Refused", "INVALID", field)
        assert world.identified == []

    async def test_takes_the_scope_and_the_whole_district(self, world: World) -> None:
        callers = {
            "reader": a_caller(scopes=SCOPES - {"imports:write"}),
            "school": a_caller(schools=(an_id(NORTH, "school:1"),)),
        }
        changes = {
            f'decideSamePerson(review: "{REVIEWS[0]}")': REVIEW_OR_NOT,
            f'decideDifferentPeople(review: "{REVIEWS[0]}")': REVIEW_OR_NOT,
            'mergePeople(person: "gossip", absorbed: "sourcedId:b")': EVENT_OR_NOT,
            'splitPerson(person: "sourcedId:a", sourcedIds: ["e"])': EVENT_OR_NOT,
            f'undoIdentityEvent(event: "{EVENT}")': EVENT_OR_NOT,
        }
        async with graph(world, callers) as asking:
            for word in callers:
                assert await asking.codes(LIST, {"first": 1}, word=word) == ["FORBIDDEN"]
                for what, shape in changes.items():
                    assert (await change(asking, what, shape, word=word))["code"] == "FORBIDDEN", what
        assert world.identified == []
