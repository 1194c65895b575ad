"""How sure a fit is: standard errors from the observed information."""

import numpy as np
from numpy.typing import NDArray

from services.mastery.domain.tracing.counts import Counts
from services.mastery.domain.tracing.em import Search, from_logits, to_logits
from services.mastery.domain.tracing.model import NAMES, Model
from services.mastery.domain.tracing.mstep import answers, slopes
from services.mastery.domain.tracing.skill import BOUNDS, FORGET_TO_SLIP, GUESS_AND_SLIP, Floats, Ints

_STEP = 1e-3
_AT_BOUND = 1e-6


def standard_errors(search: Search, model: Model, active: Ints) -> Floats:
    """Standard errors of the five probabilities, (5, skills); NaN where a parameter stands at its bound (it is held
    there) or where the likelihood has no maximum.

    The gradient of the log-likelihood is that of the expected complete one (Fisher's identity), so its differences are
    the observed information: two expectations for each parameter, all in one pass. Coefficients and decay are held.
    """
    logits = to_logits(model.values)[:, :, 0]
    moved = np.stack(
        [
            logits + sign * _STEP * (np.arange(len(NAMES)) == which)[:, np.newaxis]
            for which in range(len(NAMES))
            for sign in (1, -1)
        ],
        axis=2,
    )
    starts = moved.shape[2]
    around = Model(
        from_logits(moved),
        np.repeat(model.coefficients, starts, axis=1),
        np.repeat(model.decay, starts),
    )
    gradients = _gradients(search, around, search.counts(around, active))  # (5, skills, 10)
    hessian = np.stack([(gradients[:, :, 2 * w] - gradients[:, :, 2 * w + 1]) / (2 * _STEP) for w in range(5)], axis=2)
    information = -(hessian + hessian.transpose(2, 1, 0)).transpose(1, 0, 2) / 2  # (skills, 5, 5)
    return _errors(information, model.values[:, :, 0], active)


def _gradients(search: Search, model: Model, counts: Counts) -> Floats:
    """Slopes of the log-likelihood, and of the draw towards the centre, in each logit, (5, skills, starts)."""
    prior, learn, forget = model.values[:3]
    kk, ku, uk, uu = (counts.moves[:, kind] for kind in range(4))
    began = search.forest.starting[:, np.newaxis] + counts.redrawn.sum(axis=1)
    guess, slip, lucky, unlucky, careless, careful = answers(model, counts, search.design)
    gradients = np.stack(
        [
            counts.first + counts.redrawn_known - began * prior,
            uk - (uk + uu) * learn,
            ku - (kk + ku) * forget,
            slopes(guess, lucky, unlucky)[0].sum(axis=1),
            slopes(slip, careless, careful)[0].sum(axis=1),
        ]
    )
    for which, (centre, strength) in enumerate(zip(search.centre, search.strength, strict=True)):
        value = model.values[which]
        drawn = strength * (centre - value)
        if which >= NAMES.index("guess"):
            drawn = slopes(value, strength * centre, strength * (1 - centre))[0]
        gradients[which] += drawn
    return gradients


def _errors(information: Floats, values: Floats, active: Ints) -> Floats:
    """From the information in logits (skills, 5, 5) to standard errors of probabilities (5, skills)."""
    errors = np.full(values.shape, np.nan)
    slope = values * (1 - values)
    slope[3:] = values[3:] * (1 - 2 * values[3:])
    limits = bounded_at(values)
    for skill in active:
        free = np.flatnonzero(~limits[:, skill])
        inner = information[skill][np.ix_(free, free)]
        if len(free) and np.linalg.eigvalsh(inner)[0] > 0:
            errors[free, skill] = np.sqrt(np.diag(np.linalg.inv(inner))) * slope[free, skill]
    return errors


def bounded_at(values: Floats) -> NDArray[np.bool_]:
    """Which of the probabilities (5, …) stand at a bound, their own or one they share."""
    near = np.stack(
        [
            (one <= BOUNDS[name][0] + _AT_BOUND) | (one >= BOUNDS[name][1] - _AT_BOUND)
            for one, name in zip(values, NAMES, strict=True)
        ]
    )
    near[2] |= values[2] >= FORGET_TO_SLIP * values[4] * (1 - _AT_BOUND)
    near[3:] |= values[3] + values[4] >= GUESS_AND_SLIP - _AT_BOUND
    return near
