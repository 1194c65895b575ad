"""Invented responses with known parameters, the published files, and a slow likelihood to check against."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.assessment.domain.irt import NOT_PRESENTED, Codes, Model, Parameters, Responses, Sparse
from services.assessment.domain.irt.calibration import Free
from services.assessment.domain.irt.models import Floats, log_probabilities, probabilities
from services.assessment.domain.irt.quadrature import equally_spaced, log_normal_weights

SHARED = Path(__file__).parents[6] / "shared" / "data"
needs_shared = pytest.mark.skipif(
    not (SHARED / "golden").exists(), reason="the published files are not beside the project"
)

MIXED = (
    Parameters(Model.TWO_PL, (-0.5,), 1.2),
    Parameters(Model.GRM, (-1.0, 0.2, 1.1), 1.5),
    Parameters(Model.GPCM, (0.4, -0.3), 0.8),
    Parameters(Model.TWO_PL, (0.7,), -0.9),
    Parameters(Model.GRM, (0.8, -0.6), -1.1),
    Parameters(Model.TWO_PL, (0.2,), 1.6),
)


def answers(items: Sequence[Parameters], theta: Floats, random: np.random.Generator) -> Codes:
    """A response of every ability to every item, (students, items)."""
    made = np.empty((len(theta), len(items)), dtype=np.uint8)
    for at, item in enumerate(items):
        below = np.cumsum(probabilities(item, theta), axis=0)[:-1]
        made[:, at] = (random.random(len(theta)) > below).sum(axis=0)
    return made


def two_parameter_items(count: int, random: np.random.Generator) -> tuple[Parameters, ...]:
    """Items as they are common: slopes about 1, thresholds about 0."""
    slopes, thresholds = random.lognormal(0.0, 0.25, count), random.normal(0.0, 0.9, count)
    return tuple(Parameters(Model.TWO_PL, (float(b),), float(a)) for a, b in zip(slopes, thresholds, strict=True))


def models(items: Sequence[Parameters]) -> list[Model]:
    return [item.model for item in items]


def categories(items: Sequence[Parameters]) -> list[int]:
    return [item.categories for item in items]


def sparse(codes: Codes) -> Sparse:
    """The same responses as lists of entries."""
    present = codes != NOT_PRESENTED
    bounds = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int64)
    return Sparse(bounds, np.nonzero(present)[1].astype(np.int32), codes[present], codes.shape[1])


def slow_log_likelihood(
    codes: Codes, items: Sequence[Parameters], group: Sequence[int], latent: Sequence[tuple[float, float]]
) -> float:
    """The marginal log-likelihood as the textbook has it: a sum over students of the log of a sum over 241 nodes."""
    theta = equally_spaced(241, reach=8.0)
    weights = np.stack([log_normal_weights(theta, mean, sd) for mean, sd in latent])
    logs = weights[np.asarray(group)]
    for item, scores in zip(items, codes.T, strict=True):
        table = log_probabilities(item, theta)
        present = scores != NOT_PRESENTED
        logs[present] += table[scores[present]]
    return float(np.logaddexp.reduce(logs, axis=1).sum())


def moved(
    items: Sequence[Parameters], latent: Sequence[tuple[float, float]], free: Free, by: float
) -> tuple[list[Parameters], list[tuple[float, float]]]:
    """The same parameters, one of them moved."""
    made, abilities = list(items), list(latent)
    if free.group is not None:
        mean, sd = abilities[free.group]
        abilities[free.group] = (mean + by, sd) if free.name == "mean" else (mean, sd + by)
        return made, abilities
    for at, item in enumerate(items):
        if free.item == at or (free.item is None and item.model is Model.ONE_PL):
            a, b, c = item.a, list(item.b), item.c
            match free.name:
                case "a":
                    a += by
                case "c":
                    c += by
                case "b":
                    b[0] += by
                case step:
                    b[int(step[1:]) - 1] += by
            made[at] = Parameters(item.model, tuple(b), a, c)
    return made, abilities


def wide(name: str) -> tuple[list[str], Floats]:
    """A published file of responses: names and numbers, NaN where nothing stands."""
    with (SHARED / "irt" / name).open(encoding="utf-8") as lines:
        header, *rows = csv.reader(lines)
    return header, np.array([[np.nan if cell in ("", "NA") else float(cell) for cell in row] for row in rows])


def golden(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SHARED / "golden" / f"{name}.json").read_text(encoding="utf-8"))
    return found


def codes_of(numbers: Floats) -> Codes:
    return np.where(np.isnan(numbers), NOT_PRESENTED, numbers).astype(np.uint8)


def lsat6() -> Responses:
    """LSAT6, 1,000 students: every pattern as often as it occurred."""
    _, numbers = wide("LSAT6_patterns_freq.csv")
    return Responses(codes_of(np.repeat(numbers[:, :5], numbers[:, 5].astype(int), axis=0)))
