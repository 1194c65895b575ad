"""Students differ: who did better than expected so far begins the next skill at a higher prior, who did worse at less.

After Pardos & Heffernan 2010 ("Modeling individualization in a Bayesian networks implementation of knowledge tracing",
UMAP 2010, LNCS 6075, 255-266), with the student's responses to other skills in place of the first response. A student's
first response to a skill begins at

    logit(start) = logit(prior) + strength · total / (number + shrinkage)

where `number` counts all responses of that student before this one, to other skills necessarily, and `total` adds up
how far their credit was from what the skills alone expected of them. The prior of a grade, where there is one, takes
the place of the skill's. Nothing else changes: over elapsed time a belief still fades to the skill's prior.

No prediction depends on its own response or on a later one, to the last bit: totals are sums of whole multiples of
2^-32, which are exact whatever they are sums with.
"""

from dataclasses import dataclass

import numpy as np

from services.mastery.domain.tracing.cold import Beginnings, beginnings
from services.mastery.domain.tracing.evidence import Responses, Sequences
from services.mastery.domain.tracing.predict import Prediction, parameters_of, predict
from services.mastery.domain.tracing.skill import BOUNDS, PROBABILITY, Floats, Ints, Skills

STRONGEST = 40.0
"""A strength is sought from 0 to this many logits."""

SHRINKAGES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""A shrinkage is one of these."""

_UNIT = 2.0**32
_GOLDEN = (5**0.5 - 1) / 2
_FINE = 0.1


@dataclass(frozen=True, slots=True)
class StudentPrior:
    """`strength`: logits for a mean deviation of 1 (always right where wrong was certain); 0 leaves priors as they are.

    `shrinkage`: a student is taken for average as if so many more responses had said so. `gain`: by how much the
    log-likelihood of the fitted responses rose (natural logarithm); `sequences`: how many could tell.
    """

    strength: float
    shrinkage: float
    gain: float
    sequences: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How students stood when sequences began, (sequences,): sum of deviations in credit, and number of responses."""

    total: Floats
    number: Ints


def standings(responses: Responses, expected: Floats, sequences: Sequences, event: Ints | None = None) -> Standing:
    """How each sequence's student stood before its first response, from that student's responses before it.

    `expected` (responses,) is the credit that the skills alone expected. `event` (responses,), never falling from row
    to row, is alike where rows are one response to several skills: none of them counts as before the others. Without
    it each row is a response of its own.
    """
    n = len(responses)
    keys = (responses.user,) if responses.time is None else (responses.time, responses.user)
    order = np.lexsort(keys)  # stable: ties in the order of rows
    deviation = np.rint((responses.credit - expected) * _UNIT).astype(np.int64)[order]
    before = np.cumsum(deviation) - deviation
    user = responses.user[order]
    place = np.arange(n)
    new_user = np.append(np.ones(min(n, 1), dtype=np.bool_), user[1:] != user[:-1])
    new_event = np.ones(n, dtype=np.bool_)
    if event is not None:
        new_event[1:] = (event[order][1:] != event[order][:-1]) | new_user[1:]
    of_user = np.maximum.accumulate(np.where(new_user, place, 0))
    of_event = np.maximum.accumulate(np.where(new_event, place, 0))
    total, number = np.empty(n), np.empty(n, dtype=np.int64)
    total[order] = (before[of_event] - before[of_user]) / _UNIT
    number[order] = of_event - of_user
    return Standing(total[sequences.first], number[sequences.first])


def shifted(usual: Floats, standing: Standing, strength: float, shrinkage: float) -> Floats:
    """Where sequences begin that would begin at `usual` (sequences,), within the bounds of priors."""
    shift = strength * (standing.total / (standing.number + shrinkage))
    odds = usual / (1 - usual) * np.exp(shift)
    begin = np.clip(odds / (1 + odds), *BOUNDS["prior"])
    return np.where(shift == 0, usual, begin)  # an average student has the prior to the last bit


def fit_student_prior(
    responses: Responses, skills: Skills, covariates: Floats, start: Floats | None = None, event: Ints | None = None
) -> StudentPrior:
    """Strength and shrinkage by the likelihood of these responses, the skills' parameters held as they are.

    Arguments as those of `predict` and `standings`. Difficulties should be cross-fitted (see `items`). The likelihood
    of a sequence is linear in where it begins, so each is read once. The strength is 0 unless the Bayesian information
    criterion is better with the two parameters.
    """
    made = predict(responses, skills, covariates, start)
    standing = standings(responses, made.expected, made.sequences, event)
    found = _beginnings(responses, made.sequences, skills, covariates)
    tells = np.flatnonzero(standing.number)
    usual = _usual(skills, made.sequences, start)[tells]
    standing = Standing(standing.total[tells], standing.number[tells])
    found = Beginnings(found.if_known[tells], found.if_unknown[tells])
    none = _likely(found, usual)
    tried = [(*_strongest(found, usual, standing, shrinkage), shrinkage) for shrinkage in SHRINKAGES]
    likely, strength, shrinkage = max(tried)
    gain = likely - none
    if 2 * gain <= 2 * np.log(max(len(tells), 1)):
        return StudentPrior(0.0, shrinkage, 0.0, len(tells))
    return StudentPrior(strength, shrinkage, gain, len(tells))


def predict_students(
    responses: Responses,
    skills: Skills,
    covariates: Floats,
    student: StudentPrior,
    start: Floats | None = None,
    event: Ints | None = None,
) -> Prediction:
    """What `predict` expects where each student begins each skill at their own prior; arguments as of the two above."""
    made = predict(responses, skills, covariates, start)
    if student.strength == 0:
        return made
    standing = standings(responses, made.expected, made.sequences, event)
    begin = shifted(_usual(skills, made.sequences, start), standing, student.strength, student.shrinkage)
    return predict(responses, skills, covariates, begin)


def _usual(skills: Skills, sequences: Sequences, start: Floats | None) -> Floats:
    return skills.prior[PROBABILITY, sequences.skill] if start is None else start


def _beginnings(responses: Responses, sequences: Sequences, skills: Skills, covariates: Floats) -> Beginnings:
    each = parameters_of(responses, sequences, skills, covariates)
    at = sequences.rows
    return beginnings(sequences.lengths, sequences.days, responses.credit[at], responses.difficulty[at], each)


def _likely(found: Beginnings, begin: Floats) -> float:
    """Log-likelihood of the sequences, up to what does not depend on where they begin."""
    return float(np.log(begin * found.if_known + (1 - begin) * found.if_unknown).sum())


def _strongest(found: Beginnings, usual: Floats, standing: Standing, shrinkage: float) -> tuple[float, float]:
    """The highest log-likelihood and the strength it is at, by golden section."""

    def likely(strength: float) -> float:
        return _likely(found, shifted(usual, standing, strength, shrinkage))

    low, high = 0.0, STRONGEST
    left, right = high - _GOLDEN * high, _GOLDEN * high
    at_left, at_right = likely(left), likely(right)
    while high - low > _FINE:
        if at_left >= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = likely(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = likely(right)
    return max((at_left, left), (at_right, right))
