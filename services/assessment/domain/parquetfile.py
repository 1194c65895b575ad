"""Answer sheets as Parquet: a batch of rows in, scored columns and located problems out.

Runs in the worker process alone: pyarrow takes tens of megabytes, which no service's own process is to carry. So it is
imported by the functions, not by the module, which the service knows by name.

A file is read from its beginning to its end, a batch at a time; where that stands is kept here between two calls. A
worker that died meanwhile is replaced by one that knows nothing: it opens the file again and reads on to the row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from services.assessment.domain import sheets
from services.assessment.domain.catalogue import unpacked
from services.assessment.domain.csvfile import duplicates
from services.assessment.domain.formsfile import FIXED_COLUMNS, STATUS_COLUMN
from services.assessment.domain.problems import Problem, shown
from services.assessment.domain.records import LONGEST_FIELD
from services.assessment.domain.sheets import Reading, Together
from services.assessment.domain.times import EARLIEST, LATEST

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_NAMED = (*FIXED_COLUMNS, STATUS_COLUMN)
_BATCH_BYTES = 4 << 20
_MOST_ROWS, _FEWEST_ROWS = 4_096, 64
_BUFFER = 32 << 10  # bytes of a column chunk that are read ahead: never a whole chunk, which may be a whole file
_PER_SECOND = {"s": 1_000_000, "ms": 1_000, "us": 1}
_FREE_BYTES, _MOST_RATIO = 10 << 20, 100  # what may come out of how much, as of any archive
_FREE_ROWS = 10_000  # beyond them a row takes a byte at least: sheets are not all the same
_SHARED_PREFIXES = "DELTA_BYTE_ARRAY"  # a long text and a thousand times "the same again": no telling how much that is
_BROKEN = "The file is cut off or damaged: send it whole."


@dataclass(frozen=True, slots=True)
class Description:
    """What the footer says: the item columns and the number of rows, or what is wrong with it."""

    items: list[str] = field(default_factory=list)
    rows: int = 0
    problems: list[Problem] = field(default_factory=list)


@dataclass(slots=True)
class _Open:
    """A file being read: the batch that begins at `row` (from 0), and the ones after it."""

    path: str
    row: int
    batch: pa.RecordBatch | None
    following: Iterator[pa.RecordBatch]
    file: pq.ParquetFile


_now: list[_Open] = []
"""The file that this worker process is reading: at most one, for a service takes one import at a time."""


def describe(path: str) -> Description:
    """Read the footer, and check the columns' names and types."""
    import pyarrow as pa

    try:
        file = _opened(path)
    except (pa.ArrowException, OSError) as wrong:
        found = shown(str(wrong).partition("\n")[0])
        remedy = "The footer of this Parquet file cannot be read. " + _BROKEN
        return Description(problems=[Problem(None, None, found, "parquet", remedy)])
    with file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
        problems = [*duplicates(schema.names, None), *_swollen(file, Path(path).stat().st_size)]
    for name in FIXED_COLUMNS:
        if name not in schema.names:
            remedy = f"Add this column; the fixed ones are {', '.join(FIXED_COLUMNS)}."
            problems.append(Problem(None, name, None, "missing-column", remedy))
    for column in schema:
        expected = "a string or a timestamp adjusted to UTC" if column.name == "completed_at" else "a string"
        if not (_is_text(column.type) or (column.name == "completed_at" and _is_instant(column.type))):
            remedy = f"Expected is {expected}; write the column anew with this type."
            problems.append(Problem(None, shown(column.name), str(column.type), "wrong-type", remedy))
    return Description([name for name in schema.names if name not in _NAMED], rows, problems)


def read(path: str, row: int, packed: bytes) -> tuple[Reading, int | None]:
    """Check and score the batch that begins at this row; and where the next one begins, None at the end."""
    import pyarrow as pa

    reading = Reading()
    try:
        batch = _batch(path, row)
        if batch is None:
            return reading, None
        texts = {name: _texts(column) for name, column in zip(batch.schema.names, batch.columns, strict=True)}
    except (pa.ArrowException, OSError) as wrong:
        reading.refuse(row + 1, None, str(wrong).partition("\n")[0], "parquet", f"Rows cannot be read. {_BROKEN}")
        return reading, None
    lacking = _read_batch(texts, row, packed, reading)
    return (lacking, row) if lacking is not None else (reading, row + batch.num_rows)


