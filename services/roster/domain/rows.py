"""Rows as columns of text: a plain block at once, anything else record by record.

Plain is what can be told from the bytes alone: every record is one line, and quotes stand only where quoted cells begin
and end, or are doubled inside. Both ways read such a block alike, and only the second says what is wrong with another.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from services.roster.domain.blocks import Block, Lines
from services.roster.domain.findings import Finding, Findings, Unreadable

Cells = Any
"""A column of texts; Arrow's types say nothing of their content."""

_CHUNK_ROWS = 5_000
_LONG_LINE = 100_000  # the csv module has a limit to its cells, of 131,072
_QUOTE, _COMMA, _NEWLINE, _RETURN = b'",\n\r'


@dataclass(frozen=True, slots=True)
class Width:
    """How many cells a row has: those that count, and all of them, with the header's empty ones at its end."""

    counted: int
    all: int


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows: the line each begins on, whether it is refused already, and the cells by their place in a row."""

    lines: NDArray[np.int32]
    refused: NDArray[np.bool_]
    cells: list[Cells]


def rows_of(lines: Lines, width: Width, file: str, findings: Findings, *, exactly: bool = False) -> Iterator[Rows]:
    """The rows behind the header. `exactly`: never at once, to prove that it makes no difference."""
    while (block := lines.block()) is not None:
        plain = None if exactly else _at_once(block, width)
        if plain is not None:
            yield plain
            continue
        lines.enter(block)
        records = _records(lines, file)
        while some := list(islice(records, _CHUNK_ROWS)):
            yield _one_by_one(some, width, file, findings)


def _at_once(block: Block, width: Width) -> Rows | None:
    """The rows of a plain block; None when it is not plain."""
    raw = block.bytes
    if width.all < 2 or block.longest > _LONG_LINE or not _is_plain(raw):
        return None
    names = [str(place) for place in range(width.all)]
    try:
        table = arrow_csv.read_csv(
            pa.py_buffer(raw),
            read_options=arrow_csv.ReadOptions(column_names=names, use_threads=False, block_size=len(raw) + 1),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=False, ignore_empty_lines=False),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=False,
                check_utf8=False,
                include_columns=names[: width.counted],
            ),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_rows != block.lines:
        return None
    lines = np.arange(block.first_line, block.first_line + block.lines, dtype=np.int32)
    columns = [column.combine_chunks() for column in table.columns]
    cells = [column.chunk(0) if isinstance(column, pa.ChunkedArray) else column for column in columns]
    return Rows(lines, np.zeros(len(lines), dtype=np.bool_), cells)


def _is_plain(raw: bytes) -> bool:
    """Whether a line is a record, and quotes are where they belong."""
    if raw.count(b"\r") != raw.count(b"\r\n") or raw.startswith((b"\n", b"\r\n")):
        return False
    if b"\n\n" in raw or b"\n\r\n" in raw:
        return False
    data = np.frombuffer(raw, dtype=np.uint8)
    quotes = np.flatnonzero(data == _QUOTE)
    if not len(quotes):
        return True
    if len(quotes) % 2:
        return False
    opening, closing = quotes[::2], quotes[1::2]
    before = np.where(opening > 0, data[opening - 1], _NEWLINE)
    after = np.where(closing + 1 < len(data), data[np.minimum(closing + 1, len(data) - 1)], _NEWLINE)
    doubled = closing[:-1] + 1 == opening[1:]
    begins = (before == _COMMA) | (before == _NEWLINE)
    ends = (after == _COMMA) | (after == _NEWLINE) | (after == _RETURN)
    begins[1:] |= doubled
    ends[:-1] |= doubled
    return bool(begins.all() and ends.all())


def _records(lines: Lines, file: str) -> Iterator[tuple[int, list[str]]]:
    """Records with the line they begin on, to where one ends together with a block; blank lines are passed over."""
    reader = csv.reader(lines, strict=True)
    while not lines.is_between:
        line = lines.line
        cells = record(reader, line, file)
        if cells:
            yield line, cells


def record(reader: Iterator[list[str]], line: int, file: str) -> list[str] | None:
    """The next record of a reader, which begins on this line; Unreadable where there is none to be made out."""
    try:
        return next(reader, None)
    except csv.Error as wrong:
        said = str(wrong)
        if "field larger" in said:
            rule, remedy = "field-too-long", "Keep a cell under 10 KB; perhaps a quote is not closed."
        elif "unexpected end" in said:
            rule, remedy = "cut-off", "The file ends inside a quoted cell; send it whole."
        else:
            rule, remedy = "quotes", 'Put cells with commas, quotes or line ends in quotes, and write a quote as "".'
        raise Unreadable(Finding(file, line, None, None, rule, remedy)) from wrong


def _one_by_one(some: list[tuple[int, list[str]]], width: Width, file: str, findings: Findings) -> Rows:
    lines, rows = [line for line, _ in some], [cells for _, cells in some]
    refused = np.zeros(len(rows), dtype=np.bool_)
    for index, cells in enumerate(rows):
        if len(cells) != width.counted:
            rows[index], refused[index] = _fitted(width, file, lines[index], cells, findings)
    return Rows(
        np.array(lines, dtype=np.int32), refused, [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    )


def _fitted(width: Width, file: str, line: int, cells: list[str], findings: Findings) -> tuple[list[str], bool]:
    """A row of another width than the header: what is empty beyond it is dropped, anything else is refused."""
    beyond = cells[width.counted :]
    if beyond and not any(cell.strip() for cell in beyond):
        if len(cells) != width.all:
            remedy = f"{len(beyond)} empty cells beyond the header were left out."
            findings.add(Finding(file, line, None, "", "row-length", remedy, repaired=True))
        return cells[: width.counted], False
    remedy = f"This row has {len(cells)} cells, the header {width.counted}; a comma or a quote is missing, or the end."
    findings.add(Finding(file, line, None, ",".join(cells)[:100], "row-length", remedy))
    return (cells + [""] * width.counted)[: width.counted], True
