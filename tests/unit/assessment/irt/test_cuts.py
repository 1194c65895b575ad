"""Cut scores: levels, and how right and repeatable they are."""

import numpy as np
import pytest

from services.assessment.domain.irt.cuts import BadCuts, lee, levels, rudner, score_distribution
from services.assessment.domain.irt.models import Floats, Model, Parameters, probabilities
from services.assessment.domain.irt.quadrature import equally_spaced, log_normal_weights

FORM = [
    *(Parameters(Model.TWO_PL, (b,), 1.3) for b in np.linspace(-2, 2, 12).tolist()),
    Parameters(Model.GRM, (-0.5, 0.6), 1.0),
]
THETA = equally_spaced(61)
WEIGHTS = np.exp(log_normal_weights(THETA))


def test_a_student_at_a_cut_is_in_the_level_above_with_even_odds() -> None:
    found = levels(np.array([0.5, -2.0, np.nan]), np.array([0.3, 0.3, np.nan]), [0.5])

    assert found.level.tolist() == [1, 0, -1]
    assert found.probability[0] == pytest.approx([0.5, 0.5])
    assert found.probability[1, 0] > 0.999
    assert np.isnan(found.probability[2]).all()


def test_probabilities_of_all_levels_add_up_to_one() -> None:
    found = levels(np.linspace(-3, 3, 50), np.full(50, 0.4), [-1.0, 0.2, 1.1])

    assert found.probability.sum(axis=1) == pytest.approx(1.0)
    assert found.probability[np.arange(50), found.level].min() > 1 / 4


def test_accuracy_is_the_part_of_students_in_their_true_level_and_consistency_that_of_equal_levels() -> None:
    rng = np.random.default_rng(4)
    truth = rng.normal(size=200_000)
    se = 0.4
    reliability = 1 / (1 + se * se)
    # EAP under the prior the truth was drawn from: then θ given the estimate is N(θ̂, sd²), what Rudner assumes.
    once, again = (reliability * (truth + se * rng.normal(size=truth.size)) for _ in range(2))
    sd = np.full(truth.size, np.sqrt(1 - reliability))
    cuts = [-0.7, 0.6]

    told = rudner(once, sd, cuts)

    truly, first, second = (np.searchsorted(cuts, each, side="right") for each in (truth, once, again))
    assert told.accuracy == pytest.approx((truly == first).mean(), abs=0.004)
    assert told.expected == pytest.approx(np.bincount(truly) / truth.size, abs=0.004)
    for level, accuracy in enumerate(told.accuracy_by_level):
        assert accuracy == pytest.approx((truly == first)[first == level].mean(), abs=0.006)
    assert told.consistency < told.accuracy
    assert told.consistency == pytest.approx((first == second).mean(), abs=0.04)


def test_lee_agrees_with_tests_taken_twice() -> None:
    rng = np.random.default_rng(6)
    truth = rng.normal(size=60_000)
    cuts = [5, 9]
    true_score = np.sum([np.arange(item.categories) @ probabilities(item, truth) for item in FORM], axis=0)

    told = lee(FORM, cuts, THETA, WEIGHTS)

    truly = np.searchsorted(cuts, true_score, side="right")
    first, second = (np.searchsorted(cuts, sum_scores(truth, rng), side="right") for _ in range(2))
    agreement = (first == second).mean()
    chance = np.square(np.bincount(first) / truth.size).sum()
    assert told.accuracy == pytest.approx((truly == first).mean(), abs=0.01)
    assert told.consistency == pytest.approx(agreement, abs=0.01)
    assert told.kappa == pytest.approx((agreement - chance) / (1 - chance), abs=0.015)


def sum_scores(theta: Floats, rng: np.random.Generator) -> Floats:
    total = np.zeros(len(theta))
    for item in FORM:
        at_most = np.cumsum(probabilities(item, theta), axis=0)[:-1]
        total += (rng.random(len(theta)) > at_most).sum(axis=0)
    return total


def test_sum_scores_are_distributed_as_lord_and_wingersky_say() -> None:
    theta = np.array([-1.0, 0.3])
    two = FORM[:2]

    found = score_distribution(two, theta)

    right = np.stack([probabilities(item, theta)[1] for item in two])
    both = right.prod(axis=0)
    assert found == pytest.approx(np.stack([(1 - right).prod(axis=0), right.sum(axis=0) - 2 * both, both]))


def test_a_cut_that_everybody_passes_is_always_right() -> None:
    found = rudner(np.array([0.0, 1.0]), np.array([0.3, 0.3]), [-9.0])

    assert (found.accuracy, found.consistency) == pytest.approx((1.0, 1.0))
    assert found.accuracy_by_level[0] is None


@pytest.mark.parametrize(
    ("cuts", "said"),
    [([], "without a cut"), ([1.0, 1.0], "finite and rise"), ([float("nan")], "finite and rise")],
)
def test_cuts_that_divide_nothing_are_refused(cuts: list[float], said: str) -> None:
    with pytest.raises(BadCuts, match=said):
        levels(np.zeros(1), np.ones(1), cuts)


def test_bad_students_and_forms_are_named() -> None:
    with pytest.raises(BadCuts, match=r"student 1: a standard error of 0\.0"):
        levels(np.zeros(2), np.array([0.3, 0.0]), [0.0])
    with pytest.raises(BadCuts, match="at most at 14 points"):
        lee(FORM, [5, 15], THETA, WEIGHTS)
    with pytest.raises(BadCuts, match="sum is 1"):
        lee(FORM, [5], THETA, 2 * WEIGHTS)
    with pytest.raises(BadCuts, match="no student"):
        rudner(np.array([np.nan]), np.array([np.nan]), [0.0])
