"""Facts in and out: what others announce as domain values, and what changed here as facts."""

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np

from services.mastery.domain.ledger import HIGHEST_SCORE, Form, Sheets
from services.mastery.domain.standing import Change
from shared.errors import Invalid
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as assessment
from shared.events_pb.trellis.events.mastery.v1 import mastery_pb2 as mastery
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as roster

_ID = 16
_FIRST_DAY = date(1970, 1, 1)
_EARLIEST = -62_135_596_800_000_000  # 0001-01-01, in microseconds since 1970
_LATEST = 253_402_300_800_000_000  # 10000-01-01
MODALITIES = {1: "in person", 2: "remote", 3: "paper"}
PURPOSES = frozenset({1, 2, 3})


def form_in(fact: assessment.Form) -> Form:
    """A version of a form; Invalid when evidence could not be read by it."""
    _ids("form", [fact.form])
    if not fact.code or not fact.items:
        raise Invalid("A form needs a code and items.")
    aligned: list[tuple[int, bytes]] = []
    for position, item in enumerate(fact.items):
        if not 1 <= item.maximum <= HIGHEST_SCORE:
            raise Invalid(
                f"Item {item.code} of form {fact.code} has the maximum {item.maximum}; 1 to 250 are possible."
            )
        _ids("competency", item.competencies)
        aligned += [(position, competency) for competency in dict.fromkeys(item.competencies)]
    return Form(
        id=fact.form,
        code=fact.code,
        items=tuple(item.code for item in fact.items),
        maxima=np.array([item.maximum for item in fact.items], dtype=np.int64),
        aligned_items=np.array([position for position, _ in aligned], dtype=np.int64),
        aligned_competencies=tuple(competency for _, competency in aligned),
    )


def administration_in(fact: assessment.Administration) -> tuple[bytes, str, str, int]:
    """An administration's id, code, title and purpose."""
    _ids("administration", [fact.administration])
    if not fact.code or fact.purpose not in PURPOSES:
        raise Invalid("An administration needs a code and a purpose.")
    return fact.administration, fact.code, fact.title, fact.purpose


def sheets_in(facts: Sequence[assessment.Attempt]) -> Sheets:
    """Scored attempts as columns; Invalid when one of them cannot be."""
    sheets = Sheets(
        attempts=[fact.attempt for fact in facts],
        versions=[fact.version for fact in facts],
        students=[fact.student for fact in facts],
        administrations=[fact.administration for fact in facts],
        forms=[fact.form for fact in facts],
        completed_at=[fact.completed_at for fact in facts],
        modalities=[fact.modality for fact in facts],
        purposes=[fact.purpose for fact in facts],
        scores=[fact.scores for fact in facts],
    )
    for name in ("attempts", "students", "administrations", "forms"):
        _ids(name, getattr(sheets, name))
    if min(sheets.versions) < 1 or max(sheets.versions) >= 2**31:
        raise Invalid("Versions of an attempt count from 1.")
    if min(sheets.completed_at) < _EARLIEST or max(sheets.completed_at) >= _LATEST:
        raise Invalid("An attempt was completed outside the years 1 to 9999.")
    if not (MODALITIES.keys() >= set(sheets.modalities) and set(sheets.purposes) <= PURPOSES):
        raise Invalid("An attempt has an unknown modality or purpose.")
    return sheets


def places_in(facts: Iterable[roster.Placement]) -> dict[bytes, list[tuple[bytes, date | None, date | None]]]:
    """Where students are enrolled (school, begin, end exclusive); of two facts about one student the later counts."""
    placed = {}
    for fact in facts:
        _ids("student", [fact.student])
        _ids("school", [place.school for place in fact.places])
        placed[fact.student] = [
            (
                place.school,
                _day(place.begin_day) if place.HasField("begin_day") else None,
                _day(place.end_day) if place.HasField("end_day") else None,
            )
            for place in fact.places
        ]
    return placed


def changes(changed: Sequence[Change], model_version: str) -> list[mastery.Learner]:
    """What is newly believed, a fact per student."""
    fresh = os.urandom(_ID * len(changed))
    return [
        mastery.Learner(
            id=fresh[_ID * position : _ID * (position + 1)],
            student=change.student,
            competencies=change.competencies,
            probabilities=change.probabilities,
            evidence_counts=change.counts,
            model_version=model_version,
        )
        for position, change in enumerate(changed)
    ]


def moment(microseconds: int) -> datetime:
    """Microseconds since 1970 UTC as a datetime; exact, unlike `fromtimestamp`."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def _day(days: int) -> date:
    try:
        return _FIRST_DAY + timedelta(days=days)
    except OverflowError as wrong:
        raise Invalid("A day lies outside the years 1 to 9999.") from wrong


def _ids(name: str, many: Iterable[bytes]) -> None:
    if any(len(one) != _ID for one in many):
        raise Invalid(f"An id is not 16 bytes long ({name}).")
