"""Did it work? What partner schools gained beyond schools like them that had no partner.

Difference in differences (Card & Krueger 1994) against matched comparison schools: each partner school is compared
with the schools most like it in context and in results before (Mahalanobis distance, with replacement; Rubin 1980),
and what is still unlike is taken out by a regression over the schools without a partner (Abadie & Imbens 2011, Journal
of Business & Economic Statistics 29, 1-11):

    effect = mean_partners (D − X β) − Σ_others w (D − X β),   D = mean after − mean before

Matching on the results before matters: schools that are chosen because a year was bad are better the year after by
chance alone. A placebo test looks for the same "effect" between two periods before the start, where there cannot be
one; a second one gives the role of partner to schools that had none, many times, and counts how often they seem to gain
as much (Fisher 1935). An effect is claimed only when its interval is clear of 0 and no placebo speaks against it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]

COMPARED = 5
"""Comparison schools for each partner school."""
FEWEST_PARTNERS = 5
"""With fewer partner schools nothing is claimed."""
FEWEST_OTHERS = 20
"""With fewer schools to compare with nothing is computed."""
LEVEL = 0.05
_NEAR_ZERO = 1e-12


class CannotCompare(ValueError):
    """Too few schools with results before and after; the message says how many there are and how many it takes."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A difference in differences, on the scale of the results, with its standard error and 95 % interval."""

    estimate: float
    standard_error: float
    lower: float
    upper: float

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.lower > 0 or self.upper < 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of a comparison.

    `compared` (partners, COMPARED) are the positions of each partner's comparison schools, in the order of `partners`,
    the positions of the partner schools that have results. `imbalance` is, for each matching variable, the difference
    of means after matching in standard deviations. `before` is the placebo effect between the first and last period
    before the start, None with a single one; `chance` the share of placebo partnerships that seem to gain or lose at
    least as much.
    """

    effect: Effect
    before: Effect | None
    chance: float
    partners: Integers
    compared: Integers
    imbalance: Floats
    left_out: Integers

    @property
    def is_claimed(self) -> bool:
        """Whether there is an effect to speak of."""
        moved_before = self.before is not None and self.before.is_clear
        return (
            len(self.partners) >= FEWEST_PARTNERS and self.effect.is_clear and self.chance <= LEVEL and not moved_before
        )

    def sentence(self, of: str, unit: str = "") -> str:
        """What may be said, in one sentence: an effect with its interval, or that the data cannot tell and why."""
        effect = self.effect
        between = f"between {effect.lower:+.2f} and {effect.upper:+.2f}{unit}"
        who = f"{len(self.partners)} partner schools"
        if self.is_claimed:
            verb = "gained" if effect.estimate > 0 else "lost"
            return (
                f"In {of}, the {who} {verb} {abs(effect.estimate):.2f}{unit} more than schools like them without a "
                f"partner (95 % interval {between})."
            )
        if len(self.partners) < FEWEST_PARTNERS:
            return f"In {of}, {who} are too few to tell whether the partnerships made a difference."
        if self.before is not None and self.before.is_clear:
            return (
                f"In {of}, the {who} and schools like them were already moving apart before the partnerships began, so "
                f"these data cannot tell whether the partnerships made a difference."
            )
        return (
            f"In {of}, these data cannot tell whether the partnerships made a difference: a true difference anywhere "
            f"{between} would look like this."
        )


def compare(
    results: Floats,
    start: int,
    partner: Bools,
    context: Floats,
    rng: np.random.Generator,
    *,
    excluded: Bools | None = None,
    placebos: int = 999,
) -> Comparison:
    """What the partner schools gained beyond schools like them.

    `results` (schools, periods), more is better, NaN where there is none; `start` is the first period with partners;
    `partner` (schools,); `context` (schools, variables). `excluded` schools are compared with nobody: hosts, say, or
    partners in another area. Schools without results in some period, or of unknown context, are left out and named.

    Raises CannotCompare when `start` leaves no period before or after, or too few schools remain.
    """
    periods = results.shape[1]
    if not 0 < start < periods:
        raise CannotCompare(
            f"The partnerships start in period {start} of {periods}: it takes one before and one after."
        )
    complete = np.asarray(np.isfinite(results).all(axis=1) & np.isfinite(context).all(axis=1))
    other = complete & ~partner & ~(np.zeros(len(partner), np.bool_) if excluded is None else excluded)
    ours, theirs = np.flatnonzero(complete & partner), np.flatnonzero(other)
    if not len(ours) or len(theirs) < FEWEST_OTHERS:
        raise CannotCompare(
            f"{len(ours)} partner schools and {len(theirs)} others have results in all {periods} periods; it takes at "
            f"least 1 and {FEWEST_OTHERS}."
        )
    level = results[:, :start].mean(axis=1)
    change = results[:, start:].mean(axis=1) - level
    like = _whitened(np.concatenate([context, level[:, None]], axis=1), theirs)
    nearest = _nearest(like, ours, theirs)
    effect = _effect(change, like, ours, theirs, nearest)
    before = None
    if start > 1:
        # The level it is matched on must not be made of the change it looks for: the first period stands for it.
        early = _whitened(np.concatenate([context, results[:, :1]], axis=1), theirs)
        moved = results[:, start - 1] - results[:, 0]
        before = _effect(moved, early, ours, theirs, _nearest(early, ours, theirs))
    return Comparison(
        effect,
        before,
        _chance(change, like, ours, theirs, effect, rng, placebos),
        ours,
        theirs[nearest],
        like[ours].mean(axis=0) - like[theirs[nearest]].mean(axis=(0, 1)),
        np.flatnonzero(partner & ~complete),
    )


def _whitened(variables: Floats, theirs: Integers) -> Floats:
    """Variables without what does not vary, centred and decorrelated over the others: distances are Mahalanobis'."""
    spread = variables[theirs].std(axis=0)
    varies = spread > _NEAR_ZERO * np.maximum(1, np.abs(variables[theirs]).max(axis=0))
    kept = (variables[:, varies] - variables[theirs][:, varies].mean(axis=0)) / spread[varies]
    values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(kept[theirs], rowvar=False)))
    sound = values > 1e-9
    return np.asarray(kept @ vectors[:, sound] / np.sqrt(values[sound]))


