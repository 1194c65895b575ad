"""Where students stand: each one's beliefs packed into a row, and what a batch of sheets makes of it."""

import struct
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from services.mastery.domain.beliefs import Beliefs, learn
from services.mastery.domain.ledger import Form, Sheets, Vocabulary, evidence_of, ranks
from services.mastery.domain.tracing import Skill

Place = tuple[int, str, str]
"""A sheet's place in a student's order of evidence: completed at, administration's code, form's code."""

NEVER: Place = (-(2**63), "", "")
_ID = 16


@dataclass(frozen=True, slots=True)
class Standing:
    """One student's beliefs, packed: parallel columns, little-endian, sorted by competency.

    `competencies` 16 bytes each, `probabilities` float64, `counts` int32, `last_evidence` int64 (microseconds since
    1970 UTC). `through` is the last sheet they have seen.
    """

    through: Place
    model_version: str
    entries: int
    competencies: bytes
    probabilities: bytes
    counts: bytes
    last_evidence: bytes


@dataclass(frozen=True, slots=True)
class Change:
    """What is newly believed of one student, in parallel lists; a count of 0 means no evidence is left."""

    student: bytes
    competencies: list[bytes]
    probabilities: list[float]
    counts: list[int]


def places(sheets: Sheets, forms: Mapping[bytes, Form], administrations: Mapping[bytes, str]) -> list[Place]:
    """Where each sheet belongs in its student's order of evidence; `administrations` gives their codes."""
    return [
        (completed, administrations[administration], forms[form].code)
        for completed, administration, form in zip(
            sheets.completed_at, sheets.administrations, sheets.forms, strict=True
        )
    ]


def going_on(sheets: Sheets, place: Sequence[Place], standings: Mapping[bytes, Standing], skill: Skill) -> set[bytes]:
    """The students all of whose new sheets come after everything they have shown: they continue where they stand."""
    first: dict[bytes, Place] = {}
    for student, at in zip(sheets.students, place, strict=True):
        first[student] = min(first.get(student, at), at)
    return {
        student
        for student, at in first.items()
        if (stands := standings.get(student)) is None or (at > stands.through and stands.model_version == skill.version)
    }


