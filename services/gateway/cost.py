"""What a question costs: charged as it is asked, refunded to what it turned out to be.

A node is an object with fields of its own; wrappers of pages (connections, edges, page info) are none. Under a
connection everything is multiplied by its `first`, under a plain list by the length that is usual for it. Each list
fetched for one parent costs one point, and so do twenty nodes; each change that is asked for costs ten besides, and
nothing of that is refunded.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionNode,
    ValueNode,
    VariableNode,
    get_named_type,
)

from services.gateway.limits import COST, NODES, PAGE, TooMuch
from shared.errors import Invalid

NODES_A_POINT = 20
POINTS_A_CHANGE = 10
USUAL_LENGTH = {
    "Student.abilities": 5,
    "Student.mastery": 10,
    "Student.rollUps": 10,
    "Student.enrollments": 8,
    "Student.guardians": 2,
    "Class.competencies": 25,
    "Class.closures": 2,
    "School.areas": 50,
    "School.willingness": 5,
    "School.closures": 2,
    "Attendance.codes": 4,
    "Import.holds": 10,
    "IdentityReview.agrees": 4,
    "IdentityReview.differs": 4,
    "IdentityPerson.schools": 2,
    "ImportDiff.records": 10,
    "SchoolChanges.records": 4,
    "Programme.areas": 5,
    "Programme.rules": 10,
    "PartnershipArea.competencies": 5,
}
"""How many entries a plain list is taken to have; a test finds every one of them here."""

_WRAPPERS = ("Connection", "Edge", "PageInfo")

Composite = GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType
"""A type with fields under it."""


class NotAPage(Invalid):
    """`first` is a whole number from 1 to 100."""


@dataclass(slots=True)
class Plan:
    """What an answer will hold under one response key."""

    is_node: bool = False
    is_asked: bool = False
    children: "dict[str, Plan]" = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Charge:
    """Nodes, lists asked for by a parent, and changes."""

    nodes: int
    asks: int
    changes: int = 0

    @property
    def cost(self) -> int:
        return self.asks + POINTS_A_CHANGE * self.changes + ceil(self.nodes / NODES_A_POINT)

    def check(self) -> None:
        """Refuse (TooMuch) what no single request may cost."""
        if self.nodes > NODES:
            raise TooMuch("Nodes, every connection as long as its first", self.nodes, NODES)
        if self.cost > COST:
            raise TooMuch("Cost", self.cost, COST)


class Reckoning:
    """The charge for one operation of a valid document, as it is asked."""

    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
    ) -> None:
        self._schema = schema
        self._variables = _defaults(operation) | dict(variables)
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._nodes = 0
        self._asks = 0
        self._changes = 0
        self.plan = Plan()
        root = schema.get_root_type(operation.operation)
        if root is not None:  # else executing it will say what is wrong
            self._walk(root, operation.selection_set.selections, 1, 1, self.plan)

    @property
    def asked(self) -> Charge:
        """As if every page were full."""
        return Charge(self._nodes, self._asks, self._changes)

    def actual(self, data: Any) -> Charge:
        """As the answer turned out to be."""
        nodes, asks = _counted(self.plan, [data] if isinstance(data, dict) else [])
        return Charge(nodes, asks, self._changes)

    def _walk(
        self,
        parent: Composite,
        selections: Iterable[SelectionNode],
        times: int,
        page: int,
        plan: Plan,
    ) -> None:
        for node in selections:
            if isinstance(node, FieldNode):
                self._field(parent, node, times, page, plan)
            elif isinstance(node, FragmentSpreadNode):
                fragment = self._fragments[node.name.value]
                self._walk(self._narrowed(fragment.type_condition.name.value, parent),
                           fragment.selection_set.selections, times, page, plan)  # fmt: skip
            else:
                assert isinstance(node, InlineFragmentNode)
                condition = node.type_condition
                narrowed = self._narrowed(condition.name.value, parent) if condition else parent
                self._walk(narrowed, node.selection_set.selections, times, page, plan)

    def _narrowed(self, name: str, parent: Composite) -> Composite:
        found = self._schema.get_type(name)
        return found if isinstance(found, Composite) else parent

    def _field(
        self,
        parent: Composite,
        node: FieldNode,
        times: int,
        page: int,
        plan: Plan,
    ) -> None:
        if isinstance(parent, GraphQLUnionType) or node.selection_set is None:
            return
        definition = parent.fields.get(node.name.value)
        if definition is None:
            return
        named = get_named_type(definition.type)
        if not isinstance(named, Composite):
            return
        self._changes += parent is self._schema.mutation_type
        own = plan.children.setdefault(node.alias.value if node.alias else node.name.value, Plan())
        is_page = named.name.endswith("Connection")
        own.is_node = not named.name.endswith(_WRAPPERS)
        own.is_asked = is_page or f"{parent.name}.{node.name.value}" in USUAL_LENGTH
        length = 1
        if is_page:
            page = self._first(node)
        elif parent.name.endswith("Connection"):
            length = page if _is_list(definition.type) else 1
        elif _is_list(definition.type):
            length = self._length(f"{parent.name}.{node.name.value}", node)
        if own.is_asked:
            self._asks += times
        if own.is_node:
            self._nodes += times * length
        self._walk(named, node.selection_set.selections, times * length, page, own)

    def _first(self, node: FieldNode) -> int:
        given = self._argument(node, "first")
        if not isinstance(given, int) or isinstance(given, bool):
            return PAGE  # coercion will say what is wrong
        if given < 1:
            raise NotAPage
        if given > PAGE:
            raise TooMuch("first", given, PAGE)
        return given

    def _length(self, name: str, node: FieldNode) -> int:
        given = self._argument(node, "competencies")
        return len(given) if isinstance(given, list) else USUAL_LENGTH.get(name, PAGE)

    def _argument(self, node: FieldNode, name: str) -> Any:
        for argument in node.arguments or ():
            if argument.name.value == name:
                return self._value(argument.value)
        return None

    def _value(self, value: ValueNode) -> Any:
        match value:
            case VariableNode():
                return self._variables.get(value.name.value)
            case IntValueNode():
                return int(value.value) if len(value.value) < 19 else PAGE + 1
            case ListValueNode():
                return [self._value(one) for one in value.values]
            case _:
                return None


def _defaults(operation: OperationDefinitionNode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for variable in operation.variable_definitions or ():
        if isinstance(variable.default_value, IntValueNode):
            found[variable.variable.name.value] = int(variable.default_value.value[:18])
        elif isinstance(variable.default_value, ListValueNode):
            found[variable.variable.name.value] = [None] * len(variable.default_value.values)
    return found


def _is_list(kind: GraphQLOutputType) -> bool:
    while isinstance(kind, GraphQLNonNull):
        kind = kind.of_type
    return isinstance(kind, GraphQLList)


def _counted(plan: Plan, values: Sequence[Any]) -> tuple[int, int]:
    """Nodes and lists in parts of an answer that stand at the same place of the plan, all of them at once."""
    nodes = asks = 0
    for key, child in plan.children.items():
        inner: list[Any] = []
        for value in values:
            found = value.get(key)
            if found is None:
                continue
            asks += child.is_asked
            if isinstance(found, list):
                inner += found
            else:
                inner.append(found)
        if child.is_node:
            nodes += len(inner)
        if child.children and inner:
            inner_nodes, inner_asks = _counted(child, [one for one in inner if isinstance(one, dict)])
            nodes += inner_nodes
            asks += inner_asks
    return nodes, asks
