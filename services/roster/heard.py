"""What others announce, in the roster's words. Invalid: a fact that cannot be."""

from collections.abc import Container, Iterable, Sequence
from itertools import chain
from math import nan
from typing import Final
from uuid import UUID

import numpy as np

from services.roster.domain.assessed import Attempts, Beliefs, Floats, Form, Window, levels, packed
from shared.errors import Invalid
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as assessment
from shared.events_pb.trellis.events.mastery.v1 import mastery_pb2 as mastery

_DAY = 86_400_000_000  # microseconds
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
"""Of the years 1 to 9999, counted from 1970."""
_MANY_VERSIONS = 2**31
_NO_LANES: Final = ("id", "student", "competencies", "evidence_counts", "model_version", "uppers")
_PURPOSES = {1: "diagnostic", 2: "formative", 3: "summative"}


def form_in(fact: assessment.Form) -> Form:
    """A version of a form."""
    places: dict[bytes, int] = {}
    names: list[str | None] = []
    items, objectives = [], []
    for number, item in enumerate(fact.items):
        said = list(item.identifiers) or [""] * len(item.competencies)
        if len(said) != len(item.competencies):
            raise Invalid(f"Item {item.code} does not name all of its competencies, or names too many.")
        for competency, name in zip(item.competencies, said, strict=True):
            if competency not in places:
                places[competency] = len(places)
                names.append(name or None)
            items.append(number)
            objectives.append(places[competency])
    return Form(
        id=_id(fact.form),
        title=_text(fact.title or fact.code),
        maxima=[item.maximum for item in fact.items],
        competencies=[_id(one) for one in places],
        identifiers=names,
        items=items,
        objectives=objectives,
    )


def window_in(fact: assessment.Administration) -> Window:
    """An administration."""
    return Window(
        _id(fact.administration), _text(fact.code), _text(fact.title or fact.code), _PURPOSES.get(fact.purpose, "")
    )


def attempts_in(facts: Sequence[assessment.Attempt]) -> Attempts:
    """Attempts, of several versions of one the highest."""
    ids = [fact.attempt for fact in facts]
    if len(set(ids)) < len(ids):
        facts = _latest(facts)
        ids = [fact.attempt for fact in facts]
    attempts = Attempts(
        ids=ids,
        students=[fact.student for fact in facts],
        of=[(fact.administration, fact.form) for fact in facts],
        scores=[fact.scores for fact in facts],
        versions=np.array([fact.version for fact in facts], dtype=np.int64),
        days=np.array([fact.completed_at for fact in facts], dtype=np.int64) // _DAY,
        modalities=np.array([fact.modality for fact in facts], dtype=np.int64),
        abilities=_numbers([fact.ability if fact.HasField("ability") else nan for fact in facts]),
        standard_errors=_numbers([fact.standard_error if fact.HasField("ability") else nan for fact in facts]),
        withdrawn=np.array([fact.withdrawn for fact in facts], dtype=np.bool_),
    )
    _ids(attempts.ids)
    _ids(attempts.students)
    _ids(chain.from_iterable(set(attempts.of)))
    if not ((attempts.modalities >= 0) & (attempts.modalities <= 3)).all():
        raise Invalid("An attempt has an unknown modality.")
    if not (attempts.versions < _MANY_VERSIONS).all():
        raise Invalid("An attempt has not that many versions.")
    if not ((attempts.days >= _FIRST_DAY) & (attempts.days <= _LAST_DAY)).all():
        raise Invalid("A moment is out of reach.")
    return attempts


def _latest(facts: Sequence[assessment.Attempt]) -> list[assessment.Attempt]:
    last: dict[bytes, assessment.Attempt] = {}
    for fact in facts:
        known = last.get(fact.attempt)
        if known is None or known.version < fact.version:
            last[fact.attempt] = fact
    return list(last.values())


def beliefs_in(facts: Sequence[mastery.Learner]) -> list[list[Beliefs]]:
    """What is believed of students, one round after the other: in each of them a student comes once."""
    rounds: list[dict[tuple[bytes, ...], list[mastery.Learner]]] = []
    turns: dict[bytes, int] = {}
    for fact in facts:
        turn = turns.get(fact.student, 0)
        turns[fact.student] = turn + 1
        if turn == len(rounds):
            rounds.append({})
        rounds[turn].setdefault(tuple(fact.competencies), []).append(fact)
    return [[_beliefs(said, alike) for said, alike in one.items() if said] for one in rounds]


def _beliefs(competencies: tuple[bytes, ...], facts: Sequence[mastery.Learner]) -> Beliefs:
    """Of facts about the same competencies."""
    if len(set(competencies)) < len(competencies):
        raise Invalid("A student's mastery of a competency is told twice.")
    whole = mastery.Learner()
    for fact in facts:
        _parallel(fact)
        whole.MergeFrom(fact)  # its lists one behind the other, without an object for each number
    counts = np.array(whole.evidence_counts[:], dtype=np.int64)
    for name in _NO_LANES:
        whole.ClearField(name)
    lowers = mastery.Learner()
    lowers.CopyFrom(whole)
    lowers.ClearField("probabilities")
    whole.ClearField("lowers")
    probabilities, lows = _numbers_of(whole, len(counts)), _numbers_of(lowers, len(counts))
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise Invalid("A probability lies between 0 and 1.")
    students = [fact.student for fact in facts]
    _ids(students)
    found = packed(probabilities, levels(probabilities, lows, counts))
    return Beliefs(competencies, students, found.reshape(len(facts), -1))


def _numbers_of(alone: mastery.Learner, cells: int) -> Floats:
    """Of a message with one list and nothing else, the bytes that end it are its numbers, 8 bytes each."""
    return np.frombuffer(alone.SerializeToString()[-8 * cells :], dtype="<f8")


def parted(fact: mastery.Learner, known: Container[bytes]) -> tuple[mastery.Learner, mastery.Learner]:
    """The part of a fact that is about competencies not yet heard of, and the rest."""
    _parallel(fact)
    parts = []
    for wanted in (False, True):
        rows = [row for row, one in enumerate(fact.competencies) if (one in known) is wanted]
        parts.append(
            mastery.Learner(
                id=fact.id,
                student=fact.student,
                competencies=[fact.competencies[row] for row in rows],
                probabilities=[fact.probabilities[row] for row in rows],
                evidence_counts=[fact.evidence_counts[row] for row in rows],
                model_version=fact.model_version,
                lowers=[fact.lowers[row] for row in rows],
                uppers=[fact.uppers[row] for row in rows],
            )
        )
    return parts[0], parts[1]


def _parallel(fact: mastery.Learner) -> None:
    several = len(fact.competencies)
    if (
        len(fact.probabilities) != several
        or len(fact.lowers) != several
        or len(fact.uppers) != several
        or len(fact.evidence_counts) != several
    ):
        raise Invalid("The lists of a student's mastery are not parallel.")


def uuids(raw: Iterable[bytes]) -> list[UUID]:
    """Ids."""
    return [_id(one) for one in raw]


def _ids(raw: Iterable[bytes]) -> None:
    if set(map(len, raw)) - {16}:
        raise Invalid("An id has 16 bytes.")


def _id(raw: bytes) -> UUID:
    if len(raw) != 16:
        raise Invalid("An id has 16 bytes.")
    return UUID(bytes=raw)


def _text(said: str) -> str:
    return said.replace("\0", "")


def _numbers(said: list[float]) -> Floats:
    """NaN for what is no number."""
    found = np.array(said, dtype=np.float64)
    return np.where(np.isfinite(found), found, nan)