def _nearest(like: Floats, ours: Integers, theirs: Integers) -> Integers:
    """Positions in `theirs` of each partner's comparison schools, nearest first; equal ones in the order of schools."""
    apart = ((like[ours][:, None, :] - like[theirs][None, :, :]) ** 2).sum(axis=2)
    return np.argsort(apart, axis=1, kind="stable")[:, :COMPARED]


def _effect(change: Floats, like: Floats, ours: Integers, theirs: Integers, nearest: Integers) -> Effect:
    from scipy.special import stdtrit  # not at start: half a second

    design = np.concatenate([np.ones((len(like), 1)), like], axis=1)
    slopes, *_ = np.linalg.lstsq(design[theirs], change[theirs], rcond=None)
    rest = change - design @ slopes
    weight = np.bincount(nearest.ravel(), minlength=len(theirs)) / nearest.size
    estimate = float(rest[ours].mean() - weight @ rest[theirs])
    free = max(1, len(theirs) - design.shape[1])
    spread = float(rest[theirs] @ rest[theirs]) / free
    ours_spread = float(rest[ours].var(ddof=1)) if len(ours) > 1 else spread
    # Of few partners the spread is hardly known: the larger of theirs and the others' is taken.
    one, two = max(ours_spread, spread) / len(ours), spread * float(weight @ weight)
    error = float(np.sqrt(one + two))
    degrees = (one + two) ** 2 / (one**2 / max(1, len(ours) - 1) + two**2 / free) if error > 0 else 1.0
    width = float(stdtrit(degrees, 1 - LEVEL / 2)) * error
    return Effect(estimate, error, estimate - width, estimate + width)


def _chance(
    change: Floats,
    like: Floats,
    ours: Integers,
    theirs: Integers,
    effect: Effect,
    rng: np.random.Generator,
    placebos: int,
) -> float:
    """How often as many schools without a partner, alike to the partners, seem to gain or lose at least as much."""
    number = min(len(ours), len(theirs) // 2)
    apart = ((like[theirs][:, None, :] - like[ours][None, :, :]) ** 2).sum(axis=2)
    pool = np.argsort(apart.min(axis=1), kind="stable")[: max(4 * number, FEWEST_OTHERS)]
    design = np.concatenate([np.ones((len(like), 1)), like], axis=1)
    slopes, *_ = np.linalg.lstsq(design[theirs], change[theirs], rcond=None)
    rest = (change - design @ slopes)[theirs]
    near = np.argsort(((like[theirs][pool][:, None, :] - like[theirs][None, :, :]) ** 2).sum(axis=2), axis=1)
    near = near[:, : COMPARED + number]  # at most so many of the nearest play partners themselves
    beyond = 0
    for _ in range(placebos):
        drawn = rng.choice(len(pool), number, replace=False)
        taken = np.zeros(len(theirs), np.bool_)
        taken[pool[drawn]] = True
        order = near[drawn]
        free = ~taken[order]
        among = free & (np.cumsum(free, axis=1) <= COMPARED)
        seeming = float(rest[pool[drawn]].mean() - (rest[order] * among).sum() / among.sum())
        beyond += abs(seeming) >= abs(effect.estimate) * (1 - _NEAR_ZERO)
    return (beyond + 1) / (placebos + 1)


def left_out_named(comparison: Comparison, names: Sequence[str]) -> list[str]:
    """The partner schools that have no results in some period, or no known context."""
    return [names[int(at)] for at in comparison.left_out]