def close(path: str) -> None:
    """Let go of the file."""
    while _now and _now[-1].path == path:
        _now.pop().file.close()


def _opened(path: str) -> pq.ParquetFile:
    """The file; columns that are written with a dictionary come with it, so that a word is in memory once."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pa.set_memory_pool(pa.system_memory_pool())  # gives back what is freed; the others keep it for themselves
    about = pq.read_metadata(path)
    packed = {chunk.path_in_schema for chunk in _chunks(about) if chunk.has_dictionary_page}
    packed &= set(about.schema.to_arrow_schema().names)  # not what is nested: that is refused as it is written
    return pq.ParquetFile(path, metadata=about, read_dictionary=packed, buffer_size=_BUFFER, pre_buffer=False)


def _chunks(about: pq.FileMetaData) -> Iterator[pq.ColumnChunkMetaData]:
    for group in range(about.num_row_groups):
        row_group = about.row_group(group)
        for column in range(row_group.num_columns):
            yield row_group.column(column)


def _swollen(file: pq.ParquetFile, size: int) -> Iterator[Problem]:
    """What would take memory or time out of all proportion to the file's size, as its footer tells."""
    about = file.metadata
    if sum(chunk.total_uncompressed_size for chunk in _chunks(about)) > _FREE_BYTES + _MOST_RATIO * size:
        remedy = f"Unpacked it is more than {_MOST_RATIO} times as large; no file of answers is."
        yield Problem(None, None, f"{size} bytes", "unpacks-too-large", remedy)
    if about.num_rows > _FREE_ROWS + size:
        remedy = "It has more rows than bytes; no file of answers has."
        yield Problem(None, None, f"{about.num_rows} rows", "unpacks-too-large", remedy)
    shared = {chunk.path_in_schema for chunk in _chunks(about) if _SHARED_PREFIXES in chunk.encodings}
    for name in sorted(shared):
        remedy = "Write this column with a dictionary, or plain."
        yield Problem(None, shown(name), _SHARED_PREFIXES, "encoding", remedy)


def _batch(path: str, row: int) -> pa.RecordBatch | None:
    """The batch that begins at this row: the one at hand, the next one, or read up to from the beginning."""
    if not _now or _now[-1].path != path or _now[-1].row > row:
        while _now:
            _now.pop().file.close()
        file = _opened(path)
        batches = _pieces(file.iter_batches(batch_size=_rows_at_once(file), use_threads=False))
        _now.append(_Open(path, 0, next(batches, None), batches, file))
    here = _now[-1]
    while here.batch is not None and here.row < row:
        here.row += here.batch.num_rows
        here.batch = next(here.following, None)
    return here.batch


def _pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows, no more of them together than take a few megabytes when every row has its words."""
    for batch in batches:
        ends = np.cumsum(_sizes(batch))
        begin = 0
        while begin < batch.num_rows:
            before = int(ends[begin - 1]) if begin else 0
            end = max(int(np.searchsorted(ends, before + _BATCH_BYTES, side="right")), begin + 1)
            yield batch.slice(begin, end - begin)
            begin = end


def _sizes(batch: pa.RecordBatch) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """What each row's words from dictionaries come to, shape (rows,), in bytes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    sizes = np.zeros(batch.num_rows, dtype=np.int64)
    for column in batch.columns:
        if pa.types.is_dictionary(column.type) and len(column.dictionary):
            lengths = pc.binary_length(column.dictionary).fill_null(0).to_numpy(zero_copy_only=False)
            places = column.indices.fill_null(0).to_numpy(zero_copy_only=False)
            sizes += np.minimum(lengths, LONGEST_FIELD + 1)[places]
    return sizes


