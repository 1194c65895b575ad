"""A city's pairs are not all looked at, and the optimum is still that of all of them."""

import random
from uuid import UUID

import numpy as np
import pytest

from services.partnership.domain import optimum, rows
from services.partnership.domain.candidates import candidates
from services.partnership.domain.instance import Instance, School, Willing
from services.partnership.domain.programme import Balance
from tests.unit.partnership.instances import school

HOSTS, GUESTS = 40, 40


def a_town(seed: int, *, at_least: int) -> Instance:
    """Forty schools that offer and forty that seek: many more pairs than a linear program begins with."""
    chance = random.Random(seed)
    schools = tuple(
        School(
            school(number),
            f"School {number}",
            chance.choice(["district", "district", "charter"]),
            40.6 + chance.random() / 5,
            -74.0 + chance.random() / 5,
        )
        for number in range(HOSTS + GUESTS)
    )
    willing = tuple(
        Willing(
            each.id,
            "mathematics",
            "offers" if number < HOSTS else "seeks",
            chance.randint(1, 5),
            chance.randint(1, 3),
            round(chance.random(), 2),
        )
        for number, each in enumerate(schools)
    )
    balance = (Balance("charter", at_least, None),)
    return Instance(
        UUID(int=seed, version=4), (("mathematics", "Mathematics"),), schools, willing, 30, 25, 12.0, balance
    ).ordered()


@pytest.mark.parametrize("at_least", [1, 30])
@pytest.mark.parametrize("seed", range(5))
def test_the_relaxation_over_a_part_is_that_over_all_pairs(seed: int, at_least: int) -> None:
    instance = a_town(seed, at_least=at_least)
    found = candidates(instance)
    rules, worth, begin = (
        rows.program(instance, found),
        optimum.worth_of(instance, found),
        optimum.likely_pairs(found),
    )

    by_parts, whole = optimum.relaxation(rules, worth, begin), optimum.run(rules, worth, integral=False)

    assert 0 < begin.sum() < len(found)
    assert by_parts is not None
    assert whole is not None
    assert by_parts.worth == pytest.approx(whole.worth, rel=1e-9)
    assert float(worth @ by_parts.values) == pytest.approx(whole.worth, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_choice_weighs_what_the_whole_integer_programs_choice_weighs(seed: int) -> None:
    instance = a_town(seed, at_least=20)
    found = candidates(instance)

    chosen = optimum.best(instance, found)

    whole = optimum.run(rows.program(instance, found), optimum.worth_of(instance, found), integral=True)
    assert chosen is not None
    assert whole is not None
    assert int(found.weight[chosen.pairs].sum()) == int(found.weight[whole.values > 0.5].sum())


def test_a_rule_that_the_likely_pairs_alone_cannot_keep_is_kept_by_others() -> None:
    instance = a_town(3, at_least=1)
    found = candidates(instance)
    rules, worth = rows.program(instance, found), optimum.worth_of(instance, found)
    no_charter = np.zeros(len(found), np.bool_)
    no_charter[np.flatnonzero(rows.places(instance, found, "sector", "charter") == 0)[:3]] = True

    by_parts = optimum.relaxation(rules, worth, no_charter)

    whole = optimum.run(rules, worth, integral=False)
    assert by_parts is not None
    assert whole is not None
    assert by_parts.worth == pytest.approx(whole.worth, rel=1e-9)
