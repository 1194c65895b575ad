"""Who may see what: every field of the schema is walked, with every kind of key."""

from collections.abc import Iterator

import pytest
from graphql import GraphQLInterfaceType, GraphQLObjectType, get_named_type, is_leaf_type

from services.gateway.graph.ids import node_id
from services.gateway.schema import schema
from shared.auth import SCOPES, Purpose
from tests.unit.gateway.asking import Graph, graph
from tests.unit.gateway.world import NORTH, PROBABILITY, SCORE, THETA, World, a_caller, an_id

RESULTS = {"Ability", "Mastery", "Evidence"}
"""What tells how a student did."""
TELLTALE = (str(THETA), str(PROBABILITY), str(SCORE))
_ARGUMENTS = {
    "class": '(id: "sourcedId:class-of-school-1")',
    "student": '(id: "sourcedId:student-0-of-class-of-school-1")',
    "school": '(id: "sourcedId:school-1")',
    "Query.classes": '(school: "sourcedId:school-1", first: 2)',
    "classes": "(first: 2)",
    "students": "(first: 2)",
    "evidence": "(first: 2)",
    "administrations": "(first: 2)",
}
_MOST_LEVELS = 7


def paths() -> Iterator[tuple[tuple[str, ...], str]]:
    """Every way through the schema to a leaf, once per type on the way: the fields' full names, and the question."""
    query = schema._schema.query_type
    assert query is not None
    yield from _below(query, (), ())


def _below(
    kind: GraphQLObjectType | GraphQLInterfaceType, names: tuple[str, ...], parts: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    for field_name, field in kind.fields.items():
        name = f"{kind.name}.{field_name}"
        if name in names or name == "Query.node" or len(parts) > _MOST_LEVELS:
            continue
        part = field_name
        if kind.name == "Query" or field.args:
            part += _ARGUMENTS.get(name, _ARGUMENTS.get(field_name, ""))
        inner = get_named_type(field.type)
        if is_leaf_type(inner):
            yield (*names, name), " { ".join((*parts, part)) + " }" * len(parts)
        elif isinstance(inner, GraphQLObjectType | GraphQLInterfaceType):
            yield from _below(inner, (*names, name), (*parts, part))


PATHS = [(names, f"{{ {text} }}") for names, text in paths() if len(names) <= _MOST_LEVELS]


def test_the_walk_reaches_every_field_of_the_schema() -> None:
    walked = {name for names, _ in PATHS for name in names}
    there = {
        f"{kind.name}.{field}"
        for kind in schema._schema.type_map.values()
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__")
        for field in kind.fields
    }

    assert there - walked == {"Query.node"}


async def test_accountability_sees_no_result_by_any_way(asking: Graph) -> None:
    for names, question in PATHS:
        if len(names) > 5 and not any(name.split(".")[0] in RESULTS for name in names):
            continue

        answer = await asking.ask(question, word="accountability")

        told = str(answer)
        assert not any(telltale in told for telltale in TELLTALE), question
        if any(name.split(".")[0] in RESULTS for name in names) or "Class.competencies" in names:
            assert {error["extensions"]["code"] for error in answer["errors"]} == {"FORBIDDEN"}, question


async def test_with_every_scope_and_another_purpose_the_same_ways_lead_to_results(asking: Graph) -> None:
    for names, question in PATHS:
        if names[-1] not in ("Ability.theta", "Mastery.probability", "Evidence.score") or len(names) > 6:
            continue

        answer = await asking.ask(question)

        assert "errors" not in answer, question
        assert any(telltale in str(answer) for telltale in TELLTALE), question


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
                '{ class(id: "sourcedId:class-of-school-1") { competencies { code } } }',
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


@pytest.mark.parametrize("kind", ["Class", "Student", "School", "Competency", "Administration"])
async def test_a_node_needs_the_scope_of_its_kind(world: World, kind: str) -> None:
    async with graph(world, {"nobody": a_caller(scopes=frozenset({"keys:admin"}))}) as asking:
        codes = await asking.codes(
            "query ($id: ID!) { node(id: $id) { id } }",
            {"id": node_id(kind, an_id(NORTH, "x"))},  # type: ignore[arg-type]
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
