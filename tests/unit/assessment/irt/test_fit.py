"""Item fit, person fit, Q3 and M2: as R mirt has them, and what they must obey on invented data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assessment.domain.irt import cells, fit, limited, persons, residuals
from services.assessment.domain.irt.models import Model, Parameters, probabilities
from services.assessment.domain.irt.residuals import Latent, ScoresDoNotFit
from services.assessment.domain.irt.responses import NOT_PRESENTED
from tests.unit.assessment.irt.published import MODELS, published

TEN = tuple(Parameters(Model.TWO_PL, (b,), a) for a, b in zip([0.8, 1.2] * 5, np.linspace(-2, 2, 10), strict=True))


def answers(items: tuple[Parameters, ...], students: int, seed: int, theta: np.ndarray | None = None) -> np.ndarray:
    """Scores of students from N(0, 1), or of the given abilities, as the models have it."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=students) if theta is None else theta
    columns = []
    for item in items:
        below = np.cumsum(probabilities(item, theta), axis=0)[:-1]
        columns.append((rng.random(students) > below).sum(axis=0))
    return np.stack(columns, axis=1).astype(np.uint8)


@pytest.mark.parametrize("name", MODELS)
def test_item_fit_is_that_of_r_mirt(name: str) -> None:
    case = published(name)

    found = fit.item_fit(case.codes, case.items, latent=case.latent)

    s_x2, squares = case.results["S_X2"], case.results["infit"]
    assert np.abs(found.s_x2 - s_x2["S_X2"]).max() < 1e-3
    assert (found.df == s_x2["df.S_X2"]).all()
    assert np.abs(found.p - s_x2["p.S_X2"]).max() < 1e-3
    assert np.abs(found.rmsea - s_x2["RMSEA.S_X2"]).max() < 1e-3
    assert np.abs(found.infit - squares["infit"]).max() < 1e-3
    assert np.abs(found.outfit - squares["outfit"]).max() < 1e-3
    assert np.abs(found.z_infit - squares["z.infit"]).max() < 1e-3
    assert np.abs(found.z_outfit - squares["z.outfit"]).max() < 1e-3
    assert set(found.reasons) == {None}


@pytest.mark.parametrize("name", MODELS)
def test_person_fit_is_that_of_r_mirt(name: str) -> None:
    case = published(name)

    found = persons.person_fit(case.codes, case.items, latent=case.latent)

    first = case.results["personfit_first20"]
    for mine, theirs in (("lz", "Zh"), ("infit", "infit"), ("outfit", "outfit")):
        assert np.abs(getattr(found, mine)[:20] - first[theirs]).max() < 1e-3
    for mine, theirs in (("z_infit", "z.infit"), ("z_outfit", "z.outfit")):
        assert np.abs(getattr(found, mine)[:20] - first[theirs]).max() < 1e-3


@pytest.mark.parametrize("name", MODELS)
def test_q3_is_that_of_r_mirt(name: str) -> None:
    case = published(name)

    found = residuals.q3(case.codes, case.items, latent=case.latent)

    assert np.abs(found - np.array(case.results["Q3"])).max() < 1e-3


@pytest.mark.parametrize("name", [name for name in MODELS if name != "Science_graded"])
def test_m2_is_that_of_r_mirt(name: str) -> None:
    case = published(name)

    found = limited.limited_fit(case.codes, case.items, latent=case.latent)

    theirs = {key: value[0] for key, value in case.results["M2"].items()}
    assert found.m2 == pytest.approx(theirs["M2"], abs=1e-3)
    assert found.df == theirs["df"]
    assert found.p == pytest.approx(theirs["p"], abs=1e-3)
    assert (found.rmsea, found.rmsea_low, found.rmsea_high) == pytest.approx(
        (theirs["RMSEA"], theirs["RMSEA_5"], theirs["RMSEA_95"]), abs=1e-3
    )
    assert (found.srmsr, found.tli, found.cfi) == pytest.approx(
        (theirs["SRMSR"], theirs["TLI"], theirs["CFI"]), abs=1e-3
    )


def test_m2_refuses_what_r_mirt_refuses() -> None:
    case = published("Science_graded")

    with pytest.raises(limited.TooFewMoments, match="10 means and pairs cannot test 16"):
        limited.limited_fit(case.codes, case.items)


def test_students_who_answer_by_the_model_rarely_misfit() -> None:
    found = [fit.item_fit(answers(TEN, 1000, seed), TEN, estimated=[0] * 10).p for seed in range(40)]

    share = float((np.concatenate(found) < 0.05).mean())

    assert 0.02 < share < 0.08  # 400 tests at .05


def test_an_item_with_another_slope_is_found() -> None:
    true = (*TEN[:4], Parameters(Model.TWO_PL, TEN[4].b, 0.2), *TEN[5:])

    found = fit.item_fit(answers(true, 4000, 3), TEN, estimated=[0] * 10)

    assert int(np.argmin(found.p)) == 4
    assert found.p[4] < 1e-6
    assert int(np.argmax(found.infit)) == 4


