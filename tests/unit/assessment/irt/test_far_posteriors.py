"""Posteriors near or beyond six standard deviations of the prior: EAP against dense grids around each student."""

import numpy as np
import pytest

from services.assessment.domain.irt import NOT_PRESENTED, Model, Parameters, Responses, compiled, plain
from services.assessment.domain.irt.ability import Prior, eap
from services.assessment.domain.irt.models import log_probabilities
from services.assessment.domain.irt.sumscores import sum_scores
from tests.unit.assessment.irt.test_ability import plain_ability
from tests.unit.assessment.irt.test_plain import as_sparse

KERNELS = pytest.mark.parametrize("kernel", [plain, compiled], ids=["numpy", "numba"])


def spread(items: int, a: float = 1.5, width: float = 1.5) -> list[Parameters]:
    return [Parameters(Model.TWO_PL, (float(b),), a) for b in np.linspace(-width, width, items)]


def some_test(rng: np.random.Generator, items: int, models: list[Model]) -> list[Parameters]:
    found = []
    for model in rng.choice(np.array(models, dtype=object), items):
        a = 1.0 if model in (Model.RASCH, Model.PCM) else float(rng.lognormal(0.2, 0.3))
        if model in (Model.GRM, Model.PCM, Model.GPCM):
            steps = rng.normal(0, 1, 3)
            found.append(Parameters(model, tuple(np.sort(steps).tolist() if model is Model.GRM else steps.tolist()), a))
        else:
            found.append(Parameters(model, (float(rng.normal()),), a, 0.2 if model is Model.THREE_PL else 0.0))
    return found


