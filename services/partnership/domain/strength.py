"""What a school achieves beyond schools with like students, and how sure that is.

Results say at least as much about who goes to a school as about what the school does. So each result is compared with
what schools with like students (economic need, share of English language learners, size, …) achieve, in a linear mixed
model with a random effect for each school (Raudenbush & Bryk 2002, Hierarchical Linear Models, ch. 5; Goldstein &
Spiegelhalter 1996, JRSS A 159, 385-443):

    y_c = α_stratum(c) + x_school(c)' β + u_school(c) + e_c,   u ~ N(0, τ²),   e_c ~ N(0, ω² + v_c)

A result y_c is of one school in one stratum (a grade, say), v_c its known sampling variance, ω² what grades of a school
differ by beyond that. The predictors are each context variable, standardised, and its square. Variances are estimated
by restricted maximum likelihood (Patterson & Thompson 1971); the strength of a school is the empirical best linear
unbiased prediction of u (Henderson 1975), which shrinks what rests on few results towards 0, and its standard error
includes the uncertainty of α and β. Need is its opposite: what a school achieves less than schools with like students.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]

LEAST_TESTED = 30
"""A school with fewer tested students, all strata together, has not enough data."""
LEAST_RELIABILITY = 0.5
"""Where less than this part of what schools differ by is known of one, it has not enough data."""
SCHOOLS_PER_PREDICTOR = 10
"""Fewer schools than this for each predictor cannot tell what is context and what is the school."""
_WIDTH = 1.959963984540054  # two-sided 95 % of the normal distribution
_FLOOR = 1e-8


class NotEnoughSchools(ValueError):
    """Too few schools have results and a known context: nothing can be said beyond the results themselves."""


class BadResults(ValueError):
    """A result is not a number, or counts do not fit together; the message names the school."""


@dataclass(frozen=True, slots=True)
class Results:
    """Results in parallel columns, an entry per school and stratum.

    `school` and `stratum` are positions; `value` the result on any scale where more is better, `variance` its sampling
    variance on that scale, `tested` the number of students behind it.
    """

    school: Integers
    stratum: Integers
    value: Floats
    variance: Floats
    tested: Integers


@dataclass(frozen=True, slots=True)
class Strengths:
    """One entry per school, on the scale of the results; NaN where there are no results or the context is not known.

    `expected` is what schools with like students achieve on average (strata alike), `strength` what this one achieves
    beyond it, `lower` and `upper` its 95 % interval. `reliability` is 1 − standard_error² / τ². `enough` says whether
    this may be told of the school, `why_not` in a word why not (empty where it may).
    """

    strength: Floats
    standard_error: Floats
    lower: Floats
    upper: Floats
    expected: Floats
    reliability: Floats
    enough: Bools
    why_not: tuple[str, ...]
    between_schools: float
    """τ, standard deviation of true strengths."""
    within_schools: float
    """ω, standard deviation between strata of a school beyond sampling."""

    @property
    def need(self) -> Floats:
        """What a school achieves less than schools with like students; its interval is (−upper, −lower)."""
        return -self.strength

    @property
    def share(self) -> Floats:
        """Probability that the school does better than a school with like students drawn at random, (schools,)."""
        from scipy.special import ndtr  # not at start: half a second

        spread = np.sqrt(self.between_schools**2 + self.standard_error**2)
        share: Floats = ndtr(self.strength / np.maximum(spread, _FLOOR))
        return share


def log_odds(reached: NDArray[np.int64], tested: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Log-odds that a tested student reaches the level, and their sampling variance (Cox 1970: half added to both)."""
    yes, no = reached + 0.5, tested - reached + 0.5
    return np.log(yes / no), 1 / yes + 1 / no


def counted(school: Integers, stratum: Integers, reached: Integers, tested: Integers, names: Sequence[str]) -> Results:
    """Results as log-odds of counts. BadResults names the first school whose counts do not fit together."""
    wrong = (tested < 0) | (reached < 0) | (reached > tested)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise BadResults(f"{names[int(school[at])]}: {int(reached[at])} of {int(tested[at])} tested students.")
    some = tested > 0
    value, variance = log_odds(reached[some], tested[some])
    return Results(school[some], stratum[some], value, variance, tested[some])


