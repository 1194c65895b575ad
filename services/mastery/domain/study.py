"""What a batch of answer sheets makes of many students at once.

Students are taken a thousand at a time, those with the same form together, as dense arrays (students, competencies).
Their sheets are read in rounds: the first of each, then the second. Within a round all sheets of a form take the same
steps: the first item of every competency, the second, and so on. Only elementwise arithmetic, so neither the company a
sheet comes in nor the cut of the batch can be seen in the bits.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.mastery.domain.ledger import Bools, Bytes, Form, Sheets, Vocabulary, is_evidence, matrix, ranks
from services.mastery.domain.model import Model
from services.mastery.domain.reading import BYTES, Reading, kept
from services.mastery.domain.standing import NEVER, Place, ids_in
from services.mastery.domain.tracing.skill import LANES, Floats, Ints
from services.mastery.domain.tracing.update import after_gap, after_response

_AT_ONCE = 1_000
_ID = 16


@dataclass(frozen=True, slots=True)
class Block:
    """Students who know about the same competencies and whose last sheets were alike; n students, c competencies.

    `competencies` are packed ids, rising; `students` 16 bytes each; `through_at` (n,), `beliefs` (3, n, c) by lane
    (probability, lower, upper), and the columns (n, c) of `counts` and `last_evidence` (microseconds since 1970 UTC)
    belong to them in that order.
    """

    competencies: bytes
    through_administration: str
    through_form: str
    model_version: str
    students: list[bytes]
    through_at: Ints
    beliefs: Floats
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
    model: Model,
) -> set[bytes]:
    """The students all of whose new sheets come after everything they have shown: they continue where they stand."""
    going = set(sheets.students)
    version = model.version
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

    Entries are parallel columns, of each student rising by competency: `competencies` (entries, 16) bytes, `beliefs`
    (3, entries) by lane, `counts` (0 when no evidence is left), `last_evidence` (microseconds since 1970 UTC).
    """

    students: list[bytes]
    bounds: Ints
    competencies: Bytes
    beliefs: Floats
    counts: Ints
    last_evidence: Ints

    @classmethod
    def together(cls, several: Sequence["Believed"]) -> "Believed":
        sizes = np.concatenate([np.zeros(1, dtype=np.int64), *(np.diff(one.bounds) for one in several)])
        return cls(
            [student for one in several for student in one.students],
            np.cumsum(sizes),
            np.concatenate([np.empty((0, _ID), dtype=np.uint8), *(one.competencies for one in several)]),
            np.concatenate([np.empty((LANES, 0)), *(one.beliefs for one in several)], axis=1),
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
    """Dense, `belief` (3, students, competencies), the others (students, competencies).

    Without evidence there is the prior, no count, no time.
    """

    belief: Floats
    count: Ints
    last: Ints

    @classmethod
    def blank(cls, students: int, prior: Floats) -> "_State":
        """`prior` is (3, competencies)."""
        shape = students, prior.shape[1]
        belief = np.repeat(prior[:, np.newaxis, :], students, axis=1)
        return cls(belief, np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64))


