"""Stable matchings: no two schools would both rather have each other than what they have.

Each school ranks its possible partners by what they bring: a host its guests by need × fit × the guest's eagerness, a
guest its hosts by strength × fit × the host's eagerness; equals by a number drawn from the ids and the seed. Deferred
acceptance (Gale & Shapley 1962; with many places on both sides Roth 1984) gives, of all stable matchings, the one that
is best for every school of the side that asks. It keeps willingness, places, distance, conflicts and what was declined;
the rules for the whole (number, budget, balance, floors, locked pairs) have no place in it, and which of them the
result breaks is said beside it.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from services.partnership.domain.candidates import Bools, Candidates, Floats, Integers, fit_of, shares_of
from services.partnership.domain.instance import Instance
from services.partnership.domain.optimum import ties
from services.partnership.domain.rows import capacity_left, rules_of, two_schools

Side: TypeAlias = Literal["hosts", "guests"]


@dataclass(frozen=True, slots=True)
class Ranks:
    """How hosts and guests rank the candidates (candidates,): of two pairs of one school the smaller is better."""

    by_host: Integers
    by_guest: Integers


def ranks(instance: Instance, found: Candidates) -> Ranks:
    """What every school thinks of its possible partners."""
    eagerness = np.array([each.eagerness for each in instance.willing], np.float64)
    brings = shares_of(instance.willing) * eagerness
    fit = fit_of(instance, found.host, found.guest, found.distance_km)
    drawn = ties(instance, found)
    return Ranks(_order(brings[found.guest] * fit, drawn), _order(brings[found.host] * fit, drawn))


def _order(liked: Floats, drawn: Floats) -> Integers:
    rank = np.empty(len(liked), np.int64)
    rank[np.lexsort((np.arange(len(liked)), drawn, -liked))] = np.arange(len(liked))
    return rank


def stable(instance: Instance, found: Candidates, best_for: Side = "guests", *, compiled: bool = False) -> Bools:
    """The stable matching that is best for every host, or for every guest.

    Two schools have one partnership at most: area by area, in the order of their codes, pairs of schools that are
    partners in an earlier one are left out.
    """
    chosen = np.zeros(len(found), np.bool_)
    if not len(found):
        return chosen
    ranked, places = ranks(instance, found), capacity_left(instance)
    pair = two_schools(instance, found)
    area = np.array([each.area for each in instance.willing])[found.host]
    for one in np.unique(area):
        here = np.flatnonzero((area == one) & ~np.isin(pair, pair[chosen]))
        held = deferred_acceptance(
            found.host[here], found.guest[here], ranked.by_host[here], ranked.by_guest[here], places, best_for,
            compiled=compiled,
        )  # fmt: skip
        chosen[here[held]] = True
    return chosen


def deferred_acceptance(
    host: Integers,
    guest: Integers,
    by_host: Integers,
    by_guest: Integers,
    places: Integers,
    best_for: Side,
    *,
    compiled: bool = False,
) -> Bools:
    """The pairs (pairs,) of the stable matching; hosts and guests are positions in `places`."""
    asking, asked, liked, rank = (
        (guest, host, by_guest, by_host) if best_for == "guests" else (host, guest, by_host, by_guest)
    )
    asks = np.lexsort((liked, asking))
    start = np.searchsorted(asking[asks], np.arange(len(places) + 1))
    if compiled:
        from services.partnership.domain.compiled import deferred  # numba is for those who ask for it

        held: Bools = deferred(asks, start, asking, asked, rank, places, places)
        return held
    return plainly(asks, start, asking, asked, rank, places)


def plainly(
    asks: Integers, start: Integers, asking: Integers, asked: Integers, rank: Integers, places: Integers
) -> Bools:
    """As `compiled.deferred`, in rounds: whoever has free places asks the next, all at once; the best are held."""
    held = np.zeros(len(asked), np.bool_)
    at, free = start[:-1].copy(), places.copy()
    while True:
        who = np.flatnonzero((free > 0) & (at < start[1:]))
        if not len(who):
            return held
        new = asks[at[who]]
        at[who] += 1
        wanted = np.concatenate([np.flatnonzero(held), new])
        order = wanted[np.lexsort((rank[wanted], asked[wanted]))]
        first = np.searchsorted(asked[order], asked[order])
        held[:] = False
        held[order[np.arange(len(order)) - first < places[asked[order]]]] = True
        free = places - np.bincount(asking[held], minlength=len(places))


def blocking(instance: Instance, found: Candidates, chosen: Bools) -> Integers:
    """The candidates that are not chosen though both schools would rather have each other, in their order.

    A school would rather when it has a place free, or a partner here that it ranks lower. Schools that are partners in
    another area do not block. The rules for the whole are not asked: a matching under them need not be stable.
    """
    if not len(found):
        return np.zeros(0, np.int64)
    ranked, pair = ranks(instance, found), two_schools(instance, found)
    wanted = both_want(
        found.host, found.guest, ranked.by_host, ranked.by_guest, capacity_left(instance), chosen
    )  # fmt: skip
    return np.flatnonzero(wanted & ~np.isin(pair, pair[chosen]))


def both_want(
    host: Integers, guest: Integers, by_host: Integers, by_guest: Integers, places: Integers, chosen: Bools
) -> Bools:
    """Which pairs (pairs,) are not chosen though both schools would take them; hosts and guests by `places`."""
    return _would_take(host, by_host, chosen, places) & _would_take(guest, by_guest, chosen, places) & ~chosen


def _would_take(school: Integers, rank: Integers, chosen: Bools, places: Integers) -> Bools:
    """Which pairs this side would take: it has a free place, or one whose pair it ranks lower."""
    worst = np.full(len(places), -1, np.int64)
    np.maximum.at(worst, school[chosen], rank[chosen])
    taken = np.bincount(school[chosen], minlength=len(places))
    free = taken < places
    would: Bools = (places[school] > 0) & (free[school] | (rank < worst[school]))
    return would


def broken(instance: Instance, found: Candidates, chosen: Bools) -> list[str]:
    """The names of the programme's rules that a choice breaks, as `rows.rules_of` gives them."""
    values = chosen.astype(np.float64)
    return [
        row.rule
        for row in rules_of(instance, found)
        if not row.lower - 1e-6 <= float(row.value @ values) <= row.upper + 1e-6
    ]
