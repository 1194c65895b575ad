"""Prior densities: how they are written, what they are, and their derivatives."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from services.assessment.domain.irt.calibration import Beta, LogNormal, Normal, Prior, UnreadablePrior, prior
from services.assessment.domain.irt.calibration.priors import Density

DENSITIES = [
    (Normal(0.5, 2.0), stats.norm(0.5, 2.0)),
    (LogNormal(0.1, 0.5), stats.lognorm(0.5, scale=np.exp(0.1))),
    (Beta(5, 17), stats.beta(5, 17)),
    (Beta(1, 4), stats.beta(1, 4)),
]
AT = np.array([0.05, 0.2, 0.6])


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("a:lognormal(0,0.5)", Prior("a", LogNormal(0, 0.5))),
        (" a : normal( 1 , .5 ) ", Prior("a", Normal(1, 0.5))),
        ("b:normal(0,2)", Prior("b", Normal(0, 2))),
        ("c:beta(5,17)", Prior("c", Beta(5, 17))),
    ],
)
def test_a_prior_is_read_as_it_is_written(text: str, meant: Prior) -> None:
    assert prior(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "d:normal(0,1)",
        "a:cauchy(0,1)",
        "b:beta(2,2)",
        "c:normal(0,1)",
        "a:normal(0)",
        "a:normal(0,1,2)",
        "a:normal(x,1)",
        "b:normal(nan,1)",
        "b:normal(0,0)",
        "a:lognormal(0,-1)",
        "c:beta(0.5,2)",
    ],
)
def test_what_is_no_prior_is_refused(text: str) -> None:
    with pytest.raises(UnreadablePrior, match=r".+"):
        prior(text)


@pytest.mark.parametrize(("density", "known"), DENSITIES)
def test_the_log_density_is_the_known_one(density: Density, known: Any) -> None:
    assert density.log(AT) == pytest.approx(known.logpdf(AT), abs=1e-12)


@pytest.mark.parametrize(("density", "_known"), DENSITIES)
def test_the_derivatives_are_those_of_the_log_density(density: Density, _known: Any) -> None:
    step = 1e-6

    slope = (density.log(AT + step) - density.log(AT - step)) / (2 * step)
    bend = (density.slope(AT + step) - density.slope(AT - step)) / (2 * step)

    assert density.slope(AT) == pytest.approx(slope, rel=1e-5)
    assert density.bend(AT) == pytest.approx(bend, rel=1e-5)


def test_outside_its_range_a_density_is_zero() -> None:
    assert LogNormal(0, 1).log(np.array([0.0, -1.0])).tolist() == [-np.inf, -np.inf]
    assert Beta(2, 2).log(np.array([-0.1, 0.0, 1.0])).tolist() == [-np.inf, -np.inf, -np.inf]
    assert np.isfinite(Beta(1, 2).log(np.array([0.0])))
