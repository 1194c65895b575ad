"""Somebody who knows everything that is shown: linear programs of their own, by SciPy, over cells and sums."""

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

from shared.disclosure.tables import Cells


def widths(cells: Cells, hidden: np.ndarray) -> np.ndarray:
    """How wide the interval is that each hidden count must lie in, (hidden,); infinite where nothing bounds it."""
    entries = [
        (row, cell, sign)
        for row, (total, *parts) in enumerate(cells.sums)
        for cell, sign in ((total, -1.0), *((part, 1.0) for part in parts))
    ]
    rows, columns, values = zip(*entries, strict=True)
    sums = csr_array((values, (rows, columns)), shape=(len(cells.sums), len(cells)))
    bounds = [(0, None) if is_hidden else (count, count) for is_hidden, count in zip(hidden, cells.counts, strict=True)]
    found = []
    for target in np.flatnonzero(hidden):
        goal = np.zeros(len(cells))
        goal[target] = 1
        least, most = (
            linprog(sign * goal, A_eq=sums, b_eq=np.zeros(len(cells.sums)), bounds=bounds) for sign in (1, -1)
        )
        assert least.status == 0
        assert most.status in (0, 3)
        found.append(np.inf if most.status == 3 else -most.fun - least.fun)
    return np.array(found)
