"""Answer sheets of one form in one administration: checked and scored together, column by column.

Whatever the file's format, sheets come here as columns of text, so that the same content is the same result bit for
bit. No object is made per sheet.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain import scoring
from services.assessment.domain.catalogue import Catalogue, KnownAdministration, KnownForm
from services.assessment.domain.forms import Item
from services.assessment.domain.irt import Codes
from services.assessment.domain.irt.kernels import Kernel, kernel
from services.assessment.domain.problems import Problem, shown
from services.assessment.domain.records import LONGEST_FIELD
from services.assessment.domain.scoring import NOT_ALLOWED
from services.assessment.domain.times import instant, microseconds

MODALITIES = {"in person": 1, "remote": 2, "paper": 3}
"""The numbers are those of the facts (`Modality` in the proto file)."""

ORIGINAL, CORRECTION, WITHDRAWAL = 0, 1, 2
STATUSES = {"": ORIGINAL, "original": ORIGINAL, "correction": CORRECTION, "withdrawal": WITHDRAWAL}
"""What a sheet says it is; a file may leave it out."""

BETWEEN_RESPONSES = "\x1f"
MOST_PROBLEMS = 1_000  # of one block; the others are counted
TIME_REMEDY = "Write a time with its offset, such as 2026-09-15T09:30:00-05:00 or …Z, at most microseconds."

SHEET = np.dtype(
    [
        ("line", "<i8"),
        ("completed_at", "<i8"),
        ("theta", "<f8"),
        ("standard_error", "<f8"),
        ("raw", "<i4"),
        ("maximum", "<i4"),
        ("width", "<i4"),
        ("modality", "u1"),
        ("status", "u1"),
        ("student", "u1", (16,)),
        ("attempt", "u1", (16,)),
    ]
)
"""A scored sheet but for its responses and scores. `width` is the length of its responses in bytes; theta and standard
error are NaN where there is none; the ids are zero until the roster has named the student. Stages hold these bytes: a
change takes a new stage."""

Sheets = NDArray[np.void]
Ints = NDArray[np.int64]
Ids = NDArray[np.uint8]
"""Ids as bytes, shape (number, 16)."""


class Scored(NamedTuple):
    """Sheets of one form in one administration: `names` are the students', `responses` follow one another."""

    administration: str
    form: str
    sheets: Sheets
    scores: Codes
    names: str
    responses: bytes

    @property
    def students(self) -> list[str]:
        """The sourcedIds of the students, one for every sheet."""
        return self.names.split(BETWEEN_RESPONSES)

    def only(self, chosen: NDArray[np.bool_]) -> "Scored":
        """The chosen ones of these sheets."""
        names = BETWEEN_RESPONSES.join(compress(self.students, chosen))
        responses = b"".join(compress(cut(self.sheets, self.responses), chosen))
        return self._replace(sheets=self.sheets[chosen], scores=self.scores[chosen], names=names, responses=responses)


def cut(sheets: Sheets, responses: bytes) -> list[bytes]:
    """Each sheet's responses, of those that follow one another."""
    cuts = [0, *np.cumsum(sheets["width"]).tolist()]
    return [responses[start:end] for start, end in pairwise(cuts)]


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


class Together(NamedTuple):
    """Sheets of one administration and one form: in every column a cell for every sheet.

    Times are text, or microseconds since 1970 UTC, or None where they are none. `items` may have columns of items that
    are not on the form; a column that it lacks is refused when it `is_table`, and is empty otherwise.
    """

    lines: Sequence[int]
    students: Sequence[str]
    completed_at: Sequence[str | int | None]
    modalities: Sequence[str]
    statuses: Sequence[str] | None
    items: Mapping[str, Sequence[str]]
    is_table: bool = True


def wanted(keys: Iterable[tuple[str, str]], catalogue: Catalogue) -> Reading | None:
    """What the catalogue lacks to read sheets of these administrations and forms; None when it has all."""
    pairs = list(keys)
    administrations = {administration for administration, _ in pairs} - catalogue.administrations.keys()
    forms = {form for _, form in pairs} - catalogue.forms.keys()
    if administrations or forms:
        return Reading(wanted_administrations=administrations, wanted_forms=forms)
    return None


def check(administration: str, form: str, together: Together, catalogue: Catalogue, reading: Reading) -> None:
    """Check and score these sheets, into the reading."""
    _Part(together, reading, kernel(catalogue.kernel)).read(administration, form, catalogue)


