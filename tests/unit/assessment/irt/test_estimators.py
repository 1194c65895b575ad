"""EAP, MAP, WLE and ML: published results, the PyPI package mirt on random designs, and what must hold."""

import json
from pathlib import Path

import mirt
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assessment.domain.irt import (
    NOT_PRESENTED,
    NOT_REACHED,
    OMITTED,
    Model,
    Parameters,
    Responses,
    compiled,
    plain,
)
from services.assessment.domain.irt.ability import Method, Prior, eap, estimate, map_, ml, wle
from services.assessment.domain.irt.models import information, log_probabilities
from services.assessment.domain.irt.responses import Counts, Policy, usable
from tests.unit.assessment.irt.test_plain import ITEMS, as_sparse, some_responses

GOLDEN = Path(__file__).parents[4].parent / "shared" / "data" / "golden"
NAMES = ["LSAT6_2PL", "LSAT6_Rasch", "ICAR16_2PL", "ICAR16_Rasch", "SAT12_2PL", "Science_graded"]


@pytest.mark.skipif(not GOLDEN.exists(), reason="the published results are not beside the project")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", list(Method))
def test_estimates_are_those_of_r(name: str, method: Method) -> None:
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    told = golden["scores"].get(method.name)
    if told is None:
        pytest.skip("the file has no such scores")
    items = items_of(golden)
    lowest = 1 if name == "Science_graded" else 0
    codes = np.array(
        [[NOT_PRESENTED if v is None else v - lowest for v in told[item]] for item in golden["items"]], dtype=np.uint8
    ).T
    sd = float(np.ravel(golden["group"]["cov"])[0]) ** 0.5

    found = estimate(
        method,
        Responses(np.ascontiguousarray(codes)),
        items,
        prior=Prior(float(np.ravel(golden["group"]["means"])[0]), sd),
    )

    theta, se = (np.array([np.nan if v is None else v for v in told[column]], float) for column in ("F1", "SE_F1"))
    finite = np.isfinite(theta)
    # R's quadrature ends at ±6 whatever the latent sd is; of ICAR16 (sd 1.44) that cuts off the lowest scores.
    atol = 3e-3 if (name, method) == ("ICAR16_Rasch", Method.EAP) else 1e-3
    np.testing.assert_allclose(found.theta[finite], theta[finite], atol=atol)
    np.testing.assert_allclose(found.se[finite], se[finite], atol=atol)
    assert np.isinf(found.theta[~finite]).all()


def items_of(golden: dict) -> list[Parameters]:
    told = golden["coef"]
    if "b1" in told:
        steps = zip(*(told[name] for name in ("b1", "b2", "b3")), strict=True)
        return [Parameters(Model.GRM, b, a) for a, b in zip(told["a"], steps, strict=True)]
    return [Parameters(Model.TWO_PL, (b,), a) for a, b in zip(told["a"], told["b"], strict=True)]


@pytest.mark.parametrize("seed", range(20))
def test_estimates_are_those_of_another_program(seed: int) -> None:
    rng = np.random.default_rng(seed)
    items = int(rng.integers(10, 40))
    a, b = rng.uniform(0.5, 2, items), rng.normal(0, 1, items)
    codes = (rng.random((60, items)) < 1 / (1 + np.exp(-a * (rng.normal(size=(60, 1)) - b)))).astype(np.uint8)
    codes = codes[(codes.mean(axis=1) > 0.1) & (codes.mean(axis=1) < 0.9)]
    test = [Parameters(Model.TWO_PL, (float(y),), float(x)) for x, y in zip(a, b, strict=True)]

    for method in Method:
        ours = estimate(method, Responses(codes), test)
        theirs = their_scores(a, b, codes, method)
        # Its searches end up to .0015 from the maximum; R's and ours agree to 1e-5.
        np.testing.assert_allclose(ours.theta, theirs, atol=1e-3 if method is Method.EAP else 2e-3)


def their_scores(a: np.ndarray, b: np.ndarray, codes: np.ndarray, method: Method) -> np.ndarray:
    model = mirt.TwoParameterLogistic(n_items=len(a))
    model.set_parameters(discrimination=a, difficulty=b)
    model._is_fitted = True  # the package has no public way to say that parameters are known
    return np.ravel(mirt.fscores(model, codes.astype(int), method=method.name, n_quadpts=121).theta)


@given(st.data())
def test_a_right_answer_never_lowers_an_ability(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 12))
    items = [
        Parameters(Model.TWO_PL, (data.draw(st.floats(-3, 3)),), data.draw(st.floats(0.3, 3))) for _ in range(size)
    ]
    codes = np.array([data.draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))] * 2, dtype=np.uint8)
    codes[1, data.draw(st.integers(0, size - 1))] = 1

    for method in Method:
        theta = estimate(method, Responses(codes), items).theta
        assert theta[1] >= theta[0] - 1e-7


