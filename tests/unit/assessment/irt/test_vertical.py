"""Forms of several grades on one scale."""

import numpy as np
import pytest

from services.assessment.domain.irt.linking import CannotLink, Covariance, Link, link, moved, parameter_names
from services.assessment.domain.irt.models import Model, Parameters
from services.assessment.domain.irt.vertical import Calibrated, chain, vertical_scale

BANK = {
    f"item{place:02}": Parameters(Model.TWO_PL, (float(b),), float(a))
    for place, (a, b) in enumerate(zip(np.tile([0.8, 1.1, 1.5], 8), np.linspace(-3, 3, 24), strict=True))
}
TO_OWN = [Link(1.2, 1.0), Link(1.0, 0.0), Link(0.9, -0.8)]  # base scale → the scale of grade 3, 4, 5


def grades(rng: np.random.Generator | None = None, variance: float = 4e-4) -> list[Calibrated]:
    made = []
    names = sorted(BANK)
    for place, to_own in enumerate(TO_OWN):
        items = {name: to_own.item(BANK[name]) for name in names[place * 6 : place * 6 + 12]}
        keys = tuple((name, parameter) for name, item in items.items() for parameter in parameter_names(item))
        if rng:
            for name, parameter in keys:
                items[name] = moved(items[name], parameter, float(rng.normal(0, np.sqrt(variance))))
        made.append(Calibrated(f"grade {place + 3}", items, Covariance(keys, variance * np.eye(len(keys)))))
    return made


def test_every_grade_finds_its_way_onto_the_base() -> None:
    found = vertical_scale(grades(), "grade 4")

    for place, name in enumerate(["grade 3", "grade 4", "grade 5"]):
        back = TO_OWN[place].inverse()
        assert pytest.approx((back.A, back.B), abs=1e-6) == (found[name].A, found[name].B)
    assert found["grade 4"].covariance == ((0.0, 0.0), (0.0, 0.0))


def test_error_accumulates_along_the_chain() -> None:
    found = vertical_scale(grades(), "grade 3")

    assert found["grade 4"].se_B is not None
    assert found["grade 5"].se_B is not None
    assert 0 < found["grade 4"].se_B < found["grade 5"].se_B


def test_a_chain_of_two_is_a_link() -> None:
    one, other, _ = grades()

    direct = link(one.items, other.items, covariance_from=one.covariance, covariance_to=other.covariance)
    chained = chain([one, other])

    assert pytest.approx((direct.A, direct.B)) == (chained.A, chained.B)
    assert np.array(chained.covariance) == pytest.approx(np.array(direct.covariance))


@pytest.mark.parametrize(("draws", "close"), [(100, 0.35), pytest.param(300, 0.25, marks=pytest.mark.long)])
def test_accumulated_errors_are_those_of_repeated_calibrations(draws: int, close: float) -> None:
    rng = np.random.default_rng(7)

    told = chain(grades(), "mean-mean")
    drawn = np.array([(made.A, made.B) for made in (chain(grades(rng), "mean-mean") for _ in range(draws))])

    assert told.covariance is not None
    assert np.cov(drawn, rowvar=False) == pytest.approx(np.array(told.covariance), rel=close, abs=1e-4)


def test_without_a_covariance_on_the_way_there_is_no_standard_error() -> None:
    one, other, last = grades()

    found = vertical_scale([one, Calibrated(other.name, other.items), last], "grade 5")

    assert found["grade 3"].covariance is None
    assert found["grade 5"].covariance is not None


def test_forms_that_do_not_hang_together_are_named() -> None:
    one, _, last = grades()
    apart = Calibrated("grade 9", {"other": BANK["item00"]})

    with pytest.raises(CannotLink, match="grade 9 to grade 5: a link needs two common items"):
        vertical_scale([apart, last], "grade 5")
    with pytest.raises(CannotLink, match="no form grade 7"):
        vertical_scale([one, last], "grade 7")
    with pytest.raises(CannotLink, match="same name"):
        vertical_scale([one, one], "grade 3")
    with pytest.raises(CannotLink, match="no form to link"):
        chain([])
