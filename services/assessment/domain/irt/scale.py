"""Reporting scales: logits as the scores that people read."""

from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

import numpy as np

from services.assessment.domain.irt.models import Floats


class BadScale(ValueError):
    """A scale that cannot be."""


class Rounding(StrEnum):
    """How a scaled score becomes a whole number."""

    HALF_UP = "half up"
    HALF_EVEN = "half even"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Scale:
    """slope·θ + intercept, kept within lowest and highest, then rounded. Raises BadScale when it cannot be.

    Half up takes the greater neighbour, also of negative numbers (−2.5 becomes −2); half even the even one.
    """

    name: str
    slope: float
    intercept: float
    lowest: float
    highest: float
    rounding: Rounding = Rounding.HALF_UP

    def __post_init__(self) -> None:
        """Refuse what is no scale."""
        if not self.name.strip():
            raise BadScale("a scale needs a name")
        for which in ("slope", "intercept", "lowest", "highest"):
            if not isfinite(getattr(self, which)):
                raise BadScale(f"the {which} of scale {self.name} is {getattr(self, which)}, not a finite number")
        if self.slope <= 0:
            raise BadScale(f"the slope of scale {self.name} is {self.slope}; it must be positive, or order would turn")
        if self.lowest >= self.highest:
            raise BadScale(f"the lowest score of scale {self.name}, {self.lowest}, is not below the highest")
        if self.rounding is not Rounding.NONE and (self.lowest % 1 or self.highest % 1):
            raise BadScale(f"scale {self.name} rounds to whole numbers, so its lowest and highest must be whole")

    def scores(self, theta: Floats) -> Floats:
        """Scaled scores of abilities in logits, any shape; NaN stays NaN, infinite ones are the bounds."""
        bounded = np.clip(self.slope * theta + self.intercept, self.lowest, self.highest)
        match self.rounding:
            case Rounding.HALF_UP:
                return np.asarray(np.floor(bounded + 0.5), dtype=np.float64)
            case Rounding.HALF_EVEN:
                return np.asarray(np.rint(bounded), dtype=np.float64)
            case Rounding.NONE:
                return np.asarray(bounded, dtype=np.float64)

    def errors(self, se: Floats) -> Floats:
        """Standard errors in scaled points: slope times those in logits; neither bounded nor rounded."""
        return np.asarray(self.slope * se, dtype=np.float64)

    def logits(self, scores: Floats) -> Floats:
        """The ability that a scaled score stands for, without the rounding undone."""
        return np.asarray((scores - self.intercept) / self.slope, dtype=np.float64)
