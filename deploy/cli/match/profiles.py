"""Profiles: what each school is in each area: how strong, beyond schools with like students; offering or seeking.

Results as counts are adjusted for the context that `[schools]` names (`strength.strengths`); a column of strength, or
counts without a context, are taken as they are and marked unadjusted. Where too little is known of a school, its
profile says so and it is matched by what it declares. Without a column of roles everybody is taken to be willing, and
that is marked as assumed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from uuid import UUID

import numpy as np

from deploy.cli.match.schools import SchoolFile
from deploy.cli.refusal import Refused, refusing
from services.partnership.domain import strength
from services.partnership.domain.columns import AreaColumns
from services.partnership.domain.instance import Willing

ADJUSTED, UNADJUSTED, NOTHING = "adjusted", "unadjusted", "nothing"
OFFERS, SEEKS = "offers", "seeks"
_MIDDLE = 3  # of eagerness, where nothing is declared


@dataclass(frozen=True, slots=True)
class Profile:
    """A school in an area. `estimate` with its 95 % interval is beyond schools with like students where `adjusted`.

    `share` is the strength of who offers, or the need of who seeks, 0 to 1; None where too little is known, and `why`.
    """

    school: UUID
    code: str
    name: str
    area: str
    measure: str
    tested: int | None
    estimate: float | None
    lower: float | None
    upper: float | None
    strength: float | None
    need: float | None
    why: str
    role: str | None
    eagerness: int
    capacity: int
    is_assumed: bool
    needs_as_measured: bool
    """Whether need is what strength lacks, and not a column of its own."""

    @property
    def share(self) -> float | None:
        """What counts in a matching."""
        return self.strength if self.role == OFFERS else self.need

    @property
    def willing(self) -> Willing | None:
        """As the matching takes it; None for a school that neither offers nor seeks."""
        if self.role is None:
            return None
        in_context = self.measure == ADJUSTED and (self.role == OFFERS or self.needs_as_measured)
        return Willing(self.school, self.area, self.role, self.eagerness, self.capacity, self.share, in_context)


@dataclass(frozen=True, slots=True)
class _Measured:
    """Of each school in an area."""

    measure: str
    tested: Sequence[int | None]
    estimate: Sequence[float | None]
    lower: Sequence[float | None]
    upper: Sequence[float | None]
    strength: Sequence[float | None]
    why: Sequence[str]


def profiles(file: SchoolFile, areas: Sequence[str]) -> list[Profile]:
    """The profile of every school in every area, area by area."""
    columns = {each.area: each for each in file.columns.areas}
    return [profile for area in areas for profile in _of_area(file, columns.get(area, AreaColumns(area)))]


def _of_area(file: SchoolFile, columns: AreaColumns) -> list[Profile]:
    measured = _measured(file, columns)
    need = _need(file, columns, measured)
    roles = _declared_roles(file, columns)
    assumed = roles is None
    roles = roles or _assumed_roles(columns, measured.strength, need)
    eagerness = _whole(file, columns.eagerness, 1, 5)
    capacity = _whole(file, columns.capacity, 1, 1_000)
    found = []
    for at, row in enumerate(file.rows):
        role, places = roles[at], capacity[at]
        if places is None:
            places = columns.places_offered if role == OFFERS else columns.places_sought
        found.append(
            Profile(
                row.school.id, row.code, row.school.name, columns.area, measured.measure, measured.tested[at],
                measured.estimate[at], measured.lower[at], measured.upper[at], measured.strength[at], need[at],
                measured.why[at], role, _MIDDLE if eagerness[at] is None else eagerness[at] or _MIDDLE, places, assumed,
                columns.need is None,
            )
        )  # fmt: skip
    return found


def _measured(file: SchoolFile, columns: AreaColumns) -> _Measured:
    nothing: list[float | None] = [None] * len(file)
    tested = _sums(file, columns.tested)
    if columns.reached:
        return _counted(file, columns, tested)
    if columns.strength is None:
        return _Measured(NOTHING, tested, nothing, nothing, nothing, nothing, ["nothing is measured"] * len(file))
    values = file.numbers(columns.strength)
    why = ["" if value is not None else "no results" for value in values]
    return _Measured(UNADJUSTED, tested, values, nothing, nothing, _unit(values), why)


def _counted(file: SchoolFile, columns: AreaColumns, tested: Sequence[int | None]) -> _Measured:
    """Counts of those who reached a level: each column and its column of tested is a stratum, a grade, say."""
    if len(columns.reached) != len(columns.tested):
        raise Refused(
            f"[schools.areas.{columns.area}]: {len(columns.reached)} columns in reached and {len(columns.tested)} in "
            f"tested; name them in pairs."
        )
    grades = [
        (file.counts(reached), file.counts(of))
        for reached, of in zip(columns.reached, columns.tested, strict=True)
    ]  # fmt: skip
    school, stratum, yes, all_ = [], [], [], []
    for number, (reached, of) in enumerate(grades):
        for at, (some, whole) in enumerate(zip(reached, of, strict=True)):
            if some is not None and whole is not None:
                school.append(at)
                stratum.append(number)
                yes.append(some)
                all_.append(whole)
    names = [f"school {row.code}" for row in file.rows]
    with refusing(file.path):
        at_school, grade, good, total = (np.array(each, np.int64) for each in (school, stratum, yes, all_))
        results = strength.counted(at_school, grade, good, total, names)
        if not file.columns.context:
            return _unadjusted(results, yes, all_, school, len(file))
        context = np.array([file.numbers(name) for name in file.columns.context], np.float64).T
        found = strength.strengths(results, context, names)
    shares, enough = found.share.tolist(), found.enough.tolist()
    return _Measured(
        ADJUSTED,
        tested,
        _known(found.strength),
        _known(found.lower),
        _known(found.upper),
        [share if is_enough else None for share, is_enough in zip(shares, enough, strict=True)],
        found.why_not,
    )


def _unadjusted(
    results: strength.Results, yes: Sequence[int], all_: Sequence[int], school: Sequence[int], size: int
) -> _Measured:
    reached = np.bincount(school, yes, minlength=size)
    total = np.bincount(school, all_, minlength=size).astype(np.int64)
    odds, variance = strength.log_odds(reached.astype(np.int64), total)
    enough = total >= strength.LEAST_TESTED
    wide = 1.959963984540054 * np.sqrt(variance)
    some = total > 0
    lower, upper = (_known(np.where(some, odds + sign * wide, np.nan)) for sign in (-1, 1))
    shares = [
        float(share) if is_enough else None
        for share, is_enough in zip(reached / np.maximum(total, 1), enough, strict=True)
    ]
    why = [
        "" if is_enough else f"{each} tested students, fewer than {strength.LEAST_TESTED}" if each else "no results"
        for each, is_enough in zip(total.tolist(), enough.tolist(), strict=True)
    ]
    return _Measured(UNADJUSTED, total.tolist(), _known(np.where(some, odds, np.nan)), lower, upper, shares, why)


def _known(values: strength.Floats) -> list[float | None]:
    return [float(value) if np.isfinite(value) else None for value in values]


def _need(file: SchoolFile, columns: AreaColumns, measured: _Measured) -> list[float | None]:
    if columns.need is not None:
        return _unit(file.numbers(columns.need))
    return [None if share is None else 1 - share for share in measured.strength]


def _unit(values: Sequence[float | None]) -> list[float | None]:
    """Shares as they are; numbers beyond 0 to 1 by where they lie between the smallest and the largest."""
    known = [value for value in values if value is not None]
    if not known or (min(known) >= 0 and max(known) <= 1):
        return list(values)
    low, width = min(known), max(known) - min(known)
    return [None if value is None else (value - low) / width if width else 0.5 for value in values]


def _sums(file: SchoolFile, columns: Sequence[str]) -> list[int | None]:
    if not columns:
        return [None] * len(file)
    by_column = [file.counts(column) for column in columns]
    return [sum(count or 0 for count in counts) for counts in zip(*by_column, strict=True)]


def _whole(file: SchoolFile, column: str | None, least: int, most: int) -> list[int | None]:
    if column is None:
        return [None] * len(file)
    counts = file.counts(column)
    for row, count in zip(file.rows, counts, strict=True):
        if count is not None and not least <= count <= most:
            raise Refused(
                f"{file.path}: line {row.line}, school {row.code}: {column} is a whole number from {least} to {most}, "
                f"not {count}."
            )
    return counts


def _declared_roles(file: SchoolFile, columns: AreaColumns) -> list[str | None] | None:
    if columns.role is None:
        return None
    found: list[str | None] = []
    for row, text in zip(file.rows, file.texts(columns.role), strict=True):
        role = None if text is None else text.lower()
        if role not in (None, OFFERS, SEEKS):
            raise Refused(
                f"{file.path}: line {row.line}, school {row.code}: a role is offers, seeks or nothing, not {text!r}."
            )
        found.append(role)
    return found


def _assumed_roles(
    columns: AreaColumns, strong: Sequence[float | None], need: Sequence[float | None]
) -> list[str | None]:
    """The neediest seek and, of the others, the strongest offer; as many as the programme says, of those measured."""
    roles: list[str | None] = [None] * len(strong)
    needy = sorted((at for at in range(len(need)) if need[at] is not None), key=lambda at: (-(need[at] or 0), at))
    for at in needy[: ceil(float(columns.seeks) * len(needy))]:
        roles[at] = SEEKS
    measured = [at for at in range(len(strong)) if strong[at] is not None]
    best = sorted((at for at in measured if roles[at] is None), key=lambda at: (-(strong[at] or 0), at))
    for at in best[: ceil(float(columns.offers) * len(measured))]:
        roles[at] = OFFERS
    for at in range(len(roles)):
        if roles[at] is None and strong[at] is None:
            roles[at] = columns.unmeasured
    return roles
