"""What mastery answers in columns, as the graph's resolvers read it: a cell each, without a model for each."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNKNOWN = "unknown"


class Belief(NamedTuple):
    """The fields of `contract.Mastery`."""

    competency: UUID
    probability: float | None
    lower: float | None
    upper: float | None
    level: str
    evidence_count: int
    last_evidence_at: datetime | None
    model_version: str


def beliefs_of(answer: Mapping[str, Any], asked: Sequence[UUID] | None) -> dict[UUID, list[Belief]]:
    """Each student's beliefs, from a `contract.MasteryColumns` as plain JSON.

    One for each competency asked for, in that order, without evidence where there is none; None asks for those with
    evidence, in the answer's order.
    """
    keys = [UUID(one) for one in answer["competencies"]]
    place_of = {key: place for place, key in enumerate(keys)}
    order = [place_of[key] for key in asked or ()]
    nothing: dict[str, list[Belief]] = {}
    moments: dict[int, datetime] = {}
    found: dict[UUID, list[Belief]] = {}
    for student in answer["students"]:
        version, last = student["model_version"], student["last_evidence"]
        for moment in last:
            if moment not in moments:
                moments[moment] = _EPOCH + timedelta(microseconds=moment)
        cells = zip(
            student["places"],
            student["probabilities"],
            student["lowers"],
            student["uppers"],
            student["levels"],
            student["evidence_counts"],
            last,
            strict=True,
        )
        known = [
            (place, Belief(keys[place], probability, lower, upper, level, count, moments[moment], version))
            for place, probability, lower, upper, level, count, moment in cells
        ]
        if asked is None:
            found[UUID(student["student"])] = [belief for _, belief in known]
        else:
            if version not in nothing:
                nothing[version] = [Belief(key, None, None, None, _UNKNOWN, 0, None, version) for key in keys]
            at = dict(known)
            found[UUID(student["student"])] = [at.get(place) or nothing[version][place] for place in order]
    return found
