"""The abilities of the groups: normal densities on one grid of equally spaced nodes.

A group's weight at node q is w_q ∝ exp(−u²/2) with u = (θ_q − mean)/sd, of sum 1. The derivatives below are those of
the weights as they are, the sum over the grid included, so they agree with the likelihood that is computed.
"""

import numpy as np

from services.assessment.domain.irt.models import Floats
from services.assessment.domain.irt.quadrature import log_normal_weights

REACH = 6.0
"""How many standard deviations the grid goes to either side."""
FINEST = 1600.0
"""The most information (1/logit²) that the nodes follow: steps of a fortieth of a logit, what 2,000 items give."""
NEAREST = 4.0
"""A grid that reaches fewer standard deviations of some group is laid anew."""


def grid(nodes: int, means: Floats, sds: Floats, information: float = 0.0) -> Floats:
    """Nodes over every group's mean ± 6 sd, at most sd/((nodes − 1)/12) apart for the narrowest group.

    They stand closer where that is needed: the error of the trapezoidal rule for a normal posterior of standard
    deviation s and step h is 2 exp(−2π²s²/h²), 5e-9 at h = s; `information` is the most the items give (1/logit²), so
    that 1/s² is at most 1/sd² + information. Shape (Q,), Q odd, logits.
    """
    low, high = float((means - REACH * sds).min()), float((means + REACH * sds).max())
    step = 2 * REACH * float(sds.min()) / (nodes - 1)
    step = min(step, 1 / np.sqrt(1 / float(sds.min()) ** 2 + min(information, FINEST)))
    half = int(np.ceil((high - low) / (2 * step) - 1e-9))
    return np.asarray((low + high) / 2 + (high - low) / 2 * np.arange(-half, half + 1) / half, dtype=np.float64)


def fits(theta: Floats, means: Floats, sds: Floats, information: float = 0.0) -> bool:
    """Whether this grid reaches far enough and is fine enough for these groups."""
    reaches = (means - NEAREST * sds).min() >= theta[0] and (means + NEAREST * sds).max() <= theta[-1]
    step = theta[1] - theta[0]
    return bool(
        reaches and step <= 0.5 * sds.min() and step**2 * (1 / sds.min() ** 2 + min(information, FINEST)) <= 1.3
    )


def log_weights(theta: Floats, means: Floats, sds: Floats) -> Floats:
    """Log weights of the groups at the nodes, (G, Q)."""
    return np.stack([log_normal_weights(theta, mean, sd) for mean, sd in zip(means, sds, strict=True)])


def scores(theta: Floats, mean: float, sd: float) -> Floats:
    """Derivatives of a group's log weights by its mean and standard deviation, (2, Q)."""
    u = (theta - mean) / sd
    raw = np.stack([u / sd, u * u / sd])
    weights = np.exp(log_normal_weights(theta, mean, sd))
    return np.asarray(raw - (raw * weights).sum(axis=1, keepdims=True), dtype=np.float64)


def curvature(theta: Floats, mean: float, sd: float, mass: Floats) -> Floats:
    """Second derivatives of Σ mass_q log w_q by mean and standard deviation, (2, 2); mass (Q,)."""
    u = (theta - mean) / sd
    weights = np.exp(log_normal_weights(theta, mean, sd))
    first = scores(theta, mean, sd)
    spread = (first * weights) @ first.T
    ones = np.ones_like(u)
    bends = np.stack([-ones, -2 * u, -2 * u, -3 * u * u]) / sd**2
    centred = bends - (bends * weights).sum(axis=1, keepdims=True)
    return np.asarray((centred * mass).sum(axis=1).reshape(2, 2) - mass.sum() * spread, dtype=np.float64)


def moments(theta: Floats, mass: Floats, mean: float | None) -> tuple[float, float]:
    """Mean and standard deviation of a mass over the nodes; about `mean` when that is held."""
    total = mass.sum()
    centre = float((mass * theta).sum() / total) if mean is None else mean
    return centre, float(np.sqrt((mass * (theta - centre) ** 2).sum() / total))
