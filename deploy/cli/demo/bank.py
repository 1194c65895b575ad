"""The invented item bank and the test forms made from it.

A pool holds 20 items for one subject and grade, four for each of the five competencies. The form of a grade is the pool
of the grade before and the pool of the grade itself: 40 items, half of them prerequisites; neighbours share 20.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deploy.cli.demo.framework import GRADES, SUBJECTS, competency, strands

Floats = NDArray[np.float64]

OPTIONS = ("A", "B", "C", "D")
PARAMETERS = "2026-demo"
TESTED = range(3, 9)
CHECK = "M-CHECK"
GROWTH = 0.45
"""Logits from one grade to the next, of items and of students."""

_KINDS = (
    ("rasch", "2pl", "3pl", "rasch"),
    ("2pl", "3pl", "numeric", "rasch"),
    ("3pl", "2pl", "partial", "rasch"),
    ("2pl", "grm", "3pl", "rasch"),
    ("2pl", "numeric", "gpcm", "pcm"),
)
"""By strand, what the four items of a competency are."""


@dataclass(frozen=True, slots=True)
class Item:
    """An item as the forms file says it, and what the simulation needs: responses by score, cumulative steps."""

    id: str
    body: dict[str, object]
    cells: tuple[tuple[str, ...], ...]
    """By score, the responses that earn it."""
    model: str
    a: float
    b: tuple[float, ...]
    c: float

    @property
    def maximum(self) -> int:
        """The most points it can earn."""
        return len(self.cells) - 1

    def chances(self, theta: Floats) -> Floats:
        """Probability of at least 1, 2, … points for each ability: shape (students, maximum), falling along the row."""
        steps = self.a * (theta[:, None] - np.asarray(self.b)[None, :])
        if self.model in ("rasch", "2pl", "3pl"):
            return np.asarray(self.c + (1 - self.c) / (1 + np.exp(-steps)))
        if self.model == "grm":
            return np.asarray(1 / (1 + np.exp(-steps)))
        weights = np.exp(np.cumsum(np.concatenate([np.zeros((len(theta), 1)), steps], axis=1), axis=1))
        tails = np.cumsum(weights[:, ::-1], axis=1)[:, ::-1]
        return np.asarray(tails[:, 1:] / tails[:, :1])


@dataclass(frozen=True, slots=True)
class Form:
    """A form: its code, title, items in order, and where its first item's column is among all columns."""

    code: str
    title: str
    items: tuple[Item, ...]
    first_column: int
    calibrated: bool


@dataclass(frozen=True, slots=True)
class Bank:
    """Every form by (subject, grade), the short check without parameters, and every item in column order."""

    forms: dict[tuple[str, int], Form]
    check: Form
    columns: tuple[str, ...]


def _number(rng: np.random.Generator, low: float, high: float) -> float:
    return round(float(rng.uniform(low, high)), 3)


def _increasing(drawn: Iterable[float]) -> list[float]:
    """Sorted, and at least a thousandth apart: thresholds that are equal after rounding are refused."""
    thresholds: list[float] = []
    for number in sorted(drawn):
        thresholds.append(max(number, round(thresholds[-1] + 0.001, 3)) if thresholds else number)
    return thresholds


def _item(rng: np.random.Generator, name: str, kind: str, centre: float, competencies: list[str]) -> Item:
    level = round(centre + float(rng.normal(0, 0.8)), 3)
    a = _number(rng, 0.7, 1.6)
    body: dict[str, object] = {"id": name, "maximum": 1, "competencies": competencies}
    parameters: dict[str, object]
    if kind in ("rasch", "2pl", "3pl", "none"):
        key = OPTIONS[int(rng.integers(4))]
        c = _number(rng, 0.12, 0.25) if kind == "3pl" else 0.0
        body |= {"options": list(OPTIONS), "key": key}
        cells: tuple[tuple[str, ...], ...] = (tuple(o for o in OPTIONS if o != key), (key,))
        a = 1.0 if kind in ("rasch", "none") else a
        parameters = {"model": kind, "a": a, "b": level, "c": c}
        if kind == "none":
            return Item(name, body, cells, "rasch", 1.0, (level,), 0.0)
        for absent in {"rasch": ("a", "c"), "2pl": ("c",), "3pl": ()}[kind]:
            del parameters[absent]
        return Item(name, body | {"parameters": parameters}, cells, kind, a, (level,), c)
    if kind == "numeric":
        value = int(rng.integers(12, 90))
        body |= {"key": str(value), "parameters": {"model": "2pl", "a": a, "b": level}}
        return Item(
            name, body, ((str(value - 1), str(value + 10), str(value - 10)), (str(value),)), "2pl", a, (level,), 0.0
        )
    points = {"partial": 2, "pcm": 2, "grm": 3, "gpcm": 3}[kind]
    drawn = (round(level + float(rng.normal(0, 0.7)) + step - (points - 1) / 2, 3) for step in range(points))
    spread = _increasing(drawn)
    model = "gpcm" if kind == "partial" else kind
    a = 1.0 if kind == "pcm" else a
    parameters = {"model": model, "a": a, "b": spread}
    if kind == "pcm":
        del parameters["a"]
    body |= {"maximum": points, "parameters": parameters}
    if kind == "partial":
        value = int(rng.integers(12, 90))
        body["key"] = {str(value): 2, str(value + 1): 1}
        cells = ((str(value - 1), str(value + 10)), (str(value + 1),), (str(value),))
    else:
        words = ("No answer to the question", "A first step", "The idea, with a gap", "Complete and explained")
        body["rubric"] = {str(score): words[score if score < points else 3] for score in range(points + 1)}
        cells = tuple((str(score),) for score in range(points + 1))
    return Item(name, body, cells, model, a, tuple(spread), 0.0)


