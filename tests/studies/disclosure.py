"""Disclosure: what an attacker can compute, and how many cells are hidden against the fewest that would do."""

import argparse
from collections.abc import Iterator
from itertools import product

import highspy
import numpy as np

from shared.disclosure.suppression import SMALLEST_GROUP, suppress
from shared.disclosure.tables import TOTAL, Cells, cube, linked
from tests.studies import table, write
from tests.unit.disclosure.attacker import widths

_TOLERANCE = 1e-6


def a_school(rng: np.random.Generator) -> Cells:
    """Two linked tables of a school: grade by group, and grade by home language and sex, with the same grades."""
    grades, groups = int(rng.integers(2, 5)), int(rng.integers(2, 5))
    full = rng.poisson(rng.gamma(1, rng.uniform(4, 16), size=(grades, groups, 2, 2)))
    by_group, by_language = cube(full.sum(axis=(2, 3))), cube(full.sum(axis=1))
    shared = [[("group", (grade, TOTAL)), ("language", (grade, TOTAL, TOTAL))] for grade in (*range(grades), TOTAL)]
    return linked({"group": by_group, "language": by_language}, shared)


def schools(number: int, rng: np.random.Generator) -> dict[str, float]:
    """Random schools, and the narrowest interval of any hidden count in any of them."""
    narrowest, small, hidden, cells_in_all = np.inf, 0, 0, 0
    for _ in range(number):
        cells = a_school(rng)
        pattern = suppress(cells)
        cells_in_all += int((cells.counts > 0).sum())
        small += int(((cells.counts > 0) & (cells.counts < SMALLEST_GROUP)).sum())
        hidden += int(pattern.sum())
        if pattern.any():
            narrowest = min(narrowest, float(widths(cells, pattern).min()))
    return {"schools": number, "cells": cells_in_all, "small": small, "hidden": hidden, "narrowest": narrowest}


def queries(number: int, rng: np.random.Generator) -> dict[str, float]:
    """Questions about one school, each a table of some dimensions within chosen categories, answered one by one."""
    counts = rng.poisson(rng.gamma(1, 12, size=(4, 3, 2, 2)))
    cells = cube(counts)
    pattern = suppress(cells)
    at = {key: place for place, key in enumerate(cells.keys)}
    told: set[int] = set()
    for _ in range(number):
        told |= {at[key] for key in _asked(counts.shape, rng) if not pattern[at[key]]}
    unknown = np.ones(len(cells), np.bool_)
    unknown[list(told)] = False
    small = (cells.counts > 0) & (cells.counts < SMALLEST_GROUP)
    found = widths(cells, unknown)
    kept = np.flatnonzero(unknown)
    return {
        "queries": number,
        "cells": len(cells),
        "small": int(small.sum()),
        "hidden": int(pattern.sum()),
        "told": len(told),
        "narrowest": float(found[pattern[kept]].min()),
    }


def _asked(shape: tuple[int, ...], rng: np.random.Generator) -> Iterator[tuple[int, ...]]:
    ranges = []
    for size in shape:
        kind = rng.integers(3)
        ranges.append([TOTAL] if kind == 0 else [*range(size), TOTAL] if kind == 1 else [int(rng.integers(size))])
    yield from product(*ranges)


