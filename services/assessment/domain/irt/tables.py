"""What the kernels look up, log-probabilities of items and priors of groups at the nodes, and what they answer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.irt.models import Floats, Parameters, log_probabilities
from services.assessment.domain.irt.packing import Layout, Packed, PackingMismatch

Groups = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """Items and priors at Q nodes.

    `nodes` (Q,) logits; `logs` (sum of categories, Q) the log-probability of each item's scores, item after item;
    `categories` says how many rows each item has; `log_prior` (groups, Q) the log of each group's weights.
    """

    nodes: Floats
    logs: Floats
    categories: tuple[int, ...]
    log_prior: Floats
    known: dict[Layout, list[Floats]] = field(default_factory=dict, repr=False)
    """Patterns that were asked for already; they go when the tables go."""

    def check(self, layout: Layout) -> None:
        """Raise PackingMismatch when responses packed in this layout are not to these items."""
        if layout.categories != self.categories:
            raise PackingMismatch("the responses were packed for items with other scores than these")


def tables(items: Sequence[Parameters], nodes: Floats, log_prior: Floats) -> Tables:
    """The tables of these items; log_prior (groups, Q), or (Q,) for a single group."""
    rows = [log_probabilities(item, nodes) for item in items]
    logs = np.concatenate(rows) if rows else np.zeros((0, len(nodes)))
    return Tables(nodes, logs, tuple(len(each) for each in rows), np.atleast_2d(log_prior))


def patterns(table: Tables, layout: Layout) -> list[Floats]:
    """Log-likelihood of every value of every byte: for each byte an array (patterns, Q).

    Rows add up item after item, first to last; not presented adds nothing.
    """
    if layout in table.known:
        return table.known[layout]
    table.check(layout)
    nothing = np.zeros((1, len(table.nodes)))
    found: list[Floats] = []
    for first, end in layout.groups:
        total = nothing
        for item in range(first, end):
            own = table.logs[layout.offsets[item] : layout.offsets[item + 1]]
            digits = np.concatenate([own, nothing]) if layout.missing else own
            total = (total[:, np.newaxis, :] + digits[np.newaxis, :, :]).reshape(-1, len(table.nodes))
        found.append(total)
    table.known[layout] = found
    return found


@dataclass(frozen=True, slots=True)
class Moments:
    """Posterior of every student: mean and standard deviation in logits, log marginal likelihood; all (students,).

    `edge` is the weight, of 1, at the first or the last node, whichever is larger: how much the nodes cut off.
    """

    mean: Floats
    sd: Floats
    log_marginal: Floats
    edge: Floats


@dataclass(frozen=True, slots=True)
class Expected:
    """The E-step: log-likelihood, expected counts (sum of categories, Q), mass of the groups (groups, Q)."""

    log_likelihood: float
    counts: Floats
    mass: Floats


def group_of(groups: Groups | None, packed: Packed, table: Tables) -> NDArray[np.int64]:
    """Every student's group, shape (students,); the first one when none are named. Errors: PackingMismatch."""
    if groups is None:
        return np.zeros(packed.students, dtype=np.int64)
    if len(groups) != packed.students:
        raise PackingMismatch(f"{packed.students} students, but groups of {len(groups)}")
    if len(groups) and not (groups.min() >= 0 and groups.max() < len(table.log_prior)):
        raise PackingMismatch(f"a student is in group {int(groups.max())}, but there are {len(table.log_prior)} priors")
    return groups.astype(np.int64)
