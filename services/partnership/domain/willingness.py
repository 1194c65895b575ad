"""What schools declare: read from CSV, checked against what the district knows, and what a declaration changes.

The header, in any order: `school,area,role,eagerness,capacity,diagnostics`. A row is one school in one area; rows that
a file does not have stay as they are.
"""

import csv
import io
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from services.partnership.domain.problems import Problem, shown

COLUMNS = ("school", "area", "role", "eagerness", "capacity", "diagnostics")
OFFERS, SEEKS, WITHDRAWS = "offers", "seeks", "withdraws"
ROLES = (OFFERS, SEEKS, WITHDRAWS)
WITHDRAWN = "withdrawn"
LEAST_EAGER, MOST_EAGER = 1, 5
MOST_CAPACITY = 1_000
MOST_PROBLEMS = 1_000  # that are described; the others are counted
_LONGEST = 500  # characters of a school's or an area's name
_SCHOOL_TYPE = "school"
_ANSWERS = {"yes": True, "no": False}
_SAID = {OFFERS: "offers help", SEEKS: "seeks help"}


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a school says in one area. Of a withdrawal the numbers mean nothing."""

    school: UUID
    area: str
    role: str
    eagerness: int
    capacity: int
    diagnostics_allowed: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file whose cells are as they must be; the school is still a sourcedId."""

    line: int
    school: str
    area: str
    role: str
    eagerness: int
    capacity: int
    diagnostics_allowed: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file came to. `understood` is False when not even its header can be read.

    `problems` are the first of them, `more` counts the others: a file may be nothing but problems.
    """

    rows: list[Row]
    problems: list[Problem]
    refused: int
    understood: bool = True
    more: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """An organisation of the roster, as far as it matters here."""

    id: UUID
    type: str


@dataclass(frozen=True, slots=True)
class Checked:
    """Rows that hold, with their line, and what is wrong with the others."""

    good: list[tuple[int, Declaration]]
    problems: list[Problem]


def read(content: bytes) -> Reading:
    """Every row whose cells hold, and every problem, at its line (a record's first)."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = content.count(b"\n", 0, wrong.start) + 1
        return Reading([], [Problem(line, None, None, "not-utf8", "Save the file as UTF-8.")], 1, understood=False)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[Row] = []
    problems: list[Problem] = []
    refused, more, order, begin = 0, 0, None, 1
    try:
        for cells in reader:
            line, begin = begin, reader.line_num + 1
            if not cells:
                continue
            if order is None:
                order, wrong_header = _header(cells, line)
                if wrong_header:
                    return Reading([], wrong_header, 1, understood=False)
                continue
            found = list(_wrong_cells(cells, order, line))
            room = MOST_PROBLEMS - len(problems)
            problems += found[:room]
            more += len(found[room:])
            refused += bool(found)
            if not found:
                rows.append(_row(line, {name: cells[at].strip() for name, at in order.items()}))
    except csv.Error as wrong:
        remedy = f"The file cannot be read from here on: {wrong}. Write it as RFC 4180 does."
        problems.append(Problem(begin, None, None, "csv", remedy))
        return Reading(rows, problems, refused + 1, understood=False, more=more)
    if order is None:
        remedy = f"Begin with the line {','.join(COLUMNS)}."
        return Reading([], [Problem(1, None, None, "header", remedy)], 1, understood=False)
    return Reading(rows, problems, refused, more=more)


def _header(cells: list[str], line: int) -> tuple[dict[str, int], list[Problem]]:
    names = [cell.strip().lower() for cell in cells]
    problems = []
    for at, name in enumerate(names):
        if name not in COLUMNS:
            remedy = f"There is no such column; there are {', '.join(COLUMNS)}."
            problems.append(Problem(line, shown(name), shown(cells[at]), "unknown-column", remedy))
        elif name in names[:at]:
            problems.append(Problem(line, name, shown(cells[at]), "duplicate-column", "Leave one of the two out."))
    for name in COLUMNS:
        if name not in names:
            problems.append(Problem(line, name, None, "missing-column", f"Add the column {name}."))
    return {name: at for at, name in enumerate(names)}, problems


def _wrong_cells(cells: list[str], order: Mapping[str, int], line: int) -> Iterator[Problem]:
    if len(cells) != len(order):
        remedy = f"The header has {len(order)} columns, this row {len(cells)} cells."
        yield Problem(line, None, None, "cell-count", remedy)
        return
    cell = {name: cells[at].strip() for name, at in order.items()}
    for name in ("school", "area"):
        if not cell[name]:
            yield Problem(line, name, None, "empty", f"Name the {name}.")
        elif "\0" in cell[name] or len(cell[name]) > _LONGEST:
            remedy = f"A name has at most {_LONGEST} characters, and none of them is U+0000."
            yield Problem(line, name, shown(cell[name]), "text", remedy)
    role = cell["role"].lower()
    if role not in ROLES:
        yield Problem(line, "role", shown(cell["role"]), "role", f"A role is one of {', '.join(ROLES)}.")
    for name, (rule, holds, remedy) in _RULES.items():
        empty_is_fine = role == WITHDRAWS and not cell[name]
        if not empty_is_fine and not holds(cell[name]):
            yield Problem(line, name, shown(cell[name]), rule, remedy)


def _within(least: int, most: int) -> Callable[[str], bool]:
    return lambda cell: cell.isascii() and cell.isdigit() and len(cell) <= 9 and least <= int(cell) <= most


_RULES: dict[str, tuple[str, Callable[[str], bool], str]] = {
    "eagerness": (
        "eagerness", _within(LEAST_EAGER, MOST_EAGER),
        f"Eagerness is a whole number from {LEAST_EAGER} (least) to {MOST_EAGER} (most).",
    ),
    "capacity": (
        "capacity", _within(1, MOST_CAPACITY),
        f"Capacity is how many partnerships at once, from 1 to {MOST_CAPACITY}; withdraw instead of offering none.",
    ),
    "diagnostics": (
        "diagnostics", lambda cell: cell.lower() in _ANSWERS,
        "Say yes or no: may the school's published diagnostic aggregates be used?",
    ),
}  # fmt: skip


def _row(line: int, cell: Mapping[str, str]) -> Row:
    role = cell["role"].lower()
    return Row(
        line,
        cell["school"],
        cell["area"],
        role,
        int(cell["eagerness"] or LEAST_EAGER),
        int(cell["capacity"] or 1),
        role != WITHDRAWS and _ANSWERS[cell["diagnostics"].lower()],
    )


def check(
    rows: list[Row],
    schools: Mapping[str, Known],
    areas: Collection[str],
    declared: Mapping[tuple[UUID, str], str],
) -> Checked:
    """Rows against the district: its schools by sourcedId, its programmes' areas, and the roles declared so far."""
    good: list[tuple[int, Declaration]] = []
    problems: list[Problem] = []
    first: dict[tuple[UUID, str], Row] = {}
    for row in rows:
        school = schools.get(row.school)
        found = list(_unknown(row, school, areas))
        if school is not None and not found:
            key = (school.id, row.area)
            if key in first:
                found.append(_again(row, first[key]))
            else:
                first[key] = row
                before = declared.get(key)
                if before is not None and row.role not in (before, WITHDRAWS):
                    remedy = f"The school {_SAID[before]} in this area: withdraw that first, in a file before this one."
                    found.append(Problem(row.line, "role", row.role, "other-role", remedy))
        problems += found
        if school is not None and not found:
            good.append((row.line, _declaration(row, school.id)))
    return Checked(good, problems)


def _unknown(row: Row, school: Known | None, areas: Collection[str]) -> Iterator[Problem]:
    if school is None:
        remedy = "There is no school with this sourcedId; correct it, or import the roster first."
        yield Problem(row.line, "school", shown(row.school), "unknown-school", remedy)
    elif school.type != _SCHOOL_TYPE:
        remedy = f"This organisation is not a school ({school.type}); name the school itself."
        yield Problem(row.line, "school", shown(row.school), "not-a-school", remedy)
    if row.area not in areas:
        remedy = "No programme has this area; correct it, or import its programme first."
        yield Problem(row.line, "area", shown(row.area), "unknown-area", remedy)


def _again(row: Row, earlier: Row) -> Problem:
    if row.role != earlier.role:
        remedy = f"Line {earlier.line} says {earlier.role} for the same school and area; a school does one of them."
        return Problem(row.line, "role", row.role, "both-roles", remedy)
    remedy = f"Line {earlier.line} is about the same school and area; leave one of them out."
    return Problem(row.line, "school", shown(row.school), "declared-twice", remedy)


def _declaration(row: Row, school: UUID) -> Declaration:
    return Declaration(school, row.area, row.role, row.eagerness, row.capacity, row.diagnostics_allowed)


@dataclass(frozen=True, slots=True)
class Consequence:
    """What a declaration does to what was said before, and to proposals that rest on it."""

    is_new: bool
    is_changed: bool
    takes_back_willingness: bool
    """Open proposals of this school and area fall."""
    takes_back_diagnostics: bool
    """What rests on the school's measured figures in this area falls, and the figures are erased."""


def consequence(before: Declaration | None, after: Declaration) -> Consequence:
    """A change of role takes back the willingness in the old one; who withdraws takes back both."""
    if before is None:
        return Consequence(after.role != WITHDRAWS, False, False, False)
    withdraws = after.role == WITHDRAWS
    return Consequence(
        is_new=False,
        is_changed=before != after,
        takes_back_willingness=withdraws or before.role != after.role,
        takes_back_diagnostics=before.diagnostics_allowed and (withdraws or not after.diagnostics_allowed),
    )
