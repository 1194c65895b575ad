"""Answer sheets as CSV: a block of records in, scored columns and located problems out.

Runs in the worker process on about a megabyte at a time.
"""

import csv
import io
from dataclasses import dataclass

from services.assessment.domain import sheets
from services.assessment.domain.catalogue import unpacked
from services.assessment.domain.formsfile import FIXED_COLUMNS, STATUS_COLUMN
from services.assessment.domain.problems import Problem, shown
from services.assessment.domain.records import LONGEST_FIELD, Block
from services.assessment.domain.sheets import BETWEEN_RESPONSES, Reading, Together

_FIXED = len(FIXED_COLUMNS)
_NOT_IN_A_CELL = ("\x00", BETWEEN_RESPONSES)


@dataclass(frozen=True, slots=True)
class Header:
    """The columns after the fixed ones, in the file's order: items, and perhaps the status among them."""

    columns: tuple[str, ...]

    @property
    def items(self) -> list[str]:
        """The item columns."""
        return [name for name in self.columns if name != STATUS_COLUMN]

    @property
    def width(self) -> int:
        """How many cells every record has."""
        return _FIXED + len(self.columns)


def read_header(block: Block) -> tuple[Header | None, Block, list[Problem]]:
    """The header record and the block that follows it; without header, what is wrong with it."""
    end = 0
    while True:
        end = block.content.find(b"\n", end) + 1
        if not end:
            end = len(block.content)
            break
        if block.content.count(b'"', 0, end) % 2 == 0:
            break
    record = block.content[:end]
    rest = Block(block.first_line + record.count(b"\n"), block.content[end:], block.last)
    wanted = f"Begin the file with {','.join(FIXED_COLUMNS)}, then one column per item id, separated by commas."
    if not record.strip():
        return None, rest, [Problem(block.first_line, None, None, "header", wanted)]
    try:
        names = next(csv.reader([record.decode()], strict=True), [])
    except UnicodeDecodeError as wrong:
        value = record[wrong.start : wrong.start + 4].hex(" ")
        return None, rest, [Problem(block.first_line, None, value, "not-utf8", "Save the file as UTF-8.")]
    except csv.Error as wrong:
        return None, rest, [Problem(block.first_line, None, None, "csv", f"The header cannot be read: {wrong}.")]
    problems = []
    for place, name in enumerate(FIXED_COLUMNS):
        found = names[place] if place < len(names) else None
        if found != name:
            problems.append(Problem(block.first_line, name, shown(found), "header", wanted))
    problems += duplicates(names, block.first_line)
    return None if problems else Header(tuple(names[_FIXED:])), rest, problems


def duplicates(names: list[str], line: int | None) -> list[Problem]:
    """A problem for every name that was there before."""
    remedy = "A column of this name comes twice; keep one of them."
    seen: set[str] = set()
    problems = []
    for name in names:
        if name in seen:
            problems.append(Problem(line, shown(name), None, "duplicate-column", remedy))
        seen.add(name)
    return problems


def read(block: Block, header: Header, packed: bytes) -> Reading:
    """Parse, check and score a block of records, with a packed catalogue."""
    catalogue = unpacked(packed)
    reading = Reading()
    rows, lines = _records(block, header, reading)
    together: dict[tuple[str, str], list[int]] = {}
    for index, row in enumerate(rows):
        together.setdefault((row[0], row[2]), []).append(index)
    if (lacking := sheets.wanted(together, catalogue)) is not None:
        return lacking
    for (administration, form), indexes in together.items():
        part = _columns([rows[index] for index in indexes], [lines[index] for index in indexes], header)
        sheets.check(administration, form, part, catalogue, reading)
    reading.problems.sort(key=lambda problem: problem.line or 0)
    return reading


def _columns(rows: list[list[str]], lines: list[int], header: Header) -> Together:
    columns = list(zip(*rows, strict=True))
    items = dict(zip(header.columns, columns[_FIXED:], strict=True))
    statuses = items.pop(STATUS_COLUMN, None)
    return Together(lines, columns[1], columns[3], columns[4], statuses, items)


def _records(block: Block, header: Header, reading: Reading) -> tuple[list[list[str]], list[int]]:
    """The records that have the right number of cells, and the line each begins on."""
    damaged = False
    try:
        text = block.content.decode()
    except UnicodeDecodeError:
        text, damaged = block.content.decode(errors="surrogateescape"), True
    damaged = damaged or any(character in text for character in _NOT_IN_A_CELL)
    rows: list[list[str]] = []
    lines: list[int] = []
    width, ends_whole = header.width, block.content.endswith(b"\n") or not block.last
    parser = csv.reader(io.StringIO(text, newline="\n"), strict=True)
    while True:
        line = block.first_line + parser.line_num
        try:
            row = next(parser)
        except StopIteration:
            break
        except csv.Error as wrong:
            _unreadable(line, wrong, reading, last=block.last)
            continue
        if len(row) == width:
            # Not by csv.field_size_limit, which is the whole process's: blocks are read in several threads at once.
            if max(map(len, row)) > LONGEST_FIELD:
                _too_long(line, reading)
            elif not damaged or _is_writable(row, line, header, reading):
                rows.append(row)
                lines.append(line)
        elif row:
            reading.refused += 1
            found = f"{len(row)} cells"
            if not ends_whole and len(row) < width and block.first_line + parser.line_num > _last_line(block):
                remedy = f"The file ends in the middle of a record of {width} cells; send the whole file."
                reading.refuse(line, None, found, "cut-off", remedy)
            else:
                remedy = f"The header has {width} columns; give every record as many cells."
                reading.refuse(line, None, found, "cell-count", remedy)
    return rows, lines


def _last_line(block: Block) -> int:
    return block.first_line + block.content.count(b"\n")


def _too_long(line: int, reading: Reading) -> None:
    reading.refused += 1
    reading.refuse(line, None, None, "cell-too-long", f"A cell has at most {LONGEST_FIELD} characters.")


def _unreadable(line: int, wrong: csv.Error, reading: Reading, *, last: bool) -> None:
    text = str(wrong)
    if "field limit" in text:
        _too_long(line, reading)
        return
    reading.refused += 1
    if "unexpected end" in text:
        if last:
            remedy = "The file ends inside a quoted cell: it is cut off, or a quote is not closed."
            reading.refuse(line, None, None, "cut-off", remedy)
        else:
            reading.refuse(line, None, None, "csv", "A quote is opened and not closed; double a quote inside a cell.")
    elif "new-line" in text:
        reading.refuse(line, None, None, "csv", "End lines with LF or CRLF; a lone CR is no line end.")
    else:
        remedy = "Quotes enclose a whole cell, and a quote inside is doubled (RFC 4180)."
        reading.refuse(line, None, None, "csv", remedy)


def _is_writable(row: list[str], line: int, header: Header, reading: Reading) -> bool:
    """Slow check of one record in a block that has bytes which no cell may have."""
    fine = True
    for place, cell in enumerate(row):
        try:
            cell.encode()
        except UnicodeEncodeError:
            fine = False
            value = cell.encode(errors="surrogateescape").decode(errors="backslashreplace")
            reading.refuse(line, _column(header, place), value, "not-utf8", "Save the file as UTF-8.")
            continue
        if any(character in cell for character in _NOT_IN_A_CELL):
            fine = False
            remedy = "The characters U+0000 and U+001F may not stand in a cell."
            reading.refuse(line, _column(header, place), cell, "control-character", remedy)
    if not fine:
        reading.refused += 1
    return fine


def _column(header: Header, place: int) -> str:
    return FIXED_COLUMNS[place] if place < _FIXED else header.columns[place - _FIXED]