def unwritable(column: Sequence[str]) -> dict[int, tuple[str, str, str]]:
    """The cells that cannot be kept, by place: what is shown of each, the rule and the remedy."""
    text = BETWEEN_RESPONSES.join(column)
    damaged = text.count(BETWEEN_RESPONSES) >= max(len(column), 1) or "\x00" in text
    if not damaged and (text.isascii() or _is_utf8(text)) and max(map(len, column), default=0) <= LONGEST_FIELD:
        return {}
    found = {}
    for place, cell in enumerate(column):
        if len(cell) > LONGEST_FIELD:
            found[place] = cell[:20], "cell-too-long", f"A cell has at most {LONGEST_FIELD} characters."
        elif not _is_utf8(cell):
            value = cell.encode(errors="surrogateescape").decode(errors="backslashreplace")
            found[place] = value, "not-utf8", "Save the file as UTF-8."
        elif "\x00" in cell or BETWEEN_RESPONSES in cell:
            found[place] = cell, "control-character", "The characters U+0000 and U+001F may not stand in a cell."
    return found


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class _Part:
    """Sheets of one administration and one form."""

    def __init__(self, together: Together, reading: Reading, kernel: Kernel) -> None:
        self._is, self._reading, self._kernel = together, reading, kernel
        self._bad: set[int] = set()

    def _refuse(self, index: int, column: str, value: object, rule: str, remedy: str) -> None:
        self._bad.add(index)
        self._reading.refuse(self._is.lines[index], column, value, rule, remedy)

    def _refuse_all(self, column: str, value: str, rule: str, remedy: str) -> None:
        for index in range(len(self._is.lines)):
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
        modalities = self._numbers("modality", self._is.modalities, MODALITIES, "in person, remote, paper")
        statuses = self._statuses()
        columns = scores = None
        if known is not None:
            columns = self._columns(known)
            if columns is not None:
                scores = scoring.score_columns(known.form.items, columns)
                self._responses_allowed(known.form.items, columns, scores)
                self._nothing_elsewhere(known)
        self._leave_out_bad()
        if window is None or known is None or columns is None or scores is None:
            return
        if len(self._bad) < len(self._is.lines):
            kept = self._scored(administration, known, columns, scores, completed_at, modalities, statuses)
            self._reading.groups.append(kept)

    def _times(self, window: KnownAdministration | None) -> list[int]:
        found = []
        for index, given in enumerate(self._is.completed_at):
            at = microseconds(given) if isinstance(given, str) else given
            if at is None:
                self._refuse(index, "completed_at", given, "completed-at", TIME_REMEDY)
            elif window is not None and not window.opens_at <= at < window.closes_at:
                value = given if isinstance(given, str) else instant(at).isoformat()
                remedy = "This is outside the administration's window; correct the time, or plan the window anew."
                self._refuse(index, "completed_at", value, "outside-window", remedy)
            found.append(at or 0)
        return found

    def _numbers(self, column: str, texts: Sequence[str], numbers: Mapping[str, int], allowed: str) -> list[int]:
        found = [numbers.get(text, -1) for text in texts]
        if -1 in found:
            for index, number in enumerate(found):
                if number == -1:
                    self._refuse(index, column, texts[index], column, f"Use one of {allowed}.")
        return found

    def _statuses(self) -> list[int]:
        texts = self._is.statuses
        if texts is None:
            return [ORIGINAL] * len(self._is.lines)
        return self._numbers("status", texts, STATUSES, "original (or nothing), correction, withdrawal")

    def _columns(self, known: KnownForm) -> list[Sequence[str]] | None:
        """The columns of the form's items, in its order; None, and all refused, when one is missing in a table."""
        missing = [item.code for item in known.form.items if item.code not in self._is.items]
        if missing and self._is.is_table:
            self._reading.missing_columns |= {(known.form.code, code) for code in missing}
            self._bad.update(range(len(self._is.lines)))
            return None
        nothing = ("",) * len(self._is.lines) if missing else ()
        return [self._is.items.get(item.code, nothing) for item in known.form.items]

    def _responses_allowed(self, items: Sequence[Item], columns: list[Sequence[str]], scores: Codes) -> None:
        if not (scores == NOT_ALLOWED).any():
            return
        for sheet, position in zip(*(scores == NOT_ALLOWED).nonzero(), strict=True):
            item, value = items[int(position)], columns[int(position)][int(sheet)]
            allowed = ", ".join(sorted(item.scores)[:20]) if item.closed else "a response without spaces around it"
            remedy = f"Allowed are {allowed}; empty for not presented, - for omitted, / for not reached."
            self._refuse(int(sheet), item.code, value, "response-not-allowed", remedy)

    def _nothing_elsewhere(self, known: KnownForm) -> None:
        own = {item.code for item in known.form.items}
        remedy = f"The form {known.form.code} does not have this item; leave the cell empty."
        for code, column in self._is.items.items():
            if code not in own and any(column):
                for index, cell in enumerate(column):
                    if cell:
                        self._refuse(index, code, cell, "item-not-on-form", remedy)

    def _leave_out_bad(self) -> None:
        self._reading.refused += len(self._bad)
        room = MOST_PROBLEMS - len(self._reading.refused_students)
        self._reading.refused_students += [
            (self._is.lines[index], self._is.students[index]) for index in sorted(self._bad)[:room]
        ]

    def _scored(
        self,
        administration: str,
        known: KnownForm,
        columns: list[Sequence[str]],
        scores: Codes,
        completed_at: list[int],
        modalities: list[int],
        statuses: list[int],
    ) -> Scored:
        # Bytes in the order of the form's items: what was answered is kept, compared and scored again as a whole.
        responses = list(map(BETWEEN_RESPONSES.join, zip(*columns, strict=True)))
        students: Sequence[str] = self._is.students
        sheets = np.zeros(len(students), dtype=SHEET)
        sheets["line"], sheets["completed_at"] = self._is.lines, completed_at
        sheets["modality"], sheets["status"] = np.maximum(modalities, 0), np.maximum(statuses, 0)
        if self._bad:
            good = [index for index in range(len(students)) if index not in self._bad]
            sheets, scores = sheets[good], scores[good]
            responses, students = [responses[index] for index in good], [students[index] for index in good]
        found = scoring.results(known.form, scores, self._kernel)
        sheets["raw"], sheets["maximum"] = found.raw, found.maximum
        sheets["theta"], sheets["standard_error"] = found.theta, found.standard_error
        text = "".join(responses)
        encoded = text.encode()
        widths: Any = map(len, responses if len(encoded) == len(text) else [each.encode() for each in responses])
        sheets["width"] = np.fromiter(widths, dtype=np.int32, count=len(responses))
        return Scored(administration, known.form.code, sheets, scores, BETWEEN_RESPONSES.join(students), encoded)
