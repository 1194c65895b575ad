"""Parameters of every skill from responses: what is fitted, what is taken from all skills together, and why.

Baum-Welch (EM) over distinct response strings, several seeded starts, bounded probabilities. Three things are never
passed off as a fit: a skill with too little data, one whose likelihood ends at a bound where its parameters mean
nothing, and one whose information has no maximum. Those get the pooled parameters, and the reason is kept with them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from services.mastery.domain.tracing.em import Search, converged, pooled, shared_run, short_runs
from services.mastery.domain.tracing.errors import standard_errors
from services.mastery.domain.tracing.evidence import Responses, Sequences, encode, sequences_of
from services.mastery.domain.tracing.kernel import expectation
from services.mastery.domain.tracing.model import NAMES, Design, Model, bounded
from services.mastery.domain.tracing.skill import (
    BOUNDS,
    DEFAULT,
    GUESS_AND_SLIP,
    Floats,
    Ints,
    KernelName,
    Skill,
    Spread,
)

LEAST_RESPONSES = 50
LEAST_SEQUENCES = 10
"""A skill is fitted from so many responses of so many students, some right and some wrong."""

STRENGTH = np.array([7.0, 9.0, 25.0, 12.0, 15.0])
"""Prior, learn, forget, guess and slip are drawn towards the pooled ones as if so many more observations had said so:
m (1 - m) / variance - 1 with the mean and the variance between the skills of a large public file (the method of moments
for a beta distribution)."""

HARDER = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
"""A maximum that is degenerate is sought again with so many times the strength, the least that helps."""

STARTS = 5
_RANDOM = {
    "prior": (0.1, 0.9),
    "learn": (0.02, 0.4),
    "forget": (0.002, 0.05),
    "guess": (0.05, 0.45),
    "slip": (0.05, 0.45),
}
_FIRST_STRENGTH = np.ones(len(NAMES))
_FIRST_WEIGHT = 1.0
_AT_BOUND = 5e-3
_VAGUE = 0.25
_TELLING = 3.0
_INTERVAL = 1.96

FITTED = "fitted"


class FitError(ValueError):
    """These responses cannot be fitted."""


@dataclass(frozen=True, slots=True)
class SkillFit:
    """One skill's parameters and where they come from.

    `status` is `fitted`, or why the pooled parameters stand in: `few data: …`, `degenerate: …`, `unidentified: …`.
    `errors` are standard errors by name, None where a probability stands at its bound. `strength` is how hard the
    search was drawn to the pooled parameters (see `HARDER`); it and `converged` are None where nothing was tried.
    """

    skill: Skill
    status: str
    responses: int
    students: int
    errors: dict[str, float | None]
    strength: float | None
    log_likelihood: float
    converged: bool | None


@dataclass(frozen=True, slots=True)
class Fit:
    """Every skill's fit in the order of the skills, the pooled skill for those never seen, and what all share.

    `covariates` are, column by column, the logits by which each moves guess and slip (0 where it was not kept).
    """

    skills: tuple[SkillFit, ...]
    pooled: Skill
    weight: float
    decay: float
    covariates: Floats
    log_likelihood: float
    responses: int
    distinct: int
    starts: int

    def parameters(self) -> list[Skill]:
        """The skills' parameters, the pooled ones last."""
        return [*(one.skill for one in self.skills), self.pooled]


def fit(
    responses: Responses,
    skills: int,
    *,
    rng: np.random.Generator,
    kernel: KernelName,
    starts: int = STARTS,
    heard: Callable[[str, int, int], None] = lambda _what, _done, _total: None,
) -> Fit:
    """Fit every skill, 0 to `skills` - 1, by the likelihood of its students' sequences.

    Difficulty and covariates move guess and slip by coefficients that all skills share, and so does the decay over
    elapsed time; a covariate stays only where the Bayesian information criterion is better with it. `heard` is told
    what goes on, how far and of how many.
    """
    check(responses, skills)
    sequences = sequences_of(responses)
    forest, symbols = encode(responses, sequences, skills)
    design = Design.of(symbols)
    default = np.array([getattr(DEFAULT, name) for name in NAMES])
    search = Search(forest, design, expectation(kernel), default, _FIRST_STRENGTH, heard)
    seen = np.bincount(responses.skill, minlength=skills)
    right = np.bincount(responses.skill, responses.credit, minlength=skills)
    students = np.bincount(sequences.skill, minlength=skills)
    active = np.flatnonzero((seen >= LEAST_RESPONSES) & (students >= LEAST_SEQUENCES) & (right > 0) & (right < seen))
    model = _begin(default, skills, starts, design, rng, has_time=forest.gaps > 1)
    if len(active):
        model = short_runs(search, model, active)
    model = replace(model, values=model.values[:, :, :1])
    centre = _centre(search, model, active)
    search = replace(search, centre=centre, strength=STRENGTH)
    if len(active):
        model = _shared(search, model, active, len(responses))
    maxima, model = _maxima(search, model, active)
    return _result(
        replace(search, centre=_centre(search, model, active)), model, maxima, sequences, seen, students, starts
    )


