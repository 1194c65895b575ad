"""Answering a plan breadth first: each field once for all objects of a level, each level's answers put together once.

The answer is graphql-core's, value by value and error by error, except that the errors of one answer may stand in
another order. Where graphql-core would null what is above an error, or meets what is no plain value, the walk gives up
and graphql-core executes the same operation with the same loaders, which still know what they have found.
"""

import asyncio
import inspect
from bisect import bisect_right
from collections import defaultdict
from collections.abc import AsyncIterable, Awaitable, Sequence
from functools import lru_cache
from itertools import accumulate, chain, pairwise
from types import GeneratorType, NoneType
from typing import Any, assert_never

import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
    Executor,
    GraphQLError,
    GraphQLObjectType,
    GraphQLResolveInfo,
    located_error,
)
from graphql.execution.values import get_argument_values
from graphql.pyutils import Path, UndefinedType, gather_with_cancel

from services.gateway.execution import leaves
from services.gateway.execution.leaves import Column
from services.gateway.execution.plan import Field, Leaf, ListOf, Objects, OneOf, Plans, Selection, Unplannable, Value

__all__ = ["execute"]


async def execute(executor: Executor[Any], plans: Plans, document: DocumentNode) -> ExecutionResult:
    """The answer to the executor's operation; `plans` are those of its document."""
    try:
        return await _Walk(executor).answer(plans.of(executor, document))
    except (Unplannable, _CannotSay):
        pass
    result = executor.execute_operation()
    found = await result if inspect.isawaitable(result) else result
    assert isinstance(found, ExecutionResult)
    return found


class _CannotSay(Exception):
    """What comes next is for graphql-core to say."""


class _Root:
    """Where the objects of a level stand in the answer: nothing is worked out before an error needs it."""

    shared = False
    """One value stands in several places, so that no path would be the right one."""

    def path(self, place: int) -> list[str | int]:
        """The path of the object at this place in the level."""
        return []


class _Under(_Root):
    def __init__(self, above: _Root, key: str) -> None:
        self._above = above
        self._key = key
        self.shared = above.shared

    def path(self, place: int) -> list[str | int]:
        return [*self._above.path(place), self._key]


class _Items(_Root):
    def __init__(self, above: _Root, bounds: Sequence[int]) -> None:
        self._above = above
        self._bounds = bounds
        self.shared = above.shared

    def path(self, place: int) -> list[str | int]:
        owner = bisect_right(self._bounds, place) - 1
        return [*self._above.path(owner), place - self._bounds[owner]]


class _Some(_Root):
    def __init__(self, above: _Root, places: Sequence[int], *, shared: bool = False) -> None:
        self._above = above
        self._places = places
        self.shared = above.shared or shared

    def path(self, place: int) -> list[str | int]:
        return self._above.path(self._places[place])


