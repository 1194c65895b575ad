"""What mastery answers in columns, as the graph's resolvers read it: a cell each, without a model for each."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Belief(NamedTuple):
    """The fields of `contract.Mastery`."""

    competency: UUID
    probability: float | None
    evidence_count: int
    last_evidence_at: datetime | None
    model_version: str


def beliefs_of(answer: Mapping[str, Any], asked: Sequence[UUID] | None) -> dict[UUID, list[Belief]]:
    """Each student's beliefs, from a `contract.MasteryColumns` as plain JSON.

    One for each competency asked for, in that order, without evidence where there is none; None asks for those with
    evidence, in the answer's order.
    """
    version: str = answer["model_version"]
    keys = [UUID(one) for one in answer["competencies"]]
    place_of = {key: place for place, key in enumerate(keys)}
    order = [place_of[key] for key in asked or ()]
    nothing = [Belief(key, None, 0, None, version) for key in keys]
    moments: dict[int, datetime] = {}
    found: dict[UUID, list[Belief]] = {}
    for student in answer["students"]:
        last = student["last_evidence"]
        for moment in last:
            if moment not in moments:
                moments[moment] = _EPOCH + timedelta(microseconds=moment)
        cells = zip(student["places"], student["probabilities"], student["evidence_counts"], last, strict=True)
        known = [
            (place, Belief(keys[place], probability, count, moments[moment], version))
            for place, probability, count, moment in cells
        ]
        if asked is None:
            found[UUID(student["student"])] = [belief for _, belief in known]
        else:
            at = dict(known)
            found[UUID(student["student"])] = [at.get(place) or nothing[place] for place in order]
    return found
