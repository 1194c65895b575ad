"""Where one student stands: everything believed of them packed into a row, as it is stored."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from typing import NamedTuple

import numpy as np

from services.mastery.domain.tracing.level import LEVELS, level

Place = tuple[int, str, str]
"""A sheet's place in a student's order of evidence: completed at, administration's code, form's code."""

NEVER: Place = (-(2**63), "", "")
_ID = 16


@dataclass(frozen=True, slots=True)
class Standing:
    """One student's beliefs, packed: parallel columns, little-endian, sorted by competency.

    `competencies` 16 bytes each, `probabilities` with their `lowers` and `uppers` float64, `counts` int32,
    `last_evidence` int64 (microseconds since 1970 UTC). `through` is the last sheet they have seen.
    """

    through: Place
    model_version: str
    entries: int
    competencies: bytes
    probabilities: bytes
    lowers: bytes
    uppers: bytes
    counts: bytes
    last_evidence: bytes


class Belief(NamedTuple):
    """What is believed of one competency; `last_evidence` in microseconds since 1970 UTC."""

    probability: float
    lower: float
    upper: float
    evidence_count: int
    last_evidence: int


class Columns(NamedTuple):
    """One student's beliefs in parallel columns; `places` are those in a vocabulary, rising."""

    places: list[int]
    probabilities: list[float]
    lowers: list[float]
    uppers: list[float]
    evidence_counts: list[int]
    last_evidence: list[int]


def beliefs_in(standing: Standing) -> dict[bytes, Belief]:
    """What is believed, by competency."""
    return dict(zip(ids_in(standing.competencies), map(Belief, *_unpacked(standing)), strict=True))


def in_columns(standings: Sequence[Standing | None], place: Mapping[bytes, int]) -> list[Columns]:
    """The beliefs of each standing.

    `place` says where each competency is in the vocabulary; what it does not name is left out. Students who know about
    the same competencies share the work of finding them.
    """
    layouts: dict[bytes, tuple[list[int], list[int]]] = {b"": ([], [])}
    found: list[Columns] = []
    for stands in standings:
        layout = b"" if stands is None else stands.competencies
        if layout not in layouts:
            inside = sorted((place[one], position) for position, one in enumerate(ids_in(layout)) if one in place)
            layouts[layout] = [at for at, _ in inside], [position for _, position in inside]
        places, chosen = layouts[layout]
        if stands is None or not chosen:
            found.append(Columns([], [], [], [], [], []))
        else:
            probabilities, lowers, uppers, counts, last = _unpacked(stands)
            found.append(
                Columns(
                    places,
                    [probabilities[position] for position in chosen],
                    [lowers[position] for position in chosen],
                    [uppers[position] for position in chosen],
                    [counts[position] for position in chosen],
                    [last[position] for position in chosen],
                )
            )
    return found


def levels_of(several: Sequence[Columns]) -> list[list[str]]:
    """What each of these beliefs is called, parallel to them."""
    bounds = [0, *accumulate(len(one.places) for one in several)]
    codes = level(
        np.fromiter(chain.from_iterable(one.probabilities for one in several), np.float64, bounds[-1]),
        np.fromiter(chain.from_iterable(one.lowers for one in several), np.float64, bounds[-1]),
        np.fromiter(chain.from_iterable(one.evidence_counts for one in several), np.int64, bounds[-1]),
    )
    names = [LEVELS[code] for code in codes.tolist()]
    return [names[begins:ends] for begins, ends in pairwise(bounds)]


def ids_in(packed: bytes) -> list[bytes]:
    """The competencies of a packed column."""
    return [packed[at : at + _ID] for at in range(0, len(packed), _ID)]


def _unpacked(
    stands: Standing,
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...], tuple[int, ...], tuple[int, ...]]:
    """Probabilities, lowers, uppers, counts and times of the last evidence."""
    size = len(stands.competencies) // _ID
    floats = f"<{size}d"
    return (
        struct.unpack(floats, stands.probabilities),
        struct.unpack(floats, stands.lowers),
        struct.unpack(floats, stands.uppers),
        struct.unpack(f"<{size}i", stands.counts),
        struct.unpack(f"<{size}q", stands.last_evidence),
    )
