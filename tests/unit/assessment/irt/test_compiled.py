"""The compiled kernel gives the numbers of the numpy one, also where float32 alone would fail."""

import numpy as np
import pytest

from services.assessment.domain.irt import NOT_PRESENTED, Model, Parameters, Responses, compiled, plain
from services.assessment.domain.irt.ability import eap
from services.assessment.domain.irt.packing import pack
from services.assessment.domain.irt.quadrature import equally_spaced, log_normal_weights
from services.assessment.domain.irt.tables import tables
from tests.unit.assessment.irt.test_plain import CATEGORIES, as_sparse, some_responses, two_groups


def a_test(items: int, seed: int = 3) -> list[Parameters]:
    rng = np.random.default_rng(seed)
    return [
        Parameters(Model.TWO_PL, (float(b),), float(a))
        for a, b in zip(rng.lognormal(0, 0.3, items), rng.normal(0, 1, items), strict=True)
    ]


def answers(items: list[Parameters], theta: np.ndarray, seed: int = 4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    slopes, difficulties = np.array([item.a for item in items]), np.array([item.b[0] for item in items])
    chance = 1 / (1 + np.exp(-slopes * (theta[:, np.newaxis] - difficulties)))
    return (rng.random(chance.shape) < chance).astype(np.uint8)


@pytest.mark.parametrize("missing", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("sparse", [False, True])
def test_both_kernels_agree(missing: float, sparse: bool) -> None:
    responses, table = some_responses(9000, missing), two_groups()
    groups = np.arange(9000) % 2
    packed = pack(as_sparse(responses) if sparse else responses, CATEGORIES)

    ours, theirs = compiled.moments(packed, table, groups), plain.moments(packed, table, groups)
    step, other = compiled.expected(packed, table, groups), plain.expected(packed, table, groups)

    np.testing.assert_allclose(ours.mean, theirs.mean, atol=1e-5)
    np.testing.assert_allclose(ours.sd, theirs.sd, atol=1e-5)
    np.testing.assert_allclose(ours.log_marginal, theirs.log_marginal, atol=1e-5)
    assert step.log_likelihood == pytest.approx(other.log_likelihood, rel=1e-7, abs=9000 * 1e-7)
    np.testing.assert_allclose(step.counts, other.counts, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(step.mass, other.mass, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(
    ("items", "missing"),
    [
        (40, False),
        (40, True),
        (200, False),
        (200, True),
        (1000, True),
        pytest.param(1000, False, marks=pytest.mark.long),
    ],
)
def test_random_answers_to_long_tests_are_right(items: int, missing: bool) -> None:
    """Against a grid of 4,001 nodes from −10 to 10, in logarithms; float32 products alone are wrong by up to .47."""
    test, rng = a_test(items), np.random.default_rng(9)
    codes = np.concatenate([
        rng.integers(0, 2, (20, items)).astype(np.uint8),
        answers(test, rng.normal(size=20)),
        np.zeros((1, items), np.uint8),
        np.ones((1, items), np.uint8),
        # The first half right and the second wrong: what the first half makes all but impossible is the truth.
        (np.arange(items) < items // 2).astype(np.uint8)[np.newaxis],
        (np.argsort(np.argsort([item.b[0] for item in test])) >= items // 2).astype(np.uint8)[np.newaxis],
    ])  # fmt: skip
    if missing:
        codes[rng.random(codes.shape) < 0.1] = NOT_PRESENTED

    found = {name: eap(Responses(codes), test, kernel=kernel) for name, kernel in BOTH}

    nodes = np.linspace(-10, 10, 4001)
    table = tables(test, nodes, log_normal_weights(nodes))
    fine = plain.moments(pack(Responses(codes), [2] * items), table)
    for each in found.values():
        np.testing.assert_allclose(each.theta, fine.mean, atol=1e-4)
        np.testing.assert_allclose(each.se, fine.sd, atol=1e-4)
    np.testing.assert_allclose(found["numba"].theta, found["numpy"].theta, atol=1e-5)
    np.testing.assert_allclose(found["numba"].se, found["numpy"].se, atol=1e-5)


BOTH = (("numpy", plain), ("numba", compiled))


def test_the_e_step_of_unlikely_students_is_right() -> None:
    test = a_test(1000)
    codes = np.random.default_rng(2).integers(0, 2, (30, 1000)).astype(np.uint8)
    nodes = equally_spaced(201)
    table = tables(test, nodes, log_normal_weights(nodes))
    packed = pack(Responses(codes), [2] * 1000)

    ours, theirs = compiled.expected(packed, table), plain.expected(packed, table)

    assert ours.log_likelihood == pytest.approx(theirs.log_likelihood, rel=1e-9)
    np.testing.assert_allclose(ours.counts, theirs.counts, atol=1e-4)


def test_a_student_has_the_same_bits_whoever_else_is_there() -> None:
    test = a_test(40)
    codes = answers(test, np.random.default_rng(1).normal(size=20_000))

    together = eap(Responses(codes), test, kernel=compiled)

    for student in (0, 8191, 8192, 19_999):
        alone = eap(Responses(codes[student : student + 1]), test, kernel=compiled)
        assert alone.theta[0] == together.theta[student]
        assert alone.se[0] == together.se[student]


def test_scales_far_from_logits_do_not_overflow() -> None:
    items = [Parameters(Model.TWO_PL, (500.0 + 10 * step,), 0.01) for step in range(-20, 20)]
    nodes = equally_spaced(61, 500, 100)
    table = tables(items, nodes, log_normal_weights(nodes, 500, 100))
    packed = pack(Responses(np.random.default_rng(0).integers(0, 2, (50, 40)).astype(np.uint8)), [2] * 40)

    ours, theirs = compiled.moments(packed, table), plain.moments(packed, table)

    np.testing.assert_allclose(ours.mean, theirs.mean, atol=1e-3)
    np.testing.assert_allclose(ours.sd, theirs.sd, atol=1e-3)
