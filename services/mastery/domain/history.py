"""Why we believe what we believe: the ledger replayed, every entry with the belief before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from services.mastery.domain.ledger import Form, Sheets, Vocabulary, evidence_of, ranks
from services.mastery.domain.tracing import Skill, trace


@dataclass(frozen=True, slots=True)
class Entry:
    """One scored response as evidence for one competency; `sheet` is a row of the sheets, `item` its code."""

    sheet: int
    competency: bytes
    item: str
    credit: float
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class History:
    """A page of one student's entries, oldest first, and how many there are in all."""

    entries: list[Entry]
    total: int


def histories(
    students: Sequence[bytes],
    sheets: Sheets,
    forms: Mapping[bytes, Form],
    administrations: Mapping[bytes, str],
    skill: Skill,
    *,
    first: int,
    after: int,
) -> list[History]:
    """A page of each student's history, parallel to `students`; `sheets` is the whole ledger of all of them.

    Entries come in the order of evidence, those of one item by competency.
    """
    row = {student: position for position, student in enumerate(students)}
    vocabulary = Vocabulary.of(one for form in set(sheets.forms) for one in forms[form].aligned_competencies)
    rank = ranks(sheets, forms, administrations)
    owner = np.array([row[student] for student in sheets.students], dtype=np.int64)
    evidence = evidence_of(sheets, rank, owner, forms, vocabulary)
    lengths = np.unique(evidence.pair, return_counts=True)[1].astype(np.int64)
    before, now = trace(np.full(len(lengths), skill.prior), lengths, evidence.credit, skill)
    order = np.lexsort((evidence.pair, evidence.item, rank[evidence.sheet], owner[evidence.sheet]))
    bounds = np.searchsorted(owner[evidence.sheet][order], np.arange(len(students) + 1)).tolist()
    pages = []
    for begins, ends in pairwise(bounds):
        page = order[min(begins + after, ends) : min(begins + after + first, ends)]
        columns = (
            column[page].tolist()
            for column in (evidence.sheet, evidence.pair, evidence.item, evidence.credit, before, now)
        )
        entries = [
            Entry(sheet, vocabulary.ids[at % len(vocabulary)], forms[sheets.forms[sheet]].items[item], credit, was, is_)
            for sheet, at, item, credit, was, is_ in zip(*columns, strict=True)
        ]
        pages.append(History(entries, ends - begins))
    return pages
