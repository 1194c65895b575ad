"""Which counts to hide, so that none of those hidden can be computed from what is shown.

Cell suppression (Fischetti & Salazar 2001, Management Science 47, 1008-1027; Willenborg & de Waal 2001, Elements of
Statistical Disclosure Control, ch. 4). Counts above 0 and below the threshold are hidden, and others with them, until
an attacker who knows everything shown, all sums, and that no count is negative, finds for every hidden count an
interval at least as wide as the threshold.

One pattern is made for all cells at once: every table cut from them, every question in any order, shows a part of the
same pattern, so together they tell no more than it does.

A hidden count t is shielded by two movements d₁ and d₂ of the hidden counts that keep all sums, leave no count
negative, and set t apart: d₂(t) − d₁(t) ≥ threshold. The cheapest such pair is found by linear programming, at a price
for each cell it would have to hide (Kelly, Golden & Assad 1992, Networks 22, 397-417), reweighted so that it moves few
cells (Candès, Wakin & Boyd 2008, Journal of Fourier Analysis 14, 877-905). What then turns out not to be needed is
shown again.
"""

from collections.abc import Iterable

import highspy
import numpy as np
from numpy.typing import NDArray

from shared.disclosure.tables import Cells

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

SMALLEST_GROUP = 10
"""Groups of fewer are hidden; a district may ask for more, never for less."""
_ROUNDS = 4
_MOVES = 1e-6
_NO_PRICE = 1e-4  # of moving what is hidden anyway: enough to keep movements short
_INF = highspy.kHighsInf


class CannotProtect(ValueError):
    """What must stay shown tells a count that must be hidden, whatever else is hidden; the message names it."""


class NotSolved(RuntimeError):
    """HiGHS ended without an answer: a mistake of ours, or of its own."""


def suppress(
    cells: Cells, threshold: int = SMALLEST_GROUP, *, keep: Iterable[int] = (), price: Floats | None = None
) -> Bools:
    """Which cells are hidden, shape (cells,).

    `keep` are cells that stay shown, because they have been told already, or must be; `price` (cells,) what hiding each
    costs, by default all alike and the larger a little more.

    Raises ValueError for a threshold below SMALLEST_GROUP, CannotProtect when what is kept tells a small count.
    """
    if threshold < SMALLEST_GROUP:
        raise ValueError(f"the smallest group that is shown has at least {SMALLEST_GROUP}, not {threshold}")
    kept = np.zeros(len(cells), np.bool_)
    kept[list(keep)] = True
    small = (cells.counts > 0) & (cells.counts < threshold)
    if (small & kept).any():
        raise CannotProtect(f"{cells.keys[int(np.flatnonzero(small & kept)[0])]} is small and cannot stay shown.")
    if not small.any():
        return small
    if price is None:
        price = 1 + cells.counts / (4.0 * cells.counts.max())
    plan = _Plan(cells, threshold, kept, small, price)
    plan.hide()
    plan.show_again(small)
    return plan.hidden


class _Plan:
    """What is hidden so far, and the cells that move in the shield of each hidden count."""

    def __init__(self, cells: Cells, threshold: int, kept: Bools, small: Bools, price: Floats) -> None:
        self.hidden = small.copy()
        self._cells, self._kept, self._price = cells, kept, price
        self._shields: dict[int, Bools] = {}
        self._movements = _Movements(cells, threshold)

    def hide(self) -> None:
        """Hide what it takes until every hidden count has a shield; the largest small counts first."""
        while waiting := [at for at in np.flatnonzero(self.hidden).tolist() if at not in self._shields]:
            target = max(waiting, key=lambda at: (int(self._cells.counts[at]), -at))
            moves = self._movements.shield(target, self.hidden)
            if moves is None:
                moves = self._cheapest(target)
            self.hidden |= moves
            self._shields[target] = moves

    def _cheapest(self, target: int) -> Bools:
        """A shield that hides few more cells."""
        best: Bools | None = None
        weight = np.where(self.hidden, _NO_PRICE, self._price)
        for _ in range(_ROUNDS):
            found = self._movements.cheapest(target, ~self._kept, weight)
            if found is None:
                break
            size = np.maximum(np.abs(found[0]), np.abs(found[1]))
            moves = size > _MOVES
            if best is None or self._cost(moves) < self._cost(best):
                best = moves
            weight = np.where(self.hidden, _NO_PRICE, self._price / (size + 0.1))
        if best is None:
            raise CannotProtect(f"{self._cells.keys[target]}: what must stay shown tells it within the threshold.")
        return best

    def _cost(self, moves: Bools) -> float:
        return float(self._price[moves & ~self.hidden].sum())

    def show_again(self, small: Bools) -> None:
        """Show what is hidden without need, the dearest first."""
        extra = np.flatnonzero(self.hidden & ~small)
        for cell in extra[np.argsort(-self._price[extra], kind="stable")].tolist():
            trial = self.hidden.copy()
            trial[cell] = False
            mended: dict[int, Bools] = {}
            for target, moves in self._shields.items():
                if target != cell and moves[cell]:
                    again = self._movements.shield(target, trial)
                    if again is None:
                        break
                    mended[target] = again
            else:
                self.hidden = trial
                self._shields |= mended
                del self._shields[cell]


