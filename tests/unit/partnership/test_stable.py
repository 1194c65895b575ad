"""Deferred acceptance gives a stable matching, the best of all for the side that asks."""

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest

from services.partnership.domain.candidates import Bools, Candidates, Integers, candidates
from services.partnership.domain.instance import Instance
from services.partnership.domain.rows import capacity_left, two_schools
from services.partnership.domain.stable import Side, blocking, both_want, broken, deferred_acceptance, ranks, stable
from tests.unit.partnership.instances import drawn

SIDES: tuple[Side, ...] = ("hosts", "guests")


def of_one_area(seed: int) -> Instance:
    """A drawn instance of at most 4 × 4 in one area, with nothing but places, distance and conflicts."""
    instance = drawn(seed)
    schools = {each.school for each in instance.willing[:8]}
    willing = tuple(each for each in instance.willing if each.school in schools and each.area == "mathematics")
    return replace(instance, willing=willing, locked=(), balance=(), partnerships=30, affordable=30).ordered()


def every_stable(instance: Instance, found: Candidates) -> list[Bools]:
    """All stable matchings, by trying every choice that keeps to the places."""
    places, stable_ones = capacity_left(instance), []
    for choice in itertools.product((False, True), repeat=len(found)):
        chosen = np.array(choice, np.bool_)
        taken = np.bincount(np.concatenate([found.host[chosen], found.guest[chosen]]), minlength=len(places))
        if (taken <= places).all() and not plainly_blocking(instance, found, chosen):
            stable_ones.append(chosen)
    return stable_ones


def plainly_blocking(instance: Instance, found: Candidates, chosen: Bools) -> list[int]:
    """Blocking pairs by the words of the definition."""
    ranked, places = ranks(instance, found), capacity_left(instance)

    def would(side: str, at: int) -> bool:
        school = getattr(found, side)
        rank = ranked.by_host if side == "host" else ranked.by_guest
        mine = [n for n in range(len(found)) if chosen[n] and school[n] == school[at]]
        if places[school[at]] == 0:
            return False
        return len(mine) < places[school[at]] or any(rank[at] < rank[n] for n in mine)

    return [n for n in range(len(found)) if not chosen[n] and would("host", n) and would("guest", n)]


@pytest.mark.parametrize("start", range(0, 500, 50))
def test_is_the_stable_matching_that_a_search_finds_best_for_the_side_that_asks(start: int) -> None:
    checked = 0
    for seed in range(start, start + 50):
        instance = of_one_area(seed)
        found = candidates(instance)
        if len(found) > 12:
            continue
        every, ranked = every_stable(instance, found), ranks(instance, found)

        for side in SIDES:
            chosen = stable(instance, found, side)

            assert any((chosen == one).all() for one in every)
            school, rank = (found.host, ranked.by_host) if side == "hosts" else (found.guest, ranked.by_guest)
            for each in np.unique(school):
                mine = sorted(rank[chosen & (school == each)])
                for one in every:
                    theirs = sorted(rank[one & (school == each)])
                    assert len(mine) == len(theirs)
                    assert all(a <= b for a, b in zip(mine, theirs, strict=True))
        checked += 1

    assert checked >= 25


def tiny(seed: int) -> tuple[Integers, Integers, Integers, Integers, Integers]:
    """At most 4 × 4 schools and 10 pairs; what one side likes the other likes less: several are often stable."""
    chance = np.random.default_rng(seed)
    hosts, guests = int(chance.integers(2, 5)), int(chance.integers(2, 5))
    pairs = chance.permutation(hosts * guests)[:10]
    places = chance.choice([1, 1, 1, 2, 0], hosts + guests)
    by_host = chance.permutation(len(pairs))
    apart = np.argsort(np.argsort(-by_host + chance.normal(0, 1 + 5 * (seed % 2), len(pairs))))
    return pairs // guests, hosts + pairs % guests, by_host, apart, places