def sheets(rng: np.random.Generator, items: list[Parameters]) -> np.ndarray:
    """All wrong, all right, the first quarter right, at random, and as abilities from −4 to 4 would answer."""
    most = np.array([item.categories for item in items])
    found = [np.zeros(len(items)), most - 1.0, np.where(np.arange(len(items)) < len(items) // 4, most - 1, 0)]
    found += [rng.integers(0, most) for _ in range(4)]
    for theta in np.linspace(-4, 4, 9):
        chances = [np.exp(log_probabilities(item, np.array([theta])))[:, 0] for item in items]
        found.append(np.array([rng.choice(len(chance), p=chance / chance.sum()) for chance in chances]))
    return np.array(found).astype(np.uint8)


def exactly(items: list[Parameters], codes: np.ndarray, mean: float, sd: float) -> tuple[np.ndarray, np.ndarray]:
    """In logarithms on a grid of everywhere a posterior could be, then around what that found, student by student."""
    nodes = np.linspace(min(mean - 12 * sd, -15.0), max(mean + 12 * sd, 15.0), 4001)[np.newaxis].repeat(len(codes), 0)
    for _ in range(2):
        logs = -0.5 * ((nodes - mean) / sd) ** 2
        shared = (nodes == nodes[0]).all()
        for item, column in zip(items, codes.T, strict=True):
            table = log_probabilities(item, nodes[0] if shared else nodes.ravel())
            table = np.concatenate([table, np.zeros((1, table.shape[1]))])
            row = np.where(column == NOT_PRESENTED, item.categories, column)
            logs += table[row] if shared else table.reshape(-1, *nodes.shape)[row, np.arange(len(codes))]
        weights = np.exp(logs - logs.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        theta = (weights * nodes).sum(axis=1)
        error = np.sqrt((weights * (nodes - theta[:, np.newaxis]) ** 2).sum(axis=1))
        nodes = theta[:, np.newaxis] + np.linspace(-12, 12, 401) * error[:, np.newaxis]
    return theta, error


@KERNELS
@pytest.mark.parametrize(
    ("items", "prior", "right", "theta", "se"),
    [
        (spread(60), Prior(2, 0.4), 0, -1.154, 0.203),
        (spread(60), Prior(2, 0.4), 15, -0.333, 0.184),
        (spread(60), Prior(-2, 0.4), 60, 1.154, 0.203),
    ],
)
def test_far_from_the_prior_s_mean_the_posterior_is_not_cut(
    items: list[Parameters], prior: Prior, right: int, theta: float, se: float, kernel: plain
) -> None:
    codes = (np.arange(60) < right).astype(np.uint8)[np.newaxis]

    found = eap(Responses(codes), items, prior=prior, kernel=kernel)

    assert found.theta[0] == pytest.approx(theta, abs=6e-4)
    assert found.se[0] == pytest.approx(se, abs=6e-4)


DESIGNS = [
    (20, 0.0, 0.1),
    (40, 4.0, 0.5),
    (60, -3.0, 0.2),
    (30, 9.0, 0.7),
    (25, -40.0, 1.5),
    (30, 0.0, 3.0),
    *(
        pytest.param(*design, marks=pytest.mark.long)
        for design in (
            (40, 0.0, 0.3),
            (60, 0.0, 0.3),
            (100, 0.0, 0.5),
            (200, 2.0, 0.5),
            (200, 0.0, 0.5),
            (40, 0.0, 1.0),
            (1000, 1.0, 0.3),
        )
    ),
]


@KERNELS
@pytest.mark.parametrize(("items", "mean", "sd"), DESIGNS)
@pytest.mark.parametrize(
    "models",
    [[Model.TWO_PL], [Model.GRM, Model.GPCM, Model.PCM, Model.TWO_PL], [Model.THREE_PL, Model.RASCH]],
    ids=["2pl", "graded", "guessing"],
)
def test_whatever_the_prior_is_the_estimate_is_the_integral(
    items: int, mean: float, sd: float, models: list[Model], kernel: plain
) -> None:
    rng = np.random.default_rng(items + 7)
    test = some_test(rng, min(items, 200) if models != [Model.TWO_PL] else items, models)
    codes = sheets(rng, test)

    found = eap(Responses(codes), test, prior=Prior(mean, sd), kernel=kernel)

    theta, error = exactly(test, codes, mean, sd)
    np.testing.assert_allclose(found.theta, theta, atol=1e-4)
    np.testing.assert_allclose(found.se, error, atol=1e-4)


@pytest.mark.parametrize("sparse", [False, True])
def test_both_kernels_agree_far_away_also_with_missing_responses(sparse: bool) -> None:
    rng = np.random.default_rng(5)
    test = some_test(rng, 40, list(Model))
    codes = sheets(rng, test)
    codes[rng.random(codes.shape) < 0.2] = NOT_PRESENTED
    codes[3] = NOT_PRESENTED
    responses = as_sparse(Responses(codes)) if sparse else Responses(codes)

    ours, theirs = (eap(responses, test, prior=Prior(3, 0.3), kernel=kernel) for kernel in (compiled, plain))

    theta, error = exactly(test, codes, 3, 0.3)
    there = np.arange(len(codes)) != 3
    assert np.isnan(ours.theta[3])
    np.testing.assert_allclose(ours.theta, theirs.theta, atol=1e-5)
    np.testing.assert_allclose(ours.se, theirs.se, atol=1e-5)
    np.testing.assert_allclose(ours.theta[there], theta[there], atol=1e-4)
    np.testing.assert_allclose(ours.se[there], error[there], atol=1e-4)


@KERNELS
@pytest.mark.parametrize("prior", [Prior(), Prior(2, 0.4)])
def test_whoever_is_computed_again_has_the_same_bits_in_any_company(prior: Prior, kernel: plain) -> None:
    rng = np.random.default_rng(6)
    test = some_test(rng, 24, [Model.TWO_PL, Model.GRM])
    codes = sheets(rng, test)
    crowd = np.concatenate([codes] * 80)

    together = eap(Responses(crowd), test, prior=prior, kernel=kernel)

    for student, row in enumerate(codes):
        alone = eap(Responses(row[np.newaxis]), test, prior=prior, kernel=kernel)
        assert set(together.theta[student :: len(codes)]) == {alone.theta[0]}
        assert set(together.se[student :: len(codes)]) == {alone.se[0]}


@pytest.mark.parametrize("right", [0, 30])
def test_the_platform_s_standard_prior_is_too_short_for_easy_and_for_hard_forms(right: int) -> None:
    """All wrong on 30 items around −4: the posterior has weight at −6, and the plain loops know it as well."""
    test = [Parameters(Model.TWO_PL, (b,), 1.2) for b in np.linspace(-5, -3, 30) * (-1 if right else 1)]
    codes = np.full((1, 30), right > 0, dtype=np.uint8)

    found = eap(Responses(codes), test)
    loops = plain_ability(list(test), codes[0].tolist())

    theta, error = exactly(test, codes, 0, 1)
    assert found.theta[0] == pytest.approx(theta[0], abs=1e-6)
    assert found.se[0] == pytest.approx(error[0], abs=1e-6)
    assert loops is not None
    assert loops == pytest.approx((found.theta[0], found.se[0]), abs=1e-9)


@pytest.mark.parametrize(
    ("items", "mean", "sd"),
    [(60, 2.0, 0.4), (60, 0.0, 0.3), (60, -5.0, 0.5), (60, 12.0, 0.2), (60, 0.0, 1.0), (300, 8.0, 0.1)],
)
def test_raw_score_tables_reach_as_far(items: int, mean: float, sd: float) -> None:
    """Under Rasch a raw score says what any of its patterns says, also where float64 has no number as small."""
    test = [Parameters(Model.RASCH, (float(b),)) for b in np.linspace(-2, 2, items)]
    codes = np.tril(np.ones((items + 1, items), dtype=np.uint8), -1)[:: items // 60]

    table = sum_scores(test, mean, sd)

    theta, error = exactly(test, codes, mean, sd)
    np.testing.assert_allclose(table.theta[:: items // 60], theta, atol=1e-5)
    np.testing.assert_allclose(table.se[:: items // 60], error, atol=1e-5)
