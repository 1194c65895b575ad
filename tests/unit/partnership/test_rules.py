"""Every rule of a programme holds in the choice, which is the best; its certificate and differences are true."""

import random
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.partnership.domain.alternatives import differences
from services.partnership.domain.candidates import candidates
from services.partnership.domain.flow import choose
from services.partnership.domain.instance import from_json, to_json
from services.partnership.domain.matching import solve
from services.partnership.domain.optimum import allowed_gap, best, worth_of
from services.partnership.domain.rows import program
from services.partnership.domain.stable import broken
from tests.unit.partnership.instances import edges
from tests.unit.partnership.ruled import chosen_edges, direct, ruled


@pytest.mark.parametrize("start", range(0, 200, 20))
def test_the_choice_is_what_a_direct_integer_program_over_all_pairs_finds(start: int) -> None:
    for seed in range(start, start + 20):
        instance = ruled(seed)

        outcome = solve(instance)

        expected = direct(instance)
        assert outcome.is_feasible == (expected is not None), seed
        if expected is not None:
            pairs = {(each.host, each.guest, each.area) for each in outcome.proposals}
            weighed = chosen_edges(edges(instance), pairs)
            assert outcome.weight == expected == sum(each.weight for each in weighed), seed
            assert (outcome.bound, outcome.gap) == (outcome.weight, 0.0)


def test_the_drawn_programmes_have_every_rule_at_work() -> None:
    several = [ruled(seed) for seed in range(200)]
    feasible = [each for each in several if direct(each) is not None]

    assert 60 <= len(feasible) <= 190
    for of in ("equity", "budget", "limits", "fit", "required", "preferences", "previous", "locked", "balance"):
        assert sum(bool(getattr(each, of)) for each in feasible) >= 10, of


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 100))
def test_more_capacity_never_makes_it_less_under_any_rules(seed: int, which: int) -> None:
    instance = ruled(seed)
    if not instance.willing:
        return
    at = which % len(instance.willing)
    more = tuple(replace(w, capacity=w.capacity + (n == at)) for n, w in enumerate(instance.willing))

    before, after = best_weight(seed), solve(replace(instance, willing=more))

    assert after.is_feasible or before is None
    assert before is None or after.weight >= before


