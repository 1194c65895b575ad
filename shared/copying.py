"""Columns to and from PostgreSQL: thousands of rows without an object for each of their values."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_ID = 16
_INTEGER = 23
"""PostgreSQL's number of the type integer."""


def tuples(*columns: NDArray[np.generic]) -> bytes:
    """Rows as binary COPY writes them.

    A tuple is its number of fields (16 bits), then each field's length (32 bits) and bytes, all big-endian. (PostgreSQL
    18 documentation, COPY, "Binary Format".) A column is (rows,) numbers or (rows, width) bytes: of equal width, so
    rows whose bytes differ in length are written apart.
    """
    layout: list[tuple[str, np.dtype[np.generic] | str, tuple[int, ...]]] = [("fields", ">i2", ())]
    for number, column in enumerate(columns):
        layout += [
            (f"length {number}", ">i4", ()),
            (f"column {number}", column.dtype.newbyteorder(">"), column.shape[1:]),
        ]
    rows = np.empty(len(columns[0]), dtype=layout)
    rows["fields"] = len(columns)
    for number, column in enumerate(columns):
        rows[f"length {number}"] = rows.dtype[f"column {number}"].itemsize
        rows[f"column {number}"] = column
    return rows.tobytes()


def arrays(rows: NDArray[np.int32]) -> NDArray[np.uint8]:
    """A column of type integer[], of which all arrays are equally long.

    An array is its dimensions, whether there are NULLs, its elements' type, and its length and first index, then each
    element's length and bytes. (PostgreSQL 18 sources, array_send.)
    """
    count, length = rows.shape
    found = np.empty((count, 5 + 2 * length), dtype=">i4")
    found[:, :5] = 1, 0, _INTEGER, length, 1
    found[:, 5::2] = 4
    found[:, 6::2] = rows
    return found.view(np.uint8)


def packed(ids: Iterable[bytes]) -> NDArray[np.uint8]:
    """Ids as a column, (rows, 16) bytes."""
    return np.frombuffer(b"".join(ids), dtype=np.uint8).reshape(-1, _ID)


def cut(column: bytes, width: int) -> list[bytes]:
    """Values of equal width that came as one."""
    return [column[at : at + width] for at in range(0, len(column), width)]


def numbers(column: bytes, kind: str) -> list[int]:
    """Numbers that came as one, in this numpy type."""
    return np.frombuffer(column, dtype=kind).tolist()  # type: ignore[no-any-return]  # numpy types every list as Any