def strengths(
    results: Results, context: Floats, names: Sequence[str], *, least_tested: int = LEAST_TESTED
) -> Strengths:
    """The strength of every school, adjusted for its context; `context` (schools, variables), NaN where not known.

    Raises BadResults when a result is not finite or has a negative variance, NotEnoughSchools when fewer than
    SCHOOLS_PER_PREDICTOR schools for each predictor have results and a known context.
    """
    size = len(names)
    _check(results, context, names)
    known = np.asarray(np.isfinite(context).all(axis=1))
    tested = np.bincount(results.school, results.tested, minlength=size)
    used = known[results.school]
    inside = np.zeros(size, np.bool_)
    inside[results.school[used]] = True
    predictors = _predictors(context, inside)
    if inside.sum() < SCHOOLS_PER_PREDICTOR * max(1, predictors.shape[1]):
        raise NotEnoughSchools(
            f"{int(inside.sum())} schools have results and a known context; to compare schools with like students by "
            f"{predictors.shape[1]} predictors takes {SCHOOLS_PER_PREDICTOR * max(1, predictors.shape[1])}."
        )
    model = _Model(results, used, predictors, size)
    between, within = _variances(model)
    strength, error, expected = model.predicted(between, within)
    strength, error = np.where(inside, strength, np.nan), np.where(inside, error, np.nan)
    reliability: Floats = 1 - error**2 / max(between, _FLOOR)
    why_not = tuple(
        "no results" if not tested[at]
        else "context not known" if not known[at]
        else f"{int(tested[at])} tested students, fewer than {least_tested}" if tested[at] < least_tested
        else "its results vary too much to tell" if reliability[at] < LEAST_RELIABILITY
        else ""
        for at in range(size)
    )  # fmt: skip
    return Strengths(
        strength,
        error,
        strength - _WIDTH * error,
        strength + _WIDTH * error,
        np.where(known, expected, np.nan),
        reliability,
        np.array([not reason for reason in why_not], np.bool_),
        why_not,
        float(np.sqrt(between)),
        float(np.sqrt(within)),
    )


def _check(results: Results, context: Floats, names: Sequence[str]) -> None:
    if context.shape[:1] != (len(names),):
        raise BadResults(f"context has {len(context)} rows for {len(names)} schools.")
    wrong = ~np.isfinite(results.value) | ~np.isfinite(results.variance) | (results.variance < 0)
    if wrong.any():
        raise BadResults(f"{names[int(results.school[np.flatnonzero(wrong)[0]])]}: a result is not a finite number.")
    if np.isinf(context).any():
        raise BadResults(f"{names[int(np.argwhere(np.isinf(context))[0][0])]}: its context is not a finite number.")


def _predictors(context: Floats, inside: Bools) -> Floats:
    """Each variable standardised over the schools used, and its square; what does not vary is left out."""
    columns = []
    for variable in context.T:
        spread = float(variable[inside].std()) if inside.any() else 0.0
        if spread > _FLOOR:
            scaled = np.nan_to_num((variable - variable[inside].mean()) / spread)
            columns += [scaled, scaled**2 - float((scaled[inside] ** 2).mean())]
    chosen: list[Floats] = []
    for column in columns:  # of two that say the same (a yes-or-no variable and its square) the first stays
        trial = np.stack([*chosen, column, np.ones(len(column))], axis=1)[inside]
        if np.linalg.matrix_rank(trial, tol=1e-6 * np.sqrt(len(trial))) == trial.shape[1]:
            chosen.append(column)
    return np.stack(chosen, axis=1) if chosen else np.zeros((len(context), 0))


