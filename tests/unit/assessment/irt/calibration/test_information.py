"""Standard errors: the observed information, against second differences of a slow likelihood and between its ways."""

from collections.abc import Sequence

import numpy as np
import pytest

from services.assessment.domain.irt import NOT_PRESENTED, Codes, Model, Parameters, Responses, Sparse
from services.assessment.domain.irt.calibration import Calibration, Prior, calibrate, pairs, pairs_compiled, prior
from services.assessment.domain.irt.kernels import kernel
from services.assessment.domain.irt.models import Floats
from tests.unit.assessment.irt.calibration.samples import (
    MIXED,
    answers,
    categories,
    models,
    moved,
    slow_log_likelihood,
    sparse,
)

STEP = 2e-3
RASCH = tuple(Parameters(Model.RASCH, (b,)) for b in (-1.0, 0.0, 0.3, 1.2))
ONE_SLOPE = tuple(Parameters(Model.ONE_PL, (b,), 1.3) for b in (-1.0, 0.0, 0.3, 1.2))
PARTIAL = (*RASCH, Parameters(Model.PCM, (0.5, -0.4)))
GUESSING = tuple(Parameters(Model.THREE_PL, (b,), 1.4, 0.2) for b in (-1.0, -0.3, 0.0, 0.4, 1.0, 1.5))


def some_answers(items: Sequence[Parameters], students: int, seed: int, missing: float) -> tuple[Codes, list[int]]:
    """Responses of two groups, the second half a logit higher."""
    random = np.random.default_rng(seed)
    group = (np.arange(students) % 2).tolist()
    codes = answers(items, random.normal(0.5 * np.array(group), 1.0), random)
    codes[random.random(codes.shape) < missing] = NOT_PRESENTED
    return codes, group


def log_posterior(
    codes: Codes,
    made: Calibration,
    group: Sequence[int],
    steps: Sequence[tuple[int, float]],
    priors: Sequence[Prior],
) -> float:
    """The slow log-likelihood, and the log prior of b and c, with some free numbers moved."""
    items, latent = list(made.items), [(each.mean, each.sd) for each in made.groups]
    for at, by in steps:
        items, latent = moved(items, latent, made.free[at], by)
    total = slow_log_likelihood(codes, items, group, latent)
    for each in priors:
        own = [getattr(item, each.name) for item in items]
        total += float(each.density.log(np.concatenate([np.ravel(value) for value in own])).sum())
    return total


def second_differences(codes: Codes, made: Calibration, group: Sequence[int], priors: Sequence[Prior]) -> Floats:
    """Minus the second derivatives of the log posterior by all that is free, numerically."""
    count = len(made.free)
    found = np.empty((count, count))
    for one in range(count):
        for other in range(one + 1):
            total = sum(
                sign * log_posterior(codes, made, group, [(one, up), (other, across)], priors)
                for sign, up, across in (
                    (1, STEP, STEP),
                    (-1, STEP, -STEP),
                    (-1, -STEP, STEP),
                    (1, -STEP, -STEP),
                )
            )
            found[one, other] = found[other, one] = -total / (4 * STEP * STEP)
    return found


@pytest.mark.parametrize(
    ("items", "groups", "missing", "spelled"),
    [
        pytest.param(MIXED[:4], 2, 0.2, (), marks=pytest.mark.long),
        (MIXED[3:], 1, 0.0, ()),
        (RASCH, 2, 0.0, ()),
        pytest.param(PARTIAL, 1, 0.0, (), marks=pytest.mark.long),
        (ONE_SLOPE, 2, 0.1, ()),
        (GUESSING, 1, 0.0, ("a:lognormal(0.3,0.3)", "b:normal(0,1.5)", "c:beta(8,32)")),
    ],
    ids=[
        "mixed, two groups, missing",
        "graded",
        "rasch, two groups",
        "partial credit",
        "one slope",
        "guessing, priors",
    ],
)
def test_the_covariance_inverts_the_second_differences_of_the_likelihood(
    items: Sequence[Parameters], groups: int, missing: float, spelled: Sequence[str]
) -> None:
    codes, group = some_answers(items, 240, 5, missing)
    group = group if groups == 2 else [0] * len(group)
    priors = [prior(each) for each in spelled]

    made = calibrate(
        Responses(codes),
        models(items),
        categories=categories(items),
        kernel=kernel("numpy"),
        groups=[str(each) for each in group],
        priors=priors,
    )

    expected = np.linalg.inv(second_differences(codes, made, group, priors))
    errors = np.sqrt(np.diag(expected))
    assert made.covariance is not None
    assert made.covariance / np.outer(errors, errors) == pytest.approx(expected / np.outer(errors, errors), abs=5e-3)


