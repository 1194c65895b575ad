"""Published results, computed with R: log-likelihoods, parameters and standard errors to the third decimal."""

from typing import Any

import numpy as np
import pytest

from services.assessment.domain.irt import Model, Responses
from services.assessment.domain.irt.calibration import Calibration, calibrate
from services.assessment.domain.irt.kernels import Name, kernel
from tests.unit.assessment.irt.calibration.samples import codes_of, golden, lsat6, needs_shared, wide

pytestmark = needs_shared

NEAR = 1e-3
FILES = {
    "LSAT6_2PL": ("LSAT6", Model.TWO_PL),
    "LSAT6_Rasch": ("LSAT6", Model.RASCH),
    "SAT12_2PL": ("SAT12_scored.csv", Model.TWO_PL),
    "Science_graded": ("Science.csv", Model.GRM),
    "ICAR16_2PL": ("psychTools_ability_ICAR16.csv", Model.TWO_PL),
    "ICAR16_Rasch": ("psychTools_ability_ICAR16.csv", Model.RASCH),
}


def responses(file: str) -> Responses:
    if file == "LSAT6":
        return lsat6()
    numbers = wide(file)[1]
    return Responses(codes_of(numbers - 1 if file == "Science.csv" else numbers))


def calibrated(name: str, by: Name) -> Calibration:
    file, model = FILES[name]
    found = responses(file)
    scores = 4 if model is Model.GRM else 2
    return calibrate(found, [model] * found.width, categories=[scores] * found.width, kernel=kernel(by))


@pytest.mark.parametrize("by", ["numpy", "compiled"])
@pytest.mark.parametrize("name", FILES)
def test_a_published_calibration_is_reproduced(name: str, by: Name) -> None:
    published = golden(name)

    made = calibrated(name, by)

    assert made.converged
    assert made.log_likelihood == pytest.approx(published["logLik"], abs=NEAR)
    assert [item.a for item in made.items] == pytest.approx(published["coef"]["a"], abs=NEAR)
    for step in range(len(made.items[0].b)):
        column = published["coef"]["b" if len(made.items[0].b) == 1 else f"b{step + 1}"]
        assert [item.b[step] for item in made.items] == pytest.approx(column, abs=NEAR)
    assert made.groups[0].sd ** 2 == pytest.approx(published["group"]["cov"][0][0], abs=NEAR)


def intercept_error(made: Calibration, item: int, step: int) -> float:
    """Standard error of d = −a b, from the covariance of a and b."""
    own = made.items[item]
    at_b = next(at for at, free in enumerate(made.free) if free.item == item and free.name in ("b", f"b{step + 1}"))
    by = np.zeros(len(made.free))
    by[at_b] = -own.a
    at_a = [at for at, free in enumerate(made.free) if free.item == item and free.name == "a"]
    by[at_a] = -own.b[step]
    assert made.covariance is not None
    return float(np.sqrt(by @ made.covariance @ by))


@pytest.mark.parametrize("name", FILES)
def test_published_standard_errors_are_reproduced(name: str) -> None:
    published: dict[str, dict[str, Any]] = golden(name)["slope_intercept_SE"]
    items = golden(name)["items"]

    made = calibrated(name, "numpy")

    for item, label in enumerate(items):
        errors = published[label]
        if errors["a1"] is not None:
            assert made.standard_errors(item)["a"] == pytest.approx(errors["a1"], abs=NEAR)
        for step in range(len(made.items[item].b)):
            column = "d" if len(made.items[item].b) == 1 else f"d{step + 1}"
            assert intercept_error(made, item, step) == pytest.approx(errors[column], abs=NEAR)


def test_the_variance_of_rasch_abilities_has_its_published_error() -> None:
    published = golden("ICAR16_Rasch")["slope_intercept_SE"]["GroupPars"]["COV_11"]

    made = calibrated("ICAR16_Rasch", "numpy")

    # var = sd², so its error is twice sd times that of sd
    assert 2 * made.groups[0].sd * made.group_errors(0)["sd"] == pytest.approx(published, abs=NEAR)


def test_one_common_slope_as_ltm_has_it() -> None:
    published = golden("LSAT_ltm")

    made = calibrate(lsat6(), [Model.ONE_PL] * 5, categories=[2] * 5, kernel=kernel("numpy"))

    assert made.log_likelihood == pytest.approx(published["ll1"], abs=NEAR)
    assert [item.a for item in made.items] == pytest.approx(published["rasch"]["Dscrmn"], abs=NEAR)
    assert [item.b[0] for item in made.items] == pytest.approx(published["rasch"]["Dffclt"], abs=NEAR)
    assert len({item.a for item in made.items}) == 1
