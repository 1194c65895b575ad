"""What a selection asks of each type: made once for a document, and followed for every request with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from graphql import (
    DocumentNode,
    Executor,
    FieldNode,
    GraphQLAbstractType,
    GraphQLField,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    Visitor,
    is_abstract_type,
    is_leaf_type,
    visit,
)
from graphql.execution.collect_fields import (
    FieldDetailsList,
    FragmentDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues
from strawberry.schema.schema_converter import GraphQLCoreConverter
from strawberry.types.field import StrawberryField

from services.gateway.execution.many import MANY, ForMany

TYPENAME = "__typename"


class Unplannable(Exception):
    """graphql-core has to execute this itself."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar or an enum; `required` where null is no answer."""

    required: bool
    type: GraphQLLeafType
    waits: bool = False


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of something."""

    required: bool
    of: "Value"

    @property
    def waits(self) -> bool:
        return self.of.waits


@dataclass(frozen=True, slots=True)
class Objects:
    """An object of one type, with what is asked of it."""

    required: bool
    type: GraphQLObjectType
    selection: "Selection"

    @property
    def waits(self) -> bool:
        return self.selection.waits


@dataclass(frozen=True, slots=True)
class OneOf:
    """An object of an interface or a union, with what is asked of each type it turned out to be, planned when it is."""

    required: bool
    type: GraphQLAbstractType
    selection_of: "Callable[[GraphQLObjectType], Selection]"
    waits: bool = True


Value = Leaf | ListOf | Objects | OneOf


@dataclass(frozen=True, slots=True)
class Field:
    """One response key: how it is resolved, and what its value is made of."""

    key: str
    parent: GraphQLObjectType
    definition: GraphQLField
    details: FieldDetailsList
    nodes: list[FieldNode]
    value: Value
    attribute: Callable[[Any], Any] | None
    """Reads it off the object, where it is plain."""
    for_many: ForMany | None
    known: StrawberryField | None
    waits: bool

    @property
    def is_typename(self) -> bool:
        return self.nodes[0].name.value == TYPENAME


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked of an object of one type."""

    fields: Sequence[Field]
    keys: tuple[str, ...]
    waits: bool


@dataclass(slots=True)
class Plans:
    """The plan of each operation of a document, by its name, as far as it does not depend on variables."""

    kept: dict[str | None, Selection] = field(default_factory=dict)
    depends: bool | None = None

    def of(self, executor: Executor[Any], document: DocumentNode) -> Selection:
        """The plan of the operation that is executed. Raises Unplannable."""
        operation = executor.operation
        if operation.operation is not OperationType.QUERY or operation.directives:
            raise Unplannable
        if self.depends is None:
            self.depends = _has_directives(document)
        if self.depends:
            return _Planner(executor.schema, executor.fragments, operation, executor.variable_values).root()
        name = operation.name.value if operation.name else None
        if name not in self.kept:
            nothing = VariableValues({}, {})  # nothing of this request is kept with the plan
            self.kept[name] = _Planner(executor.schema, executor.fragments, operation, nothing).root()
        return self.kept[name]


class _Planner:
    """Plans one operation."""

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: dict[str, FragmentDetails],
        operation: OperationDefinitionNode,
        variables: VariableValues,
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._operation = operation
        self._variables = variables

    def root(self) -> Selection:
        query = self._schema.query_type
        if query is None or any(details.variable_signatures for details in self._fragments.values()):
            raise Unplannable
        grouped = collect_fields(self._schema, self._fragments, self._variables, query, self._operation, True)
        return self._selection(query, grouped.grouped_field_set)

    def _selection(self, parent: GraphQLObjectType, grouped: GroupedFieldSet) -> Selection:
        fields = [self._field(parent, key, details) for key, details in grouped.items()]
        return Selection(fields, tuple(grouped), any(one.waits for one in fields))

    def _field(self, parent: GraphQLObjectType, key: str, details: FieldDetailsList) -> Field:
        nodes = [one.node for one in details]
        name = nodes[0].name.value
        definition = self._schema.get_field(parent, name)
        if definition is None or (name.startswith("__") and name != TYPENAME):
            raise Unplannable  # introspection is graphql-core's own
        value = self._value(definition.type, details)
        known = definition.extensions.get(GraphQLCoreConverter.DEFINITION_BACKREF)
        for_many = MANY.get(f"{parent.name}.{name}")
        attribute = None if for_many else _attribute(known)
        waits = value.waits or (name != TYPENAME and attribute is None)
        return Field(key, parent, definition, details, nodes, value, attribute, for_many, known, waits)

    def _value(self, kind: GraphQLOutputType, details: FieldDetailsList) -> Value:
        required = isinstance(kind, GraphQLNonNull)
        inner: Any = kind.of_type if isinstance(kind, GraphQLNonNull) else kind
        if isinstance(inner, GraphQLList):
            return ListOf(required, self._value(inner.of_type, details))
        if isinstance(inner, GraphQLObjectType):
            return Objects(required, inner, self._under(inner, details))
        if is_abstract_type(inner):
            planned: dict[str, Selection] = {}

            def selection_of(found: GraphQLObjectType) -> Selection:
                if found.name not in planned:
                    planned[found.name] = self._under(found, details)
                return planned[found.name]

            return OneOf(required, inner, selection_of)
        if not is_leaf_type(inner):
            raise Unplannable
        return Leaf(required, inner)

    def _under(self, parent: GraphQLObjectType, details: FieldDetailsList) -> Selection:
        collected = collect_subfields(
            self._schema, self._fragments, self._variables, self._operation, parent, details, True
        )
        return self._selection(parent, collected.grouped_field_set)


def _attribute(known: StrawberryField | None) -> Callable[[Any], Any] | None:
    """How a plain field is read; None for one with a resolver."""
    if isinstance(known, StrawberryField) and known.is_basic_field and known.default_resolver is getattr:
        return attrgetter(known.python_name)
    return None


class _Directives(Visitor):
    found = False

    def enter_directive(self, *_: Any) -> None:
        self.found = True


def _has_directives(document: DocumentNode) -> bool:
    """Whether what is asked may depend on variables: @include and @skip."""
    seen = _Directives()
    visit(document, seen)
    return seen.found
