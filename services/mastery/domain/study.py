"""What a batch of answer sheets makes of many students at once.

Students are taken a thousand at a time, those with the same form together, as dense arrays (students, competencies).
Their sheets are read in rounds: the first of each, then the second. Within a round all sheets of a form take the same
steps: the first item of every competency, the second, and so on. Only elementwise arithmetic, so neither the company a
sheet comes in nor the cut of the batch can be seen in the bits.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.mastery.domain.ledger import Bools, Form, Sheets, Vocabulary, credits_of, is_evidence, matrix, ranks
from services.mastery.domain.standing import NEVER, Place, ids_in
from services.mastery.domain.tracing import Bytes, Floats, Ints, Skill, learnt, likelihoods

_AT_ONCE = 1_000
_ID = 16
_BYTES = 256


@dataclass(frozen=True, slots=True)
class Block:
    """Students who know about the same competencies and whose last sheets were alike; n students, c competencies.

    `competencies` are packed ids, rising; `students` 16 bytes each; `through_at` (n,) and the columns (n, c) of
    `probabilities`, `counts` and `last_evidence` (microseconds since 1970 UTC) belong to them in that order.
    """

    competencies: bytes
    through_administration: str
    through_form: str
    model_version: str
    students: list[bytes]
    through_at: Ints
    probabilities: Floats
    counts: Ints
    last_evidence: Ints

    def through(self) -> Iterator[tuple[bytes, Place]]:
        """Each student, and the place of the last sheet they have seen."""
        for student, at in zip(self.students, self.through_at.tolist(), strict=True):
            yield student, (at, self.through_administration, self.through_form)


def going_on(
    sheets: Sheets,
    forms: Mapping[bytes, Form],
    administrations: Mapping[bytes, str],
    blocks: Sequence[Block],
    skill: Skill,
) -> set[bytes]:
    """The students all of whose new sheets come after everything they have shown: they continue where they stand."""
    going = set(sheets.students)
    version = skill.version
    through = dict(pair for block in blocks if block.model_version == version for pair in block.through())
    stopped = {student for block in blocks if block.model_version != version for student in block.students}
    if through:
        for student, at, administration, form in zip(
            sheets.students, sheets.completed_at, sheets.administrations, sheets.forms, strict=True
        ):
            if student in through and (at, administrations[administration], forms[form].code) <= through[student]:
                stopped.add(student)
    return going - stopped


@dataclass(frozen=True, slots=True)
class Believed:
    """What is believed of students: the entries of student s are those from `bounds[s]` to `bounds[s + 1]`.

    Entries are parallel columns, of each student rising by competency: `competencies` (entries, 16) bytes,
    `probabilities`, `counts` (0 when no evidence is left), `last_evidence` (microseconds since 1970 UTC).
    """

    students: list[bytes]
    bounds: Ints
    competencies: Bytes
    probabilities: Floats
    counts: Ints
    last_evidence: Ints

    @classmethod
    def together(cls, several: Sequence["Believed"]) -> "Believed":
        sizes = np.concatenate([np.zeros(1, dtype=np.int64), *(np.diff(one.bounds) for one in several)])
        return cls(
            [student for one in several for student in one.students],
            np.cumsum(sizes),
            np.concatenate([np.empty((0, _ID), dtype=np.uint8), *(one.competencies for one in several)]),
            np.concatenate([np.empty(0), *(one.probabilities for one in several)]),
            np.concatenate([np.empty(0, dtype=np.int64), *(one.counts for one in several)]),
            np.concatenate([np.empty(0, dtype=np.int64), *(one.last_evidence for one in several)]),
        )


@dataclass(frozen=True, slots=True)
class Studied:
    """What is believed `now`, the place of the last sheet of each of those students, and the part that `changed`.

    `changed` has the students something changed for; there, a competency without evidence left has a count of 0 and the
    prior.
    """

    now: Believed
    through: list[Place]
    changed: Believed


@dataclass(frozen=True, slots=True)
class _State:
    """Dense, shapes (students, competencies): without evidence the prior, no count, no time."""

    probability: Floats
    count: Ints
    last: Ints

    @classmethod
    def blank(cls, students: int, competencies: int, skill: Skill) -> "_State":
        shape = (students, competencies)
        return cls(np.full(shape, skill.prior), np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class _Reading:
    """How a form is read: its competencies, those with most items first, and the items of each step.

    Step k has the k-th item of the first so many competencies. The tables (items, 256) say what each score byte is to
    those who know and to those who do not.
    """

    competencies: tuple[bytes, ...]
    steps: tuple[Ints, ...]
    if_known: Floats
    if_unknown: Floats

    @classmethod
    def of(cls, form: Form, skill: Skill) -> "_Reading":
        items: dict[bytes, list[int]] = {}
        for item, competency in zip(form.aligned_items.tolist(), form.aligned_competencies, strict=True):
            items.setdefault(competency, []).append(item)
        order = sorted(items, key=lambda competency: (-len(items[competency]), competency))
        longest = len(items[order[0]]) if order else 0
        steps = (
            np.array([items[one][step] for one in order if step < len(items[one])], dtype=np.int64)
            for step in range(longest)
        )
        return cls(tuple(order), tuple(steps), *likelihoods(credits_of(form), skill))


def study(
    students: Iterable[bytes],
    blocks: Sequence[Block],
    continuing: Collection[bytes],
    sheets: Sheets,
    forms: Mapping[bytes, Form],
    administrations: Mapping[bytes, str],
    skill: Skill,
) -> Studied:
    """Where these students stand after these sheets, and what changed.

    For students `continuing` the sheets are new ones, after all they have seen; for the others they are the whole
    ledger, and start over. `blocks` say where students stood before.
    """
    form_of = dict(zip(sheets.students, sheets.forms, strict=True))
    ordered = sorted(students, key=lambda student: form_of.get(student, b""))
    row = {student: position for position, student in enumerate(ordered)}
    owner = np.array([row[student] for student in sheets.students], dtype=np.int64)
    turn = _turns(sheets, owner, forms, administrations)
    readings = {form: _Reading.of(forms[form], skill) for form in set(sheets.forms)}
    stood = [(block, np.array([row.get(student, -1) for student in block.students])) for block in blocks]
    goes_on = np.array([student in continuing for student in ordered], dtype=np.bool_)
    now, changed = [], []
    for start in range(0, len(ordered), _AT_ONCE):
        some = ordered[start : start + _AT_ONCE]
        read = np.flatnonzero((owner >= start) & (owner < start + len(some)))
        here = [(block, at - start) for block, at in stood if bool(((at >= start) & (at < start + len(some))).any())]
        vocabulary = Vocabulary.of(
            [one for form in {sheets.forms[at] for at in read.tolist()} for one in readings[form].competencies]
            + [one for block, _ in here for one in ids_in(block.competencies)]
        )
        before = _before(here, len(some), vocabulary, skill)
        after = _begun(before, goes_on[start : start + len(some)], skill)
        for form, rows in _together(sheets, read, turn):
            cells = np.ix_(owner[rows] - start, vocabulary.places(readings[form].competencies))
            scores = matrix(sheets, rows, len(forms[form].items))
            _read(after, cells, readings[form], scores, [sheets.completed_at[at] for at in rows], skill.learn)
        now.append(_entries(some, after, after.count > 0, vocabulary))
        changed.append(_changes(some, before, after, vocabulary))
    through = _through(sheets, owner, turn, len(ordered), forms, administrations)
    return Studied(Believed.together(now), through, Believed.together(changed))


def _turns(sheets: Sheets, owner: Ints, forms: Mapping[bytes, Form], administrations: Mapping[bytes, str]) -> Ints:
    """Which of its student's sheets each is (0 the first), in the order of evidence."""
    turn = np.zeros(len(sheets), dtype=np.int64)
    if len(set(sheets.students)) < len(sheets):
        order = np.lexsort((ranks(sheets, forms, administrations), owner))
        first = np.searchsorted(owner[order], owner[order])
        turn[order] = np.arange(len(sheets)) - first
    return turn