@dataclass(frozen=True, slots=True)
class _Maxima:
    """By skill: `errors` (5, skills), whether the search came to stand `still`, the `strength` it took and, where no
    strength helped or nothing was tried, why there is no fit."""

    errors: Floats
    still: NDArray[np.bool_]
    strength: Floats
    reasons: list[str | None]


def _maxima(search: Search, model: Model, active: Ints) -> tuple[_Maxima, Model]:
    """Each skill's maximum. What comes out degenerate is drawn harder to the pooled parameters, and again."""
    skills = model.values.shape[1]
    found = _Maxima(
        np.full((len(NAMES), skills), np.nan), np.zeros(skills, np.bool_), np.zeros(skills), [None] * skills
    )
    unsettled = active
    for times in HARDER:
        if not len(unsettled):
            break
        harder = replace(search, strength=times * STRENGTH)
        model, still = converged(harder, model, unsettled)
        errors = standard_errors(harder, model, unsettled)
        for skill in unsettled.tolist():
            found.reasons[skill] = _refused(model.values[:, skill, 0], errors[:, skill])
        found.errors[:, unsettled], found.still[unsettled], found.strength[unsettled] = (
            errors[:, unsettled],
            still[unsettled],
            times,
        )
        unsettled = unsettled[[found.reasons[skill] is not None for skill in unsettled.tolist()]]
    return found, model


def check(responses: Responses, skills: int) -> None:
    """Refuse what no fit could be made of."""
    if not len(responses):
        raise FitError("there are no responses to fit")
    if not bool(np.all((responses.credit >= 0) & (responses.credit <= 1))):
        raise FitError("credit must lie between 0 and 1")
    if not bool(np.isfinite(responses.difficulty).all()) or not bool(np.isfinite(responses.covariates).all()):
        raise FitError("difficulty and covariates must be numbers")
    if responses.time is not None and not bool(np.isfinite(responses.time).all()):
        raise FitError("time must be a number")
    if int(responses.skill.min()) < 0 or int(responses.skill.max()) >= skills:
        raise FitError("a response has a skill that is not among the skills")


def _begin(
    default: Floats, skills: int, starts: int, design: Design, rng: np.random.Generator, *, has_time: bool
) -> Model:
    """The first start is the default, the others are drawn."""
    drawn = np.stack([rng.uniform(*_RANDOM[name], (skills, starts)) for name in NAMES])
    drawn[:, :, 0] = default[:, np.newaxis]
    coefficients = np.zeros((design.guess.shape[1], starts))
    if design.guess[:, 0].any():
        coefficients[0] = _FIRST_WEIGHT
    return Model(bounded(drawn), coefficients, np.full(starts, DEFAULT.decay if has_time else 0.0))


def _centre(search: Search, model: Model, active: Ints) -> Floats:
    """The pooled probabilities (5,): the maximum for the counts of all fitted skills together."""
    if not len(active):
        return search.centre
    counts = pooled(search.counts(model, active))
    mean = Model(model.values[:, active].mean(axis=1, keepdims=True), model.coefficients, model.decay)
    alone = replace(search, forest=replace(search.forest, starting=search.forest.starting[active].sum(keepdims=True)))
    for _ in range(20):  # guess and slip come by steps where items differ
        mean = replace(alone, strength=_FIRST_STRENGTH).better(mean, counts)
    return np.asarray(mean.values[:, 0, 0])


def _shared(search: Search, model: Model, active: Ints, responses: int) -> Model:
    """The coefficients that all skills share, without the covariates that do not earn their keep."""
    free = (search.design.guess != 0).any(axis=0).astype(np.float64)
    slips = (search.design.slip != 0).any(axis=0)
    free = np.maximum(free, slips)
    if not free.any() and search.forest.gaps == 1:
        return model
    model, likely = shared_run(search, model, active, free)
    for column in range(1, len(free), 2):
        without = free.copy()
        without[column : column + 2] = 0
        none = model.coefficients.copy()
        none[column : column + 2] = 0
        less, less_likely = shared_run(search, replace(model, coefficients=none), active, without)
        if 2 * (likely - less_likely) <= 2 * np.log(responses):
            model, likely, free = less, less_likely, without
    return model


