"""Item response theory: how likely each score is at each ability, and what ability a pattern of scores speaks for.

Abilities are in logits (D = 1). The prior is the standard normal on 61 equally spaced nodes from −6 to 6, each node's
weight proportional to the density, so the estimates are the expected a posteriori of Bock & Mislevy (1982,
"Adaptive EAP estimation of ability in a microcomputer environment", Applied Psychological Measurement 6, 431–444).

Everything is elementwise or a sum along one student's row: a student's estimate has the same bits whoever else
is in the batch. Nothing here calls BLAS, whose sums depend on the shape.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.forms import DICHOTOMOUS, Model, Parameters

Floats = NDArray[np.float64]
Codes = NDArray[np.uint8]

ENGINE_VERSION = "eap-1:61n6"
NOT_REACHED, OMITTED, NOT_PRESENTED = 253, 254, 255
HIGHEST_SCORE = 250
BATCH = 512  # students at a time: 512 × 61 float64 stay in the second-level cache

NODES: Floats = np.arange(-30, 31, dtype=np.float64) / 5
"""Where the posterior is evaluated, shape (61,), logits."""


def _log_prior() -> Floats:
    logs = -0.5 * NODES * NODES
    return np.asarray(logs - np.log(np.exp(logs).sum()), dtype=np.float64)


LOG_PRIOR: Floats = _log_prior()
"""Log of the nodes' prior weights, shape (61,); the weights sum to 1."""


def _log_logistic(z: Floats) -> Floats:
    """log 1/(1 + e^−z), exact in both tails."""
    return np.asarray(-np.logaddexp(0.0, -z), dtype=np.float64)


def log_probabilities(parameters: Parameters, theta: Floats = NODES) -> Floats:
    """Log-probability of each score 0..m at each ability; shape (m + 1, len(theta)), columns sum to 1 as probabilities.

    The differences and quotients of the textbook formulas are taken in logarithms, so that no probability
    underflows however far an item is from the ability.
    """
    if parameters.model in DICHOTOMOUS:
        return _dichotomous(parameters, theta)
    if parameters.model is Model.GRM:
        return _graded(parameters, theta)
    return _partial_credit(parameters, theta)


def _dichotomous(parameters: Parameters, theta: Floats) -> Floats:
    """P(1) = c + (1 − c)/(1 + exp(−a(θ − b))): Rasch (1960) and Birnbaum (1968), 1- to 3-parameter logistic."""
    z = parameters.a * (theta - parameters.b[0])
    right = _log_logistic(z)
    wrong = _log_logistic(-z)
    if parameters.c > 0:
        learned = np.log1p(-parameters.c)
        right = np.logaddexp(np.log(parameters.c), learned + right)
        wrong = learned + wrong
    return np.stack([wrong, right])


def _graded(parameters: Parameters, theta: Floats) -> Floats:
    """P(X ≥ k) = 1/(1 + exp(−a(θ − b_k))), Samejima (1969); b strictly increasing.

    With x = a(θ − b_k) > y = a(θ − b_{k+1}) the difference of two logistics is
    σ(x) − σ(y) = σ(x) σ(−y) (1 − e^{y − x}): a product, so its logarithm is exact.
    """
    steps = parameters.a * (theta[np.newaxis, :] - np.array(parameters.b)[:, np.newaxis])
    at_least = _log_logistic(steps)
    below = _log_logistic(-steps)
    gaps = np.log(-np.expm1(-parameters.a * np.diff(np.array(parameters.b))))[:, np.newaxis]
    between = at_least[:-1] + below[1:] + gaps
    return np.concatenate([below[:1], between, at_least[-1:]])


def _partial_credit(parameters: Parameters, theta: Floats) -> Floats:
    """P(X = k) ∝ exp Σ_{j ≤ k} a(θ − b_j): Masters (1982) with a = 1, Muraki (1992) in general."""
    steps = parameters.a * (theta[np.newaxis, :] - np.array(parameters.b)[:, np.newaxis])
    exponents = np.concatenate([np.zeros((1, len(theta))), np.cumsum(steps, axis=0)])
    return np.asarray(exponents - np.logaddexp.reduce(exponents, axis=0), dtype=np.float64)


@lru_cache(maxsize=8192)
def _rows(parameters: Parameters) -> tuple[Codes, Floats]:
    """Where each byte of a score column finds its row, shape (256,), and the rows of log-probabilities (m + 2, 61).

    Omitted counts as score 0; not reached and not presented find the last row, which is zero and adds nothing.
    """
    table = log_probabilities(parameters)
    row = np.full(256, len(table), dtype=np.uint8)
    row[: len(table)] = np.arange(len(table))
    row[OMITTED] = 0
    return row, np.concatenate([table, np.zeros((1, table.shape[1]))])


def log_likelihood(scores: Codes, items: Sequence[Parameters | None]) -> Floats:
    """Log-likelihood of every student's scores at the nodes; scores (students, items) → (students, 61)."""
    total = np.zeros((len(scores), len(NODES)))
    found = np.empty_like(total)
    for position, parameters in enumerate(items):
        if parameters is not None:
            row, rows = _rows(parameters)
            # Into a place of its own and without a check of the rows, which are all there: half the time.
            np.take(rows, row[scores[:, position]], axis=0, out=found, mode="clip")
            total += found
    return total


def abilities(scores: Codes, items: Sequence[Parameters | None]) -> tuple[Floats, Floats]:
    """EAP ability θ̂ = Σ θ p and standard error sqrt Σ (θ − θ̂)² p of every student, both (students,), in logits.

    `scores` is (students, items): 0..250 the score, 253 not reached, 254 omitted, 255 not presented.
    Students without a single usable response get NaN in both.
    """
    theta, error = np.empty(len(scores)), np.empty(len(scores))
    for start in range(0, len(scores), BATCH):
        part = slice(start, start + BATCH)
        theta[part], error[part] = _posterior(log_likelihood(scores[part], items))
    calibrated = np.array([parameters is not None for parameters in items], dtype=bool)
    used = (scores[:, calibrated] != NOT_REACHED) & (scores[:, calibrated] != NOT_PRESENTED)
    silent = ~used.any(axis=1)
    theta[silent] = np.nan
    error[silent] = np.nan
    return theta, error


def _posterior(log_likelihoods: Floats) -> tuple[Floats, Floats]:
    logs = log_likelihoods + LOG_PRIOR
    logs -= logs.max(axis=1, keepdims=True)
    weights = np.exp(logs)
    weights /= weights.sum(axis=1, keepdims=True)
    theta = (weights * NODES).sum(axis=1)
    away = NODES - theta[:, np.newaxis]
    return theta, np.sqrt((weights * away * away).sum(axis=1))