def _through(
    sheets: Sheets,
    owner: Ints,
    turn: Ints,
    students: int,
    forms: Mapping[bytes, Form],
    administrations: Mapping[bytes, str],
) -> list[Place]:
    """The place of each student's last sheet."""
    last = np.full(students, -1, dtype=np.int64)
    by_turn = np.argsort(turn, kind="stable")
    last[owner[by_turn]] = by_turn  # of several assignments to one place the last one stays
    return [
        NEVER
        if at < 0
        else (sheets.completed_at[at], administrations[sheets.administrations[at]], forms[sheets.forms[at]].code)
        for at in last.tolist()
    ]


def _together(sheets: Sheets, rows: Ints, turn: Ints) -> Iterator[tuple[bytes, list[int]]]:
    """The sheets that are read together: the same turn, the same form. First turns come first."""
    groups: dict[tuple[int, bytes], list[int]] = {}
    for at, which in zip(rows.tolist(), turn[rows].tolist(), strict=True):
        groups.setdefault((which, sheets.forms[at]), []).append(at)
    for which, form in sorted(groups):
        yield form, groups[which, form]


def _before(here: Sequence[tuple[Block, Ints]], students: int, vocabulary: Vocabulary, skill: Skill) -> _State:
    """What was believed of these students; a block's rows outside of them are not theirs."""
    state = _State.blank(students, len(vocabulary), skill)
    for block, at in here:
        inside = np.flatnonzero((at >= 0) & (at < students))
        cells = np.ix_(at[inside], vocabulary.places(ids_in(block.competencies)))
        state.probability[cells] = block.probabilities[inside]
        state.count[cells] = block.counts[inside]
        state.last[cells] = block.last_evidence[inside]
    return state


