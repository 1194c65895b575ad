"""Drift: common items that changed between two calibrations, so that they cannot carry the link.

Two screens, for two uses.

*Anchors before a link is used.* Robust z (Huynh & Meyer 2010) of each anchor's thresholds, b_TO − (A b_FROM + B), and
of its slope, log(A a_TO / a_FROM): z = (difference − median)/(1.483 × median absolute deviation), which stands up to
nearly half of the anchors drifting where their interquartile range stands up to a quarter. Beside it the distance of
the curves, d = sqrt(Σ w (E_TO(θ) − E_FROM((θ − B)/A))²)/m over N(0, 1), a part of the item's points. An anchor with
|z| above 2.7 *and* d above 0.05 has drifted. The worst (largest d) is taken out, the rest are linked anew, and so on
until none has drifted. No more than a fifth of the anchors may go, and two must stay; when more would have to, the
report says that the link should not be trusted.

*Every item, with its standard error.* Wald's chi-square of an item's parameters in TO against those of FROM on the TO
scale, with the covariance of both calibrations and of the link that was estimated from them (delta method over all
parameters at once). p-values are also given as Holm adjusts them for the number of items.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import isfinite, log

import numpy as np

from services.assessment.domain.irt.linking import (
    CannotLink,
    Covariance,
    Criterion,
    Gradient,
    Link,
    Method,
    Pairs,
    common_items,
    gradients,
    grid,
    link,
    parameter_names,
    solve,
    value,
)
from services.assessment.domain.irt.models import Floats, Parameters, expected_score

LARGEST_Z = 2.7
LARGEST_DISTANCE = 0.05
LARGEST_PART = 0.2
LEAST_SPREAD = 1e-6  # logits; differences this small are rounding, not drift


@dataclass(frozen=True, slots=True)
class Anchor:
    """An anchor under the last link it was tested with: robust z, the curves' distance, the round it left in."""

    item: str
    z_slope: float | None
    z_threshold: float
    distance: float
    removed_in_round: int | None = None


@dataclass(frozen=True, slots=True)
class AnchorDrift:
    """What the screen found; `link` rests on the anchors that stay, `trusted` says whether few enough had to go."""

    link: Link
    anchors: tuple[Anchor, ...]
    trusted: bool

    @property
    def removed(self) -> tuple[str, ...]:
        """The anchors that drifted, in the order in which they were taken out."""
        gone = [anchor for anchor in self.anchors if anchor.removed_in_round is not None]
        return tuple(anchor.item for anchor in sorted(gone, key=lambda anchor: anchor.removed_in_round or 0))


def anchor_drift(
    from_items: Mapping[str, Parameters],
    to_items: Mapping[str, Parameters],
    method: Method | str = Method.STOCKING_LORD,
    covariance_from: Covariance | None = None,
    covariance_to: Covariance | None = None,
    *,
    largest_z: float = LARGEST_Z,
    largest_distance: float = LARGEST_DISTANCE,
    largest_part: float = LARGEST_PART,
) -> AnchorDrift:
    """Link two forms by the common items that did not drift. Raises CannotLink as `link` does."""
    anchors = len(common_items(from_items, to_items))
    gone: dict[str, Anchor] = {}
    while True:
        made = link(from_items, to_items, method, covariance_from, covariance_to, without=gone)
        screened = _screened(common_items(from_items, to_items, gone), made)
        drifted = [
            anchor
            for anchor in screened
            if max(abs(anchor.z_threshold), abs(anchor.z_slope or 0.0)) > largest_z
            and anchor.distance > largest_distance
        ]
        enough = len(gone) + 1 <= largest_part * anchors and anchors - len(gone) - 1 >= 2
        if not drifted or not enough:
            found = sorted([*gone.values(), *screened], key=lambda anchor: anchor.item)
            return AnchorDrift(made, tuple(found), trusted=not drifted)
        worst = max(drifted, key=lambda anchor: (anchor.distance, anchor.item))
        gone[worst.item] = Anchor(worst.item, worst.z_slope, worst.z_threshold, worst.distance, len(gone) + 1)


def _screened(pairs: Pairs, made: Link) -> list[Anchor]:
    lifted = {name: made.item(one) for name, (one, _) in pairs.items()}
    steps = [other.b[k] - lifted[name].b[k] for name, (_, other) in pairs.items() for k in range(len(other.b))]
    of_step = iter(_robust(np.array(steps)))
    worst = {name: max((next(of_step) for _ in other.b), key=abs) for name, (_, other) in pairs.items()}
    sloped = [name for name, (_, other) in pairs.items() if "a" in parameter_names(other)]
    of_slope = _robust(np.array([log(pairs[name][1].a / lifted[name].a) for name in sloped]))
    slopes = dict(zip(sloped, of_slope.tolist(), strict=True))
    theta, weights = grid((0.0, 1.0))
    return [
        Anchor(name, slopes.get(name), float(worst[name]), _distance(lifted[name], other, theta, weights))
        for name, (_, other) in pairs.items()
    ]


