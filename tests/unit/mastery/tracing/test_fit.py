"""Fits: what was planted is found, what cannot be fitted is named, and nothing depends on chance or order."""

from dataclasses import replace

import numpy as np
import pytest

from services.mastery.domain.tracing.em import Search, converged
from services.mastery.domain.tracing.errors import standard_errors
from services.mastery.domain.tracing.evidence import Responses, encode, sequences_of
from services.mastery.domain.tracing.fit import FITTED, Fit, FitError, fit
from services.mastery.domain.tracing.kernel import expectation
from services.mastery.domain.tracing.model import NAMES, Design, Model
from services.mastery.domain.tracing.skill import Skill
from tests.unit.mastery.tracing.simulated import simulated

PLANTED = [
    Skill(0.40, 0.20, 0.010, 0.20, 0.10, 0.0, 0.0),
    Skill(0.60, 0.10, 0.020, 0.30, 0.15, 0.0, 0.0),
    Skill(0.25, 0.30, 0.005, 0.15, 0.08, 0.0, 0.0),
]


def fitted(responses: Responses, skills: int, seed: int = 1) -> Fit:
    return fit(responses, skills, rng=np.random.default_rng(seed), kernel="numba")


def test_planted_parameters_are_found_within_three_standard_errors() -> None:
    responses = simulated(PLANTED, 3000, 12, np.random.default_rng(5))

    found = fitted(responses, 3)

    for one, true in zip(found.skills, PLANTED, strict=True):
        assert one.status == FITTED
        assert one.converged
        for name in NAMES:
            error = one.errors[name]
            assert error is not None
            assert abs(getattr(one.skill, name) - getattr(true, name)) < 3.5 * error


def test_the_weight_of_difficulty_is_found() -> None:
    skills = [replace(one, weight=0.8) for one in PLANTED]
    responses = simulated(
        skills, 2000, 12, np.random.default_rng(6), difficulties=np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    )

    found = fitted(responses, 3)

    assert found.weight == pytest.approx(0.8, abs=0.1)
    assert found.skills[0].skill.guess == pytest.approx(0.20, abs=0.05)


def test_forgetting_over_elapsed_time_is_found() -> None:
    skills = [replace(one, decay=0.03, prior=0.3) for one in PLANTED]
    responses = simulated(skills, 3000, 12, np.random.default_rng(7), days=np.array([0.0, 1.0, 8.0, 32.0]))

    found = fitted(responses, 3)

    assert found.decay == pytest.approx(0.03, rel=0.35)


def test_help_that_makes_guessing_easier_is_kept_and_a_coin_is_not() -> None:
    rng = np.random.default_rng(8)
    plain = simulated(PLANTED, 1500, 10, rng)
    helped = (rng.random(len(plain)) < 0.3).astype(np.float64)
    coin = (rng.random(len(plain)) < 0.5).astype(np.float64)
    lifted = np.where((helped == 1) & (plain.credit == 0) & (rng.random(len(plain)) < 0.4), 1.0, plain.credit)

    found = fitted(replace(plain, credit=lifted, covariates=np.stack([helped, coin], axis=1)), 3)

    guess_helped, slip_helped = found.covariates[0]
    assert guess_helped > 0.3
    assert slip_helped < 0
    assert found.covariates[1].tolist() == [0.0, 0.0]


def test_partial_credit_of_one_half_says_nothing() -> None:
    responses = simulated(PLANTED[:1], 800, 8, np.random.default_rng(9))
    halves = replace(
        responses,
        user=np.concatenate([responses.user, np.arange(800) + 10_000]),
        skill=np.concatenate([responses.skill, np.zeros(800, dtype=np.int64)]),
        credit=np.concatenate([responses.credit, np.full(800, 0.5)]),
        difficulty=np.zeros(len(responses) + 800),
        covariates=np.empty((len(responses) + 800, 0)),
    )

    with_them, without = fitted(halves, 1).skills[0], fitted(responses, 1).skills[0]

    for name in ("learn", "guess", "slip"):
        assert getattr(with_them.skill, name) == pytest.approx(getattr(without.skill, name), abs=0.01)


def test_the_order_of_rows_of_different_students_changes_nothing() -> None:
    responses = simulated(PLANTED, 300, 6, np.random.default_rng(10))
    by_user = np.argsort(responses.user, kind="stable")
    other = Responses(
        responses.user[by_user],
        responses.skill[by_user],
        responses.credit[by_user],
        None,
        responses.difficulty[by_user],
        responses.covariates[by_user],
    )

    assert fitted(responses, 3).skills == fitted(other, 3).skills


def test_the_same_seed_gives_the_same_fit_and_another_seed_the_same_maximum() -> None:
    responses = simulated(PLANTED, 1500, 10, np.random.default_rng(11))

    one, again, other = fitted(responses, 3, 1), fitted(responses, 3, 1), fitted(responses, 3, 2)

    assert one.skills == again.skills
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=0.05)


