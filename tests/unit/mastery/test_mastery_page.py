"""The page docs/mastery.md: its example, its parameters and its model version are those of the code."""

import re
from pathlib import Path

import numpy as np

from services.mastery.domain.history import histories
from services.mastery.domain.model import DEFAULT
from services.mastery.domain.standing import in_columns, levels_of
from tests.unit.mastery.sheets import Ledger, Sheet, a_form, an_id, sheets_of

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "mastery.md").read_text(encoding="utf-8")
DAY = 86_400_000_000


def rows_under(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head."""
    lines = PAGE.split(f"# {heading}\n", 1)[1].splitlines()
    first = next(at for at, line in enumerate(lines) if line.startswith("|"))
    table = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table[2:]


def shown(value: float) -> str:
    return f"{value:.4f}".removeprefix("0")


def test_the_example_is_what_comes_of_such_sheets() -> None:
    rows = rows_under("An example")
    forms, sheets, at = {}, [], 0
    for number, (response, days, difficulty, *_) in enumerate(rows):
        at += int(days or 0) * DAY + 1
        form = a_form(f"F{number}", [["add"]], difficulties=[float(difficulty)])
        forms[form.id] = form
        sheets.append(Sheet("ada", form.code, at, b"\x01" if response == "right" else b"\x00"))

    told = []
    ledger = Ledger(forms, {an_id("fall"): "fall"})
    for sheet in sheets:
        ledger.hear([sheet])
        [columns] = in_columns([ledger.standings[an_id("ada")]], {an_id("add"): 0})
        ends = [shown(one[0]) for one in (columns.probabilities, columns.lowers, columns.uppers)]
        told.append([*ends, levels_of([columns])[0][0]])
    [history] = histories([an_id("ada")], sheets_of(sheets), forms, ledger.administrations, DEFAULT, first=9, after=0)

    assert told == [row[4:] for row in rows]
    assert [shown(entry.before) for entry in history.entries] == [row[3] for row in rows]
    assert [shown(entry.after) for entry in history.entries] == [row[4] for row in rows]


def test_the_parameters_are_those_of_the_model() -> None:
    rows = {name: (float(value), float(half) if half else None) for name, value, half, _ in rows_under("The model")}

    skill = DEFAULT.skill
    assert rows == {
        name: (getattr(skill, name), getattr(skill.spread, name, None))
        for name in ("prior", "learn", "forget", "guess", "slip", "decay", "weight")
    }


def test_the_version_is_written_as_the_page_says() -> None:
    assert "`bkt-2:`, eight digits of a hash of all parameters, `:numpy`" in PAGE
    assert re.fullmatch(r"bkt-2:[0-9a-f]{8}:numpy", DEFAULT.version)


def test_half_of_what_is_known_beyond_the_prior_is_left_after_a_year() -> None:
    assert round(float(np.exp(-DEFAULT.skill.decay * 365)), 1) == 0.5
