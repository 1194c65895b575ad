"""The M-step: item parameters that make the expected counts most likely, all items of a block at once.

Fisher scoring with the damping of Levenberg (1944) and Marquardt (1963), item by item: a step is taken only by the
items whose own objective it raises; the others try a shorter one. So the log-likelihood of the whole never falls.
"""

import numpy as np

from services.assessment.domain.irt.calibration import families
from services.assessment.domain.irt.calibration.families import Family
from services.assessment.domain.irt.calibration.priors import Density
from services.assessment.domain.irt.calibration.unknowns import Block
from services.assessment.domain.irt.models import Floats

Priors = dict[str, Density]
ROUNDS = 4
LARGEST_C = 0.999
SMALL = 1e-9


def improve(block: Block, x: Floats, counts: Floats, theta: Floats, priors: Priors) -> Floats:
    """Better parameters (n, p) for the expected counts (n, m + 1, Q)."""
    trials = counts.sum(axis=1)
    damping = np.zeros(len(x))
    now = _objective(block, x, counts, theta, priors)
    for _ in range(ROUNDS):
        slope = gradient(block, x, counts, theta) + log_prior_slope(block, x, priors)
        steepness = families.fisher(block.family, x, theta, trials) + _prior_steepness(block, x, priors)
        step = _step(block, x, slope, steepness, damping)
        tried = x + step
        if block.family is Family.GUESSING:
            tried[:, 2] = np.clip(tried[:, 2], 0.0, LARGEST_C)
        then = _objective(block, tried, counts, theta, priors)
        better = then >= now
        if block.common:
            better[:] = then.sum() >= now.sum()
        x = np.where(better[:, np.newaxis], tried, x)
        now = np.where(better, then, now)
        damping = np.where(better, damping / 10, np.maximum(damping * 10, 0.1))
        if better.all() and np.abs(step).max() < 1e-4:
            break
    return x


def gradient(block: Block, x: Floats, counts: Floats, theta: Floats) -> Floats:
    """First derivatives Σ r_kq s_k of the expected log-likelihood, (n, p)."""
    own = families.scores(block.family, x, theta)
    return np.asarray((own * counts[:, np.newaxis]).sum(axis=(2, 3)), dtype=np.float64)


def log_prior(block: Block, x: Floats, priors: Priors) -> Floats:
    """Log prior density of each item's free parameters, (n,); a common slope counts once, with the first item."""
    total = np.zeros(len(x))
    if "a" in priors:
        total += np.where(_own_slope(block), priors["a"].log(x[:, 0]), 0.0)
    if "b" in priors:
        total += np.where(block.free[:, 1:2], priors["b"].log(_thresholds(block, x)), 0.0).sum(axis=1)
    if "c" in priors and block.family is Family.GUESSING:
        total += np.where(block.free[:, 2], priors["c"].log(x[:, 2]), 0.0)
    return total


def log_prior_slope(block: Block, x: Floats, priors: Priors) -> Floats:
    """First derivatives of the log prior by slope, intercepts and c, (n, p): b = −d/a, ∂b/∂d = −1/a, ∂b/∂a = −b/a."""
    made = np.zeros_like(x)
    a = x[:, :1]
    if "a" in priors:
        made[:, 0] = np.where(_own_slope(block), priors["a"].slope(x[:, 0]), 0.0)
    if "b" in priors:
        b = _thresholds(block, x)
        by_b = priors["b"].slope(b)
        made[:, 1 : block.steps + 1] = -by_b / a
        made[:, 0] -= (by_b * b / a).sum(axis=1)
    if "c" in priors and block.family is Family.GUESSING:
        made[:, 2] = priors["c"].slope(x[:, 2])
    return np.where(block.free, made, 0.0)


def log_prior_curvature(block: Block, x: Floats, priors: Priors) -> Floats:
    """Second derivatives of the log prior, (n, p, p)."""
    made = np.zeros((len(x), x.shape[1], x.shape[1]))
    if "a" in priors:
        made[:, 0, 0] = np.where(_own_slope(block), priors["a"].bend(x[:, 0]), 0.0)
    if "b" in priors:
        a, b = x[:, :1], _thresholds(block, x)
        slope, bend = priors["b"].slope(b), priors["b"].bend(b)
        steps = np.arange(1, block.steps + 1)
        made[:, steps, steps] = bend / a**2
        made[:, 0, 1 : block.steps + 1] = made[:, 1 : block.steps + 1, 0] = (bend * b + slope) / a**2
        made[:, 0, 0] += ((bend * b + 2 * slope) * b / a**2).sum(axis=1)
    if "c" in priors and block.family is Family.GUESSING:
        made[:, 2, 2] = priors["c"].bend(x[:, 2])
    both = block.free[:, :, np.newaxis] & block.free[:, np.newaxis, :]
    return np.where(both, made, 0.0)


