"""From scored sheets to evidence, in the order in which evidence counts.

The order is (completed at, administration's code, form's code, item's position), codes compared by code point: it
depends on the sheets alone, never on when or how they arrived.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from services.mastery.domain.tracing import Floats, Ints

HIGHEST_SCORE = 250
NOT_REACHED = 253
OMITTED = 254
NOT_PRESENTED = 255

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Form:
    """A version of a test form. The pairs (`aligned_items`, `aligned_competencies`) say what each item is evidence for.

    Ids are 16 bytes; `maxima` has a maximum score per item; `aligned_items` are positions, rising.
    """

    id: bytes
    code: str
    items: tuple[str, ...]
    maxima: Ints
    aligned_items: Ints
    aligned_competencies: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Sheets:
    """Scored answer sheets, a list per column. Ids are 16 bytes, times microseconds since 1970 UTC.

    `scores` holds a byte per item of the form: points, or one of the three codes for no answer.
    """

    attempts: list[bytes]
    versions: list[int]
    students: list[bytes]
    administrations: list[bytes]
    forms: list[bytes]
    completed_at: list[int]
    modalities: list[int]
    purposes: list[int]
    scores: list[bytes]

    def __len__(self) -> int:
        return len(self.attempts)

    @classmethod
    def none(cls) -> Self:
        return cls(*([] for _ in fields(cls)))

    def _columns(self) -> Iterable[list[Any]]:  # columns of different types
        return (getattr(self, field.name) for field in fields(self))

    def take(self, rows: Sequence[int]) -> "Sheets":
        return Sheets(*([column[row] for row in rows] for column in self._columns()))

    def joined(self, others: "Sheets") -> "Sheets":
        return Sheets(*(one + other for one, other in zip(self._columns(), others._columns(), strict=True)))


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The competencies at hand, sorted by id, and where each is."""

    ids: tuple[bytes, ...]
    index: Mapping[bytes, int]

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of(cls, ids: Iterable[bytes]) -> Self:
        """Sorted, so that what is packed in this order never depends on the company it came in."""
        inside = tuple(sorted(set(ids)))
        return cls(inside, {competency: position for position, competency in enumerate(inside)})


@dataclass(frozen=True, slots=True)
class Evidence:
    """Columns, an entry per response and competency, sorted by `pair` and within it by the order of evidence.

    `pair` is student * (competencies in the vocabulary) + competency, `sheet` a row of the sheets, `item` a position on
    its form, `credit` points over the maximum (an omitted answer has none).
    """

    pair: Ints
    sheet: Ints
    item: Ints
    credit: Floats

    def __len__(self) -> int:
        return len(self.pair)


def faults(sheets: Sheets, forms: Mapping[bytes, Form]) -> list[str]:
    """What is wrong with these sheets, a sentence each; nothing for good ones. All their forms must be there."""
    found = []
    for form_id, rows in _by_form(sheets).items():
        form = forms[form_id]
        size = len(form.items)
        whole = [row for row in rows if len(sheets.scores[row]) == size]
        if len(whole) != len(rows):
            found.append(f"A sheet of form {form.code} does not have {size} scores.")
        scores = _matrix(sheets, whole, size)
        if bool(((scores > form.maxima) & (scores < NOT_REACHED)).any()):
            found.append(f"A score on form {form.code} is above its item's maximum.")
    return found


def ranks(sheets: Sheets, forms: Mapping[bytes, Form], administrations: Mapping[bytes, str]) -> Ints:
    """Each sheet's place (0 the first) in the order of evidence; `administrations` gives their codes.

    Two attempts of different students may tie; their ids decide, so that every order is a total one.
    """
    attempt = np.frombuffer(b"".join(sheets.attempts), dtype=">u8").reshape(-1, 2)
    order = np.lexsort(
        (
            attempt[:, 1],
            attempt[:, 0],
            _order_of([forms[form].code for form in sheets.forms]),
            _order_of([administrations[administration] for administration in sheets.administrations]),
            np.array(sheets.completed_at, dtype=np.int64),
        )
    )
    rank = np.empty(len(sheets), dtype=np.int64)
    rank[order] = np.arange(len(sheets))
    return rank


def evidence_of(
    sheets: Sheets, rank: Ints, student: Ints, forms: Mapping[bytes, Form], vocabulary: Vocabulary
) -> Evidence:
    """What these sheets say: nothing for items not reached or not presented, no credit for omitted ones.

    `rank` is each sheet's place in the order of evidence, `student` the row of the student whose it is.
    """
    pairs, owners, items, credits = [], [], [], []
    for form_id, rows in _by_form(sheets).items():
        form = forms[form_id]
        column = np.array([vocabulary.index[one] for one in form.aligned_competencies], dtype=np.int64)
        by_competency = np.argsort(column, kind="stable")
        item, column = form.aligned_items[by_competency], column[by_competency]
        scores = _matrix(sheets, rows, len(form.items))[:, item]
        at, aligned = np.nonzero((scores <= HIGHEST_SCORE) | (scores == OMITTED))
        points = scores[at, aligned]
        owner = np.array(rows, dtype=np.int64)[at]
        position = item[aligned]
        pairs.append(student[owner] * len(vocabulary) + column[aligned])
        owners.append(owner)
        items.append(position)
        credits.append(np.where(points == OMITTED, 0, points) / form.maxima[position])
    pair, owner = _together(pairs), _together(owners)
    order = np.argsort(pair * len(sheets) + rank[owner] if len(pair) else pair, kind="stable")
    credit = np.concatenate([np.empty(0, dtype=np.float64), *credits])
    return Evidence(pair[order], owner[order], _together(items)[order], credit[order])


def _by_form(sheets: Sheets) -> dict[bytes, list[int]]:
    rows: dict[bytes, list[int]] = {}
    for row, form in enumerate(sheets.forms):
        rows.setdefault(form, []).append(row)
    return rows


def _matrix(sheets: Sheets, rows: Sequence[int], items: int) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join([sheets.scores[row] for row in rows]), dtype=np.uint8).reshape(len(rows), items)


def _order_of(codes: Sequence[str]) -> Ints:
    """Places of the codes in the order of their code points; equal codes share one."""
    place = {code: position for position, code in enumerate(sorted(set(codes)))}
    return np.array([place[code] for code in codes], dtype=np.int64)


def _together(columns: Sequence[Ints]) -> Ints:
    return np.concatenate([np.empty(0, dtype=np.int64), *columns])
