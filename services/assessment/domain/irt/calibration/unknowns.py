"""Which numbers a calibration has to find, and where each of them stands.

All numbers of all items and groups are kept in one vector of `values`: for each item its slope, intercepts
d = −a b and, for the 3-parameter logistic, its lower asymptote; then each group's mean and standard deviation. A slope
that several items share stands there once. `free` marks the numbers that are estimated.
Items of one family and length form a `Block`, computed at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.irt.calibration import families
from services.assessment.domain.irt.calibration.families import Family
from services.assessment.domain.irt.calibration.result import Free
from services.assessment.domain.irt.models import Floats, Model, Parameters
from services.assessment.domain.irt.responses import Indices

Flags = NDArray[np.bool_]
UNIT_SLOPE = frozenset({Model.RASCH, Model.PCM})


@dataclass(frozen=True, slots=True)
class Block:
    """Items computed at once: `rows` (n, m + 1) of the table, `where` (n, p) their values stand, `free` (n, p).

    With `common` they share one slope, which is estimated; without any free number they are anchors.
    """

    family: Family
    items: Indices
    rows: Indices
    where: Indices
    free: Flags
    common: bool

    @property
    def steps(self) -> int:
        """m: scores less one."""
        return int(self.rows.shape[1]) - 1

    @property
    def estimated(self) -> bool:
        """Whether anything here is estimated."""
        return bool(self.free.any())


@dataclass(frozen=True, slots=True)
class Unknowns:
    """The lay-out; `start` are values to begin with (anchors already in place), (V,)."""

    models: tuple[Model, ...]
    categories: tuple[int, ...]
    blocks: tuple[Block, ...]
    names: tuple[Free, ...]
    free: Flags
    start: Floats
    means: Indices
    sds: Indices

    def table(self, values: Floats, theta: Floats) -> Floats:
        """Log-probabilities of every item's scores at the nodes, item after item; (sum of categories, Q)."""
        logs = np.empty((sum(self.categories), len(theta)))
        for block in self.blocks:
            logs[block.rows] = families.log_probabilities(block.family, values[block.where], theta)
        return logs

    def possible(self, values: Floats) -> bool:
        """Whether these values belong to the models."""
        if not (np.isfinite(values).all() and (values[self.sds] > 0).all()):
            return False
        return all(families.possible(block.family, values[block.where]).all() for block in self.blocks)

    def items(self, values: Floats) -> tuple[Parameters, ...]:
        """The items' parameters a, b, c."""
        found: dict[int, Parameters] = {}
        for block in self.blocks:
            rows = values[block.where]
            for item, x in zip(block.items.tolist(), rows.tolist(), strict=True):
                d = x[1 : block.steps + 1]
                c = x[2] if block.family is Family.GUESSING else 0.0
                found[item] = Parameters(self.models[item], tuple(-each / x[0] for each in d), x[0], c)
        return tuple(found[item] for item in range(len(self.models)))

    def reported(self, values: Floats) -> Floats:
        """The values as they are reported: b = −d/a in place of d; (V,)."""
        made = values.copy()
        for block in self.blocks:
            x, steps = values[block.where], slice(1, block.steps + 1)
            made[block.where[:, steps]] = -x[:, steps] / x[:, :1]
        return made

    def jacobian(self, values: Floats) -> tuple[Floats, Floats, Indices]:
        """Derivatives of what is reported by the values: the diagonal (V,), that by the slope (V,), the slope's place.

        ∂b/∂d = −1/a and ∂b/∂a = −b/a; every other number is reported as it stands.
        """
        own, by_slope = np.ones_like(values), np.zeros_like(values)
        slope = np.arange(len(values), dtype=np.int64)
        for block in self.blocks:
            x, steps = values[block.where], slice(1, block.steps + 1)
            at = block.where[:, steps]
            own[at] = -1 / x[:, :1]
            by_slope[at] = x[:, steps] / x[:, :1] ** 2
            slope[at] = block.where[:, :1]
        return own, by_slope, slope

    def report_step(self, values: Floats, step: Floats) -> Floats:
        """A small step of all values (V,) in the metric that is reported, to first order."""
        own, by_slope, slope = self.jacobian(values)
        return np.asarray(own * step + by_slope * step[slope], dtype=np.float64)

    def report_covariance(self, values: Floats, covariance: Floats, free: Flags) -> Floats:
        """Covariance of the free values in the metric that is reported (delta method); (free, free)."""
        own, by_slope, slope = self.jacobian(values)
        place = np.cumsum(free) - 1
        at = np.flatnonzero(free)
        shared = np.where(free[slope[at]] & (slope[at] != at), by_slope[at], 0.0)
        to = place[slope[at]]
        left = own[at, np.newaxis] * covariance + shared[:, np.newaxis] * covariance[to]
        return np.asarray(left * own[at] + shared * left[:, to], dtype=np.float64)