def test_sets_of_presented_items_are_compared_each_by_itself() -> None:
    codes = answers(TEN, 4000, 5)
    half = codes[:2000].copy()
    half[:, 7:] = NOT_PRESENTED

    together = fit.item_fit(np.concatenate([half, codes[2000:]]), TEN, estimated=[0] * 10)

    parts = [
        fit.item_fit(half[:, :7], TEN[:7], estimated=[0] * 7),
        fit.item_fit(codes[2000:], TEN, estimated=[0] * 10),
    ]
    assert together.s_x2[:7] == pytest.approx(parts[0].s_x2 + parts[1].s_x2[:7])
    assert together.df[:7].tolist() == (parts[0].df + parts[1].df[:7]).tolist()
    assert together.s_x2[7:] == pytest.approx(parts[1].s_x2[7:])
    assert together.students.tolist() == [4000] * 7 + [2000] * 3


def test_an_item_nobody_answered_has_its_reason_and_no_number() -> None:
    codes = answers(TEN, 500, 7)
    codes[:, 2] = NOT_PRESENTED

    found = fit.item_fit(codes, TEN, names=[f"Q{number}" for number in range(10)])

    assert found.reasons[2] == "Q2: nobody answered it."
    assert np.isnan(found.s_x2[2])
    assert np.isnan(found.infit[2])
    assert np.isfinite(np.delete(found.s_x2, 2)).all()


def test_a_score_beyond_the_parameters_is_located() -> None:
    codes = answers(TEN, 50, 8)
    codes[11, 3] = 2

    with pytest.raises(ScoresDoNotFit, match="item 4: student 12 has category 2"):
        fit.item_fit(codes, TEN)


def test_a_student_without_a_response_has_no_person_fit() -> None:
    codes = answers(TEN, 5, 9)
    codes[2] = NOT_PRESENTED

    found = persons.person_fit(codes, TEN)

    assert found.answered.tolist() == [10, 10, 0, 10, 10]
    assert np.isnan(found.lz).tolist() == [False, False, True, False, False]


def test_easy_items_wrong_and_hard_items_right_do_not_fit() -> None:
    backward = np.array([[0] * 5 + [1] * 5, [1] * 5 + [0] * 5], dtype=np.uint8)

    found = persons.person_fit(backward, TEN)

    assert found.lz[0] < -3
    assert found.lz[1] > 0
    assert found.outfit[0] > 2 > found.outfit[1]


def test_residuals_of_items_with_something_in_common_correlate() -> None:
    codes = answers(TEN, 3000, 10)
    codes[:, 6] = codes[:, 5]

    found = residuals.q3(codes, TEN)

    rest = np.delete(np.delete(found, [5, 6], axis=0), [5, 6], axis=1)
    assert found[5, 6] > 0.5
    assert np.abs(rest[~np.eye(8, dtype=bool)]).max() < 0.2


@st.composite
def small_tests(draw: st.DrawFn) -> list[np.ndarray]:
    """Up to five items' probabilities at three nodes."""
    sizes = draw(st.lists(st.integers(2, 4), min_size=1, max_size=5))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    return [rng.dirichlet(np.ones(size), 3).T for size in sizes]


@given(small_tests())
def test_the_other_items_total_is_what_counting_all_patterns_gives(tables: list[np.ndarray]) -> None:
    found = list(cells.without_each(tables))

    for left_out, totals in enumerate(found):
        plain = {0: np.ones(3)}
        for place, table in enumerate(tables):
            if place != left_out:
                grown: dict[int, np.ndarray] = {}
                for total, chance in plain.items():
                    for score, of in enumerate(table):
                        grown[total + score] = grown.get(total + score, 0) + chance * of
                plain = grown
        assert totals == pytest.approx(np.array([plain[total] for total in range(len(totals))]))


@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(3, 12))
def test_collapsing_loses_nobody_and_leaves_no_sparse_cell(seed: int, scores: int, totals: int) -> None:
    rng = np.random.default_rng(seed)
    seen = rng.integers(0, 12, (totals, scores)).astype(np.float64)
    shares = rng.dirichlet(np.ones(scores) * 0.6, totals)
    expected = seen.sum(axis=1, keepdims=True) * shares

    kept_seen, kept_expected = cells.collapse(seen, expected)

    assert kept_seen.sum() == seen.sum()
    assert kept_expected.sum() == pytest.approx(expected.sum())
    assert len(kept_expected) <= 1 or (kept_expected[kept_expected > 0] >= 1).all()


def test_long_tests_keep_their_totals() -> None:
    items = tuple(Parameters(Model.TWO_PL, (b,), 1.0) for b in np.linspace(-2, 2, 200))
    codes = answers(items, 2000, 12, theta=np.linspace(-2, 2, 2000))

    found = fit.item_fit(codes, items, latent=Latent(0.0, 1.3), estimated=[0] * 200)

    assert np.isfinite(found.s_x2).all()
    assert 0.01 < (found.p < 0.05).mean() < 0.10


def test_the_grid_follows_the_posterior_of_a_long_test() -> None:
    items = tuple(Parameters(Model.TWO_PL, (b,), 1.5) for b in np.linspace(-2, 2, 1000))
    codes = answers(items, 10, 13)
    fine = np.arange(-3000, 3001) / 500

    found = residuals.eap(codes, residuals.grid(items, Latent()))

    logs = -fine * fine / 2 + sum(
        np.log(probabilities(item, fine))[codes[:, place]] for place, item in enumerate(items)
    )
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    assert found == pytest.approx((weights * fine).sum(axis=1) / weights.sum(axis=1), abs=1e-6)
    assert len(residuals.grid(TEN, Latent()).nodes) == 61
