"""SQUAREM: two EM steps and one extrapolation along both (Varadhan & Roland 2008, scheme S3).

With r = x₁ − x₀ and v = (x₂ − x₁) − r the next point is x₀ − 2αr + α²v, α = −|r|/|v|: exact when the error shrinks by
the same factor in every direction, and a long step where EM creeps.
"""

import math

import numpy as np

from services.assessment.domain.irt.models import Floats

LONGEST = 32.0


def extrapolate(first: Floats, second: Floats, third: Floats, scale: Floats) -> tuple[Floats, float]:
    """The extrapolated point and its length α (−1: just the third point); lengths are taken in units of `scale`."""
    r = second - first
    v = (third - second) - r
    size, bend = float(np.linalg.norm(r / scale)), float(np.linalg.norm(v / scale))
    alpha = -min(max(size / bend, 1.0), LONGEST) if bend else -1.0
    return np.asarray(first - 2 * alpha * r + alpha * alpha * v, dtype=np.float64), alpha


def distance_left(before: float, after: float) -> float:
    """How far the limit is when the last two EM steps were this long: after·ρ/(1 − ρ), ρ = after/before."""
    if after == 0:
        return 0.0
    rate = after / before if before else 1.0
    return after * rate / (1 - rate) if rate < 1 else math.inf
