"""Adaptive testing: which item next, and when to stop.

The next item has most Fisher information at the ability estimated so far (Lord 1980), looked up at the nearest of a
grid of abilities 0.05 sd apart; equals go by their place in the bank. Abilities during and after the test are expected
a posteriori: finite from the first answer on, and a right answer never lowers them, nor a wrong one raises them,
however hard the bank is (a rising curve times a posterior moves the posterior up).

* **Content balance** (Kingsbury & Zara 1989): the next item comes from the area furthest below its share,
  max_k share_k (n + 1) − n_k after n items; ties go to the area named first.
* **Exposure**: an item is offered only to students for whom it is eligible (van der Linden & Veldkamp 2004). Which
  those are is drawn by the caller; `simulation` keeps every item's rate under the limit so.
* Where no eligible item of the area is left, another area's eligible item is taken, and where none is eligible any
  unused one: exposure counts for more than content, and going on for more than both.
* **Stop** after `shortest` items when the standard error is at most `se`, when the student is classified at every cut,
  or after `longest` items. Classified means that the confidence interval θ̂ ± z·SE holds no cut (`interval`; Kingsbury &
  Weiss 1983), or that the likelihood ratio between cut + δ and cut − δ is outside Wald's bounds at every cut (`sprt`;
  Wald 1947, Reckase 1983), α = β = (1 − confidence)/2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from math import ceil, erf, floor, isfinite, log, sqrt
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.irt.models import Floats, Model, Parameters, information, log_probabilities
from services.assessment.domain.irt.quadrature import equally_spaced, log_normal_weights

Indices = NDArray[np.int64]

REACH = 6.0  # sd of the prior on either side of its mean
SPACING, FINEST = 0.2, 0.05  # sd between nodes: the first, or the standard error aimed at, but not below the second
GRID = 0.05  # sd between the abilities for which the bank is ranked


class BadBank(ValueError):
    """This bank cannot be tested from adaptively."""


class BadRules(ValueError):
    """These rules ask for what cannot be."""


class Stop(IntEnum):
    """Why a test ended."""

    PRECISE = 1
    CLASSIFIED = 2
    LENGTH = 3
    EXHAUSTED = 4


@dataclass(frozen=True, slots=True)
class Rules:
    """How a test goes on and when it stops; see the module.

    `se` in logits, None for no such stop. `content` names the area of every item of the bank, `shares` what part of a
    test each area should be (the areas' parts of the bank when None). `exposure` is the largest part of students that
    may see an item. `prior` is mean and sd of ability.
    """

    se: float | None = 0.30
    shortest: int = 1
    longest: int = 60
    content: tuple[str, ...] | None = None
    shares: Mapping[str, float] | None = field(default=None, hash=False)
    exposure: float | None = None
    cuts: tuple[float, ...] = ()
    decide: Literal["interval", "sprt"] = "interval"
    confidence: float = 0.95
    indifference: float = 0.3
    prior: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.se is not None and not self.se > 0:
            raise BadRules(f"a standard error of {self.se} is never reached")
        if not 1 <= self.shortest <= self.longest:
            raise BadRules(f"a test of at least {self.shortest} and at most {self.longest} items is none")
        if self.exposure is not None and not 0 < self.exposure <= 1:
            raise BadRules(f"exposure is a part of the students, above 0 and at most 1, not {self.exposure}")
        if not 0.5 < self.confidence < 1:
            raise BadRules(f"confidence lies between 0.5 and 1, {self.confidence} does not")
        if not self.indifference > 0:
            raise BadRules(f"an indifference region of {self.indifference} is none")
        if not (isfinite(self.prior[0]) and isfinite(self.prior[1]) and self.prior[1] > 0):
            raise BadRules(f"a prior with mean {self.prior[0]} and sd {self.prior[1]} is none")
        if list(self.cuts) != sorted(set(self.cuts)) or not all(map(isfinite, self.cuts)):
            raise BadRules(f"cuts must be finite and rise: {self.cuts}")
        if self.shares is not None and self.content is None:
            raise BadRules("there are shares of content areas, but no item has an area")


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """A bank made ready for testing under rules: the tables both kernels read.

    `nodes`, `prior` (Q,); `chances` (rows, Q) the probability of each score of each item, item after item, those of
    item i from row first[i] to first[i + 1]. `ranked` (areas + 1, grid, items): items by falling information, padded
    with −1, the last for all areas together. `ratios` (cuts, rows) are the log-likelihood ratios of the scores.
    `slopes`, `asymptotes` (items,), `thresholds` (items, steps; +inf where an item has fewer) and `steps_add` (partial
    credit) are for drawing answers.
    """

    rules: Rules
    nodes: Floats
    prior: Floats
    first: Indices
    chances: Floats
    ranked: NDArray[np.int32]
    shares: Floats
    area: NDArray[np.int32]
    low: float
    spacing: float
    cuts: Floats
    ratios: Floats
    slopes: Floats
    asymptotes: Floats
    thresholds: Floats
    steps_add: NDArray[np.bool_]

    @property
    def items(self) -> int:
        """How many items the bank has."""
        return len(self.slopes)

    @property
    def longest(self) -> int:
        """The most items a test can have."""
        return min(self.rules.longest, self.items)

    @property
    def z(self) -> float:
        """Half the width of the confidence interval in standard errors."""
        return _normal_quantile(0.5 + self.rules.confidence / 2)

    @property
    def bound(self) -> float:
        """Wald's upper bound log (1 − β)/α; the lower is its negative."""
        error = (1 - self.rules.confidence) / 2
        return log((1 - error) / error)


def prepare(bank: Sequence[Parameters], rules: Rules) -> Pool:
    """The bank's tables under these rules. Raises BadBank for an item of no use, BadRules for an area without items."""
    if not bank:
        raise BadBank("the bank has no item")
    for place, item in enumerate(bank):
        if not all(map(isfinite, (item.a, item.c, *item.b))) or not item.b:
            raise BadBank(f"item {place}: a parameter is not a finite number")
        if not item.a > 0:
            raise BadBank(f"item {place}: with slope {item.a} a better student does not answer better")
    mean, sd = rules.prior
    apart = min(SPACING, max(FINEST, rules.se / sd)) if rules.se is not None else SPACING
    nodes = equally_spaced(2 * ceil(REACH / apart) + 1, mean, sd, REACH)
    chances = [np.exp(log_probabilities(item, nodes)) for item in bank]
    areas, area, shares = _areas(len(bank), rules)
    grid = equally_spaced(2 * round(REACH / GRID) + 1, mean, sd, REACH)
    cuts = np.array(rules.cuts, dtype=np.float64)
    ends = [
        log_probabilities(item, np.concatenate([cuts - rules.indifference, cuts + rules.indifference])) for item in bank
    ]
    logs = np.concatenate(ends)
    thresholds = np.full((len(bank), max(len(item.b) for item in bank)), np.inf)
    for place, item in enumerate(bank):
        thresholds[place, : len(item.b)] = item.b
    return Pool(
        rules=rules,
        nodes=nodes,
        prior=np.exp(log_normal_weights(nodes, mean, sd)),
        first=np.concatenate([[0], np.cumsum([len(each) for each in chances])]),
        chances=np.concatenate(chances),
        ranked=_ranked(bank, grid, area, len(areas)),
        shares=shares,
        area=area,
        low=float(grid[0]),
        spacing=float(grid[1] - grid[0]),
        cuts=cuts,
        ratios=np.ascontiguousarray((logs[:, len(cuts) :] - logs[:, : len(cuts)]).T),
        slopes=np.array([item.a for item in bank], dtype=np.float64),
        asymptotes=np.array([item.c for item in bank], dtype=np.float64),
        thresholds=thresholds,
        steps_add=np.array([item.model in (Model.PCM, Model.GPCM) for item in bank]),
    )


def _areas(items: int, rules: Rules) -> tuple[list[str], NDArray[np.int32], Floats]:
    """The areas in the order in which the bank names them, every item's area, and the areas' shares of a test."""
    content = rules.content if rules.content is not None else ("",) * items
    if len(content) != items:
        raise BadRules(f"{len(content)} items have a content area, the bank has {items}")
    areas = list(dict.fromkeys(content))
    area = np.array([areas.index(each) for each in content], dtype=np.int32)
    if rules.shares is None:
        return areas, area, np.bincount(area) / items
    for named in rules.shares:
        if named not in areas:
            raise BadRules(f"content area {named} has a share, but no item")
    wanted = np.array([rules.shares.get(each, 0.0) for each in areas], dtype=np.float64)
    if not np.isfinite(wanted).all() or (wanted < 0).any() or wanted.sum() <= 0:
        raise BadRules("shares of content areas are numbers from 0 on, not all 0")
    return areas, area, wanted / wanted.sum()


def _ranked(bank: Sequence[Parameters], grid: Floats, area: NDArray[np.int32], areas: int) -> NDArray[np.int32]:
    told = np.stack([information(item, grid) for item in bank], axis=1)
    order = np.argsort(-told, axis=1, kind="stable").astype(np.int32)
    made = np.full((areas + 1, len(grid), len(bank)), -1, dtype=np.int32)
    for each in range(areas):
        own = order[area[order] == each].reshape(len(grid), -1)
        made[each, :, : own.shape[1]] = own
    made[areas] = order
    return made


@dataclass(frozen=True, slots=True)
class Step:
    """Where a test stands: ability and standard error in logits, the next item's place in the bank or why none is."""

    theta: float
    se: float
    item: int | None
    stop: Stop | None


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What a kernel's `administer` answers for n students; the fields are those of `simulation.Simulated`."""

    theta: Floats
    se: Floats
    items: NDArray[np.int32]
    scores: NDArray[np.uint8]
    length: NDArray[np.int32]
    stop: NDArray[np.uint8]


def nothing_given(students: int, longest: int) -> Given:
    """Before the first item: items −1, scores 255, no ability yet."""
    return Given(
        np.empty(students),
        np.empty(students),
        np.full((students, longest), -1, dtype=np.int32),
        np.full((students, longest), 255, dtype=np.uint8),
        np.zeros(students, dtype=np.int32),
        np.zeros(students, dtype=np.uint8),
    )


def step(pool: Pool, given: Sequence[int], scores: Sequence[int], eligible: NDArray[np.bool_] | None = None) -> Step:
    """What comes after these items with these scores; `eligible` (items,) says which items this student may see."""
    if len(given) != len(scores) or len(set(given)) != len(given):
        raise BadRules("every item is given once and has one score")
    posterior = pool.prior.copy()
    ratio = np.zeros(len(pool.cuts))
    for item, score in zip(given, scores, strict=True):
        if not 0 <= item < pool.items or not 0 <= score < pool.first[item + 1] - pool.first[item]:
            raise BadRules(f"item {item}: there is no such item, or it has no score {score}")
        row = pool.first[item] + score
        posterior = posterior * pool.chances[row]
        posterior /= posterior.sum()
        ratio += pool.ratios[:, row]
    theta = float(posterior @ pool.nodes)
    away = pool.nodes - theta
    se = sqrt(float(posterior @ (away * away)))
    stop = _stop(pool, len(given), theta, se, ratio)
    return Step(theta, se, None if stop else next_item(pool, given, theta, eligible), stop)


def _stop(pool: Pool, given: int, theta: float, se: float, ratio: Floats) -> Stop | None:
    rules = pool.rules
    if given >= rules.shortest:
        if rules.se is not None and se <= rules.se:
            return Stop.PRECISE
        if len(pool.cuts) and is_classified(pool, theta, se, ratio):
            return Stop.CLASSIFIED
    if given >= rules.longest:
        return Stop.LENGTH
    return Stop.EXHAUSTED if given >= pool.items else None


def is_classified(pool: Pool, theta: float, se: float, ratio: Floats) -> bool:
    """Whether the student is on a known side of every cut."""
    if pool.rules.decide == "sprt":
        return bool((np.abs(ratio) >= pool.bound).all())
    return bool((np.abs(theta - pool.cuts) >= pool.z * se).all())


def next_item(pool: Pool, given: Sequence[int], theta: float, eligible: NDArray[np.bool_] | None = None) -> int:
    """The item to give next to a student who had these and stands there."""
    free = np.ones(pool.items, dtype=bool)
    free[list(given)] = False
    allowed = free if eligible is None else free & eligible
    had = np.bincount(pool.area[list(given)], minlength=len(pool.shares))
    area = int(np.argmax(pool.shares * (len(given) + 1) - had))
    place = min(max(floor((theta - pool.low) / pool.spacing + 0.5), 0), pool.ranked.shape[1] - 1)
    for among, those in ((allowed, area), (allowed, -1), (free, -1)):
        ranked = pool.ranked[those, place]
        ranked = ranked[ranked >= 0]
        fit = ranked[among[ranked]]
        if len(fit):
            return int(fit[0])
    raise BadRules("every item of the bank was given")


def _normal_quantile(p: float) -> float:
    """The point below which a standard normal number falls with probability p, by bisection."""
    low, high = -10.0, 10.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if (1 + erf(middle / sqrt(2))) / 2 < p else (low, middle)
    return (low + high) / 2
