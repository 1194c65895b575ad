"""Facts in and out: what others announce as domain values, and what changed here as facts."""

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from math import isfinite
from uuid import UUID

import numpy as np

from services.mastery.domain.ledger import HIGHEST_SCORE, Bytes, Form, Sheets
from services.mastery.domain.study import Believed
from services.mastery.domain.tracing.skill import LOWER, PROBABILITY, UPPER
from services.mastery.domain.tracing.update import HARDEST
from shared.errors import Invalid
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as assessment
from shared.events_pb.trellis.events.mastery.v1 import mastery_pb2 as mastery
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as roster

_ID = 16
_ONE_BYTE = 128
"""Smaller numbers are one byte in a message."""
_FIRST_DAY = date(1970, 1, 1)
Merged = tuple[UUID, UUID, int, bool]
"""Who was absorbed, by whom, in which revision of the roster's, and whether that holds."""
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
        difficulties=np.array([_difficulty(fact, item) for item in fact.items]),
        aligned_items=np.array([position for position, _ in aligned], dtype=np.int64),
        aligned_competencies=tuple(competency for _, competency in aligned),
    )


def _difficulty(form: assessment.Form, item: assessment.Item) -> float:
    """How hard an item is, in logits: the mean of its b. 0, which is average, without parameters."""
    b = item.parameters.b
    if not b:
        return 0.0
    if not all(map(isfinite, b)):
        raise Invalid(f"Item {item.code} of form {form.code} has parameters that are no numbers.")
    return float(min(max(sum(b) / len(b), -HARDEST), HARDEST))


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
        withdrawn=[fact.withdrawn for fact in facts],
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


def mergers_in(facts: Iterable[roster.PersonMerged]) -> list[Merged]:
    """Who is whom. The id of such a fact begins with the revision that orders it among others of the same people."""
    return [(_uuid(f.absorbed), _uuid(f.person), _revision(f.id), not f.undone) for f in facts]


def splits_in(facts: Iterable[roster.PersonSplit]) -> list[Merged]:
    """The same of who was parted: who is not whom, or, undone, is again."""
    return [(_uuid(f.other), _uuid(f.person), _revision(f.id), f.undone) for f in facts]


def _uuid(raw: bytes) -> UUID:
    _ids("person", [raw])
    return UUID(bytes=raw)


def _revision(fact: bytes) -> int:
    _ids("fact", [fact])
    return int.from_bytes(fact[:8], "big", signed=True)


def changes(changed: Believed, model_version: str) -> list[bytes]:
    """What is newly believed, a serialised `Learner` for each of its students, in their order.

    Written in columns: facts of as many competencies, each with fewer than 128 entries, are equally long. (Protocol
    Buffers documentation, "Encoding": a field is its number and wire type, its length, its bytes.)
    """
    facts = [b""] * len(changed.students)
    sizes = np.diff(changed.bounds)
    most = np.zeros(len(facts), dtype=np.int64)
    np.maximum.at(most, np.repeat(np.arange(len(facts)), sizes), changed.counts)
    for size in np.unique(sizes).tolist():
        rows = np.flatnonzero((sizes == size) & (most < _ONE_BYTE))
        cells = changed.bounds[rows, np.newaxis] + np.arange(size)
        named = np.empty((len(rows), size, 2 + _ID), dtype=np.uint8)
        named[:, :, :2] = 3 << 3 | 2, _ID
        named[:, :, 2:] = changed.competencies[cells]
        probabilities, lowers, uppers = (lane[cells].astype("<f8").view(np.uint8) for lane in changed.beliefs)
        whole = np.hstack(
            [
                _field(1, np.frombuffer(os.urandom(_ID * len(rows)), dtype=np.uint8).reshape(-1, _ID)),
                _field(2, _bytes([changed.students[row] for row in rows.tolist()])),
                named.reshape(len(rows), size * (2 + _ID)),
                _field(4, probabilities),
                _field(5, changed.counts[cells].astype(np.uint8)),
                _field(6, np.tile(np.frombuffer(model_version.encode(), dtype=np.uint8), (len(rows), 1))),
                _field(7, lowers),
                _field(8, uppers),
            ]
        )
        width, packed = whole.shape[1], whole.tobytes()
        for position, row in enumerate(rows.tolist()):
            facts[row] = packed[width * position : width * (position + 1)]
    for row in np.flatnonzero(most >= _ONE_BYTE).tolist():
        entries = slice(changed.bounds[row], changed.bounds[row + 1])
        facts[row] = mastery.Learner(
            id=os.urandom(_ID),
            student=changed.students[row],
            competencies=[one.tobytes() for one in changed.competencies[entries]],
            probabilities=changed.beliefs[PROBABILITY, entries].tolist(),
            lowers=changed.beliefs[LOWER, entries].tolist(),
            uppers=changed.beliefs[UPPER, entries].tolist(),
            evidence_counts=changed.counts[entries].tolist(),
            model_version=model_version,
        ).SerializeToString()
    return facts


def moment(microseconds: int) -> datetime:
    """Microseconds since 1970 UTC as a datetime; exact, unlike `fromtimestamp`."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def _day(days: int) -> date:
    try:
        return _FIRST_DAY + timedelta(days=days)
    except OverflowError as wrong:
        raise Invalid("A day lies outside the years 1 to 9999.") from wrong


def _field(number: int, values: Bytes) -> Bytes:
    """A field of every fact, (facts, width) bytes of it, with its head: number, wire type and length."""
    head, length = [number << 3 | 2], values.shape[1]
    while length >= _ONE_BYTE:
        head.append(length % _ONE_BYTE + _ONE_BYTE)
        length //= _ONE_BYTE
    return np.hstack([np.tile(np.array([*head, length], dtype=np.uint8), (len(values), 1)), values])


def _bytes(ids: list[bytes]) -> Bytes:
    return np.frombuffer(b"".join(ids), dtype=np.uint8).reshape(-1, _ID)


def _ids(name: str, many: Iterable[bytes]) -> None:
    if not set(map(len, many)) <= {_ID}:
        raise Invalid(f"An id is not 16 bytes long ({name}).")
