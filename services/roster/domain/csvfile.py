"""Reading a data file of the archive, in chunks of columns.

A file of millions of rows passes through here a few thousand rows at a time: cells are checked a column at a time, by
their distinct values where there are few, so that no row costs an object.
"""

import csv
import io
import json
from _csv import Reader as Rows
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import IO

from services.roster.domain.findings import Finding, Findings, Unreadable
from services.roster.domain.header import METADATA, Header, read_header
from services.roster.domain.layout import Column, File, Kind
from services.roster.domain.values import Meaning, meaning

LINE_BYTES = 1024 * 1024
_BLOCK_BYTES = 256 * 1024
_CHUNK_ROWS = 5_000
_REMEMBERED = 50_000
_FREE = frozenset({Kind.TEXT, Kind.KEY})


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows: for each its place among the rows, its line in the file, whether it is refused, and its cells."""

    first: int
    lines: list[int]
    refused: list[bool]
    columns: dict[str, list[str | None]]
    metadata: list[str]

    def __len__(self) -> int:
        return len(self.lines)


@dataclass(slots=True)
class Turned:
    """Dates of a column whose order only the whole column can tell: the distinct ones, and where the first are."""

    column: Column
    dates: set[str] = field(default_factory=set)
    places: list[tuple[int, str]] = field(default_factory=list)
    count: int = 0


class Reader:
    """One data file being read. `findings` fills while `chunks` is walked; afterwards `turned` is whole."""

    def __init__(self, file: File, stream: IO[bytes], findings: Findings) -> None:
        self.file = file
        self.turned: dict[str, Turned] = {}
        self.rows = 0
        self.is_readable = True
        """False when the header could not be matched, so that the rows mean nothing."""
        self.nameless = 0
        """Refused rows that have no sourcedId, so that not even their place can be kept."""
        self._stream = stream
        self._findings = findings
        self._known: dict[str, dict[str, Meaning]] = {}

    @property
    def bytes_read(self) -> int:
        """How far the reading is."""
        return self._stream.tell()

    def chunks(self) -> Iterator[Chunk]:
        """The rows, a few thousand at a time. Unreadable when the file breaks off or is no CSV in UTF-8."""
        rows = csv.reader(lines_of(self._stream, self.file.csv), strict=True)
        cells = self._next(rows)
        if not cells:
            raise Unreadable(
                Finding(
                    self.file.csv, 1, None, None, "header-missing", "Begin the file with the standard's header row."
                )
            )
        header, found = read_header(self.file, cells)
        for finding in found:
            self._findings.add(finding)
        if header is None:
            self.is_readable = False
            return
        while True:
            some = list(islice(self._numbered(rows), _CHUNK_ROWS))
            if not some:
                return
            yield self._chunk(header, some)

    def _numbered(self, rows: Rows) -> Iterator[tuple[int, list[str]]]:
        """Rows with the line they begin on; blank lines are passed over."""
        while True:
            line = rows.line_num + 1
            cells = self._next(rows)
            if cells is None:
                return
            if cells:
                yield line, cells

    def _next(self, rows: Rows) -> list[str] | None:
        line = rows.line_num + 1
        try:
            return next(rows, None)
        except csv.Error as wrong:
            said = str(wrong)
            if "field larger" in said:
                rule, remedy = "field-too-long", "Keep a cell under 10 KB; perhaps a quote is not closed."
            elif "unexpected end" in said:
                rule, remedy = "cut-off", "The file ends inside a quoted cell; send it whole."
            else:
                rule, remedy = (
                    "quotes",
                    'Put cells with commas, quotes or line ends in quotes, and write a quote as "".',
                )
            raise Unreadable(Finding(self.file.csv, line, None, None, rule, remedy)) from wrong

    def _chunk(self, header: Header, some: list[tuple[int, list[str]]]) -> Chunk:
        first = self.rows
        lines, rows = [line for line, _ in some], [cells for _, cells in some]
        refused = [False] * len(rows)
        for index, cells in enumerate(rows):
            if len(cells) != header.width:
                rows[index], refused[index] = self._fitted(header, lines[index], cells)
        by_place = list(zip(*rows, strict=True))
        columns: dict[str, list[str | None]] = {}
        for place, column in header.columns:
            if column.staged is None:
                continue
            assert column.place is not None
            columns[column.place] = self._column(column, by_place[place], lines, refused)
        for column in self.file.columns:
            if column.place is not None and column.place not in columns:
                columns[column.place] = [None] * len(rows)
        self.rows += len(rows)
        return self._named(Chunk(first, lines, refused, columns, _metadata(header, rows)))

    def _fitted(self, header: Header, line: int, cells: list[str]) -> tuple[list[str], bool]:
        """A row of another width than the header: what is empty beyond it is dropped, anything else is refused."""
        beyond = cells[header.width :]
        if beyond and not any(cell.strip() for cell in beyond):
            if len(cells) != header.wide:
                remedy = f"{len(beyond)} empty cells beyond the header were left out."
                self._findings.add(Finding(self.file.csv, line, None, "", "row-length", remedy, repaired=True))
            return cells[: header.width], False
        remedy = (
            f"This row has {len(cells)} cells, the header {header.width}; a comma or a quote is missing, or the end."
        )
        self._findings.add(Finding(self.file.csv, line, None, ",".join(cells)[:100], "row-length", remedy))
        return (cells + [""] * header.width)[: header.width], True

    def _column(
        self, column: Column, cells: tuple[str, ...], lines: list[int], refused: list[bool]
    ) -> list[str | None]:
        """What a column's cells mean; slips are told, rows with one that cannot be mended are refused."""
        if max(map(len, cells)) * 4 > column.longest:
            cells = self._short_enough(column, cells, lines, refused)
        if column.kind in _FREE:
            bare: list[str | None] = [cell.strip() or None for cell in cells]
            if column.kind is Kind.TEXT and not column.required:
                return bare
            if None not in bare and tuple(bare) == cells:
                return bare
        known = self._known.setdefault(column.name, {})
        if len(known) > _REMEMBERED:
            known.clear()
        for text in set(cells) - known.keys():
            known[text] = meaning(column, text)
        if any(known[text].slips or known[text].turned for text in set(cells)):
            for index, text in enumerate(cells):
                found = known[text]
                if found.slips or found.turned:
                    self._tell(column, text, found, lines[index])
                    refused[index] |= found.refused
        return [known[text].value for text in cells]

    def _tell(self, column: Column, text: str, found: Meaning, line: int) -> None:
        for slip in found.slips:
            value = text or None
            self._findings.add(Finding(self.file.csv, line, column.name, value, slip.rule, slip.remedy, slip.repaired))
        if found.turned and found.value is not None:
            turned = self.turned.setdefault(column.name, Turned(column))
            turned.dates.add(found.value)
            turned.count += 1
            if len(turned.places) < _CHUNK_ROWS:
                turned.places.append((line, found.value))

    def _short_enough(
        self, column: Column, cells: tuple[str, ...], lines: list[int], refused: list[bool]
    ) -> tuple[str, ...]:
        kept = list(cells)
        for index, cell in enumerate(cells):
            if len(cell.encode()) > column.longest:
                kept[index] = cell[:100]
                if not refused[index]:
                    refused[index] = True
                    self._findings.add(
                        Finding(
                            self.file.csv, lines[index], column.name, cell[:100], "field-too-long",
                            f"Keep this cell to {column.longest:,} bytes.",
                        )
                    )  # fmt: skip
        return tuple(kept)

    def _named(self, chunk: Chunk) -> Chunk:
        """Without the rows that have no sourcedId: they are refused, and there is nothing to keep them by."""
        names = chunk.columns["sourced_id"]
        if None not in names:
            return chunk
        kept = [index for index, name in enumerate(names) if name is not None]
        self.nameless += len(names) - len(kept)
        return Chunk(
            chunk.first,
            [chunk.lines[index] for index in kept],
            [chunk.refused[index] for index in kept],
            {name: [cells[index] for index in kept] for name, cells in chunk.columns.items()},
            [chunk.metadata[index] for index in kept],
        )


