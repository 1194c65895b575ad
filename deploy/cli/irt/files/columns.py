"""Columns that are no items: identifiers and groups."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from deploy.cli.irt.files.answers import Grouping
from deploy.cli.irt.files.tables import Table
from deploy.cli.refusal import Refused


def identifiers(table: Table, column: str, chunks: list[pa.Array]) -> tuple[str, ...]:
    """Everybody's identifier; each stands once.

    Raises: Refused naming both rows of a double, or the row without one.
    """
    found = [one for chunk in chunks for one in chunk.to_pylist()]
    distinct = set(found)
    if None in distinct:
        raise Refused(f"{table.path}, {table.row(found.index(None))}, column {column!r}: an identifier is missing.")
    if len(distinct) < len(found):
        first: dict[str, int] = {}
        for row, one in enumerate(found):
            if one in first:
                raise Refused(
                    f"{table.path}, column {column!r}: {one!r} stands at {table.row(first[one])} and {table.row(row)}."
                )
            first[one] = row
    return tuple(found)


def grouping(column: str, chunks: list[pa.Array]) -> Grouping:
    """Everybody's group, labels sorted as text; an empty cell is no group."""
    whole = pa.chunked_array(chunks, type=pa.string()).combine_chunks().dictionary_encode()
    if isinstance(whole, pa.ChunkedArray):
        whole = whole.combine_chunks()
    labels: list[str] = whole.dictionary.to_pylist()
    order = np.argsort(np.array(labels, dtype=object)) if labels else np.zeros(0, dtype=np.int64)
    rank = np.full(len(labels) + 1, -1, dtype=np.int32)
    rank[order] = np.arange(len(labels), dtype=np.int32)
    indices: NDArray[np.int32] = whole.indices.fill_null(len(labels)).to_numpy(zero_copy_only=False)
    return Grouping(column, tuple(labels[place] for place in order), rank[indices])