def at_bound(block: Block, x: Floats, slope: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Items whose lower asymptote stands at 0 and would go lower, (n,)."""
    if block.family is not Family.GUESSING:
        return np.zeros(len(x), dtype=np.bool_)
    return np.asarray((x[:, 2] <= 0) & (slope[:, 2] <= 0))


def _objective(block: Block, x: Floats, counts: Floats, theta: Floats, priors: Priors) -> Floats:
    """Expected log-likelihood and log prior of every item, (n,); −∞ where the parameters are impossible."""
    possible = families.possible(block.family, x)
    safe = x if possible.all() else np.where(possible[:, np.newaxis], x, _anything(block))
    logs = families.log_probabilities(block.family, safe, theta)
    value = (counts * np.maximum(logs, -1e6)).sum(axis=(1, 2)) + log_prior(block, safe, priors)
    return np.where(possible, value, -np.inf)


def _anything(block: Block) -> Floats:
    """Parameters that are possible, for items whose objective is not asked for."""
    if block.family is Family.GUESSING:
        return np.array([1.0, 0.0, 0.2])
    return np.concatenate([[1.0], -np.arange(block.steps, dtype=np.float64)])


def _step(block: Block, x: Floats, slope: Floats, steepness: Floats, damping: Floats) -> Floats:
    """The damped step of every item; what is not free, or stands at its bound, stays."""
    free = block.free.copy()
    held = at_bound(block, x, slope)
    if held.any():
        free[held, 2] = False
    slope = np.where(free, slope, 0.0)
    steepness = np.where(free[:, :, np.newaxis] & free[:, np.newaxis, :], steepness, 0.0)
    diagonal = np.arange(x.shape[1])
    size = steepness[:, diagonal, diagonal]
    steepness[:, diagonal, diagonal] = size * (1 + damping[:, np.newaxis]) + np.where(free, SMALL, 1.0)
    if not block.common:
        return np.asarray(np.linalg.solve(steepness, slope[:, :, np.newaxis])[:, :, 0], dtype=np.float64)
    return _common_step(slope, steepness)


def _common_step(slope: Floats, steepness: Floats) -> Floats:
    """One step of the slope for all, the intercept following: the intercepts are eliminated first (Schur)."""
    by_both, by_d = steepness[:, 0, 1], steepness[:, 1, 1]
    right = (slope[:, 0] - by_both * slope[:, 1] / by_d).sum()
    left = (steepness[:, 0, 0] - by_both**2 / by_d).sum()
    step = np.empty_like(slope)
    step[:, 0] = right / left
    step[:, 1] = (slope[:, 1] - by_both * step[:, 0]) / by_d
    return step


def _prior_steepness(block: Block, x: Floats, priors: Priors) -> Floats:
    """What the priors add to the information, the negative parts left out; (n, p, p), never negative."""
    made = np.zeros((len(x), x.shape[1], x.shape[1]))
    if "a" in priors:
        made[:, 0, 0] = np.where(_own_slope(block), np.maximum(-priors["a"].bend(x[:, 0]), 0.0), 0.0)
    if "b" in priors:
        a, b = x[:, :1], _thresholds(block, x)
        by_x = np.zeros((len(x), block.steps, x.shape[1]))
        steps = np.arange(block.steps)
        by_x[:, steps, steps + 1] = -1 / a
        by_x[:, :, 0] = -b / a
        bend = np.maximum(-priors["b"].bend(b), 0.0)
        made += (by_x * bend[:, :, np.newaxis]).transpose(0, 2, 1) @ by_x
    if "c" in priors and block.family is Family.GUESSING:
        made[:, 2, 2] += np.maximum(-priors["c"].bend(x[:, 2]), 0.0)
    both = block.free[:, :, np.newaxis] & block.free[:, np.newaxis, :]
    return np.where(both, made, 0.0)


def _own_slope(block: Block) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which items' slope a prior speaks of, (n,): the free ones, and of a common slope the first."""
    if block.common:
        return np.asarray(np.arange(len(block.items)) == 0)
    return np.asarray(block.free[:, 0])


def _thresholds(block: Block, x: Floats) -> Floats:
    """b = −d/a, (n, m)."""
    return np.asarray(-x[:, 1 : block.steps + 1] / x[:, :1], dtype=np.float64)
