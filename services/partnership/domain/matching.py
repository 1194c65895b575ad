"""One matching, from its frozen inputs to proposals and reasons. Runs in a process of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID, uuid5

import numpy as np

from services.partnership.domain import reasons
from services.partnership.domain.alternatives import Differences, differences, with_pair, without_pair
from services.partnership.domain.candidates import Bools, Candidates, Integers, candidates
from services.partnership.domain.contradiction import contradiction
from services.partnership.domain.instance import INDEX, Instance, Willing, from_json
from services.partnership.domain.optimum import Chosen, allowed_gap, best, gap_of, worth_of
from services.partnership.domain.rows import Program, capacity_left, program, two_schools

MEASURED, DECLARED = "measured", "declared"
STABLE = "stable"
"""The method of a choice that is stable and need not be the best."""
_WITHIN = 1e-6


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
    alternative: str | None = None
    """What the whole would lose without this pair."""


@dataclass(frozen=True, slots=True)
class Alone:
    """A willing school without a partner in an area, and the sentence that says why."""

    id: UUID
    school: UUID
    area: str
    role: str
    reason: str
    alternative: str | None = None
    """What the whole would lose with a partner for it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a matching came to; `explanation` says why there is nothing to propose.

    No choice that meets the rules weighs more than `bound`; `method` says how that is known.
    """

    proposals: tuple[Proposed, ...]
    alone: tuple[Alone, ...]
    is_feasible: bool
    explanation: str | None
    weight: int
    bound: int = 0
    method: str | None = None

    @property
    def gap(self) -> float:
        """How far below the bound the weight is, as a share of the weight."""
        return gap_of(self.weight, self.bound)


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
    return outcome(instance, found, chosen)


def outcome(instance: Instance, found: Candidates, chosen: Chosen) -> Outcome:
    """A choice of candidates with its reasons. The instance is in the order of ids."""
    names = {school.id: school.name for school in instance.schools}
    rules = program(instance, found)
    busy = np.bincount(
        np.concatenate([found.host[chosen.pairs], found.guest[chosen.pairs]]), minlength=len(instance.willing)
    )
    known = Differences({}, {})
    if len(found) and chosen.method != STABLE:
        known = differences(
            rules, worth_of(instance, found), found, chosen, np.flatnonzero(busy == 0), allowed_gap(instance, found)
        )
    proposals = tuple(
        replace(_proposed(instance, found, at, names), alternative=without_pair(known.without.get(at)))
        for at in np.flatnonzero(chosen.pairs).tolist()
    )
    return Outcome(
        proposals,
        tuple(_alone(instance, found, chosen.pairs, busy, rules, known, is_stable=chosen.method == STABLE)),
        True,
        None if proposals else "No two willing schools can be brought together now; each has its reason.",
        chosen.weight,
        chosen.bound,
        chosen.method,
    )


def _proposed(instance: Instance, found: Candidates, at: int, names: Mapping[UUID, str]) -> Proposed:
    host, guest = instance.willing[int(found.host[at])], instance.willing[int(found.guest[at])]
    km = float(found.distance_km[at])
    distance = None if np.isnan(km) else round(km, 3)
    known = reasons.grounds(
        dict(instance.areas)[host.area],
        (names[host.school], host.eagerness, host.share, host.in_context),
        (names[guest.school], guest.eagerness, guest.share, guest.in_context),
        distance,
        instance.snapshot_on,
        index=instance.shares == INDEX,
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
    rules: tuple[tuple[str, Bools], ...]
    """By what kind of rule of the programme, in the order of `reasons.RULES`, and which pairs would break it."""


def _alone(
    instance: Instance,
    found: Candidates,
    chosen: Bools,
    busy: Integers,
    rules: Program,
    known: Differences,
    *,
    is_stable: bool,
) -> list[Alone]:
    """Every willing school that has neither a proposal nor a partner in an area, with its reason."""
    capacity = capacity_left(instance)
    accepted = {(school, area) for host, guest, area in instance.locked for school in (host, guest)}
    blocked = _blocked(instance, found, chosen, capacity - busy, rules)
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
        still = ~partners & ~full
        broken = []
        for kind, mask in blocked.rules:
            broken.append((kind, int((still & mask[pairs]).sum())))
            still &= ~mask[pairs]
        near = float(out.nearest_km[at])
        standing = reasons.Standing(
            role=willing.role,
            area=titles[willing.area],
            max_distance_km=instance.max_distance_km,
            has_location=located[willing.school],
            has_place=bool(capacity[at] > 0),
            others=int(out.others[at]),
            together=int(out.together[at]),
            no_location=int(out.no_location[at]),
            too_far=int(out.too_far[at]),
            conflict=int(out.conflict[at]),
            declined=int(out.declined[at]),
            partners=int(partners.sum()),
            full=int(full.sum()),
            broken=tuple(broken),
            open=int(still.sum()),
            nearest_km=None if np.isinf(near) else near,
            number=min(instance.partnerships, instance.affordable),
            by_money=instance.affordable < instance.partnerships,
            is_stable=is_stable,
        )
        alone.append(
            Alone(
                uuid5(instance.matching, f"{willing.school}|{willing.area}"),
                willing.school, willing.area, willing.role, reasons.why_not(standing),
                with_pair(known.within.get(at)),
            )
        )  # fmt: skip
    return alone


def _blocked(instance: Instance, found: Candidates, chosen: Bools, capacity: Integers, rules: Program) -> _Blocked:
    together = np.unique(two_schools(instance, found)[chosen]) if len(found) else np.zeros(0, np.int64)
    partners = np.isin(two_schools(instance, found), together)
    broken = {kind: np.zeros(len(found), np.bool_) for kind in reasons.RULES}
    activity = rules.activity(chosen.astype(np.float64)) if len(found) else np.zeros(len(rules.lower))
    for name, row in rules.rules:
        kind = name.partition("\0")[0]
        if kind in broken:
            here = rules.row == row
            columns, after = rules.column[here], activity[row] + rules.value[here]
            broken[kind][columns] |= (after > rules.upper[row] + _WITHIN) | (after < rules.lower[row] - _WITHIN)
    return _Blocked(partners, capacity[found.host] <= 0, capacity[found.guest] <= 0, tuple(broken.items()))


def _grouped(number: Integers, size: int) -> list[Integers]:
    """For each of so many numbers, where it stands."""
    order = np.argsort(number, kind="stable")
    return np.split(order, np.cumsum(np.bincount(number, minlength=size))[:-1])