def _pool(rng: np.random.Generator, subject: str, grade: int) -> list[Item]:
    items: list[Item] = []
    for place in range(4):
        for number, strand in enumerate(strands(subject)):
            touched = [competency(subject, strand, grade)]
            if place == 3 and grade > GRADES[0]:
                touched.append(competency(subject, strand, grade - 1))
            name = f"{subject.lower()}{grade}-{len(items) + 1:02d}"
            items.append(_item(rng, name, _KINDS[number][place], GROWTH * (grade - 5.5), touched))
    return items


def make_bank(seed: int) -> Bank:
    """The item bank of a seed."""
    rng = np.random.default_rng([seed, 1])
    forms: dict[tuple[str, int], Form] = {}
    columns: list[str] = []
    for subject, name in SUBJECTS.items():
        pools = {grade: _pool(rng, subject, grade) for grade in GRADES}
        first = len(columns)
        for grade in TESTED:
            items = (*pools[grade - 1], *pools[grade])
            start = first + 20 * (grade - TESTED[0])
            forms[subject, grade] = Form(f"{subject}{grade}-A", f"{name} {grade} A", items, start, calibrated=True)
        columns += [item.id for pool in pools.values() for item in pool]
    check = [
        _item(rng, f"check-{n + 1}", "none", 0.0, [competency("M", strand, grade)])
        for n, (strand, grade) in enumerate((s, g) for g in (4, 5) for s in ("NS", "OP", "FR", "MD"))
    ]
    short = Form(CHECK, "Mathematics quick check", tuple(check), len(columns), calibrated=False)
    return Bank(forms, short, (*columns, *(item.id for item in check)))


ADMINISTRATIONS: dict[str, dict[str, object]] = {
    "M": {
        "id": "2026-fall-math",
        "title": "Fall diagnostic, mathematics",
        "purpose": "diagnostic",
        "opensAt": "2026-09-01T00:00:00Z",
        "closesAt": "2026-10-01T00:00:00Z",
    },
    "R": {
        "id": "2026-fall-reading",
        "title": "Fall diagnostic, reading",
        "purpose": "diagnostic",
        "opensAt": "2026-09-01T00:00:00Z",
        "closesAt": "2026-10-01T00:00:00Z",
    },
    "check": {
        "id": "2026-october-check",
        "title": "October quick check",
        "purpose": "formative",
        "opensAt": "2026-10-12T00:00:00Z",
        "closesAt": "2026-11-01T00:00:00Z",
    },
}


def document(bank: Bank) -> dict[str, object]:
    """The forms file (trellis-forms/1)."""

    def form(one: Form) -> dict[str, object]:
        version = {"parameterVersion": PARAMETERS} if one.calibrated else {}
        return {"id": one.code, "title": one.title, **version, "items": [item.body for item in one.items]}

    def codes(subject: str) -> Sequence[str]:
        return [bank.forms[subject, grade].code for grade in TESTED]

    return {
        "format": "trellis-forms/1",
        "forms": [form(one) for one in (*bank.forms.values(), bank.check)],
        "administrations": [
            ADMINISTRATIONS["M"] | {"forms": codes("M")},
            ADMINISTRATIONS["R"] | {"forms": codes("R")},
            ADMINISTRATIONS["check"] | {"forms": [bank.check.code]},
        ],
    }