class _Walk:
    """One execution."""

    def __init__(self, executor: Executor[Any]) -> None:
        self._executor = executor
        self._errors: list[GraphQLError] = []

    async def answer(self, plan: Selection) -> ExecutionResult:
        [data] = await self._select(plan, [self._executor.root_value], _Root())
        return ExecutionResult(data, self._errors or None)

    async def _select(self, selection: Selection, sources: Column, where: _Root) -> list[dict[str, Any]]:
        """What is asked of each of these objects; fields that wait for something wait together."""
        if not sources:
            return []
        columns: dict[str, Column] = {}
        waiting: list[Field] = []
        for field in selection.fields:
            if field.waits:
                waiting.append(field)
            else:
                columns[field.key] = await self._field(field, sources, where)
        if len(waiting) == 1:
            columns[waiting[0].key] = await self._field(waiting[0], sources, where)
        elif waiting:
            found = await gather_with_cancel(*(self._field(field, sources, where) for field in waiting))
            columns |= zip((field.key for field in waiting), found, strict=True)
        keys = selection.keys
        if not keys:  # @skip and @include left nothing
            return [{} for _ in sources]
        return [dict(zip(keys, row, strict=True)) for row in zip(*(columns[key] for key in keys), strict=True)]

    async def _field(self, field: Field, sources: Column, where: _Root) -> Column:
        if field.is_typename:
            return [field.parent.name] * len(sources)
        here = _Under(where, field.key)
        return await self._complete(field.value, await self._resolve(field, sources, here), field, here)

    async def _resolve(self, field: Field, sources: Column, here: _Root) -> Column:
        """A value for each object; an exception where there is none."""
        if field.attribute is not None:
            try:
                return list(map(field.attribute, sources))
            except Exception:  # of any kind: graphql-core asks each object by itself
                raise _CannotSay from None
        try:
            arguments = self._arguments(field)
            raw = self._info(field, here)
            if field.for_many is None or field.known is None:
                return await self._one_by_one(field, raw, sources, arguments)
            found = field.for_many(strawberry.Info(_raw_info=raw, _field=field.known), sources, **arguments)
            values = list(await found if inspect.isawaitable(found) else found)
        except Exception as wrong:  # of any kind: each object of the level has this error, as in graphql-core
            return [wrong] * len(sources)
        if len(values) != len(sources):
            raise RuntimeError(f"{field.parent.name}.{field.key} for many: {len(values)} for {len(sources)}")
        return values

    def _arguments(self, field: Field) -> dict[str, Any]:
        if not field.definition.args:
            return {}
        return get_argument_values(
            field.definition, field.nodes[0], self._executor.variable_values, hide_suggestions=True
        )  # fmt: skip

    async def _one_by_one(
        self, field: Field, raw: GraphQLResolveInfo[Any], sources: Column, arguments: dict[str, Any]
    ) -> Column:
        resolve = field.definition.resolve or self._executor.field_resolver
        values: Column = []
        for source in sources:
            try:
                values.append(resolve(source, raw, **arguments))
            except Exception as wrong:  # of any kind: this object's error, as in graphql-core
                values.append(wrong)
        awaited = [place for place, value in enumerate(values) if inspect.isawaitable(value)]
        if len(awaited) == 1:
            try:
                values[awaited[0]] = await values[awaited[0]]
            except Exception as wrong:  # the same
                values[awaited[0]] = wrong
        elif awaited:
            found = await asyncio.gather(*(values[place] for place in awaited), return_exceptions=True)
            for place, value in zip(awaited, found, strict=True):
                values[place] = value
        return values

    async def _complete(self, value: Value, values: Column, field: Field, where: _Root) -> Column:
        """The column in the words of the answer, with what is null or an error taken out and put back."""
        kinds = set(map(type, values))
        if all(map(_is_plain, kinds)):
            return await self._whole(value, values, kinds, field, where)
        done: Column = [None] * len(values)
        places: list[int] = []
        for place, one in enumerate(values):
            if isinstance(one, Exception):
                self._wrong(value, one, field, where, place)
            elif one is not None:
                places.append(place)
            elif value.required:
                raise _CannotSay
        kept = [values[place] for place in places]
        kinds = set(map(type, kept))
        if not all(map(_is_plain, kinds)):
            raise _CannotSay
        found = await self._whole(value, kept, kinds, field, _Some(where, places))
        for place, one in zip(places, found, strict=True):
            done[place] = one
        return done

    async def _whole(self, value: Value, values: Column, kinds: set[type], field: Field, where: _Root) -> Column:
        if not values:
            return []
        match value:
            case Leaf():
                return self._leaves(value, values, kinds, field, where)
            case ListOf():
                if not kinds <= {list, tuple}:
                    raise _CannotSay
                bounds = [0, *accumulate(map(len, values))]
                items = list(chain.from_iterable(values))
                found = await self._complete(value.of, items, field, _Items(where, bounds[:-1]))
                return [found[a:b] for a, b in pairwise(bounds)]
            case Objects():
                return await self._objects(value.type, value.selection, values, field, where)
            case OneOf():
                return await self._one_of(value, values, field, where)
            case _:
                assert_never(value)

    def _leaves(self, value: Leaf, values: Column, kinds: set[type], field: Field, where: _Root) -> Column:
        try:
            return leaves.said(value.type, values, kinds)
        except Exception:  # of any kind: found again below, in its place
            return leaves.each(
                value.type, values, lambda place, wrong: self._wrong(value, wrong, field, where, place)
            )  # fmt: skip

    async def _one_of(self, value: OneOf, values: Column, field: Field, where: _Root) -> Column:
        """Objects of an interface or a union, asked type by type."""
        raw = self._info(field, where)
        tell = value.type.resolve_type or self._executor.type_resolver
        places: defaultdict[str, list[int]] = defaultdict(list)
        for place, one in enumerate(values):
            name = tell(one, raw, value.type)
            if not isinstance(name, str):
                raise _CannotSay
            places[name].append(place)
        done: Column = [None] * len(values)
        for name, of_type in places.items():
            kind = self._executor.schema.get_type(name)
            if not isinstance(kind, GraphQLObjectType) or not self._executor.schema.is_sub_type(value.type, kind):
                raise _CannotSay
            asked = [values[place] for place in of_type]
            found = await self._objects(kind, value.selection_of(kind), asked, field, _Some(where, of_type))
            for place, one in zip(of_type, found, strict=True):
                done[place] = one
        return done

    async def _objects(
        self, kind: GraphQLObjectType, selection: Selection, values: Column, field: Field, where: _Root
    ) -> Column:
        """Objects of one type; one that stands in several places is asked once."""
        first = {id(one): place for place, one in zip(range(len(values) - 1, -1, -1), reversed(values), strict=True)}
        if len(first) == len(values):
            return await self._distinct(kind, selection, values, field, where)
        places = sorted(first.values())
        asked = [values[place] for place in places]
        found = await self._distinct(kind, selection, asked, field, _Some(where, places, shared=True))
        answers = {id(one): answer for one, answer in zip(asked, found, strict=True)}
        return [answers[id_] for id_ in map(id, values)]

    async def _distinct(
        self, kind: GraphQLObjectType, selection: Selection, values: Column, field: Field, where: _Root
    ) -> Column:
        if kind.is_type_of is not None:
            raw = self._info(field, where)
            if any(kind.is_type_of(one, raw) is not True for one in values):
                raise _CannotSay
        return list(await self._select(selection, values, where))

    def _info(self, field: Field, where: _Root) -> GraphQLResolveInfo[Any]:
        """What a resolver hears of the request. Its path is that of the level's first object."""
        path = None
        for part in where.path(0):
            path = Path(path, part, None)
        assert path is not None
        return self._executor.build_resolve_info(field.definition, field.nodes, field.parent, path)

    def _wrong(self, value: Value, wrong: Exception, field: Field, where: _Root, place: int) -> None:
        """Note an error whose place becomes null."""
        if value.required or where.shared:
            raise _CannotSay
        self._errors.append(located_error(wrong, field.nodes, where.path(place)))


@lru_cache(maxsize=1_000)
def _is_plain(kind: type) -> bool:
    """Whether values of this class are values, and not nothing, an error, or something that has to be waited for."""
    return not (
        issubclass(kind, NoneType | Exception | UndefinedType | Awaitable | AsyncIterable | GeneratorType)
    )  # fmt: skip
