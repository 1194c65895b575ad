"""Simulated answer sheets: what students of known ability would answer to the forms' items."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import numpy as np
from numpy.typing import NDArray

from deploy.cli.demo.bank import ADMINISTRATIONS, Bank, Floats, Form
from deploy.cli.demo.people import School, Section

WIDTH = 3
"""The longest response in characters."""

_MODALITIES = np.array(["in person", "remote", "paper"])
_LOCAL = timezone(timedelta(hours=-4))
_DAYS = {"M": datetime(2026, 9, 8, 9, tzinfo=_LOCAL), "R": datetime(2026, 9, 10, 9, tzinfo=_LOCAL)}
_CHECK_DAY = datetime(2026, 10, 13, 9, tzinfo=_LOCAL)
_CHECKED = (4, 5, 6)

_ABSENT, _OMITTED, _STOPPED, _NEVER_BEGAN, _LOST_PAGE = 0.03, 0.02, 0.04, 0.003, 0.01


class _Cells:
    """A form's possible cells as fixed-width bytes, so that a block of sheets is one array look-up.

    `texts` has shape (items, cells, WIDTH + 1): padded with NUL, each with its comma. The last three of every item are
    omitted, not reached and not presented.
    """

    def __init__(self, form: Form) -> None:
        most = max(sum(map(len, item.cells)) for item in form.items)
        self.texts = np.zeros((len(form.items), most + 3, WIDTH + 1), dtype=np.uint8)
        self.first = np.zeros((len(form.items), 5), dtype=np.int64)
        self.count = np.ones((len(form.items), 5), dtype=np.int64)
        self.omitted, self.not_reached, self.not_presented = most, most + 1, most + 2
        for row, item in enumerate(form.items):
            flat = [cell for cells in item.cells for cell in cells]
            starts = np.cumsum([0, *map(len, item.cells)])
            self.first[row, : len(item.cells)] = starts[:-1]
            self.count[row, : len(item.cells)] = [len(cells) for cells in item.cells]
            flat += [""] * (most - len(flat)) + ["-", "/", ""]
            for column, cell in enumerate(flat):
                text = cell.encode()
                self.texts[row, column, : len(text)] = list(text)
                self.texts[row, column, WIDTH] = ord(",")


class Answers:
    """Writes the rows of answers.csv, school by school."""

    def __init__(self, bank: Bank, seed: int) -> None:
        self._bank = bank
        self._seed = seed
        self._cells = {form.code: _Cells(form) for form in (*bank.forms.values(), bank.check)}

    def header(self) -> bytes:
        """The first line."""
        fixed = ("administration", "student", "form", "completed_at", "modality")
        return (",".join((*fixed, *self._bank.columns)) + "\n").encode()

    def school(self, school: School, sections: list[Section]) -> Iterator[bytes]:
        """A school's sheets: the two diagnostics of each section, and the later check of some."""
        rng = np.random.default_rng([self._seed, 5, school.number])
        for grade in school.grades:
            room = [section for section in sections if section.grade == grade]
            if not room:
                continue
            ability = np.concatenate([s.ability for s in room])
            names = [student.sourced_id for s in room for student in s.students]
            place = np.repeat(np.arange(len(room)), [len(s.students) for s in room])
            how = _MODALITIES[rng.choice(3, p=[0.82, 0.1, 0.08], size=len(names))]
            for column, subject in enumerate("MR"):
                there = rng.random(len(names)) >= _ABSENT
                day = _DAYS[subject] + timedelta(days=grade)
                code = str(ADMINISTRATIONS[subject]["id"])
                form = self._bank.forms[subject, grade]
                yield self._sheets(rng, code, form, names, ability[:, column], how, day, place, there)
            if grade in _CHECKED:
                chosen = rng.random(len(room)) < 0.5
                chosen[0] = True
                code = str(ADMINISTRATIONS["check"]["id"])
                grown = ability[:, 0] + 0.2
                yield self._sheets(rng, code, self._bank.check, names, grown, how, _CHECK_DAY, place, chosen[place])

    def _sheets(
        self,
        rng: np.random.Generator,
        administration: str,
        form: Form,
        names: list[str],
        ability: Floats,
        how: NDArray[np.str_],
        day: datetime,
        section: NDArray[np.int64],
        there: NDArray[np.bool_],
    ) -> bytes:
        cells = self._cells[form.code]
        picked = self._responses(rng, form, cells, ability)
        block = cells.texts[np.arange(len(form.items)), picked].reshape(len(names), -1)
        before = "," * form.first_column
        after = b"," * (len(self._bank.columns) - form.first_column - len(form.items))
        minutes = rng.integers(30, 70, size=len(names)) + 75 * (section % 4)
        seconds = (minutes * 60 + rng.integers(60, size=len(names))).tolist()
        times = {s: (day + timedelta(seconds=s)).isoformat() for s in set(seconds)}
        lines: list[bytes] = []
        for row in np.flatnonzero(there).tolist():
            start = f"{administration},{names[row]},{form.code},{times[seconds[row]]},{how[row]},{before}"
            answers = block[row].tobytes().translate(None, b"\0")
            lines.append(start.encode() + (answers + after)[:-1] + b"\n")
        return b"".join(lines)

    def _responses(self, rng: np.random.Generator, form: Form, cells: _Cells, ability: Floats) -> NDArray[np.int64]:
        """Which cell each student puts for each item: shape (students, items)."""
        shape = (len(ability), len(form.items))
        chance = rng.random(shape)
        scores = np.empty(shape, dtype=np.int64)
        for column, item in enumerate(form.items):
            scores[:, column] = (chance[:, column, None] < item.chances(ability)).sum(axis=1)
        items = np.arange(shape[1])
        first, count = cells.first[items, scores], cells.count[items, scores]
        picked = first + np.floor(rng.random(shape) * count).astype(np.int64)
        picked[rng.random(shape) < _OMITTED] = cells.omitted
        stop = np.where(rng.random(shape[0]) < _STOPPED, rng.integers(shape[1] // 2, shape[1], size=shape[0]), shape[1])
        stop[rng.random(shape[0]) < _NEVER_BEGAN] = 0
        picked[items[None, :] >= stop[:, None]] = cells.not_reached
        page = rng.integers(shape[1] - 3, size=shape[0])[:, None]
        lost = (rng.random(shape[0]) < _LOST_PAGE)[:, None] & (items >= page) & (items < page + 4)
        picked[lost] = cells.not_presented
        return picked