class _Movements:
    """Pairs of movements that keep all sums and set one count apart, as one linear program that is kept warm.

    Columns, n cells each: what each cell gains and loses in the first movement, and in the second.
    """

    def __init__(self, cells: Cells, threshold: int) -> None:
        self._size = len(cells)
        self._counts = cells.counts.astype(np.float64)
        self._apart = 2 * len(cells.sums)
        self._solver = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy types its methods, not its constructor
        for option, value in (("output_flag", False), ("threads", 1), ("random_seed", 0)):
            self._solver.setOptionValue(option, value)
        self._solver.passModel(self._model(cells, threshold))

    def _model(self, cells: Cells, threshold: int) -> highspy.HighsLp:
        size, rows = self._size, self._apart + 1
        row: list[int] = []
        column: list[int] = []
        value: list[float] = []
        for number, (total, *parts) in enumerate(cells.sums):
            for movement in (0, 1):
                for cell, sign in ((total, -1.0), *((part, 1.0) for part in parts)):
                    row += [2 * number + movement] * 2
                    column += [2 * movement * size + cell, (2 * movement + 1) * size + cell]
                    value += [sign, -sign]
        order = np.lexsort((column, row))
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = 4 * size, rows
        model.col_cost_ = np.zeros(4 * size)
        model.col_lower_, model.col_upper_ = np.zeros(4 * size), np.zeros(4 * size)
        model.row_lower_ = np.concatenate([np.zeros(rows - 1), [float(threshold)]])
        model.row_upper_ = np.concatenate([np.zeros(rows - 1), [_INF]])
        matrix = model.a_matrix_
        matrix.format_ = highspy.MatrixFormat.kRowwise
        matrix.num_col_, matrix.num_row_ = model.num_col_, model.num_row_
        matrix.start_ = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=rows))]).astype(np.int32)
        matrix.index_ = np.array(column, np.int32)[order]
        matrix.value_ = np.array(value)[order]
        return model

    def shield(self, target: int, hidden: Bools) -> Bools | None:
        """The cells that move when only hidden ones may; None when that does not set the target apart."""
        found = self.cheapest(target, hidden, np.ones(self._size))
        if found is None:
            return None
        return np.asarray((np.abs(found[0]) > _MOVES) | (np.abs(found[1]) > _MOVES))

    def cheapest(self, target: int, may_move: Bools, weight: Floats) -> tuple[Floats, Floats] | None:
        """The two movements of least total weight; None when there are none."""
        size = self._size
        gains, losses = np.where(may_move, _INF, 0.0), np.where(may_move, self._counts, 0.0)
        every = np.arange(4 * size, dtype=np.int32)
        self._solver.changeColsBounds(4 * size, every, np.zeros(4 * size), np.concatenate([gains, losses] * 2))
        self._solver.changeColsCost(4 * size, every, np.tile(weight, 4))
        signs = ((0, -1.0), (1, 1.0), (2, 1.0), (3, -1.0))  # second movement less the first
        for block, sign in signs:
            self._solver.changeCoeff(self._apart, block * size + target, sign)
        self._solver.run()
        status = self._solver.getModelStatus()
        values = np.array(self._solver.getSolution().col_value, np.float64)
        for block, _ in signs:
            self._solver.changeCoeff(self._apart, block * size + target, 0.0)
        if status == highspy.HighsModelStatus.kInfeasible:
            return None
        if status != highspy.HighsModelStatus.kOptimal:
            raise NotSolved(f"HiGHS ended with {self._solver.modelStatusToString(status)}")
        gain1, loss1, gain2, loss2 = values.reshape(4, size)
        return gain1 - loss1, gain2 - loss2
