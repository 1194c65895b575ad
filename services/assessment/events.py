"""What assessment announces, and what it reads of others, between domain values and facts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID, uuid5

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.attempts import fact_ids
from services.assessment.domain.forms import Administration, Form, Item, Purpose
from services.assessment.domain.irt import NOT_PRESENTED, Codes, Model
from services.assessment.domain.sheets import WITHDRAWAL, Ints, Sheets
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
Merged = tuple[UUID, UUID, int, bool]
"""Who was absorbed, by whom, in which revision of the roster's, and whether that holds."""


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
        identifiers=item.competencies,
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


@dataclass(frozen=True, slots=True)
class Attempts:
    """Versions of attempts at one form in one administration, to be announced; ids are 16 bytes."""

    administration: bytes
    form_version: bytes
    purpose: Purpose
    parameter_version: str | None
    engine_version: str
    sheets: Sheets
    scores: Codes
    versions: Ints


def attempts_scored(attempts: Attempts) -> list[bytes]:
    """A serialised `Attempt` for each, byte for byte as Protobuf writes it.

    A message object costs 18 µs; here a field is a column. Where all numbers are of the width that they nearly always
    have, every fact of the group is equally long; the few others are left to Protobuf.
    """
    sheets, versions = attempts.sheets, attempts.versions
    ids = fact_ids(sheets["attempt"], versions)
    withdrawn = sheets["status"] == WITHDRAWAL
    scored = ~withdrawn & ~np.isnan(sheets["theta"])
    shifted = _zigzag(sheets["completed_at"])
    usual = (versions < 1 << 7) & (shifted >= 1 << 49) & (shifted < 1 << 56)
    facts: list[bytes] = [b""] * len(sheets)
    for has_ability, is_withdrawn in ((True, False), (False, False), (False, True)):
        some = np.flatnonzero(usual & (scored == has_ability) & (withdrawn == is_withdrawn))
        if len(some):
            layout, constants = _layout(attempts, has_ability=has_ability, is_withdrawn=is_withdrawn)
            for place, fact in zip(some.tolist(), _encoded(attempts, some, ids, layout, constants), strict=True):
                facts[place] = fact
    for place in np.flatnonzero(~usual).tolist():
        facts[place] = _message(attempts, place, ids[place].tobytes()).SerializeToString()
    return facts


def _zigzag(numbers: Ints) -> NDArray[np.uint64]:
    """As Protobuf turns signed numbers into unsigned ones."""
    return np.asarray(((numbers << 1) ^ (numbers >> 63)).view(np.uint64))


def _layout(attempts: Attempts, *, has_ability: bool, is_withdrawn: bool) -> tuple[np.dtype[np.void], dict[str, bytes]]:
    """The fields of every fact: their widths, and the bytes of those that are the same in all."""
    items = attempts.scores.shape[1]
    constants = {
        "id_": b"\x0a\x10",
        "student_": b"\x12\x10",
        "attempt_": b"\x1a\x10",
        "version_": b"\x20",
        "where": b"\x2a\x10" + attempts.administration + b"\x32\x10" + attempts.form_version + b"\x38",
        "modality_": b"\x40",
        "purpose_scores_": b"\x48" + bytes((PURPOSES[attempts.purpose],)) + b"\x52" + _varint(items),
        "ability_": b"\x59",
        "error_": b"\x61",
        "ends": _text(0x6A, attempts.parameter_version or "")
        + _text(0x72, attempts.engine_version)
        + (b"\x78\x01" if is_withdrawn else b""),
    }
    order: list[tuple[str, int]] = [
        ("id_", 0), ("id", 16), ("student_", 0), ("student", 16), ("attempt_", 0), ("attempt", 16),
        ("version_", 0), ("version", 1), ("where", 0), ("completed_at", 8), ("modality_", 0), ("modality", 1),
        ("purpose_scores_", 0), ("scores", items),
    ]  # fmt: skip
    order += [("ability_", 0), ("ability", 8), ("error_", 0), ("error", 8)] if has_ability else []
    order.append(("ends", 0))
    return np.dtype([(name, "u1", (width or len(constants[name]),)) for name, width in order]), constants


