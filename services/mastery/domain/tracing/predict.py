"""What a fitted model expects of responses it has not seen, and how well that went."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from services.mastery.domain.tracing.evidence import Responses, Sequences, sequences_of
from services.mastery.domain.tracing.replay import replay
from services.mastery.domain.tracing.skill import LANES, PROBABILITY, Floats, Ints, Skills
from services.mastery.domain.tracing.update import at_difficulty, likelihoods

CURVE_BINS = 10


@dataclass(frozen=True, slots=True)
class Prediction:
    """`expected` (responses,): the credit expected of each response, in the order of the rows."""

    expected: Floats
    sequences: Sequences


def predict(responses: Responses, skills: Skills, covariates: Floats, start: Floats | None = None) -> Prediction:
    """The credit expected of each response from the responses before it of the same student and skill alone.

    `skills` are numbered as in `responses`; `covariates` (columns, 2) are the logits by which each covariate moves
    guess and slip (see `Fit.covariates`). A sequence begins at its `start` (sequences,), in the order of
    `sequences_of`, or else at its skill's prior.
    """
    sequences = sequences_of(responses)
    rows = sequences.rows
    moved = parameters_of(responses, sequences, skills, covariates)
    difficulty = responses.difficulty[rows]
    begin = skills.prior[:, sequences.skill] if start is None else np.stack([start] * LANES)
    before, _ = replay(begin, sequences.lengths, sequences.days, responses.credit[rows], difficulty, moved)
    if_known, if_unknown = (one[PROBABILITY] for one in likelihoods(np.ones(len(rows)), difficulty, moved))
    known = before[PROBABILITY]
    expected = np.empty(len(rows))
    expected[rows] = known * if_known + (1 - known) * if_unknown
    return Prediction(expected, sequences)


def parameters_of(responses: Responses, sequences: Sequences, skills: Skills, covariates: Floats) -> Skills:
    """The parameters of every response in the order of the sequences, guess and slip moved by its covariates."""
    each = skills.take(np.repeat(sequences.skill, sequences.lengths))
    if not covariates.size:
        return each
    shift = responses.covariates[sequences.rows] @ covariates
    return replace(each, guess=at_difficulty(each.guess, shift[:, 0]), slip=at_difficulty(each.slip, shift[:, 1]))


@dataclass(frozen=True, slots=True)
class Quality:
    """How good predictions were. `auc` is None where all answers were alike, in kind: right (credit above one half) or
    wrong; `rmse` and `log_loss` (natural logarithm) are over all responses, partial credit as it is."""

    responses: int
    auc: float | None
    rmse: float
    log_loss: float


def quality(credit: Floats, expected: Floats) -> Quality:
    """AUC (ties count half), root mean squared error and mean log loss of at least one response."""
    p = np.clip(expected, 1e-15, 1 - 1e-15)
    loss = -(credit * np.log(p) + (1 - credit) * np.log1p(-p))
    return Quality(
        len(credit),
        auc(credit > 0.5, expected),
        float(np.sqrt(np.mean((credit - expected) ** 2))),
        float(np.mean(loss)),
    )


def auc(right: NDArray[np.bool_], expected: Floats) -> float | None:
    """Area under the ROC curve: how often a right answer was expected more than a wrong one (Mann & Whitney 1947)."""
    rights, wrongs = int(right.sum()), int((~right).sum())
    if not rights or not wrongs:
        return None
    _, place, number = np.unique(expected, return_inverse=True, return_counts=True)
    middle = np.cumsum(number) - (number - 1) / 2  # the mean rank of those expected alike
    return float((middle[place][right].sum() - rights * (rights + 1) / 2) / (rights * wrongs))


@dataclass(frozen=True, slots=True)
class Curve:
    """Calibration: responses in `CURVE_BINS` bins of equal width by what was expected, empty bins left out.

    `lower` and `upper` are Wilson's 95 % interval of the observed share.
    """

    expected: Floats
    observed: Floats
    lower: Floats
    upper: Floats
    number: Ints


def calibration_curve(credit: Floats, expected: Floats, bins: int = CURVE_BINS) -> Curve:
    """What was expected against what came, bin by bin."""
    which = np.minimum((expected * bins).astype(np.int64), bins - 1)
    number = np.bincount(which, minlength=bins)
    filled = number > 0
    n = number[filled]
    mean = np.bincount(which, expected, minlength=bins)[filled] / n
    share = np.bincount(which, credit, minlength=bins)[filled] / n
    z = 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Curve(mean, share, middle - half, middle + half, n.astype(np.int64))
