"""Linking: one scale for forms that were calibrated apart, θ_TO = A θ_FROM + B, from the items they have in common.

| method | A | B |
| --- | --- | --- |
| mean-mean (Loyd & Hoover 1980) | mean a_FROM / mean a_TO | mean b_TO − A mean b_FROM |
| mean-sigma (Marco 1977) | sd b_TO / sd b_FROM | the same |
| Haebara (1980) | both minimise Σ_q w_q Σ_j Σ_k (P_jk,TO(θ_q) − P_jk,FROM((θ_q − B)/A))² | |
| Stocking & Lord (1983) | both minimise Σ_q w_q (Σ_j E_j,TO(θ_q) − Σ_j E_j,FROM((θ_q − B)/A))² | |

E is an item's expected score; b are all thresholds or steps of all common items; Haebara's sum is over all categories
(Kim & Lee 2006 for forms of mixed models; with two categories it is twice the usual sum and has the same minimum). The
abilities θ_q are 30 Gauss-Hermite nodes of a normal distribution, N(0, 1) on the TO scale unless another is given: what
equateIRT does. `symmetric` adds the same sum with the two forms exchanged, on the FROM scale.

Standard errors are by the delta method from the covariances of the two calibrations, which are independent: with
g(A, B; γ) = 0 the equations that A and B solve and γ the item parameters, ∂(A, B)/∂γ = −(∂g/∂(A, B))⁻¹ ∂g/∂γ (Ogasawara
2000, 2001). g is exact, its derivatives are central differences (relative error below 1e-6). For mean-sigma this is
n/(n − 1) times what equateIRT 2.5.1 prints for A, n the common thresholds: it divides the derivative of a standard
deviation by n sd² where the deviation itself was taken with n − 1. Draws from the covariance agree with the value here;
`Link.published_se_A` is the printed one.

Where every common item has its slope fixed at 1 (rasch, pcm) A is 1 and only B is estimated.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import isfinite, sqrt

import numpy as np

from services.assessment.domain.irt.models import DICHOTOMOUS, Floats, Model, Parameters, derivatives, probabilities

NODES = 30
FIXED_SLOPE = frozenset({Model.RASCH, Model.PCM})
STEP = 1e-5
ROUNDS, SLOW = 200, 15


class CannotLink(ValueError):
    """These forms cannot be put on one scale."""


class Method(StrEnum):
    """How A and B are found."""

    MEAN_MEAN = "mean-mean"
    MEAN_SIGMA = "mean-sigma"
    HAEBARA = "haebara"
    STOCKING_LORD = "stocking-lord"


@dataclass(frozen=True, slots=True, eq=False)
class Covariance:
    """Covariance of a calibration's free parameters: `matrix` (p, p), named by item and "a", "b" or "b1"…, "c".

    A slope that items share (1pl) has None for its item. What is not named counts as known exactly, as anchors are.
    """

    names: tuple[tuple[str | None, str], ...]
    matrix: Floats

    def __post_init__(self) -> None:
        """Refuse what is no covariance of these names."""
        p = len(self.names)
        if self.matrix.shape != (p, p):
            raise CannotLink(f"the covariance has {p} names and a matrix of shape {self.matrix.shape}")
        if not np.isfinite(self.matrix).all() or (np.diag(self.matrix) < 0).any():
            raise CannotLink("the covariance holds a number that is not finite or a negative variance")
        if len(set(self.names)) != p:
            raise CannotLink("the covariance names a parameter twice")

    def of(self, gradient: "Gradient") -> Floats:
        """Covariance of r quantities with these derivatives by item and parameter, each (r,); the result is (r, r)."""
        where = {name: position for position, name in enumerate(self.names)}
        rows = len(next(iter(gradient.values()))) if gradient else 0
        jacobian = np.zeros((rows, len(self.names)))
        for (item, name), derivative in gradient.items():
            position = where.get((item, name), where.get((None, name)))
            if position is not None:
                jacobian[:, position] += derivative
        return np.asarray(jacobian @ self.matrix @ jacobian.T, dtype=np.float64)


Gradient = dict[tuple[str, str], Floats]
"""Derivatives of some quantities with respect to an item's parameter, by item and parameter."""


