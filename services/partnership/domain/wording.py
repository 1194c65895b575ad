"""The rules of a programme in words."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID, uuid5

from services.partnership.domain.instance import Instance, School, instance_of
from services.partnership.domain.programme import SECTOR, SECTORS, Programme, schools_named
from services.partnership.domain.rows import (
    BUDGET,
    CAPACITY,
    CONFLICTS,
    DECLINED,
    DISTANCE,
    EQUITY,
    NUMBER,
    area_rule,
    balance_rule,
    locked_rule,
)

_NOWHERE = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Said:
    """A rule by its name, and what it says; `asks` when it wants partnerships rather than limits them."""

    rule: str
    says: str
    asks: bool = False


def in_words(instance: Instance) -> Iterator[Said]:
    """The rules there are, those that a district gives up most easily first."""
    if instance.conflicts:
        yield Said(CONFLICTS, "the conflicts that it names")
    if instance.declined:
        yield Said(DECLINED, "pairs that were declined are not proposed again")
    yield Said(CAPACITY, "the capacities that the schools declare")
    yield Said(NUMBER, f"at most {_counted(instance.partnerships)}")
    if instance.budget is None:
        yield Said(BUDGET, f"a budget that pays for {_counted(instance.affordable)}")
    else:
        yield Said(BUDGET, f"a budget that pays for {_counted(instance.affordable)} in the area that costs least")
    if instance.max_distance_km is not None:
        yield Said(DISTANCE, f"a distance of at most {instance.max_distance_km:g} km")
    yield from _shares(instance)
    yield from _areas(instance)
    yield from _locked(instance)


def words_of(programme: Programme) -> list[str]:
    """The rules of a programme as it is, whichever schools are willing."""
    ids = {name: uuid5(_NOWHERE, name) for name in schools_named(programme)}
    known = [School(id_, name) for name, id_ in ids.items()]
    instance = instance_of(programme, ids, matching=_NOWHERE, schools=known, willing=())
    return [said.says for said in in_words(instance) if said.rule != CAPACITY]


def _shares(instance: Instance) -> Iterator[Said]:
    for each in instance.balance:
        plain = each.attribute == SECTOR and each.value in SECTORS
        whose = f"{each.value} schools" if plain else f"schools with {each.attribute} {each.value}"
        for kind, words, places in (("at_most", "at most", each.at_most), ("at_least", "at least", each.at_least)):
            if places is not None:
                yield Said(
                    balance_rule(each.attribute, each.value, kind), f"{words} {places} places for {whose}",
                    kind == "at_least",
                )  # fmt: skip
    if instance.equity is not None:
        share = f"at least {float(instance.equity.at_least):.4g} of the partnerships"
        if instance.equity.attribute is None:
            neediest = f"the neediest {float(instance.equity.neediest or 0):.0%} of the schools that seek help"
            yield Said(EQUITY, f"{share} for {neediest}", True)
        else:
            values = " or ".join(instance.equity.values)
            yield Said(EQUITY, f"{share} for schools that seek help with {instance.equity.attribute} {values}", True)


def _areas(instance: Instance) -> Iterator[Said]:
    titles = dict(instance.areas)
    for each in instance.limits:
        for kind, words, count in (("at_most", "at most", each.at_most), ("at_least", "at least", each.at_least)):
            if count is not None:
                says = f"{words} {_counted(count)} in {titles[each.area]}"
                yield Said(area_rule(each.area, kind), says, kind == "at_least")


def _locked(instance: Instance) -> Iterator[Said]:
    titles = dict(instance.areas)
    names = {school.id: school.name for school in instance.schools}
    for pair in instance.required:
        host, guest, area = pair
        a_school = "a school that is not willing"
        says = f"the partnership of {names.get(host, a_school)} and {names.get(guest, a_school)} in {titles[area]}"
        yield Said(locked_rule(pair), f"{says} that it locks", True)


def _counted(partnerships: int) -> str:
    return f"{partnerships} partnership{'s' * (partnerships != 1)}"
