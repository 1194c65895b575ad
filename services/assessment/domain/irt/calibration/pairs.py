"""Adding up what pairs of responses say together, in numpy; `pairs_compiled` is its twin."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.irt.models import Floats
from services.assessment.domain.irt.responses import Indices


class Pairs(Protocol):
    """What both twins do."""

    def add_pairs(self, rows: NDArray[np.int32], weights: NDArray[np.float32], counts: NDArray[np.float32]) -> None:
        """See below."""

    def add_products(self, places: Indices, products: NDArray[np.float32], to: Floats) -> None:
        """See below."""


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


def add_products(places: Indices, products: NDArray[np.float32], to: Floats) -> None:
    """Add each student's square of products at its places: to[places[i, r], places[i, s]] += products[i, r, s].

    places (students, columns), products (students, columns, columns).
    """
    where = places[:, :, np.newaxis] * to.shape[1] + places[:, np.newaxis, :]
    np.add.at(to.reshape(-1), where.ravel(), products.ravel().astype(np.float64))
