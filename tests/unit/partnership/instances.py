"""Small programmes and schools for the tests of matching, and a plain search through every choice."""

import math
import random
from statistics import median
from typing import NamedTuple
from uuid import UUID

from services.partnership.domain.instance import Instance, Pair, School, Willing
from services.partnership.domain.programme import Balance


class Edge(NamedTuple):
    """A pair that may be chosen, worth so many millionths."""

    host: UUID
    guest: UUID
    area: str
    weight: int


def school(number: int) -> UUID:
    """The id of a school in these tests."""
    return UUID(int=number + 1, version=4)


def drawn(seed: int) -> Instance:
    """An instance of at most 6 × 6, every rule there or not there by chance."""
    chance = random.Random(seed)
    hosts, guests = chance.randint(1, 6), chance.randint(1, 6)
    areas = ["mathematics", "english"][: chance.choice([1, 1, 2])]
    schools = [
        School(
            school(number),
            f"School {number}",
            chance.choice(["district", "charter", None]),
            *((40.6 + chance.random() / 5, -74.0 + chance.random() / 5) if chance.random() < 0.9 else (None, None)),
        )
        for number in range(hosts + guests)
    ]
    willing = [
        Willing(
            school(number), area, "offers" if number < hosts else "seeks", chance.randint(1, 5), chance.randint(1, 2),
            chance.choice([None, round(chance.random(), 2)]),
        )
        for number in range(hosts + guests)
        for area in areas
        if chance.random() < 0.85
    ]  # fmt: skip

    def a_pair() -> tuple[UUID, UUID]:
        return school(chance.randrange(hosts)), school(hosts + chance.randrange(guests))

    balance = [
        Balance(sector, chance.choice([None, 1, 2, 3]), chance.choice([None, 3, 4]))
        for sector in ("district", "charter")
        if chance.random() < 0.4
    ]
    locked: list[Pair] = [(*a_pair(), chance.choice(areas))] if chance.random() < 0.3 else []
    return Instance(
        matching=UUID(int=seed, version=4),
        areas=tuple((area, area.title()) for area in areas),
        schools=tuple(schools),
        willing=tuple(willing),
        partnerships=chance.choice([1, 2, 3, 4, 30]),
        affordable=chance.choice([2, 3, 30]),
        max_distance_km=chance.choice([None, 8.0, 15.0]),
        balance=tuple(each for each in balance if each.at_least or each.at_most),
        conflicts=tuple(a_pair() for _ in range(chance.choice([0, 0, 2]))),
        declined=tuple((*a_pair(), chance.choice(areas)) for _ in range(chance.choice([0, 0, 2]))),
        locked=tuple(locked),
    )


def edges(instance: Instance) -> list[Edge]:
    """Every pair that may be chosen, by the words of the rules."""
    found = []
    for host in instance.willing:
        for guest in instance.willing:
            if (host.role, guest.role) != ("offers", "seeks") or host.area != guest.area:
                continue
            pair = {host.school, guest.school}
            km = distance(instance, host.school, guest.school)
            limit = instance.max_distance_km
            if (
                any(pair == {one, other} for one, other, _ in instance.locked)
                or any(pair == {one, other} for one, other in instance.conflicts)
                or (host.school, guest.school, host.area) in instance.declined
                or (limit is not None and (km is None or km > limit))
            ):
                continue
            near = 1 - km / (2 * limit) if limit is not None and km is not None else 1.0
            eager = math.sqrt(host.eagerness * guest.eagerness) / 5
            worth = share(instance, host) * share(instance, guest) * eager * near * suits(instance, host, guest)
            found.append(Edge(host.school, guest.school, host.area, max(1, round(1_000_000 * worth))))
    return found


def suits(instance: Instance, host: Willing, guest: Willing) -> float:
    """What attributes, preferences and having been proposed make of a pair."""
    schools = {each.id: each for each in instance.schools}
    factor = 1.0
    for each in instance.fit:
        if schools[host.school].value_of(each.attribute) != schools[guest.school].value_of(each.attribute):
            factor *= float(each.differing)
    for one, other, times in instance.preferences:
        factor *= times if {one, other} == {host.school, guest.school} else 1
    kept = (host.school, guest.school, host.area) in instance.previous
    return factor * (1 + instance.keep if kept else 1)


def share(instance: Instance, willing: Willing) -> float:
    """What a school counts for: what is measured, or the middle of what is measured of its like, or a half."""
    if willing.share is not None:
        return willing.share
    like = [w.share for w in instance.willing if (w.area, w.role) == (willing.area, willing.role)]
    measured = [each for each in like if each is not None]
    return median(measured) if measured else 0.5


def distance(instance: Instance, one: UUID, other: UUID) -> float | None:
    """The distance in km, by the spherical law of cosines."""
    at = {each.id: each for each in instance.schools}
    a, b = at[one], at[other]
    if a.latitude is None or a.longitude is None or b.latitude is None or b.longitude is None:
        return None
    lat, lat_other, turn = math.radians(a.latitude), math.radians(b.latitude), math.radians(a.longitude - b.longitude)
    cosine = math.sin(lat) * math.sin(lat_other) + math.cos(lat) * math.cos(lat_other) * math.cos(turn)
    return 6371.0088 * math.acos(min(1.0, cosine))


def breaks(instance: Instance, chosen: list[Edge], *, at_least: bool = True) -> bool:
    """Whether a choice breaks a rule; without `at_least` only those that more partnerships cannot mend."""
    pairs = [*((each.host, each.guest) for each in chosen), *((h, g) for h, g, _ in instance.locked)]
    if len(chosen) > max(0, min(instance.partnerships, instance.affordable) - len(instance.locked)):
        return True
    if len({frozenset(pair) for pair in pairs}) < len(pairs):
        return True
    about = [*((each.host, each.guest, each.area) for each in chosen), *instance.locked]
    for willing in instance.willing:
        taking = [1 for host, guest, area in about if area == willing.area and willing.school in (host, guest)]
        new = [1 for each in chosen if each.area == willing.area and willing.school in (each.host, each.guest)]
        if new and len(taking) > willing.capacity:
            return True
    sector = {each.id: each.sector for each in instance.schools}
    for rule in instance.balance:
        places = sum((sector[one] == rule.value) + (sector[other] == rule.value) for one, other in pairs)
        mine = any(rule.value in (sector[each.host], sector[each.guest]) for each in chosen)
        if rule.at_most is not None and mine and places > rule.at_most:
            return True
        if at_least and rule.at_least is not None and places < rule.at_least:
            return True
    return False


def searched(instance: Instance) -> int | None:
    """The largest total weight of any choice, by trying them all; None when every choice breaks a rule."""
    every = sorted(edges(instance), key=lambda each: -each.weight)
    most = max(0, min(instance.partnerships, instance.affordable) - len(instance.locked))
    best: int | None = None

    def go_on(at: int, chosen: list[Edge], weight: int) -> None:
        nonlocal best
        if (best is None or weight > best) and not breaks(instance, chosen):
            best = weight
        reach = weight + sum(each.weight for each in every[at : at + most - len(chosen)])
        if at == len(every) or len(chosen) == most or (best is not None and reach <= best):
            return
        with_it = [*chosen, every[at]]
        if not breaks(instance, with_it, at_least=False):
            go_on(at + 1, with_it, weight + every[at].weight)
        go_on(at + 1, chosen, weight)

    go_on(0, [], 0)
    return best
