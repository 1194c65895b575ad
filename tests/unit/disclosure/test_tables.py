"""Tables: margins, trees and tables that share cells are cells and sums."""

import numpy as np
import pytest

from shared.disclosure.tables import TOTAL, BadTable, Cells, cube, linked, tree


def test_a_cube_has_all_its_margins_and_each_is_the_sum_along_each_dimension() -> None:
    counts = np.arange(24).reshape(2, 3, 4)

    cells = cube(counts)

    assert len(cells) == 3 * 4 * 5
    count = dict(zip(cells.keys, cells.counts.tolist(), strict=True))
    assert count[1, 2, 3] == 23
    assert count[TOTAL, 1, 2] == counts[:, 1, 2].sum()
    assert count[TOTAL, TOTAL, TOTAL] == counts.sum()
    assert len(cells.sums) == 4 * 5 + 3 * 5 + 3 * 4


def test_a_tree_ties_each_cell_to_its_parts() -> None:
    cells = tree({"city": 30, "north": 10, "south": 20}, {"north": "city", "south": "city"})

    assert cells.sums == ((0, 1, 2),)


def test_tables_that_count_the_same_people_share_cells() -> None:
    by_grade = tree({"all": 30, "3": 10, "4": 20}, {"3": "all", "4": "all"})
    by_sex = tree({"all": 30, "f": 14, "m": 16}, {"f": "all", "m": "all"})

    cells = linked({"grade": by_grade, "sex": by_sex}, [[("grade", "all"), ("sex", "all")]])

    assert len(cells) == 5
    assert [total for total, *_ in cells.sums] == [0, 0]


def test_counts_that_do_not_add_up_name_the_cell() -> None:
    with pytest.raises(BadTable, match="city: 31 is not the sum of its parts, 30"):
        tree({"city": 31, "north": 10, "south": 20}, {"north": "city", "south": "city"})


def test_a_negative_count_names_the_cell() -> None:
    with pytest.raises(BadTable, match="north"):
        Cells(("south", "north"), np.array([3, -1]), ())


def test_cells_that_are_one_and_count_differently_are_named() -> None:
    one, other = tree({"all": 30}, {}), tree({"all": 31}, {})

    with pytest.raises(BadTable, match="30"):
        linked({"one": one, "other": other}, [[("one", "all"), ("other", "all")]])
