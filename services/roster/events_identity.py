"""What the roster says of people who were two and are one, or were one and are two.

A fact's id begins with the revision it happened in: of several facts about the same two people the one of the highest
revision holds, in whatever order they are heard.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from hashlib import sha1
from typing import Any
from uuid import UUID

from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb

_EPOCH = date(1970, 1, 1)


def _id(revision: int, *of: bytes) -> bytes:
    return revision.to_bytes(8, "big") + sha1(b"".join(of), usedforsecurity=False).digest()[:8]


def merged(revision: int, person: UUID, absorbed: UUID, *, undone: bool = False) -> pb.PersonMerged:
    """The second is the first from here on; or, undone, no longer."""
    return pb.PersonMerged(
        id=_id(revision, person.bytes, absorbed.bytes), person=person.bytes, absorbed=absorbed.bytes, undone=undone
    )


def split(
    revision: int, person: UUID, other: UUID, sourced_ids: Sequence[str], *, undone: bool = False
) -> pb.PersonSplit:
    """What is called so belongs to the second from here on; or, undone, no longer."""
    return pb.PersonSplit(
        id=_id(revision, person.bytes, other.bytes), person=person.bytes, other=other.bytes,
        sourced_ids=sourced_ids, undone=undone,
    )  # fmt: skip


def enrolled(revision: int, people: Sequence[UUID], changed: Iterable[Any]) -> Iterator[pb.EnrollmentChanged]:
    """Enrolments that passed from one of these two to the other: ended for who had them, and as they are."""
    for row in changed:
        is_over = row["status"] != "active"
        if not is_over:
            for other in people:
                if other != row["person_id"]:
                    yield _enrolled(revision, row, other, ended=True)
        yield _enrolled(revision, row, row["person_id"], ended=is_over)


def _enrolled(revision: int, row: Any, person: UUID, *, ended: bool) -> pb.EnrollmentChanged:
    return pb.EnrollmentChanged(
        id=_id(revision, row["sourced_id"].encode(), person.bytes),
        person=person.bytes,
        **{"class": row["class_id"].bytes},
        school=row["school_id"].bytes,
        role=row["role"],
        begin_day=_day(row["begin_on"]),
        end_day=_day(row["end_on"]),
        ended=ended,
        enrollment=row["sourced_id"],
    )


def _day(when: date | None) -> int | None:
    return None if when is None else (when - _EPOCH).days