def _metadata(header: Header, rows: list[list[str]]) -> list[str]:
    """The metadata.* columns of each row as a JSON object, without the prefix; empty cells are left out."""
    if not header.metadata:
        return ["{}"] * len(rows)
    places = [(place, name[len(METADATA) :]) for place, name in header.metadata]
    return [
        json.dumps({name: cells[place].strip() for place, name in places if cells[place].strip()}, ensure_ascii=False)
        for cells in rows
    ]


def lines_of(stream: IO[bytes], file: str) -> Iterator[str]:
    """The lines of a UTF-8 file, with their ends, none longer than allowed."""
    number = 0
    rest = b""
    at_the_start = True
    while True:
        block = stream.read(_BLOCK_BYTES)
        if at_the_start:
            at_the_start = False
            if block.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise Unreadable(Finding(file, 1, None, None, "encoding", "Save the file as UTF-8; this is UTF-16."))
            block = block.removeprefix(b"\xef\xbb\xbf")
        whole, end, rest = (rest + block).rpartition(b"\n") if block else (rest, b"", b"")
        if len(rest) > LINE_BYTES:
            raise _too_long(file, number + whole.count(b"\n") + bool(end) + 1)
        text = _decoded(whole + end, file, number)
        for line in io.StringIO(text, newline="\n"):
            number += 1
            if len(line) > LINE_BYTES // 4 and len(line.encode()) > LINE_BYTES:
                raise _too_long(file, number)
            yield line
        if not block:
            return


def _decoded(raw: bytes, file: str, lines_before: int) -> str:
    if b"\0" in raw:
        line = lines_before + raw[: raw.index(b"\0")].count(b"\n") + 1
        raise Unreadable(
            Finding(file, line, None, None, "encoding", "Save the file as UTF-8 text; this has NUL bytes.")
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as wrong:
        line = lines_before + raw[: wrong.start].count(b"\n") + 1
        value = raw[max(0, wrong.start - 20) : wrong.start + 20].decode("utf-8", "replace")
        raise Unreadable(
            Finding(file, line, None, value.strip(), "encoding", "Save the file as UTF-8; this is another encoding.")
        ) from wrong


def _too_long(file: str, line: int) -> Unreadable:
    return Unreadable(
        Finding(file, line, None, None, "line-too-long", "Keep a line under 1 MB; perhaps a line end is missing.")
    )
