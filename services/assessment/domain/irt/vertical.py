"""Vertical scale: forms of several grades on one scale, with the error that every link on the way adds.

Chained: neighbours share items, each is linked to the next, and the links are put one after the other. Neighbouring
links share the form between them, so their errors are not independent; what is accumulated here is the delta method
over the parameters of all forms at once (Battauz 2013).

Concurrent: all forms are calibrated in one run with a group per grade (`calibration`), and there is nothing left to
link; anchored: a new form is calibrated with the old items fixed (fixed-parameter calibration), and its abilities are
on the old scale as they come, `linking.IDENTITY`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from services.assessment.domain.irt.linking import (
    IDENTITY,
    CannotLink,
    Covariance,
    Criterion,
    Gradient,
    Link,
    Method,
    as_pairs,
    common_items,
    gradients,
    grid,
    solve,
)
from services.assessment.domain.irt.models import Floats, Parameters


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """A form on a scale of its own, such as a grade's: items by name and, where known, their covariance."""

    name: str
    items: Mapping[str, Parameters]
    covariance: Covariance | None = None


def chain(forms: Sequence[Calibrated], method: Method | str = Method.STOCKING_LORD, *, symmetric: bool = False) -> Link:
    """The link of the first form's scale to the last one's, through every form between.

    A = A₂A₁ and B = A₂B₁ + B₂ for two links, and so on. Raises CannotLink, naming the two forms that cannot be linked.
    """
    if not forms:
        raise CannotLink("there is no form to link")
    if len(forms) == 1:
        return replace(IDENTITY, method=Method(method))
    criterion = Criterion(Method(method), symmetric, *grid((0.0, 1.0)))
    total = np.array([1.0, 0.0])
    slopes: list[Gradient] = [{} for _ in forms]
    for place, (one, other) in enumerate(pairwise(forms)):
        try:
            pairs = common_items(one.items, other.items)
            found = solve(pairs, criterion)
        except CannotLink as trouble:
            raise CannotLink(f"{one.name} to {other.name}: {trouble}") from trouble
        # New A and B are A₂A₁ and A₂B₁ + B₂: what was known before is scaled, the new link's own error comes in.
        before = found[0] * np.eye(2)
        own = np.array([[total[0], 0.0], [total[1], 1.0]])
        for gradient in slopes[: place + 1]:
            for key in gradient:
                gradient[key] = before @ gradient[key]
        for gradient, new in zip(slopes[place : place + 2], gradients(pairs, criterion, found), strict=True):
            for key, derivative in new.items():
                gradient[key] = gradient.get(key, np.zeros(2)) + own @ derivative
        total = np.array([found[0] * total[0], found[0] * total[1] + found[1]])
    made = Link(float(total[0]), float(total[1]), None, (), criterion.method)
    known = [form.covariance for form in forms]
    if any(covariance is None for covariance in known):
        return made
    parts: list[Floats] = [
        covariance.of(gradient) for covariance, gradient in zip(known, slopes, strict=True) if covariance and gradient
    ]
    return replace(made, covariance=as_pairs(np.sum(parts, axis=0)))


def vertical_scale(
    forms: Sequence[Calibrated], base: str, method: Method | str = Method.STOCKING_LORD, *, symmetric: bool = False
) -> dict[str, Link]:
    """Every form's link onto the scale of `base`; neighbours in the order given share items."""
    names = [form.name for form in forms]
    if len(set(names)) != len(names):
        raise CannotLink("two forms have the same name")
    if base not in names:
        raise CannotLink(f"there is no form {base} to be the base")
    at = names.index(base)
    made = {}
    for place, name in enumerate(names):
        way = forms[place : at + 1] if place <= at else forms[at : place + 1][::-1]
        made[name] = chain(way, method, symmetric=symmetric)
    return made