def stable_choices(seed: int) -> list[Bools]:
    """All stable matchings of a tiny instance with any preferences, by trying every choice."""
    host, guest, by_host, by_guest, places = tiny(seed)
    found = []
    for choice in itertools.product((False, True), repeat=len(host)):
        chosen = np.array(choice, np.bool_)
        taken = np.bincount(np.concatenate([host[chosen], guest[chosen]]), minlength=len(places))
        if (taken <= places).all() and not both_want(host, guest, by_host, by_guest, places, chosen).any():
            found.append(chosen)
    return found


@pytest.mark.parametrize("start", range(0, 500, 50))
def test_with_any_preferences_each_side_that_asks_gets_the_best_of_all_stable_matchings(start: int) -> None:
    for seed in range(start, start + 50):
        host, guest, by_host, by_guest, places = tiny(seed)
        every = stable_choices(seed)

        for side in SIDES:
            chosen = deferred_acceptance(host, guest, by_host, by_guest, places, side)

            assert any((chosen == one).all() for one in every)
            school, rank = (host, by_host) if side == "hosts" else (guest, by_guest)
            for each in np.unique(school):
                mine = sorted(rank[chosen & (school == each)])
                for one in every:
                    theirs = sorted(rank[one & (school == each)])
                    assert len(mine) == len(theirs)  # the rural hospitals theorem (Roth 1986)
                    assert all(a <= b for a, b in zip(mine, theirs, strict=True))


def test_the_tiny_instances_have_often_more_than_one_stable_matching() -> None:
    assert sum(len(stable_choices(seed)) > 1 for seed in range(100)) >= 3


@pytest.mark.parametrize("seed", range(60))
def test_blocking_pairs_of_any_choice_are_those_of_the_definition(seed: int) -> None:
    instance = of_one_area(seed)
    found = candidates(instance)
    places, chance = capacity_left(instance), random.Random(seed)
    chosen = np.zeros(len(found), np.bool_)
    for at in chance.sample(range(len(found)), len(found)):
        taken = np.bincount(np.concatenate([found.host[chosen], found.guest[chosen]]), minlength=len(places))
        if chance.random() < 0.5 and taken[found.host[at]] < places[found.host[at]]:
            chosen[at] = taken[found.guest[at]] < places[found.guest[at]]

    assert blocking(instance, found, chosen).tolist() == plainly_blocking(instance, found, chosen)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("side", SIDES)
def test_the_compiled_kernel_and_the_plain_one_hold_the_same_pairs(seed: int, side: Side) -> None:
    chance = np.random.default_rng(seed)
    pair = chance.permutation(30 * 40)[:300]
    host, guest = pair // 40, 30 + pair % 40
    by_host, by_guest = chance.permutation(300), chance.permutation(300)
    places = chance.integers(0, 4, 70)

    plain = deferred_acceptance(host, guest, by_host, by_guest, places, side)
    compiled = deferred_acceptance(host, guest, by_host, by_guest, places, side, compiled=True)

    assert plain.sum() > 20
    assert (plain == compiled).all()


@pytest.mark.parametrize("seed", range(40))
def test_two_schools_have_one_partnership_though_they_could_have_two(seed: int) -> None:
    instance = replace(drawn(seed), locked=()).ordered()
    found = candidates(instance)

    chosen = stable(instance, found)

    pairs = two_schools(instance, found)[chosen]
    assert len(set(pairs.tolist())) == len(pairs)


def test_the_rules_that_a_stable_matching_does_not_keep_are_named() -> None:
    several = [replace(drawn(seed), partnerships=1, locked=()).ordered() for seed in range(40)]

    named = [(broken(one, candidates(one), stable(one, candidates(one))), one) for one in several]

    assert sum("number" in rules for rules, _ in named) > 5
    for rules, one in named:
        assert ("number" in rules) == (stable(one, candidates(one)).sum() > 1)


def test_another_seed_decides_between_equals_in_another_way() -> None:
    results = set()
    for seed in range(30):
        instance = replace(of_one_area(3), seed=seed)
        willing = tuple(replace(each, share=None, eagerness=3, capacity=1) for each in instance.willing)
        instance = replace(instance, willing=willing, max_distance_km=None)
        results.add(tuple(stable(instance, candidates(instance)).tolist()))

    assert len(results) > 1