@dataclass(frozen=True, slots=True)
class Link:
    """θ_TO = A θ_FROM + B. `covariance` is ((var A, cov), (cov, var B)), None when a calibration came without one."""

    A: float
    B: float
    covariance: tuple[tuple[float, float], tuple[float, float]] | None = None
    common: tuple[str, ...] = ()
    method: Method | None = None
    thresholds: int = 0
    """Of the common items, all together."""

    @property
    def published_se_A(self) -> float | None:
        """Standard error of A as equateIRT 2.5.1 prints it: by mean-sigma (n − 1)/n of the exact one, n thresholds."""
        if self.se_A is None or self.method is not Method.MEAN_SIGMA or not self.thresholds:
            return self.se_A
        return self.se_A * (self.thresholds - 1) / self.thresholds

    @property
    def se_A(self) -> float | None:
        """Standard error of A."""
        return sqrt(max(self.covariance[0][0], 0.0)) if self.covariance else None

    @property
    def se_B(self) -> float | None:
        """Standard error of B."""
        return sqrt(max(self.covariance[1][1], 0.0)) if self.covariance else None

    def theta(self, theta: Floats) -> Floats:
        """Abilities of the FROM scale on the TO scale."""
        return np.asarray(self.A * theta + self.B, dtype=np.float64)

    def variance(self, theta: Floats) -> Floats:
        """Linking error at these abilities of the FROM scale: θ² var A + 2 θ cov(A, B) + var B."""
        if self.covariance is None:
            raise CannotLink("the link has no covariance: its calibrations came without one")
        (a, ab), (_, b) = self.covariance
        return np.asarray(np.maximum(theta * theta * a + 2 * theta * ab + b, 0.0), dtype=np.float64)

    def item(self, item: Parameters) -> Parameters:
        """An item of the FROM scale on the TO scale: a/A, A b + B, c."""
        return replace(item, a=item.a / self.A, b=tuple(self.A * b + self.B for b in item.b))

    def inverse(self) -> "Link":
        """The way back, θ_FROM = (θ_TO − B)/A, with its covariance by the delta method."""
        turned = Link(1 / self.A, -self.B / self.A, None, self.common, self.method, self.thresholds)
        if self.covariance is None:
            return turned
        jacobian = np.array([[-1 / self.A**2, 0.0], [self.B / self.A**2, -1 / self.A]])
        return replace(turned, covariance=as_pairs(jacobian @ np.array(self.covariance) @ jacobian.T))


IDENTITY = Link(1.0, 0.0, ((0.0, 0.0), (0.0, 0.0)))
"""The link of a scale to itself, which has no error: fixed-parameter calibration ends here."""


def link(
    from_items: Mapping[str, Parameters],
    to_items: Mapping[str, Parameters],
    method: Method | str = Method.STOCKING_LORD,
    covariance_from: Covariance | None = None,
    covariance_to: Covariance | None = None,
    *,
    symmetric: bool = False,
    ability: tuple[float, float] = (0.0, 1.0),
    without: Collection[str] = (),
) -> Link:
    """The link of one form's scale to another's by their common items, those named `without` left aside.

    `ability` is mean and sd of the distribution that weighs differences between curves. Raises CannotLink for fewer
    than two common items, an item whose models or categories differ, values that are not finite, slopes or
    difficulties that determine no A.
    """
    method = Method(method)
    pairs = common_items(from_items, to_items, without)
    criterion = Criterion(method, symmetric, *grid(ability))
    found = solve(pairs, criterion)
    thresholds = sum(len(one.b) for one, _ in pairs.values())
    made = Link(float(found[0]), float(found[1]), None, tuple(pairs), method, thresholds)
    if covariance_from is None or covariance_to is None:
        return made
    from_gradient, to_gradient = gradients(pairs, criterion, found)
    return replace(made, covariance=as_pairs(covariance_from.of(from_gradient) + covariance_to.of(to_gradient)))


Pairs = dict[str, tuple[Parameters, Parameters]]
"""Common items by name, as the two calibrations have them: (FROM, TO)."""


def common_items(
    from_items: Mapping[str, Parameters], to_items: Mapping[str, Parameters], without: Collection[str] = ()
) -> Pairs:
    """The common items in the order of their names; raises CannotLink where they cannot carry a link."""
    names = sorted((from_items.keys() & to_items.keys()) - set(without))
    if len(names) < 2:
        said = f"only {names[0]}" if names else "no item"
        raise CannotLink(f"a link needs two common items or more, the forms have {said} in common")
    pairs = {name: (from_items[name], to_items[name]) for name in names}
    for name, (one, other) in pairs.items():
        if one.model is not other.model:
            raise CannotLink(f"item {name}: the models differ, {one.model.value} and {other.model.value}")
        if len(one.b) != len(other.b):
            raise CannotLink(f"item {name}: {len(one.b) + 1} categories in one form, {len(other.b) + 1} in the other")
        if not all(isfinite(value) for item in (one, other) for value in (item.a, item.c, *item.b)):
            raise CannotLink(f"item {name}: a parameter is not a finite number")
        if one.a == 0 or other.a == 0 or (one.a > 0) != (other.a > 0):
            raise CannotLink(f"item {name}: slopes {one.a} and {other.a} belong to no common scale")
    return pairs


