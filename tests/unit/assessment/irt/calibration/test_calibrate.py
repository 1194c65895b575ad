"""Calibration: what must not matter, what is recovered, what stays, and what the answer says of itself."""

import numpy as np
import pytest

from services.assessment.domain.irt import NOT_PRESENTED, Codes, Model, Parameters, Responses
from services.assessment.domain.irt.calibration import Acceleration, Calibration, Free, calibrate, prior
from services.assessment.domain.irt.kernels import kernel
from services.assessment.domain.irt.models import Floats
from tests.unit.assessment.irt.calibration.samples import (
    MIXED,
    answers,
    categories,
    models,
    slow_log_likelihood,
    sparse,
    two_parameter_items,
)

NUMPY = kernel("numpy")
STUDENTS = 800


def mixed_answers(seed: int = 1, students: int = STUDENTS, missing: float = 0.0) -> Codes:
    random = np.random.default_rng(seed)
    codes = answers(MIXED, random.normal(size=students), random)
    codes[random.random(codes.shape) < missing] = NOT_PRESENTED
    return codes


def of_mixed(codes: Codes, **asked: object) -> Calibration:
    return calibrate(Responses(codes), models(MIXED), categories=categories(MIXED), kernel=NUMPY, **asked)  # type: ignore[arg-type]  # the options of calibrate, passed on as they are


def numbers(made: Calibration) -> Floats:
    return np.concatenate([[item.a, *item.b, item.c] for item in made.items])


@pytest.mark.parametrize("acceleration", ["none", "squarem", "newton"])
def test_the_way_does_not_matter(acceleration: Acceleration) -> None:
    codes = mixed_answers()

    made = of_mixed(codes, acceleration=acceleration)

    assert made.converged
    assert numbers(made) == pytest.approx(numbers(of_mixed(codes)), abs=1e-3)


def test_leaving_the_errors_out_leaves_the_estimates() -> None:
    codes = mixed_answers()

    made = of_mixed(codes, errors=False)

    assert made.converged
    assert made.covariance is None
    assert made.standard_errors(0) == {}
    assert numbers(made) == pytest.approx(numbers(of_mixed(codes)), abs=2e-3)


def test_the_order_of_students_does_not_matter() -> None:
    codes = mixed_answers(missing=0.2)

    made = of_mixed(codes[::-1].copy())

    assert numbers(made) == pytest.approx(numbers(of_mixed(codes)), abs=1e-4)


def test_the_order_of_items_does_not_matter() -> None:
    codes, order = mixed_answers(missing=0.2), [4, 2, 0, 5, 1, 3]

    made = calibrate(
        Responses(np.ascontiguousarray(codes[:, order])),
        [MIXED[at].model for at in order],
        categories=[MIXED[at].categories for at in order],
        kernel=NUMPY,
    )

    straight = of_mixed(codes)
    for place, at in enumerate(order):
        assert made.items[place].a == pytest.approx(straight.items[at].a, abs=1e-4)
        assert made.items[place].b == pytest.approx(straight.items[at].b, abs=1e-4)
        assert made.standard_errors(place) == pytest.approx(straight.standard_errors(at), abs=1e-4)


def test_everybody_twice_gives_the_same_estimates_and_errors_smaller_by_the_root_of_two() -> None:
    codes = mixed_answers()

    once, twice = of_mixed(codes), of_mixed(np.concatenate([codes, codes]))

    assert numbers(twice) == pytest.approx(numbers(once), abs=1e-3)
    assert once.covariance is not None
    assert twice.covariance == pytest.approx(once.covariance / 2, rel=0.02, abs=1e-5)
    assert twice.log_likelihood == pytest.approx(2 * once.log_likelihood, abs=1e-2)


@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_lists_of_entries_say_what_the_matrix_says(missing: float) -> None:
    codes = mixed_answers(missing=missing)

    made = calibrate(sparse(codes), models(MIXED), categories=categories(MIXED), kernel=NUMPY)

    dense = of_mixed(codes)
    assert numbers(made) == pytest.approx(numbers(dense), abs=1e-4)
    assert made.log_likelihood == pytest.approx(dense.log_likelihood, abs=1e-4)
    assert made.covariance == pytest.approx(dense.covariance, rel=5e-3, abs=1e-5)


@pytest.mark.parametrize("form", ["dense", "sparse"])
def test_both_kernels_calibrate_alike(form: str) -> None:
    codes = mixed_answers(missing=0.2)
    responses = Responses(codes) if form == "dense" else sparse(codes)

    one, other = (
        calibrate(responses, models(MIXED), categories=categories(MIXED), kernel=kernel(by))
        for by in ("numpy", "compiled")
    )

    assert numbers(other) == pytest.approx(numbers(one), abs=2e-4)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-3)
    assert other.covariance == pytest.approx(one.covariance, rel=2e-3, abs=1e-5)
    assert (one.kernel, other.kernel) == ("numpy", "numba")


