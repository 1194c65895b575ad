"""Where the pages of a list begin: every hundredth sourcedId, and how many there are.

Remembered in memory, within bounds: for how a list is now, with what tells whether it still is so; and for the
revisions in which somebody is going through it, so that his pages neither skip nor repeat a row.
"""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

EVERY = 100


@dataclass(frozen=True, slots=True)
class Positions:
    """Of a list in the order of its sourcedIds: the first of every hundred, and the number of rows."""

    total: int
    keys: tuple[str, ...]

    def at(self, offset: int) -> tuple[str | None, int]:
        """Where to begin for this offset, and how many rows to pass over from there."""
        if offset >= self.total or not self.keys:
            return None, offset
        return self.keys[offset // EVERY], offset % EVERY

    def before(self, end: int) -> str | None:
        """The first sourcedId that is beyond this offset, when it is remembered."""
        place, rest = divmod(end, EVERY)
        return self.keys[place] if rest == 0 and place < len(self.keys) else None


class Remembered:
    """Positions by list, and by list and revision; those not asked for longest are forgotten first."""

    def __init__(self, most_lists: int = 512, most_keys: int = 300_000) -> None:
        self._most_lists = most_lists
        self._most_keys = most_keys
        self._kept: OrderedDict[Hashable, tuple[int, Positions]] = OrderedDict()
        self._keys = 0

    def find(self, about: Hashable) -> tuple[int, Positions] | None:
        """What was kept, with the stamp it was kept with."""
        found = self._kept.get(about)
        if found is not None:
            self._kept.move_to_end(about)
        return found

    def keep(self, about: Hashable, stamp: int, positions: Positions) -> None:
        old = self._kept.pop(about, None)
        self._keys += len(positions.keys) - (len(old[1].keys) if old else 0)
        self._kept[about] = stamp, positions
        while len(self._kept) > 1 and (len(self._kept) > self._most_lists or self._keys > self._most_keys):
            _, (_, gone) = self._kept.popitem(last=False)
            self._keys -= len(gone.keys)
