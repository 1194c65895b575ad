"""The three families of models, for many items at once, in slope and intercepts.

Calibration works with z_h(θ) = aθ + d_h, h = 1..m, where d_h = −a b_h, because there a slope may pass through zero and
the likelihoods of the first family are concave. An item's parameters are a row x = (a, d_1..d_m) or (a, d, c).

* `CREDIT`: P(X = k) ∝ exp Σ_{h ≤ k} z_h. Masters (1982), Muraki (1992); with m = 1 Rasch and the 1- and 2-parameter
  logistic.
* `GRADED`: P(X ≥ h) = σ(z_h), d falling. Samejima (1969).
* `GUESSING`: P(X = 1) = c + (1 − c)σ(z). Birnbaum (1968).

Shapes throughout: items n, parameters p, scores m + 1, nodes Q.
"""

from enum import StrEnum

import numpy as np

from services.assessment.domain.irt.models import Floats, Model, log_logistic, logistic

FAINTEST = 1e-12


class Family(StrEnum):
    """A form of the response function; see the module."""

    CREDIT = "credit"
    GRADED = "graded"
    GUESSING = "guessing"


def family_of(model: Model, categories: int) -> Family:
    """The family of a model; a graded item with two scores is a 2-parameter logistic one."""
    if model is Model.THREE_PL:
        return Family.GUESSING
    if model is Model.GRM and categories > 2:
        return Family.GRADED
    return Family.CREDIT


def log_probabilities(family: Family, x: Floats, theta: Floats) -> Floats:
    """Log-probability of every score, (n, m + 1, Q)."""
    z = _steps(family, x, theta)
    if family is Family.CREDIT:
        exponents = np.concatenate([np.zeros_like(z[:, :1]), np.cumsum(z, axis=1)], axis=1)
        exponents -= exponents.max(axis=1, keepdims=True)
        exponents -= np.log(np.exp(exponents).sum(axis=1, keepdims=True))
        return exponents
    right, wrong = log_logistic(z), log_logistic(-z)
    if family is Family.GUESSING:
        c = x[:, 2, np.newaxis, np.newaxis]
        learned = np.log1p(-c)
        with np.errstate(divide="ignore"):  # without guessing its logarithm is −∞, and adds nothing
            right = np.logaddexp(np.log(c), learned + right)
        return np.concatenate([learned + wrong, right], axis=1)
    between = right[:, :-1] + wrong[:, 1:] + np.log(_gaps(x))[:, :, np.newaxis]
    return np.concatenate([wrong[:, :1], between, right[:, -1:]], axis=1)


def scores(family: Family, x: Floats, theta: Floats) -> Floats:
    """First derivatives of the log-probabilities by the parameters, (n, p, m + 1, Q)."""
    if family is Family.GUESSING:
        return _guessing_scores(x, theta)
    count, steps = len(x), x.shape[1] - 1
    made = np.zeros((count, steps + 1, steps + 1, len(theta)))
    if family is Family.CREDIT:
        reached = np.tril(np.ones((steps + 1, steps)), -1).T  # whether score k includes step h, (m, m + 1)
        expected = at_least(x, theta)
        made[:, 1:] = reached[np.newaxis, :, :, np.newaxis] - expected[:, :, np.newaxis, :]
    else:
        up, down, _ = _graded_parts(x, theta)
        for h in range(steps):
            made[:, h + 1, h + 1] = up[:, h]
            made[:, h + 1, h] = -down[:, h]
    made[:, 0] = made[:, 1:].sum(axis=1) * theta
    return made


def at_least(x: Floats, theta: Floats) -> Floats:
    """P(X ≥ h), h = 1..m, of the credit family; (n, m, Q)."""
    chances = np.exp(log_probabilities(Family.CREDIT, x, theta))
    return np.ascontiguousarray(np.cumsum(chances[:, :0:-1], axis=1)[:, ::-1])


def fisher(family: Family, x: Floats, theta: Floats, trials: Floats) -> Floats:
    """Expected information Σ_q N_q Σ_k P_k s_k s_kᵀ of trials (n, Q); (n, p, p), never negative."""
    own = scores(family, x, theta)
    weights = np.exp(log_probabilities(family, x, theta)) * trials[:, np.newaxis, :]
    return _products(own, own * weights[:, np.newaxis])


def information(family: Family, x: Floats, theta: Floats) -> Floats:
    """Expected information on ability Σ_k P_k (∂ log P_k / ∂θ)², where ∂/∂θ = a Σ_h ∂/∂d_h; (n, Q), 1/logit²."""
    steps = 1 if family is Family.GUESSING else x.shape[1] - 1
    slopes = x[:, :1, np.newaxis] * scores(family, x, theta)[:, 1 : steps + 1].sum(axis=1)
    return np.asarray((np.exp(log_probabilities(family, x, theta)) * slopes * slopes).sum(axis=1), dtype=np.float64)


def curvature(family: Family, x: Floats, theta: Floats, counts: Floats) -> Floats:
    """Second derivatives Σ_kq r_kq ∂² log P_k of the counts r (n, m + 1, Q); (n, p, p)."""
    if family is Family.CREDIT:
        # the second derivatives do not depend on the score, so they are the expected ones
        return -fisher(family, x, theta, counts.sum(axis=1))
    if family is Family.GUESSING:
        return _guessing_curvature(x, theta, counts)
    return _graded_curvature(x, theta, counts)


