"""Facts about scored sheets, made in columns: byte for byte what Protobuf writes."""

import hashlib
from datetime import UTC, datetime
from uuid import UUID, uuid4, uuid5

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assessment import events
from services.assessment.domain.forms import Purpose
from services.assessment.domain.sheets import ORIGINAL, SHEET, WITHDRAWAL
from services.assessment.events import Attempts
from shared.events import encoded_envelopes, envelopes, facts_of
from shared.events_pb.trellis.events.assessment.v1 import assessment_pb2 as pb

NOW = 1_789_482_600_000_000
ADMINISTRATION, FORM, DISTRICT = uuid4(), uuid4(), uuid4()

times = st.one_of(
    st.integers(NOW - 10**15, NOW + 10**15),
    st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999),
    st.sampled_from([-1, 0, 1, (1 << 48) - 1, 1 << 48, (1 << 55) - 1, 1 << 55]),
)
sheets = st.lists(
    st.tuples(
        times,
        st.one_of(st.none(), st.floats(-6, 6)),
        st.sampled_from([1, 2, 3]),
        st.sampled_from([ORIGINAL, WITHDRAWAL]),
        st.sampled_from([1, 2, 127, 128, 70_000]),
    ),
    max_size=12,
)


def attempts(given_: list[tuple[int, float | None, int, int, int]], items: int, calibration: str | None) -> Attempts:
    rows = np.zeros(len(given_), dtype=SHEET)
    for number, (at, theta, modality, status, _) in enumerate(given_):
        found = (np.nan, np.nan) if theta is None else (theta, 0.25)
        student, attempt = (uuid5(DISTRICT, f"{name}{number}").bytes for name in ("student", "attempt"))
        rows[number] = (
            number, at, *found, 0, 0, 0, modality, status, np.frombuffer(student, "u1"), np.frombuffer(attempt, "u1"),
        )  # fmt: skip
    return Attempts(
        administration=ADMINISTRATION.bytes,
        form_version=FORM.bytes,
        purpose=Purpose.FORMATIVE,
        parameter_version=calibration,
        engine_version="eap-2:61:numpy",
        sheets=rows,
        scores=np.arange(len(given_) * items, dtype=np.uint8).reshape(len(given_), items),
        versions=np.array([version for *_, version in given_], dtype=np.int64),
    )


def by_protobuf(made: Attempts) -> list[bytes]:
    """The same facts, one message object each."""
    found = []
    for row, scores, version in zip(made.sheets, made.scores, made.versions.tolist(), strict=True):
        digest = bytearray(
            hashlib.sha1(row["attempt"].tobytes() + version.to_bytes(4, "big"), usedforsecurity=False).digest()[:16]
        )
        digest[6], digest[8] = digest[6] & 0x0F | 0x50, digest[8] & 0x3F | 0x80
        fact = pb.Attempt(
            id=bytes(digest), student=row["student"].tobytes(), attempt=row["attempt"].tobytes(), version=version,
            administration=made.administration, form=made.form_version, completed_at=int(row["completed_at"]),
            modality=int(row["modality"]), purpose=pb.PURPOSE_FORMATIVE, scores=scores.tobytes(),
            parameter_version=made.parameter_version or "", engine_version="eap-2:61:numpy",
        )  # fmt: skip
        if row["status"] == WITHDRAWAL:
            fact.withdrawn, fact.scores = True, b"\xff" * len(scores)
        elif not np.isnan(row["theta"]):
            fact.ability, fact.standard_error = float(row["theta"]), float(row["standard_error"])
        found.append(fact.SerializeToString())
    return found


@given(sheets, st.sampled_from([1, 40, 127, 128, 300]), st.sampled_from([None, "", "2026-spring", "é" * 70]))
def test_facts_made_in_columns_are_the_bytes_that_protobuf_writes(
    given_: list[tuple[int, float | None, int, int, int]], items: int, calibration: str | None
) -> None:
    made = attempts(given_, items, calibration)

    assert events.attempts_scored(made) == by_protobuf(made)


def test_a_time_of_today_takes_the_fast_way() -> None:
    made = attempts([(NOW, 0.5, 1, ORIGINAL, 1)], 40, "2026-spring")

    [fact] = events.attempts_scored(made)

    assert pb.Attempt.FromString(fact).completed_at == NOW
    assert len(fact) == len(by_protobuf(made)[0])


@pytest.mark.parametrize("size", [0, 1, 700, 40_000])
def test_serialised_facts_are_cut_into_the_envelopes_of_the_messages_themselves(size: int) -> None:
    """40,000 small facts fill envelopes by number, 700 large ones by bytes."""
    scores = bytes(9_000) if size == 700 else b"\x01"
    facts = [pb.Attempt(id=bytes(16), student=number.to_bytes(16, "big"), scores=scores) for number in range(size)]
    how = {"source": "assessment", "district": DISTRICT, "traceparent": None, "cause": "test"}

    plain = list(envelopes(pb.AttemptsScored, facts, **how))
    serialised = list(
        encoded_envelopes(
            pb.AttemptsScored, [fact.student for fact in facts], [fact.SerializeToString() for fact in facts], **how
        )
    )

    assert [(e.bucket, e.facts, e.payload) for e in serialised] == [(e.bucket, e.facts, e.payload) for e in plain]
    assert sum(e.facts for e in serialised) == size
    assert all(e.facts <= 256 and len(e.payload) < 300_000 for e in serialised)
    found = [fact for e in serialised for fact in facts_of(e.type, e.payload)]
    assert sorted(fact.student for fact in found) == [fact.student for fact in facts]
    assert all(
        e.payload == pb.AttemptsScored(facts=facts_of(e.type, e.payload)).SerializeToString() for e in serialised
    )
    assert all(isinstance(e.id, UUID) and e.time <= datetime.now(UTC) for e in serialised)
