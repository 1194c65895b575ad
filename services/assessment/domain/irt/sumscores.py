"""Raw-score tables: what ability a number of points speaks for, whichever items it came from (EAPsum).

The likelihood of every raw score is found item by item, L_i(r) = Σ_k P_ik L_{i−1}(r − k) (Lord & Wingersky 1984,
Applied Psychological Measurement 8, 453–461; for several scores Thissen, Pommerich, Billeaud & Williams 1995).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.assessment.domain.irt.models import Floats, Parameters, information, log_probabilities, probabilities
from services.assessment.domain.irt.quadrature import CUT, fine_enough, log_normal_weights

NODES = 61
UNLIKELY = -500.0
"""A score whose likelihood times the prior has this logarithm at most may be 0 in float64 where it is largest."""


class NoItems(ValueError):
    """A raw-score table needs items."""


@dataclass(frozen=True, slots=True)
class SumScores:
    """For each raw score 0, 1, …: EAP and standard error in logits, and how likely the score is; all (scores,)."""

    theta: Floats
    se: Floats
    frequency: Floats


def raw_likelihoods(items: Sequence[Parameters], theta: Floats) -> Floats:
    """Probability of every raw score at each ability, shape (most points + 1, len(theta)); columns sum to 1."""
    found = np.ones((1, len(theta)))
    for item in items:
        chances = probabilities(item, theta)
        longer = np.zeros((len(found) + len(chances) - 1, len(theta)))
        for score, chance in enumerate(chances):
            longer[score : score + len(found)] += chance * found
        found = longer
    return found


def _raw_logs(items: Sequence[Parameters], theta: Floats) -> Floats:
    """The logarithms of `raw_likelihoods`, without underflow and ten times slower."""
    found = np.zeros((1, len(theta)))
    for item in items:
        chances = log_probabilities(item, theta)
        longer = np.full((len(found) + len(chances) - 1, len(theta)), -np.inf)
        for score, chance in enumerate(chances):
            own = longer[score : score + len(found)]
            np.logaddexp(own, chance + found, out=own)
        found = longer
    return found


def sum_scores(items: Sequence[Parameters], mean: float = 0.0, sd: float = 1.0) -> SumScores:
    """The raw-score table of a form for students whose abilities are N(mean, sd²). Raises NoItems without items."""
    if not items:
        raise NoItems("a raw-score table needs at least one item")
    around = np.linspace(mean - 6 * sd, mean + 6 * sd, 241)
    most = float(sum(information(item, around) for item in items).max())  # type: ignore[union-attr]  # there are items
    theta, error, frequency = (np.empty(sum(len(item.b) for item in items) + 1) for _ in range(3))
    cut, times = np.arange(len(theta)), 1
    while len(cut):
        nodes = fine_enough(most, NODES, mean, sd, times)
        prior = log_normal_weights(nodes, mean, sd)
        with np.errstate(divide="ignore"):  # a score that is impossible in float64 at some of the nodes
            logs = np.log(raw_likelihoods(items, nodes)[cut]) + prior
        if logs.max(axis=1).min() < UNLIKELY:
            logs = _raw_logs(items, nodes)[cut] + prior
        weights = np.exp(logs - logs.max(axis=1, keepdims=True))
        total = weights.sum(axis=1, keepdims=True)
        frequency[cut] = total[:, 0] * np.exp(logs.max(axis=1))
        weights /= total
        theta[cut] = (weights * nodes).sum(axis=1)
        away = nodes - theta[cut][:, np.newaxis]
        error[cut] = np.sqrt((weights * away * away).sum(axis=1))
        cut = cut[np.maximum(weights[:, 0], weights[:, -1]) > CUT]
        times *= 2
    return SumScores(theta, error, frequency)
