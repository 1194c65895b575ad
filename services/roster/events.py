"""What the roster says to the others, in the words of its events. It listens to nobody."""

from collections.abc import Iterable, Iterator
from datetime import date
from uuid import UUID, uuid5

from services.roster.domain.placement import Placed
from shared.events_pb.trellis.events.roster.v1 import roster_pb2 as pb
from shared.inbox import Listens

LISTENS: list[Listens] = []

_EPOCH = date(1970, 1, 1)


def placements(import_id: UUID, moved: Iterable[Placed]) -> Iterator[pb.Placement]:
    """Where these students are placed now; a fact's id follows from its import and its student."""
    for one in moved:
        yield pb.Placement(
            id=uuid5(import_id, str(one.student)).bytes,
            student=one.student.bytes,
            places=[
                pb.Place(school=school.bytes, begin_day=_day(begin), end_day=_day(end))
                for school, begin, end in one.places
            ],
        )


def _day(when: date | None) -> int | None:
    return None if when is None else (when - _EPOCH).days
