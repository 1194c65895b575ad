"""What assessment announces, and what it reads of others, between domain values and facts."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from uuid import UUID, uuid5

from services.assessment.domain.forms import Administration, Form, Item, Model, Purpose
from services.assessment.domain.irt import ENGINE_VERSION
from shared.errors import Invalid
from shared.events import uuid7
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as pb
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as roster_pb

MODELS: "dict[Model, pb.Model.ValueType]" = {
    Model.RASCH: pb.MODEL_RASCH,
    Model.ONE_PL: pb.MODEL_ONE_PL,
    Model.TWO_PL: pb.MODEL_TWO_PL,
    Model.THREE_PL: pb.MODEL_THREE_PL,
    Model.GRM: pb.MODEL_GRM,
    Model.PCM: pb.MODEL_PCM,
    Model.GPCM: pb.MODEL_GPCM,
}
PURPOSES: "dict[Purpose, pb.Purpose.ValueType]" = {
    Purpose.DIAGNOSTIC: pb.PURPOSE_DIAGNOSTIC,
    Purpose.FORMATIVE: pb.PURPOSE_FORMATIVE,
    Purpose.SUMMATIVE: pb.PURPOSE_SUMMATIVE,
}
_DAY_ZERO = date(1970, 1, 1)


def form_published(version_id: UUID, form: Form, competencies: Mapping[str, UUID]) -> pb.Form:
    """A version of a form, with our ids of its competencies."""
    return pb.Form(
        id=uuid5(version_id, "published").bytes,
        form=version_id.bytes,
        code=form.code,
        title=form.title,
        items=[_item(item, competencies) for item in form.items],
        parameter_version=form.parameter_version or "",
    )


def _item(item: Item, competencies: Mapping[str, UUID]) -> pb.Item:
    asked = item.parameters
    return pb.Item(
        code=item.code,
        competencies=[competencies[identifier].bytes for identifier in item.competencies],
        maximum=item.maximum,
        parameters=pb.Parameters(model=MODELS[asked.model], a=asked.a, b=asked.b, c=asked.c) if asked else None,
    )


def administration_planned(id_: UUID, administration: Administration) -> pb.Administration:
    """A testing window as it is now."""
    return pb.Administration(
        id=uuid7().bytes,
        administration=id_.bytes,
        code=administration.code,
        title=administration.title,
        purpose=PURPOSES[administration.purpose],
        opens_at=administration.opens_at,
        closes_at=administration.closes_at,
    )


def attempt_scored(
    attempt: UUID,
    version: int,
    student: UUID,
    administration: UUID,
    form_version: UUID,
    completed_at: int,
    modality: int,
    purpose: "pb.Purpose.ValueType",
    scores: bytes,
    theta: float | None,
    standard_error: float | None,
    parameter_version: str | None,
) -> pb.Attempt:
    """An answer sheet with what it earned; the fact's id follows from the attempt and its version."""
    digest = hashlib.sha1(attempt.bytes + version.to_bytes(4, "big"), usedforsecurity=False).digest()
    return pb.Attempt(
        id=digest[:6] + bytes((digest[6] & 0x0F | 0x50, digest[7], digest[8] & 0x3F | 0x80)) + digest[9:16],
        student=student.bytes,
        attempt=attempt.bytes,
        version=version,
        administration=administration.bytes,
        form=form_version.bytes,
        completed_at=completed_at,
        modality=modality,  # type: ignore[arg-type]  # sheets keep the numbers of the proto file
        purpose=purpose,
        scores=scores,
        ability=theta,
        standard_error=standard_error,
        parameter_version=parameter_version or "",
        engine_version=ENGINE_VERSION,
    )


def places_in(facts: Iterable[roster_pb.Placement]) -> dict[UUID, list[tuple[UUID, date | None, date | None]]]:
    """Each student's places (school, begin, end); of several facts of one student the last holds. Invalid: poison."""
    found: dict[UUID, list[tuple[UUID, date | None, date | None]]] = {}
    for fact in facts:
        found[_id(fact.student)] = [
            (
                _id(place.school),
                _day(place.begin_day) if place.HasField("begin_day") else None,
                _day(place.end_day) if place.HasField("end_day") else None,
            )
            for place in fact.places
        ]
    return found


def _id(raw: bytes) -> UUID:
    if len(raw) != 16:
        raise Invalid("An id has 16 bytes.")
    return UUID(bytes=raw)


def _day(number: int) -> date:
    try:
        return _DAY_ZERO + timedelta(days=number)
    except OverflowError as wrong:
        raise Invalid("A day is out of reach.") from wrong
