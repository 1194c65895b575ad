"""An attacker who knows everything shown learns no hidden count within the threshold, and little is hidden for it."""

import numpy as np
import pytest

from shared.disclosure.suppression import SMALLEST_GROUP, CannotProtect, suppress
from shared.disclosure.tables import Cells, cube, linked, tree
from tests.unit.disclosure.attacker import widths


def _small(cells: Cells, threshold: int = SMALLEST_GROUP) -> np.ndarray:
    return np.asarray((cells.counts > 0) & (cells.counts < threshold))


def _random(seed: int) -> Cells:
    rng = np.random.default_rng(seed)
    shape = [(3, 4), (4, 5), (2, 3, 3), (5, 2, 2), (6, 4), (2, 2, 2, 2)][seed % 6]
    return cube(rng.poisson(rng.gamma(1, 20, size=shape)))


@pytest.mark.parametrize("seed", range(24))
def test_every_hidden_count_keeps_an_interval_as_wide_as_the_threshold(seed: int) -> None:
    cells = _random(seed)

    hidden = suppress(cells)

    assert hidden[_small(cells)].all()
    if hidden.any():
        assert widths(cells, hidden).min() >= SMALLEST_GROUP - 1e-6


def test_hiding_small_counts_alone_would_tell_them() -> None:
    cells = cube(np.array([[40, 4], [30, 50]]))

    assert widths(cells, _small(cells)).min() == 0


def test_a_table_without_small_counts_hides_nothing() -> None:
    assert not suppress(cube(np.array([[40, 12], [0, 50]]))).any()


def test_linked_tables_protect_each_other() -> None:
    rng = np.random.default_rng(8)
    by_group = cube(rng.poisson([[6, 30, 14], [40, 25, 60]]))
    rows = by_group.counts.reshape(3, 4)[:, 3]
    by_year = tree({"all": int(rows[2]), "a": int(rows[0]), "b": int(rows[1])}, {"a": "all", "b": "all"})
    cells = linked(
        {"group": by_group, "year": by_year},
        [
            [("group", (-1, -1)), ("year", "all")],
            [("group", (0, -1)), ("year", "a")],
            [("group", (1, -1)), ("year", "b")],
        ],
    )

    hidden = suppress(cells)

    assert hidden.any()
    assert widths(cells, hidden).min() >= SMALLEST_GROUP - 1e-6


def test_a_higher_threshold_hides_more_and_protects_as_much() -> None:
    cells = _random(1)

    low, high = suppress(cells), suppress(cells, 20)

    assert high.sum() > low.sum()
    assert widths(cells, high).min() >= 20 - 1e-6


def test_the_threshold_is_never_lowered() -> None:
    with pytest.raises(ValueError, match="at least 10, not 5"):
        suppress(_random(0), 5)


def test_what_has_been_told_stays_shown_and_others_are_hidden_instead() -> None:
    cells = cube(np.array([[40, 4, 20], [30, 50, 20]]))
    plain = suppress(cells)
    told = int(np.flatnonzero(plain & ~_small(cells))[0])

    hidden = suppress(cells, keep=[told])

    assert not hidden[told]
    assert widths(cells, hidden).min() >= SMALLEST_GROUP - 1e-6


def test_a_small_count_that_was_told_by_others_cannot_be_hidden_and_is_named() -> None:
    cells = cube(np.array([[40, 4], [30, 50]]))
    others = np.flatnonzero(~_small(cells)).tolist()

    with pytest.raises(CannotProtect, match=r"\(0, 1\)"):
        suppress(cells, keep=others)


def test_the_same_table_is_hidden_alike_every_time() -> None:
    assert np.array_equal(suppress(_random(5)), suppress(_random(5)))


def test_nothing_that_is_hidden_could_be_shown() -> None:
    cells = _random(1)
    hidden = suppress(cells)

    for extra in np.flatnonzero(hidden & ~_small(cells))[:6]:
        fewer = hidden.copy()
        fewer[extra] = False
        assert widths(cells, fewer).min() < SMALLEST_GROUP - 1e-6
