"""The cities that the matching bench and study measure on: 275 hosts, 1,600 guests, 8 areas, 32,000 pairs."""

from dataclasses import dataclass

import numpy as np

from services.partnership.domain.candidates import Bools, Floats, Integers
from services.partnership.domain.rows import Program

HOSTS, GUESTS, AREAS, PAIRS_OF_A_GUEST, NEAREST = 275, 1_600, 8, 20, 40
PARTNERSHIPS, FLOOR, EQUITY, CHARTER_PLACES = 600, 40, 0.3, 150
COST = np.array([8, 9, 10, 11, 12, 13, 15, 17])  # thousands, area by area
BUDGET = 5_000  # thousands: some 450 partnerships


@dataclass(frozen=True, slots=True)
class City:
    """Pairs (pairs,) of hosts and guests by number, with whole weights, and the rows that bind them."""

    host: Integers
    guest: Integers
    weight: Integers
    worth: Floats
    rules: Program
    likely: Bools


def city(seed: int) -> City:
    """With places, two schools once, a number, a budget, floors of equity, of each area and of a sector."""
    chance = np.random.default_rng(seed)
    at_host, at_guest = chance.random((HOSTS, 2)), chance.random((GUESTS, 2))
    strength, need = chance.beta(4, 2, (HOSTS, AREAS)), chance.beta(2, 4, (GUESTS, AREAS))
    far = np.sqrt(((at_guest[:, None] - at_host[None]) ** 2).sum(axis=-1))
    near = np.argsort(far, axis=1)[:, :NEAREST]
    drawn = np.array([chance.choice(NEAREST * AREAS, PAIRS_OF_A_GUEST, replace=False) for _ in range(GUESTS)])
    guest = np.repeat(np.arange(GUESTS), PAIRS_OF_A_GUEST)
    host, area = near[guest, drawn.ravel() // AREAS], drawn.ravel() % AREAS
    eager_host, eager_guest = chance.integers(1, 6, (HOSTS, AREAS)), chance.integers(1, 6, (GUESTS, AREAS))
    eager = np.sqrt(eager_host[host, area] * eager_guest[guest, area]) / 5
    exact = strength[host, area] * need[guest, area] * eager * (1 - far[guest, host] / 2)
    weight = np.maximum(np.rint(exact * 1e6), 1).astype(np.int64)
    worth = weight + chance.integers(0, 256, len(weight)) / (2 * PARTNERSHIPS * 255 + 2)
    neediest = need.mean(axis=1) >= np.quantile(need.mean(axis=1), 0.8)
    charter = (chance.random(HOSTS) < 0.2)[host].astype(np.int64) + (chance.random(GUESTS) < 0.15)[guest]
    rows = _Rows(len(weight))
    rows.places(host * AREAS + area, chance)
    rows.places(guest * AREAS + area, chance)
    rows.once(host * GUESTS + guest)
    one = np.ones(len(weight))
    rows.one(one, -np.inf, PARTNERSHIPS)
    rows.one(COST[area].astype(np.float64), -np.inf, BUDGET)
    rows.one(neediest[guest] - EQUITY, 0, np.inf)
    for each in range(AREAS):
        rows.one((area == each).astype(np.float64), FLOOR, np.inf)
    rows.one(charter.astype(np.float64), CHARTER_PLACES, np.inf)
    return City(host, guest, weight, worth, rows.program(), _likely(host, guest, weight))


class _Rows:
    """Rows as they are added."""

    def __init__(self, columns: int) -> None:
        self._every = np.arange(columns)
        self._parts: list[tuple[Integers, Integers, Floats]] = []
        self._lower: list[float] = []
        self._upper: list[float] = []

    def places(self, school: Integers, chance: np.random.Generator) -> None:
        """One or two places for each."""
        schools, number = np.unique(school, return_inverse=True)
        self._add(number, self._every, np.ones(len(number)), len(schools), chance.integers(1, 3, len(schools)))

    def once(self, pair: Integers) -> None:
        """Two schools have one partnership."""
        _, number, times = np.unique(pair, return_inverse=True, return_counts=True)
        several = times[number] > 1
        pairs, number = np.unique(pair[several], return_inverse=True)
        self._add(number, self._every[several], np.ones(len(number)), len(pairs), np.ones(len(pairs)))

    def one(self, value: Floats, low: float, high: float) -> None:
        """A rule of the programme."""
        used = value != 0
        self._parts.append((np.full(int(used.sum()), len(self._lower)), self._every[used], value[used]))
        self._lower.append(low)
        self._upper.append(high)

    def _add(self, row: Integers, column: Integers, value: Floats, size: int, high: Integers | Floats) -> None:
        self._parts.append((row + len(self._lower), column, value))
        self._lower += [-np.inf] * size
        self._upper += high.tolist()

    def program(self) -> Program:
        """All of them."""
        row, column, value = (np.concatenate([part[n] for part in self._parts]) for n in range(3))
        return Program(row, column, value, np.array(self._lower), np.array(self._upper), len(self._every))


def _likely(host: Integers, guest: Integers, weight: Integers) -> Bools:
    likely = np.zeros(len(weight), np.bool_)
    for school in (host, guest):
        order = np.lexsort((-weight, school))
        likely[order[np.arange(len(order)) - np.searchsorted(school[order], school[order]) < 8]] = True
    return likely


@dataclass(frozen=True, slots=True)
class Network:
    """Pairs (pairs,) of one area; hosts come first in `places`, then guests."""

    host: Integers
    guest: Integers
    weight: Integers
    places: Integers


def network(seed: int) -> Network:
    """The same city with nothing but places."""
    chance = np.random.default_rng(seed)
    at_host, at_guest = chance.random((HOSTS, 2)), chance.random((GUESTS, 2))
    far = np.sqrt(((at_guest[:, None] - at_host[None]) ** 2).sum(axis=-1))
    near = np.argsort(far + 0.3 * chance.random(far.shape), axis=1)[:, :PAIRS_OF_A_GUEST]
    host, guest = near.ravel(), np.repeat(np.arange(GUESTS), PAIRS_OF_A_GUEST)
    strength, need = chance.beta(4, 2, HOSTS), chance.beta(2, 4, GUESTS)
    weight = np.rint(1e6 * strength[host] * need[guest] * (1 - far[guest, host] / 3)).astype(np.int64) + 1
    places = np.concatenate([chance.integers(1, 7, HOSTS), chance.integers(1, 3, GUESTS)])
    return Network(host, HOSTS + guest, weight, places)
