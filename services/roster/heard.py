"""What others announce, in the roster's words. Invalid: a fact that cannot be."""

from collections.abc import Container, Iterator, Sequence
from datetime import date, timedelta
from itertools import chain
from math import isfinite
from uuid import UUID

import numpy as np

from services.roster.domain.assessed import Attempts, Form, Window, levels, packed
from shared.errors import Invalid
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as assessment
from shared.events_pb.trellis.events.mastery.v1 import mastery_pb2 as mastery

_EPOCH = date(1970, 1, 1)
_DAY = 86_400_000_000  # microseconds
_PURPOSES = {1: "diagnostic", 2: "formative", 3: "summative"}
_NO_SCORES = bytes(range(251, 256))
"""What stands in `scores` for an item without one."""


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
    last: dict[bytes, assessment.Attempt] = {}
    for fact in facts:
        known = last.get(fact.attempt)
        if known is None or known.version < fact.version:
            last[fact.attempt] = fact
    found, days, ids = Attempts(), _Days(), _Ids()
    for fact in last.values():
        if not 0 <= fact.modality <= 3:
            raise Invalid(f"There is no modality {fact.modality}.")
        scores, has_ability = fact.scores, fact.HasField("ability")
        found.sourced_ids.append(str(_id(fact.attempt)))
        found.withdrawn.append(fact.withdrawn)
        found.students.append(_id(fact.student))
        found.pairs.append((ids[fact.administration], ids[fact.form]))
        found.versions.append(fact.version)
        found.points.append(sum(scores.translate(None, _NO_SCORES)))
        found.days.append(days[fact.completed_at // _DAY])
        found.modalities.append(fact.modality)
        found.abilities.append(_number(fact.ability) if has_ability else None)
        found.standard_errors.append(_number(fact.standard_error) if has_ability else None)
        found.scores.append(scores)
    return found


class _Ids(dict[bytes, UUID]):
    """Ids that come again and again."""

    def __missing__(self, raw: bytes) -> UUID:
        self[raw] = found = _id(raw)
        return found


class _Days(dict[int, date]):
    """Days since 1970."""

    def __missing__(self, number: int) -> date:
        try:
            self[number] = found = _EPOCH + timedelta(days=number)
        except OverflowError as wrong:
            raise Invalid("A moment is out of reach.") from wrong
        return found


def beliefs_in(facts: Sequence[mastery.Learner]) -> Iterator[tuple[UUID, Sequence[bytes], list[int]]]:
    """Each student, the competencies that changed, and what is believed of them now, packed."""
    for fact in facts:
        _parallel(fact)
    probabilities = np.array(list(chain.from_iterable([fact.probabilities for fact in facts])), dtype=np.float64)
    lowers = np.array(list(chain.from_iterable([fact.lowers for fact in facts])), dtype=np.float64)
    counts = np.array(list(chain.from_iterable([fact.evidence_counts for fact in facts])), dtype=np.int64)
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise Invalid("A probability lies between 0 and 1.")
    beliefs = packed(probabilities, levels(probabilities, lowers, counts)).tolist()
    begin = 0
    for fact in facts:
        end = begin + len(fact.competencies)
        yield _id(fact.student), fact.competencies, beliefs[begin:end]
        begin = end


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
    lanes = fact.probabilities, fact.lowers, fact.uppers, fact.evidence_counts
    for lane in lanes:
        if len(lane) != several:
            raise Invalid("The lists of a student's mastery are not parallel.")


def _id(raw: bytes) -> UUID:
    if len(raw) != 16:
        raise Invalid("An id has 16 bytes.")
    return UUID(bytes=raw)


def _text(said: str) -> str:
    return said.replace("\0", "")


def _number(said: float) -> float | None:
    return said if isfinite(said) else None
