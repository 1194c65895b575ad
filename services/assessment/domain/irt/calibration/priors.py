"""Prior densities of item parameters: normal, log-normal, beta; with them estimates are posterior modes.

A density speaks of the parameters as they are reported, a, b and c of a(θ − b): the mode is taken in that metric
(Mislevy 1986, "Bayes modal estimation in item response models", Psychometrika 51, 177–195).
"""

import math
import re
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from services.assessment.domain.irt.models import Floats

Name = Literal["a", "b", "c"]
SPELLING = re.compile(r"\s*([abc])\s*:\s*([a-z]+)\s*\(\s*([^,()]+?)\s*,\s*([^,()]+?)\s*\)\s*")


class UnreadablePrior(ValueError):
    """A prior is written a:lognormal(0,0.5), b:normal(0,2) or c:beta(5,17)."""


class Density(Protocol):
    """A prior density and the two derivatives of its logarithm, elementwise; −∞ where it is zero."""

    @property
    def start(self) -> float:
        """Its median or mean: where an estimate may begin."""

    def log(self, x: Floats) -> Floats:
        """Log density."""

    def slope(self, x: Floats) -> Floats:
        """First derivative of the log density."""

    def bend(self, x: Floats) -> Floats:
        """Second derivative of the log density."""


@dataclass(frozen=True, slots=True)
class Normal:
    """The normal density of this mean and standard deviation."""

    mean: float
    sd: float

    def __post_init__(self) -> None:
        _positive(self.sd, "the standard deviation of a normal prior")

    @property
    def start(self) -> float:
        """Its mean."""
        return self.mean

    def log(self, x: Floats) -> Floats:
        """−((x − mean)/sd)²/2 − log(sd √2π)."""
        return np.asarray(-0.5 * ((x - self.mean) / self.sd) ** 2 - math.log(self.sd * math.sqrt(2 * math.pi)))

    def slope(self, x: Floats) -> Floats:
        """−(x − mean)/sd²."""
        return np.asarray(-(x - self.mean) / self.sd**2)

    def bend(self, x: Floats) -> Floats:
        """−1/sd²."""
        return np.full_like(x, -1 / self.sd**2)


@dataclass(frozen=True, slots=True)
class LogNormal:
    """log x is normal with this mean and standard deviation; x > 0."""

    mean: float
    sd: float

    def __post_init__(self) -> None:
        _positive(self.sd, "the standard deviation of a lognormal prior")

    @property
    def start(self) -> float:
        """Its median e^mean."""
        return math.exp(self.mean)

    def log(self, x: Floats) -> Floats:
        """−((log x − mean)/sd)²/2 − log(x sd √2π)."""
        inside = np.where(x > 0, x, 1.0)
        logs = np.log(inside)
        density = -0.5 * ((logs - self.mean) / self.sd) ** 2 - logs - math.log(self.sd * math.sqrt(2 * math.pi))
        return np.where(x > 0, density, -np.inf)

    def slope(self, x: Floats) -> Floats:
        """−(1 + (log x − mean)/sd²)/x."""
        return np.asarray(-(1 + (np.log(x) - self.mean) / self.sd**2) / x)

    def bend(self, x: Floats) -> Floats:
        """(1 + (log x − mean − 1)/sd²)/x²."""
        return np.asarray((1 + (np.log(x) - self.mean - 1) / self.sd**2) / x**2)


@dataclass(frozen=True, slots=True)
class Beta:
    """The beta density ∝ x^(alpha − 1) (1 − x)^(beta − 1) on 0..1."""

    alpha: float
    beta: float

    def __post_init__(self) -> None:
        for number in (self.alpha, self.beta):
            if not (math.isfinite(number) and number >= 1):
                raise UnreadablePrior(f"a beta prior has a mode when both its numbers are at least 1, not {number:g}")

    @property
    def start(self) -> float:
        """Its mean alpha/(alpha + beta)."""
        return self.alpha / (self.alpha + self.beta)

    def log(self, x: Floats) -> Floats:
        """(alpha − 1) log x + (beta − 1) log(1 − x) − log B(alpha, beta)."""
        norm = math.lgamma(self.alpha) + math.lgamma(self.beta) - math.lgamma(self.alpha + self.beta)
        inside = (x >= 0) & (x < 1) & ((x > 0) | (self.alpha == 1))
        at = np.where(inside, self._above_zero(x), 0.5)
        density = (self.alpha - 1) * np.log(at) + (self.beta - 1) * np.log1p(-at) - norm
        return np.where(inside, density, -np.inf)

    def slope(self, x: Floats) -> Floats:
        """(alpha − 1)/x − (beta − 1)/(1 − x)."""
        return np.asarray((self.alpha - 1) / self._above_zero(x) - (self.beta - 1) / (1 - x))

    def bend(self, x: Floats) -> Floats:
        """−(alpha − 1)/x² − (beta − 1)/(1 − x)²."""
        return np.asarray(-(self.alpha - 1) / self._above_zero(x) ** 2 - (self.beta - 1) / (1 - x) ** 2)

    def _above_zero(self, x: Floats) -> Floats:
        """At exactly zero, which is possible only while alpha = 1, the terms of x vanish whatever x is."""
        return np.maximum(x, 1e-300) if self.alpha > 1 else np.where(x > 0, x, 0.5)


@dataclass(frozen=True, slots=True)
class Prior:
    """The density of every free parameter of this name: slopes a, thresholds and steps b, lower asymptotes c."""

    name: Name
    density: Density


def prior(text: str) -> Prior:
    """The prior written as `a:lognormal(0,0.5)`, `b:normal(0,2)` or `c:beta(5,17)`. Errors: UnreadablePrior."""
    found = SPELLING.fullmatch(text)
    if found is None:
        raise UnreadablePrior(f"{UnreadablePrior.__doc__} This is not: {text!r}")
    try:
        first, second = float(found[3]), float(found[4])
    except ValueError as error:
        raise UnreadablePrior(f"{found[3]!r} and {found[4]!r} are not two numbers, in {text!r}") from error
    if not (math.isfinite(first) and math.isfinite(second)):
        raise UnreadablePrior(f"the numbers of a prior are finite, unlike in {text!r}")
    match found[1], found[2]:
        case ("a", "lognormal" | "normal" as kind) | ("b", "normal" as kind):
            density: Density = Normal(first, second) if kind == "normal" else LogNormal(first, second)
        case ("c", "beta"):
            density = Beta(first, second)
        case _:
            raise UnreadablePrior(
                f"slopes take a lognormal or normal prior, thresholds normal, lower asymptotes beta; not {text!r}"
            )
    name: Name = "a" if found[1] == "a" else "b" if found[1] == "b" else "c"
    return Prior(name, density)


def _positive(number: float, what: str) -> None:
    if not (math.isfinite(number) and number > 0):
        raise UnreadablePrior(f"{what} is a positive number, not {number:g}")
