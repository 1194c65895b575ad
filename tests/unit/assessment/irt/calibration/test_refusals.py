"""What cannot be calibrated is refused by name: nothing becomes a silent NaN."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from services.assessment.domain.irt import NOT_PRESENTED, Codes, Model, Parameters, Responses, Sparse
from services.assessment.domain.irt.calibration import NotCalibratable, calibrate
from services.assessment.domain.irt.calibration.refusals import (
    AnchorMismatch,
    AnsweredTwice,
    GroupsNotLinked,
    GroupTooSmall,
    ModelMismatch,
    NobodyAnswered,
    NoSpread,
    OneScoreOnly,
    UnusedCategory,
)
from services.assessment.domain.irt.kernels import kernel
from services.assessment.domain.irt.packing import ScoreOutOfRange
from tests.unit.assessment.irt.calibration.samples import answers, two_parameter_items

NAMES = ["add", "borrow", "carry", "divide"]


def some() -> Codes:
    random = np.random.default_rng(0)
    return answers(two_parameter_items(4, random), random.normal(size=200), random)


def attempt(
    responses: Responses | Sparse | Codes,
    *,
    model: Model = Model.TWO_PL,
    categories: Sequence[int] = (2, 2, 2, 2),
    anchors: Mapping[int, Parameters] | None = None,
    groups: Sequence[str] | None = None,
) -> Any:
    asked = Responses(responses) if isinstance(responses, np.ndarray) else responses
    return calibrate(
        asked,
        [model] * len(categories),
        categories=categories,
        kernel=kernel("numpy"),
        names=NAMES,
        anchors=anchors,
        groups=groups,
    )


@pytest.mark.parametrize("score", [0, 1])
def test_an_item_on_which_everybody_did_the_same(score: int) -> None:
    codes = some()
    codes[:, 2] = score

    with pytest.raises(OneScoreOnly, match=rf"score {score} on the item 'carry'"):
        attempt(codes)


def test_an_item_nobody_saw() -> None:
    codes = some()
    codes[:, 1] = NOT_PRESENTED

    with pytest.raises(NobodyAnswered, match="'borrow'"):
        attempt(codes)


def test_no_answers_at_all() -> None:
    with pytest.raises(NobodyAnswered, match="not a single response"):
        attempt(np.full((5, 4), NOT_PRESENTED, dtype=np.uint8))


def test_no_students() -> None:
    with pytest.raises(NobodyAnswered, match="not a single response"):
        attempt(np.empty((0, 4), dtype=np.uint8))


def test_a_category_nobody_reached() -> None:
    codes = some()
    codes[:, 3] *= 2

    with pytest.raises(UnusedCategory, match="score 1 of the item 'divide'"):
        attempt(codes, model=Model.GRM, categories=(2, 2, 2, 3))


def test_a_score_outside_the_range() -> None:
    codes = some()
    codes[7, 1] = 2

    with pytest.raises(ScoreOutOfRange, match="item 1 of student 7 has score 2"):
        attempt(codes)


def test_an_item_of_one_category() -> None:
    with pytest.raises(OneScoreOnly, match="'borrow' has a single score"):
        attempt(some(), categories=(2, 1, 2, 2))


def test_a_model_for_right_and_wrong_with_three_scores() -> None:
    with pytest.raises(ModelMismatch, match="'carry' has 3 scores"):
        attempt(some(), categories=(2, 2, 3, 2))


def test_an_anchor_that_is_no_item() -> None:
    with pytest.raises(AnchorMismatch, match="item 9"):
        attempt(some(), anchors={9: Parameters(Model.TWO_PL, (0.0,))})


def test_an_anchor_with_other_scores() -> None:
    with pytest.raises(AnchorMismatch, match="'add' has 3 scores, here it has 2"):
        attempt(some(), anchors={0: Parameters(Model.GRM, (0.0, 1.0))})


def test_a_student_who_answers_twice() -> None:
    entries = Sparse(
        np.array([0, 4, 9], dtype=np.int64),
        np.array([0, 1, 2, 3, 0, 1, 2, 2, 3], dtype=np.int32),
        np.array([0, 1, 0, 1, 1, 0, 1, 1, 0], dtype=np.uint8),
        4,
    )

    with pytest.raises(AnsweredTwice, match="student 1 has two responses to the item 'carry'"):
        attempt(entries)


def test_a_group_of_one_student() -> None:
    with pytest.raises(GroupTooSmall, match="'z' has 1 students"):
        attempt(some(), groups=["a"] * 199 + ["z"])


def test_groups_without_common_items() -> None:
    codes = some()
    codes[:100, :2] = NOT_PRESENTED
    codes[100:, 2:] = NOT_PRESENTED

    with pytest.raises(GroupsNotLinked, match="no items link the group 'b' to the group 'a'"):
        attempt(codes, groups=["a"] * 100 + ["b"] * 100)


def test_groups_that_a_third_one_links_are_calibrated() -> None:
    codes = np.concatenate([some(), some()])
    codes[:150, :2] = NOT_PRESENTED
    codes[150:300, 2:] = NOT_PRESENTED

    made = attempt(codes, groups=["a"] * 150 + ["b"] * 150 + ["c"] * 100)

    assert [each.students for each in made.groups] == [150, 150, 100]


def test_as_many_labels_as_students() -> None:
    with pytest.raises(NotCalibratable, match="200 students, but group labels of 3"):
        attempt(some(), groups=["a", "b", "c"])


def test_answers_that_show_no_differences_in_ability() -> None:
    # every student has two of four right: less spread than chance alone would give
    codes = np.array(
        [[1, 1, 0, 0], [0, 0, 1, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 0, 1], [0, 1, 1, 0]] * 20, dtype=np.uint8
    )

    with pytest.raises(NoSpread, match="no differences in ability"):
        attempt(codes, model=Model.RASCH)


def test_a_slope_without_end_is_said_and_not_called_converged() -> None:
    random = np.random.default_rng(0)
    codes = random.integers(0, 2, (500, 4)).astype(np.uint8)
    codes[:, 1] = codes[:, 0]

    made = attempt(codes)

    assert not made.converged
    assert made.covariance is None
    assert "'add'" in made.remark or "'borrow'" in made.remark
