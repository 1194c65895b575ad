"""What ability a pattern of responses speaks for: EAP, MAP, WLE and ML, each with its standard error.

Abilities are in logits (D = 1). EAP is the expected a posteriori of Bock & Mislevy (1982, "Adaptive EAP estimation of
ability in a microcomputer environment", Applied Psychological Measurement 6, 431–444) and its standard error the
posterior's standard deviation; MAP, ML and the weighted likelihood of Warm (1989, Psychometrika 54, 427–450) have
1/sqrt of the observed information (see `maxima`). A student without any usable response has no estimate: NaN in both.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np

from services.assessment.domain.irt import plain
from services.assessment.domain.irt.kernels import VERSIONS, Kernel, Name
from services.assessment.domain.irt.maxima import Extra
from services.assessment.domain.irt.models import Floats, Parameters, information
from services.assessment.domain.irt.packing import Bytes, Packed, entries, pack
from services.assessment.domain.irt.quadrature import CUT, fine_enough, log_normal_weights
from services.assessment.domain.irt.responses import NOT_PRESENTED, Codes, Responses, Sparse
from services.assessment.domain.irt.tables import Tables, tables

NODES = 61
"""Fewest nodes of a posterior; tests that measure sharply get more."""

BATCH = 8192


def engine_version(kernel: Name) -> str:
    """How scores name what computed them: the method, the fewest nodes and the kernel."""
    return f"eap-2:{NODES}:{VERSIONS[kernel]}"


class Method(StrEnum):
    """How an ability is estimated."""

    EAP = "eap"
    MAP = "map"
    WLE = "wle"
    ML = "ml"


@dataclass(frozen=True, slots=True)
class Prior:
    """A normal distribution of abilities, logits."""

    mean: float = 0.0
    sd: float = 1.0


@dataclass(frozen=True, slots=True)
class Estimates:
    """Abilities and standard errors, both (students,), logits.

    NaN in both: no usable response. Infinite in both: the likelihood rises for ever (ML of all right or all wrong).
    """

    theta: Floats
    se: Floats


STANDARD = Prior()


def estimate(
    method: Method,
    responses: Responses | Sparse,
    items: Sequence[Parameters],
    *,
    prior: Prior = STANDARD,
    kernel: Kernel = plain,
    bounds: tuple[float, float] | None = None,
) -> Estimates:
    """Abilities by that method; `prior` is that of EAP and MAP, `bounds` those of infinite ML."""
    match method:
        case Method.EAP:
            return eap(responses, items, prior=prior, kernel=kernel)
        case Method.MAP:
            return map_(responses, items, prior=prior, kernel=kernel)
        case Method.WLE:
            return wle(responses, items, kernel=kernel)
        case Method.ML:
            return ml(responses, items, bounds=bounds, kernel=kernel)


def eap(
    responses: Responses | Sparse | Packed,
    items: Sequence[Parameters],
    *,
    prior: Prior = STANDARD,
    kernel: Kernel = plain,
    nodes: int = NODES,
) -> Estimates:
    """Expected a posteriori θ̂ = Σ θ p and standard error sqrt Σ (θ − θ̂)² p, on at least this many nodes.

    Whose posterior has weight at the ends of the nodes is computed again on nodes that reach twice as far, until they
    do reach: few under the prior that fits the students, many where it is narrow or far from what they answer.
    """
    packed = (
        pack(responses, [item.categories for item in items]) if isinstance(responses, Responses | Sparse) else responses
    )
    form = tuple(items), _sharpest(packed, items), nodes, prior
    found = kernel.moments(packed, _tables(*form, 1))
    cut, times = np.flatnonzero(found.edge > CUT), 1
    while len(cut):
        times *= 2
        again = kernel.exactly(entries(packed, cut), _tables(*form, times))
        found.mean[cut], found.sd[cut] = again.mean, again.sd
        cut = cut[again.edge > CUT]
    silent = _silent(packed)
    found.mean[silent] = np.nan
    found.sd[silent] = np.nan
    return Estimates(found.mean, found.sd)


def map_(
    responses: Responses | Sparse, items: Sequence[Parameters], *, prior: Prior = STANDARD, kernel: Kernel = plain
) -> Estimates:
    """Maximum a posteriori; the prior's precision counts as information."""
    return _highest(responses, items, Extra.PRIOR, prior, kernel)


