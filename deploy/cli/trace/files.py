"""Response files: user, item, skill, correct, timestamp, from CSV, tab separated text or Parquet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from deploy.cli.irt.files.tables import Progress, Table, open_table
from deploy.cli.refusal import Refused

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REQUIRED = ("user", "skill", "correct")
OPTIONAL = ("item", "timestamp")
_WORDS = {"true": 1.0, "false": 0.0}
_DAY = 86_400.0
_A_CLOCK = 1e8
_MILLISECONDS = 1e11


class Time(StrEnum):
    """What timestamps are: seconds or milliseconds since some moment, or the order alone."""

    AUTO = "auto"
    ORDER = "order"
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"


@dataclass(frozen=True, slots=True)
class Coded:
    """A column of names: `codes` (rows,) are places in `names`, which stand in the order they first appear."""

    codes: Ints
    names: list[str]


@dataclass(frozen=True, slots=True)
class TraceFile:
    """One row of the file a response.

    `time` (rows,) are timestamps as numbers; `has_time` says that their differences are times, in days. `item` is None
    where the file has no such column. `extra` are further columns asked for by name.
    """

    path: Path
    user: Coded
    skill: Coded
    item: Coded | None
    credit: Floats
    time: Floats
    has_time: bool
    extra: dict[str, Coded]

    def __len__(self) -> int:
        return len(self.credit)


def read(path: Path, time: Time, extra: Sequence[str], progress: Progress) -> TraceFile:
    """The file; `user_id` and the like are `user`, other columns are left alone.

    Raises: Refused, naming line and column, when a column is missing or a cell is not what it should be.
    """
    table = open_table(path)
    where = _columns(table, extra)
    chunks: dict[str, list[pa.Array]] = {name: [] for name in where}
    for batch in table.batches(sorted(where.values()), progress):
        for name, position in where.items():
            chunks[name].append(batch[position])
    columns = {
        name: pa.chunked_array(some, type=pa.string()) if some else pa.chunked_array([], type=pa.string())
        for name, some in chunks.items()
    }
    if not len(columns["user"]):
        raise Refused(f"{path} has a header and no responses.")
    for name, column in columns.items():
        _whole(table, name, column)
    coded = {name: _coded(column) for name, column in columns.items()}
    stamps, has_time = np.zeros(len(columns["user"])), False
    if "timestamp" in coded:
        stamps, has_time = _times(table, coded["timestamp"], time)
    return TraceFile(
        path,
        coded["user"],
        coded["skill"],
        coded.get("item"),
        _credits(table, coded["correct"]),
        stamps,
        has_time,
        {name: coded[name] for name in extra},
    )


def _columns(table: Table, extra: Sequence[str]) -> dict[str, int]:
    places = {name: place for place, name in enumerate(table.columns)}
    where, missing = {}, []
    for name in (*REQUIRED, *OPTIONAL):
        found = [places[one] for one in (name, f"{name}_id") if one in places]
        if len(found) == 2:
            raise Refused(f"{table.path}, header: both {name!r} and {f'{name}_id'!r} are there; which is it?")
        if found:
            where[name] = found[0]
        elif name in REQUIRED:
            missing.append(name)
    if missing:
        raise Refused(f"{table.path}, header: no column {', '.join(missing)} (there are {', '.join(table.columns)}).")
    for name in extra:
        if name not in places:
            raise Refused(f"{table.path}, header: no column {name!r} (there are {', '.join(table.columns)}).")
        where[name] = places[name]
    return where


def _whole(table: Table, name: str, column: pa.ChunkedArray) -> None:
    """No cell is empty."""
    if column.null_count:
        first = int(np.flatnonzero(column.is_null().to_numpy())[0])
        raise Refused(f"{table.path}, {table.row(first)}, column {name!r}: the cell is empty.")


def _coded(column: pa.ChunkedArray) -> Coded:
    array = column.combine_chunks().dictionary_encode()
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return Coded(array.indices.to_numpy(zero_copy_only=False).astype(np.int64), array.dictionary.to_pylist())


def _first(coded: Coded, code: int) -> int:
    return int(np.flatnonzero(coded.codes == code)[0])


def _credits(table: Table, coded: Coded) -> Floats:
    """Credit 0 to 1 of every response."""
    values = np.empty(len(coded.names))
    for code, text in enumerate(coded.names):
        value = _WORDS.get(text.strip().lower(), _number(text))
        if value is None or not 0 <= value <= 1:
            raise Refused(
                f"{table.path}, {table.row(_first(coded, code))}, column 'correct': {text!r} is no number from 0 to 1."
            )
        values[code] = value
    return values[coded.codes]


def _number(text: str) -> float | None:
    """A finite number, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _times(table: Table, coded: Coded, time: Time) -> tuple[Floats, bool]:
    """Timestamps as numbers that sort, in days where they tell time, and whether they do."""
    numbers = [_number(text) for text in coded.names]
    if all(one is not None for one in numbers):
        values = np.array(numbers, dtype=np.float64)
        if time is Time.AUTO:
            least = float(np.abs(values).min())
            time = Time.ORDER if least < _A_CLOCK else Time.MILLISECONDS if least > _MILLISECONDS else Time.SECONDS
        scale = {Time.ORDER: 1.0, Time.SECONDS: _DAY}.get(time, 1000 * _DAY)
        return (values / scale)[coded.codes], time is not Time.ORDER
    days = np.empty(len(coded.names))
    for code, text in enumerate(coded.names):
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError:
            raise Refused(
                f"{table.path}, {table.row(_first(coded, code))}, column 'timestamp': "
                f"{text!r} is neither a number nor a moment as in 2026-09-01T08:30:00Z."
            ) from None
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        days[code] = aware.timestamp() / _DAY
    return days[coded.codes], time is not Time.ORDER