def study(
    students: Iterable[bytes],
    blocks: Sequence[Block],
    continuing: Collection[bytes],
    sheets: Sheets,
    forms: Mapping[bytes, Form],
    administrations: Mapping[bytes, str],
    model: Model,
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
    readings = {form: Reading.of(forms[form], model) for form in set(sheets.forms)}
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
        blank = _State.blank(len(some), model.skills(vocabulary.ids).prior)
        before = _before(here, blank, vocabulary)
        after = _begun(before, goes_on[start : start + len(some)], blank)
        for form, rows in _together(sheets, read, turn):
            cells = np.ix_(owner[rows] - start, vocabulary.places(readings[form].competencies))
            scores = matrix(sheets, rows, len(forms[form].items))
            _read(after, cells, readings[form], scores, np.array([sheets.completed_at[at] for at in rows]))
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


def _before(here: Sequence[tuple[Block, Ints]], blank: _State, vocabulary: Vocabulary) -> _State:
    """What was believed of these students; a block's rows outside of them are not theirs."""
    state = _State(blank.belief.copy(), blank.count.copy(), blank.last.copy())
    for block, at in here:
        inside = np.flatnonzero((at >= 0) & (at < len(state.count)))
        cells = np.ix_(at[inside], vocabulary.places(ids_in(block.competencies)))
        for lane, belief in enumerate(block.beliefs):
            state.belief[lane][cells] = belief[inside]
        state.count[cells] = block.counts[inside]
        state.last[cells] = block.last_evidence[inside]
    return state


def _begun(before: _State, goes_on: Bools, blank: _State) -> _State:
    """Where the reading begins: as before for those who go on, from nothing for the others."""
    stays = goes_on[:, np.newaxis]
    return _State(
        np.where(stays, before.belief, blank.belief),
        np.where(stays, before.count, blank.count),
        np.where(stays, before.last, blank.last),
    )


def _read(state: _State, cells: tuple[Ints, ...], reading: Reading, scores: Bytes, times: Ints) -> None:
    """Learn from a sheet of one form for each of some students, all different.

    `cells` are the students' rows and the columns of the reading's competencies, crossed (`np.ix_`); `scores` (sheets,
    items) bytes, `times` (sheets,) in microseconds. Time passes for what there is new evidence for, and nothing else.
    """
    stood = np.array([lane[cells].T for lane in state.belief])
    counted, last = state.count[cells].T, state.last[cells].T
    skills, belief = reading.skills, stood
    if counted.any():
        left = kept(reading.daily[:, np.newaxis], np.where(counted > 0, last, times), times)
        belief = after_gap(stood, left, skills.prior[:, :, np.newaxis])
    seen = np.zeros(last.shape, dtype=np.int64)
    by_item = np.ascontiguousarray(scores.T)
    for pairs in reading.steps:
        many = pairs.stop - pairs.start
        score = by_item[reading.items[pairs]]
        counts = is_evidence(score)
        at = np.arange(pairs.start, pairs.stop)[:, np.newaxis] * BYTES + score
        learn, forget = (column[:, :many, np.newaxis] for column in (skills.learn, skills.forget))
        before = belief[:, :many]
        if_known, if_unknown = reading.if_known.take(at, axis=1), reading.if_unknown.take(at, axis=1)
        after = after_response(before, if_known, if_unknown, learn, forget)
        if not counts.all():
            np.copyto(after, before, where=~counts)
        belief = after if many == len(seen) else np.concatenate([after, belief[:, many:]], axis=1)
        seen[:many] += counts
    if not seen.all():
        np.copyto(belief, stood, where=seen == 0)
    for lane, now in zip(state.belief, belief, strict=True):
        lane[cells] = now.T
    state.count[cells] += seen.T
    state.last[cells] = np.where(seen > 0, times, last).T


def _entries(students: list[bytes], state: _State, chosen: Bools, vocabulary: Vocabulary) -> Believed:
    """The chosen cells of the state, student by student."""
    ids = np.frombuffer(b"".join(vocabulary.ids), dtype=np.uint8).reshape(-1, _ID)
    bounds = np.concatenate([[0], np.cumsum(chosen.sum(axis=1, dtype=np.int64))])
    return Believed(
        students,
        bounds,
        ids[np.nonzero(chosen)[1]],
        state.belief[:, chosen],
        state.count[chosen],
        state.last[chosen],
    )


def _changes(students: list[bytes], before: _State, after: _State, vocabulary: Vocabulary) -> Believed:
    """What is no longer as it was, without the students nothing changed for."""
    differs = (before.belief != after.belief).any(axis=0) | (before.count != after.count) | (before.last != after.last)
    some = np.flatnonzero(differs.any(axis=1))
    state = _State(after.belief[:, some], after.count[some], after.last[some])
    return _entries([students[at] for at in some.tolist()], state, differs[some], vocabulary)
