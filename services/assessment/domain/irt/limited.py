"""Model fit from means and pairs: M2 (Maydeu-Olivares & Joe 2006), for graded scores M2* (Cai & Hansen 2013).

The table of all response patterns is too sparse for a χ²; its first and second moments are not. With p the observed
means E(x_i) and products E(x_i x_j), e(ω) what the model expects, Ξ the covariance of one student's moments and
Δ = ∂e/∂ω,

    M2 = n (p − e)' Δ_c (Δ_c' Ξ Δ_c)⁻¹ Δ_c' (p − e),     df = moments − parameters,

Δ_c an orthogonal complement of Δ. RMSEA = √max(0, (M2/df − 1)/(n − 1)) with its 90 % interval from the noncentral χ²;
SRMSR is the root mean square difference of observed and expected correlations; CFI and TLI compare with independent
items (of two scores; None for others).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.assessment.domain.irt.fit import RASCH_FAMILY
from services.assessment.domain.irt.models import Floats, Model, Parameters, probabilities
from services.assessment.domain.irt.quadrature import equally_spaced, log_normal_weights
from services.assessment.domain.irt.residuals import NODES, Latent, checked
from services.assessment.domain.irt.responses import HIGHEST_SCORE, Codes, Indices

MOST_ITEMS = 100
STEP = 1e-5


class TooFewMoments(ValueError):
    """There are not more means and pairs than parameters, so the model cannot be tested by them."""


class TooManyItems(ValueError):
    """The covariance of all pairs of so many items does not fit into memory."""


class NoCompleteRows(ValueError):
    """M2 needs students who answered every item."""


@dataclass(frozen=True, slots=True)
class LimitedFit:
    """Fit of the whole model over the `students` who answered every item."""

    m2: float
    df: int
    p: float
    rmsea: float
    rmsea_low: float
    rmsea_high: float
    srmsr: float
    tli: float | None
    cfi: float | None
    students: int


def limited_fit(
    codes: Codes, items: Sequence[Parameters], *, latent: Latent | None = None, names: Sequence[str] | None = None
) -> LimitedFit:
    """M2 of items whose parameters were estimated from these codes (students, items).

    Free are what each model has free; the slope of all 1PL items is one parameter, and where all items are Rasch or
    partial credit the standard deviation of ability is one more.
    """
    codes = checked(codes, items, names)
    if len(items) > MOST_ITEMS:
        raise TooManyItems(f"M2 is for at most {MOST_ITEMS} items; these are {len(items)}.")
    points = codes[(codes <= HIGHEST_SCORE).all(axis=1)].astype(np.float64)
    if len(points) < 2:
        raise NoCompleteRows("Fewer than two students answered every item.")
    latent = latent or Latent()
    pairs = np.triu_indices(len(items), 1)
    first, second = pairs[0].astype(np.int64), pairs[1].astype(np.int64)
    nodes = equally_spaced(NODES, latent.mean, latent.sd)
    means, squares = _means(items, nodes)
    weights = np.exp(log_normal_weights(nodes, latent.mean, latent.sd))
    slopes = _slopes(items, latent, nodes, means, weights, first, second)
    number = len(points)
    cross = points.T @ points / number
    seen = np.concatenate([points.mean(axis=0), cross[first, second]])
    expected = weights @ _moments(means, first, second)
    df = len(seen) - slopes.shape[1]
    if df <= 0:
        raise TooFewMoments(f"{len(seen)} means and pairs cannot test {slopes.shape[1]} parameters.")
    spread = _spread(means, squares, weights, first, second)
    statistic = _statistic(number, seen - expected, spread, slopes)
    low, high = _rmsea_interval(statistic, df, number)
    tli, cfi = _against_independence(items, number, seen, first, second, statistic, df)
    return LimitedFit(
        m2=statistic,
        df=df,
        p=_upper_tail(statistic, df),
        rmsea=float(np.sqrt(max(statistic / df - 1, 0) / (number - 1))),
        rmsea_low=low,
        rmsea_high=high,
        srmsr=_srmsr(cross, points.mean(axis=0), means, squares, weights, first, second),
        tli=tli,
        cfi=cfi,
        students=number,
    )


def _means(items: Sequence[Parameters], nodes: Floats) -> tuple[Floats, Floats]:
    """Expected score and expected squared score of every item at every node, both (nodes, items)."""
    means, squares = np.empty((len(nodes), len(items))), np.empty((len(nodes), len(items)))
    for place, item in enumerate(items):
        means[:, place], squares[:, place] = _mean(item, nodes), _mean(item, nodes, 2)
    return means, squares


def _mean(item: Parameters, nodes: Floats, power: int = 1) -> Floats:
    chances = probabilities(item, nodes)
    return np.asarray((np.arange(len(chances))[:, np.newaxis] ** power * chances).sum(axis=0), dtype=np.float64)


def _moments(means: Floats, first: Indices, second: Indices) -> Floats:
    """Conditional moments (nodes, moments): items are independent given ability."""
    return np.concatenate([means, means[:, first] * means[:, second]], axis=1)


def _slopes(
    items: Sequence[Parameters],
    latent: Latent,
    nodes: Floats,
    means: Floats,
    weights: Floats,
    first: Indices,
    second: Indices,
) -> Floats:
    """Δ (moments, parameters), by central differences of the items' expected scores."""
    columns: list[Floats] = []
    common = np.zeros(len(items) + len(first))
    for place, item in enumerate(items):
        for free, below, above in _shifted(item):
            slope = (_mean(above, nodes) - _mean(below, nodes)) / (2 * STEP)
            column = np.zeros(len(items) + len(first))
            column[place] = weights @ slope
            for one, other in ((first, second), (second, first)):
                mine = np.flatnonzero(one == place)
                column[len(items) + mine] = (weights * slope) @ means[:, other[mine]]
            if free == "a" and item.model is Model.ONE_PL:
                common += column
            else:
                columns.append(column)
    if common.any():
        columns.append(common)
    if all(item.model in RASCH_FAMILY for item in items):
        spread = [np.exp(log_normal_weights(nodes, latent.mean, latent.sd + step)) for step in (-STEP, STEP)]
        columns.append((spread[1] - spread[0]) / (2 * STEP) @ _moments(means, first, second))
    return np.stack(columns, axis=1)


