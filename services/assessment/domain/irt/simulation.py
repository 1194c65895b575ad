"""Adaptive tests of students whose abilities are known: what rules and a bank are worth before anyone is tested.

Students are examined in batches. Without a limit on exposure the batches change nothing but the memory in use. With a
limit an item is eligible for a student with a probability that is set anew before each batch (van der Linden &
Veldkamp 2004): what the limit still allows by the end of the batch, less three standard deviations of a batch's own
chance, divided by the uses to be expected of an item that is eligible. So the rate of every item stays under the limit
not only on average. Batches begin with 16 students and grow with what is known, to 512 at most.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.irt import adaptive_plain, kernels
from services.assessment.domain.irt.adaptive import Given, Pool, Rules, prepare
from services.assessment.domain.irt.models import Floats, Parameters

BATCH = 4096
SMALLEST, LARGEST = 16, 512
MARGIN = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """What came of it, student by student.

    `theta`, `se` (students,) in logits; `items` (students, longest) the places in the bank of the items given, in their
    order, −1 after the last; `scores` likewise, 255 after the last; `length` (students,); `stop` (students,) a `Stop`;
    `level` (students,) how many cuts the student is above; `exposure` (items,) the part of students that saw each item.
    """

    theta: Floats
    se: Floats
    items: NDArray[np.int32]
    scores: NDArray[np.uint8]
    length: NDArray[np.int32]
    stop: NDArray[np.uint8]
    level: NDArray[np.int64]
    exposure: Floats


def simulate(
    bank: Sequence[Parameters],
    true_theta: Floats,
    rules: Rules,
    rng: np.random.Generator,
    kernel: kernels.Name = "numpy",
) -> Simulated:
    """Give every student of these abilities (students,) an adaptive test from the bank.

    The same bank, abilities, rules and generator give the same tests, with either kernel. Raises BadBank, BadRules,
    and ValueError for an ability that is not finite.
    """
    if not np.isfinite(true_theta).all():
        raise ValueError(f"student {int(np.flatnonzero(~np.isfinite(true_theta))[0])}: the ability is not finite")
    pool = prepare(bank, rules)
    administer = _administer(kernel)
    students = len(true_theta)
    tries = _Eligibility(pool.items, rules.exposure) if rules.exposure is not None and rules.exposure < 1 else None
    parts: list[Given] = []
    start = 0
    while start < students or not parts:
        batch = min(students - start, BATCH if tries is None else min(max(start // 4, SMALLEST), LARGEST))
        draws = rng.random((batch, pool.longest))
        eligible = tries.draw(batch, rng) if tries else None
        part = administer(pool, true_theta[start : start + batch], draws, eligible)
        if tries and eligible is not None:
            tries.learn(eligible, part.items)
        parts.append(part)
        start += batch
    return _joined(pool, parts)


def _administer(kernel: kernels.Name) -> Callable[[Pool, Floats, Floats, NDArray[np.bool_] | None], Given]:
    if kernel == "compiled":
        from services.assessment.domain.irt import (
            adaptive_compiled,
        )  # here only: numba is 100 MB that few processes need

        return adaptive_compiled.administer
    return adaptive_plain.administer


class _Eligibility:
    """How often every item was eligible and given so far, and with what probability it is eligible next."""

    def __init__(self, items: int, limit: float) -> None:
        self.limit = limit
        self.students = 0
        self.eligible = np.zeros(items)
        self.given = np.zeros(items)

    def draw(self, batch: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        """Which items each of the next students may see, (batch, items)."""
        chance = MARGIN * np.sqrt(batch * self.limit * (1 - self.limit))
        left = np.maximum(self.limit * (self.students + batch) - chance - self.given, 0.0)
        use = (self.given + 1) / (self.eligible + 1)  # an item not yet tried is taken for one that is always used
        return np.asarray(rng.random((batch, len(self.given))) < left / (batch * use), dtype=bool)

    def learn(self, eligible: NDArray[np.bool_], items: NDArray[np.int32]) -> None:
        """Count what a batch used."""
        self.students += len(eligible)
        self.eligible += eligible.sum(axis=0)
        self.given += np.bincount(items[items >= 0], minlength=len(self.given))


def _joined(pool: Pool, parts: Sequence[Given]) -> Simulated:
    items = np.concatenate([part.items for part in parts])
    scores = np.concatenate([part.scores for part in parts])
    theta = np.concatenate([part.theta for part in parts])
    seen = np.bincount(items[items >= 0], minlength=pool.items)
    return Simulated(
        theta=theta,
        se=np.concatenate([part.se for part in parts]),
        items=items,
        scores=scores,
        length=np.concatenate([part.length for part in parts]),
        stop=np.concatenate([part.stop for part in parts]),
        level=_levels(pool, theta, items, scores),
        exposure=seen / max(len(items), 1),
    )


def _levels(pool: Pool, theta: Floats, items: NDArray[np.int32], scores: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Cuts that each student is above: by the sign of the likelihood ratio under `sprt`, else by the ability."""
    if pool.rules.decide == "interval":
        return np.searchsorted(pool.cuts, theta, side="right")
    rows = np.where(items >= 0, pool.first[items] + scores, 0)
    sums = np.where(items >= 0, pool.ratios[:, rows], 0.0).sum(axis=2)
    return np.asarray((sums > 0).sum(axis=0), dtype=np.int64)