def study(
    students: Sequence[bytes],
    standings: Mapping[bytes, Standing],
    continuing: Collection[bytes],
    sheets: Sheets,
    forms: Mapping[bytes, Form],
    administrations: Mapping[bytes, str],
    skill: Skill,
) -> tuple[list[Standing], list[Change]]:
    """Where these students stand after these sheets, parallel to `students`, and what changed.

    For students `continuing` the sheets are new ones; for the others they are the whole ledger, and start over.
    """
    row = {student: position for position, student in enumerate(students)}
    before = [standings.get(student) for student in students]
    vocabulary = Vocabulary.of(
        [one for form in set(sheets.forms) for one in forms[form].aligned_competencies]
        + [one for layout in {stands.competencies for stands in before if stands} for one in ids_in(layout)]
    )
    stored = unpack(before, vocabulary)
    goes_on = np.array([student in continuing for student in students], dtype=np.bool_)
    owner = np.array([row[student] for student in sheets.students], dtype=np.int64)
    evidence = evidence_of(sheets, ranks(sheets, forms, administrations), owner, forms, vocabulary)
    learned = learn(
        stored,
        goes_on[stored.pair // max(len(vocabulary), 1)],
        evidence,
        np.array(sheets.completed_at, dtype=np.int64),
        skill,
    )
    through = [
        stands.through if stands and student in continuing else NEVER
        for student, stands in zip(students, before, strict=True)
    ]
    for student, place in zip(sheets.students, places(sheets, forms, administrations), strict=True):
        through[row[student]] = max(through[row[student]], place)
    return (
        pack(learned.now, through, vocabulary, skill.version),
        _changes(learned.changed, students, vocabulary),
    )


def unpack(standings: Sequence[Standing | None], vocabulary: Vocabulary) -> Beliefs:
    """The beliefs of many students, by their rows; the vocabulary holds all of their competencies."""
    known = [(row, stands) for row, stands in enumerate(standings) if stands is not None]
    layouts: dict[bytes, list[int]] = {}
    pairs: list[int] = []
    for row, stands in known:
        columns = layouts.get(stands.competencies)
        if columns is None:
            columns = layouts[stands.competencies] = [vocabulary.index[one] for one in ids_in(stands.competencies)]
        base = row * len(vocabulary)
        pairs += [base + column for column in columns]
    return Beliefs(
        np.array(pairs, dtype=np.int64),
        np.frombuffer(b"".join([stands.probabilities for _, stands in known]), dtype="<f8"),
        np.frombuffer(b"".join([stands.counts for _, stands in known]), dtype="<i4").astype(np.int64),
        np.frombuffer(b"".join([stands.last_evidence for _, stands in known]), dtype="<i8").astype(np.int64),
    )


def pack(beliefs: Beliefs, through: Sequence[Place], vocabulary: Vocabulary, model_version: str) -> list[Standing]:
    """A row for every student, in their order."""
    ids = np.frombuffer(b"".join(vocabulary.ids), dtype=np.uint8).reshape(-1, _ID)
    competencies = ids[beliefs.pair % max(len(vocabulary), 1)].tobytes()
    probabilities = beliefs.probability.astype("<f8").tobytes()
    counts = beliefs.count.astype("<i4").tobytes()
    last = beliefs.last.astype("<i8").tobytes()
    bounds = _bounds(beliefs, len(through), vocabulary)
    total = np.concatenate([[0], np.cumsum(beliefs.count)])
    entries = (total[bounds[1:]] - total[bounds[:-1]]).tolist()
    at = bounds.tolist()
    return [
        Standing(
            through[row],
            model_version,
            entries[row],
            competencies[_ID * a : _ID * b],
            probabilities[8 * a : 8 * b],
            counts[4 * a : 4 * b],
            last[8 * a : 8 * b],
        )
        for row, (a, b) in enumerate(pairwise(at))
    ]


def beliefs_in(standing: Standing) -> dict[bytes, tuple[float, int, int]]:
    """Probability, count and time of the last evidence (microseconds), by competency."""
    ids = ids_in(standing.competencies)
    probabilities = struct.unpack(f"<{len(ids)}d", standing.probabilities)
    counts = struct.unpack(f"<{len(ids)}i", standing.counts)
    last = struct.unpack(f"<{len(ids)}q", standing.last_evidence)
    return dict(zip(ids, zip(probabilities, counts, last, strict=True), strict=True))


def in_columns(
    standings: Sequence[Standing | None], place: Mapping[bytes, int]
) -> list[tuple[list[int], list[float], list[int], list[int]]]:
    """Each standing's places in a vocabulary (rising), probabilities, counts and times of the last evidence.

    `place` says where each competency is in the vocabulary; what it does not name is left out. Students who know about
    the same competencies share the work of finding them.
    """
    layouts: dict[bytes, tuple[int, list[int], list[int]]] = {b"": (0, [], [])}
    columns: list[tuple[list[int], list[float], list[int], list[int]]] = []
    for stands in standings:
        layout = b"" if stands is None else stands.competencies
        if layout not in layouts:
            ids = ids_in(layout)
            inside = sorted((place[one], position) for position, one in enumerate(ids) if one in place)
            layouts[layout] = len(ids), [at for at, _ in inside], [position for _, position in inside]
        size, places_, chosen = layouts[layout]
        if stands is None or not chosen:
            columns.append(([], [], [], []))
            continue
        probabilities = struct.unpack(f"<{size}d", stands.probabilities)
        counts = struct.unpack(f"<{size}i", stands.counts)
        last = struct.unpack(f"<{size}q", stands.last_evidence)
        columns.append(
            (
                places_,
                [probabilities[position] for position in chosen],
                [counts[position] for position in chosen],
                [last[position] for position in chosen],
            )
        )
    return columns


def _changes(changed: Beliefs, students: Sequence[bytes], vocabulary: Vocabulary) -> list[Change]:
    columns = (changed.pair % max(len(vocabulary), 1)).tolist()
    competencies = [vocabulary.ids[column] for column in columns]
    probabilities = changed.probability.tolist()
    counts = changed.count.tolist()
    at = _bounds(changed, len(students), vocabulary).tolist()
    return [
        Change(student, competencies[a:b], probabilities[a:b], counts[a:b])
        for student, a, b in zip(students, at[:-1], at[1:], strict=True)
        if a < b
    ]


def _bounds(beliefs: Beliefs, students: int, vocabulary: Vocabulary) -> "np.typing.NDArray[np.intp]":
    """Where each student's entries begin, and at last where they end."""
    return np.searchsorted(beliefs.pair, np.arange(students + 1) * len(vocabulary))


def ids_in(packed: bytes) -> list[bytes]:
    """The competencies of a packed column."""
    return [packed[at : at + _ID] for at in range(0, len(packed), _ID)]
