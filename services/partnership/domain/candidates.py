"""Which schools could be partners, how far apart they are, and what the partnership would weigh.

The weight of host h, guest g and area a is `strength_h × need_g × fit × √(eagerness_h × eagerness_g) / 5`. The fit is
nearness, `1 − distance / (2 × max_distance_km)` or 1 without a rule for distance, times the programme's factor for each
attribute in which the two differ, times what the programme says of schools that prefer each other, times one and `keep`
for a pair that is proposed already. It is counted in millionths, and is at least one: a partnership between willing
schools is better than none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.partnership.domain.instance import Instance, School, Willing

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

EARTH_KM = 6371.0088  # mean radius
WEIGHT_SCALE = 1_000_000
MOST_EAGER = 5
UNKNOWN_SHARE = 0.5
"""Counts for a school nothing is measured of, where nothing is measured of any other in its area and role."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Which rules are in force: all but those that are dropped, when it is asked which ones contradict each other."""

    dropped: frozenset[str] = frozenset()
    """By the names that `rows.rules_of` gives them."""

    def has(self, rule: str) -> bool:
        """Whether this rule is in force."""
        return rule not in self.dropped

    def without(self, rule: str) -> "Rules":
        """The same but for this one."""
        return Rules(self.dropped | {rule})


ALL = Rules()


@dataclass(frozen=True, slots=True)
class RuledOut:
    """For each willing school and area, how many possible partners there are and why they cannot be it.

    A pair that is ruled out twice counts where it comes first, in the order of these fields. `nearest_km` is the
    distance of the nearest of those that are too far; infinite where there is none.
    """

    others: Integers
    together: Integers
    no_location: Integers
    too_far: Integers
    conflict: Integers
    declined: Integers
    nearest_km: Floats

    @classmethod
    def nothing(cls, size: int) -> "RuledOut":
        """No partners at all, for so many."""
        others, together, no_location, too_far, conflict, declined = np.zeros((6, size), np.int64)
        return cls(others, together, no_location, too_far, conflict, declined, np.full(size, np.inf))


@dataclass(frozen=True, slots=True)
class Candidates:
    """Pairs that may be proposed, in the order of area, host and guest. Hosts and guests by position in `willing`."""

    host: Integers
    guest: Integers
    distance_km: Floats  # NaN where a location is missing
    weight: Integers
    ruled_out: RuledOut

    def __len__(self) -> int:
        return len(self.host)


def candidates(instance: Instance, rules: Rules = ALL) -> Candidates:
    """Every pair of an offering and a seeking school that no rule about the pair itself forbids."""
    willing = instance.willing
    schools = {school.id: school for school in instance.schools}
    at = {(each.school, each.area): number for number, each in enumerate(willing)}
    shares = shares_of(willing)
    ruled_out = RuledOut.nothing(len(willing))
    parts: list[tuple[Integers, Integers, Floats, Integers]] = []
    for area in sorted({each.area for each in willing}):
        host = np.array([n for n, w in enumerate(willing) if w.area == area and w.role == "offers"], np.int64)
        guest = np.array([n for n, w in enumerate(willing) if w.area == area and w.role == "seeks"], np.int64)
        if len(host) and len(guest):
            grid = _Grid(instance, area, host, guest, at)
            km = distances([schools[willing[n].school] for n in host], [schools[willing[n].school] for n in guest])
            open_ = _still_open(instance, rules, grid, km, ruled_out)
            rows, columns = np.nonzero(open_)
            weight = _weights(instance, host[rows], guest[columns], km[rows, columns], shares)
            parts.append((host[rows], guest[columns], km[rows, columns], weight))
    if not parts:
        none = np.zeros(0, np.int64)
        return Candidates(none, none, np.zeros(0), none, ruled_out)
    return Candidates(
        np.concatenate([part[0] for part in parts]),
        np.concatenate([part[1] for part in parts]),
        np.concatenate([part[2] for part in parts]),
        np.concatenate([part[3] for part in parts]),
        ruled_out,
    )


class _Grid:
    """Hosts by guests of one area, and where a pair of schools stands in it."""

    def __init__(
        self, instance: Instance, area: str, host: Integers, guest: Integers, at: Mapping[tuple[UUID, str], int]
    ) -> None:
        self.host, self.guest, self._area, self._at = host, guest, area, at
        self._row = {int(number): place for place, number in enumerate(host)}
        self._column = {int(number): place for place, number in enumerate(guest)}

    def mask(self, pairs: Iterable[tuple[UUID, UUID]], *, either_way: bool) -> Bools:
        """True where one of these pairs (host, guest) stands; either way when it does not matter who is the host."""
        found = np.zeros((len(self.host), len(self.guest)), np.bool_)
        for one, other in pairs:
            for host, guest in ((one, other), (other, one)) if either_way else ((one, other),):
                row = self._row.get(self._at.get((host, self._area), -1))
                column = self._column.get(self._at.get((guest, self._area), -1))
                if row is not None and column is not None:
                    found[row, column] = True
        return found