def _encoded(
    attempts: Attempts, some: NDArray[np.int64], ids: NDArray[np.uint8], layout: np.dtype[np.void],
    constants: Mapping[str, bytes],
) -> list[bytes]:  # fmt: skip
    """The facts at these places, which are all of this layout."""
    sheets = attempts.sheets[some]
    facts = np.empty(len(some), dtype=layout)
    names = layout.names or ()
    for name in names:
        if name in constants:
            facts[name] = np.frombuffer(constants[name], dtype=np.uint8)
    facts["id"], facts["student"], facts["attempt"] = ids[some], sheets["student"], sheets["attempt"]
    facts["version"][:, 0], facts["modality"][:, 0] = attempts.versions[some], sheets["modality"]
    left = _zigzag(sheets["completed_at"])
    for byte in range(8):
        facts["completed_at"][:, byte] = (left & 0x7F) | (0x80 if byte < 7 else 0)
        left = left >> np.uint64(7)
    facts["scores"] = np.where((sheets["status"] == WITHDRAWAL)[:, None], NOT_PRESENTED, attempts.scores[some])
    if "ability" in names:
        for name, column in (("ability", "theta"), ("error", "standard_error")):
            facts[name] = np.ascontiguousarray(sheets[column], dtype="<f8").view(np.uint8).reshape(-1, 8)
    whole, width = facts.tobytes(), layout.itemsize
    return [whole[start : start + width] for start in range(0, len(whole), width)]


def _varint(number: int) -> bytes:
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _text(tag: int, text: str) -> bytes:
    """A text field; nothing when it is empty."""
    encoded = text.encode()
    return bytes((tag,)) + _varint(len(encoded)) + encoded if encoded else b""


def _message(attempts: Attempts, place: int, fact_id: bytes) -> pb.Attempt:
    """One fact the usual way."""
    sheet = attempts.sheets[place]
    withdrawn = bool(sheet["status"] == WITHDRAWAL)
    has_ability = not withdrawn and not np.isnan(sheet["theta"])
    items = attempts.scores.shape[1]
    return pb.Attempt(
        id=fact_id,
        student=sheet["student"].tobytes(),
        attempt=sheet["attempt"].tobytes(),
        version=int(attempts.versions[place]),
        administration=attempts.administration,
        form=attempts.form_version,
        completed_at=int(sheet["completed_at"]),
        modality=int(sheet["modality"]),  # type: ignore[arg-type]  # sheets keep the numbers of the proto file
        purpose=PURPOSES[attempts.purpose],
        scores=bytes((NOT_PRESENTED,)) * items if withdrawn else attempts.scores[place].tobytes(),
        ability=float(sheet["theta"]) if has_ability else None,
        standard_error=float(sheet["standard_error"]) if has_ability else None,
        parameter_version=attempts.parameter_version or "",
        engine_version=attempts.engine_version,
        withdrawn=withdrawn,
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


def mergers_in(facts: Iterable[roster_pb.PersonMerged]) -> list[Merged]:
    """Who is whom. The id of such a fact begins with the revision that orders it among others of the same people."""
    return [(_id(f.absorbed), _id(f.person), _revision(f.id), not f.undone) for f in facts]


def splits_in(facts: Iterable[roster_pb.PersonSplit]) -> list[Merged]:
    """The same of who was parted: who is not whom, or, undone, is again."""
    return [(_id(f.other), _id(f.person), _revision(f.id), f.undone) for f in facts]


def _revision(fact: bytes) -> int:
    if len(fact) != 16:
        raise Invalid("An id has 16 bytes.")
    return int.from_bytes(fact[:8], "big", signed=True)


def _id(raw: bytes) -> UUID:
    if len(raw) != 16:
        raise Invalid("An id has 16 bytes.")
    return UUID(bytes=raw)


def _day(number: int) -> date:
    try:
        return _DAY_ZERO + timedelta(days=number)
    except OverflowError as wrong:
        raise Invalid("A day is out of reach.") from wrong
