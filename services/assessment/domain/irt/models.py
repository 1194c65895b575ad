"""Item response models: how likely each score of an item is at each ability, and how that changes with ability.

Every model is in the logistic metric a(θ − b) with D = 1; abilities and thresholds are in logits. With P_k(θ) the
probability of score k, everything else follows from the two derivatives of its logarithm, s_k = d log P_k / dθ and
h_k = d² log P_k / dθ²: the score function of a student is Σ s over the items answered, the information of an item is
I = Σ_k P_k s_k², and Warm's correction needs J = Σ_k P_k s_k (s_k² + h_k).
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Model(StrEnum):
    """Item response models, in the logistic metric a(θ − b), D = 1."""

    RASCH = "rasch"
    ONE_PL = "1pl"
    TWO_PL = "2pl"
    THREE_PL = "3pl"
    GRM = "grm"
    PCM = "pcm"
    GPCM = "gpcm"


DICHOTOMOUS = frozenset({Model.RASCH, Model.ONE_PL, Model.TWO_PL, Model.THREE_PL})


@dataclass(frozen=True, slots=True)
class Parameters:
    """An item's parameters: slope `a` per logit, thresholds `b` in logits (one per step), lower asymptote `c`.

    A slope may be negative; the thresholds of a graded item then fall instead of rising (a·b always rises).
    """

    model: Model
    b: tuple[float, ...]
    a: float = 1.0
    c: float = 0.0

    @property
    def categories(self) -> int:
        """How many scores there are, 0 among them."""
        return len(self.b) + 1


def log_logistic(z: Floats) -> Floats:
    """log 1/(1 + e^−z), exact in both tails."""
    return np.asarray(-np.logaddexp(0.0, -z), dtype=np.float64)


def logistic(z: Floats) -> Floats:
    """1/(1 + e^−z), without overflow."""
    small = np.exp(-np.abs(z))
    return np.asarray(np.where(z >= 0, 1.0, small) / (1.0 + small), dtype=np.float64)


def log_probabilities(parameters: Parameters, theta: Floats) -> Floats:
    """Log-probability of each score 0..m at each ability; shape (m + 1, len(theta)), columns sum to 1 as probabilities.

    The differences and quotients of the textbook formulas are taken in logarithms, so that no probability
    underflows however far an item is from the ability.
    """
    if parameters.model in DICHOTOMOUS:
        return _dichotomous(parameters, theta)
    if parameters.model is Model.GRM:
        return _graded(parameters, theta)
    return _partial_credit(parameters, theta)


def probabilities(parameters: Parameters, theta: Floats) -> Floats:
    """Probability of each score 0..m at each ability; shape (m + 1, len(theta))."""
    return np.asarray(np.exp(log_probabilities(parameters, theta)), dtype=np.float64)


def expected_score(parameters: Parameters, theta: Floats) -> Floats:
    """Expected score Σ k P_k at each ability; shape (len(theta),), in points 0..m."""
    chances = probabilities(parameters, theta)
    return np.asarray((np.arange(len(chances))[:, np.newaxis] * chances).sum(axis=0), dtype=np.float64)


def derivatives(parameters: Parameters, theta: Floats) -> tuple[Floats, Floats]:
    """First and second derivative of each score's log-probability by ability, both (m + 1, len(theta))."""
    if parameters.model is Model.THREE_PL and parameters.c > 0:
        return _guessing_derivatives(parameters, theta)
    if parameters.model in DICHOTOMOUS or parameters.model is Model.GRM:
        return _graded_derivatives(parameters, theta)
    scores = np.arange(len(parameters.b) + 1, dtype=np.float64)[:, np.newaxis]
    chances = probabilities(parameters, theta)
    away = scores - (scores * chances).sum(axis=0)
    spread = (chances * away * away).sum(axis=0)
    return parameters.a * away, np.broadcast_to(-parameters.a * parameters.a * spread, away.shape).copy()


def information(parameters: Parameters, theta: Floats) -> Floats:
    """Expected (Fisher) information Σ_k P_k s_k² at each ability, shape (len(theta),), per squared logit."""
    slopes, _ = derivatives(parameters, theta)
    return np.asarray((probabilities(parameters, theta) * slopes * slopes).sum(axis=0), dtype=np.float64)


