"""Rates, gaps and risk ratios: published examples, coverage, and what empty groups say."""

import numpy as np
import pytest

from shared.disclosure.measures import BadCounts, Estimate, change, gap, rate, represented, risk_ratio

DRAWS = 20_000


def _one(some: int, all_: int) -> Estimate:
    return rate(np.array([some]), np.array([all_]))


def test_wilsons_interval_of_the_published_example() -> None:
    """Newcombe 1998 (Statistics in Medicine 17, 857-872), table I: 81 of 263."""
    found = _one(81, 263)

    assert found.lower[0] == pytest.approx(0.2553, abs=5e-5)
    assert found.upper[0] == pytest.approx(0.3662, abs=5e-5)


def test_newcombes_interval_of_the_published_example() -> None:
    """Newcombe 1998 (Statistics in Medicine 17, 873-890), table II, method 10: 56/70 less 48/80."""
    found = gap(_one(56, 70), _one(48, 80))

    assert found.value[0] == pytest.approx(0.2)
    assert found.lower[0] == pytest.approx(0.0524, abs=5e-5)
    assert found.upper[0] == pytest.approx(0.3339, abs=5e-5)


@pytest.mark.parametrize(("n1", "n2", "p1", "p2"), [(20, 30, 0.3, 0.3), (100, 400, 0.05, 0.05), (15, 15, 0.8, 0.5)])
def test_intervals_cover_as_often_as_they_say(n1: int, n2: int, p1: float, p2: float) -> None:
    rng = np.random.default_rng(1)

    def drawn(size: int, chance: float) -> Estimate:
        return rate(rng.binomial(size, chance, DRAWS), np.full(DRAWS, size))

    def covers(found: Estimate, true: float) -> float:
        return float(np.mean((found.lower <= true) & (true <= found.upper)))

    one, other = drawn(n1, p1), drawn(n2, p2)
    assert covers(gap(one, other), p1 - p2) >= 0.935
    assert covers(risk_ratio(one, other), p1 / p2) >= 0.935
    assert covers(change(gap(one, other), gap(drawn(n1, p1), drawn(n2, p2))), 0) >= 0.935


def test_an_empty_group_has_no_rate_and_no_gap() -> None:
    found = gap(_one(0, 0), _one(3, 9))

    assert np.isnan([found.value[0], found.lower[0], found.upper[0]]).all()


def test_nobody_of_a_group_has_an_exact_end_and_an_infinite_ratio_against_it() -> None:
    none = _one(0, 20)

    assert none.lower[0] == 0
    assert none.upper[0] > 0.1
    assert np.isinf(risk_ratio(_one(5, 20), none).upper[0])


def test_more_than_the_group_is_refused() -> None:
    with pytest.raises(BadCounts):
        _one(5, 4)


def test_groups_chosen_by_their_share_are_represented_as_they_are() -> None:
    found = represented(np.array([20, 40, 40]), np.array([200, 400, 400]))

    assert found.value == pytest.approx([1, 1, 1])
    assert not found.leaves_out(1).any()


def test_a_group_chosen_more_often_is_over_represented_by_its_share_of_the_chosen() -> None:
    found = represented(np.array([60, 40]), np.array([200, 800]))

    assert found.value == pytest.approx([(60 / 100) / (200 / 1000), (40 / 100) / (800 / 1000)])
    assert found.lower[0] > 1 > found.upper[1]


def test_limits_enclose_the_value() -> None:
    rng = np.random.default_rng(2)
    sizes = rng.integers(1, 60, (2, 5_000))
    one, other = (rate(rng.binomial(size, rng.uniform(0, 1, len(size))), size) for size in sizes)

    for found in (one, gap(one, other), risk_ratio(one, other)):
        known = np.isfinite(found.value)
        assert (found.lower[known] <= found.value[known] + 1e-12).all()
        assert (found.value[known] <= found.upper[known] + 1e-12).all()