def _result(
    search: Search, model: Model, maxima: _Maxima, sequences: Sequences, seen: Ints, students: Ints, starts: int
) -> Fit:
    weight, decay = float(model.coefficients[0, 0]), float(model.decay[0])
    centre, values = search.centre, model.values[:, :, 0]
    tried = maxima.strength > 0
    reasons = [
        reason if was_tried else _few(int(responses), int(of))
        for reason, was_tried, responses, of in zip(maxima.reasons, tried, seen, students, strict=True)
    ]
    fitted = np.array([reason is None for reason in reasons])
    spread = _between(values[:, fitted]) if fitted.sum() > 1 else DEFAULT.spread
    pooled_skill = _skill(centre, weight, decay, spread)
    final = np.where(fitted[:, np.newaxis], model.values, centre[:, np.newaxis, np.newaxis])
    likely = search.counts(model.with_values(final), np.flatnonzero(seen)).log_likelihood[:, 0]
    made = []
    for skill, reason in enumerate(reasons):
        errors = dict(zip(NAMES, maxima.errors[:, skill].tolist(), strict=True))
        half = {name: getattr(spread, name) if np.isnan(one) else _INTERVAL * one for name, one in errors.items()}
        made.append(
            SkillFit(
                pooled_skill if reason else _skill(values[:, skill], weight, decay, Spread(**half)),
                reason or FITTED,
                int(seen[skill]),
                int(students[skill]),
                {name: None if reason or np.isnan(one) else one for name, one in errors.items()},
                float(maxima.strength[skill]) or None,
                float(likely[skill]),
                None if reason else bool(maxima.still[skill]),
            )
        )
    return Fit(
        tuple(made),
        pooled_skill,
        weight,
        decay,
        model.coefficients[1:, 0].reshape(-1, 2),
        float(likely.sum()),
        len(sequences.rows),
        len(search.forest),
        starts,
    )


def _few(responses: int, students: int) -> str:
    if responses < LEAST_RESPONSES or students < LEAST_SEQUENCES:
        return (
            f"few data: {responses} responses of {students} students; {LEAST_RESPONSES} of {LEAST_SEQUENCES} are needed"
        )
    return "few data: all answers are alike"


def _refused(values: Floats, errors: Floats) -> str | None:
    """Why a maximum is no fit, or None."""
    named = dict(zip(NAMES, values.tolist(), strict=True))
    if named["guess"] + named["slip"] >= GUESS_AND_SLIP - _AT_BOUND:
        return f"degenerate: guess and slip together at {GUESS_AND_SLIP}"
    for name in ("guess", "slip", "learn"):
        if named[name] >= BOUNDS[name][1] - _AT_BOUND:
            return f"degenerate: {name} at its bound {BOUNDS[name][1]}"
    if named["learn"] <= BOUNDS["learn"][0] + _AT_BOUND and named["prior"] <= BOUNDS["prior"][0] + _AT_BOUND:
        return "degenerate: nobody knows it and nobody learns it"
    unsure = dict(zip(NAMES, errors.tolist(), strict=True))
    if all(np.isnan(error) for error in unsure.values()):
        return "unidentified: the likelihood has no maximum"
    for name in ("guess", "slip"):
        if unsure[name] > _VAGUE:
            return f"unidentified: {name} could be anything (standard error {unsure[name]:.2f})"
    both = np.hypot(unsure["guess"], unsure["slip"])
    if 1 - named["guess"] - named["slip"] < _TELLING * both:
        return "unidentified: a coin could give these answers (1 - guess - slip is within three standard errors of 0)"
    return None


def _between(values: Floats) -> Spread:
    """Standard deviations between the fitted skills: how far the pooled parameters are off for one more skill."""
    between: list[float] = np.std(values, axis=1, ddof=1).tolist()
    prior, learn, forget, guess, slip = between
    return Spread(prior, learn, forget, guess, slip)


def _skill(values: Floats, weight: float, decay: float, spread: Spread) -> Skill:
    inside: list[float] = bounded(values[:, np.newaxis, np.newaxis])[:, 0, 0].tolist()
    prior, learn, forget, guess, slip = inside
    return Skill(prior, learn, forget, guess, slip, decay, weight, spread)
