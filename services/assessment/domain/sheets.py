"""Answer sheets: a block of CSV records in, scored columns and located problems out.

Runs in the worker process on about a megabyte at a time. Sheets of one form in one administration are worked on
together, column by column; no object is made per sheet.
"""

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple
from uuid import UUID

from services.assessment.domain import scoring
from services.assessment.domain.forms import Form
from services.assessment.domain.formsfile import FIXED_COLUMNS
from services.assessment.domain.irt import Codes
from services.assessment.domain.problems import Problem, shown
from services.assessment.domain.records import LONGEST_FIELD, Block
from services.assessment.domain.scoring import NOT_ALLOWED
from services.assessment.domain.times import microseconds

MODALITIES = {"in person": 1, "remote": 2, "paper": 3}
"""The numbers are those of the facts (`Modality` in the proto file)."""

BETWEEN_RESPONSES = "\x1f"
MOST_PROBLEMS = 1_000  # of one block; the others are counted
_FIXED = len(FIXED_COLUMNS)
_NOT_IN_A_CELL = ("\x00", BETWEEN_RESPONSES)


@dataclass(frozen=True, slots=True)
class KnownAdministration:
    """A testing window as sheets refer to it; times in microseconds since 1970 UTC, `forms` are codes."""

    id: str
    opens_at: int
    closes_at: int
    forms: frozenset[str]


@dataclass(frozen=True, slots=True)
class KnownForm:
    """The current version of a form as sheets refer to it."""

    id: str
    version_id: str
    form: Form


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What sheets may refer to, by code. None: asked for, and there is none. Absent: not asked for yet."""

    administrations: Mapping[str, KnownAdministration | None]
    forms: Mapping[str, KnownForm | None]


@dataclass(frozen=True, slots=True)
class Header:
    """The item columns, in the file's order."""

    items: tuple[str, ...]

    @property
    def width(self) -> int:
        """How many cells every record has."""
        return _FIXED + len(self.items)


class Scored(NamedTuple):
    """Sheets of one form in one administration, as parallel columns."""

    administration: str
    administration_code: str
    form: str
    form_version: str
    form_code: str
    lines: list[int]
    students: list[str]
    completed_at: list[int]
    modalities: list[int]
    responses: list[str]
    scores: list[bytes]
    raw: list[int]
    maximum: list[int]
    theta: list[float | None]
    standard_error: list[float | None]


@dataclass(slots=True)
class Reading:
    """What a block says. When something is `wanted_…`, nothing else is filled: extend the catalogue, read again."""

    wanted_administrations: set[str] = field(default_factory=set)
    wanted_forms: set[str] = field(default_factory=set)
    groups: list[Scored] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0
    refused: int = 0
    refused_students: list[tuple[int, str]] = field(default_factory=list)
    missing_columns: set[tuple[str, str]] = field(default_factory=set)

    def refuse(self, line: int, column: str | None, value: object, rule: str, remedy: str) -> None:
        """Note a problem; beyond the first thousand of a block they are only counted."""
        self.problem_count += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(line, column, shown(value), rule, remedy))


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
    seen: set[str] = set()
    for name in names:
        if name in seen:
            remedy = "A column of this name comes twice; keep one of them."
            problems.append(Problem(block.first_line, shown(name), None, "duplicate-column", remedy))
        seen.add(name)
    return None if problems else Header(tuple(names[_FIXED:])), rest, problems


def read(block: Block, header: Header, catalogue: Catalogue) -> Reading:
    """Parse, check and score a block of records."""
    reading = Reading()
    rows, lines = _records(block, header, reading)
    together: dict[tuple[str, str], list[int]] = {}
    for index, row in enumerate(rows):
        together.setdefault((row[0], row[2]), []).append(index)
    administrations = {administration for administration, _ in together} - catalogue.administrations.keys()
    forms = {form for _, form in together} - catalogue.forms.keys()
    if administrations or forms:
        return Reading(wanted_administrations=administrations, wanted_forms=forms)
    for (administration, form), indexes in together.items():
        part = _Part(header, [rows[index] for index in indexes], [lines[index] for index in indexes], reading)
        part.read(administration, form, catalogue)
    reading.problems.sort(key=lambda problem: problem.line or 0)
    return reading


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
    return FIXED_COLUMNS[place] if place < _FIXED else header.items[place - _FIXED]


