"""The maximisation step: the parameters most likely to have given the expected counts."""

import numpy as np

from services.mastery.domain.tracing.counts import Counts
from services.mastery.domain.tracing.evidence import GAPS
from services.mastery.domain.tracing.model import Design, Model, bounded
from services.mastery.domain.tracing.skill import BOUNDS, Floats
from services.mastery.domain.tracing.update import at_difficulty

_TINY = 1e-300
_LONGEST_STEP = 1.0
_WIDEST_GUESS = 0.4999  # the logit of its double is finite


def maximised(
    model: Model, counts: Counts, design: Design, starting: Floats, centre: Floats, strength: Floats
) -> Model:
    """The five probabilities of every skill and start anew.

    `starting` (skills,) counts sequences. Each probability is drawn towards `centre` (5,) as if `strength` (5,)
    more observations had said so. Without difficulty and covariates this is the maximum; with them guess and slip take
    one step of Fisher scoring, which is enough for the whole to rise (generalised EM; Dempster, Laird & Rubin 1977).
    """
    prior, learn, forget = centre[:3]
    by_prior, by_learn, by_forget = strength[:3]
    kk, ku, uk, uu = (counts.moves[:, kind] for kind in range(4))
    drawn = counts.redrawn.sum(axis=1)
    values = np.stack(
        [
            (counts.first + counts.redrawn_known + by_prior * prior) / (starting[:, np.newaxis] + drawn + by_prior),
            (uk + by_learn * learn) / (uk + uu + by_learn),
            (ku + by_forget * forget) / (kk + ku + by_forget),
            *_guess_and_slip(model, counts, design, centre[3:], strength[3:]),
        ]
    )
    return model.with_values(bounded(values))


def answers(model: Model, counts: Counts, design: Design) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats]:
    """Guess and slip at every symbol, and the expected right and wrong answers in each state; shapes as in `Counts`.

    A response of partial credit is a right one with the probability its credit and its state give it.
    """
    guess, slip = model.chances(design)
    c = design.credit[:, np.newaxis]
    lucky = c * guess / np.maximum(c * guess + (1 - c) * (1 - guess), _TINY) * counts.unknown
    careless = (1 - c) * slip / np.maximum(c * (1 - slip) + (1 - c) * slip, _TINY) * counts.known
    return guess, slip, lucky, counts.unknown - lucky, careless, counts.known - careless


def _guess_and_slip(
    model: Model, counts: Counts, design: Design, centre: Floats, strength: Floats
) -> tuple[Floats, Floats]:
    guesses, slips, lucky, unlucky, careless, careful = answers(model, counts, design)
    if design.is_plain:
        return (
            (lucky.sum(axis=1) + strength[0] * centre[0]) / (counts.unknown.sum(axis=1) + strength[0]),
            (careless.sum(axis=1) + strength[1] * centre[1]) / (counts.known.sum(axis=1) + strength[1]),
        )
    return (
        _scored(model.values[3], guesses, lucky, unlucky, centre[0], strength[0]),
        _scored(model.values[4], slips, careless, careful, centre[1], strength[1]),
    )


def _scored(chance: Floats, at: Floats, yes: Floats, no: Floats, centre: float, strength: float) -> Floats:
    """One step of Fisher scoring in a = logit(2 chance) for the symbols' ½ σ(a + shift)."""
    gradient, information = slopes(at, yes, no)
    chance = np.minimum(chance, _WIDEST_GUESS)
    own_gradient, own_information = slopes(chance, strength * centre, strength * (1 - centre))
    step = (gradient.sum(axis=1) + own_gradient) / (information.sum(axis=1) + own_information + _TINY)
    return at_difficulty(chance, np.clip(step, -_LONGEST_STEP, _LONGEST_STEP))


def slopes(at: Floats, yes: Floats | float, no: Floats | float) -> tuple[Floats, Floats]:
    """Gradient and information of yes log p + no log(1 - p) in x for p = ½ σ(x), so that dp/dx = p (1 - 2p)."""
    slope = at * (1 - 2 * at)
    return slope * (yes / at - no / (1 - at)), slope**2 * (yes + no) / (at * (1 - at))


def shared(model: Model, counts: Counts, design: Design, gap_counts: Floats, free: Floats) -> Model:
    """What all skills share anew: a step of Fisher scoring for the `free` coefficients (0 or 1), and the decay.

    `gap_counts` (gaps,) are the responses after each time. The weight of difficulty stays within its bounds.
    """
    guesses, slips, lucky, unlucky, careless, careful = answers(model, counts, design)
    by_guess, of_guess = (one.sum(axis=0) for one in slopes(guesses, lucky, unlucky))
    by_slip, of_slip = (one.sum(axis=0) for one in slopes(slips, careless, careful))
    coefficients = model.coefficients.copy()
    use = np.flatnonzero(free)
    for start in range(model.starts if len(use) else 0):
        guess, slip = design.guess[:, use], design.slip[:, use]
        gradient = guess.T @ by_guess[:, start] + slip.T @ by_slip[:, start]
        information = (guess.T * of_guess[:, start]) @ guess + (slip.T * of_slip[:, start]) @ slip
        ridge = np.eye(len(use))  # a normal prior of variance 1 about none
        step = np.linalg.solve(information + ridge, gradient - coefficients[use, start])
        coefficients[use, start] += np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
    coefficients[0] = np.clip(coefficients[0], *BOUNDS["weight"])
    return Model(model.values, coefficients, _decay(model, counts, gap_counts))


def _decay(model: Model, counts: Counts, gap_counts: Floats) -> Floats:
    """The rate at which so many states would have been redrawn: one step of Fisher scoring in its logarithm."""
    days = GAPS[1 : len(gap_counts), np.newaxis]
    if not len(days):
        return model.decay
    redrawn = counts.redrawn.sum(axis=0)[1:]
    rate = np.maximum(model.decay, 1e-6)
    left = np.exp(-days * rate)
    gradient = (rate * days * (redrawn * left / (1 - left) - (gap_counts[1:, np.newaxis] - redrawn))).sum(axis=0)
    information = ((rate * days) ** 2 * gap_counts[1:, np.newaxis] * left / (1 - left)).sum(axis=0)
    step = np.clip(gradient / (information + _TINY), -_LONGEST_STEP, _LONGEST_STEP)
    return np.asarray(np.clip(rate * np.exp(step), *BOUNDS["decay"]))