@pytest.mark.parametrize("method", list(Method))
def test_permuting_items_and_students_changes_nothing(method: Method) -> None:
    responses, rng = some_responses(50, 0.1), np.random.default_rng(8)
    order, students = rng.permutation(len(ITEMS)), rng.permutation(50)

    found = estimate(method, responses, ITEMS)
    other = estimate(method, Responses(responses.codes[students][:, order]), [ITEMS[place] for place in order])

    finite = np.isfinite(found.theta[students])
    np.testing.assert_allclose(other.theta[finite], found.theta[students][finite], atol=1e-7)
    np.testing.assert_array_equal(np.isinf(other.theta), np.isinf(found.theta[students]))


@pytest.mark.parametrize("method", list(Method))
def test_sparse_responses_have_the_same_estimates(method: Method) -> None:
    responses = some_responses(60, 0.4)
    responses.codes[5] = NOT_PRESENTED

    dense, sparse = estimate(method, responses, ITEMS), estimate(method, as_sparse(responses), ITEMS)

    np.testing.assert_allclose(sparse.theta, dense.theta, atol=1e-9)
    np.testing.assert_allclose(sparse.se, dense.se, atol=1e-9)
    assert np.isnan(dense.theta[5])


@pytest.mark.parametrize("method", [Method.MAP, Method.ML])
def test_of_several_maxima_the_highest_is_taken(method: Method) -> None:
    """Under guessing a pattern may be likely in two places; a fine grid says where more."""
    items = [Parameters(Model.THREE_PL, (float(b),), 2.5, 0.25) for b in np.linspace(-2, 2.5, 14)]
    codes = np.random.default_rng(6).integers(0, 2, (300, 14)).astype(np.uint8)

    found = estimate(method, Responses(codes), items)

    grid = np.linspace(-12, 12, 24_001)
    logs = sum(log_probabilities(item, grid)[codes[:, place]] for place, item in enumerate(items))
    if method is Method.MAP:
        logs = logs - grid**2 / 2
    best = logs.argmax(axis=1)
    inner = np.isfinite(found.theta)
    assert inner.sum() > 100
    np.testing.assert_allclose(found.theta[inner], grid[best][inner], atol=2e-3)
    assert set(best[~inner].tolist()) <= {*range(4_000), *range(20_000, 24_001)}


def test_all_right_and_all_wrong_have_no_finite_maximum_but_bounds() -> None:
    items = [Parameters(Model.TWO_PL, (0.0,), 1.0), Parameters(Model.TWO_PL, (1.0,), -0.7)]
    codes = np.array([[1, 0], [0, 1], [1, NOT_PRESENTED]], dtype=np.uint8)

    free, bounded = ml(Responses(codes), items), ml(Responses(codes), items, bounds=(-4, 4))

    assert free.theta.tolist() == [np.inf, -np.inf, np.inf]
    assert np.isinf(free.se).all()
    assert bounded.theta.tolist() == [4, -4, 4]
    told = [float(information(item, np.array([4.0]))[0]) for item in items]
    assert bounded.se[0] == pytest.approx(sum(told) ** -0.5)
    assert bounded.se[2] == pytest.approx(told[0] ** -0.5)
    assert np.isfinite(wle(Responses(codes), items).theta).all()


def test_standard_errors_fall_with_information() -> None:
    responses = some_responses(200, 0.0)
    fewer = Responses(responses.codes.copy())
    fewer.codes[:, ::2] = NOT_PRESENTED

    for method in (eap, map_, wle):
        assert method(responses, ITEMS).se.mean() < method(fewer, ITEMS).se.mean()


def test_policies_say_what_no_answer_counts_as() -> None:
    codes = np.array([[1, OMITTED, NOT_REACHED, NOT_PRESENTED]], dtype=np.uint8)

    usual = usable(codes)
    strict = usable(codes, Policy(Counts.NOT_PRESENTED, Counts.WRONG, Counts.WRONG))

    assert usual.tolist() == [[1, 0, NOT_PRESENTED, NOT_PRESENTED]]
    assert strict.tolist() == [[1, NOT_PRESENTED, 0, 0]]


@pytest.mark.parametrize("method", [Method.MAP, Method.WLE, Method.ML])
def test_compiled_searches_find_what_numpy_finds(method: Method) -> None:
    """Mixed models, a negative slope, missing answers; and guessing, where a likelihood may have two maxima."""
    guessed = [Parameters(Model.THREE_PL, (float(b),), 2.5, 0.25) for b in np.linspace(-2, 2.5, 14)]
    random = Responses(np.random.default_rng(6).integers(0, 2, (300, 14)).astype(np.uint8))
    mixed = some_responses(400, 0.2)
    mixed.codes[7] = NOT_PRESENTED

    for responses, items in ((mixed, ITEMS), (random, guessed)):
        ours, theirs = (estimate(method, responses, items, kernel=each) for each in (compiled, plain))
        np.testing.assert_allclose(ours.theta, theirs.theta, atol=1e-7)
        np.testing.assert_allclose(ours.se, theirs.se, rtol=1e-5)
