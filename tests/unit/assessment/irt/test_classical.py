"""Classical statistics: worked by hand, and against plain numpy where nothing is missing."""

import numpy as np
import pytest

from services.assessment.domain.irt.classical import NoCovariance, classical, covariances, options
from services.assessment.domain.irt.responses import NOT_PRESENTED
from tests.unit.assessment.irt.published import DATA, published

FOUR = np.array([[0, 0, 1], [1, 0, 2], [1, 1, 0], [1, 1, 2]], dtype=np.uint8)


def test_difficulty_is_the_share_of_the_highest_score() -> None:
    found = classical(FOUR, highest=np.array([1, 1, 3]))

    assert found.difficulty.tolist() == [0.75, 0.5, 5 / 12]
    assert found.answered.tolist() == [4, 4, 4]


def test_discrimination_is_the_correlation_with_the_other_items() -> None:
    case = published("SAT12_2PL")
    points = case.codes.astype(np.float64)

    found = classical(case.codes)

    for item in range(points.shape[1]):
        rest = points.sum(axis=1) - points[:, item]
        assert found.discrimination[item] == pytest.approx(np.corrcoef(points[:, item], rest)[0, 1])
        assert found.item_total[item] == pytest.approx(np.corrcoef(points[:, item], points.sum(axis=1))[0, 1])


def test_alpha_is_cronbachs() -> None:
    case = published("LSAT6_2PL")
    points = case.codes.astype(np.float64)

    found = classical(case.codes)

    total = points.sum(axis=1).var(ddof=1)
    assert found.alpha == pytest.approx(5 / 4 * (1 - points.var(axis=0, ddof=1).sum() / total))
    assert found.alpha == pytest.approx(0.295, abs=0.001)  # as every textbook that uses LSAT6 has it
    assert found.alpha_without[0] == pytest.approx(classical(case.codes[:, 1:]).alpha)


def test_missing_responses_take_no_part() -> None:
    codes = FOUR.copy()
    codes[0, 1] = NOT_PRESENTED

    found = classical(codes, highest=np.array([1, 1, 3]))

    assert found.difficulty[1] == pytest.approx(2 / 3)
    assert found.answered[1] == 3
    pair = covariances(codes)
    assert pair[0, 1] == pytest.approx(np.cov(codes[1:, 0], codes[1:, 1])[0, 1])


def test_an_item_all_answer_alike_has_its_reason() -> None:
    codes = np.tile(FOUR, (3, 1))
    codes[:, 0] = 1
    codes = np.concatenate([codes, np.full((12, 1), 0, dtype=np.uint8)], axis=1)

    found = classical(codes, names=["a", "b", "c", "d"])

    assert found.reasons[0] == "a: everybody got the same score, which correlates with nothing."
    assert found.reasons[3] == "d: everybody got the same score, which correlates with nothing."
    assert np.isnan(found.discrimination).tolist() == [True, False, False, True]
    assert found.difficulty[[0, 3]].tolist() == [1.0, 0.0]


def test_items_nobody_answered_together_have_no_alpha() -> None:
    codes = FOUR.copy()
    codes[:2, 0] = NOT_PRESENTED
    codes[2:, 1] = NOT_PRESENTED

    with pytest.raises(NoCovariance, match="Items 1 and 2"):
        classical(codes)


def test_the_right_option_goes_with_the_rest_of_the_test() -> None:
    case = published("SAT12_2PL")
    chosen = np.loadtxt(DATA / "irt" / "SAT12.csv", delimiter=",", skiprows=1)[:, 0].astype(np.int64)
    rest = case.codes[:, 1:].mean(axis=1)

    found = {one.chosen: one for one in options(chosen, rest)}

    assert found[1].count == int(case.codes[:, 0].sum())  # 1 is the key of the first item
    assert found[1].correlation > 0.1
    assert all(one.correlation < 0.1 for key, one in found.items() if key != 1)
    assert sum(one.share for one in found.values()) == pytest.approx(1)
