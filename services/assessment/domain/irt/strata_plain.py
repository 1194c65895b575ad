"""Counting students matched by score, in numpy: what `strata_compiled` has to meet. See `strata` for the score."""

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.irt.responses import HIGHEST_SCORE, Codes


def matched_counts(
    scores: Codes,
    focal: NDArray[np.bool_],
    anchors: NDArray[np.bool_],
    highest: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> None:
    """Count every present response into `counts` (items, strata, 2, categories) at its student's matching score.

    `scores` (students, items), `focal` (students,), `anchors` and `highest` (items,).
    """
    present = scores <= HIGHEST_SCORE
    complete = bool(present.all())
    points = scores if complete else np.where(present, scores, 0).astype(np.uint8)
    earned = points[:, anchors].sum(axis=1, dtype=np.int64)
    every = int(highest[anchors].sum())
    possible = np.full(len(scores), every) if complete else present[:, anchors] @ highest[anchors]
    at_anchors = (2 * every * earned + possible) // np.maximum(2 * possible, 1)
    strata, _, categories = counts.shape[1:]
    for item in range(scores.shape[1]):
        here = present[:, item]
        stratum = at_anchors
        if not anchors[item]:
            full, most = every + int(highest[item]), possible + highest[item]
            stratum = (2 * full * (earned + points[:, item]) + most) // np.maximum(2 * most, 1)
        place = (stratum * 2 + focal) * categories + points[:, item]
        found = np.bincount(place if complete else place[here], minlength=strata * 2 * categories)
        counts[item] += found.reshape(strata, 2, categories)
