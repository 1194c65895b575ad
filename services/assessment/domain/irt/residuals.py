"""Residuals: what students scored beyond what their ability lets expect, and what is left between pairs of items.

For item i and ability θ with category probabilities P_k, expected score E = Σ k P_k, variance W = Σ (k − E)² P_k and
fourth moment C = Σ (k − E)⁴ P_k (Wright & Masters 1982, *Rating Scale Analysis*, pp. 98–101). Abilities are expected a
posteriori unless given. Codes above 250 are responses that are not there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.irt.models import Floats, Parameters, information, log_probabilities
from services.assessment.domain.irt.quadrature import equally_spaced, log_normal_weights
from services.assessment.domain.irt.responses import HIGHEST_SCORE, Codes

Bools = NDArray[np.bool_]

BATCH = 4096
NODES, REACH = 61, 6.0
SMALLEST_VARIANCE = 1e-5**0.5
"""Variances below this count as this (as R mirt has it): one lucky guess on a hopeless item is not worth thousands."""


class ScoresDoNotFit(ValueError):
    """The scores and the parameters of the items do not belong together."""


@dataclass(frozen=True, slots=True)
class Residuals:
    """Of a batch of students, all (students, items): score − E, W, C, zero where `present` is False."""

    residual: Floats
    variance: Floats
    fourth: Floats
    present: Bools


@dataclass(frozen=True, slots=True)
class Latent:
    """The distribution of ability in the population, normal."""

    mean: float = 0.0
    sd: float = 1.0


def checked(codes: Codes, items: Sequence[Parameters], names: Sequence[str] | None = None) -> Codes:
    """The codes if every one is a score of its item or a missing response; else `ScoresDoNotFit` names the item."""
    if codes.ndim != 2 or codes.dtype != np.uint8:
        raise ScoresDoNotFit("The scores must be whole numbers 0 to 250 in a table of students and items.")
    if codes.shape[1] != len(items):
        raise ScoresDoNotFit(f"{codes.shape[1]} columns of scores, but parameters of {len(items)} items.")
    if not len(codes):
        raise ScoresDoNotFit("There are no students.")
    for place, item in enumerate(items):
        column = codes[:, place]
        beyond = (column > len(item.b)) & (column <= HIGHEST_SCORE)
        if beyond.any():
            name = names[place] if names is not None else f"item {place + 1}"
            student = int(np.argmax(beyond))
            raise ScoresDoNotFit(
                f"{name}: student {student + 1} has category {column[student]}, its parameters end at {len(item.b)}."
            )
    return codes


@dataclass(frozen=True, slots=True)
class Grid:
    """Where ability is integrated: nodes and their log-weights (nodes,), and each item's log-probabilities there.

    `tables` has a last row of zeros for a response that is not there: (m + 2, nodes) for each item.
    """

    nodes: Floats
    log_weights: Floats
    tables: tuple[Floats, ...]


def grid(items: Sequence[Parameters], latent: Latent) -> Grid:
    """61 nodes over mean ± 6 sd, more where a long test makes posteriors narrower than the way from node to node.

    With nodes no further apart than the least posterior standard deviation, sums of normal curves are exact to 1e-8.
    """
    nodes = equally_spaced(NODES, latent.mean, latent.sd)
    sharpest = np.sum([information(item, nodes) for item in items], axis=0).max() + latent.sd**-2
    needed = 2 * int(np.ceil(REACH * latent.sd * np.sqrt(sharpest))) + 1
    if needed > NODES:
        nodes = equally_spaced(needed, latent.mean, latent.sd)
    tables = tuple(np.concatenate([log_probabilities(item, nodes), np.zeros((1, len(nodes)))]) for item in items)
    return Grid(nodes, log_normal_weights(nodes, latent.mean, latent.sd), tables)


def eap(codes: Codes, over: Grid) -> Floats:
    """Expected a posteriori abilities (students,); the prior mean for empty rows."""
    logs = np.broadcast_to(over.log_weights, (len(codes), len(over.nodes))).copy()
    for place, table in enumerate(over.tables):
        logs += table[np.minimum(codes[:, place], len(table) - 1)]
    logs -= logs.max(axis=1, keepdims=True)
    weights = np.exp(logs)
    return np.asarray(weights @ over.nodes / weights.sum(axis=1), dtype=np.float64)


def residuals(codes: Codes, items: Sequence[Parameters], theta: Floats) -> Residuals:
    """Residuals of every student at their ability `theta` (students,)."""
    present = codes <= HIGHEST_SCORE
    expected, variance, fourth = (np.zeros(codes.shape) for _ in range(3))
    for place, item in enumerate(items):
        chances = np.exp(log_probabilities(item, theta))
        scores = np.arange(len(chances), dtype=np.float64)[:, np.newaxis]
        expected[:, place] = (scores * chances).sum(axis=0)
        squares = (scores - expected[:, place]) ** 2
        variance[:, place] = (squares * chances).sum(axis=0)
        fourth[:, place] = (squares * squares * chances).sum(axis=0)
    return Residuals(
        residual=np.where(present, codes - expected, 0.0),
        variance=np.where(present, np.maximum(variance, SMALLEST_VARIANCE), 0.0),
        fourth=np.where(present, fourth, 0.0),
        present=present,
    )


def batches(
    codes: Codes, items: Sequence[Parameters], latent: Latent, theta: Floats | None
) -> Iterator[tuple[slice, Floats, Residuals]]:
    """Residuals a few thousand students at a time, so that memory does not grow with students."""
    if theta is not None and (theta.shape != (len(codes),) or not np.isfinite(theta).all()):
        raise ScoresDoNotFit(f"Abilities must be {len(codes)} finite numbers, one for each student.")
    over = grid(items, latent) if theta is None else None
    for start in range(0, len(codes), BATCH):
        part = slice(start, min(start + BATCH, len(codes)))
        ability = eap(codes[part], over) if over is not None else np.asarray(theta)[part]
        yield part, ability, residuals(codes[part], items, ability)


def q3(
    codes: Codes,
    items: Sequence[Parameters],
    *,
    latent: Latent | None = None,
    theta: Floats | None = None,
    names: Sequence[str] | None = None,
) -> Floats:
    """Yen's (1984) Q3, the correlation of two items' residuals over the students who answered both; (items, items).

    Under local independence it is near −1/(items − 1). NaN for pairs that fewer than three students answered, or
    where a residual does not vary.
    """
    codes = checked(codes, items, names)
    width = len(items)
    number, cross, first, second = (np.zeros((width, width)) for _ in range(4))
    for _, _, found in batches(codes, items, latent or Latent(), theta):
        here = found.present.astype(np.float64)
        number += here.T @ here
        cross += found.residual.T @ found.residual
        first += found.residual.T @ here
        second += (found.residual**2).T @ here
    with np.errstate(divide="ignore", invalid="ignore"):
        covariance = cross / number - first * first.T / number**2
        variance = second / number - (first / number) ** 2
        correlation = covariance / np.sqrt(variance * variance.T)
    correlation[number < 3] = np.nan
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(correlation, dtype=np.float64)
