"""CSV and Parquet as one thing: names of columns, and batches of rows as Arrow columns."""

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from deploy.cli.irt.files.cells import MISSING
from deploy.cli.refusal import Refused

BLOCK_BYTES = 8 << 20
BATCH_ROWS = 131_072
SEPARATORS = ",\t;"

Progress = Callable[[int, int], None]


class Table(Protocol):
    """A file with named columns; both implementations refuse files that are none."""

    path: Path
    columns: tuple[str, ...]

    def batches(self, plain: Sequence[int], progress: Progress) -> Iterator[list[pa.Array]]:
        """All columns of some rows at a time. Columns `plain` are text; the others come as it is fastest."""

    def row(self, number: int) -> str:
        """Where the data row with this number from 0 stands, in words."""


def open_table(path: Path) -> Table:
    """The file as a table; Parquet is known by its first bytes.

    Raises: Refused when it is empty or has no usable header.
    """
    with path.open("rb") as stream:
        start = stream.read(4)
    if not start:
        raise Refused(f"{path} is empty.")
    table: Table = ParquetTable(path) if start == b"PAR1" else CsvTable(path)
    _check_header(table)
    return table


def _check_header(table: Table) -> None:
    seen: dict[str, int] = {}
    for position, name in enumerate(table.columns, start=1):
        if name in seen:
            raise Refused(f"{table.path}, header: columns {seen[name]} and {position} are both called {name!r}.")
        seen[name] = position


class CsvTable:
    """Comma, tab or semicolon separated values in UTF-8, with a header."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._check_encoding()
        with path.open("rb") as stream:
            first = stream.readline().decode("utf-8-sig", errors="replace")
        self._separator = max(SEPARATORS, key=first.count)
        rows = self._rows()
        try:
            _, header = next(rows)
        except StopIteration:
            raise Refused(f"{path} is empty.") from None
        self.columns = tuple(name.strip() for name in header)

    def _check_encoding(self) -> None:
        with self.path.open("rb") as stream:
            start = stream.read(4096)
        if b"\0" in start:
            raise Refused(
                f"{self.path} is not text in UTF-8 (it may be UTF-16 or a spreadsheet): save it as CSV in UTF-8."
            )

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """Every row that is not blank with the number of its line: slow and exact, for the header and for errors."""
        with self.path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, delimiter=self._separator)
            line = 1
            try:
                for cells in reader:
                    if cells:
                        yield line, cells
                    line = reader.line_num + 1
            except UnicodeDecodeError:
                raise Refused(f"{self.path}, line {self._broken_line()}: not UTF-8.") from None
            except csv.Error as wrong:
                raise Refused(f"{self.path}, line {line}: {wrong}.") from None

    def _broken_line(self) -> int:
        with self.path.open("rb") as stream:
            for number, content in enumerate(stream, start=1):
                try:
                    content.decode()
                except UnicodeDecodeError:
                    return number
        return 1

    def row(self, number: int) -> str:
        """The line, counted from 1 with the header."""
        for place, (line, _) in enumerate(self._rows(), start=-1):
            if place == number:
                return f"line {line}"
        return f"row {number + 1}"

    def batches(self, plain: Sequence[int], progress: Progress) -> Iterator[list[pa.Array]]:
        """Columns as dictionaries of their distinct texts, null where missing; `plain` ones as text."""
        names = [str(position) for position in range(len(self.columns))]
        text = set(plain)
        total, done = self.path.stat().st_size, 0
        try:
            with self._opened(names, text) as reader:
                for batch in reader:
                    yield batch.columns
                    done += BLOCK_BYTES
                    progress(min(done, total), total)
        except pa.ArrowInvalid as wrong:
            self._explain(wrong)

    def _opened(self, names: list[str], text: set[int]) -> pa.RecordBatchReader:
        header = next(line for line, _ in self._rows())
        coded = pa.dictionary(pa.int32(), pa.string())
        return pyarrow.csv.open_csv(
            self.path,
            read_options=pyarrow.csv.ReadOptions(
                column_names=names, skip_rows=self._header_lines(header), block_size=BLOCK_BYTES
            ),
            parse_options=pyarrow.csv.ParseOptions(delimiter=self._separator, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pa.string() if place in text else coded for place, name in enumerate(names)},
                null_values=list(MISSING),
                strings_can_be_null=True,
            ),
        )

    def _header_lines(self, first: int) -> int:
        """How many lines there are up to the header's end."""
        with self.path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, delimiter=self._separator)
            for cells in reader:
                if cells:
                    break
            return max(first, reader.line_num)

    def _explain(self, wrong: pa.ArrowInvalid) -> None:
        """Find the row that the fast reader stumbled over.

        Raises: Refused, always.
        """
        rows = self._rows()
        next(rows)
        header_only = True
        for line, cells in rows:
            header_only = False
            if len(cells) != len(self.columns):
                raise Refused(
                    f"{self.path}, line {line}: {len(cells)} cells where the header has {len(self.columns)}."
                ) from None
        if header_only:
            raise Refused(f"{self.path} has a header and no students.") from None
        raise Refused(f"{self.path}: {wrong}") from wrong


class ParquetTable:
    """An Apache Parquet file with flat columns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = pyarrow.parquet.ParquetFile(path)
        except (pa.ArrowInvalid, OSError) as wrong:
            raise Refused(f"{path} is no readable Parquet file: {str(wrong).splitlines()[0]}") from None
        self.columns = tuple(self._file.schema_arrow.names)
        for field in self._file.schema_arrow:
            if pa.types.is_nested(field.type):
                raise Refused(f"{path}, column {field.name!r}: nested values are no scores.")

    def row(self, number: int) -> str:
        """The row, counted from 1."""
        return f"row {number + 1}"

    def batches(self, plain: Sequence[int], progress: Progress) -> Iterator[list[pa.Array]]:
        """Columns in the file's own types; `plain` ones as text."""
        total, done = self._file.metadata.num_rows, 0
        try:
            for batch in self._file.iter_batches(batch_size=BATCH_ROWS):
                columns = batch.columns
                for position in plain:
                    columns[position] = _as_text(columns[position])
                yield columns
                done += batch.num_rows
                progress(done, total)
        except (pa.ArrowInvalid, OSError) as wrong:
            raise Refused(f"{self.path} cannot be read to its end: {str(wrong).splitlines()[0]}") from None


def _as_text(column: pa.Array) -> pa.Array:
    """The cells as text, `NA` and empty as null; whole numbers without a decimal point, as in CSV."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        values = [None if one is None else str(int(one)) if one == one // 1 else str(one) for one in column.to_pylist()]
        return pa.array(values, type=pa.string())
    texts = column.cast(pa.string())
    return pa.array([None if one in MISSING else one for one in texts.to_pylist()], type=pa.string())
