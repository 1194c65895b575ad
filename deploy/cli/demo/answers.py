"""Simulated answer sheets: what students of known ability would answer to the forms' items."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import numpy as np
from numpy.typing import NDArray

from deploy.cli.demo.bank import ADMINISTRATIONS, Bank, Floats, Form
from deploy.cli.demo.people import School, Section
from deploy.cli.demo.sheets import Block, Cells

_MODALITIES = np.array(["in person", "remote", "paper"])
_LOCAL = timezone(timedelta(hours=-4))
_DAYS = {"M": datetime(2026, 9, 8, 9, tzinfo=_LOCAL), "R": datetime(2026, 9, 10, 9, tzinfo=_LOCAL)}
_CHECK_DAY = datetime(2026, 10, 13, 9, tzinfo=_LOCAL)
_CHECKED = (4, 5, 6)

_ABSENT, _OMITTED, _STOPPED, _NEVER_BEGAN, _LOST_PAGE = 0.03, 0.02, 0.04, 0.003, 0.01


class Answers:
    """The answer sheets of a district, school by school."""

    def __init__(self, bank: Bank, seed: int) -> None:
        self._bank = bank
        self._seed = seed
        self._cells = {form.code: Cells(form) for form in (*bank.forms.values(), bank.check)}

    def school(self, school: School, sections: list[Section]) -> Iterator[Block]:
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
    ) -> Block:
        cells = self._cells[form.code]
        picked = self._responses(rng, form, cells, ability)
        minutes = rng.integers(30, 70, size=len(names)) + 75 * (section % 4)
        seconds = (minutes * 60 + rng.integers(60, size=len(names))).tolist()
        times = {s: day + timedelta(seconds=s) for s in set(seconds)}
        present = np.flatnonzero(there).tolist()
        return Block(
            administration,
            form,
            cells,
            students=[names[row] for row in present],
            completed=[times[seconds[row]] for row in present],
            modality=[str(how[row]) for row in present],
            picked=picked[present].astype(np.int8),
        )

    def _responses(self, rng: np.random.Generator, form: Form, cells: Cells, ability: Floats) -> NDArray[np.int64]:
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
