"""Counting pairs of scores node by node, in numpy; `pairs_compiled` is its twin."""

import numpy as np
from numpy.typing import NDArray


def add_pairs(rows: NDArray[np.int32], weights: NDArray[np.float32], counts: NDArray[np.float32]) -> None:
    """Add the students' weights to the pairs of scores that they gave: counts[r, s, q] += weights[i, q].

    rows (students, items): the row of each response in the table of scores, rising along the items, −1 where there is
    none; r stands before s or is the same. weights (students, Q), counts (scores, scores, Q).
    """
    given = np.zeros((len(rows), counts.shape[0] + 1), dtype=np.float32)
    given[np.arange(len(rows))[:, np.newaxis], rows] = 1.0
    given = given[:, :-1]
    for node in range(weights.shape[1]):
        counts[:, :, node] += np.triu((given * weights[:, node : node + 1]).T @ given)
