"""Rapid guessing: thresholds, effort, and what becomes of a flagged answer."""

import numpy as np
import pytest

from services.assessment.domain.irt.responses import NOT_PRESENTED
from services.assessment.domain.irt.timing import (
    ImpossibleTime,
    NoTimes,
    cumulative_threshold,
    effort,
    normative_thresholds,
    without_rapid_guesses,
)

SECONDS = np.array([[30.0, 200.0], [50.0, 100.0], [1.0, 180.0]])
CODES = np.array([[1, 0], [1, 1], [0, 1]], dtype=np.uint8)


def test_the_normative_threshold_is_a_tenth_of_the_mean_but_ten_seconds_at_most() -> None:
    found = normative_thresholds(SECONDS, CODES)

    assert found == pytest.approx([2.7, 10.0])


def test_only_times_under_the_threshold_are_rapid() -> None:
    found = effort(SECONDS, CODES, np.array([30.0, 10.0]))

    assert found.rapid.tolist() == [[False, False], [False, False], [True, False]]
    assert found.effort.tolist() == [1.0, 1.0, 0.5]
    assert found.cautioned.tolist() == [False, False, True]


def test_a_rapid_guess_counts_as_not_presented() -> None:
    found = effort(SECONDS, CODES, np.array([2.7, 10.0]))

    kept = without_rapid_guesses(CODES, found.rapid)

    assert kept.tolist() == [[1, 0], [1, 1], [NOT_PRESENTED, 1]]
    assert kept.dtype == np.uint8


def test_a_response_without_a_time_is_kept_and_is_in_nobodys_effort() -> None:
    seconds = SECONDS.copy()
    seconds[2] = np.nan
    seconds[1, 0] = np.nan

    found = effort(seconds, CODES, np.array([2.7, 150.0]))

    assert not found.rapid[2].any()
    assert np.isnan(found.effort[2])
    assert not found.cautioned[2]
    assert found.effort[1] == 0.0


def test_a_time_without_a_response_counts_for_nothing() -> None:
    codes = CODES.copy()
    codes[2, 0] = NOT_PRESENTED

    found = effort(SECONDS, codes, np.array([2.7, 10.0]))

    assert not found.rapid.any()
    assert normative_thresholds(SECONDS, codes)[0] == pytest.approx(4.0)


def test_the_cumulative_threshold_is_where_answers_stop_being_chance() -> None:
    rng = np.random.default_rng(1)
    guessing = rng.random(2000) < 0.3
    seconds = np.where(guessing, rng.uniform(0.5, 4.0, 2000), rng.uniform(15.0, 90.0, 2000))
    right = rng.random(2000) < np.where(guessing, 0.22, 0.8)

    found = cumulative_threshold(seconds, right, 0.25)

    assert 3.5 < found < 20


def test_without_guessing_the_cumulative_threshold_is_nothing() -> None:
    assert cumulative_threshold(np.array([5.0, 6.0, np.nan]), np.array([True, True, False]), 0.25) == 0.0
    assert cumulative_threshold(np.array([np.nan]), np.array([True]), 0.25) == 0.0


def test_equal_times_are_taken_together() -> None:
    """Of four answers after 2 s two are right: whichever comes first in the file, the share is a half."""
    seconds, right = np.full(4, 2.0), np.array([False, False, True, True])

    assert cumulative_threshold(seconds, right, 0.4) == 0.0
    assert cumulative_threshold(seconds, right, 0.5) == 2.0


@pytest.mark.parametrize("bad", [-1.0, np.inf])
def test_an_impossible_time_is_located(bad: float) -> None:
    seconds = SECONDS.copy()
    seconds[1, 1] = bad

    with pytest.raises(ImpossibleTime, match="Student 2, item 2"):
        effort(seconds, CODES, np.array([1.0, 1.0]))


def test_times_of_another_shape_or_none_at_all_are_refused() -> None:
    with pytest.raises(ImpossibleTime, match="shape"):
        effort(SECONDS[:2], CODES, np.array([1.0, 1.0]))
    with pytest.raises(NoTimes, match="Item 2"):
        normative_thresholds(np.array([[1.0, np.nan]] * 3), CODES)
