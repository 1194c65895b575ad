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
from services.assessment.domain.irt.strata_plain import matched_counts

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
class Regressions:
    """Logistic regressions of counts: coefficients (items, terms), their covariances, log-likelihoods (items,)."""

    coefficients: Floats
    covariance: Floats
    log_likelihood: Floats


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
    """The three models of every item that can be compared, all items at once."""
    right, wrong = (matched.counts[:, :, :, score : score + 1].sum(axis=3).astype(np.float64) for score in (1, 0))
    reasons = [_reason(group, matched, item) for item in range(len(right))]
    items = np.flatnonzero([reason is None for reason in reasons])
    width = len(right)
    gains, r2 = np.full((width, 3), np.nan), np.full((width, 3), np.nan)
    coefficients, errors = np.full((width, 4), np.nan), np.full((width, 4), np.nan)
    if not len(items):
        return _Fitted(gains, r2, coefficients, errors, tuple(reasons))
    right, wrong = right[items], wrong[items]
    number = right + wrong
    score = np.arange(number.shape[1], dtype=np.float64)[np.newaxis, :, np.newaxis]
    every = number.sum(axis=(1, 2))
    centre = (number * score).sum(axis=(1, 2)) / every
    away = score - centre[:, np.newaxis, np.newaxis]
    scale = np.sqrt((number * away**2).sum(axis=(1, 2)) / every)
    z = np.broadcast_to(away / scale[:, np.newaxis, np.newaxis], number.shape)
    member = np.broadcast_to(np.array([0.0, 1.0]), number.shape)
    design = np.stack([np.ones_like(z), z, member, z * member], axis=3).reshape(len(items), -1, 4)
    cells = (right.reshape(len(items), -1), wrong.reshape(len(items), -1))
    models = [regressions(design[:, :, :terms], *cells) for terms in (2, 3, 4)]
    separates = np.any([np.abs(model.coefficients).max(axis=1) > STEEPEST for model in models], axis=0)
    for item in items[separates]:
        reasons[item] = f"{group.names[item]}: the matching score and the group tell right from wrong without error."
    kept = items[~separates]
    logs = np.stack([model.log_likelihood for model in models], axis=1)
    gained = np.stack([logs[:, 1] - logs[:, 0], logs[:, 2] - logs[:, 1], logs[:, 2] - logs[:, 0]], axis=1)
    gains[kept] = 2 * np.maximum(gained, 0)[~separates]
    r2[kept] = nagelkerke(logs, right.sum(axis=(1, 2)), wrong.sum(axis=(1, 2)))[~separates]
    back = _in_points(centre, scale)
    coefficients[kept] = np.einsum("itu,iu->it", back, models[2].coefficients)[~separates]
    spread = np.einsum("itu,iuv,itv->it", back, models[2].covariance, back)
    errors[kept] = np.sqrt(spread)[~separates]
    return _Fitted(gains, r2, coefficients, errors, tuple(reasons))


def _reason(group: Students, matched: Matched, item: int) -> str | None:
    """Why an item cannot be compared, None when it can."""
    name, counts = group.names[item], matched.counts[item]
    if not counts.any():
        return f"{name}: nobody answered it."
    if group.highest[item] > 1:
        return f"{name}: it has more than two scores, and the regression is of right and wrong."
    if (counts.sum(axis=(0, 1)) > 0).sum() == 1:
        return f"{name}: everybody got the same score."
    standing = (counts.sum(axis=2) > 0).sum(axis=0)
    if not standing.all():
        return f"{name}: only one of the groups answered it."
    return None if (standing > 1).all() else f"{name}: a group stands at a single matching score."


def _in_points(centre: Floats, scale: Floats) -> Floats:
    """The linear maps (items, 4, 4) from coefficients of the scaled score to those of the score in points."""
    back = np.zeros((len(scale), 4, 4))
    back[:, 0, 0] = back[:, 2, 2] = 1.0
    back[:, 1, 1] = back[:, 3, 3] = 1 / scale
    back[:, 0, 1] = back[:, 2, 3] = -centre / scale
    return back


def nagelkerke(log_likelihoods: Floats, right: Floats, wrong: Floats) -> Floats:
    """Nagelkerke's R² (items, models) of these log-likelihoods, with right and wrong answers (items,) counted."""
    number = right + wrong
    alone = right * np.log(right / number) + wrong * np.log(wrong / number)
    share = (2 / number)[:, np.newaxis]
    gained = -np.expm1(share * (alone[:, np.newaxis] - log_likelihoods))
    return np.asarray(gained / -np.expm1(share * alone[:, np.newaxis]), dtype=np.float64)


def regressions(design: Floats, right: Floats, wrong: Floats) -> Regressions:
    """Maximum likelihood of all items by Newton's method; design (items, cells, terms), counts (items, cells).

    A step that would lose likelihood is halved until it does not.
    """
    number = right + wrong
    coefficients = np.zeros((len(design), design.shape[2]))
    log_likelihood = _log_likelihood(design, coefficients, right, wrong)
    for _ in range(MOST_STEPS):
        chance, inverse = _uncertainty(design, number, coefficients)
        step = np.einsum("itu,icu,ic->it", inverse, design, right - number * chance)
        for _ in range(HALVINGS):
            tried = coefficients + step
            now = _log_likelihood(design, tried, right, wrong)
            worse = now < log_likelihood
            if not worse.any():
                break
            step[worse] /= 2
        better = now > log_likelihood
        gained = np.where(better, now - log_likelihood, 0.0)
        coefficients = np.where(better[:, np.newaxis], tried, coefficients)
        log_likelihood = log_likelihood + gained
        if (gained <= TOLERANCE * (np.abs(log_likelihood) + 1)).all():
            break
    return Regressions(coefficients, _uncertainty(design, number, coefficients)[1], log_likelihood)


def _uncertainty(design: Floats, number: Floats, coefficients: Floats) -> tuple[Floats, Floats]:
    """Chances of a right answer (items, cells) and the inverse information (items, terms, terms)."""
    logits = np.clip(np.einsum("ict,it->ic", design, coefficients), -700, 700)
    chance = 1 / (1 + np.exp(-logits))
    weighted = design * (number * chance * (1 - chance))[:, :, np.newaxis]
    information = np.einsum("ict,icu->itu", weighted, design)
    return chance, np.asarray(np.linalg.pinv(information, hermitian=True), dtype=np.float64)


def _log_likelihood(design: Floats, coefficients: Floats, right: Floats, wrong: Floats) -> Floats:
    logits = np.einsum("ict,it->ic", design, coefficients)
    losses = right * np.logaddexp(0, -logits) + wrong * np.logaddexp(0, logits)
    return np.asarray(-losses.sum(axis=1), dtype=np.float64)
