"""Matching is optimal, follows every rule, and says why."""

import random
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.partnership.domain.instance import Instance, School, Willing, from_json, to_json
from services.partnership.domain.matching import Outcome, match, solve
from services.partnership.domain.programme import Balance
from tests.unit.partnership.instances import Edge, breaks, drawn, edges, school, searched


def chosen(outcome: Outcome) -> list[Edge]:
    return [Edge(each.host, each.guest, each.area, each.weight) for each in outcome.proposals]


def a_town(*willing: Willing, **rules: object) -> Instance:
    """Schools in a row, 0.1 degrees of longitude (8.4 km) apart, and who of them is willing."""
    several = {each.school for each in willing}
    count = max(each.int & 0xFFFF for each in several)
    schools = tuple(School(school(n), f"School {n}", "district", 41.0, -74.0 + n / 10) for n in range(count))
    plain = Instance(UUID(int=9), (("mathematics", "Mathematics"),), schools, willing, 10, 10)
    return replace(plain, **rules)  # type: ignore[arg-type]  # the fields of an instance by name


def offers(number: int, *, capacity: int = 1, share: float | None = None, eagerness: int = 3) -> Willing:
    return Willing(school(number), "mathematics", "offers", eagerness, capacity, share)


def seeks(number: int, *, capacity: int = 1, share: float | None = None, eagerness: int = 3) -> Willing:
    return Willing(school(number), "mathematics", "seeks", eagerness, capacity, share)


class TestTheOptimum:
    @pytest.mark.parametrize("seed", range(200))
    def test_is_what_a_search_through_every_choice_finds(self, seed: int) -> None:
        instance = drawn(seed)

        outcome = solve(instance)

        best = searched(instance)
        assert outcome.is_feasible == (best is not None)
        if best is not None:
            assert outcome.weight == sum(each.weight for each in outcome.proposals) == best
            assert set(chosen(outcome)) <= set(edges(instance))
            assert not breaks(instance, chosen(outcome))

    def test_the_drawn_instances_have_every_kind_of_rule_at_work(self) -> None:
        several = [drawn(seed) for seed in range(200)]
        outcomes = [solve(each) for each in several]

        assert sum(not each.is_feasible for each in outcomes) >= 10
        assert sum(len(each.proposals) >= 3 for each in outcomes) >= 20
        assert {bool(each.locked) for each in several} == {True, False}
        assert {bool(each.balance) for each in several} == {True, False}

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 10_000), st.randoms(use_true_random=False))
    def test_does_not_depend_on_the_order_of_anything(self, seed: int, chance: random.Random) -> None:
        instance = drawn(seed)
        shuffled = replace(
            instance,
            **{  # type: ignore[arg-type]  # tuples of what each field holds
                name: tuple(chance.sample(getattr(instance, name), len(getattr(instance, name))))
                for name in ("areas", "schools", "willing", "balance", "conflicts", "declined", "locked")
            },
        )

        assert solve(shuffled) == solve(instance)

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 10_000), st.integers(0, 100))
    def test_more_capacity_never_makes_it_less(self, seed: int, which: int) -> None:
        instance = drawn(seed)
        if not instance.willing:
            return
        at = which % len(instance.willing)
        more = [replace(w, capacity=w.capacity + (n == at)) for n, w in enumerate(instance.willing)]

        before, after = solve(instance), solve(replace(instance, willing=tuple(more)))

        assert after.is_feasible or not before.is_feasible
        assert after.weight >= before.weight

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 10_000))
    def test_nobody_is_matched_or_spoken_of_without_being_willing(self, seed: int) -> None:
        instance = drawn(seed)
        said = {(each.school, each.area, each.role) for each in instance.willing}

        outcome = solve(instance)

        for each in outcome.proposals:
            assert {(each.host, each.area, "offers"), (each.guest, each.area, "seeks")} <= said
        assert {(each.school, each.area, each.role) for each in outcome.alone} <= said

    def test_inputs_that_were_kept_give_the_same_proposals_with_the_same_ids(self) -> None:
        instance = drawn(7)

        assert match(to_json(instance)) == solve(instance)
        assert from_json(to_json(instance)) == instance

    def test_among_equals_the_choice_is_not_that_of_the_smallest_id(self) -> None:
        firsts = set()
        for guest in range(10, 40):
            instance = a_town(*(offers(number) for number in range(4)), seeks(guest))
            [proposal] = solve(instance).proposals
            firsts.add(proposal.host)

        assert len(firsts) > 1


