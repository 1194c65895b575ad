"""One scale for forms calibrated apart: published constants, and what any link must do."""

import csv
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assessment.domain.irt.linking import (
    IDENTITY,
    CannotLink,
    Covariance,
    Link,
    Method,
    link,
    parameter_names,
    value,
)
from services.assessment.domain.irt.linking import (
    moved as changed,
)
from services.assessment.domain.irt.models import Floats, Model, Parameters, probabilities

SHARED = Path(__file__).parents[4].parent / "shared" / "data"
GOLDEN = SHARED / "golden" / "equateIRT_est2pl_test1_test2.json"
METHODS = list(Method)

needs_golden = pytest.mark.skipif(not GOLDEN.exists(), reason="the folder of reference data is not here")


def golden_form(number: int) -> dict[str, Parameters]:
    told = json.loads(GOLDEN.read_text())
    values = dict(zip(told[f"names{number}"], told[f"par_test{number}"], strict=True))
    names = [name.removeprefix("Dffclt.") for name in values if name.startswith("Dffclt.")]
    return {n: Parameters(Model.TWO_PL, (values[f"Dffclt.{n}"],), values[f"Dscrmn.{n}"]) for n in names}


@cache
def golden_covariance(number: int) -> Covariance:
    """Inverse of the observed information of the form's published answers at its published estimates."""
    form = golden_form(number)
    with (SHARED / "irt" / f"equateIRT_data2pl_form{number}.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == list(form)
    answers = np.array(rows[1:], dtype=np.float64)
    nodes = np.arange(-20, 21) * 0.3
    prior = np.exp(-nodes * nodes / 2)
    at = np.array([(item.a, item.b[0]) for item in form.values()])

    def gradient(at: Floats) -> Floats:
        z = at[:, :1] * (nodes - at[:, 1:])
        right = 1 / (1 + np.exp(-z))
        logs = answers @ np.log(right) + (1 - answers) @ np.log1p(-right)
        posterior = prior * np.exp(logs - logs.max(axis=1, keepdims=True))
        posterior /= posterior.sum(axis=1, keepdims=True)
        residual = answers.T @ posterior - right * posterior.sum(axis=0)
        by_slope = (residual * (nodes - at[:, 1:])).sum(axis=1)
        return np.stack([by_slope, -at[:, 0] * residual.sum(axis=1)], axis=1).ravel()

    information, top = np.empty((at.size, at.size)), gradient(at)
    for place in range(at.size):
        step = np.zeros(at.size)
        step[place] = 1e-5
        step = step.reshape(at.shape)
        information[place] = -(gradient(at + step) - top) / 1e-5
    names = tuple((name, parameter) for name in form for parameter in ("a", "b"))
    return Covariance(names, np.linalg.inv((information + information.T) / 2))


@needs_golden
@pytest.mark.parametrize(
    ("method", "told", "a_factor"),
    [
        (Method.MEAN_MEAN, "mean-mean", 1.0),
        (Method.MEAN_SIGMA, "mean-sigma", 10 / 9),  # equateIRT divides the derivative of the sd by n, not n − 1
        (Method.HAEBARA, "Haebara", 1.0),
        (Method.STOCKING_LORD, "Stocking-Lord", 1.0),
    ],
)
def test_constants_and_standard_errors_agree_with_equateirt(method: Method, told: str, a_factor: float) -> None:
    expected = json.loads(GOLDEN.read_text())[told]

    made = link(golden_form(1), golden_form(2), method, golden_covariance(1), golden_covariance(2))

    assert pytest.approx(expected["A"], abs=1e-5) == made.A
    assert pytest.approx(expected["B"], abs=1e-5) == made.B
    assert made.published_se_A == pytest.approx(expected["seA"], abs=1e-3)
    assert made.se_A == pytest.approx(expected["seA"] * a_factor, abs=1e-3)
    assert made.se_B == pytest.approx(expected["seB"], abs=1e-3)


FORM = {
    "easy": Parameters(Model.TWO_PL, (-1.2,), 0.8),
    "middle": Parameters(Model.TWO_PL, (0.1,), 1.4),
    "hard": Parameters(Model.TWO_PL, (1.3,), 1.1),
    "guessed": Parameters(Model.THREE_PL, (0.4,), 1.6, 0.2),
    "graded": Parameters(Model.GRM, (-1.0, 0.2, 1.1), 1.2),
    "stepped": Parameters(Model.GPCM, (0.3, -0.4, 0.9), 0.7),
}


def covariance_of(form: dict[str, Parameters], variance: float = 0.004, seed: int = 5) -> Covariance:
    names = tuple((name, parameter) for name, item in form.items() for parameter in parameter_names(item))
    spread = np.random.default_rng(seed).normal(size=(len(names), 2 * len(names)))
    return Covariance(names, variance * spread @ spread.T / (2 * len(names)))


def on_another_scale(form: dict[str, Parameters], a: float, b: float) -> dict[str, Parameters]:
    return {name: Link(a, b).item(item) for name, item in form.items()}


slopes = st.floats(0.4, 2.5)
difficulties = st.floats(-2.0, 2.0)


@st.composite
def forms(draw: st.DrawFn) -> dict[str, Parameters]:
    made = {}
    for place in range(draw(st.integers(2, 6))):
        model = draw(st.sampled_from([Model.TWO_PL, Model.THREE_PL, Model.GRM, Model.GPCM]))
        steps = draw(st.lists(difficulties, min_size=3, max_size=3, unique_by=lambda b: round(b, 1)))
        b = (steps[0],) if model in (Model.TWO_PL, Model.THREE_PL) else tuple(sorted(steps))
        c = draw(st.floats(0.05, 0.3)) if model is Model.THREE_PL else 0.0
        made[f"item{place}"] = Parameters(model, b, draw(slopes), c)
    return made


@given(forms(), st.sampled_from([Method.MEAN_MEAN, Method.HAEBARA, Method.STOCKING_LORD]), st.booleans())
def test_linking_a_form_to_itself_is_the_identity(form: dict[str, Parameters], method: Method, symmetric: bool) -> None:
    made = link(form, form, method, symmetric=symmetric)

    assert pytest.approx((1.0, 0.0), abs=1e-7) == (made.A, made.B)


@given(
    forms(),
    st.sampled_from([Method.MEAN_MEAN, Method.HAEBARA, Method.STOCKING_LORD]),
    st.booleans(),
    st.floats(0.6, 1.7),
    st.floats(-1.0, 1.0),
)
def test_a_form_moved_to_another_scale_is_found_there(
    form: dict[str, Parameters], method: Method, symmetric: bool, a: float, b: float
) -> None:
    made = link(form, on_another_scale(form, a, b), method, symmetric=symmetric)

    assert pytest.approx((a, b), abs=1e-6) == (made.A, made.B)


def test_mean_and_sigma_find_the_scale_a_form_was_moved_to() -> None:
    made = link(FORM, on_another_scale(FORM, 0.8, 0.5), "mean-sigma")

    assert pytest.approx((0.8, 0.5), abs=1e-12) == (made.A, made.B)


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_items_changes_nothing(method: Method) -> None:
    moved = on_another_scale(FORM, 1.2, -0.3)
    moved["middle"] = replace(moved["middle"], a=1.0)

    one = link(FORM, moved, method, covariance_of(FORM), covariance_of(moved))
    other = link(dict(reversed(FORM.items())), moved, method, covariance_of(FORM), covariance_of(moved))

    assert one == other


@pytest.mark.parametrize(("draws", "close"), [(30, 0.4), pytest.param(100, 0.25, marks=pytest.mark.long)])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_standard_errors_are_those_of_repeated_calibrations(
    method: Method, symmetric: bool, draws: int, close: float
) -> None:
    moved = on_another_scale(FORM, 1.2, -0.3)
    moved["hard"] = replace(moved["hard"], b=(1.6,))
    before, after = covariance_of(FORM, 2e-4), covariance_of(moved, 2e-4, seed=8)
    rng = np.random.default_rng(20)

    told = link(FORM, moved, method, before, after, symmetric=symmetric)
    drawn = [
        link(perturbed(FORM, before, rng), perturbed(moved, after, rng), method, symmetric=symmetric)
        for _ in range(draws)
    ]

    spread = np.cov([(made.A, made.B) for made in drawn], rowvar=False)
    assert told.covariance is not None
    assert np.sqrt(np.diag(spread)) == pytest.approx(np.sqrt(np.diag(np.array(told.covariance))), rel=close)


def perturbed(form: dict[str, Parameters], covariance: Covariance, rng: np.random.Generator) -> dict[str, Parameters]:
    drawn = rng.multivariate_normal(np.zeros(len(covariance.names)), covariance.matrix)
    made = dict(form)
    for (item, name), by in zip(covariance.names, drawn, strict=True):
        assert item is not None
        made[item] = changed(made[item], name, by)
    return made


def test_without_covariances_there_is_no_standard_error() -> None:
    made = link(FORM, FORM, covariance_from=covariance_of(FORM))

    assert (made.se_A, made.se_B) == (None, None)


def test_anchors_known_exactly_add_no_error() -> None:
    exact = Covariance((), np.zeros((0, 0)))

    made = link(FORM, on_another_scale(FORM, 1.1, 0.2), covariance_from=exact, covariance_to=exact)

    assert (made.se_A, made.se_B) == (0.0, 0.0)


@pytest.mark.parametrize("method", METHODS)
def test_rasch_items_move_the_origin_only(method: Method) -> None:
    form = {f"item{k}": Parameters(Model.RASCH, (b,)) for k, b in enumerate([-1.0, 0.0, 0.7])}
    moved = {name: replace(item, b=(item.b[0] * 1.1 + 0.4,)) for name, item in form.items()}

    made = link(form, moved, method, covariance_of(form), covariance_of(moved))

    assert made.A == 1.0
    assert made.se_A == 0.0
    assert pytest.approx(0.39, abs=0.02) == made.B
    assert made.se_B is not None
    assert made.se_B > 0.01


def test_a_slope_shared_by_all_items_counts_once() -> None:
    form = {f"item{k}": Parameters(Model.ONE_PL, (b,), 1.3) for k, b in enumerate([-1.0, 0.0, 0.7])}
    shared = Covariance(((None, "a"),), np.array([[0.01]]))
    exact = Covariance((), np.zeros((0, 0)))

    made = link(form, form, "mean-mean", shared, exact)

    assert made.se_A == pytest.approx(0.1 / 1.3, rel=1e-6)  # A = a_FROM / a_TO


@pytest.mark.parametrize("method", METHODS)
def test_there_and_back_is_where_we_began(method: Method) -> None:
    made = link(FORM, on_another_scale(FORM, 1.3, 0.4), method, covariance_of(FORM), covariance_of(FORM))

    back = made.inverse().inverse()

    assert pytest.approx((made.A, made.B)) == (back.A, back.B)
    assert np.array(back.covariance) == pytest.approx(np.array(made.covariance))


def test_an_item_looks_the_same_from_its_new_scale() -> None:
    theta = np.linspace(-3, 3, 7)
    made = Link(1.3, -0.4)

    for item in FORM.values():
        assert probabilities(made.item(item), made.theta(theta)) == pytest.approx(probabilities(item, theta))


def test_the_symmetric_criterion_gives_the_inverse_when_forms_change_places() -> None:
    moved = on_another_scale(FORM, 1.2, -0.3)
    moved["hard"] = replace(moved["hard"], b=(1.9,))

    there = link(FORM, moved, symmetric=True)
    back = link(moved, FORM, symmetric=True)

    assert pytest.approx((there.A, there.B), abs=1e-8) == (back.inverse().A, back.inverse().B)


def test_linking_error_grows_away_from_where_the_link_is_known_best() -> None:
    made = Link(1.0, 0.0, ((0.01, 0.002), (0.002, 0.02)))

    assert made.variance(np.array([-2.0, 0.0, 2.0])) == pytest.approx([0.052, 0.02, 0.068])
    assert IDENTITY.variance(np.array([3.0])) == 0.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"middle": None, "hard": None, "guessed": None, "graded": None, "stepped": None}, "only easy"),
        ({"graded": Parameters(Model.GPCM, (-1.0, 0.2, 1.1), 1.2)}, "graded: the models differ, grm and gpcm"),
        ({"stepped": Parameters(Model.GPCM, (0.3, 0.9), 0.7)}, "stepped: 4 categories in one form, 3 in the other"),
        ({"hard": Parameters(Model.TWO_PL, (float("nan"),))}, "hard: a parameter is not a finite number"),
        ({"hard": Parameters(Model.TWO_PL, (1.0,), -0.7)}, "hard: slopes 1.1 and -0.7 belong to no common scale"),
    ],
)
def test_forms_that_cannot_be_linked_say_which_item(change: dict[str, Parameters | None], said: str) -> None:
    other = {name: item for name, item in (FORM | change).items() if item is not None}

    with pytest.raises(CannotLink, match=said):
        link(FORM, other)


def test_difficulties_all_alike_determine_no_spread() -> None:
    form = {"one": Parameters(Model.TWO_PL, (0.5,)), "two": Parameters(Model.TWO_PL, (0.5,), 1.5)}

    with pytest.raises(CannotLink, match="do not vary"):
        link(form, form, "mean-sigma")


def test_a_covariance_must_fit_its_names() -> None:
    with pytest.raises(CannotLink, match="2 names"):
        Covariance((("easy", "a"), ("easy", "b")), np.eye(3))
    with pytest.raises(CannotLink, match="twice"):
        Covariance((("easy", "a"), ("easy", "a")), np.eye(2))


def test_every_free_parameter_has_a_name_and_a_value() -> None:
    found = {name: [value(item, parameter) for parameter in parameter_names(item)] for name, item in FORM.items()}

    assert found["guessed"] == [1.6, 0.4, 0.2]
    assert found["graded"] == [1.2, -1.0, 0.2, 1.1]