def possible(family: Family, x: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which rows of parameters belong to the model: finite, thresholds in order, 0 ≤ c < 1; (n,)."""
    finite = np.asarray(np.isfinite(x).all(axis=1))
    if family is Family.GRADED:
        finite &= (np.diff(x[:, 1:], axis=1) < 0).all(axis=1)
    if family is Family.GUESSING:
        finite &= (x[:, 2] >= 0) & (x[:, 2] < 1)
    return finite


def _products(left: Floats, right: Floats) -> Floats:
    """Σ over scores and nodes of left (n, p, m + 1, Q) times right, all pairs of parameters; (n, p, p)."""
    count, parameters = left.shape[:2]
    flat, other = left.reshape(count, parameters, -1), right.reshape(count, parameters, -1)
    return np.asarray(flat @ other.transpose(0, 2, 1), dtype=np.float64)


def _steps(family: Family, x: Floats, theta: Floats) -> Floats:
    """z_h(θ), (n, m, Q)."""
    intercepts = x[:, 1:2] if family is Family.GUESSING else x[:, 1:]
    return np.asarray(x[:, :1, np.newaxis] * theta + intercepts[:, :, np.newaxis], dtype=np.float64)


def _gaps(x: Floats) -> Floats:
    """1 − exp(d_{h+1} − d_h), (n, m − 1); positive while the thresholds are in order."""
    return np.asarray(-np.expm1(np.diff(x[:, 1:], axis=1)), dtype=np.float64)


def _graded_parts(x: Floats, theta: Floats) -> tuple[Floats, Floats, Floats]:
    """With F_h = σ(z_h) and f = F(1 − F): f_h / P_h, f_h / P_{h−1} and F_h, each (n, m, Q).

    P_k = F_k (1 − F_{k+1}) (1 − e^{d_{k+1} − d_k}), so the quotients are products without cancellation.
    """
    z = _steps(Family.GRADED, x, theta)
    above, below = logistic(z), logistic(-z)
    gaps = _gaps(x)[:, :, np.newaxis]
    up, down = below.copy(), above.copy()
    up[:, :-1] /= below[:, 1:] * gaps
    down[:, 1:] /= above[:, :-1] * gaps
    return up, down, above


def _graded_curvature(x: Floats, theta: Floats, counts: Floats) -> Floats:
    up, down, above = _graded_parts(x, theta)
    steps = up.shape[1]
    bend = 1 - 2 * above
    by_steps = np.zeros((len(x), steps, steps, len(theta)))
    for h in range(steps):
        by_steps[:, h, h] = counts[:, h + 1] * up[:, h] * (bend[:, h] - up[:, h])
        by_steps[:, h, h] -= counts[:, h] * down[:, h] * (bend[:, h] + down[:, h])
        if h + 1 < steps:
            by_steps[:, h, h + 1] = by_steps[:, h + 1, h] = counts[:, h + 1] * up[:, h] * down[:, h + 1]
    made = np.empty((len(x), steps + 1, steps + 1))
    made[:, 1:, 1:] = by_steps.sum(axis=3)
    made[:, 0, 1:] = made[:, 1:, 0] = (by_steps.sum(axis=1) * theta).sum(axis=2)
    made[:, 0, 0] = (by_steps.sum(axis=(1, 2)) * theta * theta).sum(axis=1)
    return made


def _guessing_parts(x: Floats, theta: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """c (n, 1), L = σ(z), 1 − L and P = c + (1 − c)L, each (n, Q); L is kept from vanishing, since P divides."""
    z = _steps(Family.GUESSING, x, theta)[:, 0]
    c, knows, not_ = x[:, 2:], np.maximum(logistic(z), FAINTEST), logistic(-z)
    return c, knows, not_, c + (1 - c) * knows


def _guessing_scores(x: Floats, theta: Floats) -> Floats:
    """Wrong: −L by z and −1/(1 − c); right: (1 − c)L(1 − L)/P by z and (1 − L)/P."""
    c, knows, not_, right = _guessing_parts(x, theta)
    made = np.empty((len(x), 3, 2, len(theta)))
    made[:, 1, 0] = -knows
    made[:, 1, 1] = (1 - c) * knows * not_ / right
    made[:, 2, 0] = -1 / (1 - c)
    made[:, 2, 1] = not_ / right
    made[:, 0] = made[:, 1] * theta
    return made


def _guessing_curvature(x: Floats, theta: Floats, counts: Floats) -> Floats:
    c, knows, not_, right = _guessing_parts(x, theta)
    bend = knows * not_
    up, free = (1 - c) * bend / right, not_ / right
    zz = counts[:, 1] * (up * (not_ - knows) - up * up) - counts[:, 0] * bend
    zc = counts[:, 1] * (-bend / right - up * free)
    cc = -counts[:, 1] * free * free - counts[:, 0] / (1 - c) ** 2
    made = np.empty((len(x), 3, 3))
    made[:, 1, 1], made[:, 2, 2] = zz.sum(axis=1), cc.sum(axis=1)
    made[:, 0, 1] = made[:, 1, 0] = (zz * theta).sum(axis=1)
    made[:, 0, 0] = (zz * theta * theta).sum(axis=1)
    made[:, 1, 2] = made[:, 2, 1] = zc.sum(axis=1)
    made[:, 0, 2] = made[:, 2, 0] = (zc * theta).sum(axis=1)
    return made
