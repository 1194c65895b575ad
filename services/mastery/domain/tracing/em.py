"""Baum-Welch over the forest: from a start to the maximum, all skills side by side, with squared steps.

An EM iteration is a map of the parameters onto better ones; SQUAREM (Varadhan & Roland 2008) takes two of them, squares
the step they point to, and goes back to the second where the squared step was none. A skill that no longer moves is
left out of what follows.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from services.mastery.domain.tracing.counts import Counts
from services.mastery.domain.tracing.forest import Forest
from services.mastery.domain.tracing.kernel import Expected
from services.mastery.domain.tracing.model import Design, Model, bounded
from services.mastery.domain.tracing.mstep import maximised, shared
from services.mastery.domain.tracing.skill import Floats, Ints

SHORT_RUN = 15
"""Iterations each start gets before the likeliest goes on alone (short runs; Biernacki, Celeux & Govaert 2003)."""

SHARED_RUN = 40
"""Iterations in which what all skills share moves with the rest."""

MOST_CYCLES = 200
TOLERANCE = 1e-5
"""A skill stands still when an iteration changes none of its probabilities by more than this."""

_LONGEST = 12.0


@dataclass(frozen=True, slots=True)
class Search:
    """What a search for the maximum keeps to: the data, the kernel, where small samples are drawn to, who hears."""

    forest: Forest
    design: Design
    expected: Expected
    centre: Floats
    strength: Floats
    heard: Callable[[str, int, int], None]

    def counts(self, model: Model, active: Ints) -> Counts:
        return self.expected(self.forest, model.tables(self.design, self.forest.gaps), active)

    def better(self, model: Model, counts: Counts) -> Model:
        return maximised(model, counts, self.design, self.forest.starting, self.centre, self.strength)

    def gap_counts(self, active: Ints) -> Floats:
        rows = np.concatenate([np.empty(0, np.int64), *(np.arange(*self.forest.bounds[s : s + 2]) for s in active)])
        later = rows[self.forest.parent[rows] >= 0]
        return np.bincount(self.forest.gap[later], self.forest.passing[later], minlength=self.forest.gaps).astype(
            np.float64
        )

    def log_prior(self, values: Floats) -> Floats:
        """What the draw towards the centre adds to a log-likelihood, (skills, starts)."""
        centre, strength = (one[:, np.newaxis, np.newaxis] for one in (self.centre, self.strength))
        return np.asarray((strength * (centre * np.log(values) + (1 - centre) * np.log1p(-values))).sum(axis=0))


def short_runs(search: Search, model: Model, active: Ints) -> Model:
    """The likeliest of several starts of each skill after a few iterations."""
    for done in range(SHORT_RUN):
        search.heard("starts", done, SHORT_RUN)
        model = search.better(model, search.counts(model, active))
    likely = search.counts(model, active).log_likelihood + search.log_prior(model.values)
    return model.start(np.argmax(likely, axis=1))


def shared_run(search: Search, model: Model, active: Ints, free: Floats) -> tuple[Model, float]:
    """Everything moves together, the `free` coefficients and the decay too; the log-likelihood of what came out."""
    gap_counts = search.gap_counts(active)
    for done in range(SHARED_RUN):
        search.heard("difficulty", done, SHARED_RUN)
        counts = search.counts(model, active)
        together = shared(model, counts, search.design, gap_counts, free)
        model = search.better(model, counts).with_shared(together)
    return model, float(search.counts(model, active).log_likelihood.sum())


def converged(search: Search, model: Model, active: Ints) -> tuple[Model, NDArray[np.bool_]]:
    """Each active skill at its maximum, what is shared held; and which of the skills stand still (skills,).

    `model` has one start.
    """
    skills = model.values.shape[1]
    still = np.zeros(skills, dtype=np.bool_)
    best, once, floor = model.values.copy(), model.values, np.full((skills, 1), -np.inf)
    going, tried = active, model.values
    for _ in range(MOST_CYCLES):
        search.heard("maximum", len(active) - len(going), len(active))
        counts = search.counts(model.with_values(tried), going)
        rose = counts.log_likelihood + search.log_prior(tried) >= floor
        start = np.where(rose, tried, once)  # where the square was no step up, the two steps before go on
        once = np.where(rose, search.better(model.with_values(tried), counts).values, best)
        counts = search.counts(model.with_values(once), going)
        floor = counts.log_likelihood + search.log_prior(once)
        twice = search.better(model.with_values(once), counts).values
        best[:, going] = twice[:, going]
        moved = np.abs(twice - once).max(axis=(0, 2))
        still[going] = moved[going] < TOLERANCE
        going = going[~still[going]]
        if not len(going):
            break
        tried = _squared(start, once, twice)
    return model.with_values(best), still


def to_logits(values: Floats) -> Floats:
    """Probabilities (5, …) as logits, guess and slip as those of their doubles."""
    scaled = values.copy()
    scaled[3:] = np.minimum(2 * scaled[3:], 1 - 1e-9)
    return np.asarray(np.log(scaled) - np.log1p(-scaled))


def from_logits(logits: Floats) -> Floats:
    values = 1 / (1 + np.exp(-logits))
    values[3:] /= 2
    return np.asarray(values)


def _squared(start: Floats, once: Floats, twice: Floats) -> Floats:
    """Where two iterations of each skill point to."""
    zero, one, two = (to_logits(values) for values in (start, once, twice))
    first, second = one - zero, two - 2 * one + zero
    length = np.sqrt((first**2).sum(axis=0) / np.maximum((second**2).sum(axis=0), 1e-30))
    length = np.clip(length, 1.0, _LONGEST)
    return bounded(from_logits(zero + 2 * length * first + length**2 * second))


def pooled(counts: Counts) -> Counts:
    """The counts of all skills as those of one."""
    return Counts(*(getattr(counts, field.name).sum(axis=0, keepdims=True) for field in fields(Counts)))
