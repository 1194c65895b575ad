"""What commands write: JSON in which unknown and infinite are null, and one line per item."""

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from deploy.cli import show


def known(value: object) -> Any:
    """The value with plain Python types; NaN and infinity become None, everywhere in it."""
    match value:
        case Mapping():
            return {str(name): known(one) for name, one in value.items()}
        case np.ndarray():
            return known(value.tolist())
        case str() | bool() | int() | None:
            return value
        case np.generic():
            return known(value.item())
        case float():
            return value if math.isfinite(value) else None
        case Sequence():
            return [known(one) for one in value]
        case _:
            return str(value)


def as_text(value: Mapping[str, Any]) -> bytes:
    """One JSON object, an entry or a list's element a line: readable, and small enough for large matrices."""
    entries = []
    for name, one in value.items():
        clean = known(one)
        if isinstance(clean, list) and clean and isinstance(clean[0], (dict, list)):
            rows = b",\n    ".join(orjson.dumps(row) for row in clean)
            written = b"[\n    " + rows + b"\n  ]"
        elif isinstance(clean, dict) and isinstance(clean.get("matrix"), list):
            rows = b",\n      ".join(orjson.dumps(row) for row in clean["matrix"])
            rest = {key: part for key, part in clean.items() if key != "matrix"}
            written = orjson.dumps(rest)[:-1] + b',\n    "matrix": [\n      ' + rows + b"\n    ]}"
        else:
            written = orjson.dumps(clean)
        entries.append(b"  " + orjson.dumps(name) + b": " + written)
    return b"{\n" + b",\n".join(entries) + b"\n}\n"


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
