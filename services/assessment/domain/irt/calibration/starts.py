"""Where the search begins: slopes from how items go together, intercepts from how often each score occurs.

The first principal component of the item scores, by power iteration over some thousand students, gives every item a
loading λ; with a normal ability a ≈ 1.7 λ/√(1 − λ²) (Lord & Novick 1968, 16.10). Items that run against the others
begin with a negative slope.
"""

import numpy as np

from services.assessment.domain.irt.calibration.families import Family
from services.assessment.domain.irt.calibration.mstep import Priors
from services.assessment.domain.irt.calibration.unknowns import Block, Unknowns
from services.assessment.domain.irt.models import Floats
from services.assessment.domain.irt.responses import NOT_PRESENTED, Indices, Responses, Sparse

SAMPLE, SAMPLE_PER_ITEM = 100_000, 300
"""How many responses, of students evenly spread over the rows, the loadings are computed from, at least."""
TURNS = 8
AGAINST = -0.1
"""A loading below this begins with a negative slope."""


def starting_values(unknowns: Unknowns, responses: Responses | Sparse, totals: Floats, priors: Priors) -> Floats:
    """Values to begin with, (V,); totals (sum of categories,) says how many students got each score."""
    values = unknowns.start.copy()
    found = loadings(responses, totals, unknowns.categories)
    for block in unknowns.blocks:
        if block.estimated:
            x = values[block.where]
            values[block.where] = np.where(block.free, _begin(block, totals[block.rows], found, priors, x), x)
    return values


def loadings(responses: Responses | Sparse, totals: Floats, categories: tuple[int, ...]) -> Floats:
    """Correlation of each item with the first principal component of a sample, (items,)."""
    students, items, scores = _sample(responses)
    width = responses.width
    ends = np.concatenate([[0], np.cumsum(categories)])
    means, sds = np.zeros(width), np.ones(width)
    for item in range(width):
        share = totals[ends[item] : ends[item + 1]]
        if share.sum() > 0:
            share = share / share.sum()
            points = np.arange(len(share))
            means[item] = (share * points).sum()
            sds[item] = max(float(np.sqrt((share * (points - means[item]) ** 2).sum())), 1e-6)
    z = (scores - means[items]) / sds[items]
    count = np.maximum(np.bincount(items, minlength=width), 1)
    per_student = np.maximum(np.bincount(students), 1)
    weights = np.ones(width)
    for _ in range(TURNS):
        theta = np.bincount(students, z * weights[items], minlength=len(per_student)) / per_student
        theta /= max(float(theta.std()), 1e-9)
        weights = np.bincount(items, z * theta[students], minlength=width) / count
        if weights.sum() < 0:
            weights = -weights
    return np.clip(weights, -0.95, 0.95)


def _sample(responses: Responses | Sparse) -> tuple[Indices, Indices, Floats]:
    """Student, item and score of the responses of some students."""
    enough = max(SAMPLE, SAMPLE_PER_ITEM * responses.width)
    if isinstance(responses, Responses):
        every = max(1, responses.students * responses.width // enough)
        codes = responses.codes[::every]
        students, items = np.nonzero(codes != NOT_PRESENTED)
        return students, items, codes[students, items].astype(np.float64)
    lengths = np.diff(responses.bounds)
    students = np.repeat(np.arange(responses.students), lengths)
    every = max(1, len(responses.items) // enough)
    kept = (responses.scores != NOT_PRESENTED) & (students % every == 0)
    return students[kept] // every, responses.items[kept].astype(np.int64), responses.scores[kept].astype(np.float64)


def _begin(block: Block, totals: Floats, found: Floats, priors: Priors, x: Floats) -> Floats:
    """Starting parameters of a block's items, (n, p)."""
    loading = found[block.items]
    slopes = np.clip(1.7 * np.abs(loading) / np.sqrt(1 - loading * loading), 0.4, 2.0)
    if block.steps > 1 and block.family is Family.CREDIT:
        slopes = slopes / np.sqrt(block.steps)  # a score of several steps separates more by the same slope
    slopes = np.where(loading < AGAINST, -slopes, slopes)
    if "a" in priors and priors["a"].log(np.array([-1.0]))[0] == -np.inf:
        slopes = np.abs(slopes)
    if block.common:
        slopes[:] = np.abs(slopes).mean()
    made = x.copy()
    made[:, 0] = np.where(block.free[:, 0], slopes, x[:, 0])
    spread = np.sqrt(1 + made[:, :1] ** 2 / 2.9)
    share = (totals + 0.5) / (totals + 0.5).sum(axis=1, keepdims=True)
    if block.family is Family.GUESSING:
        c = priors["c"].start if "c" in priors else 0.15
        right = np.clip((share[:, 1:] - c) / (1 - c), 0.03, 0.97)
        made[:, 1:2] = np.log(right / (1 - right)) * spread
        made[:, 2] = np.clip(c, 0.01, 0.5)
    elif block.family is Family.GRADED:
        reached = np.cumsum(share[:, :0:-1], axis=1)[:, ::-1]
        made[:, 1:] = np.log(reached / (1 - reached)) * spread
    else:
        made[:, 1:] = np.log(share[:, 1:] / share[:, :-1]) * spread
    return made
