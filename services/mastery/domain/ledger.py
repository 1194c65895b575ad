"""From scored sheets to evidence, in the order in which evidence counts.

The order is (completed at, administration's code, form's code, item's position), codes compared by code point: it
depends on the sheets alone, never on when or how they arrived.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from services.mastery.domain.tracing.skill import Floats, Ints

HIGHEST_SCORE = 250
NOT_REACHED = 253
OMITTED = 254
NOT_PRESENTED = 255

Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Form:
    """A version of a test form. The pairs (`aligned_items`, `aligned_competencies`) say what each item is evidence for.

    Ids are 16 bytes; `maxima` has a maximum score per item, `difficulties` how hard it is in logits (0 where nothing
    says so); `aligned_items` are positions, rising.
    """

    id: bytes
    code: str
    items: tuple[str, ...]
    maxima: Ints
    difficulties: Floats
    aligned_items: Ints
    aligned_competencies: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Sheets:
    """Scored answer sheets, a list per column. Ids are 16 bytes, times microseconds since 1970 UTC.

    `scores` holds a byte per item of the form: points, or one of the three codes for no answer. What is `withdrawn` is
    no evidence; its version counts all the same.
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
    withdrawn: list[bool]

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

    def whose(self, whom: Mapping[bytes, bytes]) -> "Sheets":
        """The same sheets; those of whoever is somebody else now, as that one's."""
        return replace(self, students=[whom.get(student, student) for student in self.students])

    def keys(self) -> list[bytes]:
        """Student and attempt, 32 bytes: what the ledger knows a sheet by."""
        return [student + attempt for student, attempt in zip(self.students, self.attempts, strict=True)]

    def latest(self) -> "Sheets":
        """Of several versions of a sheet the highest (of equal ones the first), in no particular order."""
        keys = self.keys()
        if len(set(keys)) == len(keys):
            return self
        chosen: dict[bytes, int] = {}
        for row, (key, version) in enumerate(zip(keys, self.versions, strict=True)):
            if key not in chosen or self.versions[chosen[key]] < version:
                chosen[key] = row
        return self.take(list(chosen.values()))


@dataclass(frozen=True, slots=True)
class Sifted:
    """What sheets are to a ledger: `evidence` not heard of before, and the students whose earlier sheets `corrected`.

    `newcomers` are known by nothing but sheets that came withdrawn. Nobody else is touched.
    """

    evidence: Sheets
    corrected: set[bytes]
    newcomers: set[bytes]


def sift(heard: Sheets, versions: Mapping[bytes, int], standing: Container[bytes]) -> Sifted:
    """What these sheets are to a ledger that has these versions, by key, and in which these students have a standing.

    A version that is not higher than what is there is nothing; a higher one corrects, withdraws or reinstates.
    """
    keys = heard.keys()
    corrected = {
        student
        for key, student, version in zip(keys, heard.students, heard.versions, strict=True)
        if versions.get(key, version) < version
    }
    rows = [
        row
        for row, (key, withdrawn) in enumerate(zip(keys, heard.withdrawn, strict=True))
        if not withdrawn and key not in versions
    ]
    newcomers = {
        student
        for student, withdrawn in zip(heard.students, heard.withdrawn, strict=True)
        if withdrawn and student not in standing
    }
    evidence = heard if len(rows) == len(heard) else heard.take(rows)
    return Sifted(evidence, corrected, newcomers)


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

    def places(self, ids: Iterable[bytes]) -> Ints:
        """Where these competencies are."""
        return np.array([self.index[one] for one in ids], dtype=np.int64)


def faults(sheets: Sheets, forms: Mapping[bytes, Form]) -> list[str]:
    """What is wrong with these sheets, a sentence each; nothing for good ones. All their forms must be there."""
    found = []
    for form_id, rows in by_form(sheets).items():
        form = forms[form_id]
        size = len(form.items)
        whole = [row for row in rows if len(sheets.scores[row]) == size]
        if len(whole) != len(rows):
            found.append(f"A sheet of form {form.code} does not have {size} scores.")
        scores = matrix(sheets, whole, size)
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


def by_form(sheets: Sheets) -> dict[bytes, list[int]]:
    """The rows of the sheets of each form."""
    rows: dict[bytes, list[int]] = {}
    for row, form in enumerate(sheets.forms):
        rows.setdefault(form, []).append(row)
    return rows


def is_evidence(scores: Bytes) -> Bools:
    """Which bytes of sheets are evidence: points, and omitted answers."""
    return np.asarray((scores <= HIGHEST_SCORE) | (scores == OMITTED))


def matrix(sheets: Sheets, rows: Iterable[int], items: int) -> Bytes:
    """The scores of some sheets that have as many items each, (sheets, items)."""
    return np.frombuffer(b"".join([sheets.scores[row] for row in rows]), dtype=np.uint8).reshape(-1, items)


def _order_of(codes: Sequence[str]) -> Ints:
    """Places of the codes in the order of their code points; equal codes share one."""
    place = {code: position for position, code in enumerate(sorted(set(codes)))}
    return np.array([place[code] for code in codes], dtype=np.int64)