class _Model:
    """The mixed model over the results used: V = diag(ω² + v) + τ² Z Z', inverted school by school."""

    def __init__(self, results: Results, used: Bools, predictors: Floats, schools: int) -> None:
        self._school = results.school[used]
        strata, stratum = np.unique(results.stratum[used], return_inverse=True)
        self._fixed = np.concatenate([np.eye(len(strata))[stratum], predictors[self._school]], axis=1)
        self._strata = len(strata)
        self._share_of_stratum = np.bincount(stratum, minlength=len(strata)) / len(stratum)
        self._predictors = predictors
        self._value, self._variance = results.value[used], results.variance[used]
        self._schools = schools

    @property
    def has_repeats(self) -> bool:
        """Whether any school has more than one result."""
        return bool(np.bincount(self._school).max(initial=0) > 1)

    @property
    def scale(self) -> float:
        """Variance of the results, where the search for τ² and ω² begins."""
        return max(float(self._value.var()), _FLOOR)

    def _sums(self, columns: Floats) -> Floats:
        """Sums over each school's results; (results, k) → (schools, k)."""
        total = np.zeros((self._schools, columns.shape[1]))
        np.add.at(total, self._school, columns)
        return total

    def _solved(self, between: float, within: float) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """Weights 1 / (ω² + v), their sums by school, β̂, its covariance, and the residuals y − Xβ̂."""
        weight = 1 / np.maximum(within + self._variance, _FLOOR * self.scale)
        total = np.bincount(self._school, weight, minlength=self._schools).astype(np.float64)
        held = between / (1 + between * total)
        both = np.concatenate([self._fixed, self._value[:, None]], axis=1)
        plain = (both * weight[:, None]).T @ both
        by_school = self._sums(both * weight[:, None])
        crossed = plain - (by_school * held[:, None]).T @ by_school
        information, right = crossed[:-1, :-1], crossed[:-1, -1]
        covariance = np.linalg.inv(information)
        fixed = covariance @ right
        return weight, total, fixed, covariance, self._value - self._fixed @ fixed

    def cost(self, between: float, within: float) -> float:
        """−2 × the restricted log-likelihood, without its constant."""
        weight, total, _, covariance, residual = self._solved(between, within)
        pulled = np.bincount(self._school, weight * residual, minlength=self._schools)
        quadratic = float(weight @ residual**2 - (between / (1 + between * total)) @ pulled**2)
        log_v = float(np.log(1 + between * total).sum() - np.log(weight).sum())
        return log_v - float(np.linalg.slogdet(covariance)[1]) + quadratic

    def predicted(self, between: float, within: float) -> tuple[Floats, Floats, Floats]:
        """û, the standard error of û − u (β̂'s uncertainty included), and what is expected of each school's like."""
        weight, total, fixed, covariance, residual = self._solved(between, within)
        held = between / (1 + between * total)
        strength = held * np.bincount(self._school, weight * residual, minlength=self._schools)
        lever = held[:, None] * self._sums(self._fixed * weight[:, None])
        variance = held + np.einsum("si,ij,sj->s", lever, covariance, lever)
        level = float(self._share_of_stratum @ fixed[: self._strata])
        return strength, np.sqrt(variance), level + self._predictors @ fixed[self._strata :]


def _variances(model: _Model) -> tuple[float, float]:
    """τ² and ω² of the highest restricted likelihood, searched in logarithms (Nelder & Mead 1965).

    With one result for each school the two cannot be told apart: ω² is then 0.
    """
    from scipy.optimize import minimize  # not at start: half a second

    scale, number = model.scale, 2 if model.has_repeats else 1

    def variances(logs: Floats) -> tuple[float, float]:
        found = scale * np.exp(np.clip(logs, -18, 5))
        return float(found[0]), float(found[1]) if number == 2 else 0.0

    found = minimize(
        lambda logs: model.cost(*variances(logs)),
        np.log([0.5, 0.2][:number]),
        method="Nelder-Mead",
        options={"xatol": 1e-5, "fatol": 1e-8, "maxiter": 2_000},
    )
    return variances(found.x)
