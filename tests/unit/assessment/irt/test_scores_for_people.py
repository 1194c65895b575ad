"""Raw-score tables and scales."""

from itertools import product

import numpy as np
import pytest

from services.assessment.domain.irt import Model, Parameters, Responses
from services.assessment.domain.irt.ability import eap
from services.assessment.domain.irt.scale import BadScale, Rounding, Scale
from services.assessment.domain.irt.sumscores import NoItems, sum_scores
from services.assessment.domain.irt.tables import tables
from tests.unit.assessment.irt.test_plain import CATEGORIES, ITEMS


def test_a_raw_score_speaks_for_the_mean_of_all_patterns_that_have_it() -> None:
    """Every pattern of five items, weighted by its likelihood: what the recursion must come to."""
    items, most = ITEMS[-4:], CATEGORIES[-4:]
    patterns = np.array(list(product(*(range(each) for each in most))), dtype=np.uint8)
    nodes = np.linspace(-6, 6, 601)
    weights = np.exp(-(nodes**2) / 2)
    weights /= weights.sum()
    table = tables(items, nodes, np.log(weights))
    first = np.concatenate([[0], np.cumsum(most)])
    logs = sum(table.logs[first[place] + patterns[:, place]] for place in range(len(items)))
    joint = np.exp(logs) * weights

    found = sum_scores(items)

    raw = patterns.sum(axis=1)
    for score in range(raw.max() + 1):
        own = joint[raw == score].sum(axis=0)
        assert found.frequency[score] == pytest.approx(own.sum(), abs=1e-8)
        mean = (own * nodes).sum() / own.sum()
        assert found.theta[score] == pytest.approx(mean, abs=1e-6)
        assert found.se[score] == pytest.approx(np.sqrt((own * (nodes - mean) ** 2).sum() / own.sum()), abs=1e-6)
    assert found.frequency.sum() == pytest.approx(1)


def test_under_rasch_a_raw_score_says_all_that_the_pattern_says() -> None:
    items = [Parameters(Model.RASCH, (b,)) for b in (-1.0, 0.0, 0.4, 2.0)]

    table = sum_scores(items)
    pattern = eap(Responses(np.array([[1, 0, 1, 0], [0, 0, 1, 1]], dtype=np.uint8)), items)

    np.testing.assert_allclose(pattern.theta, table.theta[2], atol=1e-9)
    np.testing.assert_allclose(pattern.se, table.se[2], atol=1e-9)


def test_a_table_of_no_items_is_refused() -> None:
    with pytest.raises(NoItems):
        sum_scores([])


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [
        (Rounding.HALF_UP, [201, 202, 100, 300]),
        (Rounding.HALF_EVEN, [200, 202, 100, 300]),
        (Rounding.NONE, [200.5, 201.5, 100, 300]),
    ],
)
def test_scores_are_scaled_bounded_and_rounded(rounding: Rounding, expected: list[float]) -> None:
    scale = Scale("points", 50, 200, 100, 300, rounding)

    assert scale.scores(np.array([0.01, 0.03, -9, np.inf])).tolist() == expected
    assert scale.errors(np.array([0.3])).tolist() == [15]
    assert scale.logits(scale.errors(np.array([4.0]))).tolist() == [0]
    assert np.isnan(scale.scores(np.array([np.nan]))).all()


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"slope": 0.0}, "slope of scale points is 0.0"),
        ({"slope": float("nan")}, "slope of scale points is nan"),
        ({"lowest": 300.0}, "not below the highest"),
        ({"lowest": 99.5}, "must be whole"),
        ({"name": " "}, "needs a name"),
    ],
)
def test_scales_that_cannot_be_are_refused(made: dict, said: str) -> None:
    usual = {"name": "points", "slope": 50.0, "intercept": 200.0, "lowest": 100.0, "highest": 300.0}

    with pytest.raises(BadScale, match=said):
        Scale(**usual | made)
