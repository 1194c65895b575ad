"""Students matched by score: how many of each group, at each matching score, got each score on each item.

Everything the observed-score methods of differential item functioning need is in this table of counts, so they
cost the same for a thousand students and for a million once the counting is done.

**The matching score** of a student for an item is the points earned on the anchor items and the studied item (which is
always in, as Holland & Thayer 1988 require). Who was not presented every one of them is matched on the same scale by
the share of points: full · earned / possible, rounded to the nearest whole number, halves up. Complete rows are matched
by their plain sum.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.uint8]
Counts = NDArray[np.int64]

HIGHEST_SCORE = 250
SMALLEST_GROUP = 10
MINIMUM_GROUP, MINIMUM_TOTAL = 100, 500

Counter = Callable[[Codes, Bools, Bools, Counts, Counts], None]
"""Counts into its last argument: `matched_counts` of `strata_plain` or of `strata_compiled`."""


class GroupTooSmall(ValueError):
    """A group has too few students to be compared."""


class NothingToMatch(ValueError):
    """Every student has the same matching score, so students of equal ability cannot be told from others."""


class UnreadableScores(ValueError):
    """The table of scores, or the column that says who is in the focal group, is not what is expected."""


@dataclass(frozen=True, slots=True)
class Matched:
    """Counts (items, strata, 2, categories): reference is 0 and focal 1 on the third axis; a stratum is a score.

    `highest` (items,) is the highest score seen on each item; `anchors` (items,) says which items make the score.
    """

    counts: Counts
    highest: Counts
    anchors: Bools


@dataclass(frozen=True, slots=True)
class Students:
    """Scores of two groups, checked: codes (students, items), who is focal (students,), highest score (items,)."""

    scores: Codes
    focal: Bools
    highest: Counts
    names: tuple[str, ...]

    @property
    def thin(self) -> bool:
        """Whether the smaller group has under 100 students or both together under 500 (Zieky 1993): read with care."""
        focal = int(self.focal.sum())
        return min(focal, len(self.focal) - focal) < MINIMUM_GROUP or len(self.focal) < MINIMUM_TOTAL


def students(
    scores: Codes, focal: Bools, *, names: Sequence[str] | None = None, smallest_group: int = SMALLEST_GROUP
) -> Students:
    """Checked scores of a reference and a focal group.

    `scores` (students, items) holds 0..250; any code above is a response that is not there, and leaves the student out
    of that item's comparison. `focal` (students,) is True for the focal group. Raises `UnreadableScores` for shapes
    that do not fit, `GroupTooSmall` when a group has fewer than `smallest_group` students.
    """
    scores = np.ascontiguousarray(scores)
    focal = np.asarray(focal)
    if scores.ndim != 2 or scores.dtype != np.uint8 or not scores.shape[1]:
        raise UnreadableScores("The scores must be whole numbers 0 to 250 in a table of students and items.")
    if focal.shape != (len(scores),) or focal.dtype != np.bool_:
        raise UnreadableScores(f"The focal group must be one truth value for each of the {len(scores)} students.")
    numbers = {"reference": int((~focal).sum()), "focal": int(focal.sum())}
    fewest = max(smallest_group, 1)
    for group, number in numbers.items():
        if number < fewest:
            raise GroupTooSmall(
                f"The {group} group has {number} students; a comparison needs at least {fewest} in each group."
            )
    highest = scores.max(axis=0).astype(np.int64)
    if (highest > HIGHEST_SCORE).any():
        highest = np.where(scores > HIGHEST_SCORE, 0, scores).max(axis=0).astype(np.int64)
    named = tuple(names) if names is not None else tuple(f"item {place + 1}" for place in range(scores.shape[1]))
    if len(named) != scores.shape[1]:
        raise UnreadableScores(f"{len(named)} item names for {scores.shape[1]} items.")
    return Students(scores, focal, highest, named)


def match(group: Students, anchors: Bools, counter: Counter) -> Matched:
    """Counts of a group's scores by matching score; `anchors` (items,) says which items the matching score is made of.

    Raises `NothingToMatch` when all students stand at the same score on every item.
    """
    full = int(group.highest[anchors].sum()) + (int(group.highest[~anchors].max()) if not anchors.all() else 0)
    shape = (group.scores.shape[1], full + 1, 2, int(group.highest.max()) + 1)
    counts = np.zeros(shape, dtype=np.int64)
    counter(group.scores, group.focal, anchors, group.highest, counts)
    if ((counts.sum(axis=(2, 3)) > 0).sum(axis=1) <= 1).all():
        raise NothingToMatch("Every student has the same matching score: there is nothing to match students by.")
    return Matched(counts, group.highest, anchors)
