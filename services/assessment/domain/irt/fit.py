"""Item fit: do students of each total score answer an item as its model says?

**S-X²** (Orlando & Thissen 2000; Kang & Chen 2008 for items of several scores) compares, among students of each total
score, how many got each score on the item with how many should have (see `cells`, also for how sparse cells are put
together):

    S-X² = Σ (O − E)²/E over the cells,   df = cells − totals − estimated parameters.

Parameters that the same students' responses gave cost degrees of freedom; those of another sample cost none
(`estimated`). Unless said otherwise an item costs as many as its model has free, and where all items are Rasch or
partial credit one more for the standard deviation of ability.

**Missing responses.** Totals can be compared only among students who were presented the same items. Students are taken
together by the set of items they answered; sets of fewer than 100 students are left out (the largest never is), tables
are made set by set and their S-X² and degrees of freedom added. `ItemFit.students` says how many took part.

**Infit and outfit** are `meansquares` at expected a posteriori abilities and take every response.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.assessment.domain.irt import cells
from services.assessment.domain.irt.meansquares import Sums, mean_squares
from services.assessment.domain.irt.models import Floats, Model, Parameters
from services.assessment.domain.irt.residuals import Bools, Latent, batches, checked, grid
from services.assessment.domain.irt.responses import HIGHEST_SCORE, Codes

SMALLEST_SET = 100
RASCH_FAMILY = frozenset({Model.RASCH, Model.PCM})


@dataclass(frozen=True, slots=True)
class ItemFit:
    """Fit of every item; all arrays (items,). NaN only where `reasons` says why.

    `s_x2`, its `df`, `p` and `rmsea` = √max(0, (S-X²/df − 1)/(n − 1)); mean squares and their standardised values;
    `students` how many took part in S-X².
    """

    s_x2: Floats
    df: Floats
    p: Floats
    rmsea: Floats
    infit: Floats
    outfit: Floats
    z_infit: Floats
    z_outfit: Floats
    students: Floats
    reasons: tuple[str | None, ...]


def item_fit(
    codes: Codes,
    items: Sequence[Parameters],
    *,
    latent: Latent | None = None,
    theta: Floats | None = None,
    names: Sequence[str] | None = None,
    estimated: Sequence[int] | None = None,
    smallest_cell: float = 1.0,
) -> ItemFit:
    """Fit of items with known parameters to codes (students, items) of students from the population `latent`.

    `theta` (students,) are the abilities of infit and outfit, expected a posteriori unless given. `estimated` (items,)
    says how many parameters of each item came from these responses. Raises `ScoresDoNotFit`.
    """
    codes = checked(codes, items, names)
    latent = latent or Latent()
    named = tuple(names) if names is not None else tuple(f"item {place + 1}" for place in range(len(items)))
    statistic, df, number = _s_x2(codes, items, latent, smallest_cell)
    df -= np.array(free_parameters(items) if estimated is None else estimated, dtype=np.float64)
    answered = np.asarray((codes <= HIGHEST_SCORE).any(axis=0), dtype=np.bool_)
    reasons = tuple(
        _reason(named[place], bool(answered[place]), float(df[place]), float(number[place]))
        for place in range(len(items))
    )
    statistic[df <= 0] = np.nan
    df = np.maximum(df, 0)
    squares = mean_squares(_sums(codes, items, latent, theta))
    return ItemFit(
        s_x2=statistic,
        df=df,
        p=upper_tail(statistic, df),
        rmsea=rmsea(statistic, df, number),
        infit=squares.infit,
        outfit=squares.outfit,
        z_infit=squares.z_infit,
        z_outfit=squares.z_outfit,
        students=number,
        reasons=reasons,
    )


def free_parameters(items: Sequence[Parameters]) -> list[int]:
    """How many parameters each item's model has free, the standard deviation of ability among them in Rasch models."""
    common = 1 if all(item.model in RASCH_FAMILY for item in items) else 0
    return [common + _free(item) for item in items]


def _free(item: Parameters) -> int:
    if item.model in RASCH_FAMILY:
        return len(item.b)
    return len(item.b) + (2 if item.model is Model.THREE_PL else 1)


def rmsea(statistic: Floats, df: Floats, number: Floats) -> Floats:
    """Root mean square error of approximation, (items,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = np.where(np.isnan(statistic), np.nan, np.maximum(statistic / df - 1, 0))
        return np.asarray(np.sqrt(excess / np.maximum(number - 1, 1)), dtype=np.float64)


def upper_tail(statistic: Floats, df: Floats) -> Floats:
    """Probability of a χ² at least this large; NaN stays NaN."""
    from scipy.special import chdtrc  # here, because a service that starts should not wait for SciPy

    made = np.full(len(statistic), np.nan)
    known = np.isfinite(statistic) & (df > 0)
    made[known] = chdtrc(df[known], statistic[known])
    return made


def _reason(name: str, answered: bool, df: float, number: float) -> str | None:
    if not answered:
        return f"{name}: nobody answered it."
    if not number:
        return f"{name}: too few students answered it together with the same other items."
    if df <= 0:
        return f"{name}: there are fewer cells to compare than parameters were estimated."
    return None


def _sums(codes: Codes, items: Sequence[Parameters], latent: Latent, theta: Floats | None) -> Sums:
    parts = (Sums.over(found, axis=0) for _, _, found in batches(codes, items, latent, theta))
    every = next(parts)
    for part in parts:
        every = every + part
    return every


def _s_x2(codes: Codes, items: Sequence[Parameters], latent: Latent, smallest: float) -> tuple[Floats, Floats, Floats]:
    """Statistic, cells less totals, and students, all (items,)."""
    over = grid(items, latent)
    weights = np.exp(over.log_weights)
    chances = [np.exp(table[:-1]) for table in over.tables]
    statistic, df, number = np.zeros(len(items)), np.zeros(len(items)), np.zeros(len(items))
    for members, presented in _sets(codes):
        places = np.flatnonzero(presented)
        scores = codes[np.ix_(members, places)].astype(np.int64)
        totals = scores.sum(axis=1)
        tables = [chances[place] for place in places]
        highest = sum(len(table) - 1 for table in tables)
        for column, share in enumerate(cells.expected_shares(tables, weights)):
            seen = cells.observed(scores[:, column], totals, len(tables[column]), highest)
            if not seen.sum():
                continue
            seen, expected = cells.collapse(seen, share * seen.sum(axis=1, keepdims=True), smallest)
            there = expected > 0
            place = places[column]
            statistic[place] += ((seen[there] - expected[there]) ** 2 / expected[there]).sum()
            df[place] += there.sum() - len(expected)
            number[place] += len(members)
    return statistic, df, number


def _sets(codes: Codes) -> list[tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Bools]]:
    """Students who answered the same items: (their rows, which items); the largest set and all of 100 or more."""
    present = codes <= HIGHEST_SCORE
    if present.all():
        return [(np.arange(len(codes)), present[0])]
    patterns, which, sizes = np.unique(np.packbits(present, axis=1), axis=0, return_inverse=True, return_counts=True)
    empty = ~patterns.any(axis=1)
    sizes = np.where(empty, 0, sizes)
    kept = [int(one) for one in np.flatnonzero((sizes >= SMALLEST_SET) | (sizes == sizes.max())) if sizes[one]]
    order = np.argsort(which.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(which.ravel(), minlength=len(patterns)))
    sets = []
    for one in kept:
        members = order[ends[one - 1] if one else 0 : ends[one]]
        sets.append((members, present[members[0]]))
    return sets
