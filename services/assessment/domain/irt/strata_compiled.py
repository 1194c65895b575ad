"""Counting students matched by score, compiled: one pass over the responses. See `strata` for the score.

A complete row of right and wrong is added as a whole to the row of sums of its score and group, many items in one
instruction; only other rows are counted response by response.
"""

from typing import Any

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def matched_counts(scores: Any, focal: Any, anchors: Any, highest: Any, counts: Any) -> None:
    """Count every present response into `counts` (items, strata, 2, categories) at its student's matching score.

    `scores` (students, items), `focal` (students,), `anchors` and `highest` (items,).
    """
    students, items = scores.shape
    every = 0
    two = True
    mask = np.zeros(items, np.uint8)
    for item in range(items):
        if anchors[item]:
            every += highest[item]
            mask[item] = 255
        if highest[item] > 1:
            two = False
    strata = counts.shape[1]
    right = np.zeros((strata * 2, items), np.int32)
    number = np.zeros(strata * 2, np.int64)
    for student in range(students):
        row = scores[student]
        group = 1 if focal[student] else 0
        earned = 0
        top = 0
        for item in range(items):
            earned += row[item] & mask[item]
            top |= row[item]
        if two and top <= 1:
            key = earned * 2 + group
            number[key] += 1
            into = right[key]
            for item in range(items):
                into[item] += row[item]
            continue
        earned = 0
        possible = 0
        for item in range(items):
            score = row[item]
            if anchors[item] and score <= 250:
                earned += score
                possible += highest[item]
        at_anchors = (2 * every * earned + possible) // max(2 * possible, 1)
        for item in range(items):
            score = row[item]
            if score > 250:
                continue
            stratum = at_anchors
            if not anchors[item]:
                full = every + highest[item]
                most = possible + highest[item]
                stratum = (2 * full * (earned + score) + most) // max(2 * most, 1)
            counts[item, stratum, group, score] += 1
    for key in range(strata * 2):
        if number[key]:
            stratum = key // 2
            group = key % 2
            for item in range(items):
                counts[item, stratum, group, 0] += number[key] - right[key, item]
                if right[key, item]:
                    above = 0 if anchors[item] else 1
                    counts[item, stratum + above, group, 1] += right[key, item]