def _rows_at_once(file: pq.ParquetFile) -> int:
    """So many that a batch takes a few megabytes, as far as the footer tells how long rows are."""
    about = file.metadata
    size = sum(int(about.row_group(group).total_byte_size) for group in range(about.num_row_groups))
    cells = 60 * int(about.num_columns)  # what a cell takes once it is an object, however well it was packed
    each = max(size // max(int(about.num_rows), 1) + cells, 1)
    return max(_FEWEST_ROWS, min(_MOST_ROWS, 4 * _BATCH_BYTES // each))


def _is_text(type_: pa.DataType) -> bool:
    import pyarrow as pa

    plain = type_.value_type if pa.types.is_dictionary(type_) else type_
    return any(
        is_one(plain) for is_one in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    ) or pa.types.is_null(plain)


def _is_instant(type_: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_timestamp(type_) and type_.tz is not None)


def _texts(column: pa.Array) -> list[Any]:
    """A column's cells as texts, nothing being the empty one; timestamps as microseconds, None where there is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_timestamp(column.type):
        return _instants(column)
    if pa.types.is_dictionary(column.type):
        longest = pc.max(pc.binary_length(column.dictionary)).as_py() or 0
        if len(column.dictionary) > len(column) and longest <= LONGEST_FIELD:
            return _texts(column.dictionary.take(column.indices))
        # Of a word that is too long one character too many is enough to say so; in every row it would take gigabytes.
        words = [word[: LONGEST_FIELD + 1] for word in _texts(column.dictionary)]
        return [*map([*words, ""].__getitem__, column.indices.fill_null(len(words)).to_pylist())]
    if pa.types.is_null(column.type):
        return [""] * len(column)
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        cells = pc.cast(column, pa.large_binary()).to_pylist()
        return ["" if cell is None else cell.decode(errors="surrogateescape") for cell in cells]
    filled: list[Any] = pc.fill_null(column, "").to_pylist()
    return filled


def _instants(column: pa.Array) -> list[int | None]:
    """Microseconds since 1970 UTC; None where there is no time, or one that is finer or out of the calendar."""
    import pyarrow as pa

    unit = column.type.unit
    found: list[int | None] = []
    for count in column.cast(pa.int64()).to_pylist():
        if count is None or (unit == "ns" and count % 1_000):
            found.append(None)
            continue
        at = count // 1_000 if unit == "ns" else count * _PER_SECOND[unit]
        found.append(at if EARLIEST <= at <= LATEST else None)
    return found


def _read_batch(texts: dict[str, list[Any]], row: int, packed: bytes, reading: Reading) -> Reading | None:
    """Check and score a batch's columns, into the reading; what the catalogue lacks, if it does."""
    catalogue = unpacked(packed)
    good = _writable(texts, row, reading)
    together: dict[tuple[str, str], list[int]] = {}
    for index, pair in enumerate(zip(texts["administration"], texts["form"], strict=True)):
        if good is None or index in good:
            together.setdefault(pair, []).append(index)
    if (lacking := sheets.wanted(together, catalogue)) is not None:
        return lacking
    for (administration, form), indexes in together.items():
        part = {name: _picked(column, indexes) for name, column in texts.items()}
        columns = Together(
            lines=[row + 1 + index for index in indexes],
            students=part["student"],
            completed_at=part["completed_at"],
            modalities=part["modality"],
            statuses=part.get(STATUS_COLUMN),
            items={name: column for name, column in part.items() if name not in _NAMED},
        )
        sheets.check(administration, form, columns, catalogue, reading)
    reading.problems.sort(key=lambda problem: problem.line or 0)
    return None


def _writable(texts: dict[str, list[Any]], row: int, reading: Reading) -> set[int] | None:
    """The rows whose cells can all be kept; None when all are."""
    bad: set[int] = set()
    for name, column in texts.items():
        if column and isinstance(column[0], str):
            for index, (value, rule, remedy) in sheets.unwritable(column).items():
                bad.add(index)
                reading.refuse(row + 1 + index, shown(name), value, rule, remedy)
    reading.refused += len(bad)
    return set(range(len(texts["student"]))) - bad if bad else None


def _picked(column: Sequence[Any], indexes: list[int]) -> Sequence[Any]:
    return column if len(indexes) == len(column) else [column[index] for index in indexes]