def test_the_log_likelihood_is_the_textbook_sum() -> None:
    codes = mixed_answers(missing=0.2)

    made = of_mixed(codes)

    assert made.log_likelihood == pytest.approx(
        slow_log_likelihood(codes, made.items, [0] * STUDENTS, [(0, 1)]), abs=1e-4
    )
    assert made.log_posterior == made.log_likelihood


def test_two_hundred_items_have_the_right_log_likelihood() -> None:
    random = np.random.default_rng(6)
    items = two_parameter_items(200, random)
    codes = answers(items, random.normal(size=400), random)
    codes[:40] = random.integers(0, 2, (40, 200))  # who answers at random has a posterior far out of reach of one grid

    made = calibrate(Responses(codes), models(items), categories=[2] * 200, kernel=kernel("compiled"))

    assert made.converged
    assert made.log_likelihood == pytest.approx(slow_log_likelihood(codes, made.items, [0] * 400, [(0, 1)]), abs=1e-2)


def test_negative_slopes_are_found() -> None:
    random = np.random.default_rng(2)
    items = [
        Parameters(Model.TWO_PL, (item.b[0],), item.a * (-1) ** at)
        for at, item in enumerate(two_parameter_items(15, random))
    ]

    made = calibrate(
        Responses(answers(items, random.normal(size=4000), random)), models(items), categories=[2] * 15, kernel=NUMPY
    )

    assert [item.a for item in made.items] == pytest.approx([item.a for item in items], abs=0.25)


def test_a_planted_difference_of_groups_is_recovered() -> None:
    random = np.random.default_rng(3)
    items = two_parameter_items(25, random)
    group = np.repeat([0, 1, 2], 2000)
    theta = random.normal(np.array([0.0, 0.8, -0.5])[group], np.array([1.0, 1.3, 0.7])[group])

    made = calibrate(
        Responses(answers(items, theta, random)),
        models(items),
        categories=[2] * 25,
        kernel=NUMPY,
        groups=np.array(["a", "b", "c"])[group].tolist(),
    )

    assert [each.name for each in made.groups] == ["a", "b", "c"]
    assert (made.groups[0].mean, made.groups[0].sd) == (0.0, 1.0)
    for each, mean, sd in ((1, 0.8, 1.3), (2, -0.5, 0.7)):
        errors = made.group_errors(each)
        assert made.groups[each].mean == pytest.approx(mean, abs=3 * errors["mean"])
        assert made.groups[each].sd == pytest.approx(sd, abs=3 * errors["sd"])
        assert errors["mean"] < 0.06
    assert made.group_errors(0) == {}


def test_a_group_far_away_is_reached_by_the_grid() -> None:
    random = np.random.default_rng(4)
    items = [Parameters(Model.TWO_PL, (float(b),), 1.2) for b in np.linspace(-1, 6, 25)]
    theta = np.concatenate([random.normal(size=2000), random.normal(4.0, 1.5, 2000)])

    made = calibrate(
        Responses(answers(items, theta, random)),
        models(items),
        categories=[2] * 25,
        kernel=NUMPY,
        groups=["near"] * 2000 + ["o far"] * 2000,
    )

    assert made.converged
    assert made.groups[1].mean == pytest.approx(4.0, abs=3 * made.group_errors(1)["mean"])
    assert made.groups[1].sd == pytest.approx(1.5, abs=3 * made.group_errors(1)["sd"])


def test_anchors_stay_and_the_ability_of_the_students_is_found() -> None:
    random = np.random.default_rng(5)
    items = two_parameter_items(20, random)
    anchors = dict(enumerate(items[:8]))

    made = calibrate(
        Responses(answers(items, random.normal(0.7, 1.2, 4000), random)),
        models(items),
        categories=[2] * 20,
        kernel=NUMPY,
        anchors=anchors,
    )

    assert made.items[:8] == items[:8]
    assert {free.item for free in made.free} == {*range(8, 20), None}
    assert made.groups[0].mean == pytest.approx(0.7, abs=3 * made.group_errors(0)["mean"])
    assert made.groups[0].sd == pytest.approx(1.2, abs=3 * made.group_errors(0)["sd"])
    assert [item.b[0] for item in made.items[8:]] == pytest.approx([item.b[0] for item in items[8:]], abs=0.25)


def test_anchors_of_another_model_keep_it() -> None:
    random = np.random.default_rng(5)
    items = two_parameter_items(10, random)
    anchor = Parameters(Model.THREE_PL, items[0].b, items[0].a, 0.2)

    made = calibrate(
        Responses(answers([anchor, *items[1:]], random.normal(size=1000), random)),
        [Model.TWO_PL] * 10,
        categories=[2] * 10,
        kernel=NUMPY,
        anchors={0: anchor},
    )

    assert made.items[0] == anchor


