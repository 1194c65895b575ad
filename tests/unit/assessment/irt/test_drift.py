"""Common items that changed are found; those that did not are left in peace."""

from dataclasses import replace

import numpy as np
import pytest

from services.assessment.domain.irt.drift import anchor_drift, item_drift
from services.assessment.domain.irt.linking import CannotLink, Covariance, Link, moved, parameter_names
from services.assessment.domain.irt.models import Model, Parameters

LINK = Link(1.15, -0.3)
FORM = {
    f"item{place:02}": Parameters(Model.TWO_PL, (float(b),), float(a))
    for place, (a, b) in enumerate(zip(np.linspace(0.8, 1.6, 15), np.linspace(-1.8, 1.8, 15)[::-1], strict=True))
} | {"graded": Parameters(Model.GRM, (-0.8, 0.1, 0.9), 1.2)}
MOVED = {name: LINK.item(item) for name, item in FORM.items()}


def small_covariance(form: dict[str, Parameters], variance: float = 0.002) -> Covariance:
    names = tuple((name, parameter) for name, item in form.items() for parameter in parameter_names(item))
    return Covariance(names, variance * np.eye(len(names)))


def perturbed(form: dict[str, Parameters], variance: float, rng: np.random.Generator) -> dict[str, Parameters]:
    made = dict(form)
    for name, item in form.items():
        for parameter in parameter_names(item):
            made[name] = moved(made[name], parameter, float(rng.normal(0, np.sqrt(variance))))
    return made


def test_without_drift_every_anchor_stays() -> None:
    found = anchor_drift(FORM, MOVED)

    assert found.removed == ()
    assert found.trusted
    assert pytest.approx((1.15, -0.3), abs=1e-6) == (found.link.A, found.link.B)


def test_anchors_that_became_easier_are_taken_out_and_the_link_is_what_it_was() -> None:
    drifted = MOVED | {name: replace(MOVED[name], b=(MOVED[name].b[0] - 0.9,)) for name in ("item04", "item09")}

    found = anchor_drift(FORM, drifted)

    assert sorted(found.removed) == ["item04", "item09"]
    assert found.trusted
    assert pytest.approx((1.15, -0.3), abs=1e-6) == (found.link.A, found.link.B)
    report = {anchor.item: anchor for anchor in found.anchors}
    assert len(report) == 16
    assert {report["item04"].removed_in_round, report["item09"].removed_in_round} == {1, 2}
    assert report["item04"].distance > 0.05


def test_an_anchor_whose_slope_changed_is_found() -> None:
    drifted = MOVED | {"item07": replace(MOVED["item07"], a=MOVED["item07"].a * 0.35)}

    assert anchor_drift(FORM, drifted).removed == ("item07",)


def test_when_too_many_anchors_drift_the_link_is_not_trusted() -> None:
    gone = ["item01", "item04", "item07", "item09", "item12"]
    drifted = MOVED | {
        name: replace(MOVED[name], b=(MOVED[name].b[0] + by,))
        for name, by in zip(gone, [1.4, 1.2, 1.6, 1.3, 1.5], strict=True)
    }

    found = anchor_drift(FORM, drifted)

    assert len(found.removed) == 3  # a fifth of sixteen
    assert not found.trusted


def test_wald_finds_the_item_that_drifted_and_hardly_any_other() -> None:
    rng = np.random.default_rng(11)
    variance = 0.002
    drifted = MOVED | {"item05": replace(MOVED["item05"], b=(MOVED["item05"].b[0] + 0.6,))}

    found = item_drift(
        perturbed(FORM, variance, rng),
        perturbed(drifted, variance, rng),
        small_covariance(FORM, variance),
        small_covariance(MOVED, variance),
        without=["item05"],
    )

    assert [each.item for each in found if each.p_holm < 0.05] == ["item05"]
    assert {each.item: each.df for each in found}["graded"] == 4


def test_wald_claims_drift_where_there_is_none_as_often_as_it_says() -> None:
    rng = np.random.default_rng(12)
    variance = 0.002
    before, after = small_covariance(FORM, variance), small_covariance(MOVED, variance)

    p = [
        each.p
        for _ in range(25)
        for each in item_drift(perturbed(FORM, variance, rng), perturbed(MOVED, variance, rng), before, after)
    ]

    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.085
    assert 0.42 < np.mean(p) < 0.58


def test_adjusted_p_values_are_never_smaller() -> None:
    rng = np.random.default_rng(13)

    found = item_drift(FORM, perturbed(MOVED, 0.01, rng), small_covariance(FORM), small_covariance(MOVED))

    assert all(each.p_holm >= each.p for each in found)
    assert max(each.p_holm for each in found) <= 1.0


def test_items_known_exactly_in_both_calibrations_cannot_be_tested() -> None:
    nothing = Covariance((), np.zeros((0, 0)))

    with pytest.raises(CannotLink, match="graded: its change has no variance"):
        item_drift(FORM, MOVED, nothing, nothing)
