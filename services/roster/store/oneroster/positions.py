"""Where the pages of a list begin: a sourcedId every hundred rows or so, and how many rows there are.

Remembered in memory, within bounds: for how a list is now, with the revision of which that is known; and for the
revisions in which somebody is going through it, so that his pages neither skip nor repeat a row.
"""

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

EVERY = 100
LONGEST = 2 * EVERY
"""The most rows between two sourcedIds that are remembered."""
_BEYOND = "\U0010ffff"  # after every sourcedId


@dataclass(frozen=True, slots=True)
class Positions:
    """Of a list in the order of its sourcedIds: the number of rows, the first sourcedId of each stretch of it.

    `starts` says how many rows are before each stretch; it is left out where each has a hundred.
    """

    total: int
    keys: tuple[str, ...]
    starts: tuple[int, ...] = ()

    def _starts(self) -> Sequence[int]:
        return self.starts or range(0, self.total, EVERY)

    def at(self, offset: int) -> tuple[str | None, int]:
        """Where to begin for this offset, and how many rows to pass over from there."""
        if offset >= self.total or not self.keys:
            return None, offset
        starts = self._starts()
        place = bisect_right(starts, offset) - 1
        return self.keys[place], offset - starts[place]

    def before(self, end: int) -> str | None:
        """The first sourcedId that is beyond this offset, when it is remembered."""
        starts = self._starts()
        place = bisect_left(starts, end)
        return self.keys[place] if place < len(self.keys) and starts[place] == end else None

    def stretches(self, names: Iterable[str]) -> list[int]:
        """In which stretches these sourcedIds lie, or would."""
        return sorted({max(bisect_right(self.keys, name) - 1, 0) for name in names})

    def bounds(self, stretch: int) -> tuple[str, str]:
        """From which sourcedId to before which a stretch goes; the first and the last have no end of their own."""
        low = self.keys[stretch] if stretch else ""
        return low, self.keys[stretch + 1] if stretch + 1 < len(self.keys) else _BEYOND

    def renewed(self, found: Mapping[int, Sequence[str]]) -> "Positions":
        """With these sourcedIds in some of the stretches; long ones are cut, empty ones are no more."""
        keys: list[str] = []
        starts: list[int] = []
        old, total = [*self._starts(), self.total], 0
        for stretch, key in enumerate(self.keys):
            names = found.get(stretch)
            if names is None:
                keys.append(key)
                starts.append(total)
                total += old[stretch + 1] - old[stretch]
                continue
            for place in range(0, len(names), EVERY if len(names) > LONGEST else LONGEST):
                keys.append(names[place])
                starts.append(total + place)
            total += len(names)
        return Positions(total, tuple(keys), tuple(starts))


@dataclass(frozen=True, slots=True)
class Known:
    """Positions, the revision of which they are, and how many decisions about identities had been undone by then."""

    revision: int
    undone: int
    positions: Positions


class Remembered:
    """Positions by list, and by list and revision; those not asked for longest are forgotten first."""

    def __init__(self, most_lists: int = 512, most_keys: int = 300_000) -> None:
        self._most_lists = most_lists
        self._most_keys = most_keys
        self._kept: OrderedDict[Hashable, Known] = OrderedDict()
        self._keys = 0
        self._newest: dict[UUID, int] = {}

    def newest(self, district: UUID) -> int | None:
        """The district's newest revision, as far as anybody has seen."""
        return self._newest.get(district)

    def saw(self, district: UUID, revision: int) -> None:
        """This was the district's newest revision a moment ago."""
        self._newest[district] = revision

    def find(self, about: Hashable) -> Known | None:
        """What was kept."""
        found = self._kept.get(about)
        if found is not None:
            self._kept.move_to_end(about)
        return found

    def keep(self, about: Hashable, known: Known) -> None:
        old = self._kept.pop(about, None)
        self._keys += len(known.positions.keys) - (len(old.positions.keys) if old else 0)
        self._kept[about] = known
        while len(self._kept) > 1 and (len(self._kept) > self._most_lists or self._keys > self._most_keys):
            _, gone = self._kept.popitem(last=False)
            self._keys -= len(gone.positions.keys)
