"""Reliability of abilities, and how precisely a form measures where.

Marginal reliability (Green et al. 1984, for a latent variance of 1): ∫ I(θ)/(I(θ) + 1) φ(θ) dθ, from the items alone.
Empirical reliability: var θ̂/(var θ̂ + mean SE²), from the EAP abilities and standard errors of the students who took it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.assessment.domain.irt.models import Floats, Parameters, expected_score, information
from services.assessment.domain.irt.quadrature import equally_spaced, log_normal_weights

NODES = 241


class NoReliability(ValueError):
    """There is nothing to be reliable."""


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """A form at abilities `theta`: information, conditional SEM = 1/sqrt(I) in logits (inf without any), true score."""

    theta: Floats
    information: Floats
    sem: Floats
    true_score: Floats


def curves(items: Sequence[Parameters], theta: Floats) -> Curves:
    """Information, conditional standard error of measurement and expected score of a form, all (len(theta),)."""
    if not items:
        raise NoReliability("a form without items measures nothing")
    told = np.sum([information(item, theta) for item in items], axis=0)
    score = np.sum([expected_score(item, theta) for item in items], axis=0)
    with np.errstate(divide="ignore"):
        sem = 1 / np.sqrt(told)
    return Curves(theta, told, sem, score)


def marginal_reliability(items: Sequence[Parameters], mean: float = 0.0) -> float:
    """Reliability over N(mean, 1), the scale on which every model but rasch and pcm is calibrated."""
    theta = equally_spaced(NODES, mean)
    told = curves(items, theta).information
    weights = np.exp(log_normal_weights(theta, mean))
    return float((weights * told / (told + 1)).sum())


def empirical_reliability(theta: Floats, se: Floats) -> float:
    """var θ̂/(var θ̂ + mean SE²) of EAP abilities (students,); students without one (NaN) are left out."""
    known = np.isfinite(theta) & np.isfinite(se)
    if known.sum() < 2:
        raise NoReliability(f"{int(known.sum())} students have an ability; reliability needs two")
    variance = float(np.var(theta[known], ddof=1))
    return variance / (variance + float(np.mean(se[known] ** 2)))
