"""Somebody who knows everything published, and a solver: what can be computed of what is hidden?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import highspy
import numpy as np

from services.mastery.domain.figures import in_need_between, need_shown
from services.mastery.domain.organisations import Ints, Tree
from services.mastery.domain.suppression import Bools

_MOST = 100_000
"""More learners than any district here has: what nothing bounds ends there."""


@dataclass(frozen=True)
class Page:
    """What is published of one competency in one snapshot: learners and the share in need by place, -1 hidden."""

    learners: Ints
    need: list[float]

    @classmethod
    def of(cls, learners: Ints, in_need: Ints, hidden: Bools) -> "Page":
        shown = need_shown(in_need, learners)
        return cls(np.where(hidden, -1, learners), np.where(hidden, np.nan, shown).tolist())

    def between(self, place: int) -> tuple[int, int]:
        """The numbers in need that the published share allows."""
        learners = int(self.learners[place])
        if learners == 0:
            return 0, 0
        return in_need_between(self.need[place], learners)


class Attacker:
    """A linear program with a variable for every count of every page, hidden or not.

    Known are the pages, the tree, that a hidden group has a learner at least, that no more are in need than there are
    learners; and `same`, pairs of pages with the places whose counts (and numbers in need) did not change between them.
    """

    def __init__(
        self,
        tree: Tree,
        pages: Sequence[Page],
        same: Sequence[tuple[int, int, Sequence[int], Sequence[int]]] = (),
    ) -> None:
        self._tree, self._pages = tree, pages
        self._solver = highspy.Highs()  # type: ignore[no-untyped-call]  # the solver's stubs leave it untyped
        self._solver.setOptionValue("output_flag", False)
        self._solver.setOptionValue("presolve", "off")
        self._solver.setOptionValue("threads", 1)
        for page in pages:
            self._variables(page)
        for number in range(len(pages)):
            self._sums(number)
        for one, other, counts, needs in same:
            for places, at in ((counts, self.learners), (needs, self.in_need)):
                for place in places:
                    self._row(0, 0, [at(one, place), at(other, place)], [1, -1])
        self._solver.changeObjectiveSense(highspy.ObjSense.kMinimize)

    def learners(self, page: int, place: int) -> int:
        """The variable that counts them."""
        return (page * len(self._tree) + place) * 2

    def in_need(self, page: int, place: int) -> int:
        return self.learners(page, place) + 1

    def between(self, variable: int) -> tuple[float, float]:
        """The least and the most it can be."""
        return self._extreme(variable, 1), -self._extreme(variable, -1)

    def hidden(self) -> Iterator[tuple[int, int]]:
        """Page and place of everything hidden."""
        for number, page in enumerate(self._pages):
            for place in np.flatnonzero(page.learners == -1).tolist():
                yield number, place

    def _extreme(self, variable: int, sign: int) -> float:
        self._solver.changeColCost(variable, sign)
        self._solver.run()
        status = self._solver.getModelStatus()
        found = self._solver.getInfo().objective_function_value
        self._solver.changeColCost(variable, 0)
        assert status == highspy.HighsModelStatus.kOptimal, status
        return float(found)

    def _variables(self, page: Page) -> None:
        for place in range(len(self._tree)):
            count = int(page.learners[place])
            if count >= 0:
                self._solver.addVar(count, count)
                self._solver.addVar(*page.between(place))
            else:
                self._solver.addVar(1, _MOST)
                self._solver.addVar(0, _MOST)

    def _sums(self, number: int) -> None:
        parts: dict[int, list[int]] = {}
        for place, above in enumerate(self._tree.parent.tolist()):
            if above >= 0:
                parts.setdefault(above, []).append(place)
            if self._pages[number].learners[place] == -1:
                variables = [self.learners(number, place), self.in_need(number, place)]
                self._row(0, highspy.kHighsInf, variables, [1, -1])
        for above, below in parts.items():
            for at in (self.learners, self.in_need):
                variables = [at(number, above), *(at(number, place) for place in below)]
                self._row(0, 0, variables, [-1, *[1] * len(below)])

    def _row(self, low: float, high: float, variables: Sequence[int], weights: Sequence[float]) -> None:
        self._solver.addRow(low, high, len(variables), np.array(variables, np.int32), np.array(weights, np.float64))
