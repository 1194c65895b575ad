"""What the roster says to the others, in the words of its events.

A city's first import has millions of facts: they are written as bytes, as protobuf would write them, which tests prove.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha1
from typing import Any, NamedTuple
from uuid import UUID

from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb

NO_DAY = -(1 << 31)
_ID, _SECOND, _THIRD, _FOURTH = b"\x0a\x10", b"\x12\x10", b"\x1a\x10", b"\x22\x10"
"""Tags of the fields 1 to 4, each of sixteen bytes."""


class Facts(NamedTuple):
    """Facts as bytes, with the keys whose order is kept."""

    keys: list[bytes]
    facts: list[bytes]


def fact_ids(import_id: UUID, kind: bytes, keys: Iterable[bytes]) -> list[bytes]:
    """The ids of facts: they follow from the import and what a fact is of, so that told again it is the same fact."""
    begun = sha1(import_id.bytes + kind, usedforsecurity=False)
    found = []
    for key in keys:
        hashed = begun.copy()
        hashed.update(key)
        found.append(hashed.digest()[:16])
    return found


def placements(import_id: UUID, moved: Sequence[Sequence[Any]]) -> Facts:
    """Where these students are placed now."""
    students = [(person, places) for person, as_student, _, _, places in moved if as_student]
    keys = [person for person, _ in students]
    ids = fact_ids(import_id, b"placed", keys)
    return Facts(
        keys,
        [
            b"".join((_ID, id, _SECOND, person, *_places(0x1A, places)))
            for id, (person, places) in zip(ids, students, strict=True)
        ],
    )  # fmt: skip


def people(import_id: UUID, moved: Sequence[Sequence[Any]], what: str) -> Facts:
    """Who joined, or moved: where they are now."""
    found = [(person, as_student, places) for person, as_student, how, _, places in moved if how == what]
    ids = fact_ids(import_id, what.encode(), [person + bytes([as_student]) for person, as_student, _ in found])
    return Facts(
        [person for person, _, _ in found],
        [
            b"".join((_ID, id, _SECOND, person, b"\x18\x01" if as_student else b"", *_places(0x22, places)))
            for id, (person, as_student, places) in zip(ids, found, strict=True)
        ],
    )


def leavers(import_id: UUID, moved: Sequence[Sequence[Any]], today: int) -> list[pb.PersonLeft]:
    """Who is at no school any more, and since when."""
    found = [(person, as_student, day) for person, as_student, how, day, _ in moved if how == "left"]
    ids = fact_ids(import_id, b"left", [person + bytes([as_student]) for person, as_student, _ in found])
    return [
        pb.PersonLeft(id=id, person=person, as_student=as_student, day=today if day is None else day)
        for id, (person, as_student, day) in zip(ids, found, strict=True)
    ]


def enrollments(import_id: UUID, changed: Any, *, passed: bool = False) -> Facts:
    """Enrolments as they are now; `passed`: as they ended for who had them, now that they are somebody else's."""
    people, classes, schools = changed["people"], changed["classes"], changed["schools"]
    names = [name.encode() for name in changed["names"]]
    ids = fact_ids(import_id, b"passed" if passed else b"enrolled", names)
    keys = [people[at : at + 16] for at in range(0, len(people), 16)]
    facts = [
        b"".join(
            (_ID, id, _SECOND, person, _THIRD, classes[at : at + 16], _FOURTH, schools[at : at + 16], _rest(rest),
             b"\x4a", _varint(len(name)), name)
        )
        for at, id, person, rest, name in zip(
            range(0, len(people), 16), ids, keys, changed["rest"], names, strict=True
        )
    ]  # fmt: skip
    return Facts(keys, facts)


def organisations(import_id: UUID, changed: Sequence[Any]) -> list[pb.OrganisationChanged]:
    """Organisations as they are now."""
    ids = fact_ids(import_id, b"organised", [row["id"] for row in changed])
    return [
        pb.OrganisationChanged(
            id=id, organisation=row["id"], parent=row["parent"] or b"", type=row["type"], ended=row["ended"]
        )
        for id, row in zip(ids, changed, strict=True)
    ]


def demographics(import_id: UUID, changed: Sequence[Sequence[Any]]) -> Facts:
    """What is known of people for finding out who is left behind; an answer that was not given is not there."""
    keys = [row[0] for row in changed]
    ids = fact_ids(import_id, b"described", keys)
    facts = [
        b"".join((_ID, id, _SECOND, row[0], _birth(row[1]), _described(*tuple(row)[2:])))
        for id, row in zip(ids, changed, strict=True)
    ]
    return Facts(keys, facts)


@lru_cache(maxsize=65_536)
def _place(tag: int, place: bytes) -> bytes:
    """A Place inside another message, from sixteen bytes of a school and four of each day."""
    begin, end = (int.from_bytes(place[at : at + 4], "big", signed=True) for at in (16, 20))
    inner = _ID + place[:16] + _day(b"\x10", begin) + _day(b"\x18", end)
    return bytes([tag]) + _varint(len(inner)) + inner


def _places(tag: int, places: bytes) -> list[bytes]:
    return [_place(tag, places[at : at + 24]) for at in range(0, len(places), 24)]


@lru_cache(maxsize=65_536)
def _rest(said: str) -> bytes:
    """Role, days and end of an enrolment, from the words that `telling` joins them to."""
    role, begin, end = said.rsplit(" ", 2)
    role, ended, _ = role.partition(" ended")
    written = role.encode()
    return b"".join(
        (b"\x2a", _varint(len(written)), written, _day(b"\x30", int(begin)), _day(b"\x38", int(end)),
         b"\x40\x01" if ended else b"")
    )  # fmt: skip


@lru_cache(maxsize=65_536)
def _birth(day: int | None) -> bytes:
    return b"" if day is None else _day(b"\x18", day)


@lru_cache(maxsize=65_536)
def _described(sex: str | None, *answers: bool | None) -> bytes:
    """Sex, seven answers and whether all that ended; each answer has a field of its own, the first of them 5."""
    written = (sex or "").encode()
    parts = [b"\x22" + _varint(len(written)) + written] if written else []
    *said, ended = answers
    parts += [bytes([(field << 3), bool(one)]) for field, one in enumerate(said, 5) if one is not None]
    return b"".join((*parts, b"\x60\x01" if ended else b""))


def _day(tag: bytes, day: int) -> bytes:
    """A day that was said, as protobuf writes a signed number."""
    return b"" if day == NO_DAY else tag + _varint((day << 1) ^ (day >> 31))


@lru_cache(maxsize=4_096)
def _varint(number: int) -> bytes:
    found = bytearray()
    while number >= 0x80:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