def test_a_rasch_scale_has_slope_one_and_a_free_standard_deviation() -> None:
    random = np.random.default_rng(7)
    items = [Parameters(Model.RASCH, (float(b),)) for b in np.linspace(-2, 2, 20)]

    made = calibrate(
        Responses(answers(items, random.normal(0, 1.6, 3000), random)), models(items), categories=[2] * 20, kernel=NUMPY
    )

    assert {item.a for item in made.items} == {1.0}
    assert made.groups[0].sd == pytest.approx(1.6, abs=3 * made.group_errors(0)["sd"])
    assert made.free[-1] == Free(None, 0, "sd")
    assert "a" not in made.standard_errors(0)


def test_steps_of_partial_credit_are_not_sorted() -> None:
    random = np.random.default_rng(8)
    items = [Parameters(Model.PCM, (0.9, -0.7, 0.2))] * 8

    made = calibrate(
        Responses(answers(items, random.normal(size=4000), random)), models(items), categories=[4] * 8, kernel=NUMPY
    )

    assert np.mean([item.b for item in made.items], axis=0) == pytest.approx([0.9, -0.7, 0.2], abs=0.08)


def test_guessing_without_a_prior_may_end_at_no_guessing_and_then_has_no_error() -> None:
    random = np.random.default_rng(9)
    items = [Parameters(Model.THREE_PL, (float(b),), 1.3, 0.0) for b in np.linspace(-2, 1, 12)]

    made = calibrate(
        Responses(answers(items, random.normal(size=2000), random)), models(items), categories=[2] * 12, kernel=NUMPY
    )

    at_bound = [at for at, item in enumerate(made.items) if item.c == 0]
    assert made.converged
    assert at_bound
    for at in at_bound:
        assert "c" not in made.standard_errors(at)
        assert np.isfinite(list(made.standard_errors(at).values())).all()


def test_a_prior_draws_the_estimates_and_narrows_the_errors() -> None:
    random = np.random.default_rng(10)
    items = [Parameters(Model.THREE_PL, (item.b[0],), item.a, 0.2) for item in two_parameter_items(12, random)]
    codes = Responses(answers(items, random.normal(size=1500), random))

    loose, tight = (
        calibrate(
            codes,
            models(items),
            categories=[2] * 12,
            kernel=NUMPY,
            priors=[prior("a:lognormal(0,0.5)"), prior("b:normal(0,2)"), prior(f"c:beta({20 * k},{80 * k})")],
        )
        for k in (1, 50)
    )

    assert loose.converged
    assert tight.converged
    assert np.abs(np.array([item.c for item in tight.items]) - 0.2).max() < 0.01
    assert all(tight.standard_errors(at)["c"] < loose.standard_errors(at)["c"] for at in range(12))
    assert loose.log_posterior != loose.log_likelihood


def test_an_item_everyone_got_right_is_finite_with_a_prior() -> None:
    random = np.random.default_rng(11)
    codes = answers(two_parameter_items(4, random), random.normal(size=500), random)
    codes[:, 0] = 1

    made = calibrate(
        Responses(codes),
        [Model.RASCH] * 4,
        categories=[2] * 4,
        kernel=NUMPY,
        priors=[prior("b:normal(0,2)")],
    )

    assert made.converged
    assert -8 < made.items[0].b[0] < -3


def test_students_without_answers_are_left_out_and_counted() -> None:
    codes = mixed_answers()
    with_silent = np.concatenate([codes, np.full((30, len(MIXED)), NOT_PRESENTED, dtype=np.uint8)])

    made = of_mixed(with_silent)

    assert (made.students, made.silent) == (STUDENTS, 30)
    assert made.log_likelihood == pytest.approx(of_mixed(codes).log_likelihood, abs=1e-4)
    assert numbers(made) == pytest.approx(numbers(of_mixed(codes)), abs=1e-4)


def test_the_log_tells_every_pass_and_rises() -> None:
    seen = []

    made = of_mixed(mixed_answers(), watch=seen.append)

    assert list(made.log) == seen
    assert [each.number for each in made.log] == list(range(1, made.iterations + 1))
    likelihoods = [each.log_likelihood for each in made.log]
    assert likelihoods == sorted(likelihoods)
    assert made.log[-1].log_likelihood == made.log_likelihood


def test_a_search_cut_short_says_so() -> None:
    made = of_mixed(mixed_answers(), iterations=3)

    assert not made.converged
    assert made.remark is not None


def test_the_free_numbers_are_named_in_the_order_of_the_covariance() -> None:
    made = of_mixed(mixed_answers())

    assert made.covariance is not None
    assert made.covariance.shape == (len(made.free), len(made.free))
    assert [free.name for free in made.free if free.item == 1] == ["a", "b1", "b2", "b3"]
    assert [free.name for free in made.free if free.item == 0] == ["a", "b"]
    assert made.standard_errors(1)["b2"] == pytest.approx(
        float(np.sqrt(made.covariance[made.free.index(Free(1, None, "b2"))][made.free.index(Free(1, None, "b2"))]))
    )
