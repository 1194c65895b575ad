"""A file of schools: a header, and a row for each. Every mistake names the school, the column and the line."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from uuid import UUID, uuid5

from deploy.cli.refusal import Refused
from services.partnership.domain.columns import AttributeColumn, Columns, plain
from services.partnership.domain.instance import School
from services.partnership.domain.programme import SECTOR

UNKNOWN = {"", "na", "n/a", "null", "none", "-", "–", "s"}
"""Cells that say nothing, whatever their capitals; `s` is how states write suppressed."""
_NAMESPACE = UUID("6f6d6a3c-8f0e-5d53-9a0b-6c1f5f0c2b7a")
_FAR, _NEAR = 20.0, 5.0  # degrees


@dataclass(frozen=True, slots=True)
class Row:
    """A school of the file, and its cells by column."""

    school: School
    code: str
    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SchoolFile:
    """The schools, in the order of the file, and where their columns are."""

    path: Path
    columns: Columns
    rows: Sequence[Row]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ids(self) -> dict[str, UUID]:
        """Our ids by those of the file."""
        return {row.code: row.school.id for row in self.rows}

    def numbers(self, column: str) -> list[float | None]:
        """A column of numbers, percentages as shares; None where a cell says nothing."""
        return [self._number(row, column) for row in self.rows]

    def counts(self, column: str) -> list[int | None]:
        """A column of counts."""
        found: list[int | None] = []
        for row in self.rows:
            value = self._number(row, column)
            if value is not None and (value < 0 or value != int(value)):
                raise Refused(f"{self._at(row, column)}: {row.cells[column]!r} is not a count.")
            found.append(None if value is None else int(value))
        return found

    def texts(self, column: str) -> list[str | None]:
        """A column of words; None where a cell says nothing."""
        return [None if (cell := row.cells[column].strip()).lower() in UNKNOWN else cell for row in self.rows]

    def _number(self, row: Row, column: str) -> float | None:
        try:
            return number_of(row.cells[column])
        except ValueError as wrong:
            raise Refused(f"{self._at(row, column)}: {row.cells[column]!r} is not a number.") from wrong

    def _at(self, row: Row, column: str) -> str:
        return f"{self.path}: line {row.line}, school {row.code}, column {column!r}"


def number_of(cell: str) -> float | None:
    """A number as spreadsheets write it: `9%` is .09, `$31,141.72` is 31141.72; None where the cell says nothing."""
    text = cell.strip()
    if text.lower() in UNKNOWN:
        return None
    part = text.endswith("%")
    value = float(text.removesuffix("%").removeprefix("$").replace(",", ""))
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("not a finite number")
    return value / 100 if part else value


def read(path: Path, columns: Columns | None, areas: Sequence[str]) -> SchoolFile:
    """The schools of a file.

    Raises Refused for a file that is empty or not CSV, a column that is not there, an id that is missing or there
    twice, and coordinates that cannot be or are swapped.
    """
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, strict=True)
        try:
            header = next(reader, [])
            lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
        except (csv.Error, UnicodeDecodeError) as wrong:
            raise Refused(f"{path}: this cannot be read as CSV in UTF-8: {wrong}.") from wrong
    if not lines:
        raise Refused(f"{path}: there is no school in this file.")
    twice = [name for name, times in Counter(header).items() if times > 1]
    known = columns or plain(header, areas)
    used = list(_used(known))
    for name in used:
        if name not in header:
            raise Refused(f"{path}: there is no column {name!r}; [schools] says which columns to use.")
        if name in twice:
            raise Refused(f"{path}: there is more than one column {name!r}.")
    at = {name: header.index(name) for name in used}
    for line, cells in lines:
        if len(cells) != len(header):
            raise Refused(f"{path}: line {line} has {len(cells)} cells, the header {len(header)}.")
    found = [(line, {name: cells[place] for name, place in at.items()}) for line, cells in lines]
    file = SchoolFile(path, known, _rows(path, known, found))
    _refuse_swapped(file)
    return file


def _used(columns: Columns) -> Iterator[str]:
    yield from dict.fromkeys(
        [
            columns.id, columns.name, columns.latitude, columns.longitude, *columns.context,
            *(each.column for each in columns.attributes),
            *(
                name
                for area in columns.areas
                for name in (
                    area.strength, area.need, area.role, area.eagerness, area.capacity, *area.reached, *area.tested
                )
                if name is not None
            ),
        ]
    )  # fmt: skip


def _rows(path: Path, columns: Columns, found: Sequence[tuple[int, Mapping[str, str]]]) -> list[Row]:
    values = {each.name: _attribute(path, each, found) for each in columns.attributes}
    seen: dict[str, int] = {}
    rows = []
    for number, (line, cells) in enumerate(found):
        code = cells[columns.id].strip()
        if not code:
            raise Refused(f"{path}: line {line}: this school has no id in column {columns.id!r}.")
        if code in seen:
            raise Refused(f"{path}: line {line}: the school {code} is on line {seen[code]} already.")
        seen[code] = line
        latitude = _degrees(path, line, code, cells, columns.latitude, 90)
        longitude = _degrees(path, line, code, cells, columns.longitude, 180)
        if (latitude is None) != (longitude is None):
            raise Refused(f"{path}: line {line}: the school {code} has a latitude or a longitude, and not the other.")
        mine = {name: value for name, of in values.items() if (value := of[number]) is not None}
        school = School(
            uuid5(_NAMESPACE, code), cells[columns.name].strip() or code, mine.pop(SECTOR, None), latitude, longitude,
            tuple(sorted(mine.items())),
        )  # fmt: skip
        rows.append(Row(school, code, line, cells))
    return rows


def _degrees(path: Path, line: int, code: str, cells: Mapping[str, str], column: str, most: float) -> float | None:
    try:
        value = number_of(cells[column])
    except ValueError as wrong:
        raise Refused(f"{path}: line {line}, school {code}: {cells[column]!r} is not a {column}.") from wrong
    if value is not None and abs(value) > most:
        swapped = "; are latitude and longitude swapped?" if abs(value) <= 180 else ""
        raise Refused(f"{path}: line {line}, school {code}: {value:g} is no {column}{swapped or '.'}")
    return value


def _refuse_swapped(file: SchoolFile) -> None:
    """A school far from all others that would be among them with its coordinates exchanged."""
    located = [(row, row.school.latitude, row.school.longitude) for row in file.rows]
    known = [(row, lat, lon) for row, lat, lon in located if lat is not None and lon is not None]
    if len(known) < 3:
        return
    north, east = median(lat for _, lat, _ in known), median(lon for _, _, lon in known)
    for row, lat, lon in known:
        as_is, swapped = max(abs(lat - north), abs(lon - east)), max(abs(lon - north), abs(lat - east))
        if as_is > _FAR and swapped < _NEAR:
            raise Refused(
                f"{file.path}: line {row.line}: the latitude {lat:g} and the longitude {lon:g} of the school "
                f"{row.code} ({row.school.name}) are swapped: the other schools are near {north:.2f}, {east:.2f}."
            )


def _attribute(
    path: Path, attribute: AttributeColumn, found: Sequence[tuple[int, Mapping[str, str]]]
) -> list[str | None]:
    cells = [cells[attribute.column].strip() for _, cells in found]
    if attribute.parts is not None:
        return _parts(path, attribute, cells)
    if not attribute.prefixes:
        return [None if cell.lower() in UNKNOWN else cell for cell in cells]
    return [
        next((value for prefix, value in attribute.prefixes if cell.startswith(prefix)), attribute.otherwise)
        for cell in cells
    ]


def _parts(path: Path, attribute: AttributeColumn, cells: Sequence[str]) -> list[str | None]:
    """Equal parts of the numbers, "1" the smallest; equal numbers are in the same part."""
    try:
        numbers = [number_of(cell) for cell in cells]
    except ValueError as wrong:
        raise Refused(
            f"{path}: column {attribute.column!r} has a cell that is no number; it cannot be parted."
        ) from wrong
    known = sorted(number for number in numbers if number is not None)
    below: dict[float, int] = {}
    for place, number in enumerate(known):
        below.setdefault(number, place)
    parts = attribute.parts or 1
    return [None if number is None else str(1 + below[number] * parts // len(known)) for number in numbers]
