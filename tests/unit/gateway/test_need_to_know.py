"""Who may see what: every field of the schema is walked, with every kind of key."""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from graphql import GraphQLObjectType, GraphQLUnionType, get_named_type, is_leaf_type

from services.gateway.graph.ids import KINDS, node_id
from services.gateway.schema import schema
from shared.auth import SCOPES, Purpose
from tests.unit.gateway.asking import Graph, graph
from tests.unit.gateway.identities import EVENT, REVIEWS
from tests.unit.gateway.partnerships import LEFT, REASON
from tests.unit.gateway.world import (
    LEARNERS,
    LOWER,
    NEED,
    NORTH,
    PROBABILITY,
    SCORE,
    STRENGTH,
    THETA,
    UPPER,
    World,
    a_caller,
    an_id,
)

HELPING = {
    "Programme", "PartnershipArea", "Matching", "UnmatchedSchool", "PartnershipProposal", "Willingness",
}  # fmt: skip
"""What is done because of results."""
RESULTS = {"Ability", "Mastery", "RollUp", "Evidence", "Ledger", "SchoolArea", "Snapshot"} | HELPING
"""What tells how a student or a school did, or follows from it."""
WHO_IS_WHO = {
    f"Mutation.{name}"
    for name in ("decideSamePerson", "decideDifferentPeople", "mergePeople", "splitPerson", "undoIdentityEvent")
}
"""Like the rosters that it is about, it may be decided for any purpose."""
TELLTALE = (*map(str, (THETA, PROBABILITY, LOWER, UPPER, SCORE, STRENGTH, NEED, LEARNERS)), REASON, LEFT)
_PROPOSAL = node_id("PartnershipProposal", an_id(NORTH, "proposal:1:2"))
_DECLARED = '(school: "sourcedId:school-1", area: "mathematics", eagerness: 3, capacity: 1, diagnosticsAllowed: true)'
_ARGUMENTS = {
    "class": '(id: "sourcedId:class-of-school-1")',
    "student": '(id: "sourcedId:student-0-of-class-of-school-1")',
    "school": '(id: "sourcedId:school-1")',
    "Query.classes": '(school: "sourcedId:school-1", first: 2)',
    "classes": "(first: 2)",
    "students": "(first: 2)",
    "evidence": "(first: 2)",
    "closures": '(asOf: "2026-09-15")',
    "attendance": '(begin: "2026-09-14", end: "2026-09-19")',
    "administrations": "(first: 2)",
    "programmes": "(first: 2)",
    "proposals": "(first: 2)",
    "unmatched": "(first: 2)",
    "Query.programme": '(id: "sourcedId:learning-partnerships")',
    "partnershipProposals": '(programme: "sourcedId:learning-partnerships", first: 2)',
    "offerPartnership": _DECLARED,
    "seekPartnership": _DECLARED,
    "withdrawPartnership": '(school: "sourcedId:school-1", area: "mathematics")',
    "proposePartnerships": '(programme: "sourcedId:learning-partnerships")',
    "acceptPartnership": f'(proposal: "{_PROPOSAL}", school: "sourcedId:school-1")',
    "imports": "(first: 2)",
    "import": f'(id: "answers-{an_id(NORTH, "import")}")',
    "findings": "(first: 2)",
    "schools": "(first: 2)",
    **dict.fromkeys(
        ("approveImport", "rejectImport", "applyImport", "undoImport"),
        f'(id: "answers-{an_id(NORTH, "import")}")',
    ),
    "identityReviews": "(first: 2)",
    "identityEvents": "(first: 2)",
    **dict.fromkeys(("decideSamePerson", "decideDifferentPeople"), f'(review: "{REVIEWS[0]}")'),
    "mergePeople": '(person: "sourcedId:s-Ada", absorbed: "sourcedId:s-Ben")',
    "splitPerson": '(person: "sourcedId:s-Ada", sourcedIds: ["s-Ben"])',
    "undoIdentityEvent": f'(event: "{EVENT}")',
    "declinePartnership": f'(proposal: "{_PROPOSAL}", school: "sourcedId:school-1")',
}
_MOST_LEVELS = 7


@dataclass(frozen=True)
class Way:
    """A way through the schema to the leaves of an object: the fields that lead there, the leaves, the question."""

    through: tuple[str, ...]
    leaves: tuple[str, ...]
    question: str

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.through, *self.leaves)

    @property
    def changes(self) -> bool:
        return self.names[0].startswith("Mutation")


def ways() -> Iterator[Way]:
    """To every leaf, the shortest first.

    Each field that leads on is taken three times, by the three shortest ways that come to it.
    """
    taken: Counter[str] = Counter()
    roots = ((schema._schema.query_type, ""), (schema._schema.mutation_type, "mutation "))
    ahead = deque((root, (), (), word) for root, word in roots if root is not None)
    while ahead:
        kind, names, parts, word = ahead.popleft()
        if isinstance(kind, GraphQLUnionType):
            ahead.extend((one, names, (*parts, f"... on {one.name}"), word) for one in kind.types)
            continue
        leaves = {}
        for field_name, field in kind.fields.items():
            name = f"{kind.name}.{field_name}"
            part = field_name + _ARGUMENTS.get(name, _ARGUMENTS.get(field_name, "") if field.args else "")
            inner = get_named_type(field.type)
            if is_leaf_type(inner):
                leaves[name] = part
            elif name != "Query.node" and len(parts) < _MOST_LEVELS and taken[name] < 3:
                taken[name] += 1
                ahead.append((inner, (*names, name), (*parts, part), word))
        if leaves:
            way = (*parts, " ".join(leaves.values()))
            yield Way(names, tuple(leaves), f"{word}{{ {' { '.join(way)} {'} ' * len(way)}")


WAYS = list(ways())


