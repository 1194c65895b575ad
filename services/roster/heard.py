"""What others announce, in the roster's words. Invalid: a fact that cannot be."""

from collections.abc import Container, Sequence
from datetime import UTC, datetime, timedelta
from math import isfinite
from uuid import UUID

from services.roster.domain.assessed import Attempt, Beliefs, Form, Window, level
from shared.errors import Invalid
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as assessment
from shared.events_pb.trellis.events.mastery.v1 import mastery_pb2 as mastery

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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


def attempts_in(facts: Sequence[assessment.Attempt]) -> dict[str, Attempt]:
    """Attempts by sourcedId; of several versions of one the highest."""
    found: dict[str, Attempt] = {}
    for fact in facts:
        name = str(_id(fact.attempt))
        if name in found and found[name].version >= fact.version:
            continue
        found[name] = Attempt(
            sourced_id=name,
            student=_id(fact.student),
            administration=_id(fact.administration),
            form=_id(fact.form),
            version=fact.version,
            day=_moment(fact.completed_at).date(),
            modality=fact.modality,
            ability=_number(fact.ability) if fact.HasField("ability") else None,
            standard_error=_number(fact.standard_error) if fact.HasField("standard_error") else None,
            scores=fact.scores,
            withdrawn=fact.withdrawn,
        )
    return found


def points(scores: bytes) -> int:
    """The sum of the scores there are."""
    return sum(scores.translate(None, _NO_SCORES))


def beliefs_in(fact: mastery.Learner) -> Beliefs:
    """What changed of a student's standing."""
    _parallel(fact)
    if not all(map(isfinite, fact.probabilities)):
        raise Invalid("A probability is no number.")
    return Beliefs(
        student=_id(fact.student),
        competencies=fact.competencies,
        probabilities=fact.probabilities,
        levels=list(map(level, fact.probabilities, fact.lowers, fact.evidence_counts)),
    )


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
    lanes = fact.probabilities, fact.lowers, fact.uppers, fact.evidence_counts
    if {len(lane) for lane in lanes} != {len(fact.competencies)}:
        raise Invalid("The lists of a student's mastery are not parallel.")


def _id(raw: bytes) -> UUID:
    if len(raw) != 16:
        raise Invalid("An id has 16 bytes.")
    return UUID(bytes=raw)


def _text(said: str) -> str:
    return said.replace("\0", "")


def _number(said: float) -> float | None:
    return said if isfinite(said) else None


def _moment(microseconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError as wrong:
        raise Invalid("A moment is out of reach.") from wrong
