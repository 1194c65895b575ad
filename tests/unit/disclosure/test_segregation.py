"""Dissimilarity and exposure: their ends, what chance adds, and intervals that cover."""

import numpy as np
import pytest

from shared.disclosure.segregation import NobodyThere, dissimilarity, exposure


def test_groups_that_never_meet() -> None:
    one, other = np.array([50, 0, 50]), np.array([0, 80, 0])

    assert dissimilarity(one, other, np.random.default_rng(0)).value == 1
    assert exposure(one, other, np.random.default_rng(0)).value == 0


def test_groups_spread_alike() -> None:
    one, other = np.array([10, 20, 30]), np.array([20, 40, 60])

    assert dissimilarity(one, other, np.random.default_rng(0)).value == pytest.approx(0)
    assert exposure(one, other, np.random.default_rng(0)).value == pytest.approx(2 / 3)


def test_a_worked_example() -> None:
    one, other = np.array([30, 10]), np.array([20, 60])

    assert dissimilarity(one, other, np.random.default_rng(0)).value == pytest.approx((0.5 + 0.5) / 2)
    assert exposure(one, other, np.random.default_rng(0)).value == pytest.approx((30 * 0.4 + 10 * 6 / 7) / 40)


def test_small_units_are_uneven_by_chance_and_the_corrected_value_says_so() -> None:
    rng = np.random.default_rng(4)
    one, other = rng.multinomial(100, np.full(50, 0.02)), rng.multinomial(400, np.full(50, 0.02))

    found = dissimilarity(one, other, rng)

    assert found.value > 0.2
    assert abs(found.corrected) < 0.1


def test_intervals_cover_the_true_value() -> None:
    rng = np.random.default_rng(0)
    chances = rng.dirichlet(np.full(30, 3.0), 2)
    true = float(np.abs(chances[0] - chances[1]).sum() / 2)
    inside = 0

    for _ in range(100):
        found = dissimilarity(rng.multinomial(600, chances[0]), rng.multinomial(3_000, chances[1]), rng, 300)
        inside += found.lower <= true <= found.upper

    assert inside >= 90


def test_a_group_without_members_is_refused() -> None:
    with pytest.raises(NobodyThere):
        dissimilarity(np.zeros(3, np.int64), np.ones(3, np.int64), np.random.default_rng(0))
