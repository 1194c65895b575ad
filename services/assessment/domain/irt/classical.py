"""Classical item statistics: what can be said before any model.

* Difficulty: mean score as a share of the highest, over those who answered (for right and wrong: proportion right).
* Discrimination: correlation of the item with the share of points on the *other* items (corrected item-total
  correlation; for right and wrong the corrected point-biserial), and with the share on all items, itself included.
* Cronbach's (1951) α = k/(k − 1) · (1 − Σ σ_i² ⁄ Σ_ij σ_ij), and α without each item.

**Missing responses** (codes above 250) take no part: a student's share of points is of the items answered, a covariance
is over those who answered both items. With complete rows everything is the textbook value.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.assessment.domain.irt.models import Floats
from services.assessment.domain.irt.responses import HIGHEST_SCORE, Codes, Indices

BATCH = 16384


class NoCovariance(ValueError):
    """Two items have no two students in common, so α does not exist."""


@dataclass(frozen=True, slots=True)
class Classical:
    """Statistics of every item, arrays (items,), NaN only where `reasons` says why; α of the test.

    `answered` counts the students behind the difficulty. `alpha` is NaN for a single item or a test without variance.
    """

    difficulty: Floats
    discrimination: Floats
    item_total: Floats
    answered: Floats
    alpha: float
    alpha_without: Floats
    reasons: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Option:
    """What choosing one option goes with: how many chose it, their share, mean share of points elsewhere, correlation.

    A right option correlates positively; a distractor that does is keyed wrongly or read in two ways.
    """

    chosen: int
    count: int
    share: float
    mean_rest: float
    correlation: float


def classical(codes: Codes, *, highest: Indices | None = None, names: Sequence[str] | None = None) -> Classical:
    """Classical statistics of codes (students, items); `highest` (items,) possible scores, those seen unless given.

    Raises `NoCovariance` when α would need students who do not exist.
    """
    present = codes <= HIGHEST_SCORE
    points = np.where(present, codes, 0).astype(np.float64)
    tops = points.max(axis=0) if highest is None else np.asarray(highest, dtype=np.float64)
    answered = present.sum(axis=0).astype(np.float64)
    earned, possible = points.sum(axis=1), present @ tops
    discrimination, total = np.full(len(tops), np.nan), np.full(len(tops), np.nan)
    reasons: list[str | None] = []
    for place, top in enumerate(tops):
        name = names[place] if names is not None else f"item {place + 1}"
        here = present[:, place] & (possible > top)
        score = points[here, place]
        if not answered[place]:
            reasons.append(f"{name}: nobody answered it.")
        elif len(score) < 2 or score.min() == score.max():
            reasons.append(f"{name}: everybody got the same score, which correlates with nothing.")
        else:
            reasons.append(None)
            discrimination[place] = correlation(score, (earned[here] - score) / (possible[here] - top))
            total[place] = correlation(score, earned[here] / possible[here])
    with np.errstate(divide="ignore", invalid="ignore"):
        difficulty = points.sum(axis=0) / (answered * tops)
    difficulty[(answered > 0) & (tops == 0)] = 0.0
    covariance = covariances(codes)
    return Classical(
        difficulty=difficulty,
        discrimination=discrimination,
        item_total=total,
        answered=answered,
        alpha=_alpha(covariance),
        alpha_without=np.array([_alpha(_without(covariance, place)) for place in range(len(tops))]),
        reasons=tuple(reasons),
    )


def correlation(first: Floats, second: Floats) -> float:
    """Pearson's correlation; NaN when one of them does not vary."""
    left, right = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((left * left).sum() * (right * right).sum()))
    return float((left * right).sum() / scale) if scale > 0 else float("nan")


def covariances(codes: Codes) -> Floats:
    """Covariance of every two items over those who answered both, divided by n − 1; (items, items).

    Raises `NoCovariance` when fewer than two students answered both.
    """
    width = codes.shape[1]
    number, cross, sums = (np.zeros((width, width)) for _ in range(3))
    for start in range(0, len(codes), BATCH):
        part = codes[start : start + BATCH]
        here = (part <= HIGHEST_SCORE).astype(np.float64)
        points = np.where(part <= HIGHEST_SCORE, part, 0).astype(np.float64)
        number += here.T @ here
        cross += points.T @ points
        sums += points.T @ here
    if (number < 2).any():
        first, second = np.argwhere(number < 2)[0]
        raise NoCovariance(f"Items {first + 1} and {second + 1} were answered together by fewer than two students.")
    return np.asarray((cross - sums * sums.T / number) / (number - 1), dtype=np.float64)


def _without(covariance: Floats, place: int) -> Floats:
    return np.delete(np.delete(covariance, place, axis=0), place, axis=1)


def _alpha(covariance: Floats) -> float:
    width, whole = len(covariance), float(covariance.sum())
    if width < 2 or whole <= 0:
        return float("nan")
    return float(width / (width - 1) * (1 - np.trace(covariance) / whole))


def options(chosen: Indices, rest: Floats) -> tuple[Option, ...]:
    """Option by option: `chosen` (students,) which option each took, `rest` (students,) share of points elsewhere.

    Students whose `rest` is NaN are left out.
    """
    known = np.isfinite(rest)
    chosen, rest = chosen[known], rest[known]
    made = []
    for option in np.unique(chosen):
        took = chosen == option
        made.append(
            Option(
                chosen=int(option),
                count=int(took.sum()),
                share=float(took.mean()),
                mean_rest=float(rest[took].mean()),
                correlation=correlation(took.astype(np.float64), rest),
            )
        )
    return tuple(made)