def fewest(cells: Cells, seconds: float = 60.0) -> int:
    """The fewest cells that can be hidden, by an integer program: a choice, and two movements for every cell."""
    size, most = len(cells), float(cells.counts.sum() + 2 * SMALLEST_GROUP)
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.setOptionValue("time_limit", seconds)
    for count in cells.counts.tolist():
        small = 0 < count < SMALLEST_GROUP
        solver.addCol(1.0, float(small), 1.0, 0, [], [])
    solver.changeColsIntegrality(size, np.arange(size, dtype=np.int32), np.ones(size, np.uint8))
    for target in range(size):
        begins = []
        for _ in (0, 1):
            begins.append(solver.getNumCol())
            for count in cells.counts.tolist():
                solver.addCol(0.0, -float(count), most, 0, [], [])
            for total, *parts in cells.sums:
                columns = [begins[-1] + cell for cell in (total, *parts)]
                solver.addRow(0.0, 0.0, len(columns), columns, [-1.0] + [1.0] * len(parts))
            for cell in range(size):
                solver.addRow(-highspy.kHighsInf, 0.0, 2, [begins[-1] + cell, cell], [1.0, -most])
                solver.addRow(0.0, highspy.kHighsInf, 2, [begins[-1] + cell, cell], [1.0, most])
        solver.addRow(
            0.0, highspy.kHighsInf, 3, [begins[1] + target, begins[0] + target, target], [1.0, -1.0, -SMALLEST_GROUP]
        )
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        return -1
    return round(solver.getInfo().objective_function_value)


def against_fewest(number: int, rng: np.random.Generator) -> dict[str, float]:
    """Small tables: hidden by us and by the exact program, where it ends in time."""
    ours = best = solved = equal = 0
    for _ in range(number):
        cells = cube(rng.poisson(rng.gamma(1, 20, size=(3, 3) if rng.random() < 0.5 else (2, 4))))
        exact = fewest(cells)
        if exact < 0:
            continue
        hidden = int(suppress(cells).sum())
        solved += 1
        ours, best, equal = ours + hidden, best + exact, equal + (hidden == exact)
    return {"tables": number, "solved": solved, "ours": ours, "fewest": best, "equal": equal}


def main() -> None:
    """Run the study and write its page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schools", type=int, default=1_000)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--tables", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    one, two, three = (np.random.default_rng([asked.seed, number]) for number in range(3))
    many, successive, exact = (
        schools(asked.schools, one),
        queries(asked.queries, two),
        against_fewest(asked.tables, three),
    )
    for found in (many, successive):
        if found["narrowest"] < SMALLEST_GROUP - _TOLERANCE:
            raise SystemExit(f"an attacker narrows a hidden count to {found['narrowest']}")
    write("disclosure", _page(many, successive, exact, asked.seed))


def _page(many: dict[str, float], successive: dict[str, float], exact: dict[str, float], seed: int) -> str:
    narrowest = "narrowest interval of a hidden count"
    schools_table = table(
        ["schools", "cells that are not 0", "small", "hidden", narrowest],
        [[*(f"{many[each]:,}" for each in ("schools", "cells", "small", "hidden")), f"{many['narrowest']:.2f}"]],
    )
    told = ("queries", "cells", "small", "hidden", "told")
    queries_table = table(
        ["questions", "cells of the school", "small", "hidden", "told by the answers", narrowest],
        [[*(f"{successive[each]:,}" for each in told), f"{successive['narrowest']:.2f}"]],
    )
    more = exact["ours"] / max(exact["fewest"], 1) - 1
    fewest_table = table(
        ["tables", "solved exactly", "hidden by us", "fewest possible", "more than needed", "as few as possible"],
        [[*(exact[each] for each in ("tables", "solved", "ours", "fewest")), f"{more:.1%}", exact["equal"]]],
    )
    return f"""# What an attacker learns of hidden counts

Written by `make study NAME=disclosure` (seed {seed}). The attacker is a pair of linear programs for each hidden count,
least and most, over every cell that is shown and every sum; the threshold is {SMALLEST_GROUP}.

Random schools, two linked tables each (grade by group; grade by home language and sex):

{schools_table}

One school of four dimensions, one question after the other, each a table of some dimensions within chosen categories:

{queries_table}

How many cells are hidden against the fewest possible (an integer program with two movements for each cell, on tables
of 3 × 3 and 2 × 4 with their margins; tables it does not end on in a minute are left out):

{fewest_table}
"""


if __name__ == "__main__":
    main()
