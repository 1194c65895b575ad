"""What an operation of OneRoster is: something that is read, which is described, or a function that writes."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from services.roster.domain.oneroster.versions import Version
from services.roster.store.oneroster.description import Collection
from shared.auth import Caller


@dataclass(frozen=True, slots=True)
class Read:
    """A collection, or with `single` one object of it, and the scopes of which one is needed."""

    collection: Collection
    scopes: frozenset[str]
    single: bool = False

    @property
    def of_results(self) -> bool:
        """Whether nobody gets it for accountability."""
        return self.collection.of.of_results


Answer = Callable[[Request, Caller, Version, tuple[str, ...]], Awaitable[Response]]
"""Answers a write, given the sourcedIds in its path."""


@dataclass(frozen=True, slots=True)
class Write:
    """What changes something, and the scopes of which one is needed."""

    answer: Answer
    scopes: frozenset[str]


Operation = Read | Write
Operations = Mapping[str, Operation]
"""By method and path, with {} for every sourcedId: `GET /classes/{}/students`."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a path means: the operations by method, and the sourcedIds in it."""

    version: Version
    operations: Mapping[str, Operation]
    sourced_ids: tuple[str, ...]


def whole(collection: Collection, path: str, scopes: frozenset[str]) -> dict[str, Operation]:
    """A collection at the top of a service, and each object of it."""
    return {
        f"GET {path}": Read(collection, scopes),
        f"GET {path}/{{}}": Read(collection, scopes, single=True),
    }
