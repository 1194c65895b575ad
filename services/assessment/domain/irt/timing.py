"""Rapid guessing: answers given faster than the question can be read.

A response under its item's threshold is a rapid guess, any other is solution behaviour (Schnipke & Scrams 1997). A
student's response time effort is the share of solution behaviour (Wise & Kong 2005); under .90 a score is to be read
with caution (Wise 2015).

**What becomes of a rapid guess**: it says nothing of ability, so it counts as not presented (`without_rapid_guesses`),
as in effort-moderated scoring (Wise & DeMars 2006). Never as wrong: that would punish twice. A response without a time
is kept and counts in nobody's effort.

**Thresholds**: normative, a tenth of the item's mean time but at most ten seconds (NT10, Wise & Ma 2012); or by
cumulative proportion, the longest time up to which answers are right no more often than by chance (Guo et al. 2016).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.irt.models import Floats
from services.assessment.domain.irt.responses import HIGHEST_SCORE, NOT_PRESENTED, Codes

Bools = NDArray[np.bool_]

NORMATIVE_SHARE, LONGEST_SECONDS = 0.10, 10.0
ENOUGH_EFFORT = 0.90


class ImpossibleTime(ValueError):
    """A response time is not a number of seconds from 0 on."""


class NoTimes(ValueError):
    """An item has no response with a time, so it has no threshold."""


@dataclass(frozen=True, slots=True)
class Effort:
    """Who guessed rapidly: `rapid` (students, items); `effort` (students,) the share of solution behaviour.

    `effort` is NaN for students without a timed response; `cautioned` (students,) says whose is under .90.
    """

    rapid: Bools
    effort: Floats
    cautioned: Bools


def normative_thresholds(
    seconds: Floats, codes: Codes, share: float = NORMATIVE_SHARE, longest: float = LONGEST_SECONDS
) -> Floats:
    """NT10 thresholds in seconds, (items,); seconds (students, items), NaN where no time is known.

    Raises `ImpossibleTime` and `NoTimes`.
    """
    timed = _timed(seconds, codes)
    number = timed.sum(axis=0)
    if not number.all():
        raise NoTimes(f"Item {int(np.argmin(number)) + 1} has no response with a time.")
    means = np.where(timed, seconds, 0.0).sum(axis=0) / number
    return np.asarray(np.minimum(share * means, longest), dtype=np.float64)


def cumulative_threshold(seconds: Floats, right: Bools, chance: float) -> float:
    """Longest time up to which the share of right answers does not exceed `chance`; 0 when it always does.

    Of one item: seconds and right (students,), answers without a time left out. Raises `ImpossibleTime`.
    """
    known = ~np.isnan(seconds)
    _possible(seconds[known, np.newaxis], np.flatnonzero(known))
    order = np.argsort(seconds[known], kind="stable")
    times, answers = seconds[known][order], right[known][order]
    if not len(times):
        return 0.0
    share = np.cumsum(answers) / np.arange(1, len(answers) + 1)
    last = np.append(times[1:] != times[:-1], True)  # a share is known once all of the same time are in
    below = np.flatnonzero(last & (share <= chance))
    return float(times[below[-1]]) if len(below) else 0.0


def effort(seconds: Floats, codes: Codes, thresholds: Floats) -> Effort:
    """Rapid guesses and response time effort; seconds and codes (students, items), thresholds (items,) in seconds."""
    timed = _timed(seconds, codes)
    rapid = timed & (np.where(timed, seconds, np.inf) < thresholds)
    number = timed.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = 1 - rapid.sum(axis=1) / number
    return Effort(rapid, share, np.asarray(share < ENOUGH_EFFORT, dtype=np.bool_))


def without_rapid_guesses(codes: Codes, rapid: Bools) -> Codes:
    """The codes with every rapid guess not presented."""
    return np.where(rapid, np.uint8(NOT_PRESENTED), codes)


def _timed(seconds: Floats, codes: Codes) -> Bools:
    if seconds.shape != codes.shape:
        raise ImpossibleTime(f"Times of shape {seconds.shape} do not go with responses of shape {codes.shape}.")
    _possible(seconds, np.arange(len(seconds)))
    return np.asarray((codes <= HIGHEST_SCORE) & ~np.isnan(seconds), dtype=np.bool_)


def _possible(seconds: Floats, rows: NDArray[np.int64]) -> None:
    wrong = (seconds < 0) | np.isinf(seconds)
    if wrong.any():
        student, item = np.argwhere(wrong)[0]
        raise ImpossibleTime(
            f"Student {rows[student] + 1}, item {item + 1}: {seconds[student, item]} is not a number of seconds."
        )
