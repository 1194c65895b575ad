"""Differential item functioning by logistic regression (Swaminathan & Rogers 1990).

Three nested models of a right answer, with s the matching score (see `strata`) and g = 1 in the focal group:

    1: logit P = β₀ + β₁ s      2: + β₂ g      3: + β₃ s g

Twice the gain in log-likelihood is a χ²: from 1 to 2 uniform differential functioning (one degree of freedom), from
2 to 3 non-uniform (one), from 1 to 3 either (two). The size of the effect is the gain in Nagelkerke's (1991) R²,

    R² = [1 − (L₀/L)^{2/n}] ⁄ [1 − L₀^{2/n}],

classed by Zumbo & Thomas (1997; A below .13, C above .26) and by Jodoin & Gierl (2001; A below .035, C from .070); an
effect that is not significant at .05 is A.

The response depends on a student only by score and group, so the models are fitted to counts: a million students cost
no more than a thousand once they are counted. Scores are centred and scaled for Newton's steps, coefficients are
given back in points.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.assessment.domain.irt.dif import SIGNIFICANCE, Class
from services.assessment.domain.irt.fit import upper_tail
from services.assessment.domain.irt.plain import matched_counts
from services.assessment.domain.irt.purification import compare_purified
from services.assessment.domain.irt.strata import (
    Bools,
    Codes,
    Counter,
    Floats,
    Matched,
    Students,
    match,
    students,
)

MOST_STEPS, HALVINGS = 100, 30
TOLERANCE = 1e-12
STEEPEST = 30.0
"""A coefficient (per standard deviation of the score) beyond this says that the model separates right from wrong."""


@dataclass(frozen=True, slots=True)
class LogisticDif:
    """Each item's comparison; arrays (items,) unless said, NaN only where `reasons` says why.

    χ² and p of uniform, non-uniform and either kind (`chi2`, `p`); `r2` (items, 3) Nagelkerke's R² of the three models;
    `effect` its gain from the first to the third; `coefficients` and `errors` (items, 4) of the third, in the order
    intercept, score, focal group, score in the focal group. `classes` by Jodoin & Gierl, `zumbo_thomas` by those.
    `purified`, `rounds`, `converged` and `thin` as with Mantel-Haenszel.
    """

    chi2: Floats
    p: Floats
    uniform_chi2: Floats
    uniform_p: Floats
    nonuniform_chi2: Floats
    nonuniform_p: Floats
    r2: Floats
    effect: Floats
    coefficients: Floats
    errors: Floats
    classes: tuple[Class | None, ...]
    zumbo_thomas: tuple[Class | None, ...]
    reasons: tuple[str | None, ...]
    purified: tuple[int, ...]
    rounds: int
    converged: bool
    thin: bool


@dataclass(frozen=True, slots=True)
class Regression:
    """A logistic regression of counts: coefficients (terms,), covariance, log-likelihood, whether it separates."""

    coefficients: Floats
    covariance: Floats
    log_likelihood: float
    separates: bool


@dataclass(frozen=True, slots=True)
class _Fitted:
    gains: Floats
    r2: Floats
    coefficients: Floats
    errors: Floats
    reasons: tuple[str | None, ...]


def logistic_dif(
    scores: Codes,
    focal: Bools,
    purify: bool = True,
    *,
    names: Sequence[str] | None = None,
    counter: Counter = matched_counts,
    smallest_group: int = 10,
) -> LogisticDif:
    """Logistic-regression comparison of every item of two scores; scores (students, items), focal (students,) truth.

    Items of more than two scores, and items that all answered alike, have NaN and a reason, but count in the matching
    score. Purification is as with Mantel-Haenszel, by the p of either kind. Raises the errors of `strata`.
    """
    group = students(scores, focal, names=names, smallest_group=smallest_group)
    result = compare_purified(
        group.scores.shape[1], lambda anchors: _fit(group, match(group, anchors, counter)), _flagged, purify
    )
    found = result.found
    p = [upper_tail(found.gains[:, kind], np.full(len(found.gains), df)) for kind, df in enumerate((1.0, 1.0, 2.0))]
    effect = found.r2[:, 2] - found.r2[:, 0]
    return LogisticDif(
        chi2=found.gains[:, 2],
        p=p[2],
        uniform_chi2=found.gains[:, 0],
        uniform_p=p[0],
        nonuniform_chi2=found.gains[:, 1],
        nonuniform_p=p[1],
        r2=found.r2,
        effect=effect,
        coefficients=found.coefficients,
        errors=found.errors,
        classes=tuple(effect_class(float(one), float(of), 0.035, 0.070) for one, of in zip(effect, p[2], strict=True)),
        zumbo_thomas=tuple(
            effect_class(float(one), float(of), 0.13, 0.26) for one, of in zip(effect, p[2], strict=True)
        ),
        reasons=found.reasons,
        purified=result.without,
        rounds=result.rounds,
        converged=result.converged,
        thin=group.thin,
    )


def effect_class(effect: float, p: float, moderate: float, large: float) -> Class | None:
    """A negligible, B moderate, C large by the gain in R²; A when not significant, None when not compared."""
    if np.isnan(effect) or np.isnan(p):
        return None
    if p >= SIGNIFICANCE or effect < moderate:
        return "A"
    return "C" if effect >= large else "B"


def _flagged(found: _Fitted) -> tuple[int, ...]:
    p = upper_tail(found.gains[:, 2], np.full(len(found.gains), 2.0))
    return tuple(int(item) for item in np.flatnonzero(p < SIGNIFICANCE))


def _fit(group: Students, matched: Matched) -> _Fitted:
    items, strata = matched.counts.shape[:2]
    gains, r2 = np.full((items, 3), np.nan), np.full((items, 3), np.nan)
    coefficients, errors = np.full((items, 4), np.nan), np.full((items, 4), np.nan)
    score = np.tile(np.arange(strata, dtype=np.float64), 2)
    member = np.repeat([0.0, 1.0], strata)
    reasons: list[str | None] = []
    for item in range(items):
        name = group.names[item]
        if group.highest[item] != 1:
            several = "it has more than two scores" if group.highest[item] else "nobody earned a point or answered it"
            reasons.append(f"{name}: {several}, and the regression is of right and wrong.")
            continue
        right = matched.counts[item, :, :, 1].T.ravel().astype(np.float64)
        wrong = matched.counts[item, :, :, 0].T.ravel().astype(np.float64)
        number = right + wrong
        if not right.sum() or not wrong.sum():
            reasons.append(f"{name}: everybody got the same score.")
            continue
        here = number > 0
        centre = (number * score).sum() / number.sum()
        scale = float(np.sqrt((number * (score - centre) ** 2).sum() / number.sum())) or 1.0
        z = (score - centre) / scale
        design = np.stack([np.ones_like(z), z, member, z * member], axis=1)
        if np.linalg.matrix_rank(design[here]) < 4:
            reasons.append(f"{name}: the groups do not each stand at two matching scores or more.")
            continue
        models = [regression(design[:, :terms], right, wrong) for terms in (2, 3, 4)]
        if any(model.separates for model in models):
            reasons.append(f"{name}: the matching score and the group tell right from wrong without error.")
            continue
        reasons.append(None)
        logs = np.array([model.log_likelihood for model in models])
        gains[item] = 2 * np.maximum([logs[1] - logs[0], logs[2] - logs[1], logs[2] - logs[0]], 0)
        r2[item] = nagelkerke(logs, float(right.sum()), float(wrong.sum()))
        back = _in_points(centre, scale)
        coefficients[item] = back @ models[2].coefficients
        errors[item] = np.sqrt(np.diag(back @ models[2].covariance @ back.T))
    return _Fitted(gains, r2, coefficients, errors, tuple(reasons))


def _in_points(centre: float, scale: float) -> Floats:
    """The linear map from coefficients of the scaled score to those of the score in points."""
    back = np.diag([1.0, 1 / scale, 1.0, 1 / scale])
    back[0, 1] = back[2, 3] = -centre / scale
    return back


def nagelkerke(log_likelihoods: Floats, right: float, wrong: float) -> Floats:
    """Nagelkerke's R² of models with these log-likelihoods, of `right` right and `wrong` wrong answers."""
    number = right + wrong
    alone = right * np.log(right / number) + wrong * np.log(wrong / number)
    gained = -np.expm1(2 / number * (alone - log_likelihoods))
    return np.asarray(gained / -np.expm1(2 / number * alone), dtype=np.float64)


