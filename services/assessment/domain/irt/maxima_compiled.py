"""The searches of `maxima`, compiled: the same steps from the same nodes, a student at a time, in float64."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

from services.assessment.domain.irt.maxima import STEP, TOLERANCE, Extra, NoMaximum, grid, limits
from services.assessment.domain.irt.models import DICHOTOMOUS, Floats, Model, Parameters, information, log_probabilities
from services.assessment.domain.irt.responses import NOT_PRESENTED, Codes

RIGHT_WRONG, GRADED, CREDIT = 0, 1, 2
NOTHING, PRIOR, WARM = 0, 1, 2
EXTRAS = {Extra.NOTHING: NOTHING, Extra.PRIOR: PRIOR, Extra.WARM: WARM}
STEPS = 200

# numba describes its functions as taking nothing; Any, so that they may be called.
compiled: Any = njit(nogil=True, cache=True, error_model="numpy")


def highest(
    codes: Codes, items: Sequence[Parameters], extra: Extra, mean: float = 0.0, sd: float = 1.0
) -> tuple[Floats, Floats]:
    """As `maxima.highest`, to 1e-8."""
    theta, error = np.full(len(codes), np.nan), np.full(len(codes), np.nan)
    if not items or not len(codes):
        return theta, error
    nodes = grid(items, mean, sd)
    most = max(item.categories for item in items)
    kinds = np.array([_kind(item) for item in items])
    slopes, floors = np.array([item.a for item in items]), np.array([item.c for item in items])
    steps = np.array([len(item.b) for item in items])
    thresholds, edges = np.zeros((len(items), most)), np.zeros((len(items), most, 2))
    heights = np.zeros((len(items), most, len(nodes)))
    for place, item in enumerate(items):
        thresholds[place, : len(item.b)] = item.b
        heights[place, : item.categories] = log_probabilities(item, nodes)
        edges[place, : item.categories] = np.stack(limits(item), axis=1)
    facts = np.stack([information(item, nodes) for item in items])
    ended = _search(
        np.ascontiguousarray(codes), kinds, slopes, floors, steps, thresholds, heights, facts, edges, nodes,
        EXTRAS[extra], mean, sd, theta, error,
    )  # fmt: skip
    if not ended:
        raise NoMaximum("the search for the highest likelihood did not end")
    return theta, error


def _kind(item: Parameters) -> int:
    if item.model in DICHOTOMOUS:
        return RIGHT_WRONG
    return GRADED if item.model is Model.GRM else CREDIT


@compiled
def _logistic(z: float) -> Any:
    small = np.exp(-abs(z))
    return (1.0 if z >= 0 else small) / (1.0 + small)


@compiled
def _chances(kind: int, a: float, m: int, b: Any, theta: float, p: Any, s: Any, h: Any) -> None:
    """Probability of each score, and the derivatives of its logarithm, of one item with several scores."""
    if kind == GRADED:
        above, below, bend = 1.0, 0.0, 0.0  # of the threshold under score k: σ, 1 − σ and their product
        for k in range(m + 1):
            next_above, next_below = 0.0, 1.0
            if k < m:
                z = a * (theta - b[k])
                next_above, next_below = _logistic(z), _logistic(-z)
            next_bend = next_above * next_below
            p[k] = max(above - next_above, 0.0) if theta * a < b[0] * a or k == 0 else max(next_below - below, 0.0)
            s[k] = a * (below - next_above)
            h[k] = -a * a * (bend + next_bend)
            above, below, bend = next_above, next_below, next_bend
    else:
        top, sum_ = 0.0, 0.0
        p[0] = 0.0
        for k in range(m):
            p[k + 1] = p[k] + a * (theta - b[k])
            top = max(top, p[k + 1])
        for k in range(m + 1):
            p[k] = np.exp(p[k] - top)
            sum_ += p[k]
        middle = 0.0
        for k in range(m + 1):
            p[k] /= sum_
            middle += k * p[k]
        spread = 0.0
        for k in range(m + 1):
            spread += p[k] * (k - middle) ** 2
        for k in range(m + 1):
            s[k], h[k] = a * (k - middle), -a * a * spread


@compiled
def _sums(
    row: Any,
    kinds: Any,
    slopes: Any,
    floors: Any,
    steps: Any,
    thresholds: Any,
    theta: float,
    room: Any,
    with_height: bool,
) -> tuple[float, float, float, float, float]:
    """Σ s, Σ h, I and J of a student at an ability, and the log-likelihood when it is asked for."""
    p, s, h = room[0], room[1], room[2]
    first, second, fact, correction, height = 0.0, 0.0, 0.0, 0.0, 0.0
    for place in range(len(row)):
        code = row[place]
        if code == NOT_PRESENTED:
            continue
        a, c = slopes[place], floors[place]
        if kinds[place] == RIGHT_WRONG:
            z = a * (theta - thresholds[place, 0])
            small = np.exp(-abs(z))
            share = 1.0 / (1.0 + small)
            knows, not_ = (share, small * share) if z >= 0 else (small * share, share)
            right, wrong = c + (1 - c) * knows, (1 - c) * not_
            s_wrong, h_wrong = -a * knows, -a * a * knows * not_
            s_right, h_right = a * not_, h_wrong
            if c > 0:
                s_right = (1 - c) * a * knows * not_ / right
                h_right = a * s_right * (not_ - knows) - s_right * s_right
            first += s_right if code else s_wrong
            second += h_right if code else h_wrong
            told, missed = right * s_right, wrong * s_wrong
            fact += told * s_right + missed * s_wrong
            correction += told * (s_right * s_right + h_right) + missed * (s_wrong * s_wrong + h_wrong)
            if with_height:
                height += np.log(right if code else wrong)
            continue
        m = steps[place]
        _chances(kinds[place], a, m, thresholds[place], theta, p, s, h)
        first += s[code]
        second += h[code]
        for k in range(m + 1):
            fact += p[k] * s[k] * s[k]
            correction += p[k] * s[k] * (s[k] * s[k] + h[k])
        if with_height:
            height += np.log(p[code])
    return first, second, fact, correction, height


@compiled
def _search(
    codes: Any,
    kinds: Any,
    slopes: Any,
    floors: Any,
    steps: Any,
    thresholds: Any,
    heights: Any,
    facts: Any,
    edges: Any,
    nodes: Any,
    extra: int,
    mean: float,
    sd: float,
    thetas: Any,
    errors: Any,
) -> bool:
    """Every student's search; whether all of them ended."""
    wide, last = nodes[1] - nodes[0], len(nodes) - 1
    height, told = np.empty(len(nodes)), np.empty(len(nodes))
    room = np.empty((3, thresholds.shape[1]))
    for student in range(len(codes)):
        row = codes[student]
        height[:], told[:] = 0.0, 0.0
        low_edge, high_edge, answered = 0.0, 0.0, False
        for place in range(len(row)):
            code = row[place]
            if code == NOT_PRESENTED:
                continue
            answered = True
            low_edge += edges[place, code, 0]
            high_edge += edges[place, code, 1]
            for node in range(len(nodes)):
                height[node] += heights[place, code, node]
            if extra == WARM:
                for node in range(len(nodes)):
                    told[node] += facts[place, node]
        if not answered:
            continue
        if extra == NOTHING and (low_edge == 0.0 or high_edge == 0.0):
            thetas[student] = np.inf if high_edge >= low_edge else -np.inf
            errors[student] = np.inf
            continue
        if extra == WARM:
            for node in range(len(nodes)):
                height[node] += 0.5 * np.log(told[node])
        elif extra == PRIOR:
            for node in range(len(nodes)):
                height[node] -= 0.5 * ((nodes[node] - mean) / sd) ** 2
        theta = nodes[height.argmax()]
        low, high, before, slope_before = -np.inf, np.inf, np.nan, np.nan
        infinite, ended = False, False
        for _ in range(STEPS):
            first, second, fact, correction, _ = _sums(
                row, kinds, slopes, floors, steps, thresholds, theta, room, False
            )
            slope, bend = first, second
            if extra == PRIOR:
                slope -= (theta - mean) / sd**2
                bend -= 1 / sd**2
            elif extra == WARM:
                slope += correction / (2 * fact)
                bend = -fact
            if slope > 0:
                low = theta
            else:
                high = theta
            if extra == NOTHING and (
                (theta < nodes[0] and slope < 0 and low_edge > -np.inf)
                or (theta > nodes[last] and slope > 0 and high_edge > -np.inf)
            ):
                infinite, ended = True, True
                break
            step = -slope * (theta - before) / (slope - slope_before)
            if not (np.isfinite(step) and step * slope > 0):
                step = slope / max(abs(bend), 1e-12)
            after = theta + min(max(step, -wide), wide)
            if (after <= low or after >= high) and np.isfinite(low) and np.isfinite(high):
                after = 0.5 * (low + high)
            before, slope_before = theta, slope
            theta = after
            if abs(after - before) < TOLERANCE * (1 + abs(after)):
                ended = True
                break
        if not ended:
            return False
        first, second, fact, correction, found = _sums(
            row, kinds, slopes, floors, steps, thresholds, theta, room, extra == NOTHING
        )
        bend = -second
        if extra == PRIOR:
            bend += 1 / sd**2
            fact += 1 / sd**2
        elif extra == WARM:
            _, _, fact_up, up, _ = _sums(row, kinds, slopes, floors, steps, thresholds, theta + STEP, room, False)
            _, _, fact_down, down, _ = _sums(row, kinds, slopes, floors, steps, thresholds, theta - STEP, room, False)
            bend -= (up / (2 * fact_up) - down / (2 * fact_down)) / (2 * STEP)
        thetas[student] = theta
        errors[student] = 1 / np.sqrt(bend if bend > 0 else fact)
        if extra == NOTHING and (infinite or max(low_edge, high_edge) >= found - 1e-9):
            thetas[student] = np.inf if high_edge >= low_edge else -np.inf
            errors[student] = np.inf
    return True
