"""Scalars and enums into the words of the answer, a column at a time; equal to graphql-core's value by value."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from math import isfinite
from typing import Any

from graphql import (
    GRAPHQL_MAX_INT,
    GRAPHQL_MIN_INT,
    Executor,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLString,
)

Column = list[Any]
"""Values of any field: what they may be is the schema's to say, at run time."""
Kinds = Collection[type]


def _texts(values: Column, kinds: Kinds) -> bool:
    return kinds == {str}


def _numbers(values: Column, kinds: Kinds) -> bool:
    return kinds == {int} and min(values) >= GRAPHQL_MIN_INT and max(values) <= GRAPHQL_MAX_INT


def _fractions(values: Column, kinds: Kinds) -> bool:
    return kinds == {float} and all(map(isfinite, values))


def _truths(values: Column, kinds: Kinds) -> bool:
    return kinds == {bool}


_AS_THEY_ARE: dict[GraphQLLeafType, Callable[[Column, Kinds], bool]] = {
    GraphQLString: _texts,
    GraphQLID: _texts,
    GraphQLInt: _numbers,
    GraphQLFloat: _fractions,
    GraphQLBoolean: _truths,
}
"""When a column of the specified scalars needs no change at all."""


def said(leaf: GraphQLLeafType, values: Column, kinds: Kinds) -> Column:
    """The column as the answer has it. Raises what graphql-core raises for the first value that is none of this type.

    `kinds` are the classes of the values. Entries and moments that many cells share are put into words once.
    """
    untouched = _AS_THEY_ARE.get(leaf)
    if untouched is not None and values and untouched(values, kinds):
        return values
    one = Executor.complete_leaf_value
    if kinds == {datetime} or isinstance(leaf, GraphQLEnumType):
        distinct = {id(value): value for value in values}
        words = {id_: one(leaf, value) for id_, value in distinct.items()}
        return [words[id_] for id_ in map(id, values)]
    return [one(leaf, value) for value in values]


def each(leaf: GraphQLLeafType, values: Sequence[Any], wrong: Callable[[int, Exception], None]) -> Column:
    """The same, value by value: what is none of this type becomes None and is told to `wrong` by its place."""
    column: Column = []
    for place, value in enumerate(values):
        try:
            column.append(Executor.complete_leaf_value(leaf, value))
        except Exception as error:  # whatever a scalar raises is this one value's error, as in graphql-core
            wrong(place, error)
            column.append(None)
    return column
