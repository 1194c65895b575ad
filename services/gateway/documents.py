"""Documents, parsed and validated once: what is asked again and again costs a look-up."""

from collections import OrderedDict
from dataclasses import dataclass, field

from graphql import DocumentNode, GraphQLError, GraphQLSchema, OperationDefinitionNode, OperationType, parse, validate

from services.gateway.execution.plan import Plans
from services.gateway.limits import TOKENS, check_shape
from shared.errors import Invalid, LimitExceeded

_ERRORS_SAID = 5
_LARGEST_KEPT = 16_000
_CHARACTERS_KEPT = 500_000  # a syntax tree takes about two hundred times its text
_GAVE_UP = "Parsing aborted."


class NotADocument(Exception):
    """The text does not parse, or does not fit the schema; `errors` say why."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__("not a document")
        self.errors = errors


class DocumentTooLarge(LimitExceeded):
    """A document has at most 1,000 tokens, as many comments, and is not nested deeper than can be read."""


class WhichOperation(Invalid):
    """The document has several operations; operationName says which, by a name that is in it."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document that fits the schema and the limits of shape."""

    ast: DocumentNode
    operations: dict[str, OperationDefinitionNode]
    plans: Plans = field(default_factory=Plans)

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """The operation to execute."""
        if name is None and len(self.operations) == 1:
            return next(iter(self.operations.values()))
        if name is None or name not in self.operations:
            raise WhichOperation
        return self.operations[name]


class Documents:
    """Reads documents; remembers the last good ones."""

    def __init__(self, schema: GraphQLSchema, *, size: int = 500) -> None:
        self._schema = schema
        self._size = size
        self._kept: OrderedDict[str, Document] = OrderedDict()
        self._characters = 0

    def __len__(self) -> int:
        return len(self._kept)

    def read(self, text: str) -> Document:
        """Parse within the token limit, check the shape, validate. Raises NotADocument or one of our errors."""
        if text in self._kept:
            self._kept.move_to_end(text)
            return self._kept[text]
        document = self._fresh(text)
        if len(text) <= _LARGEST_KEPT:
            self._kept[text] = document
            self._characters += len(text)
            while len(self._kept) > self._size or self._characters > _CHARACTERS_KEPT:
                forgotten, _ = self._kept.popitem(last=False)
                self._characters -= len(forgotten)
        return document

    def _fresh(self, text: str) -> Document:
        try:
            ast = parse(text, max_lexical_tokens=TOKENS, max_comments=TOKENS)
        except GraphQLError as wrong:
            if wrong.message.endswith(_GAVE_UP):
                raise DocumentTooLarge from wrong
            raise NotADocument([wrong]) from wrong
        check_shape(ast)
        errors = validate(self._schema, ast, max_errors=_ERRORS_SAID, hide_suggestions=True)
        if errors:
            raise NotADocument(errors)
        found = [node for node in ast.definitions if isinstance(node, OperationDefinitionNode)]
        return Document(ast, {node.name.value if node.name else "": node for node in found})


def is_query(operation: OperationDefinitionNode) -> bool:
    return operation.operation is OperationType.QUERY