def test_the_walk_reaches_every_field_of_the_schema() -> None:
    walked = {name for way in WAYS for name in way.names}
    there = {
        f"{kind.name}.{field}"
        for kind in schema._schema.type_map.values()
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__")
        for field in kind.fields
    }

    assert there - walked == {"Query.node"}


def leaves_in(told: Any) -> Iterator[Any]:
    """What an answer says, wherever in it: every value but null."""
    if isinstance(told, dict | list):
        for inner in told.values() if isinstance(told, dict) else told:
            yield from leaves_in(inner)
    elif told is not None:
        yield told


async def test_accountability_sees_no_result_and_changes_nothing_by_any_way(asking: Graph, world: World) -> None:
    for way in WAYS:
        answer = await asking.ask(way.question, word="accountability")

        told = str(answer)
        assert not any(telltale in told for telltale in TELLTALE), way
        if way.changes:
            assert "errors" not in answer, way
            refuses = "Refused.code" in way.leaves and way.names[0] not in WHO_IS_WHO
            assert not refuses or "'FORBIDDEN'" in told, way
        elif any(name.split(".")[0] in RESULTS for name in way.names) or "Class.competencies" in way.names:
            assert {error["extensions"]["code"] for error in answer["errors"]} == {"FORBIDDEN"}, way
            assert list(leaves_in(answer.get("data"))) == [], way

    assert world.partnerships.changes == []
    assert world.snapshots_due == []


async def test_with_every_scope_and_another_purpose_the_same_ways_lead_to_results(asking: Graph) -> None:
    told = {"Ability.theta", "Mastery.probability", "Mastery.lower", "RollUp.upper", "Evidence.score"}
    told |= {"SchoolArea.strength", "SchoolArea.need"}
    told |= {"PartnershipProposal.reason", "UnmatchedSchool.reason"}
    led = Counter[str]()
    for way in WAYS:
        if way.changes or len(way.through) > 5 or told.isdisjoint(way.leaves):
            continue

        answer = await asking.ask(way.question)

        led.update(told.intersection(way.leaves))
        assert "errors" not in answer, way
        assert any(telltale in str(answer) for telltale in TELLTALE), way
    assert led.keys() == told
    assert led.total() > 20


@pytest.mark.parametrize(
    ("scope", "questions"),
    [
        (
            "roster:read",
            [
                '{ class(id: "sourcedId:class-of-school-1") { title } }',
                '{ student(id: "sourcedId:student-0-of-class-of-school-1") { givenName } }',
                '{ school(id: "sourcedId:school-1") { name } }',
                '{ classes(school: "sourcedId:school-1", first: 1) { nodes { title } } }',
            ],
        ),
        (
            "imports:write",
            [
                "{ identityReviews(first: 1) { nodes { reason } } }",
                "{ identityEvents(first: 1) { nodes { reason } } }",
            ],
        ),
        (
            "assessment:read",
            [
                "{ administrations(first: 1) { nodes { title } } }",
                '{ student(id: "sourcedId:student-0-of-class-of-school-1") { abilities { theta } } }',
                '{ student(id: "sourcedId:student-0-of-class-of-school-1") '
                "{ evidence(first: 1) { nodes { administration { title } } } } }",
            ],
        ),
        (
            "mastery:read",
            [
                '{ student(id: "sourcedId:student-0-of-class-of-school-1") { mastery { probability } } }',
                '{ student(id: "sourcedId:student-0-of-class-of-school-1") { evidence(first: 1) { nodes { item } } } }',
                '{ student(id: "sourcedId:student-0-of-class-of-school-1") { rollUps { probability } } }',
                '{ class(id: "sourcedId:class-of-school-1") { competencies { code } } }',
                '{ school(id: "sourcedId:school-1") { areas { strength } } }',
                "{ snapshot { takenAt } }",
            ],
        ),
        (
            "partnership:read",
            [
                '{ school(id: "sourcedId:school-1") { willingness { area } } }',
                "{ programmes(first: 1) { nodes { title } } }",
                '{ programme(id: "sourcedId:reading-circle") { title } }',
                '{ partnershipProposals(programme: "sourcedId:learning-partnerships", first: 1) { nodes { id } } }',
            ],
        ),
    ],
)
async def test_without_the_scope_it_is_forbidden(world: World, scope: str, questions: list[str]) -> None:
    callers = {"with": a_caller(scopes=SCOPES), "without": a_caller(scopes=SCOPES - {scope})}
    async with graph(world, callers) as asking:
        for question in questions:
            assert await asking.codes(question, word="with") == [], question
            assert set(await asking.codes(question, word="without")) == {"FORBIDDEN"}, question


@pytest.mark.parametrize("kind", KINDS)
async def test_a_node_needs_the_scope_of_its_kind(world: World, kind: str) -> None:
    async with graph(world, {"nobody": a_caller(scopes=frozenset({"keys:admin"}))}) as asking:
        codes = await asking.codes(
            "query ($id: ID!) { node(id: $id) { id } }",
            {"id": node_id(kind, an_id(NORTH, "x"))},  # type: ignore[arg-type]  # any kind
            word="nobody",
        )

    assert codes == ["FORBIDDEN"]


async def test_accountability_may_still_read_the_roster_and_the_framework(world: World) -> None:
    competency = node_id("Competency", an_id(NORTH, "competency:1"))
    async with graph(world, {"them": a_caller(purpose=Purpose.ACCOUNTABILITY)}) as asking:
        data = await asking.data(
            """query ($id: ID!) {
                 school(id: "sourcedId:school-1") { name }
                 node(id: $id) { ... on Competency { code } } }""",
            {"id": competency},
            word="them",
        )

    assert data == {"school": {"name": "School 1"}, "node": {"code": "4.8"}}
