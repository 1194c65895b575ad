"""The file of answer sheets in each of its formats: CSV, NDJSON and Parquet; all three say the same.

A writer takes blocks of sheets of one form and turns them into bytes at once: every item's possible cells are an array
of fixed-width bytes, so that a block is one array look-up and not a Python string a cell.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from deploy.cli.demo.bank import Bank, Form

if TYPE_CHECKING:
    import pyarrow as pa

FIXED = ("administration", "student", "form", "completed_at", "modality")
OMITTED, NOT_REACHED = "-", "/"
SHEETS_PER_ROW_GROUP = 50_000


class AnswersFormat(StrEnum):
    """How answer sheets are written; also the file's suffix."""

    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"


class Cells:
    """What can stand in the cells of a form: responses by score, then omitted, not reached and not presented.

    `first` and `count` have shape (items, scores): where the responses that earn a score begin, and how many they are.
    """

    def __init__(self, form: Form) -> None:
        self.first = np.zeros((len(form.items), 5), dtype=np.int64)
        self.count = np.ones((len(form.items), 5), dtype=np.int64)
        responses = [[cell for cells in item.cells for cell in cells] for item in form.items]
        most = max(map(len, responses))
        self.omitted, self.not_reached, self.not_presented = most, most + 1, most + 2
        self.texts = [[*flat, *[""] * (most - len(flat)), OMITTED, NOT_REACHED, ""] for flat in responses]
        """By item, the text of each of its cells."""
        for row, item in enumerate(form.items):
            starts = np.cumsum([0, *map(len, item.cells)])
            self.first[row, : len(item.cells)] = starts[:-1]
            self.count[row, : len(item.cells)] = [len(cells) for cells in item.cells]


@dataclass(frozen=True, slots=True)
class Block:
    """Sheets of one form and administration; `picked` says which cell each has for each item: (sheets, items)."""

    administration: str
    form: Form
    cells: Cells
    students: list[str]
    completed: list[datetime]
    modality: list[str]
    picked: NDArray[np.int8]


class SheetsWriter(Protocol):
    """Writes blocks to a file."""

    def __enter__(self) -> Self:
        """Open the file."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it, whole."""

    def write(self, block: Block) -> None:
        """Add sheets."""


def writer(kind: AnswersFormat, path: Path, bank: Bank) -> SheetsWriter:
    """The writer of a format."""
    made: dict[AnswersFormat, Callable[[Path, Bank], SheetsWriter]] = {
        AnswersFormat.CSV: _CsvWriter,
        AnswersFormat.NDJSON: _NdjsonWriter,
        AnswersFormat.PARQUET: _ParquetWriter,
    }
    return made[kind](path, bank)


class _TextWriter:
    """Lines of text: what stands before the responses, the responses, what stands behind them."""

    def __init__(self, path: Path, bank: Bank) -> None:
        self._path = path
        self._bank = bank
        self._tables: dict[str, NDArray[np.uint8]] = {}

    def __enter__(self) -> Self:
        self._stream = self._path.open("wb")
        self._stream.write(self._header())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()

    def write(self, block: Block) -> None:
        form = block.form
        if (table := self._tables.get(form.code)) is None:
            encoded = [
                [self._cell(item.id, text).encode() for text in texts]
                for item, texts in zip(form.items, block.cells.texts, strict=True)
            ]
            table = self._tables[form.code] = _fixed_width(encoded)
        cells = table[np.arange(len(form.items)), block.picked].reshape(len(block.students), -1)
        for row in range(len(block.students)):
            responses = cells[row].tobytes().translate(None, b"\0")
            self._stream.write(self._line(block, row, responses))

    def _header(self) -> bytes:
        raise NotImplementedError

    def _cell(self, item: str, text: str) -> str:
        """A response with the comma behind it; no NUL."""
        raise NotImplementedError

    def _line(self, block: Block, row: int, responses: bytes) -> bytes:
        raise NotImplementedError


class _CsvWriter(_TextWriter):
    def _header(self) -> bytes:
        return (",".join((*FIXED, *self._bank.columns)) + "\n").encode()

    def _cell(self, item: str, text: str) -> str:
        return f"{text},"

    def _line(self, block: Block, row: int, responses: bytes) -> bytes:
        form = block.form
        fixed = (block.administration, block.students[row], form.code, block.completed[row].isoformat())
        before = ",".join((*fixed, block.modality[row], "," * form.first_column)).encode()
        after = b"," * (len(self._bank.columns) - form.first_column - len(form.items))
        return before + (responses + after)[:-1] + b"\n"


