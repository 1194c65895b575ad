"""Why these two, and why not this one: sentences for people.

A sentence speaks of the school itself and of its partner, never of others' results; figures appear only for schools
that allowed their use.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

Grounds: TypeAlias = dict[str, Any]  # kept as JSON: what a proposal's sentence is made of

_EAGERNESS = {1: "a little eager", 2: "somewhat eager", 3: "eager", 4: "very eager", 5: "most eager"}
RULES = ("balance", "area", "equity", "budget")
"""Kinds of rules that a further pair may break, in the order in which they are named."""
_OTHERS = {"offers": "seeks", "seeks": "offers"}


def grounds(
    area: str,
    host: tuple[str, int, float | None, bool],
    guest: tuple[str, int, float | None, bool],
    distance_km: float | None,
    snapshot_on: str | None,
    *,
    index: bool = False,
) -> Grounds:
    """What a sentence is made of: each school's name, eagerness, measured share (or None), and whether it compares.

    With `index` shares that do not compare are numbers from 0 to 1, and not of learners.
    """
    known: Grounds = {
        "area": area,
        "host": _side(*host),
        "guest": _side(*guest),
        "distance_km": distance_km,
        "snapshot_on": snapshot_on,
    }
    if index:
        known["host"]["index"] = known["guest"]["index"] = True
    return known


def _side(name: str, eagerness: int, share: float | None, in_context: bool) -> dict[str, Any]:
    return {"name": name, "eagerness": eagerness, "share": share} | ({"in_context": True} if in_context else {})


def without_share(known: Grounds, side: str) -> Grounds:
    """The same without the measured share of one side, `host` or `guest`."""
    return {**known, side: {**known[side], "share": None}}


def why(known: Grounds) -> str:
    """Why these two are proposed, in one sentence."""
    host, guest = known["host"], known["guest"]
    measured = host["share"] is not None or guest["share"] is not None
    parts = [
        f"{host['name']} offers help in {known['area']}{_strength(host)} and is {_eager(host)}",
        f"{guest['name']} seeks it{_need(guest)} and is {_eager(guest)}",
    ]
    km = known["distance_km"]
    if km is not None:
        parts.append(f"they are {km:.1f} km apart")
    when = f" (figures of {_day(known['snapshot_on'])})" if measured and known["snapshot_on"] else ""
    return "; ".join(parts) + when + "."


def _strength(side: dict[str, Any]) -> str:
    share = side["share"]
    if share is None:
        return ", by its own word,"
    if side.get("in_context"):
        return f", where learners probably have mastered more than in {share:.0%} of schools with like students,"
    if side.get("index"):
        return f", with a strength of {share:.2f} (from 0 to 1),"
    return f", where its learners have mastered {share:.0%} on average,"


def _need(side: dict[str, Any]) -> str:
    share = side["share"]
    if share is None:
        return ", by its own word,"
    if side.get("in_context"):
        return f", where learners probably have mastered less than in {share:.0%} of schools with like students,"
    if side.get("index"):
        return f", with a need of {share:.2f} (from 0 to 1),"
    return f", where {share:.0%} of its learners have probably not mastered it yet,"


def _eager(side: dict[str, Any]) -> str:
    return f"{_EAGERNESS[side['eagerness']]} ({side['eagerness']} of 5)"


def _day(iso: str) -> str:
    day = date.fromisoformat(iso)
    return f"{day.day} {day:%B %Y}"


@dataclass(frozen=True, slots=True)
class Standing:
    """Why a willing school has no partner: how many there could have been, and what stood against each.

    Every other school that does the opposite in this area is counted once, in the first field that is true of it.
    Those from `partners` on could be its partner: `partners` are so in another area now, `full` have given all their
    places to other partnerships, with those of `broken` (kind of rule, how many) a rule of the programme would be
    broken, and `open` only come after the last of the `number` partnerships that there may be, `by_money` when it is
    the budget that says so. In a stable matching (`is_stable`) places go to partners that rank higher. `has_place` is
    False when partnerships of other programmes take all the places that it has.
    """

    role: str
    area: str
    max_distance_km: float | None = None
    has_location: bool = True
    has_place: bool = True
    others: int = 0
    together: int = 0
    no_location: int = 0
    too_far: int = 0
    conflict: int = 0
    declined: int = 0
    partners: int = 0
    full: int = 0
    broken: tuple[tuple[str, int], ...] = ()
    open: int = 0
    nearest_km: float | None = None
    number: int = 0
    by_money: bool = False
    is_stable: bool = False


def why_not(standing: Standing) -> str:
    """Why there is no partner, in one sentence."""
    does, others = _OTHERS[standing.role], standing.others
    if not standing.has_place:
        return f"All its places in {standing.area} are taken by partnerships of other programmes."
    if not others:
        return f"No other school {does} help in {standing.area}."
    if standing.max_distance_km is not None and not standing.has_location:
        return "The programme limits the distance between partners, and the location of this school is not known."
    who = f"school that {does}" if others == 1 else f"schools that {does.removesuffix('s')}"
    causes = [(count, said) for count, said in _causes(standing) if count]
    if len(causes) == 1:
        all_of_them = f"The only {who}" if others == 1 else f"All {others} {who}"
        return f"{all_of_them} help in {standing.area} {causes[0][1]}."
    listed = [f"{count} {said}" for count, said in causes]
    return f"Of {others} {who} help in {standing.area}, {', '.join(listed[:-1])}, and {listed[-1]}."


def _causes(standing: Standing) -> list[tuple[int, str]]:
    near = "" if standing.nearest_km is None else f" (the nearest is {standing.nearest_km:.1f} km away)"
    allowed = "that the budget pays for" if standing.by_money else "of the programme"
    full = "partners that it ranks higher" if standing.is_stable else "the partnerships that together weigh most"
    several, broken = standing.number != 1, dict(standing.broken)

    def said(count: int, one: str, many: str, rest: str) -> tuple[int, str]:
        return count, f"{one if count == 1 else many} {rest}"

    return [
        said(standing.together, "is", "are", "already its partner in this programme"),
        said(standing.no_location, "has", "have", "no known location, and the programme limits the distance"),
        said(standing.too_far, "is", "are", f"farther away than {standing.max_distance_km or 0:g} km{near}"),
        said(standing.conflict, "is", "are", "kept apart from it by a conflict that the programme names"),
        said(standing.declined, "was", "were", "part of a proposal to it that one side declined"),
        said(standing.partners, "is", "are", "proposed to it, or its partner, in another area"),
        said(standing.full, "has", "have", f"no place left beside {full}"),
        said(broken.get("balance", 0), "has", "have", "no place left in the balance between schools"),
        said(broken.get("area", 0), "comes", "come", "after the last partnership that the programme has here"),
        said(broken.get("equity", 0), "would leave", "would leave", "too small a share to the schools most in need"),
        said(broken.get("budget", 0), "would cost", "would cost", "more than is left of the budget"),
        said(
            standing.open, "comes", "come",
            f"after the {standing.number} partnership{'s' * several} {allowed}, which together weigh most",
        ),
    ]  # fmt: skip