@pytest.mark.parametrize("items", [MIXED, RASCH, ONE_SLOPE])
def test_the_estimates_are_at_the_top(items: Sequence[Parameters]) -> None:
    codes, group = some_answers(items, 300, 8, 0.1)

    made = calibrate(
        Responses(codes),
        models(items),
        categories=categories(items),
        kernel=kernel("numpy"),
        groups=[str(each) for each in group],
    )

    assert made.covariance is not None
    for at in range(len(made.free)):
        error = float(np.sqrt(made.covariance[at, at]))
        below, above = (log_posterior(codes, made, group, [(at, by * error)], ()) for by in (-0.05, 0.05))
        # a parabola through both and the top has its vertex within a hundredth of the standard error
        top = log_posterior(codes, made, group, [], ())
        assert abs(0.05 * 0.5 * (above - below) / (2 * top - above - below)) < 0.01


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_the_three_ways_to_the_information_agree(missing: float) -> None:
    items = tuple(item for item in MIXED if item.model is not Model.GRM) + RASCH[:2]
    codes, group = some_answers(items, 400, 3, missing)
    labels = [str(each) for each in group]

    def made(responses: Responses | Sparse) -> Floats:
        found = calibrate(
            responses, models(items), categories=categories(items), kernel=kernel("numpy"), groups=labels
        ).covariance
        assert found is not None
        return found

    dense = made(Responses(codes))

    # without missing answers the first is of the separable kind and, with an item nobody knows of, of the paired
    assert made(sparse(codes)) == pytest.approx(dense, abs=1e-4)


def test_a_complete_form_has_the_same_errors_by_pairs() -> None:
    items = tuple(item for item in MIXED if item.model is not Model.GRM)
    codes, _ = some_answers(items, 400, 4, 0.0)
    with_silent = np.concatenate([codes, np.full((1, len(items)), NOT_PRESENTED, dtype=np.uint8)])

    separable = calibrate(Responses(codes), models(items), categories=categories(items), kernel=kernel("numpy"))
    paired = calibrate(Responses(with_silent), models(items), categories=categories(items), kernel=kernel("numpy"))

    assert separable.covariance is not None
    assert paired.covariance == pytest.approx(separable.covariance, abs=1e-4)


def test_counting_pairs_compiled_is_counting_pairs_in_numpy() -> None:
    random = np.random.default_rng(0)
    rows = np.where(random.random((50, 3)) < 0.2, -1, random.integers(0, 3, (50, 3)) + np.arange(0, 9, 3)).astype(
        np.int32
    )
    weights = random.random((50, 7)).astype(np.float32)
    one, other = (np.zeros((9, 9, 7), dtype=np.float32) for _ in range(2))

    pairs.add_pairs(rows, weights, one)
    pairs_compiled.add_pairs(rows, weights, other)

    assert one == pytest.approx(other, rel=1e-5)
    assert one.sum() == pytest.approx(
        weights.sum(axis=1) @ [n * (n + 1) / 2 for n in (rows >= 0).sum(axis=1)], rel=1e-5
    )


def test_adding_products_compiled_is_adding_products_in_numpy() -> None:
    random = np.random.default_rng(0)
    places = random.integers(0, 6, (30, 4))  # a place may occur twice in a row, as padding does
    products = random.random((30, 4, 4)).astype(np.float32)
    one, other = np.zeros((6, 6)), np.zeros((6, 6))

    pairs.add_products(places, products, one)
    pairs_compiled.add_products(places, products, other)

    assert one == pytest.approx(other)
    assert one.sum() == pytest.approx(products.sum(), rel=1e-5)