class _NdjsonWriter(_TextWriter):
    def _header(self) -> bytes:
        return b""

    def _cell(self, item: str, text: str) -> str:
        """A number as a number; what was not presented is not there."""
        return "" if text == "" else f'"{item}":{text if text.isdigit() else json.dumps(text)},'

    def _line(self, block: Block, row: int, responses: bytes) -> bytes:
        head = (  # all of these are codes of our own, without anything that JSON would escape
            f'{{"administration":"{block.administration}","student":"{block.students[row]}","form":"{block.form.code}",'
            f'"completed_at":"{block.completed[row].isoformat()}","modality":"{block.modality[row]}","responses":{{'
        )
        return head.encode() + responses[:-1] + b"}}\n"


class _ParquetWriter:
    """Row groups of some thousand sheets; an item's column is a dictionary of its few possible cells."""

    def __init__(self, path: Path, bank: Bank) -> None:
        self._path = path
        forms = [*bank.forms.values(), bank.check]
        places = [(form, n) for form in forms for n in range(len(form.items))]
        cells = {form.code: Cells(form) for form in forms}
        self._texts = {
            form.items[n].id: [text for text in cells[form.code].texts[n][: cells[form.code].omitted] if text]
            + [OMITTED, NOT_REACHED]
            for form, n in places
        }
        self._columns = bank.columns
        self._waiting: list[Block] = []
        self._sheets = 0

    def __enter__(self) -> Self:
        import pyarrow as pa  # only who asks for Parquet waits for it
        from pyarrow import parquet

        self._schema = pa.schema(
            [(name, pa.string()) for name in FIXED[:3]]
            + [("completed_at", pa.timestamp("us", tz="UTC")), ("modality", pa.string())]
            + [(item, pa.dictionary(pa.int8(), pa.string())) for item in self._columns]
        )
        self._file = parquet.ParquetWriter(self._path, self._schema, compression="zstd", write_statistics=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        self._file.close()

    def write(self, block: Block) -> None:
        self._waiting.append(block)
        self._sheets += len(block.students)
        if self._sheets >= SHEETS_PER_ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa

        if not self._waiting:
            return
        items = map(self._item, self._codes(), self._columns)
        self._file.write_table(pa.table([*self._fixed(), *items], schema=self._schema))
        self._waiting.clear()
        self._sheets = 0

    def _fixed(self) -> list["pa.Array[Any]"]:
        import pyarrow as pa

        blocks = self._waiting
        return [
            pa.array([b.administration for b in blocks for _ in b.students], pa.string()),
            pa.array([student for b in blocks for student in b.students], pa.string()),
            pa.array([b.form.code for b in blocks for _ in b.students], pa.string()),
            pa.array([at for b in blocks for at in b.completed], self._schema.field("completed_at").type),
            pa.array([how for b in blocks for how in b.modality], pa.string()),
        ]

    def _codes(self) -> NDArray[np.int8]:
        """Of every column and sheet the place among the item's texts; -1 where nothing stands: (columns, sheets)."""
        codes = np.full((len(self._columns), self._sheets), -1, dtype=np.int8)
        begin = 0
        for block in self._waiting:
            end, first, cells = begin + len(block.students), block.form.first_column, block.cells
            for n, item in enumerate(block.form.items):
                own = block.picked[:, n].copy()
                last = len(self._texts[item.id])
                own[own == cells.omitted] = last - 2
                own[block.picked[:, n] == cells.not_reached] = last - 1
                own[block.picked[:, n] == cells.not_presented] = -1
                codes[first + n, begin:end] = own
            begin = end
        return codes

    def _item(self, codes: NDArray[np.int8], item: str) -> "pa.Array[Any]":
        import pyarrow as pa

        return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), pa.array(self._texts[item]))


def _fixed_width(rows: list[list[bytes]]) -> NDArray[np.uint8]:
    """The same texts padded with NUL: shape (rows, texts, longest)."""
    table = np.array(rows)  # of bytes: numpy pads them
    return np.frombuffer(table.tobytes(), dtype=np.uint8).reshape(*table.shape, table.dtype.itemsize)
