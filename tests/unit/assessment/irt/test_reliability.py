"""Reliability and precision of forms: published results, and what must hold."""

import numpy as np
import pytest

from services.assessment.domain.irt.models import Floats, Model, Parameters, log_probabilities
from services.assessment.domain.irt.reliability import (
    NoReliability,
    curves,
    empirical_reliability,
    marginal_reliability,
)
from tests.unit.assessment.irt.published import Published, published

FORM = [Parameters(Model.TWO_PL, (b,), 1.2) for b in (-1.0, 0.0, 1.0)]


def eap(known: Published) -> tuple[Floats, Floats]:
    theta = np.linspace(-6, 6, 121) * known.latent.sd
    logs = np.tile(-0.5 * (theta / known.latent.sd) ** 2, (len(known.codes), 1))
    for place, item in enumerate(known.items):
        logs += log_probabilities(item, theta)[known.codes[:, place]]
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    mean = weights @ theta
    return mean, np.sqrt(weights @ theta**2 - mean**2)


@pytest.mark.parametrize("name", ["LSAT6_2PL", "SAT12_2PL", "Science_graded"])
def test_marginal_reliability_agrees_with_mirt(name: str) -> None:
    known = published(name)

    assert marginal_reliability(known.items) == pytest.approx(known.results["marginal_rxx"], abs=1e-3)


@pytest.mark.parametrize("name", ["LSAT6_2PL", "LSAT6_Rasch", "SAT12_2PL", "Science_graded"])
def test_empirical_reliability_agrees_with_mirt(name: str) -> None:
    known = published(name)

    assert empirical_reliability(*eap(known)) == pytest.approx(known.results["empirical_rxx"], abs=1e-3)


@pytest.mark.parametrize("name", ["LSAT6_2PL", "LSAT6_Rasch", "SAT12_2PL", "Science_graded"])
def test_information_curves_agree_with_mirt(name: str) -> None:
    known = published(name)

    found = curves(known.items, np.array(known.results["theta_grid"], dtype=np.float64))

    assert found.information == pytest.approx(known.results["testinfo"], abs=1e-3)
    assert found.sem == pytest.approx(1 / np.sqrt(found.information))


def test_true_scores_rise_from_none_to_all_points() -> None:
    found = curves(FORM, np.array([-30.0, 0.0, 30.0]))

    assert found.true_score == pytest.approx([0.0, 1.5, 3.0], abs=1e-12)


def test_more_items_are_more_reliable() -> None:
    assert marginal_reliability(FORM * 4) > marginal_reliability(FORM)


def test_students_without_an_ability_are_left_out() -> None:
    theta, se = np.array([-1.0, 1.0, np.nan]), np.array([0.5, 0.5, np.nan])

    assert empirical_reliability(theta, se) == pytest.approx(2 / 2.25)


def test_nothing_has_no_reliability() -> None:
    with pytest.raises(NoReliability, match="without items"):
        curves([], np.zeros(1))
    with pytest.raises(NoReliability, match="1 students"):
        empirical_reliability(np.array([1.0, np.nan]), np.array([0.5, np.nan]))
