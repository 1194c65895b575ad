"""Purification: a matching score free of the items that work differently (Holland & Thayer 1988, Clauser et al. 1993).

Flagged items leave the score and everything is compared anew, until the set of flagged items is one that was there
before. It has converged when that is the set just before; sets can also alternate, and every item can be flagged, with
none left to match by.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
MOST_ROUNDS = 50

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Purified(Generic[Found]):
    """The last comparison, the items its score was made without, how often it was made anew, whether that settled."""

    found: Found
    without: tuple[int, ...]
    rounds: int
    converged: bool


def compare_purified(
    items: int, compare: Callable[[Bools], Found], flagged: Callable[[Found], tuple[int, ...]], purify: bool
) -> Purified[Found]:
    """Compare with every item in the score; when `purify`, again and again without those flagged the time before."""
    found = compare(np.ones(items, dtype=np.bool_))
    without: tuple[int, ...] = ()
    seen: list[tuple[int, ...]] = [without]
    while purify and len(seen) <= MOST_ROUNDS:
        now = flagged(found)
        if now in seen:
            return Purified(found, without, len(seen) - 1, now == without)
        if len(now) == items:
            return Purified(found, without, len(seen) - 1, False)
        seen.append(now)
        without = now
        anchors = np.ones(items, dtype=np.bool_)
        anchors[list(now)] = False
        found = compare(anchors)
    return Purified(found, without, len(seen) - 1, not purify)
