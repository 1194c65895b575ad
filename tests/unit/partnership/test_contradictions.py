"""Twenty kinds of programmes that cannot be met, each with the smallest set of rules that says why."""

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest

from services.partnership.domain.candidates import ALL, Rules, candidates
from services.partnership.domain.instance import Instance, Limit, School, Willing
from services.partnership.domain.matching import solve
from services.partnership.domain.optimum import feasible
from services.partnership.domain.programme import Balance, Equity
from services.partnership.domain.wording import in_words
from tests.unit.partnership.instances import school

M, E = "mathematics", "english"
ASKED = "These rules cannot be met together with the schools that are willing: "


def town(**rules: object) -> Instance:
    """Hosts 0 to 2, guests 3 to 5, 8.4 km from one to the next; two areas; odd ones are charter schools."""
    schools = tuple(
        School(
            school(n), f"School {n}", ("district", "charter")[n % 2], 41.0, -74.0 + n / 10, (("borough", "AB"[n // 3]),)
        )
        for n in range(6)
    )
    willing = tuple(
        Willing(school(n), area, "offers" if n < 3 else "seeks", 3, 1, (n + 1) / 10)
        for n in range(6)
        for area in (E, M)
    )
    plain = Instance(UUID(int=9), ((E, "English"), (M, "Mathematics")), schools, willing, 10, 10)
    return replace(plain, **rules)  # type: ignore[arg-type]  # the fields of an instance by name


def pair(host: int, guest: int, area: str = M) -> tuple[UUID, UUID, str]:
    return school(host), school(guest), area


ALL_PAIRS = tuple((school(h), school(g)) for h in range(3) for g in range(3, 6))
IN_NEED = Equity(Decimal("0.5"), None, "borough", ("C",))
KINDS = {
    "more of a sector than there is": (
        {"balance": (Balance("private", 1, None),)}, "Too few schools are willing: the programme asks for at least 1 "
        "places for private schools."),
    "a sector and the number": (
        {"balance": (Balance("charter", 4, None),), "partnerships": 1},
        "at least 4 places for charter schools; at most 1 partnership."),
    "a sector and the budget": (
        {"balance": (Balance("charter", 4, None),), "affordable": 1},
        "at least 4 places for charter schools; a budget that pays for 1 partnership."),
    "a sector and the distance": (
        {"balance": (Balance("charter", 4, None),), "max_distance_km": 5.0},
        "at least 4 places for charter schools; a distance of at most 5 km."),
    "a sector and the conflicts": (
        {"balance": (Balance("charter", 1, None),), "conflicts": ALL_PAIRS},
        "at least 1 places for charter schools; the conflicts that it names."),
    "a sector and what was declined": (
        {"balance": (Balance("charter", 1, None),), "declined": tuple((*two, a) for two in ALL_PAIRS for a in (E, M))},
        "at least 1 places for charter schools; pairs that were declined are not proposed again."),
    "a sector and the capacities": (
        {"balance": (Balance("charter", 7, None),)},
        "at least 7 places for charter schools; the capacities that the schools declare."),
    "two sectors": (
        {"balance": (Balance("charter", 2, None), Balance("district", None, 0)),
         "conflicts": ((school(1), school(3)), (school(1), school(5)))},
        "at least 2 places for charter schools; the conflicts that it names; at most 0 places for district schools."),
    "an attribute that nobody has": (
        {"balance": (Balance("C", 1, None, "borough"),)}, "Too few schools are willing: the programme asks for at "
        "least 1 places for schools with borough C."),
    "two values of an attribute": (
        {"balance": (Balance("A", 1, None, "borough"), Balance("B", None, 0, "borough"))},
        "at least 1 places for schools with borough A; at most 0 places for schools with borough B."),
    "an area and the number": (
        {"limits": (Limit(M, 3, None),), "partnerships": 2},
        "at least 3 partnerships in Mathematics; at most 2 partnerships."),
    "an area without willing schools": (
        {"limits": (Limit(M, 1, None),), "willing": ()},
        "Too few schools are willing: the programme asks for at least 1 partnership in Mathematics."),
    "two areas and the number": (
        {"limits": (Limit(E, 1, None), Limit(M, 2, None)), "partnerships": 2},
        "at least 1 partnership in English; at least 2 partnerships in Mathematics; at most 2 partnerships."),
    "an area and a sector's limit": (
        {"limits": (Limit(M, 3, None),), "balance": (Balance("district", None, 2),)},
        "at least 3 partnerships in Mathematics; the capacities that the schools declare; at most 2 places for "
        "district schools."),
    "an area's limit and a sector": (
        {"limits": (Limit(E, None, 0), Limit(M, None, 0)), "balance": (Balance("charter", 1, None),)},
        "at least 1 places for charter schools; at most 0 partnerships in English; at most 0 partnerships in "
        "Mathematics."),
    "equity and an area": (
        {"equity": IN_NEED, "limits": (Limit(M, 1, None),)},
        "at least 0.5 of the partnerships for schools that seek help with borough C; at least 1 partnership in "
        "Mathematics."),
    "the neediest and a conflict": (
        {"equity": Equity(Decimal(1), Decimal("0.2")), "balance": (Balance("charter", 3, None),),
         "conflicts": tuple((school(h), school(5)) for h in (0, 2))},
        "at least 3 places for charter schools; at least 1 of the partnerships for the neediest 20% of the schools "
        "that seek help; the conflicts that it names."),
    "a locked pair that is too far apart": (
        {"required": (pair(0, 5),), "max_distance_km": 20.0},
        "the partnership of School 0 and School 5 in Mathematics that it locks; a distance of at most 20 km."),
    "a locked pair that one side declined": (
        {"required": (pair(0, 5),), "declined": (pair(0, 5),)},
        "the partnership of School 0 and School 5 in Mathematics that it locks; pairs that were declined are not "
        "proposed again."),
    "a locked pair of a school that is not willing": (
        {"required": ((school(0), school(9), M),)}, "Too few schools are willing: the programme asks for the "
        "partnership of School 0 and a school that is not willing in Mathematics that it locks."),
    "two locked pairs for one place": (
        {"required": (pair(0, 3), pair(0, 4))},
        "the partnership of School 0 and School 3 in Mathematics that it locks; the partnership of School 0 and School "
        "4 in Mathematics that it locks; the capacities that the schools declare."),
    "a locked pair in an area that may have none": (
        {"required": (pair(0, 3),), "limits": (Limit(M, None, 0),)},
        "the partnership of School 0 and School 3 in Mathematics that it locks; at most 0 partnerships in "
        "Mathematics."),
    "a locked pair that costs too much": (
        {"required": (pair(0, 3),), "budget": 4, "costs": ((E, 2), (M, 5)), "affordable": 2},
        "the partnership of School 0 and School 3 in Mathematics that it locks; a budget that pays for 2 partnerships "
        "in the area that costs least."),
    "areas that cost too much together": (
        {"limits": (Limit(E, 1, None), Limit(M, 1, None)), "budget": 6, "costs": ((E, 2), (M, 5)), "affordable": 3},
        "at least 1 partnership in English; at least 1 partnership in Mathematics; a budget that pays for 3 "
        "partnerships in the area that costs least."),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_rules_that_contradict_each_other_are_named_and_no_others(kind: str) -> None:
    rules, said = KINDS[kind]
    assert isinstance(rules, dict)

    outcome = solve(town(**rules))

    assert not outcome.is_feasible
    assert outcome.explanation == (said if str(said).startswith("Too few") else f"{ASKED}{said}")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_named_is_irreducible(kind: str) -> None:
    rules, _ = KINDS[kind]
    assert isinstance(rules, dict)
    instance = town(**rules).ordered()
    explanation = solve(instance).explanation or ""

    named = [each for each in in_words(instance) if each.says in explanation]

    only = Rules(frozenset(each.rule for each in in_words(instance) if each not in named))
    assert not feasible(instance, candidates(instance, only), only)
    for each in named:
        fewer = only.without(each.rule)
        assert feasible(instance, candidates(instance, fewer), fewer), each.says


def test_the_town_can_be_matched_without_such_rules() -> None:
    assert feasible(town().ordered(), candidates(town().ordered()), ALL)
    assert len(KINDS) >= 20