def warm(parameters: Parameters, theta: Floats) -> Floats:
    """J = Σ_k P'_k P''_k / P_k at each ability, shape (len(theta),): Warm (1989), for graded scores Samejima (1998)."""
    slopes, curvatures = derivatives(parameters, theta)
    chances = probabilities(parameters, theta)
    return np.asarray((chances * slopes * (slopes * slopes + curvatures)).sum(axis=0), dtype=np.float64)


def _dichotomous(parameters: Parameters, theta: Floats) -> Floats:
    """P(1) = c + (1 − c)/(1 + exp(−a(θ − b))): Rasch (1960) and Birnbaum (1968), 1- to 3-parameter logistic."""
    z = parameters.a * (theta - parameters.b[0])
    right = log_logistic(z)
    wrong = log_logistic(-z)
    if parameters.c > 0:
        learned = np.log1p(-parameters.c)
        right = np.logaddexp(np.log(parameters.c), learned + right)
        wrong = learned + wrong
    return np.stack([wrong, right])


def _graded(parameters: Parameters, theta: Floats) -> Floats:
    """P(X ≥ k) = 1/(1 + exp(−a(θ − b_k))), Samejima (1969); a·b strictly increasing.

    With x = a(θ − b_k) > y = a(θ − b_{k+1}) the difference of two logistics is
    σ(x) − σ(y) = σ(x) σ(−y) (1 − e^{y − x}): a product, so its logarithm is exact.
    """
    steps = _steps(parameters, theta)
    at_least = log_logistic(steps)
    below = log_logistic(-steps)
    gaps = np.log(-np.expm1(-parameters.a * np.diff(np.array(parameters.b))))[:, np.newaxis]
    between = at_least[:-1] + below[1:] + gaps
    return np.concatenate([below[:1], between, at_least[-1:]])


def _partial_credit(parameters: Parameters, theta: Floats) -> Floats:
    """P(X = k) ∝ exp Σ_{j ≤ k} a(θ − b_j): Masters (1982) with a = 1, Muraki (1992) in general."""
    exponents = np.concatenate([np.zeros((1, len(theta))), np.cumsum(_steps(parameters, theta), axis=0)])
    return np.asarray(exponents - np.logaddexp.reduce(exponents, axis=0), dtype=np.float64)


def _steps(parameters: Parameters, theta: Floats) -> Floats:
    """a(θ − b_k), shape (m, len(theta))."""
    away = theta[np.newaxis, :] - np.array(parameters.b, dtype=np.float64)[:, np.newaxis]
    return np.asarray(parameters.a * away, dtype=np.float64)


def _graded_derivatives(parameters: Parameters, theta: Floats) -> tuple[Floats, Floats]:
    """By log P_k = log σ(x_k) + log σ(−x_{k+1}) + constant: s_k = a(1 − σ(x_k)) − aσ(x_{k+1}).

    Without guessing a right or wrong item is a graded one with a single threshold.
    """
    a = parameters.a
    at_least = logistic(_steps(parameters, theta))
    below = logistic(-_steps(parameters, theta))
    none = np.zeros((1, len(theta)))
    slopes = a * np.concatenate([none, below]) - a * np.concatenate([at_least, none])
    bends = at_least * below
    return slopes, -a * a * (np.concatenate([none, bends]) + np.concatenate([bends, none]))


def _guessing_derivatives(parameters: Parameters, theta: Floats) -> tuple[Floats, Floats]:
    """With L = σ(a(θ − b)), P = c + (1 − c)L: s_1 = (1 − c)aL(1 − L)/P, h_1 = (1 − c)a²L(1 − L)(1 − 2L)/P − s_1²."""
    a, c = parameters.a, parameters.c
    z = a * (theta - parameters.b[0])
    knows, not_ = logistic(z), logistic(-z)
    right = c + (1 - c) * knows
    bend = knows * not_
    up = (1 - c) * a * bend / right
    return np.stack([-a * knows, up]), np.stack([-a * a * bend, a * up * (not_ - knows) - up * up])
