"""How much may be asked at once: the shape of a document, read from its text alone, before anything expensive.

Validation can burn seconds on a small hostile query, and neither a limit on depth nor one on aliases stops that: the
limit on tokens does. So the parse is limited first, then the shape (this module), then comes validation, then the cost
(`cost`), then the work. Fragments count wherever they are spread; each is measured once.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
)

from shared.errors import Invalid, LimitExceeded

BODY_BYTES = 100_000
TOKENS = 1_000
DEPTH = 8
INTROSPECTION_DEPTH = 16
ALIASES = 15
ROOT_FIELDS = 10
DIRECTIVES = 20
SELECTIONS = 2_000
PAGE = 100
NODES = 10_000
COST = 1_000
COST_PER_MINUTE = 120_000
RESPONSE_BYTES = 2_000_000
WALL_CLOCK_SECONDS = 5.0

_INTROSPECTION = frozenset({"__schema", "__type"})


class TooMuch(LimitExceeded):
    """This asks for more than one request may."""

    def __init__(self, what: str, have: int, most: int) -> None:
        super().__init__(f"{what}: {have} is more than the {most} that are allowed.", limit=most)


class FragmentCycle(Invalid):
    """A fragment must not contain itself."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a selection with its fragments in place. Depth counts the levels that have fields under them."""

    depth: int = 0
    introspection_depth: int = 0
    aliases: int = 0
    directives: int = 0
    selections: int = 0

    def beside(self, other: "Shape") -> "Shape":
        """Both, next to each other."""
        return Shape(
            max(self.depth, other.depth),
            max(self.introspection_depth, other.introspection_depth),
            self.aliases + other.aliases,
            self.directives + other.directives,
            self.selections + other.selections,
        )


def check_shape(document: DocumentNode) -> None:
    """Refuse (TooMuch) a document whose shape is over a limit."""
    try:
        _check_shape(document)
    except RecursionError as deep:  # fragments within fragments add up to more than Python can descend
        raise TooMuch("Depth", DEPTH + 1, DEPTH) from deep


def _check_shape(document: DocumentNode) -> None:
    measure = _Measure(document)
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            shape = measure.selection(definition.selection_set.selections)
            directives = shape.directives + len(definition.directives or ())
            _at_most("Fields at the root", measure.roots(definition.selection_set.selections), ROOT_FIELDS)
            _at_most("Depth", shape.depth, DEPTH)
            _at_most("Depth of the introspection", shape.introspection_depth, INTROSPECTION_DEPTH)
            _at_most("Aliases", shape.aliases, ALIASES)
            _at_most("Directives", directives, DIRECTIVES)
            _at_most("Fields with all fragments in place", shape.selections, SELECTIONS)
        elif isinstance(definition, FragmentDefinitionNode):
            measure.fragment(definition.name.value)


def _at_most(what: str, have: int, most: int) -> None:
    if have > most:
        raise TooMuch(what, have, most)


class _Measure:
    """Measures selections; every fragment once, however often it is spread."""

    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._shapes: dict[str, Shape] = {}
        self._roots: dict[str, int] = {}
        self._within: set[str] = set()

    def selection(self, selections: Iterable[SelectionNode]) -> Shape:
        shape = Shape()
        for node in selections:
            shape = shape.beside(self._one(node))
        return shape

    def fragment(self, name: str) -> Shape:
        """A fragment's shape; nothing for one that does not exist, which validation will say."""
        if name in self._shapes:
            return self._shapes[name]
        if name not in self._fragments:
            return Shape()
        if name in self._within:
            raise FragmentCycle
        self._within.add(name)
        definition = self._fragments[name]
        shape = self.selection(definition.selection_set.selections)
        self._shapes[name] = shape.beside(Shape(directives=len(definition.directives or ())))
        self._within.discard(name)
        return self._shapes[name]

    def roots(self, selections: Iterable[SelectionNode]) -> int:
        """How many fields stand at the top of an operation. Only after `selection`, which refuses cycles."""
        count = 0
        for node in selections:
            match node:
                case FragmentSpreadNode():
                    count += self._roots_of(node.name.value)
                case InlineFragmentNode():
                    count += self.roots(node.selection_set.selections)
                case _:
                    count += 1
        return count

    def _roots_of(self, name: str) -> int:
        if name not in self._roots:
            definition = self._fragments.get(name)
            self._roots[name] = self.roots(definition.selection_set.selections) if definition else 0
        return self._roots[name]

    def _one(self, node: SelectionNode) -> Shape:
        own = Shape(directives=len(node.directives or ()))
        match node:
            case FieldNode():
                return self._field(node).beside(own)
            case FragmentSpreadNode():
                return self.fragment(node.name.value).beside(own)
            case InlineFragmentNode():
                return self.selection(node.selection_set.selections).beside(own)
            case _:
                return own

    def _field(self, node: FieldNode) -> Shape:
        inner = self.selection(node.selection_set.selections) if node.selection_set else Shape()
        level = 1 if node.selection_set else 0
        depth, introspection_depth = inner.depth + level, inner.introspection_depth
        if node.name.value in _INTROSPECTION:
            depth, introspection_depth = 0, max(depth, introspection_depth)
        return Shape(
            depth,
            introspection_depth,
            inner.aliases + (node.alias is not None),
            inner.directives,
            inner.selections + 1,
        )
