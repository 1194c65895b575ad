"""Districts that do not exist, with learners, and what becomes of them from one snapshot to the next."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.mastery.domain.organisations import Ints, Organisation, Tree, tree_of
from services.mastery.domain.suppression import Before, Bools, Withheld, suppress

THRESHOLD = 10


@dataclass(frozen=True)
class Counts:
    """Learners, and those in need, of every place and all below it; shapes (places, competencies)."""

    learners: Ints
    in_need: Ints

    @classmethod
    def of(cls, tree: Tree, own: Ints, own_in_need: Ints) -> "Counts":
        learners, in_need = tree.totals(own.astype(np.float64)), tree.totals(own_in_need.astype(np.float64))
        return cls(learners.astype(np.int64), in_need.astype(np.int64))


def a_tree(parents: Sequence[int]) -> Tree:
    """School after school, each with the number of its parent; the parents belong to one district."""
    organisations = [Organisation(b"", None, is_school=False)]
    organisations += [Organisation(b"p%03d" % one, b"", is_school=False) for one in sorted(set(parents))]
    organisations += [Organisation(b"s%04d" % n, b"p%03d" % one, is_school=True) for n, one in enumerate(parents)]
    return tree_of(organisations)


def at_schools(tree: Tree, counts: Ints) -> Ints:
    """Counts (schools, competencies) put where the schools are in the tree."""
    own = np.zeros((len(tree), counts.shape[1]), dtype=np.int64)
    places = [tree.place_of[b"s%04d" % number] for number in range(len(counts))]
    own[places] = counts
    return own


def a_district(seed: int, *, schools: int, parents: int, competencies: int) -> tuple[Tree, Ints, Ints]:
    """Schools of very different sizes, some too small to be shown; the learners of each and how many are in need."""
    random = np.random.default_rng(seed)
    tree = a_tree(random.integers(parents, size=schools).tolist())
    sizes = np.exp(random.normal(np.log(25), 0.9, (schools, 1)))
    learners = random.poisson(sizes, (schools, competencies))
    in_need = random.binomial(learners, random.beta(0.6, 2, (schools, competencies)))
    return tree, at_schools(tree, learners), at_schools(tree, in_need)


def later(seed: int, own: Ints, own_in_need: Ints, *, share: float) -> tuple[Ints, Ints]:
    """The same schools when this share of their counts has changed by a few learners, in whom the need is another."""
    random = np.random.default_rng(seed)
    changes = (random.random(own.shape) < share) & (own > 0)
    learners = np.where(changes, np.maximum(0, own + random.integers(-4, 5, own.shape)), own)
    in_need = np.where(learners != own, random.binomial(learners, 0.3), own_in_need)
    return learners, in_need


def hidden_in(
    tree: Tree, counts: Counts, before: list[Before] | None = None, *, threshold: int = THRESHOLD
) -> tuple[Bools, list[Before]]:
    """What is hidden, and what the next snapshot knows of it."""
    hidden, withheld = suppress(tree, counts.learners, counts.in_need, threshold, before)
    return hidden, [_said(counts, hidden, withheld, number) for number in range(counts.learners.shape[1])]


def _said(counts: Counts, hidden: Bools, withheld: list[list[Withheld]], number: int) -> Before:
    return Before(np.where(hidden[:, number], -1, counts.learners[:, number]), tuple(withheld[number]))