def _begun(before: _State, goes_on: Bools, skill: Skill) -> _State:
    """Where the reading begins: as before for those who go on, from nothing for the others."""
    stays = goes_on[:, np.newaxis]
    return _State(
        np.where(stays, before.probability, skill.prior),
        np.where(stays, before.count, 0),
        np.where(stays, before.last, 0),
    )


def _read(
    state: _State, cells: tuple[Ints, ...], reading: _Reading, scores: Bytes, times: Sequence[int], learn: float
) -> None:
    """Learn from a sheet of one form for each of some students, all different.

    `cells` are the students' rows and the columns of the reading's competencies, crossed (`np.ix_`); `scores` (sheets,
    items) bytes, `times` (sheets,) in microseconds.
    """
    known = np.ascontiguousarray(state.probability[cells].T)
    seen = np.zeros(known.shape, dtype=np.int64)
    by_item = np.ascontiguousarray(scores.T)
    for items in reading.steps:
        score = by_item[items]
        counts = is_evidence(score)
        at = items[:, np.newaxis] * _BYTES + score
        believed = known[: len(items)]
        np.copyto(
            believed,
            learnt(believed, reading.if_known.take(at), reading.if_unknown.take(at), learn),
            where=counts,
        )
        seen[: len(items)] += counts
    state.probability[cells] = known.T
    state.count[cells] += seen.T
    state.last[cells] = np.where(seen.T > 0, np.array(times)[:, np.newaxis], state.last[cells])


def _entries(students: list[bytes], state: _State, chosen: Bools, vocabulary: Vocabulary) -> Believed:
    """The chosen cells of the state, student by student."""
    ids = np.frombuffer(b"".join(vocabulary.ids), dtype=np.uint8).reshape(-1, _ID)
    bounds = np.concatenate([[0], np.cumsum(chosen.sum(axis=1, dtype=np.int64))])
    return Believed(
        students,
        bounds,
        ids[np.nonzero(chosen)[1]],
        state.probability[chosen],
        state.count[chosen],
        state.last[chosen],
    )


def _changes(students: list[bytes], before: _State, after: _State, vocabulary: Vocabulary) -> Believed:
    """What is no longer as it was, without the students nothing changed for."""
    differs = (before.probability != after.probability) | (before.count != after.count) | (before.last != after.last)
    some = np.flatnonzero(differs.any(axis=1))
    state = _State(after.probability[some], after.count[some], after.last[some])
    return _entries([students[at] for at in some.tolist()], state, differs[some], vocabulary)
