"""Infit and outfit: mean squared residuals, of an item over its students or of a student over their items.

Wright & Masters (1982, *Rating Scale Analysis*, pp. 98–101). With residual r, variance W and fourth moment C,

    outfit = Σ (r²/W)/n        infit = Σ r² ⁄ Σ W        both 1 when answers vary as the model says.

Outfit weighs every response alike and is moved by surprises far from the ability; infit by what happens near it.
"""

from dataclasses import dataclass

import numpy as np

from services.assessment.domain.irt.models import Floats
from services.assessment.domain.irt.residuals import Residuals

WIDEST = 1.4142
"""A mean square's standard deviation counts as at most this in the cube-root transformation (as R mirt has it)."""


@dataclass(frozen=True, slots=True)
class MeanSquares:
    """Infit and outfit mean squares with their standardised (Wilson-Hilferty) values."""

    infit: Floats
    outfit: Floats
    z_infit: Floats
    z_outfit: Floats


@dataclass(frozen=True, slots=True)
class Sums:
    """What mean squares are made of, summed over students (of an item) or over items (of a student)."""

    squares: Floats
    standardised: Floats
    variance: Floats
    kurtosis: Floats
    excess: Floats
    number: Floats

    @classmethod
    def over(cls, found: Residuals, axis: int) -> "Sums":
        """Sums of a batch along one axis: 0 for items, 1 for students."""
        square = found.residual**2
        weight = np.where(found.present, found.variance, 1.0)
        return cls(
            squares=square.sum(axis=axis),
            standardised=(square / weight).sum(axis=axis),
            variance=found.variance.sum(axis=axis),
            kurtosis=(found.fourth / weight**2).sum(axis=axis),
            excess=(found.fourth - found.variance**2).sum(axis=axis),
            number=found.present.sum(axis=axis).astype(np.float64),
        )

    def __add__(self, more: "Sums") -> "Sums":
        """Sums of two batches of students."""
        return Sums(
            self.squares + more.squares,
            self.standardised + more.standardised,
            self.variance + more.variance,
            self.kurtosis + more.kurtosis,
            self.excess + more.excess,
            self.number + more.number,
        )


def mean_squares(sums: Sums) -> MeanSquares:
    """Outfit Σ (r²/W)/n, infit Σ r²/Σ W; standardised (v^⅓ − 1)·3/q + q/3 with q the standard deviation of v.

    q² is Σ C/W²/n² − 1/n for outfit and Σ (C − W²)/(Σ W)² for infit.
    """
    number, variance = sums.number, sums.variance
    with np.errstate(divide="ignore", invalid="ignore"):
        outfit, infit = sums.standardised / number, sums.squares / variance
        spread_out = np.sqrt(np.maximum(sums.kurtosis / number**2 - 1 / number, 0))
        spread_in = np.sqrt(np.maximum(sums.excess / variance**2, 0))
        return MeanSquares(infit, outfit, _standardised(infit, spread_in), _standardised(outfit, spread_out))


def _standardised(mean_square: Floats, spread: Floats) -> Floats:
    q = np.where(spread > 0, np.minimum(spread, WIDEST), np.nan)
    return np.asarray((np.cbrt(mean_square) - 1) * (3 / q) + q / 3, dtype=np.float64)
