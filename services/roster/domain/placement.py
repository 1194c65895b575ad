"""Where a student is placed: what others hear of the roster."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Placed:
    """All the places of one student now: (school, begin, end), the end exclusive; None is open."""

    student: UUID
    places: tuple[tuple[UUID, date | None, date | None], ...]