def parameter_names(item: Parameters) -> list[str]:
    """The names of an item's free parameters, in the order slope, thresholds, lower asymptote."""
    slope = [] if item.model in FIXED_SLOPE else ["a"]
    thresholds = ["b"] if item.model in DICHOTOMOUS else [f"b{k + 1}" for k in range(len(item.b))]
    return slope + thresholds + (["c"] if item.model is Model.THREE_PL else [])


def value(item: Parameters, name: str) -> float:
    """An item's parameter by name."""
    if name == "a":
        return item.a
    return item.c if name == "c" else item.b[int(name[1:] or 1) - 1]


def moved(item: Parameters, name: str, by: float) -> Parameters:
    """The item with one parameter changed by so much."""
    if name == "a":
        return replace(item, a=item.a + by)
    if name == "c":
        return replace(item, c=item.c + by)
    place = int(name[1:] or 1) - 1
    return replace(item, b=tuple(b + by if k == place else b for k, b in enumerate(item.b)))


@dataclass(frozen=True, slots=True, eq=False)
class Criterion:
    """What is minimised, and over which abilities: `theta` and `weights` (Q,), the weights sum to 1."""

    method: Method
    symmetric: bool
    theta: Floats
    weights: Floats

    def terms(self, pair: tuple[Parameters, Parameters], at: Floats) -> Floats:
        """An item's differences between the forms and their derivatives by A and B: (3, categories or 1, Q or 2Q)."""
        slope, shift = at
        one, other = pair
        there = (self.theta - shift) / slope
        rising = self._rises(one, there)
        made = np.stack([self._heights(other, self.theta) - self._heights(one, there), rising * there, rising])
        made[1:] /= slope
        if self.symmetric:
            beyond = slope * self.theta + shift
            rising = -self._rises(other, beyond)
            back = np.stack(
                [self._heights(one, self.theta) - self._heights(other, beyond), rising * self.theta, rising]
            )
            made = np.concatenate([made, back], axis=2)
        return made

    def _heights(self, item: Parameters, theta: Floats) -> Floats:
        return self._curves(item, probabilities(item, theta))

    def _rises(self, item: Parameters, theta: Floats) -> Floats:
        return self._curves(item, probabilities(item, theta) * derivatives(item, theta)[0])

    def _curves(self, item: Parameters, of: Floats) -> Floats:
        """Category curves for Haebara, the expected score for Stocking and Lord."""
        if self.method is Method.HAEBARA:
            return of
        return np.asarray(np.arange(len(item.b) + 1.0) @ of)[np.newaxis]

    def gradient(self, terms: Sequence[Floats]) -> Floats:
        """Half the derivative of the criterion by A and B, (2,)."""
        return np.asarray(sum(self._products(part)[0, 1:] for part in self._summed(terms)), dtype=np.float64)

    def loss(self, terms: Sequence[Floats]) -> tuple[float, Floats]:
        """The criterion, and the Gauss-Newton form of half its second derivative, (2, 2)."""
        products = np.sum([self._products(part) for part in self._summed(terms)], axis=0)
        return float(products[0, 0]), products[1:, 1:]

    def _summed(self, terms: Sequence[Floats]) -> Sequence[Floats]:
        return terms if self.method is Method.HAEBARA else [np.sum(terms, axis=0)]

    def _products(self, part: Floats) -> Floats:
        weights = np.tile(self.weights, part.shape[2] // len(self.weights))
        return np.asarray(np.einsum("ikq,jkq,q->ij", part, part, weights), dtype=np.float64)

    @property
    def by_moments(self) -> bool:
        """Whether A and B are moments of the parameters, in closed form."""
        return self.method in (Method.MEAN_MEAN, Method.MEAN_SIGMA)


def grid(ability: tuple[float, float]) -> tuple[Floats, Floats]:
    """Gauss-Hermite nodes and weights of sum 1 for abilities with this mean and sd, both (30,)."""
    mean, sd = ability
    if not (isfinite(mean) and isfinite(sd) and sd > 0):
        raise CannotLink(f"abilities with mean {mean} and sd {sd} weigh nothing")
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return mean + sd * nodes, weights / weights.sum()


def _moments(pairs: Pairs, method: Method) -> Floats:
    before = np.array([b for one, _ in pairs.values() for b in one.b])
    after = np.array([b for _, other in pairs.values() for b in other.b])
    if _slope_is_fixed(pairs):
        slope = 1.0
    elif method is Method.MEAN_SIGMA:
        slope = _ratio(float(after.std()), float(before.std()), "the difficulties of the common items do not vary")
    else:
        slope = _ratio(
            sum(one.a for one, _ in pairs.values()),
            sum(other.a for _, other in pairs.values()),
            "the slopes of the common items average to nothing",
        )
    return np.array([slope, after.mean() - slope * before.mean()])


def _ratio(over: float, under: float, trouble: str) -> float:
    if abs(under) < 1e-9 or over / under < 1e-9:
        raise CannotLink(f"{trouble}: they determine no A")
    return over / under


def _slope_is_fixed(pairs: Pairs) -> bool:
    return all(one.model in FIXED_SLOPE for one, _ in pairs.values())


def solve(pairs: Pairs, criterion: Criterion) -> Floats:
    """A and B that minimise the criterion or match the moments, (2,). Raises CannotLink."""
    if criterion.by_moments:
        return _moments(pairs, criterion.method)
    trouble = None
    for start in (Method.MEAN_MEAN, Method.MEAN_SIGMA):
        try:
            return _descend(pairs, criterion, _moments(pairs, start))
        except CannotLink as stuck:
            trouble = trouble or stuck
    assert trouble is not None
    raise trouble


def _descend(pairs: Pairs, criterion: Criterion, at: Floats) -> Floats:
    """Gauss-Newton, and Newton's method itself where that is slow; every step lowers the criterion."""
    free = np.array([not _slope_is_fixed(pairs), True])
    terms = [criterion.terms(pair, at) for pair in pairs.values()]
    loss, about = criterion.loss(terms)
    for turn in range(ROUNDS):
        slope = criterion.gradient(terms)[free]
        curvature = about[np.ix_(free, free)] + 1e-12 * np.eye(int(free.sum()))
        if turn >= SLOW:
            exact = _curvature(pairs, criterion, at)[np.ix_(free, free)]
            if np.linalg.eigvalsh(exact)[0] > 1e-12 * max(1.0, float(np.abs(exact).max())):
                curvature = exact
        step = np.zeros(2)
        step[free] = np.linalg.solve(curvature, -slope)
        if np.abs(step).max() < 1e-8:
            return at + step  # either method's error is well below its last step
        for halving in range(30):
            reached = at + step / 2**halving
            if reached[0] > 1e-6:
                tried = [criterion.terms(pair, reached) for pair in pairs.values()]
                lower, new_about = criterion.loss(tried)
                if lower < loss:
                    break
        else:
            return at  # no step lowers it any more: the minimum, as far as float64 can tell
        at, terms, loss, about = reached, tried, lower, new_about
    raise CannotLink("the criterion has no minimum: the common items' curves are too different or too flat")


def _curvature(pairs: Pairs, criterion: Criterion, at: Floats) -> Floats:
    """∂g/∂(A, B), (2, 2)."""
    made = np.empty((2, 2))
    for place in range(2):
        step = np.zeros(2)
        step[place] = STEP * max(1.0, abs(at[place]))
        ahead = criterion.gradient([criterion.terms(pair, at + step) for pair in pairs.values()])
        behind = criterion.gradient([criterion.terms(pair, at - step) for pair in pairs.values()])
        made[:, place] = (ahead - behind) / (2 * step[place])
    return (made + made.T) / 2


def gradients(pairs: Pairs, criterion: Criterion, at: Floats) -> tuple[Gradient, Gradient]:
    """∂(A, B)/∂γ for the parameters of the FROM and of the TO form, each (2,), where (A, B) is what was found."""
    if criterion.by_moments:
        solved = np.eye(2)
    else:
        free = np.array([not _slope_is_fixed(pairs), True])
        solved = np.zeros((2, 2))
        solved[np.ix_(free, free)] = -np.linalg.inv(_curvature(pairs, criterion, at)[np.ix_(free, free)])
    terms = {} if criterion.by_moments else {name: criterion.terms(pair, at) for name, pair in pairs.items()}
    summed = np.sum(list(terms.values()), axis=0) if criterion.method is Method.STOCKING_LORD else None

    def equations(name: str, pair: tuple[Parameters, Parameters]) -> Floats:
        if criterion.by_moments:
            return _moments(pairs | {name: pair}, criterion.method)
        own = criterion.terms(pair, at)
        return criterion.gradient([own if summed is None else summed - terms[name] + own])

    made: tuple[Gradient, Gradient] = ({}, {})
    for name, pair in pairs.items():
        for side in (0, 1):
            for parameter in parameter_names(pair[side]):
                step = STEP * max(1.0, abs(value(pair[side], parameter)))
                ahead, behind = (_replaced(pair, side, moved(pair[side], parameter, by)) for by in (step, -step))
                change = (equations(name, ahead) - equations(name, behind)) / (2 * step)
                made[side][name, parameter] = solved @ change
    return made


def _replaced(pair: tuple[Parameters, Parameters], side: int, item: Parameters) -> tuple[Parameters, Parameters]:
    return (item, pair[1]) if side == 0 else (pair[0], item)


def as_pairs(matrix: Floats) -> tuple[tuple[float, float], tuple[float, float]]:
    """A 2 × 2 covariance as the tuples a link keeps."""
    return (float(matrix[0, 0]), float(matrix[0, 1])), (float(matrix[1, 0]), float(matrix[1, 1]))