def wle(responses: Responses | Sparse, items: Sequence[Parameters], *, kernel: Kernel = plain) -> Estimates:
    """Warm's weighted likelihood: the root of Σ s + J/(2I); finite whatever the responses are."""
    return _highest(responses, items, Extra.WARM, STANDARD, kernel)


def ml(
    responses: Responses | Sparse,
    items: Sequence[Parameters],
    *,
    bounds: tuple[float, float] | None = None,
    kernel: Kernel = plain,
) -> Estimates:
    """Maximum likelihood; with `bounds` nobody lies outside, and who does has the expected error at the bound."""
    found = _highest(responses, items, Extra.NOTHING, STANDARD, kernel)
    if bounds is None:
        return found
    for bound, outside in ((bounds[0], found.theta < bounds[0]), (bounds[1], found.theta > bounds[1])):
        facts = np.array([float(information(item, np.array([bound]))[0]) for item in items])
        for start, codes in _dense(responses):
            own = np.flatnonzero(outside[start : start + len(codes)])
            found.se[start + own] = 1 / np.sqrt((codes[own] != NOT_PRESENTED) @ facts)
        found.theta[outside] = bound
    return found


def _highest(
    responses: Responses | Sparse, items: Sequence[Parameters], extra: Extra, prior: Prior, kernel: Kernel
) -> Estimates:
    theta, error = np.empty(responses.students), np.empty(responses.students)
    for start, codes in _dense(responses):
        part = slice(start, start + len(codes))
        theta[part], error[part] = kernel.highest(codes, items, extra, prior.mean, prior.sd)
    return Estimates(theta, error)


def _dense(responses: Responses | Sparse) -> Iterator[tuple[int, Codes]]:
    """The codes of some students at a time, and the first of them."""
    for start in range(0, responses.students, BATCH):
        if isinstance(responses, Responses):
            yield start, responses.codes[start : start + BATCH]
            continue
        bounds = responses.bounds[start : start + BATCH + 1]
        codes = np.full((len(bounds) - 1, responses.width), NOT_PRESENTED, dtype=np.uint8)
        own = slice(bounds[0], bounds[-1])
        codes[np.repeat(np.arange(len(codes)), np.diff(bounds)), responses.items[own]] = responses.scores[own]
        yield start, codes


@lru_cache(maxsize=16)
def _tables(items: tuple[Parameters, ...], information: float, least: int, prior: Prior, times: int) -> Tables:
    """Kept for forms whose sheets come in one by one."""
    places = fine_enough(information, least, prior.mean, prior.sd, times)
    return tables(items, places, log_normal_weights(places, prior.mean, prior.sd))


def _sharpest(packed: Packed, items: Sequence[Parameters]) -> float:
    """An upper bound of the information that any of these students' tests gives."""
    facts = np.array([_most_information(item) for item in items])
    if isinstance(packed, Bytes):
        return float(facts.sum())
    of_row = np.repeat(facts, packed.layout.categories)
    before = np.concatenate([[0.0], np.cumsum(of_row[packed.rows])])
    return float(np.diff(before[packed.bounds]).max(initial=0.0))


@lru_cache(maxsize=8192)
def _most_information(item: Parameters) -> float:
    """The most information an item gives anywhere: looked for at and around its thresholds."""
    around = np.arange(-8, 9) / (4 * max(abs(item.a), 1e-9))
    return float(information(item, np.concatenate([step + around for step in item.b])).max())


def _silent(packed: Packed) -> Floats:
    """Who has no response at all, (students,) booleans."""
    if not isinstance(packed, Bytes):
        return np.asarray(np.diff(packed.bounds) == 0)
    if not packed.layout.groups:
        return np.ones(packed.students, dtype=bool)
    if not packed.layout.missing:
        return np.zeros(packed.students, dtype=bool)
    nothing = np.array(packed.layout.patterns) - 1
    return np.asarray((packed.codes == nothing).all(axis=1))
