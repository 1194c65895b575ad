"""One matching, from its frozen inputs to proposals and reasons. Runs in a process of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID, uuid5

import numpy as np

from services.partnership.domain import reasons
from services.partnership.domain.candidates import Bools, Candidates, Integers, candidates
from services.partnership.domain.contradiction import contradiction
from services.partnership.domain.instance import Instance, Willing, from_json
from services.partnership.domain.optimum import best, left, places

MEASURED, DECLARED = "measured", "declared"


@dataclass(frozen=True, slots=True)
class Proposed:
    """A partnership that is proposed, and what its sentence is made of."""

    id: UUID
    area: str
    host: UUID
    guest: UUID
    host_basis: str
    guest_basis: str
    distance_km: float | None
    weight: int
    grounds: reasons.Grounds
    reason: str


@dataclass(frozen=True, slots=True)
class Alone:
    """A willing school without a partner in an area, and the sentence that says why."""

    id: UUID
    school: UUID
    area: str
    role: str
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a matching came to; `explanation` says why there is nothing to propose."""

    proposals: tuple[Proposed, ...]
    alone: tuple[Alone, ...]
    is_feasible: bool
    explanation: str | None
    weight: int


def match(kept: str) -> Outcome:
    """The matching of these inputs, as `instance.to_json` wrote them: the same bytes in, the same outcome out."""
    return solve(from_json(kept))


def solve(instance: Instance) -> Outcome:
    """The optimal choice with a reason for everyone, or the rules that contradict each other."""
    instance = instance.ordered()
    found = candidates(instance)
    chosen = best(instance, found)
    if chosen is None:
        return Outcome((), (), False, contradiction(instance), 0)
    names = {school.id: school.name for school in instance.schools}
    proposals = tuple(_proposed(instance, found, int(at), names) for at in np.flatnonzero(chosen))
    return Outcome(
        proposals,
        tuple(_alone(instance, found, chosen)),
        True,
        None if proposals else "No two willing schools can be brought together now; each has its reason.",
        int(found.weight[chosen].sum()),
    )


def _proposed(instance: Instance, found: Candidates, at: int, names: Mapping[UUID, str]) -> Proposed:
    host, guest = instance.willing[int(found.host[at])], instance.willing[int(found.guest[at])]
    km = float(found.distance_km[at])
    distance = None if np.isnan(km) else round(km, 3)
    known = reasons.grounds(
        dict(instance.areas)[host.area],
        (names[host.school], host.eagerness, host.share),
        (names[guest.school], guest.eagerness, guest.share),
        distance,
        instance.snapshot_on,
    )
    return Proposed(
        id=uuid5(instance.matching, f"{host.school}|{guest.school}|{host.area}"),
        area=host.area,
        host=host.school,
        guest=guest.school,
        host_basis=_basis(host),
        guest_basis=_basis(guest),
        distance_km=distance,
        weight=int(found.weight[at]),
        grounds=known,
        reason=reasons.why(known),
    )


def _basis(willing: Willing) -> str:
    return DECLARED if willing.share is None else MEASURED


@dataclass(frozen=True, slots=True)
class _Blocked:
    """Of the pairs that were not chosen: what stands against each, the first that is true."""

    partners: Bools
    host_full: Bools
    guest_full: Bools
    balance: Bools


def _alone(instance: Instance, found: Candidates, chosen: Bools) -> list[Alone]:
    """Every willing school that has neither a proposal nor a partner in an area, with its reason."""
    limits = left(instance)
    busy = np.bincount(np.concatenate([found.host[chosen], found.guest[chosen]]), minlength=len(instance.willing))
    accepted = {(school, area) for host, guest, area in instance.locked for school in (host, guest)}
    blocked = _blocked(instance, found, chosen, limits.capacity - busy, limits.balance)
    by_host, by_guest = _grouped(found.host, len(busy)), _grouped(found.guest, len(busy))
    titles = dict(instance.areas)
    located = {school.id: None not in (school.latitude, school.longitude) for school in instance.schools}
    out = found.ruled_out
    alone = []
    for at, willing in enumerate(instance.willing):
        if busy[at] or (willing.school, willing.area) in accepted:
            continue
        offers = willing.role == "offers"
        pairs = (by_host if offers else by_guest)[at]
        partners = blocked.partners[pairs]
        full = ~partners & (blocked.guest_full if offers else blocked.host_full)[pairs]
        balance = ~partners & ~full & blocked.balance[pairs]
        near = float(out.nearest_km[at])
        standing = reasons.Standing(
            role=willing.role,
            area=titles[willing.area],
            max_distance_km=instance.max_distance_km,
            has_location=located[willing.school],
            has_place=bool(limits.capacity[at] > 0),
            others=int(out.others[at]),
            together=int(out.together[at]),
            no_location=int(out.no_location[at]),
            too_far=int(out.too_far[at]),
            conflict=int(out.conflict[at]),
            declined=int(out.declined[at]),
            partners=int(partners.sum()),
            full=int(full.sum()),
            balance=int(balance.sum()),
            open=int((~partners & ~full & ~balance).sum()),
            nearest_km=None if np.isinf(near) else near,
            number=min(instance.partnerships, instance.affordable),
            by_money=instance.affordable < instance.partnerships,
        )
        alone.append(
            Alone(
                uuid5(instance.matching, f"{willing.school}|{willing.area}"),
                willing.school, willing.area, willing.role, reasons.why_not(standing),
            )
        )  # fmt: skip
    return alone


def _blocked(
    instance: Instance,
    found: Candidates,
    chosen: Bools,
    capacity: Integers,
    balance: tuple[tuple[str, str, float], ...],
) -> _Blocked:
    schools = [each.school for each in instance.willing]
    together = {
        frozenset((schools[int(found.host[at])], schools[int(found.guest[at])])) for at in np.flatnonzero(chosen)
    }
    hosts, guests = found.host.tolist(), found.guest.tolist()
    partners = np.array(
        [frozenset((schools[h], schools[g])) in together for h, g in zip(hosts, guests, strict=True)], np.bool_
    )
    beyond = np.zeros(len(found), np.bool_)
    for sector, kind, most in balance:
        if kind == "at_most":
            takes = places(instance, found, sector)
            beyond |= (takes > 0) & (takes + takes[chosen].sum() > most)
    return _Blocked(partners, capacity[found.host] <= 0, capacity[found.guest] <= 0, beyond)


def _grouped(number: Integers, size: int) -> list[Integers]:
    """For each of so many numbers, where it stands."""
    order = np.argsort(number, kind="stable")
    return np.split(order, np.cumsum(np.bincount(number, minlength=size))[:-1])
