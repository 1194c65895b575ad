"""What is executed column by column is what graphql-core answers: the same data to the byte, the same errors."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import orjson
import pytest
from graphql import (
    DocumentNode,
    ExecutionResult,
    Executor,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
    get_named_type,
    parse,
    validate,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.gateway.clients import Services
from services.gateway.context import Context
from services.gateway.errors import entry
from services.gateway.execution.many import MANY
from services.gateway.execution.plan import Plans
from services.gateway.execution.walk import execute
from services.gateway.graph.ids import node_id
from services.gateway.schema import schema
from shared.auth import Caller, Purpose
from tests.unit.gateway.world import NORTH, World, a_caller, an_id, services

CORE = schema._schema
IDS = [
    "sourcedId:class-of-school-1", "sourcedId:student-0-of-class-of-school-1", "sourcedId:school-1", "sourcedId:nope",
    "nonsense", node_id("Class", an_id(NORTH, "class:school-1")), node_id("Competency", an_id(NORTH, "competency:1")),
    node_id("Student", an_id(NORTH, "student:class-of-school-1:1")), node_id("School", an_id(NORTH, "school:2")),
]  # fmt: skip
COMPETENCIES = [["sourcedId:case-2", "sourcedId:case-0", "sourcedId:case-2"], ["sourcedId:nope"], [], ["x"]]
CALLERS = [
    a_caller(),
    a_caller(schools=(an_id(NORTH, "school:1"),)),
    a_caller(scopes=frozenset({"roster:read"})),
    a_caller(scopes=frozenset({"roster:read", "mastery:read"})),
    a_caller(scopes=frozenset({"mastery:read", "assessment:read"})),
    a_caller(purpose=Purpose.ACCOUNTABILITY),
]
VARIABLES = {"yes": True, "no": False, "id": IDS[0], "first": 2}
DECLARED = {"yes": "Boolean! = true", "no": "Boolean! = false", "id": "ID!", "first": "Int!"}
DEEPEST = 5
ASKED = ("class", "student", "school", "classes", "node", "administrations", "__typename")
"""Where these questions begin. What depends on nothing but the roster, assessment and mastery is asked."""


class Written:
    """Writes a selection of the real schema, choosing with hypothesis."""

    def __init__(self, draw: Any) -> None:
        self._draw = draw
        self._aliases = 0
        self.fragments: list[str] = []

    def selection(self, kind: Any, depth: int) -> str:
        if isinstance(kind, GraphQLUnionType):
            return "{ __typename }"
        names = [name for name in kind.fields if kind.name != "Query" or name in ASKED]
        parts = [self._field(kind, name, depth) for name in self._some(names)]
        parts = [part for part in parts if part] or ["__typename"]
        if isinstance(kind, GraphQLInterfaceType) and depth < DEEPEST:
            possible = CORE.get_possible_types(kind)
            narrowed = self._draw(st.sampled_from(sorted(possible, key=lambda one: one.name)))
            parts.append(f"... on {narrowed.name} {self.selection(narrowed, depth + 1)}")
        elif self._draw(st.integers(0, 5)) == 0 and kind.name != "Query":
            self.fragments.append(f"fragment F{len(self.fragments)} on {kind.name} {{ {parts[-1]} __typename }}")
            parts[-1] = f"...F{len(self.fragments) - 1}"
        elif self._draw(st.integers(0, 5)) == 0:
            parts[0] = f"... {self._directive(always=True)} {{ {parts[0]} }}"
        return "{ " + " ".join(parts) + " }"

    def _some(self, names: list[str]) -> list[str]:
        return list(self._draw(st.lists(st.sampled_from([*names, "__typename"]), min_size=1, max_size=4, unique=True)))

    def _directive(self, *, always: bool = False) -> str:
        if not always and self._draw(st.integers(0, 4)):
            return ""
        return str(self._draw(st.sampled_from(["@include(if: $yes)", "@skip(if: $yes)", "@include(if: $no)"])))

    def _field(self, kind: Any, name: str, depth: int) -> str | None:
        if name == "__typename":
            return name
        definition = kind.fields[name]
        named = get_named_type(definition.type)
        composite = isinstance(named, GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType)
        if composite and depth >= DEEPEST:
            return None
        inner = " " + self.selection(named, depth + 1) if composite else ""
        self._aliases += 1
        return f"a{self._aliases}: {name}{self._arguments(definition)} {self._directive()}{inner}"

    def _arguments(self, definition: Any) -> str:
        given_ones = []
        for name in definition.args:
            if name in ("id", "school"):
                value = self._draw(st.sampled_from(["$id", *(json.dumps(id_) for id_ in IDS)]))
            elif name == "first":
                value = self._draw(st.sampled_from(["1", "2", "$first"]))
            elif name == "after":
                value = self._draw(st.sampled_from(["null", '"nonsense"']))
            elif name == "competencies":
                value = self._draw(st.sampled_from(["null", *map(json.dumps, COMPETENCIES)]))
            elif name in ("asOf", "begin", "end"):
                value = self._draw(st.sampled_from(['"2026-09-14"', '"2026-09-15"', '"2026-09-18"']))
            else:
                continue
            given_ones.append(f"{name}: {value}")
        return f"({', '.join(given_ones)})" if given_ones else ""


@st.composite
def questions(draw: Any) -> str:
    written = Written(draw)
    selection = written.selection(CORE.query_type, 0)
    body = " ".join([selection, *written.fragments])
    declared = [f"${name}: {kind}" for name, kind in DECLARED.items() if f"${name}" in body]
    variables = f"({', '.join(declared)})" if declared else ""
    return f"query Asked{variables} {body}"


@cache
def behind(away: str | None = None, students: int = 2) -> Services:
    """The services of a world, made once: they keep nothing between questions."""
    return services(World(students_per_class=students, evidence_per_student=3, away={away} if away else set()))


def _executor(ast: DocumentNode, world: Services, caller: Caller, variables: dict[str, Any]) -> Executor:
    made = Executor.build(
        CORE, ast, context_value=Context.of(caller, world), raw_variable_values=variables,
        hide_suggestions=True,
    )  # fmt: skip
    assert isinstance(made, Executor)
    return made


def _said(result: ExecutionResult) -> tuple[bytes, list[str]]:
    """The data in the bytes that are sent, and the errors; these in no order."""
    return orjson.dumps(result.data), sorted(json.dumps(entry(error)) for error in result.errors or ())


async def both(query: str, world: Services, caller: Caller, variables: dict[str, Any] | None = None) -> Any:
    """What is said column by column, and what graphql-core says."""
    ast = parse(query)
    assert validate(CORE, ast) == []
    found = await execute(_executor(ast, world, caller, variables or {}), Plans(), ast)
    core = _executor(ast, world, caller, variables or {}).execute_operation()
    expected = core if isinstance(core, ExecutionResult) else await core  # type: ignore[misc]  # no incremental delivery
    return _said(found), _said(expected)


def _ways() -> Iterator[str]:
    path = """{ class(id: "sourcedId:class-of-school-1") { title students(first: 3) { nodes { id %s } } } }"""
    yield path % "mastery { __typename probability evidenceCount lastEvidenceAt modelVersion competency { code } }"
    yield path % "mastery { lower upper level }"
    yield path % "rollUps { probability coverage lastEvidenceAt competency { code } }"
    yield path % 'rollUps(competencies: ["sourcedId:case-3"]) { lower upper competency { id parent { id } } }'
    yield path % 'mastery(competencies: ["sourcedId:case-0", "sourcedId:case-2"]) { probability competency { id } }'
    yield path % 'mastery(competencies: ["sourcedId:nope"]) { probability }'
    yield path % "abilities { theta reason administration { purpose opensAt } }"
    yield path % "evidence(first: 3) { edges { cursor node { modality score competency { code parent { code } } } } }"
    yield path % "a: mastery { probability } b: mastery { competency { statement parent { statement } } }"
    yield f'{{ node(id: "{IDS[7]}") {{ __typename id ... on Student {{ givenName mastery {{ probability }} }} }} }}'
    yield '{ class(id: "sourcedId:class-of-school-1") { ...C ...C } } fragment C on Class { title school { name } }'
    yield """{ class(id: "sourcedId:class-of-school-1") {
        school { name } school { id classes(first: 2) { nodes { id } } } } }"""
    yield "{ __schema { queryType { name } } __typename }"


WAYS = list(_ways())


class TestTheWalk:
    @pytest.mark.parametrize("query", WAYS)
    @pytest.mark.parametrize("caller", CALLERS)
    async def test_answers_as_graphql_core_does(self, query: str, caller: Caller) -> None:
        found, expected = await both(query, behind(), caller)

        assert found == expected

    @pytest.mark.parametrize("query", WAYS)
    @pytest.mark.parametrize("away", ["roster", "assessment", "mastery"])
    async def test_answers_as_graphql_core_does_when_a_service_is_away(self, query: str, away: str) -> None:
        found, expected = await both(query, behind(away), a_caller())

        assert found == expected

    # The health checks would object to questions that are large and slow to make: such questions are meant.
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(questions(), st.sampled_from(CALLERS), st.sampled_from([None, None, "assessment", "mastery"]))
    async def test_answers_any_question_as_graphql_core_does(
        self, query: str, caller: Caller, away: str | None
    ) -> None:
        found, expected = await both(query, behind(away), caller, VARIABLES)

        assert found == expected

    async def test_asks_an_object_that_stands_in_many_places_once(self) -> None:
        world = behind(students=30)
        ast = parse(WAYS[0].replace("first: 3", "first: 30").replace("code }", "code parent { code } }"))

        result = await execute(_executor(ast, world, a_caller(), {}), Plans(), ast)

        assert result.data is not None
        [first, *others] = result.data["class"]["students"]["nodes"]
        assert all(one["mastery"][0]["competency"] is first["mastery"][0]["competency"] for one in others)

    async def test_follows_one_plan_for_every_request_with_a_document_that_depends_on_no_variable(self) -> None:
        plans, ast = Plans(), parse("query ($id: ID!) { class(id: $id) { title } }")

        titles = [
            (
                await execute(
                    _executor(ast, behind(), a_caller(), {"id": f"sourcedId:class-of-school-{n}"}), plans, ast
                )
            ).data
            for n in (1, 2)
        ]

        assert len(plans.kept) == 1
        assert titles == [{"class": {"title": f"Class of School {n}"}} for n in (1, 2)]

    async def test_plans_anew_where_variables_leave_out_fields(self) -> None:
        plans, ast = Plans(), parse('query ($no: Boolean!) { __typename node(id: "x") @include(if: $no) { id } }')

        keys = []
        for no in (False, True):
            result = await execute(_executor(ast, behind(), a_caller(), {"no": no}), plans, ast)
            assert result.data is not None
            keys.append(list(result.data))

        assert keys == [["__typename"], ["__typename", "node"]]

    def test_has_resolvers_for_many_only_for_fields_there_are(self) -> None:
        fields = {f"{kind.name}.{name}" for kind in CORE.type_map.values() if isinstance(kind, GraphQLObjectType)
                  for name in kind.fields}  # fmt: skip

        assert MANY.keys() <= fields
