"""Counting pairs of scores node by node, compiled; `pairs` is its numpy twin."""

from typing import Any

from numba import njit


@njit(nogil=True, cache=True)
def add_pairs(rows: Any, weights: Any, counts: Any) -> None:
    """Add the students' weights to the pairs of scores that they gave; see `pairs.add_pairs`."""
    nodes = weights.shape[1]
    for student in range(rows.shape[0]):
        own = weights[student]
        for first in range(rows.shape[1]):
            if rows[student, first] < 0:
                continue
            beside = counts[rows[student, first]]
            for second in range(first, rows.shape[1]):
                if rows[student, second] >= 0:
                    to = beside[rows[student, second]]
                    for node in range(nodes):
                        to[node] += own[node]
