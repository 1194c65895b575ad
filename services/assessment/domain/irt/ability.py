"""What ability a pattern of scores speaks for.

Abilities are in logits (D = 1). The prior is the standard normal on 61 equally spaced nodes from −6 to 6, each node's
weight proportional to the density, so the estimates are the expected a posteriori of Bock & Mislevy (1982,
"Adaptive EAP estimation of ability in a microcomputer environment", Applied Psychological Measurement 6, 431–444).

Everything is elementwise or a sum along one student's row: a student's estimate has the same bits whoever else
is in the batch. Nothing here calls BLAS, whose sums depend on the shape.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from services.assessment.domain.irt.models import Floats, Parameters, log_probabilities
from services.assessment.domain.irt.quadrature import log_normal_weights
from services.assessment.domain.irt.responses import NOT_PRESENTED, NOT_REACHED, OMITTED, Codes

ENGINE_VERSION = "eap-1:61n6"
BATCH = 512  # students at a time: 512 × 61 float64 stay in the second-level cache

NODES: Floats = np.arange(-30, 31, dtype=np.float64) / 5
"""Where the posterior is evaluated, shape (61,), logits."""


LOG_PRIOR: Floats = log_normal_weights(NODES)
"""Log of the nodes' prior weights, shape (61,); the weights sum to 1."""


@lru_cache(maxsize=8192)
def _rows(parameters: Parameters) -> tuple[Codes, Floats]:
    """Where each byte of a score column finds its row, shape (256,), and the rows of log-probabilities (m + 2, 61).

    Omitted counts as score 0; not reached and not presented find the last row, which is zero and adds nothing.
    """
    table = log_probabilities(parameters, NODES)
    row = np.full(256, len(table), dtype=np.uint8)
    row[: len(table)] = np.arange(len(table))
    row[OMITTED] = 0
    return row, np.concatenate([table, np.zeros((1, table.shape[1]))])


def log_likelihood(scores: Codes, items: Sequence[Parameters | None]) -> Floats:
    """Log-likelihood of every student's scores at the nodes; scores (students, items) → (students, 61)."""
    total = np.zeros((len(scores), len(NODES)))
    found = np.empty_like(total)
    for position, parameters in enumerate(items):
        if parameters is not None:
            row, rows = _rows(parameters)
            # Into a place of its own and without a check of the rows, which are all there: half the time.
            np.take(rows, row[scores[:, position]], axis=0, out=found, mode="clip")
            total += found
    return total


def abilities(scores: Codes, items: Sequence[Parameters | None]) -> tuple[Floats, Floats]:
    """EAP ability θ̂ = Σ θ p and standard error sqrt Σ (θ − θ̂)² p of every student, both (students,), in logits.

    `scores` is (students, items): 0..250 the score, 253 not reached, 254 omitted, 255 not presented.
    Students without a single usable response get NaN in both.
    """
    theta, error = np.empty(len(scores)), np.empty(len(scores))
    for start in range(0, len(scores), BATCH):
        part = slice(start, start + BATCH)
        theta[part], error[part] = _posterior(log_likelihood(scores[part], items))
    calibrated = np.array([parameters is not None for parameters in items], dtype=bool)
    used = (scores[:, calibrated] != NOT_REACHED) & (scores[:, calibrated] != NOT_PRESENTED)
    silent = ~used.any(axis=1)
    theta[silent] = np.nan
    error[silent] = np.nan
    return theta, error


def _posterior(log_likelihoods: Floats) -> tuple[Floats, Floats]:
    logs = log_likelihoods + LOG_PRIOR
    logs -= logs.max(axis=1, keepdims=True)
    weights = np.exp(logs)
    weights /= weights.sum(axis=1, keepdims=True)
    theta = (weights * NODES).sum(axis=1)
    away = NODES - theta[:, np.newaxis]
    return theta, np.sqrt((weights * away * away).sum(axis=1))