def test_both_kernels_give_the_same_fit() -> None:
    responses = simulated(PLANTED, 200, 6, np.random.default_rng(12))

    compiled = fit(responses, 3, rng=np.random.default_rng(1), kernel="numba")
    plain = fit(responses, 3, rng=np.random.default_rng(1), kernel="numpy")

    for one, other in zip(compiled.skills, plain.skills, strict=True):
        for name in NAMES:
            assert getattr(one.skill, name) == pytest.approx(getattr(other.skill, name), rel=1e-6)


def test_the_observed_information_is_that_of_the_log_likelihood() -> None:
    responses = simulated(PLANTED[:1], 400, 8, np.random.default_rng(13))
    forest, symbols = encode(responses, sequences_of(responses), 1)
    design = Design.of(symbols)
    nothing = Search(forest, design, expectation("numpy"), np.full(5, 0.5), np.zeros(5), lambda _a, _b, _c: None)
    values = np.array([getattr(PLANTED[0], name) for name in NAMES])[:, np.newaxis, np.newaxis]
    model, _ = converged(nothing, Model(values, np.zeros((1, 1)), np.zeros(1)), np.array([0]))

    errors = standard_errors(nothing, model, np.array([0]))[:, 0]

    at, step = model.values[:, 0, 0], 2e-4

    def likely(values: np.ndarray) -> float:
        moved = model.with_values(values[:, np.newaxis, np.newaxis])
        return float(nothing.counts(moved, np.array([0])).log_likelihood[0, 0])

    unit = np.eye(5) * step
    hessian = np.array(
        [
            [
                (likely(at + a + b) - likely(at + a - b) - likely(at - a + b) + likely(at - a - b)) / (4 * step**2)
                for b in unit
            ]
            for a in unit
        ]
    )
    assert errors == pytest.approx(np.sqrt(np.diag(np.linalg.inv(-hessian))), rel=0.02)


def test_a_skill_with_too_little_data_gets_the_pooled_parameters_and_says_so() -> None:
    many = simulated(PLANTED[:2], 300, 8, np.random.default_rng(14))
    once = replace(
        many,
        user=np.append(many.user, 0),
        skill=np.append(many.skill, 2),
        credit=np.append(many.credit, 1.0),
        difficulty=np.append(many.difficulty, 0.0),
        covariates=np.empty((len(many) + 1, 0)),
    )

    found = fitted(once, 4)

    assert found.skills[2].status.startswith("few data: 1 responses of 1 students")
    assert found.skills[3].status.startswith("few data: 0 responses")
    assert found.skills[2].skill == found.skills[3].skill == found.pooled
    assert found.skills[2].converged is None


@pytest.mark.parametrize("credit", [0.0, 1.0])
def test_a_skill_whose_answers_are_all_alike_is_not_fitted(credit: float) -> None:
    responses = simulated(PLANTED[:1], 100, 6, np.random.default_rng(15))

    found = fitted(replace(responses, credit=np.full(len(responses), credit)), 1)

    assert found.skills[0].status == "few data: all answers are alike"


def test_answers_by_the_toss_of_a_coin_never_come_out_as_a_degenerate_fit() -> None:
    responses = simulated(PLANTED[:2], 400, 8, np.random.default_rng(16))
    tossed = np.random.default_rng(17).integers(0, 2, len(responses)).astype(np.float64)

    found = fitted(replace(responses, credit=np.where(responses.skill == 1, tossed, responses.credit)), 2)

    coin = found.skills[1]
    assert coin.status != FITTED or (coin.strength or 0) > 1
    assert coin.skill.guess + coin.skill.slip < 0.95


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"credit": np.array([0.0, np.nan])}, "credit must lie"),
        ({"credit": np.array([0.0, 1.5])}, "credit must lie"),
        ({"difficulty": np.array([0.0, np.inf])}, "difficulty"),
        ({"time": np.array([0.0, np.nan])}, "time must be"),
        ({"skill": np.array([0, 7])}, "not among the skills"),
    ],
)
def test_what_is_no_response_is_refused(wrong: dict[str, np.ndarray], said: str) -> None:
    two = Responses(np.array([0, 1]), np.array([0, 0]), np.array([0.0, 1.0]), None, np.zeros(2), np.empty((2, 0)))

    with pytest.raises(FitError, match=said):
        fitted(replace(two, **wrong), 1)


def test_no_responses_at_all_are_refused() -> None:
    none = np.empty(0)
    empty = Responses(none.astype(np.int64), none.astype(np.int64), none, None, none, np.empty((0, 0)))

    with pytest.raises(FitError, match="no responses"):
        fitted(empty, 0)