def _robust(differences: Floats) -> Floats:
    """(difference − median)/(1.483 × median absolute deviation); 0 for differences that are only rounding."""
    if not len(differences):
        return differences
    away = differences - np.median(differences)
    away[np.abs(away) < LEAST_SPREAD] = 0.0
    return np.asarray(away / max(1.483 * float(np.median(np.abs(away))), LEAST_SPREAD), dtype=np.float64)


def _distance(one: Parameters, other: Parameters, theta: Floats, weights: Floats) -> float:
    apart = (expected_score(other, theta) - expected_score(one, theta)) / len(other.b)
    return float(np.sqrt((weights * apart * apart).sum()))


@dataclass(frozen=True, slots=True)
class ItemDrift:
    """Wald's test that an item has not changed: chi-square, its degrees of freedom, p and p after Holm."""

    item: str
    chi_square: float
    df: int
    p: float
    p_holm: float


def item_drift(
    from_items: Mapping[str, Parameters],
    to_items: Mapping[str, Parameters],
    covariance_from: Covariance,
    covariance_to: Covariance,
    method: Method | str = Method.STOCKING_LORD,
    *,
    without: Collection[str] = (),
) -> tuple[ItemDrift, ...]:
    """Every common item's change from FROM to TO, in the order of names; `without` carry no link but are tested.

    Raises CannotLink as `link` does, and for an item whose change has no variance.
    """
    criterion = Criterion(Method(method), False, *grid((0.0, 1.0)))
    pairs = common_items(from_items, to_items, without)
    at = solve(pairs, criterion)
    made = Link(float(at[0]), float(at[1]))
    by_link = gradients(pairs, criterion, at)
    found = [
        _tested(name, pair, made, by_link, (covariance_from, covariance_to))
        for name, pair in common_items(from_items, to_items).items()
    ]
    return _holm(found)


def _tested(
    name: str,
    pair: tuple[Parameters, Parameters],
    made: Link,
    by_link: tuple[Gradient, Gradient],
    covariances: tuple[Covariance, Covariance],
) -> ItemDrift:
    from scipy.special import chdtrc  # here only: scipy takes long to load, and few processes test for drift

    one, other = pair
    names = parameter_names(other)
    change = np.array([value(other, parameter) - value(made.item(one), parameter) for parameter in names])
    # The change moves with A and B, which move with every item's parameters, and with the item's own parameters.
    by_constants = -np.array([_by_constants(one, parameter, made) for parameter in names])
    own: tuple[Gradient, Gradient] = ({}, {})
    for side in (0, 1):
        for key, derivative in by_link[side].items():
            own[side][key] = by_constants @ derivative
        for place, parameter in enumerate(names):
            direct = np.zeros(len(names))
            direct[place] = 1.0 if side else -_by_own(parameter, made)
            own[side][name, parameter] = own[side].get((name, parameter), np.zeros(len(names))) + direct
    variance = covariances[0].of(own[0]) + covariances[1].of(own[1])
    try:
        chi_square = float(change @ np.linalg.solve(variance, change))
    except np.linalg.LinAlgError as singular:
        raise CannotLink(f"item {name}: its change has no variance, the covariances do not know it") from singular
    if not isfinite(chi_square) or chi_square < 0:
        raise CannotLink(f"item {name}: the covariance of its change is no covariance")
    p = float(chdtrc(len(names), chi_square))
    return ItemDrift(name, chi_square, len(names), p, p)


def _by_constants(item: Parameters, name: str, made: Link) -> tuple[float, float]:
    """∂/∂(A, B) of a parameter carried over: a/A, A b + B, c."""
    if name == "a":
        return -item.a / made.A**2, 0.0
    return (0.0, 0.0) if name == "c" else (value(item, name), 1.0)


def _by_own(name: str, made: Link) -> float:
    """∂/∂(itself) of a parameter carried over."""
    if name == "a":
        return 1 / made.A
    return 1.0 if name == "c" else made.A


def _holm(found: list[ItemDrift]) -> tuple[ItemDrift, ...]:
    """Holm (1979): the k-th smallest of n p-values times n − k + 1, never falling."""
    highest = 0.0
    adjusted = {}
    for place, each in enumerate(sorted(found, key=lambda each: each.p)):
        highest = max(highest, min(1.0, each.p * (len(found) - place)))
        adjusted[each.item] = highest
    return tuple(ItemDrift(e.item, e.chi_square, e.df, e.p, adjusted[e.item]) for e in found)