def _still_open(instance: Instance, rules: Rules, grid: _Grid, km: Floats, ruled_out: RuledOut) -> Bools:
    open_ = np.ones(km.shape, np.bool_)
    limit = instance.max_distance_km if rules.has("distance") else None
    causes: list[tuple[Integers, Bools]] = [
        (ruled_out.together, grid.mask(((host, guest) for host, guest, _ in instance.locked), either_way=True))
    ]
    if limit is not None:
        causes += [(ruled_out.no_location, np.isnan(km)), (ruled_out.too_far, km > limit)]
    if rules.has("conflicts"):
        causes.append((ruled_out.conflict, grid.mask(instance.conflicts, either_way=True)))
    if rules.has("declined"):
        area = instance.willing[int(grid.host[0])].area
        said_no = ((host, guest) for host, guest, about in instance.declined if about == area)
        causes.append((ruled_out.declined, grid.mask(said_no, either_way=False)))
    ruled_out.others[grid.host] += len(grid.guest)
    ruled_out.others[grid.guest] += len(grid.host)
    for counts, mask in causes:
        counts[grid.host] += (open_ & mask).sum(axis=1)
        counts[grid.guest] += (open_ & mask).sum(axis=0)
        if counts is ruled_out.too_far:
            far = np.where(open_ & mask, km, np.inf)
            ruled_out.nearest_km[grid.host] = far.min(axis=1)
            ruled_out.nearest_km[grid.guest] = far.min(axis=0)
        open_ &= ~mask
    return open_


def _weights(instance: Instance, host: Integers, guest: Integers, km: Floats, shares: Floats) -> Integers:
    eagerness = np.array([each.eagerness for each in instance.willing], np.float64)
    eager = np.sqrt(eagerness[host] * eagerness[guest]) / MOST_EAGER
    exact = shares[host] * shares[guest] * eager * fit_of(instance, host, guest, km)
    return np.maximum(np.rint(exact * WEIGHT_SCALE).astype(np.int64), 1)


def fit_of(instance: Instance, host: Integers, guest: Integers, km: Floats) -> Floats:
    """How well the schools of each pair fit: nearness, attributes in common, preference, and having been proposed."""
    limit = instance.max_distance_km
    fit = np.ones(len(km)) if limit is None else 1 - np.nan_to_num(np.minimum(km, limit), nan=limit) / (2 * limit)
    for each in instance.fit:
        value = values_of(instance, each.attribute)
        fit = fit * np.where(value[host] == value[guest], 1.0, float(each.differing))
    if not (instance.preferences or (instance.keep and instance.previous)):
        return fit
    times = {frozenset((one, other)): by for one, other, by in instance.preferences}
    before = set(instance.previous) if instance.keep else set()
    willing = instance.willing
    for at, (h, g) in enumerate(zip(host.tolist(), guest.tolist(), strict=True)):
        two = (willing[h].school, willing[g].school)
        fit[at] *= times.get(frozenset(two), 1.0)
        fit[at] *= 1 + instance.keep if (*two, willing[h].area) in before else 1.0
    return fit


def values_of(instance: Instance, attribute: str) -> Integers:
    """For each of `willing`, a number for its school's value of an attribute; schools without one share a number."""
    values = {school.id: school.value_of(attribute) for school in instance.schools}
    numbers: dict[str | None, int] = {}
    return np.array([numbers.setdefault(values[each.school], len(numbers)) for each in instance.willing], np.int64)


def shares_of(willing: Iterable[Willing]) -> Floats:
    """What each counts for: its measured share; or else the median of the measured in its area and role, or a half.

    Silence about results neither helps nor harms.
    """
    willing = list(willing)
    measured: dict[tuple[str, str], list[float]] = {}
    for each in willing:
        if each.share is not None:
            measured.setdefault((each.area, each.role), []).append(each.share)
    middle = {key: median(shares) for key, shares in measured.items()}
    return np.array(
        [middle.get((w.area, w.role), UNKNOWN_SHARE) if w.share is None else w.share for w in willing], np.float64
    )


def distances(hosts: list[School], guests: list[School]) -> Floats:
    """Great-circle distances in km, hosts by guests (haversine formula); NaN where a location is missing."""
    lat_h, lon_h = _radians(hosts)
    lat_g, lon_g = _radians(guests)
    half = np.sin((lat_h[:, None] - lat_g[None, :]) / 2) ** 2
    half += np.cos(lat_h)[:, None] * np.cos(lat_g)[None, :] * np.sin((lon_h[:, None] - lon_g[None, :]) / 2) ** 2
    far: Floats = 2 * EARTH_KM * np.arcsin(np.sqrt(np.minimum(half, 1)))
    return far


def _radians(schools: list[School]) -> tuple[Floats, Floats]:
    known = [(s.latitude, s.longitude) if None not in (s.latitude, s.longitude) else (np.nan, np.nan) for s in schools]
    both = np.radians(np.array(known, np.float64))
    return both[:, 0], both[:, 1]
