"""Ids of attempts and of facts about them, made for many at once, and what one file has twice."""

import hashlib
import tempfile
from collections.abc import Iterator
from typing import IO
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.sheets import Ids, Ints

_DIGITS = [place for place in range(36) if place not in (8, 13, 18, 23)]
"""Where the 32 hexadecimal digits of an id stand in its usual writing."""


def attempt_ids(district: UUID, administration: str, students: Ids, form: str, completed_at: Ints) -> Ids:
    """The ids of attempts: uuid5 of codes, student's id and time in microseconds. Never change it.

    Of our student's id, not the sourcedId: that may be given to somebody else one day.

    Hashed here rather than by `uuid.uuid5`, which takes 7 µs for each.
    """
    prefix = district.bytes + f"sheets:attempt:{administration}|".encode()
    between = f"|{form}|".encode()
    written = np.full((len(students), 36), ord("-"), dtype=np.uint8)
    written[:, _DIGITS] = np.frombuffer(students.tobytes().hex().encode(), dtype=np.uint8).reshape(-1, 32)
    names, sha1 = written.tobytes(), hashlib.sha1
    digests = [
        sha1(b"%b%b%b%d" % (prefix, names[36 * number : 36 * number + 36], between, at), usedforsecurity=False).digest()
        for number, at in enumerate(completed_at.tolist())
    ]
    return _uuid5(digests)


def fact_ids(attempts: Ids, versions: Ints) -> Ids:
    """The ids of the facts about these versions of attempts: they follow from both. Never change it."""
    every, sha1 = attempts.tobytes(), hashlib.sha1
    digests = [
        sha1(every[16 * number : 16 * number + 16] + version.to_bytes(4, "big"), usedforsecurity=False).digest()
        for number, version in enumerate(versions.tolist())
    ]
    return _uuid5(digests)


def _uuid5(digests: list[bytes]) -> Ids:
    """The first 16 bytes of each, marked as a name-based id (RFC 9562, version 5)."""
    ids = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 20)[:, :16].copy()
    ids[:, 6] = ids[:, 6] & 0x0F | 0x50
    ids[:, 8] = ids[:, 8] & 0x3F | 0x80
    return ids


_SEEN = np.dtype([("high", ">u8"), ("low", ">u8"), ("line", "<i8")])
_AT_ONCE = 250_000  # attempts that are looked through together: 6 MB
_PIECE = 100_000


class Seen:
    """The attempts of one file, in a temporary file of its own, so that memory does not grow with the file."""

    def __init__(self) -> None:
        self._kept: IO[bytes] = tempfile.TemporaryFile(prefix="trellis-attempts-")  # noqa: SIM115  # closed by `close`
        self._count = 0

    def add(self, attempts: Ids, lines: Ints) -> None:
        """These attempts stand on these lines."""
        some = np.empty(len(lines), dtype=_SEEN)
        halves = np.ascontiguousarray(attempts).view(">u8")
        some["high"], some["low"], some["line"] = halves[:, 0], halves[:, 1], lines
        self._kept.write(some.tobytes())
        self._count += len(lines)

    def repeated(self) -> list[tuple[int, int]]:
        """Every line whose attempt stands on an earlier line too, with the first of those; in the file's order."""
        passes = -(-self._count // _AT_ONCE)
        found: list[tuple[int, int]] = []
        for number in range(passes):
            some = [piece[piece["low"] % passes == number] for piece in self._pieces()]
            found += _repeated(np.concatenate(some))
        return sorted(found)

    def close(self) -> None:
        """Nothing of it stays."""
        self._kept.close()

    def _pieces(self) -> Iterator[NDArray[np.void]]:
        self._kept.seek(0)
        while piece := self._kept.read(_PIECE * _SEEN.itemsize):
            yield np.frombuffer(piece, dtype=_SEEN)


def _repeated(seen: NDArray[np.void]) -> list[tuple[int, int]]:
    high, low = seen["high"].astype("=u8"), seen["low"].astype("=u8")
    order = np.lexsort((seen["line"], low, high))
    high, low, lines = high[order], low[order], seen["line"][order]
    again = np.flatnonzero((high[1:] == high[:-1]) & (low[1:] == low[:-1])) + 1
    if not len(again):
        return []
    begins = np.ones(len(lines), dtype=bool)
    begins[again] = False
    first = np.maximum.accumulate(np.where(begins, np.arange(len(lines)), 0))
    return list(zip(lines[again].tolist(), lines[first[again]].tolist(), strict=True))
