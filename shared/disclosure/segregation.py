"""How unevenly two groups are spread over units, and how often they meet.

Dissimilarity (Duncan & Duncan 1955, American Sociological Review 20, 210-217) and exposure (Bell 1954; Lieberson 1981;
Massey & Denton 1988, Social Forces 67, 281-315). Small units are uneven by chance alone: what pure chance would give is
told beside each dissimilarity, and taken out of the corrected one (Carrington & Troske 1997, Journal of Business &
Economic Statistics 15, 402-409). Intervals are bootstrap
intervals (Efron & Tibshirani 1993): the members of each group are drawn again, and what that adds is taken out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Measure: TypeAlias = Callable[[Floats, Floats], Floats]


class NobodyThere(ValueError):
    """One of the groups has no members."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A measure from 0 to 1.

    `value` is that of the members counted; `likely`, with its 95 % interval, that of the chances they had, without what
    small units add; `by_chance` what members put into units by lot would give.
    """

    value: float
    likely: float
    lower: float
    upper: float
    by_chance: float

    @property
    def corrected(self) -> float:
        """0 where nothing is beyond chance, 1 where the groups never meet, below 0 where they are spread evenly."""
        return (self.value - self.by_chance) / (1 - self.by_chance)


def dissimilarity(one: Integers, other: Integers, rng: np.random.Generator, draws: int = 1_000) -> Spread:
    """½ Σ |one/Σone − other/Σother| over units: the share of either group that would have to move.

    `one` and `other` (units,) are counts. Raises NobodyThere.
    """
    return _spread(one, other, rng, draws, _dissimilarity)


def exposure(one: Integers, other: Integers, rng: np.random.Generator, draws: int = 1_000) -> Spread:
    """Σ one/Σone · other/(one + other): the share of the other group where a member of one group is, on average.

    `one` and `other` (units,) are counts. Raises NobodyThere.
    """
    return _spread(one, other, rng, draws, _exposure)


def _dissimilarity(one: Floats, other: Floats) -> Floats:
    shares = one / one.sum(axis=-1, keepdims=True) - other / other.sum(axis=-1, keepdims=True)
    return np.asarray(np.abs(shares).sum(axis=-1) / 2)


def _exposure(one: Floats, other: Floats) -> Floats:
    met = one * other / np.maximum(one + other, 1)
    return np.asarray(met.sum(axis=-1) / one.sum(axis=-1))


def _spread(one: Integers, other: Integers, rng: np.random.Generator, draws: int, measure: Measure) -> Spread:
    sizes = int(one.sum()), int(other.sum())
    if min(sizes) == 0:
        raise NobodyThere("One of the groups has no members.")

    def drawn(shares: tuple[Floats, Floats]) -> Floats:
        some, others = (rng.multinomial(size, share, draws) for size, share in zip(sizes, shares, strict=True))
        return measure(some.astype(np.float64), others.astype(np.float64))

    value = float(measure(one.astype(np.float64), other.astype(np.float64)))
    everyone = (one + other) / sum(sizes)
    by_chance = float(drawn((everyone, everyone)).mean())
    again = drawn((one / sizes[0], other / sizes[1]))
    bias = float(again.mean()) - value
    low, high = np.quantile(again, [0.025, 0.975]) - bias
    # What small units add to a sample they added to what was seen already, and more of it: the less even end gives way.
    ends = sorted((float(low) - bias, float(high) - bias, float(low if bias > 0 else high) - 2 * bias))
    return Spread(value, value - bias, max(ends[0], 0.0), min(ends[-1], 1.0), by_chance)