def best_weight(seed: int) -> int | None:
    outcome = solve(ruled(seed))
    return outcome.weight if outcome.is_feasible else None


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_nobody_is_matched_without_being_willing_whatever_is_locked(seed: int) -> None:
    instance = ruled(seed)
    gone = random.Random(seed).sample(instance.willing, len(instance.willing) // 2)
    instance = replace(instance, willing=tuple(each for each in instance.willing if each not in gone))
    said = {(each.school, each.area, each.role) for each in instance.willing}

    outcome = solve(instance)

    for each in outcome.proposals:
        assert {(each.host, each.area, "offers"), (each.guest, each.area, "seeks")} <= said
    settled = set(instance.locked)
    for host, guest, area in set(instance.required) - settled:
        if not {(host, area, "offers"), (guest, area, "seeks")} <= said:
            assert not outcome.is_feasible


@pytest.mark.parametrize("seed", range(25))
def test_a_flow_first_gives_the_same_weight_and_keeps_every_rule(seed: int) -> None:
    instance = ruled(seed).ordered()
    found = candidates(instance)

    plain, with_flow = best(instance, found), choose(instance, found)

    assert (plain is None) == (with_flow is None)
    if plain is not None and with_flow is not None:
        assert with_flow.weight == plain.weight == with_flow.bound
        assert broken(instance, found, with_flow.pairs) == []


@pytest.mark.parametrize("seed", range(40))
def test_the_difference_of_a_pair_is_what_is_lost_when_it_is_not_allowed(seed: int) -> None:
    instance = ruled(seed).ordered()
    found = candidates(instance)
    chosen = best(instance, found)
    if chosen is None or not len(found):
        return
    busy = np.bincount(
        np.concatenate([found.host[chosen.pairs], found.guest[chosen.pairs]]), minlength=len(instance.willing)
    )
    alone = np.flatnonzero(busy == 0)

    known = differences(
        program(instance, found), worth_of(instance, found), found, chosen, alone, allowed_gap(instance, found)
    )

    willing = instance.willing
    for at, difference in known.without.items():
        pair = (
            willing[int(found.host[at])].school,
            willing[int(found.guest[at])].school,
            willing[int(found.host[at])].area,
        )
        other = direct(replace(instance, declined=(*instance.declined, pair)))
        lost = float("inf") if other is None else (chosen.weight - other) / max(1, chosen.weight)
        assert difference.share == pytest.approx(lost)
    for at, difference in known.within.items():
        mine = np.flatnonzero((found.host == at) | (found.guest == at))
        forced = [
            direct(
                replace(
                    instance,
                    required=(
                        *instance.required,
                        (willing[int(found.host[n])].school, willing[int(found.guest[n])].school, willing[at].area),
                    ),
                )
            )
            for n in mine
        ]
        most = max((each for each in forced if each is not None), default=None)
        lost = float("inf") if most is None else (chosen.weight - most) / max(1, chosen.weight)
        assert difference.share == pytest.approx(lost)


def test_of_many_pairs_the_relaxation_and_the_reduced_costs_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.partnership.domain.alternatives._MOST_WORK", 0)
    checked = 0
    for seed in range(60):
        instance = replace(ruled(seed), equity=None, budget=None, balance=(), required=(), limits=()).ordered()
        found = candidates(instance)
        chosen = best(instance, found)
        if chosen is None or not chosen.pairs.any():
            continue
        rules, worth = program(instance, found), worth_of(instance, found)
        busy = np.bincount(
            np.concatenate([found.host[chosen.pairs], found.guest[chosen.pairs]]), minlength=len(instance.willing)
        )

        cheap = differences(rules, worth, found, chosen, np.flatnonzero(busy == 0), 0.0)

        monkeypatch.setattr("services.partnership.domain.alternatives._MOST_WORK", 10**9)
        exact = differences(rules, worth, found, chosen, np.flatnonzero(busy == 0), 0.0)
        monkeypatch.setattr("services.partnership.domain.alternatives._MOST_WORK", 0)
        for at, difference in cheap.without.items():
            assert difference.share <= exact.without[at].share + 1e-5
            checked += 1
        for at, difference in cheap.within.items():
            assert difference.share <= exact.within[at].share + 1e-5
    assert checked >= 60


def test_inputs_with_every_rule_are_kept_and_taken_up_again() -> None:
    for seed in range(30):
        instance = ruled(seed)

        assert from_json(to_json(instance)) == instance


def test_inputs_that_were_kept_before_there_were_such_rules_are_taken_up() -> None:
    kept = (
        '{"matching": "00000000-0000-0000-0000-000000000009", "areas": [["m", "M"]], "schools": [{"id": '
        '"00000000-0000-0000-0000-000000000001", "name": "One", "sector": "charter", "latitude": null, "longitude": '
        'null}], "willing": [], "partnerships": 3, "affordable": 2, "max_distance_km": null, "balance": [{"sector": '
        '"charter", "at_least": 0, "at_most": 2}], "conflicts": [], "declined": [], "locked": [], "elsewhere": [], '
        '"snapshot_on": null, "programme_at": null}'
    )

    instance = from_json(kept)

    assert instance.matching == UUID(int=9)
    assert [(each.attribute, each.value) for each in instance.balance] == [("sector", "charter")]
    assert solve(instance).is_feasible


def test_an_existing_proposal_stays_where_the_bonus_outweighs_the_gain() -> None:
    moved = {0.0: 0, 0.3: 0}
    for seed in range(60):
        first = replace(ruled(seed), previous=(), keep=0.0)
        before = solve(first)
        chance = random.Random(seed)
        shaken = tuple(
            each if each.share is None else replace(each, share=min(1.0, max(0.0, each.share + chance.gauss(0, 0.4))))
            for each in first.willing
        )
        pairs = tuple((each.host, each.guest, each.area) for each in before.proposals)
        for keep in moved:
            after = solve(replace(first, willing=shaken, previous=pairs, keep=keep))
            moved[keep] += len(set(pairs) - {(each.host, each.guest, each.area) for each in after.proposals})

    assert moved[0.3] < moved[0.0]