def lay_out(
    models: Sequence[Model],
    categories: Sequence[int],
    anchors: Mapping[int, Parameters],
    groups: int,
) -> Unknowns:
    """Where everything stands, and what is free.

    Rasch and pcm: slopes 1, the standard deviation of every group free. 1pl: one slope. With anchors every group's mean
    and standard deviation are free; without, the first group has mean 0 and, where no slope is held at 1, sd 1.
    """
    places = _Places()
    members: dict[tuple[Family, int, str], list[tuple[int, list[int]]]] = {}
    shared: int | None = None
    for item, (model, count) in enumerate(zip(models, categories, strict=True)):
        anchor = anchors.get(item)
        model = anchor.model if anchor else model
        family = families.family_of(model, count)
        steps = count - 1
        rule = "anchor" if anchor else "one" if model in UNIT_SLOPE else "common" if model is Model.ONE_PL else "free"
        if rule == "common":
            if shared is None:
                shared = places.add(Free(None, None, "a"), 1.0, free=True)
            own = [shared]
        else:
            slope = anchor.a if anchor else 1.0
            own = [places.add(Free(item, None, "a"), slope, free=rule == "free")]
        for step in range(steps):
            d = -anchor.a * anchor.b[step] if anchor else 0.0
            own.append(places.add(Free(item, None, "b" if steps == 1 else f"b{step + 1}"), d, free=not anchor))
        if family is Family.GUESSING:
            own.append(places.add(Free(item, None, "c"), anchor.c if anchor else 0.0, free=not anchor))
        members.setdefault((family, steps, rule), []).append((item, own))
    unit = any(models[item] in UNIT_SLOPE for item in range(len(models)) if item not in anchors)
    means, sds = [], []
    for group in range(groups):
        later = bool(anchors) or group > 0
        means.append(places.add(Free(None, group, "mean"), 0.0, free=later))
        sds.append(places.add(Free(None, group, "sd"), 1.0, free=later or unit))
    offsets = np.concatenate([[0], np.cumsum(categories)]).astype(np.int64)
    free = np.array(places.free, dtype=np.bool_)
    blocks = []
    for (family, steps, rule), found in members.items():
        items = np.array([item for item, _ in found], dtype=np.int64)
        where = np.array([own for _, own in found], dtype=np.int64)
        rows = offsets[items][:, np.newaxis] + np.arange(steps + 1)
        blocks.append(Block(family, items, rows, where, free[where], rule == "common"))
    return Unknowns(
        models=tuple(anchors[item].model if item in anchors else Model(model) for item, model in enumerate(models)),
        categories=tuple(int(each) for each in categories),
        blocks=tuple(blocks),
        names=tuple(places.names),
        free=free,
        start=np.array(places.values, dtype=np.float64),
        means=np.array(means, dtype=np.int64),
        sds=np.array(sds, dtype=np.int64),
    )


class _Places:
    """Numbers in the order they were named."""

    def __init__(self) -> None:
        self.names: list[Free] = []
        self.values: list[float] = []
        self.free: list[bool] = []

    def add(self, name: Free, value: float, *, free: bool) -> int:
        """The place of a new number."""
        self.names.append(name)
        self.values.append(value)
        self.free.append(free)
        return len(self.values) - 1
