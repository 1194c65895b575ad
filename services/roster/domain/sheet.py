"""A small CSV file with a header of ours: its records one by one, each with its line, and what is wrong with them."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import BinaryIO

LONGEST_LINE = 1 << 16
"""Bytes."""
LONGEST_CELL = 500
"""Characters."""
STATUSES = ("active", "tobedeleted")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Wrong:
    """A rule that is broken, and where."""

    line: int | None
    column: str | None
    value: str | None
    rule: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Record:
    """A record by column; a column that the file does not have is empty."""

    line: int
    cells: Mapping[str, str]

    def wrong(self, column: str, rule: str, remedy: str) -> Wrong:
        """This cell breaks a rule."""
        return Wrong(self.line, column, self.cells[column] or None, rule, remedy)


class Unreadable(Exception):
    """The header, or the file from some line on, cannot be read."""

    def __init__(self, wrong: Sequence[Wrong]) -> None:
        super().__init__(wrong[0].rule)
        self.wrong = wrong


def records(stream: BinaryIO, required: Sequence[str], optional: Sequence[str]) -> Iterator[Record | Wrong]:
    """Every record, or why it is none. Unreadable where nothing after it can be trusted."""
    lines = _Lines(stream)
    reader = csv.reader(lines, strict=True)
    order: dict[str, int] | None = None
    columns = (*required, *optional)
    begin = 1
    try:
        for cells in reader:
            line, begin = begin, reader.line_num + 1
            if not cells:
                continue
            if order is None:
                order = _header(cells, line, required, optional)
            elif len(cells) != len(order):
                remedy = f"The header has {len(order)} columns, this row {len(cells)} cells."
                yield Wrong(line, None, None, "cell-count", remedy)
            else:
                said = {name: cells[order[name]].strip() if name in order else "" for name in columns}
                yield _checked(Record(line, said), required)
    except csv.Error as broken:
        remedy = f"The file cannot be read from here on: {broken}. Write it as RFC 4180 does."
        raise Unreadable([Wrong(begin, None, None, "csv", remedy)]) from broken
    if order is None:
        raise Unreadable([Wrong(1, None, None, "header", f"Begin with the line {','.join((*required, *optional))}.")])


class _Lines:
    """The file's lines as text."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._number = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._stream.readline(LONGEST_LINE)
        self._number += 1
        if self._number == 1:
            line = line.removeprefix(_BOM)
        if len(line) >= LONGEST_LINE:
            remedy = f"A line has at most {LONGEST_LINE} bytes: a quote that is opened here or above is not closed."
            raise Unreadable([Wrong(self._number, None, None, "line-too-long", remedy)])
        if not line:
            raise StopIteration
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError:
            raise Unreadable([Wrong(self._number, None, None, "not-utf8", "Save the file as UTF-8.")]) from None


def _header(cells: list[str], line: int, required: Sequence[str], optional: Sequence[str]) -> dict[str, int]:
    names = [cell.strip().lower() for cell in cells]
    columns = (*required, *optional)
    wrong = []
    for at, name in enumerate(names):
        if name not in columns:
            remedy = f"There is no such column; there are {', '.join(columns)}."
            wrong.append(Wrong(line, name[:LONGEST_CELL], cells[at][:LONGEST_CELL], "unknown-column", remedy))
        elif name in names[:at]:
            wrong.append(Wrong(line, name, cells[at], "duplicate-column", "Leave one of the two out."))
    wrong += [
        Wrong(line, name, None, "missing-column", f"Add the column {name}.") for name in required if name not in names
    ]
    if wrong:
        raise Unreadable(wrong)
    return {name: at for at, name in enumerate(names)}


def _checked(record: Record, required: Sequence[str]) -> Record | Wrong:
    for name, cell in record.cells.items():
        if not cell and name in required:
            return record.wrong(name, "required", f"Say the {name}.")
        if "\0" in cell or len(cell) > LONGEST_CELL:
            remedy = f"A cell has at most {LONGEST_CELL} characters, and none of them is U+0000."
            return Wrong(record.line, name, cell[:LONGEST_CELL].replace("\0", "�"), "text", remedy)
    return record


def day(record: Record, column: str) -> date | Wrong:
    """The date in a cell, as ISO 8601 writes it."""
    text = record.cells[column]
    try:
        if len(text) == len("2026-09-14"):
            return date.fromisoformat(text)
    except ValueError:
        pass
    return record.wrong(column, "date", "Write the date as YYYY-MM-DD.")


def is_withdrawn(record: Record) -> bool | Wrong:
    """Whether what was said before is taken back."""
    status = record.cells["status"].lower()
    if status and status not in STATUSES:
        return record.wrong("status", "status", f"A status is one of {', '.join(STATUSES)}, or empty.")
    return status == STATUSES[1]


def modality(record: Record, known: Sequence[str]) -> str | Wrong | None:
    """How there is teaching; None where nothing is said."""
    said = record.cells["modality"].lower()
    if said and said not in known:
        return record.wrong("modality", "modality", f"A modality is one of {', '.join(known)}, or empty.")
    return said or None
