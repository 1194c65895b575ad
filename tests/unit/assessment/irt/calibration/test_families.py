"""The formulas in slope and intercepts: equal to those in a and b, and their derivatives to finite differences."""

import numpy as np
import pytest

from services.assessment.domain.irt import Model, Parameters
from services.assessment.domain.irt.calibration import families
from services.assessment.domain.irt.calibration.families import Family
from services.assessment.domain.irt.models import Floats, information, log_probabilities

THETA = np.linspace(-4, 4, 9)
CASES = [
    (Parameters(Model.TWO_PL, (0.4,), 1.3), Family.CREDIT),
    (Parameters(Model.TWO_PL, (0.4,), -1.3), Family.CREDIT),
    (Parameters(Model.GPCM, (0.6, -0.8, 0.1), 0.9), Family.CREDIT),
    (Parameters(Model.GRM, (-1.0, 0.1, 0.3), 1.7), Family.GRADED),
    (Parameters(Model.GRM, (1.0, -0.2), -0.7), Family.GRADED),
    (Parameters(Model.THREE_PL, (0.5,), 1.4, 0.22), Family.GUESSING),
]
STEP = 1e-5


def row(item: Parameters, family: Family) -> Floats:
    d = [-item.a * b for b in item.b]
    return np.array([[item.a, *d, *([item.c] if family is Family.GUESSING else [])]])


def shifted(x: Floats, by: dict[int, float]) -> Floats:
    made = x.copy()
    for column, step in by.items():
        made[0, column] += step
    return made


@pytest.mark.parametrize(("item", "family"), CASES)
def test_a_family_has_the_probabilities_of_its_model(item: Parameters, family: Family) -> None:
    made = families.log_probabilities(family, row(item, family), THETA)[0]

    assert made == pytest.approx(log_probabilities(item, THETA), abs=1e-12)


def test_no_guessing_is_the_two_parameter_model() -> None:
    x = np.array([[1.1, -0.3, 0.0]])

    made = families.log_probabilities(Family.GUESSING, x, THETA)

    assert made == pytest.approx(families.log_probabilities(Family.CREDIT, x[:, :2], THETA), abs=1e-12)


@pytest.mark.parametrize(("item", "family"), CASES)
def test_scores_are_the_derivatives_of_log_probabilities(item: Parameters, family: Family) -> None:
    x = row(item, family)

    made = families.scores(family, x, THETA)[0]

    for column in range(x.shape[1]):
        up = families.log_probabilities(family, shifted(x, {column: STEP}), THETA)[0]
        down = families.log_probabilities(family, shifted(x, {column: -STEP}), THETA)[0]
        assert made[column] == pytest.approx((up - down) / (2 * STEP), abs=1e-7)


@pytest.mark.parametrize(("item", "family"), CASES)
def test_curvature_is_the_derivative_of_scores(item: Parameters, family: Family) -> None:
    x = row(item, family)
    counts = np.random.default_rng(3).random((1, item.categories, len(THETA)))

    made = families.curvature(family, x, THETA, counts)[0]

    for column in range(x.shape[1]):
        up = (families.scores(family, shifted(x, {column: STEP}), THETA)[0] * counts[0]).sum(axis=(1, 2))
        down = (families.scores(family, shifted(x, {column: -STEP}), THETA)[0] * counts[0]).sum(axis=(1, 2))
        assert made[column] == pytest.approx((up - down) / (2 * STEP), abs=1e-6)


@pytest.mark.parametrize(("item", "family"), CASES)
def test_expected_information_is_minus_the_curvature_of_expected_counts(item: Parameters, family: Family) -> None:
    x = row(item, family)
    trials = np.arange(1.0, len(THETA) + 1)[np.newaxis]
    counts = np.exp(families.log_probabilities(family, x, THETA)) * trials[:, np.newaxis]

    information = families.fisher(family, x, THETA, trials)

    assert information == pytest.approx(-families.curvature(family, x, THETA, counts), abs=1e-10)


@pytest.mark.parametrize(
    ("family", "x"),
    [
        (Family.GRADED, [1.0, 0.5, 0.6]),
        (Family.GRADED, [1.0, 0.5, 0.5]),
        (Family.GUESSING, [1.0, 0.0, -0.01]),
        (Family.GUESSING, [1.0, 0.0, 1.0]),
        (Family.CREDIT, [np.nan, 0.0]),
    ],
)
def test_parameters_outside_a_model_are_not_possible(family: Family, x: list[float]) -> None:
    assert not families.possible(family, np.array([x]))[0]


@pytest.mark.parametrize(("item", "family"), CASES)
def test_the_information_on_ability_is_that_of_the_model(item: Parameters, family: Family) -> None:
    made = families.information(family, row(item, family), THETA)[0]

    assert made == pytest.approx(information(item, THETA), abs=1e-10)
