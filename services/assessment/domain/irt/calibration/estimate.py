"""Calibration: item parameters by marginal maximum likelihood, or posterior modes where there are priors.

Bock & Aitkin (1981, "Marginal maximum likelihood estimation of item parameters: application of an EM algorithm",
Psychometrika 46, 443–459), accelerated by SQUAREM and finished by Newton steps with the exact observed information.
EM alone is slow near the maximum and its small steps say little of how far the maximum still is; a Newton step says
just that. So the search ends when the Newton step of every estimate is below the tolerance, and the standard errors
come from the same matrix.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from services.assessment.domain.irt import plain
from services.assessment.domain.irt.calibration import checks, families, information, latent, mstep, pairs
from services.assessment.domain.irt.calibration.acceleration import distance_left, extrapolate
from services.assessment.domain.irt.calibration.information import Point
from services.assessment.domain.irt.calibration.mstep import Priors
from services.assessment.domain.irt.calibration.pairs import Pairs
from services.assessment.domain.irt.calibration.priors import Prior
from services.assessment.domain.irt.calibration.refusals import NobodyAnswered, NoSpread
from services.assessment.domain.irt.calibration.result import Calibration, Group, Iteration
from services.assessment.domain.irt.calibration.starts import starting_values
from services.assessment.domain.irt.calibration.unknowns import Flags, Unknowns, lay_out
from services.assessment.domain.irt.kernels import Kernel
from services.assessment.domain.irt.models import Floats, Model, Parameters
from services.assessment.domain.irt.packing import Packed, pack
from services.assessment.domain.irt.responses import Indices, Responses, Sparse
from services.assessment.domain.irt.tables import Expected, Tables

Acceleration = Literal["newton", "squarem", "none"]
Watch = Callable[[Iteration], None]

CLOSE = 0.001
SHARE_OF_ERROR = 0.01
SMALLEST_SD = 0.02
FLAT_SD = 0.1
"""A standard deviation below this, where the likelihood is not a hill, is on its way to zero."""
STEEP, ENDLESS = 10.0, 50.0
"""Slopes above the first are named where the search does not end; above the second it is given up."""
FRESH = 1e-4
"""The covariance is computed again when estimates moved since by so much that errors may be wrong by about this."""
NOISE = 3e-8
"""Relative size of a fall of the log-likelihood that is rounding (the compiled tables are float32)."""


def calibrate(
    responses: Responses | Sparse,
    models: Sequence[Model],
    *,
    categories: Sequence[int],
    kernel: Kernel,
    names: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    anchors: Mapping[int, Parameters] | None = None,
    priors: Sequence[Prior] = (),
    nodes: int = 61,
    acceleration: Acceleration = "newton",
    tolerance: float = CLOSE,
    errors: bool = True,
    iterations: int = 1000,
    watch: Watch | None = None,
) -> Calibration:
    """Estimate the items' parameters, in the logistic metric a(θ − b), and their covariance.

    responses: category indices 0..m, 255 not presented. models, categories, names: one an item (names are for
    messages). groups: each student's label; items are equal over groups, the label that sorts first has mean 0 and
    sd 1 and the others' are free. anchors: items that stay as they are; then every group's mean and sd are free.
    With rasch or pcm items, whose slopes are 1, the sd is free in any case. priors: on the free a, b or c.
    nodes: on ±6 sd; more are taken where posteriors are narrow. tolerance: the search ends within it, and within a
    hundredth of the standard error, of the maximum. `errors=False` leaves the covariance out, and then the distance
    is judged by the rate at which EM closes in.
    Errors: NotCalibratable and ScoreOutOfRange, naming the item, student or group. A search that does not end within
    so many iterations, or that ends where there is no proper maximum, is returned as not converged with a remark.
    """
    names = [f"{item}" for item in range(len(models))] if names is None else names
    anchors = {} if anchors is None else dict(anchors)
    densities: Priors = {each.name: each.density for each in priors}
    checks.check_models(names, models, categories, anchors)
    if isinstance(responses, Sparse):
        checks.check_entries(responses, names)
    packed = pack(responses, categories)
    present = checks.answered(packed)
    if not present.any():
        raise NobodyAnswered("there is not a single response")
    found = checks.totals(packed)
    checks.check_scores(names, categories, found, anchors, densities)
    labels, group = _groups(groups, packed.students)
    checks.check_groups(labels, group, packed, present, anchors)
    unknowns = lay_out(models, categories, anchors, len(labels))
    start = starting_values(unknowns, responses, found, densities)
    search = _Search(responses, packed, group, unknowns, names, densities, kernel, nodes, iterations, watch)
    end = search.run(start, acceleration, tolerance, errors)
    sizes = np.bincount(group[present], minlength=len(labels))
    return Calibration(
        items=tuple(anchors.get(at, each) for at, each in enumerate(unknowns.items(end.values))),
        free=tuple(name for name, free in zip(unknowns.names, end.free, strict=True) if free),
        covariance=end.covariance,
        groups=tuple(
            Group(label, float(end.values[mean]), float(end.values[sd]), int(size))
            for label, mean, sd, size in zip(labels, unknowns.means, unknowns.sds, sizes, strict=True)
        ),
        log_likelihood=end.expected.log_likelihood,
        log_posterior=end.objective,
        iterations=len(search.log),
        converged=end.remark is None,
        log=tuple(search.log),
        students=int(present.sum()),
        silent=int((~present).sum()),
        kernel=kernel.VERSION,
        remark=end.remark,
    )


def _groups(groups: Sequence[str] | None, students: int) -> tuple[list[str], Indices]:
    if groups is None:
        return [""], np.zeros(students, dtype=np.int64)
    if len(groups) != students:
        raise NobodyAnswered(f"{students} students, but group labels of {len(groups)}")
    labels, group = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    return [str(each) for each in labels], group.astype(np.int64)


@dataclass(frozen=True, slots=True)
class _State:
    """Values with the E-step there; `objective` is what is to be made large."""

    values: Floats
    expected: Expected
    objective: float


@dataclass(frozen=True, slots=True)
class _End:
    values: Floats
    expected: Expected
    objective: float
    free: Flags
    covariance: Floats | None
    remark: str | None


class _Search:
    """The way to the maximum: what stays the same on it, and the log of it."""

    def __init__(
        self,
        responses: Responses | Sparse,
        packed: Packed,
        group: Indices,
        unknowns: Unknowns,
        names: Sequence[str],
        priors: Priors,
        kernel: Kernel,
        nodes: int,
        iterations: int,
        watch: Watch | None,
    ) -> None:
        self.responses, self.packed, self.group = responses, packed, group
        self.unknowns, self.names, self.priors, self.kernel = unknowns, names, priors, kernel
        self.nodes, self.iterations, self.watch = nodes | 1, iterations, watch
        self.several = len(unknowns.means) > 1
        self.theta = latent.grid(self.nodes, np.zeros(1), np.ones(1))
        self.log: list[Iteration] = []
        self.adding: Pairs = pairs
        if kernel.VERSION != plain.VERSION:
            from services.assessment.domain.irt.calibration import pairs_compiled  # here only: numba is 100 MB

            self.adding = pairs_compiled

    def run(self, start: Floats, acceleration: Acceleration, tolerance: float, errors: bool) -> _End:
        """Climb, and say where the top is."""
        state = self.at(start, "start", 0.0)
        while True:
            # a step of EM costs little beside the information, unless that is a matter of a few products
            cheap = acceleration == "newton" and errors and information.is_separable(self.unknowns, self.responses)
            rough = tolerance if cheap else 0.2 * tolerance
            state, remark = self.climb(state, rough, accelerate=acceleration != "none", judge=not errors)
            end = self.finish(state, tolerance, remark) if errors else self.stop(state, remark)
            if end.remark is not None or not self.lay_grid(end.values):
                return end
            state = self.at(end.values, "finer grid", 0.0)

    def at(self, values: Floats, kind: str, change: float) -> _State:
        """The E-step at these values."""
        means, sds = values[self.unknowns.means], values[self.unknowns.sds]
        table = Tables(
            self.theta,
            self.unknowns.table(values, self.theta),
            self.unknowns.categories,
            latent.log_weights(self.theta, means, sds),
        )
        expected = self.kernel.expected(self.packed, table, self.group if self.several else None)
        objective = expected.log_likelihood + self.log_prior(values)
        self.log.append(Iteration(len(self.log) + 1, kind, expected.log_likelihood, change))
        if self.watch:
            self.watch(self.log[-1])
        return _State(values, expected, objective)

    def log_prior(self, values: Floats) -> float:
        """Log prior density of the items."""
        blocks = (block for block in self.unknowns.blocks if block.estimated)
        return float(sum(mstep.log_prior(block, values[block.where], self.priors).sum() for block in blocks))

    def maximise(self, state: _State) -> Floats:
        """The M-step: values that make the expected counts most likely."""
        values, unknowns = state.values.copy(), self.unknowns
        for block in unknowns.blocks:
            if block.estimated:
                counts = state.expected.counts[block.rows]
                values[block.where] = mstep.improve(block, values[block.where], counts, self.theta, self.priors)
        for mean, sd, mass in zip(unknowns.means, unknowns.sds, state.expected.mass, strict=True):
            if unknowns.free[sd]:
                held = None if unknowns.free[mean] else float(values[mean])
                values[mean], values[sd] = latent.moments(self.theta, mass, held)
        self.check_spread(values, SMALLEST_SD)
        return values

    def climb(self, state: _State, enough: float, *, accelerate: bool, judge: bool) -> tuple[_State, str | None]:
        """EM, with extrapolation, until a step changes no reported number by `enough`.

        With `judge` the distance that is left, by the rate of the steps, has to be below `enough` as well.
        """
        while len(self.log) < self.iterations:
            if self.lay_grid(state.values):
                state = self.at(state.values, "new grid", 0.0)
            if self.steepest(state.values)[1] > ENDLESS:
                break
            first = self.maximise(state)
            size = self.change(state.values, first)
            if size < enough and not judge:
                return self.at(first, "em", size), None
            middle = self.at(first, "em", size)
            second = self.maximise(middle)
            step = self.change(first, second)
            if step < enough and (not judge or distance_left(size, step) < enough):
                return self.at(second, "em", step), None
            state = self.leap(state.values, middle, second, step, accelerate)
        return state, self.why(state, f"after {self.iterations} iterations the estimates still changed")

    def leap(self, start: Floats, middle: _State, second: Floats, step: float, accelerate: bool) -> _State:
        """The extrapolated point when it is possible and no worse than the middle one, else the second EM step."""
        if accelerate:
            point, alpha = extrapolate(start, middle.values, second, np.maximum(np.abs(second), 1.0))
            if alpha < -1.0 and self.unknowns.possible(point) and np.isfinite(self.log_prior(point)):
                leapt = self.at(point, "squarem", self.change(middle.values, point))
                if leapt.objective >= middle.objective - NOISE * abs(middle.objective):
                    return leapt
        return self.at(second, "em", step)

    def change(self, before: Floats, after: Floats) -> float:
        """Largest change of a free number, thresholds as they are reported but in units of at least their size."""
        old, new = self.unknowns.reported(before), self.unknowns.reported(after)
        return float((np.abs(new - old) / np.maximum(1.0, np.abs(old)))[self.unknowns.free].max(initial=0.0))

    def lay_grid(self, values: Floats) -> bool:
        """Lay the nodes anew where they do not fit these values; whether that was done."""
        means, sds = values[self.unknowns.means], values[self.unknowns.sds]
        most = self.most_information(values)
        if latent.fits(self.theta, means, sds, most):
            return False
        self.theta = latent.grid(self.nodes, means, sds, most)
        return True

    def most_information(self, values: Floats) -> float:
        """The information of a student's responses at most, about; 1/logit²."""
        total = np.zeros(len(self.theta))
        for block in self.unknowns.blocks:
            total += families.information(block.family, values[block.where], self.theta).sum(axis=0)
        if isinstance(self.responses, Sparse):
            share = 2 * float(np.diff(self.responses.bounds).max(initial=0)) / max(self.responses.width, 1)
            total *= min(1.0, share)
        return float(total.max(initial=0.0))

    def free_at(self, state: _State) -> Flags:
        """What is estimated here: without the lower asymptotes that stand at 0 and would go lower."""
        free = self.unknowns.free.copy()
        for block in self.unknowns.blocks:
            if block.estimated:
                x = state.values[block.where]
                slope = mstep.gradient(block, x, state.expected.counts[block.rows], self.theta)
                slope += mstep.log_prior_slope(block, x, self.priors)
                held = mstep.at_bound(block, x, slope)
                free[block.where[held, 2:]] = False
        return free

    def point(self, state: _State, free: Flags) -> Point:
        """Where the information is asked for."""
        return Point(self.unknowns, state.values, self.theta, self.group, free)

    def stop(self, state: _State, remark: str | None) -> _End:
        """The end without a covariance."""
        return _End(state.values, state.expected, state.objective, self.free_at(state), None, remark)

    def finish(self, state: _State, tolerance: float, remark: str | None) -> _End:
        """Newton steps to the maximum, and the covariance there."""
        covariance: Floats | None = None
        for _ in range(20):
            free = self.free_at(state)
            point = self.point(state, free)
            matrix = information.observed(point, self.responses, state.expected, self.priors, self.adding)
            inverse = _inverse(matrix)
            if inverse is None:
                if remark is not None or len(self.log) >= self.iterations:
                    break
                # not yet where the likelihood is a hill: nearer by EM
                state, remark = self.climb(state, self.log[-1].change / 4, accelerate=True, judge=False)
                continue
            covariance = self.unknowns.report_covariance(state.values, inverse, free)
            error = np.sqrt(np.diag(covariance))
            limit = np.minimum(tolerance, SHARE_OF_ERROR * error)
            state, moved, arrived = self.newton(state, free, inverse, limit)
            if arrived and (moved <= np.minimum(FRESH / error, 0.1 * error)).all():
                return _End(state.values, state.expected, state.objective, free, covariance, None)
            if len(self.log) >= self.iterations:
                break
        self.check_spread(state.values, FLAT_SD)
        remark = remark or self.why(state, "the likelihood has no proper maximum here: not everything is determined")
        return _End(state.values, state.expected, state.objective, self.free_at(state), None, remark)

    def check_spread(self, values: Floats, least: float) -> None:
        """The abilities of every group differ by at least this much. Errors: NoSpread."""
        sds = self.unknowns.sds[self.unknowns.free[self.unknowns.sds]]
        if (values[sds] < least).any():
            raise NoSpread("the responses show no differences in ability: its standard deviation goes to zero")

    def why(self, state: _State, otherwise: str) -> str:
        """What is known of a search that did not end."""
        item, slope = self.steepest(state.values)
        return f"the slope of the item {self.names[item]!r} grows without end" if slope > STEEP else otherwise

    def steepest(self, values: Floats) -> tuple[int, float]:
        """The item with the steepest estimated slope, and that slope."""
        found = [(0, 0.0)]
        for block in self.unknowns.blocks:
            slopes = np.where(block.free[:, 0], np.abs(values[block.where[:, 0]]), 0.0)
            found.append((int(block.items[slopes.argmax()]), float(slopes.max())))
        return max(found, key=lambda each: each[1])

    def newton(self, state: _State, free: Flags, inverse: Floats, limit: Floats) -> tuple[_State, Floats, bool]:
        """Steps with one matrix until they are below the limit, or shrink too slowly for it.

        Returns the state, how far it moved in the reported metric (free,), and whether the last step was below.
        """
        moved, before = np.zeros(int(free.sum())), np.inf
        while True:
            slope = information.gradient(self.point(state, free), state.expected, self.priors)
            step = np.zeros(len(state.values))
            step[free] = inverse @ slope[free]
            reported = self.unknowns.report_step(state.values, step)[free]
            size = float((np.abs(reported) / limit).max(initial=0.0))
            if size <= 0.05:
                return state, moved, True
            tried = self.shortened(state, step) if size <= 0.5 * before else None
            if tried is None:
                return state, moved, size <= 0.5
            state, share = tried
            moved += np.abs(share * reported)
            before = size if share == 1.0 else np.inf

    def shortened(self, state: _State, step: Floats) -> tuple[_State, float] | None:
        """The state after the step, or after the longest part of it that does not lower the objective."""
        share = 1.0
        for _ in range(6):
            values = state.values + share * step
            for block in self.unknowns.blocks:
                if block.estimated and block.family == "guessing":
                    values[block.where[:, 2]] = np.maximum(values[block.where[:, 2]], 0.0)
            if self.unknowns.possible(values) and np.isfinite(self.log_prior(values)):
                new = self.at(values, "newton", share * self.change(state.values, values))
                if new.objective >= state.objective - NOISE * abs(state.objective):
                    return new, share
            share /= 4
        return None


def _inverse(matrix: Floats) -> Floats | None:
    """The inverse of a positive definite matrix, None for any other; scaled to a unit diagonal first."""
    diagonal = np.diag(matrix)
    if not (np.isfinite(matrix).all() and (diagonal > 0).all()):
        return None
    scale = 1 / np.sqrt(diagonal)
    try:
        root = np.linalg.cholesky(matrix * scale[:, np.newaxis] * scale)
    except np.linalg.LinAlgError:
        return None
    if np.diag(root).min(initial=1.0) < 1e-5:
        return None
    inverse = np.linalg.inv(matrix * scale[:, np.newaxis] * scale)
    return np.asarray(inverse * scale[:, np.newaxis] * scale, dtype=np.float64)
