"""What many entries of one list refer to, fetched once for the list instead of awaited entry by entry."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode
from strawberry.dataloader import DataLoader

from services.gateway.context import Info
from services.gateway.loaders import Key
from shared.errors import TrellisError

Found = TypeVar("Found")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Lookup(Generic[Made]):
    """What was found by id; or why nothing could be."""

    found: Mapping[UUID, Made]
    wrong: TrellisError | None = None

    def find(self, id_: UUID) -> Made | None:
        if self.wrong is not None:
            raise self.wrong
        return self.found.get(id_)


async def look_up(
    loader: DataLoader[Key, Found | None], ids: Iterable[UUID], make: Callable[[Found], Made]
) -> Lookup[Made]:
    """Find all of these at once. What goes wrong is said by the fields that needed it, not by the list."""
    distinct = list(dict.fromkeys(ids))
    try:
        found = await loader.load_many(distinct)
    except TrellisError as wrong:
        return Lookup({}, wrong)
    return Lookup({id_: make(one) for id_, one in zip(distinct, found, strict=True) if one is not None})


def wants(info: Info, name: str) -> bool:
    """Whether a field of this name is asked for anywhere under the one being resolved."""
    raw = info._raw_info
    pending = [node.selection_set for node in raw.field_nodes if node.selection_set]
    while pending:
        for node in pending.pop().selections:
            if isinstance(node, FieldNode):
                if node.name.value == name:
                    return True
                if node.selection_set:
                    pending.append(node.selection_set)
            elif isinstance(node, InlineFragmentNode):
                pending.append(node.selection_set)
            elif isinstance(node, FragmentSpreadNode):
                pending.append(raw.fragments[node.name.value].selection_set)
    return False