class _Part:
    """Records of one administration and one form."""

    def __init__(self, header: Header, rows: list[list[str]], lines: list[int], reading: Reading) -> None:
        self._header, self._rows, self._lines, self._reading = header, rows, lines, reading
        self._columns: list[tuple[str, ...]] = list(zip(*rows, strict=True))
        self._bad: set[int] = set()

    def _refuse(self, index: int, column: str, value: str, rule: str, remedy: str) -> None:
        self._bad.add(index)
        self._reading.refuse(self._lines[index], column, value, rule, remedy)

    def _refuse_all(self, column: str, value: str, rule: str, remedy: str) -> None:
        for index in range(len(self._rows)):
            self._refuse(index, column, value, rule, remedy)

    def read(self, administration: str, form: str, catalogue: Catalogue) -> None:
        window, known = catalogue.administrations[administration], catalogue.forms[form]
        if window is None:
            remedy = "There is no such administration; correct the code, or import it with the forms first."
            self._refuse_all("administration", administration, "unknown-administration", remedy)
        if known is None:
            remedy = "There is no such form; correct the code, or import the form first."
            self._refuse_all("form", form, "unknown-form", remedy)
        if window is not None and known is not None and form not in window.forms:
            remedy = f"The administration {administration} does not have this form; add it there or correct the code."
            self._refuse_all("form", form, "form-not-in-administration", remedy)
        completed_at = self._times(window)
        modalities = self._modalities()
        positions = None if known is None else self._positions(known.form)
        scores = None
        if known is not None and positions is not None:
            scores = scoring.score_columns(known.form.items, [self._columns[place] for place in positions])
            self._responses_allowed(known.form, scores)
            self._nothing_elsewhere(form, positions)
        self._leave_out_bad()
        if window is None or known is None or positions is None or scores is None or len(self._bad) == len(self._rows):
            return
        good = [index for index in range(len(self._rows)) if index not in self._bad]
        self._reading.groups.append(
            self._scored(administration, window, known, good, positions, scores, completed_at, modalities)
        )

    def _times(self, window: KnownAdministration | None) -> list[int]:
        found = []
        for index, text in enumerate(self._columns[3]):
            at = microseconds(text)
            if at is None:
                remedy = "Write a time with its offset, such as 2026-09-15T09:30:00-05:00 or …Z, at most microseconds."
                self._refuse(index, "completed_at", text, "completed-at", remedy)
            elif window is not None and not window.opens_at <= at < window.closes_at:
                remedy = "This is outside the administration's window; correct the time, or plan the window anew."
                self._refuse(index, "completed_at", text, "outside-window", remedy)
            found.append(at or 0)
        return found

    def _modalities(self) -> list[int]:
        found = [MODALITIES.get(text, 0) for text in self._columns[4]]
        if not all(found):
            for index, modality in enumerate(found):
                if not modality:
                    text = self._columns[4][index]
                    self._refuse(index, "modality", text, "modality", "Use one of in person, remote, paper.")
        return found

    def _positions(self, form: Form) -> list[int] | None:
        """Where each of the form's items stands in a record; None, and all refused, when a column is missing."""
        place_of = {code: _FIXED + place for place, code in enumerate(self._header.items)}
        missing = [item.code for item in form.items if item.code not in place_of]
        if missing:
            self._reading.missing_columns |= {(form.code, code) for code in missing}
            self._bad.update(range(len(self._rows)))
            return None
        return [place_of[item.code] for item in form.items]

    def _responses_allowed(self, form: Form, scores: Codes) -> None:
        if not (scores == NOT_ALLOWED).any():
            return
        place_of = {code: _FIXED + place for place, code in enumerate(self._header.items)}
        for index, position in zip(*(scores == NOT_ALLOWED).nonzero(), strict=True):
            item = form.items[int(position)]
            value = self._rows[int(index)][place_of[item.code]]
            allowed = ", ".join(sorted(item.scores)[:20]) if item.closed else "a response without spaces around it"
            remedy = f"Allowed are {allowed}; empty for not presented, - for omitted, / for not reached."
            self._refuse(int(index), item.code, value, "response-not-allowed", remedy)

    def _nothing_elsewhere(self, form: str, positions: Sequence[int]) -> None:
        remedy = f"The form {form} does not have this item; leave the cell empty."
        for place in sorted(set(range(_FIXED, self._header.width)) - set(positions)):
            if any(self._columns[place]):
                for index, cell in enumerate(self._columns[place]):
                    if cell:
                        self._refuse(index, _column(self._header, place), cell, "item-not-on-form", remedy)

    def _leave_out_bad(self) -> None:
        self._reading.refused += len(self._bad)
        room = MOST_PROBLEMS - len(self._reading.refused_students)
        students = self._columns[1]
        self._reading.refused_students += [(self._lines[index], students[index]) for index in sorted(self._bad)[:room]]

    def _scored(
        self,
        administration: str,
        window: KnownAdministration,
        known: KnownForm,
        good: list[int],
        positions: list[int],
        scores: Codes,
        completed_at: list[int],
        modalities: list[int],
    ) -> Scored:
        if len(good) < len(self._rows):
            scores = scores[good]
        found = scoring.results(known.form, scores)
        cells = itemgetter(*positions) if len(positions) > 1 else lambda row: (row[positions[0]],)
        students = [self._columns[1][index] for index in good]
        times = [completed_at[index] for index in good]
        every, size = scores.tobytes(), scores.shape[1]
        return Scored(
            administration=window.id,
            administration_code=administration,
            form=known.id,
            form_version=known.version_id,
            form_code=known.form.code,
            lines=[self._lines[index] for index in good],
            students=students,
            completed_at=times,
            modalities=[modalities[index] for index in good],
            responses=[BETWEEN_RESPONSES.join(cells(self._rows[index])) for index in good],
            scores=[every[start : start + size] for start in range(0, len(every), size)],
            raw=found.raw.tolist(),
            maximum=found.maximum.tolist(),
            theta=[None if value != value else value for value in found.theta.tolist()],
            standard_error=[None if value != value else value for value in found.standard_error.tolist()],
        )


def attempt_ids(
    district: UUID, administration: str, students: Sequence[str | None], form: str, completed_at: Sequence[int]
) -> list[str]:
    """The ids of attempts, as hexadecimal: uuid5 of codes, student's id and time in microseconds. Never change it.

    Of our student's id, not the sourcedId: that may be given to somebody else one day.

    Hashed here rather than by `uuid.uuid5`, which takes 7 µs for each.
    """
    prefix = district.bytes + f"sheets:attempt:{administration}|".encode()
    return [
        _uuid5(hashlib.sha1(prefix + f"{student}|{form}|{at}".encode(), usedforsecurity=False).hexdigest())
        for student, at in zip(students, completed_at, strict=True)
    ]


def _uuid5(digest: str) -> str:
    return f"{digest[:12]}5{digest[13:16]}{'89ab'[int(digest[16], 16) & 3]}{digest[17:32]}"
