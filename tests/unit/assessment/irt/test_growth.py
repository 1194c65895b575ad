"""Growth: what may be claimed of a student and of a group."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.assessment.domain.irt.growth import BadAbilities, Change, growth, mean_growth
from services.assessment.domain.irt.linking import CannotLink, Link

LINK = Link(1.1, 0.2, ((0.0016, 0.0004), (0.0004, 0.0025)))
finite = st.floats(-4, 4)
errors = st.floats(0.05, 2)


def test_standard_error_holds_both_measurements_and_the_link() -> None:
    found = growth(np.array([0.5]), np.array([0.3]), np.array([1.2]), np.array([0.4]), LINK)

    linked = 0.25 * 0.0016 + 2 * 0.5 * 0.0004 + 0.0025
    assert found.growth == pytest.approx([1.2 - 0.75])
    assert found.se == pytest.approx([np.sqrt(0.16 + 1.21 * 0.09 + linked)])
    assert found.change(0) is Change.NO_MEASURABLE_CHANGE


@given(finite, errors, finite, errors)
def test_a_change_is_claimed_outside_of_1_96_standard_errors_only(
    before: float, se_before: float, after: float, se_after: float
) -> None:
    found = growth(np.array([before]), np.array([se_before]), np.array([after]), np.array([se_after]), LINK)

    ratio = found.growth[0] / found.se[0]
    said = Change.GREW if ratio > 1.96 else Change.FELL if ratio < -1.96 else Change.NO_MEASURABLE_CHANGE
    assert abs(abs(ratio) - 1.96) < 1e-4 or found.change(0) is said


@given(finite, errors)
def test_the_same_measurement_twice_is_no_change(theta: float, se: float) -> None:
    found = growth(*(np.array([each]) for each in (theta, se, theta, se)))

    assert found.change(0) is Change.NO_MEASURABLE_CHANGE
    assert found.se[0] == pytest.approx(np.sqrt(2) * se)


def test_an_ability_that_is_not_known_makes_growth_unknown_and_nobody_elses() -> None:
    before = np.array([np.nan, 0.0, np.inf, 0.0])
    after = np.array([1.0, np.nan, 0.0, 5.0])

    found = growth(before, np.full(4, 0.3), after, np.full(4, 0.3), LINK)

    assert [found.change(student) for student in range(4)] == [Change.UNKNOWN] * 3 + [Change.GREW]
    assert np.isnan(found.growth[:3]).all()
    assert np.isnan(found.se[:3]).all()


def test_linking_error_does_not_average_out() -> None:
    rng = np.random.default_rng(3)
    before = rng.normal(0.5, 1.0, 10_000)
    after = LINK.theta(before) + 0.05
    error = np.full(10_000, 0.4)

    whole = mean_growth(before, error, after, error, LINK)

    assert whole.se_measurement < 0.007
    assert whole.se_linking == pytest.approx(np.sqrt(LINK.variance(before.mean(keepdims=True))[0]))
    assert whole.se >= whole.se_linking > 0.05
    assert whole.change is Change.NO_MEASURABLE_CHANGE


def test_the_mean_is_over_students_known_in_both_windows() -> None:
    before, after = np.array([0.0, 1.0, np.nan]), np.array([2.0, 3.0, 0.0])

    found = mean_growth(before, np.full(3, 0.2), after, np.full(3, 0.2))

    assert (found.students, found.growth) == (2, 2.0)
    assert found.se == pytest.approx(0.2)
    assert found.change is Change.GREW


def test_what_cannot_be_compared_is_refused_by_name() -> None:
    one, two = np.zeros(1), np.zeros(2)

    with pytest.raises(BadAbilities, match="one number for each student"):
        growth(one, one + 1, two, two + 1)
    with pytest.raises(BadAbilities, match=r"student 1: a standard error after of 0\.0"):
        growth(two, two + 1, two, np.array([1.0, 0.0]))
    with pytest.raises(BadAbilities, match="no student"):
        mean_growth(one * np.nan, one + 1, one, one + 1)
    with pytest.raises(CannotLink, match="no covariance"):
        growth(one, one + 1, one, one + 1, Link(1.0, 0.0))