def regression(design: Floats, right: Floats, wrong: Floats) -> Regression:
    """Maximum likelihood by Newton's method, steps halved; design (cells, terms), counts right and wrong (cells,)."""
    number = right + wrong
    coefficients = np.zeros(design.shape[1])
    log_likelihood = _log_likelihood(design @ coefficients, right, wrong)
    for _ in range(MOST_STEPS):
        chance, inverse = _uncertainty(design, number, coefficients)
        step = inverse @ (design.T @ (right - number * chance))
        for halving in range(HALVINGS):
            tried = coefficients + step * 0.5**halving
            gained = _log_likelihood(design @ tried, right, wrong) - log_likelihood
            if gained >= 0:
                break
        else:
            break
        coefficients, log_likelihood = tried, log_likelihood + gained
        if gained <= TOLERANCE * (abs(log_likelihood) + 1):
            break
    separates = bool(np.abs(coefficients).max() > STEEPEST)
    return Regression(coefficients, _uncertainty(design, number, coefficients)[1], log_likelihood, separates)


def _uncertainty(design: Floats, number: Floats, coefficients: Floats) -> tuple[Floats, Floats]:
    """Chances of a right answer (cells,) and the inverse of the information of the coefficients."""
    chance = 1 / (1 + np.exp(-np.clip(design @ coefficients, -700, 700)))
    weight = number * chance * (1 - chance)
    return chance, np.asarray(np.linalg.pinv(design.T @ (weight[:, np.newaxis] * design), hermitian=True))


def _log_likelihood(logits: Floats, right: Floats, wrong: Floats) -> float:
    return float(-(right * np.logaddexp(0, -logits) + wrong * np.logaddexp(0, logits)).sum())
