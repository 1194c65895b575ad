"""Why we believe what we believe: the ledger replayed, every entry with the belief before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from services.mastery.domain.ledger import Form, Sheets, Vocabulary, by_form, is_evidence, matrix, ranks
from services.mastery.domain.model import Model
from services.mastery.domain.reading import BYTES, Reading, daily, kept
from services.mastery.domain.tracing.skill import PROBABILITY, Floats, Ints
from services.mastery.domain.tracing.update import after_evidence, after_gap, after_practice


@dataclass(frozen=True, slots=True)
class Entry:
    """One scored response as evidence for one competency; `sheet` is a row of the sheets, `item` its code.

    `before` is what was believed at the moment of the response: it lies nearer to the prior than the `after` of the
    entry before it, when days have passed.
    """

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


@dataclass(frozen=True, slots=True)
class Evidence:
    """Columns, an entry per response and competency, sorted by `pair` and within it by the order of evidence.

    `pair` is student * (competencies in the vocabulary) + competency, `sheet` a row of the sheets, `item` a position on
    its form, `credit` points over the maximum (an omitted answer has none), and how probable the response is from those
    who know and from those who do not.
    """

    pair: Ints
    sheet: Ints
    item: Ints
    credit: Floats
    if_known: Floats
    if_unknown: Floats


def histories(
    students: Sequence[bytes],
    sheets: Sheets,
    forms: Mapping[bytes, Form],
    administrations: Mapping[bytes, str],
    model: Model,
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
    evidence = evidence_of(sheets, rank, owner, forms, vocabulary, model)
    before, now = replay(evidence, np.array(sheets.completed_at, dtype=np.int64), vocabulary, model)
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


def evidence_of(
    sheets: Sheets, rank: Ints, student: Ints, forms: Mapping[bytes, Form], vocabulary: Vocabulary, model: Model
) -> Evidence:
    """What these sheets say: nothing for items not reached or not presented, no credit for omitted ones.

    `rank` is each sheet's place in the order of evidence, `student` the row of the student whose it is.
    """
    nothing = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    columns: list[tuple[Ints | Floats, ...]] = [(*nothing, np.empty(0), np.empty(0), np.empty(0))]
    for form_id, rows in by_form(sheets).items():
        form, reading = forms[form_id], Reading.of(forms[form_id], model)
        scores = matrix(sheets, rows, len(form.items))[:, reading.items]
        at, which = np.nonzero(is_evidence(scores))
        score, owner = scores[at, which], np.array(rows, dtype=np.int64)[at]
        pair = student[owner] * len(vocabulary) + vocabulary.places(reading.competencies)[reading.columns[which]]
        item, cell = reading.items[which], which * BYTES + score
        credit = np.where(score <= form.maxima[item], score, 0) / form.maxima[item]
        columns.append(
            (pair, owner, item, credit, reading.if_known[PROBABILITY, cell], reading.if_unknown[PROBABILITY, cell])
        )
    pair, sheet, item, credit, if_known, if_unknown = (np.concatenate(column) for column in zip(*columns, strict=True))
    order = np.lexsort((item, rank[sheet], pair))
    return Evidence(pair[order], sheet[order], item[order], credit[order], if_known[order], if_unknown[order])


def replay(evidence: Evidence, completed_at: Ints, vocabulary: Vocabulary, model: Model) -> tuple[Floats, Floats]:
    """What was believed before and after each entry; `completed_at` (sheets,) in microseconds since 1970 UTC.

    Every sequence of entries of one pair begins at the prior. The k-th entries of all sequences are taken together.
    """
    skills, competency = model.skills(vocabulary.ids), evidence.pair % max(len(vocabulary), 1)
    prior, learn, forget = (column[PROBABILITY, competency] for column in (skills.prior, skills.learn, skills.forget))
    until, begins = completed_at[evidence.sheet], np.diff(evidence.pair, prepend=-1) != 0
    left = kept(daily(skills)[competency], np.where(begins, until, np.roll(until, 1)), until)
    start = np.flatnonzero(begins)
    lengths = np.diff(start, append=len(until))
    longest_first = np.argsort(-lengths, kind="stable")
    position, known = start[longest_first], prior[start[longest_first]]
    before, after = np.empty_like(left), np.empty_like(left)
    for step in range(int(lengths.max(initial=0))):
        still = int((lengths > step).sum())
        at = position[:still] + step
        before[at] = after_gap(known[:still], left[at], prior[at])
        believed = after_evidence(before[at], evidence.if_known[at], evidence.if_unknown[at])
        after[at] = known[:still] = after_practice(believed, learn[at], forget[at])
    return before, after
