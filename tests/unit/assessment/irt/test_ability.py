"""Ability: what the estimates must obey, plain loops beside them, and published results."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assessment.domain.irt import DICHOTOMOUS, NOT_PRESENTED, NOT_REACHED, OMITTED, Model, Parameters
from services.assessment.domain.irt.models import log_probabilities
from services.assessment.domain.irt.plain import BATCH
from services.assessment.domain.scoring import abilities
from tests.e2e import recompute

slopes = st.floats(0.2, 4)
thresholds = st.floats(-6, 6)


@st.composite
def parameters(draw: st.DrawFn) -> Parameters:
    model = draw(st.sampled_from(list(Model)))
    a = 1.0 if model in (Model.RASCH, Model.PCM) else draw(slopes)
    c = draw(st.floats(0, 0.5)) if model is Model.THREE_PL else 0.0
    if model in (Model.RASCH, Model.ONE_PL, Model.TWO_PL, Model.THREE_PL):
        return Parameters(model, (draw(thresholds),), a, c)
    steps = draw(st.lists(thresholds, min_size=1, max_size=4, unique_by=lambda b: round(b, 1)))
    return Parameters(model, tuple(sorted(steps)), a, c)


@st.composite
def answered(draw: st.DrawFn) -> tuple[list[Parameters | None], list[list[int]]]:
    items = draw(st.lists(st.none() | parameters(), min_size=1, max_size=6))
    scores = [
        st.sampled_from([*range(len(item.b) + 1 if item else 2), NOT_REACHED, OMITTED, NOT_PRESENTED]) for item in items
    ]
    return items, draw(st.lists(st.tuples(*scores).map(list), min_size=1, max_size=5))


def plain_probability(item: Parameters, score: int, theta: float) -> float:
    """The textbook formulas, as they are printed."""
    if item.model in (Model.RASCH, Model.ONE_PL, Model.TWO_PL, Model.THREE_PL):
        right = item.c + (1 - item.c) / (1 + math.exp(-item.a * (theta - item.b[0])))
        return right if score else 1 - right
    if item.model is Model.GRM:
        at_least = [1.0, *(1 / (1 + math.exp(-item.a * (theta - b))) for b in item.b), 0.0]
        return at_least[score] - at_least[score + 1]
    weights = [math.exp(sum(item.a * (theta - b) for b in item.b[:k])) for k in range(len(item.b) + 1)]
    return weights[score] / math.fsum(weights)


def plain_ability(items: list[Parameters | None], scores: list[int]) -> tuple[float, float] | None:
    """As the platform's recomputation does it, with an item for a dictionary."""
    described = [
        {
            "maximum": len(item.b),
            "parameters": {"model": item.model.value, "a": item.a, "b": thresholds_of(item), "c": item.c},
        }
        if item
        else {"maximum": 1}
        for item in items
    ]
    used = [
        (item, 0 if code == OMITTED else code)
        for item, code in zip(described, scores, strict=True)
        if "parameters" in item and code not in (NOT_REACHED, NOT_PRESENTED)
    ]
    recompute._tables.clear()
    return recompute.ability({"items": described}, used) if used else None


def thresholds_of(item: Parameters) -> float | list[float]:
    """As forms files write them."""
    return item.b[0] if item.model in DICHOTOMOUS else list(item.b)


@given(parameters(), st.floats(-8, 8))
def test_the_scores_of_an_item_share_one_probability(item: Parameters, theta: float) -> None:
    found = np.exp(log_probabilities(item, np.array([theta])))[:, 0]

    assert math.fsum(found) == pytest.approx(1, abs=1e-12)
    for score, probability in enumerate(found):
        assert probability == pytest.approx(plain_probability(item, score, theta), abs=1e-12)


@given(answered())
def test_abilities_equal_plain_loops(case: tuple[list[Parameters | None], list[list[int]]]) -> None:
    items, sheets = case

    found = abilities(np.array(sheets, dtype=np.uint8), items)
    theta, error = found.theta, found.se

    for row, scores in enumerate(sheets):
        expected = plain_ability(items, scores)
        if expected is None:
            assert np.isnan(theta[row])
            assert np.isnan(error[row])
        else:
            assert theta[row] == pytest.approx(expected[0], abs=1e-9)
            assert error[row] == pytest.approx(expected[1], abs=1e-9)


@given(answered())
def test_a_student_s_estimate_has_the_same_bits_whoever_else_is_in_the_batch(
    case: tuple[list[Parameters | None], list[list[int]]],
) -> None:
    items, sheets = case
    crowd = np.array(sheets * (BATCH // len(sheets) + 2), dtype=np.uint8)

    together = abilities(crowd, items)

    for row, scores in enumerate(sheets):
        alone = abilities(np.array([scores], dtype=np.uint8), items)
        for crowded, own in ((together.theta, alone.theta), (together.se, alone.se)):
            copies = crowded[row :: len(sheets)]
            assert {value.tobytes() for value in copies} == {own[0].tobytes()}


@given(st.lists(parameters(), min_size=1, max_size=5), st.data())
def test_a_higher_score_never_lowers_ability(items: list[Parameters], data: st.DataObject) -> None:
    scores = [data.draw(st.integers(0, len(item.b))) for item in items]
    raised = data.draw(st.integers(0, len(items) - 1))
    better = list(scores)
    better[raised] = min(scores[raised] + 1, len(items[raised].b))

    theta = abilities(np.array([scores, better], dtype=np.uint8), items).theta

    assert theta[1] >= theta[0] - 1e-12


def test_nothing_underflows_far_from_the_items() -> None:
    items = [Parameters(Model.GRM, (18.0, 18.5, 19.0), 10.0), Parameters(Model.TWO_PL, (-20.0,), 10.0)] * 20

    found = abilities(np.array([[2, 0] * 20], dtype=np.uint8), items)

    assert np.isfinite(found.theta).all()
    assert np.isfinite(found.se).all()


def test_without_answers_there_is_no_ability() -> None:
    items = [Parameters(Model.RASCH, (0.0,)), None]

    found = abilities(np.array([[NOT_REACHED, 1], [NOT_PRESENTED, 0]], dtype=np.uint8), items)

    assert np.isnan(found.theta).all()
    assert np.isnan(found.se).all()


def test_omitted_counts_as_wrong_and_not_reached_not_at_all() -> None:
    items = [Parameters(Model.RASCH, (0.0,)), Parameters(Model.RASCH, (0.5,))]
    sheets = np.array([[1, 0], [1, OMITTED], [1, NOT_REACHED], [1, NOT_PRESENTED]], dtype=np.uint8)

    theta = abilities(sheets, items).theta

    assert theta[0] == theta[1]
    assert theta[2] == theta[3]
    assert theta[2] > theta[1]