class TestTheReason:
    def test_of_a_pair_says_what_is_measured_with_its_day_and_what_is_declared(self) -> None:
        instance = a_town(
            offers(0, share=0.78, eagerness=4), seeks(1, eagerness=5), max_distance_km=20.0, snapshot_on="2026-10-01"
        )

        [proposal] = solve(instance).proposals

        assert proposal.reason == (
            "School 0 offers help in Mathematics, where its learners have mastered 78% on average, and is very eager "
            "(4 of 5); School 1 seeks it, by its own word, and is most eager (5 of 5); they are 8.4 km apart "
            "(figures of 1 October 2026)."
        )
        assert (proposal.host_basis, proposal.guest_basis) == ("measured", "declared")

    @pytest.mark.parametrize(
        ("instance", "who", "reason"),
        [
            (a_town(offers(0)), 0, "No other school seeks help in Mathematics."),
            (
                a_town(offers(0), seeks(2), max_distance_km=9.0), 0,
                "The only school that seeks help in Mathematics is farther away than 9 km "
                "(the nearest is 16.8 km away).",
            ),
            (
                a_town(offers(0), seeks(1), conflicts=((school(1), school(0)),)), 1,
                "The only school that offers help in Mathematics is kept apart from it by a conflict that the "
                "programme names.",
            ),
            (
                a_town(offers(0), seeks(1), declined=((school(0), school(1), "mathematics"),)), 0,
                "The only school that seeks help in Mathematics was part of a proposal to it that one side declined.",
            ),
            (
                a_town(offers(0), seeks(1, share=0.9), seeks(2, share=0.1)), 2,
                "The only school that offers help in Mathematics has no place left beside the partnerships that "
                "together weigh most.",
            ),
            (
                a_town(offers(0, capacity=2), seeks(1, share=0.9), seeks(2, share=0.1), partnerships=1), 2,
                "The only school that offers help in Mathematics comes after the 1 partnership of the programme, which "
                "together weigh most.",
            ),
            (
                a_town(offers(0, capacity=2), seeks(1, share=0.9), seeks(2, share=0.1), affordable=1), 2,
                "The only school that offers help in Mathematics comes after the 1 partnership that the budget pays "
                "for, which together weigh most.",
            ),
            (
                a_town(offers(0, capacity=2), seeks(1, share=0.9), seeks(2, share=0.1),
                       balance=(Balance("district", None, 2),)), 2,
                "The only school that offers help in Mathematics has no place left in the balance between schools.",
            ),
            (
                a_town(offers(0), offers(3), seeks(1, share=0.9), seeks(2, share=0.1), max_distance_km=9.0,
                       conflicts=((school(2), school(3)),)), 2,
                "Of 2 schools that offer help in Mathematics, 1 is farther away than 9 km (the nearest is 16.8 km "
                "away), and 1 is kept apart from it by a conflict that the programme names.",
            ),
        ],
    )  # fmt: skip
    def test_of_being_alone_is_the_true_one(self, instance: Instance, who: int, reason: str) -> None:
        outcome = solve(instance)

        assert {each.school: each.reason for each in outcome.alone}[school(who)] == reason

    def test_of_a_school_without_location_is_that(self) -> None:
        instance = a_town(offers(0), seeks(1), max_distance_km=20.0)
        nowhere = replace(instance.schools[0], latitude=None, longitude=None)

        outcome = solve(replace(instance, schools=(nowhere, *instance.schools[1:])))

        assert [each.reason for each in outcome.alone] == [
            "The programme limits the distance between partners, and the location of this school is not known.",
            "The only school that offers help in Mathematics has no known location, and the programme limits the "
            "distance.",
        ]
        assert outcome.explanation is not None

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, 10_000))
    def test_is_there_for_every_willing_school_that_has_no_partner(self, seed: int) -> None:
        instance = drawn(seed)
        outcome = solve(instance)
        if not outcome.is_feasible:
            return

        matched = {(s, each.area) for each in outcome.proposals for s in (each.host, each.guest)}
        matched |= {(s, area) for host, guest, area in instance.locked for s in (host, guest)}

        assert {(each.school, each.area) for each in outcome.alone} == {
            (each.school, each.area) for each in instance.willing
        } - matched


class TestRulesThatContradictEachOther:
    def test_too_few_willing_schools_are_said(self) -> None:
        instance = a_town(offers(0), seeks(1), balance=(Balance("charter", 2, None),))

        outcome = solve(instance)

        assert not outcome.is_feasible
        assert outcome.explanation == (
            "Too few schools are willing: the programme asks for at least 2 places for charter schools."
        )

    @pytest.mark.parametrize(
        ("guests", "rules", "named"),
        [
            ((1, 3), {"partnerships": 1}, "at most 1 partnership"),
            ((1, 3), {"affordable": 1}, "a budget that pays for 1 partnership"),
            ((3,), {"max_distance_km": 5.0}, "a distance of at most 5 km"),
            ((1,), {"conflicts": ((school(0), school(1)), (school(2), school(1)))}, "the conflicts that it names"),
            ((1, 3), {"conflicts": ((school(0), school(1)), (school(0), school(3)))},
             "the conflicts that it names; the capacities that the schools declare"),
            ((1,), {"declined": ((school(0), school(1), "mathematics"), (school(2), school(1), "mathematics"))},
             "pairs that were declined are not proposed again"),
        ],
    )  # fmt: skip
    def test_the_rules_that_stand_against_the_balance_are_named_and_no_others(
        self, guests: tuple[int, ...], rules: dict[str, object], named: str
    ) -> None:
        places = 2 * len(guests)
        instance = a_town(
            offers(0), offers(2), *(seeks(guest) for guest in guests),
            balance=(Balance("district", places, None), Balance("charter", None, 5)), **rules,
        )  # fmt: skip

        outcome = solve(instance)

        assert outcome.explanation == (
            "These rules cannot be met together with the schools that are willing: "
            f"at least {places} places for district schools; {named}."
        )
