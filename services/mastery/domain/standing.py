"""Where one student stands: everything believed of them packed into a row, as it is stored."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Place = tuple[int, str, str]
"""A sheet's place in a student's order of evidence: completed at, administration's code, form's code."""

NEVER: Place = (-(2**63), "", "")
_ID = 16


@dataclass(frozen=True, slots=True)
class Standing:
    """One student's beliefs, packed: parallel columns, little-endian, sorted by competency.

    `competencies` 16 bytes each, `probabilities` float64, `counts` int32, `last_evidence` int64 (microseconds since
    1970 UTC). `through` is the last sheet they have seen.
    """

    through: Place
    model_version: str
    entries: int
    competencies: bytes
    probabilities: bytes
    counts: bytes
    last_evidence: bytes


def beliefs_in(standing: Standing) -> dict[bytes, tuple[float, int, int]]:
    """Probability, count and time of the last evidence (microseconds), by competency."""
    ids = ids_in(standing.competencies)
    probabilities = struct.unpack(f"<{len(ids)}d", standing.probabilities)
    counts = struct.unpack(f"<{len(ids)}i", standing.counts)
    last = struct.unpack(f"<{len(ids)}q", standing.last_evidence)
    return dict(zip(ids, zip(probabilities, counts, last, strict=True), strict=True))


def in_columns(
    standings: Sequence[Standing | None], place: Mapping[bytes, int]
) -> list[tuple[list[int], list[float], list[int], list[int]]]:
    """Each standing's places in a vocabulary (rising), probabilities, counts and times of the last evidence.

    `place` says where each competency is in the vocabulary; what it does not name is left out. Students who know about
    the same competencies share the work of finding them.
    """
    layouts: dict[bytes, tuple[int, list[int], list[int]]] = {b"": (0, [], [])}
    columns: list[tuple[list[int], list[float], list[int], list[int]]] = []
    for stands in standings:
        layout = b"" if stands is None else stands.competencies
        if layout not in layouts:
            ids = ids_in(layout)
            inside = sorted((place[one], position) for position, one in enumerate(ids) if one in place)
            layouts[layout] = len(ids), [at for at, _ in inside], [position for _, position in inside]
        size, places_, chosen = layouts[layout]
        if stands is None or not chosen:
            columns.append(([], [], [], []))
            continue
        probabilities = struct.unpack(f"<{size}d", stands.probabilities)
        counts = struct.unpack(f"<{size}i", stands.counts)
        last = struct.unpack(f"<{size}q", stands.last_evidence)
        columns.append(
            (
                places_,
                [probabilities[position] for position in chosen],
                [counts[position] for position in chosen],
                [last[position] for position in chosen],
            )
        )
    return columns


def ids_in(packed: bytes) -> list[bytes]:
    """The competencies of a packed column."""
    return [packed[at : at + _ID] for at in range(0, len(packed), _ID)]
