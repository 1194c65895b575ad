"""Cut scores: the level of a student, and how often levels are right and would be given again.

*From abilities* (Rudner 2001, 2005): with θ ~ N(θ̂, SE²) a student is in level k with p_k = Φ((c_{k+1} − θ̂)/SE) −
Φ((c_k − θ̂)/SE). Accuracy is the mean of the p of the level given; consistency is the mean of Σ p_k².

*From sum scores* (Lee 2010): with the distribution of the sum score at each ability (Lord & Wingersky 1984) and the
true level that of the expected score, accuracy is ∫ P(level of X = true level | θ) g(θ) dθ, consistency
∫ Σ_k P(X in k | θ)² g(θ) dθ, kappa what consistency has over chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import erf, isfinite, sqrt

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.irt.models import Floats, Parameters, expected_score, probabilities


class BadCuts(ValueError):
    """These cut scores divide nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """Level 0..K of every student by K cuts, and the probability of every level, (students,) and (students, K + 1)."""

    level: NDArray[np.int64]
    probability: Floats


@dataclass(frozen=True, slots=True)
class Classification:
    """Accuracy and consistency of all levels together, kappa, and by level.

    `expected` is the part of students truly in each level; `accuracy_by_level` the chance that a student given this
    level is truly in it (Rudner) or that one truly in it is given it (Lee), None where nobody is.
    """

    accuracy: float
    consistency: float
    kappa: float | None
    expected: tuple[float, ...]
    accuracy_by_level: tuple[float | None, ...]


def levels(theta: Floats, se: Floats, cuts: Sequence[float]) -> Levels:
    """The level of every student, the one that θ̂ is in, and the probabilities of all; a cut belongs to the level above.

    Students without an ability (NaN) have level −1 and probabilities NaN. Raises BadCuts, also for an SE of 0 or less.
    """
    edges = _checked(cuts)
    wrong = np.flatnonzero(se <= 0)
    if len(wrong):
        raise BadCuts(f"student {int(wrong[0])}: a standard error of {se[wrong[0]]} is none")
    known = np.isfinite(theta) & np.isfinite(se)
    below = _normal((edges - theta[:, np.newaxis]) / se[:, np.newaxis])
    ends = np.ones((len(theta), 1))
    probability = np.diff(np.concatenate([0 * ends, below, ends], axis=1), axis=1)
    probability[~known] = np.nan
    level = np.where(known, np.searchsorted(edges, np.where(known, theta, 0.0), side="right"), -1)
    return Levels(level.astype(np.int64), probability)


def rudner(theta: Floats, se: Floats, cuts: Sequence[float]) -> Classification:
    """How right and how repeatable the levels of these students are; abilities and SE (students,)."""
    found = levels(theta, se, cuts)
    known = found.level >= 0
    if not known.any():
        raise BadCuts("no student has an ability")
    p, level = found.probability[known], found.level[known]
    own = p[np.arange(len(p)), level]
    by_level = [float(own[level == k].mean()) if (level == k).any() else None for k in range(p.shape[1])]
    share = p.mean(axis=0)
    return _classified(float(own.mean()), float((p * p).sum(axis=1).mean()), share, by_level)


def lee(items: Sequence[Parameters], cuts: Sequence[int], theta: Floats, weights: Floats) -> Classification:
    """The same for levels by the sum score: at least cuts[k] points is level k + 1.

    `theta`, `weights` (Q,) describe the abilities, weights of sum 1.
    """
    edges = _checked(cuts)
    if abs(float(weights.sum()) - 1) > 1e-6 or (weights < 0).any():
        raise BadCuts("the weights of abilities are not negative and their sum is 1")
    if not items:
        raise BadCuts("a form without items has no scores to cut")
    scores = score_distribution(items, theta)
    if edges[0] <= 0 or edges[-1] > len(scores) - 1:
        raise BadCuts(f"cut scores lie above 0 and at most at {len(scores) - 1} points")
    of_score = np.searchsorted(edges, np.arange(len(scores)), side="right")
    p = np.stack([scores[of_score == k].sum(axis=0) for k in range(len(edges) + 1)])
    true_score = np.sum([expected_score(item, theta) for item in items], axis=0)
    truly = np.searchsorted(edges, true_score, side="right")
    right = p[truly, np.arange(len(theta))]
    by_level = [
        float((weights * right)[truly == k].sum() / weights[truly == k].sum())
        if weights[truly == k].sum() > 0
        else None
        for k in range(len(p))
    ]
    consistency = float(((p * p).sum(axis=0) * weights).sum())
    chance = float(np.square(p @ weights).sum())
    kappa = (consistency - chance) / (1 - chance) if chance < 1 else None
    expected = tuple(float(weights[truly == k].sum()) for k in range(len(p)))
    return Classification(float((right * weights).sum()), consistency, kappa, expected, tuple(by_level))


def score_distribution(items: Sequence[Parameters], theta: Floats) -> Floats:
    """Probability of every sum score at every ability, (points + 1, len(theta)): Lord & Wingersky (1984)."""
    made = np.ones((1, len(theta)))
    for item in items:
        chances = probabilities(item, theta)
        longer = np.zeros((len(made) + len(chances) - 1, len(theta)))
        for score, chance in enumerate(chances):
            longer[score : score + len(made)] += chance * made
        made = longer
    return made


def _classified(accuracy: float, consistency: float, share: Floats, by_level: list[float | None]) -> Classification:
    chance = float(np.square(share).sum())
    kappa = (consistency - chance) / (1 - chance) if chance < 1 else None
    return Classification(accuracy, consistency, kappa, tuple(share.tolist()), tuple(by_level))


def _checked(cuts: Sequence[float]) -> Floats:
    if not cuts:
        raise BadCuts("without a cut score there are no levels")
    if list(cuts) != sorted(set(cuts)) or not all(isfinite(cut) for cut in cuts):
        raise BadCuts(f"cut scores are finite and rise: {list(cuts)}")
    return np.array(cuts, dtype=np.float64)


_erf = np.vectorize(erf, otypes=[np.float64])


def _normal(z: Floats) -> Floats:
    """Φ(z)."""
    return np.asarray((1 + _erf(z / sqrt(2))) / 2, dtype=np.float64)
