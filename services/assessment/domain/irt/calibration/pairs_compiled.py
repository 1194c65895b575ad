"""Adding up what pairs of responses say together, compiled; `pairs` is its numpy twin."""

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


@njit(nogil=True, cache=True)
def add_products(places: Any, products: Any, to: Any) -> None:
    """Add each student's square of products at its places; see `pairs.add_products`."""
    for student in range(places.shape[0]):
        for first in range(places.shape[1]):
            row = to[places[student, first]]
            own = products[student, first]
            for second in range(places.shape[1]):
                row[places[student, second]] += own[second]