def _shifted(item: Parameters) -> list[tuple[str, Parameters, Parameters]]:
    """Every free parameter of an item with the item a step below and a step above."""
    made: list[tuple[str, Parameters, Parameters]] = []
    for k, b in enumerate(item.b):
        below, above = (replace(item, b=(*item.b[:k], b + step, *item.b[k + 1 :])) for step in (-STEP, STEP))
        made.append(("b", below, above))
    if item.model not in RASCH_FAMILY:
        made.append(("a", replace(item, a=item.a - STEP), replace(item, a=item.a + STEP)))
    if item.model is Model.THREE_PL:
        made.append(("c", replace(item, c=max(item.c - STEP, 0.0)), replace(item, c=item.c + STEP)))
    return made


def _spread(means: Floats, squares: Floats, weights: Floats, first: Indices, second: Indices) -> Floats:
    """Ξ: covariance of the moments. Where two moments share an item, E(x²|θ) stands in place of E(x|θ)²."""
    everything = _moments(means, first, second)
    members = [(place,) for place in range(means.shape[1])] + list(zip(first, second, strict=True))
    ratio = squares / np.maximum(means, 1e-300)
    spread = np.empty((len(members), len(members)))
    for row, shared in enumerate(members):
        others = means.copy()
        for place in shared:
            others[:, place] = ratio[:, place]
        spread[row] = (weights * everything[:, row]) @ _moments(others, first, second)
    expected = weights @ everything
    return np.asarray(spread - np.outer(expected, expected), dtype=np.float64)


def _statistic(number: int, misfit: Floats, spread: Floats, slopes: Floats) -> float:
    whole, _ = np.linalg.qr(slopes, mode="complete")
    complement = whole[:, slopes.shape[1] :]
    left = complement.T @ misfit
    return float(number * left @ np.linalg.solve(complement.T @ spread @ complement, left))


def _srmsr(
    cross: Floats, averages: Floats, means: Floats, squares: Floats, weights: Floats, first: Indices, second: Indices
) -> float:
    products = (means * weights[:, np.newaxis]).T @ means
    np.fill_diagonal(products, weights @ squares)
    model = weights @ means
    seen, expected = (
        _correlations(table - np.outer(mean, mean)) for table, mean in ((cross, averages), (products, model))
    )
    return float(np.sqrt(((seen - expected)[first, second] ** 2).mean()))


def _correlations(covariance: Floats) -> Floats:
    scale = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / np.outer(scale, scale), dtype=np.float64)


def _against_independence(
    items: Sequence[Parameters],
    number: int,
    seen: Floats,
    first: Indices,
    second: Indices,
    statistic: float,
    df: int,
) -> tuple[float | None, float | None]:
    """Tucker-Lewis and comparative fit index against items that have nothing in common."""
    if any(len(item.b) > 1 for item in items):
        return None, None
    means = seen[np.newaxis, : len(items)]
    weights = np.ones(1)
    slopes = np.zeros((len(seen), len(items)))
    slopes[: len(items)] = np.eye(len(items))
    pair = np.arange(len(first)) + len(items)
    slopes[pair, first], slopes[pair, second] = means[0, second], means[0, first]
    misfit = seen - _moments(means, first, second)[0]
    alone = _statistic(number, misfit, _spread(means, means, weights, first, second), slopes)
    free = len(first)
    tli = (alone / free - statistic / df) / (alone / free - 1)
    return float(tli), float(min(max(1 - (statistic - df) / (alone - free), 0), 1))


def _upper_tail(statistic: float, df: int) -> float:
    from scipy.special import chdtrc  # here, because a service that starts should not wait for SciPy

    return float(chdtrc(df, statistic))


def _rmsea_interval(statistic: float, df: int, number: int, level: float = 0.90) -> tuple[float, float]:
    """Noncentralities at which the statistic is the 95th and the 5th percentile, as RMSEA (Browne & Cudeck 1993)."""
    from scipy.special import chdtr, chndtrinc  # here, because a service that starts should not wait for SciPy

    tail = (1 - level) / 2
    ends = [
        float(chndtrinc(statistic, df, share)) if chdtr(df, statistic) > share else 0.0 for share in (1 - tail, tail)
    ]
    low, high = (float(np.sqrt(end / (df * (number - 1)))) for end in ends)
    return low, high
