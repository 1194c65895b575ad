"""The two innermost loops of the compiled kernel, in LLVM's own vectors.

A compiler may not change the order of additions (and must not: no fastmath), so a sum in LANES side by side has to be
written as one. Each function says in Python what it computes.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16
LEAST = np.float32(1e-3)
"""No product of rows is less: below lie, after one more row, the denormal numbers."""

in_vectors: Any = intrinsic
"""numba describes what this makes as taking the typing context too; Any, so that it may be called without."""

_tuple_of: Any = types.UniTuple
_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_INDEX = ir.IntType(32)


@in_vectors
def posterior(
    typing: Any,
    found: Any,
    count: Any,
    rows: Any,
    prior: Any,
    group: Any,
    places: Any,
    centre: Any,
    weights: Any,
) -> Any:
    """The weights of a student at the nodes, and their sums.

        weights = prior[group]
        for row in found[:count]:
            weights = maximum(weights * rows[row], LEAST)
        return sum(weights), sum(weights * (places - centre)), sum(weights * (places - centre) ** 2)

    Arrays are contiguous float32, `found` int64; the nodes are whole LANES. Each sum is taken in LANES and then by
    adding halves to halves.
    """
    given = found, types.int64, rows, prior, types.int64, places, types.float32, weights
    signature = _tuple_of(types.float32, 3)(*given)

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        arrays = {
            each: context.make_array(signature.args[each])(context, builder, args[each]) for each in (0, 2, 3, 5, 7)
        }
        nodes = _unpacked(builder, arrays[5].shape)[0]
        nothing = ir.Constant(_VECTOR, [0.0] * LANES)
        least = ir.Constant(_VECTOR, [float(LEAST)] * LANES)
        sums = [_kept(builder, nothing) for _ in range(3)]
        weight = _kept(builder, nothing)
        middle = _in_every_lane(builder, args[6])
        own = builder.mul(args[4], nodes)
        with cgutils.for_range_slice(builder, nodes.type(0), nodes, nodes.type(LANES)) as (node, _):
            builder.store(builder.load(_vector_at(builder, arrays[3].data, builder.add(own, node)), align=4), weight)
            with cgutils.for_range(builder, args[1]) as each:
                row = builder.load(builder.gep(arrays[0].data, [each.index]))
                at = _vector_at(builder, arrays[2].data, builder.add(builder.mul(row, nodes), node))
                product = builder.fmul(builder.load(weight), builder.load(at, align=4))
                builder.store(builder.select(builder.fcmp_ordered(">", product, least), product, least), weight)
            result = builder.load(weight)
            builder.store(result, _vector_at(builder, arrays[7].data, node), align=4)
            away = builder.fsub(builder.load(_vector_at(builder, arrays[5].data, node), align=4), middle)
            for total in sums:
                builder.store(builder.fadd(builder.load(total), result), total)
                result = builder.fmul(result, away)
        return context.make_tuple(builder, signature.return_type, [_folded(builder, each) for each in sums])

    return signature, code


@in_vectors
def add_to_rows(
    typing: Any,
    found: Any,
    count: Any,
    share: Any,
    weights: Any,
    sums: Any,
) -> Any:
    """Adds a student's weights to the rows the student is made of.

    for row in found[:count]:
        sums[row] += weights * share
    """
    signature = types.void(found, types.int64, types.float32, weights, sums)

    def code(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> Any:
        arrays = {each: context.make_array(signature.args[each])(context, builder, args[each]) for each in (0, 3, 4)}
        nodes = _unpacked(builder, arrays[3].shape)[0]
        share = _in_every_lane(builder, args[2])
        with cgutils.for_range_slice(builder, nodes.type(0), nodes, nodes.type(LANES)) as (node, _):
            weight = builder.fmul(builder.load(_vector_at(builder, arrays[3].data, node), align=4), share)
            with cgutils.for_range(builder, args[1]) as each:
                row = builder.load(builder.gep(arrays[0].data, [each.index]))
                at = _vector_at(builder, arrays[4].data, builder.add(builder.mul(row, nodes), node))
                builder.store(builder.fadd(builder.load(at, align=4), weight), at, align=4)
        return context.get_dummy_value()

    return signature, code


_unpacked: Any = cgutils.unpack_tuple
_kept: Any = cgutils.alloca_once_value


def _vector_at(builder: ir.IRBuilder, data: ir.Value, place: ir.Value) -> ir.Value:
    """Where the LANES numbers that begin at this place are."""
    return builder.bitcast(builder.gep(data, [place]), _VECTOR.as_pointer())


def _in_every_lane(builder: ir.IRBuilder, number: ir.Value) -> ir.Value:
    """A vector of one number."""
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, number, _INDEX(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_INDEX, LANES), [0] * LANES))


def _folded(builder: ir.IRBuilder, place: ir.Value) -> ir.Value:
    """The sum of the lanes of the vector that is kept there, halves added to halves."""
    vector, width = builder.load(place), LANES
    while width > 1:
        width //= 2
        halves = [ir.Constant(ir.VectorType(_INDEX, width), list(range(first, first + width))) for first in (0, width)]
        low, high = (builder.shuffle_vector(vector, vector, half) for half in halves)
        vector = builder.fadd(low, high)
    return builder.extract_element(vector, _INDEX(0))
