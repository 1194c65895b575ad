"""What a calibration found."""

from dataclasses import dataclass, field

import numpy as np

from services.assessment.domain.irt.models import Floats, Model, Parameters


@dataclass(frozen=True, slots=True)
class Free:
    """One estimated number: `a`, `b`, `b1`..`bm` or `c` of an item, or `mean` or `sd` of a group, by position.

    The common slope of all 1pl items belongs to no single item: both positions are None.
    """

    item: int | None
    group: int | None
    name: str


@dataclass(frozen=True, slots=True)
class Group:
    """The abilities of a group of students: normal with this mean and standard deviation, logits."""

    name: str
    mean: float
    sd: float
    students: int


@dataclass(frozen=True, slots=True)
class Iteration:
    """One pass over the students: log-likelihood (with priors, log posterior) before it, largest change by it."""

    number: int
    kind: str
    log_likelihood: float
    change: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Item parameters in the logistic metric a(θ − b), D = 1, with what is known of their errors.

    `covariance` (free, free) is of all that was estimated, in the order of `free`; None when it was not asked for or
    when the likelihood has no proper maximum here (then `converged` is false and `remark` says why). A lower asymptote
    that ended at its bound 0 is not free: it has no standard error.
    `log_likelihood` is the marginal one; `log_posterior` adds the priors' log density (equal to it without priors).
    `silent` students had no responses at all: they say nothing and count nowhere.
    """

    items: tuple[Parameters, ...]
    free: tuple[Free, ...]
    covariance: Floats | None
    groups: tuple[Group, ...]
    log_likelihood: float
    log_posterior: float
    iterations: int
    converged: bool
    log: tuple[Iteration, ...]
    students: int
    silent: int
    kernel: str
    remark: str | None = None
    _place: dict[tuple[int | None, int | None, str], int] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._place.update({(each.item, each.group, each.name): at for at, each in enumerate(self.free)})

    def standard_errors(self, item: int) -> dict[str, float]:
        """Standard errors of an item's free parameters by name (`a`, `b` or `b1`.., `c`); empty without covariance.

        The error of a common slope is given with each item that shares it.
        """
        if self.covariance is None:
            return {}
        steps = len(self.items[item].b)
        names = ["a", *(["b"] if steps == 1 else [f"b{step + 1}" for step in range(steps)]), "c"]
        found = {}
        for name in names:
            place = self._place.get((item, None, name))
            if place is None and name == "a" and (item, None, "b") in self._place:
                place = self._place.get((None, None, "a")) if self.items[item].model is Model.ONE_PL else None
            if place is not None:
                found[name] = float(np.sqrt(self.covariance[place, place]))
        return found

    def group_errors(self, group: int) -> dict[str, float]:
        """Standard errors of a group's free `mean` and `sd`; empty without covariance."""
        if self.covariance is None:
            return {}
        places = {name: self._place.get((None, group, name)) for name in ("mean", "sd")}
        return {
            name: float(np.sqrt(self.covariance[place, place])) for name, place in places.items() if place is not None
        }
