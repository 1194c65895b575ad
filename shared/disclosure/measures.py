"""Rates of groups, their gaps and risk ratios, and how these change, with 95 % intervals; elementwise on arrays.

Intervals are those that hold up for small groups: Wilson's score interval for a rate (Wilson 1927, JASA 22, 209-212),
and from it, by the method of variance estimates recovery (Zou & Donner 2008, Statistics in Medicine 27, 1693-1702),
differences (Newcombe 1998, Statistics in Medicine 17, 873-890), ratios, and differences of differences.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

Z = 1.959963984540054
"""Two-sided 95 % of the normal distribution."""


class BadCounts(ValueError):
    """Some of a group are more than the group, or counts are negative."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Values with their 95 % intervals, elementwise; NaN where a group is empty."""

    value: Floats
    lower: Floats
    upper: Floats

    def leaves_out(self, constant: float) -> NDArray[np.bool_]:
        """Where the interval lies to one side of a constant, such as no gap (0) or equal risk (1)."""
        return np.asarray((self.lower > constant) | (self.upper < constant))


def rate(some: Integers, all_: Integers) -> Estimate:
    """Share of a group, with Wilson's score interval. Raises BadCounts."""
    if (some < 0).any() or (some > all_).any():
        raise BadCounts("Some of a group are never fewer than 0 or more than the group.")
    size = np.where(all_ > 0, all_, np.nan)
    share = some / size
    middle = (share + Z * Z / (2 * size)) / (1 + Z * Z / size)
    half = Z * np.sqrt(share * (1 - share) / size + Z * Z / (4 * size * size)) / (1 + Z * Z / size)
    lower = np.where(some == 0, 0 * middle, middle - half)  # exact at the ends, whatever rounding does
    upper = np.where(some == all_, 1 + 0 * middle, middle + half)
    return Estimate(share, lower, upper)


def gap(one: Estimate, other: Estimate) -> Estimate:
    """one − other, for independent groups."""
    value = one.value - other.value
    return Estimate(
        value,
        value - np.hypot(one.value - one.lower, other.upper - other.value),
        value + np.hypot(one.upper - one.value, other.value - other.lower),
    )


def change(before: Estimate, after: Estimate) -> Estimate:
    """after − before, of rates or of gaps, when the two are of different people or answers."""
    return gap(after, before)


def risk_ratio(one: Estimate, other: Estimate) -> Estimate:
    """one / other, both not negative, for independent groups; infinite where the other is 0.

    The limits are those of Donner & Zou 2012 (Statistical Methods in Medical Research 21, 347-359, eq. 10).
    """
    p1, l1, u1, p2, l2, u2 = one.value, one.lower, one.upper, other.value, other.lower, other.upper
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where((p2 == 0) & (p1 == 0), np.nan, p1 / p2)
        low_root = np.sqrt(np.maximum((p1 * p2) ** 2 - l1 * u2 * (2 * p1 - l1) * (2 * p2 - u2), 0))
        high_root = np.sqrt(np.maximum((p1 * p2) ** 2 - u1 * l2 * (2 * p1 - u1) * (2 * p2 - l2), 0))
        lower = (p1 * p2 - low_root) / (u2 * (2 * p2 - u2))
        upper = (p1 * p2 + high_root) / (l2 * (2 * p2 - l2))
        # Where the other's upper limit is just twice its rate, the fraction is 0 / 0, and this its limit.
        lower = np.where(np.abs(2 * p2 - u2) > 1e-9, lower, l1 * (2 * p1 - l1) / (2 * p1 * p2))
    known = np.isfinite(p1) & np.isfinite(p2)
    lower = np.where(known, np.maximum(np.nan_to_num(lower, nan=0.0), 0), np.nan)
    upper = np.where(known, np.where(l2 > 0, np.nan_to_num(upper, nan=np.inf, posinf=np.inf), np.inf), np.nan)
    return Estimate(value, np.minimum(lower, np.where(np.isfinite(value), value, lower)), upper)


def represented(chosen: Integers, everyone: Integers) -> Estimate:
    """Share of each group among the chosen over its share of everyone; above 1 it is over-represented.

    `chosen` and `everyone` (groups,): those chosen are counted in everyone, too. It is the risk ratio of being chosen,
    the group against all, with the interval of the group against the others carried over.
    """
    rest_chosen, rest = chosen.sum() - chosen, everyone.sum() - everyone
    ours, theirs = rate(chosen, everyone), rate(rest_chosen, rest)
    ratio = risk_ratio(ours, theirs)
    part = everyone / max(int(everyone.sum()), 1)

    def against_all(times: Floats) -> Floats:
        with np.errstate(invalid="ignore"):
            found = np.where(np.isinf(times), 1 / np.where(part > 0, part, np.nan), times / (part * times + 1 - part))
        return np.asarray(found)

    return Estimate(against_all(ratio.value), against_all(ratio.lower), against_all(ratio.upper))
