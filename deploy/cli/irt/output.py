"""What commands write: JSON in which unknown and infinite are null, and one line per item."""

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from deploy.cli import show


def as_text(value: Mapping[str, Any]) -> bytes:
    """One JSON object, an entry or a list's element a line: readable, and quick for a million rows.

    NaN and infinity become null wherever they stand, in numpy arrays too.
    """
    entries = (b"  " + _dumped(name) + b": " + _entry(one) for name, one in value.items())
    return b"{\n" + b",\n".join(entries) + b"\n}\n"


def _entry(value: Any) -> bytes:
    match value:
        case [{}, *_] | [[*_], *_]:
            return b"[\n    " + _joined(value, b",\n    ") + b"\n  ]"
        case {"matrix": np.ndarray() as matrix, **rest}:
            rows = _joined(np.ascontiguousarray(matrix), b",\n      ")
            return _dumped(rest)[:-1] + b',\n    "matrix": [\n      ' + rows + b"\n    ]}"
        case _:
            return _dumped(value)


def _joined(rows: Iterable[Any], between: bytes) -> bytes:
    """One row after the other: kept apart until the end, a million of them would hold gigabytes."""
    whole = bytearray()
    for row in rows:
        if whole:
            whole += between
        whole += _dumped(row)
    return bytes(whole)


def _dumped(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def write(value: Mapping[str, Any], *, json: bool, out: Path | None) -> None:
    """The object on stdout and into `out`, wherever it is asked for."""
    if not json and out is None:
        return
    content = as_text(value)
    if out is not None:
        out.write_bytes(content)
    if json:
        sys.stdout.flush()
        sys.stdout.write(content.decode())
        sys.stdout.flush()


def shown(value: float | None, digits: int = 3) -> str:
    """A number for people, with a real minus; a dash where it is unknown."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value:.{digits}f}"
    return "0." + "0" * digits if text == f"-0.{'0' * digits}" else text.replace("-", "−")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A title line and a table on the terminal."""
    show.line(title)
    show.table(columns, rows)
