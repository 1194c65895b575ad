"""The flow is the linear program's optimum, whatever the places and the number."""

import numpy as np
import pytest

from services.partnership.domain.candidates import Floats, Integers
from services.partnership.domain.flow import flow
from services.partnership.domain.optimum import run
from services.partnership.domain.rows import Program


def drawn(seed: int) -> tuple[Integers, Integers, Integers, Integers, int]:
    """Hosts, guests, what pairs are worth, places (of hosts first), and the number."""
    chance = np.random.default_rng(seed)
    hosts, guests = int(chance.integers(1, 12)), int(chance.integers(1, 30))
    pairs = chance.permutation(hosts * guests)[: int(chance.integers(1, hosts * guests + 1))]
    worth = chance.integers(1, 10 if seed % 2 else 10**9, len(pairs))
    places = chance.integers(0, 4, hosts + guests)
    return pairs // guests, hosts + pairs % guests, worth, places, int(chance.choice([1, 3, len(pairs)]))


def linear(host: Integers, guest: Integers, worth: Floats, places: Integers, number: int) -> float:
    """The optimum of the linear program over the same network."""
    every, size = np.arange(len(host)), len(places)
    row = np.concatenate([host, guest, np.full(len(host), size)])
    rules = Program(
        row, np.tile(every, 3), np.ones(3 * len(host)), np.full(size + 1, -np.inf),
        np.append(places, number).astype(np.float64), len(host),
    )  # fmt: skip
    found = run(rules, worth, integral=False)
    assert found is not None
    return found.worth


@pytest.mark.parametrize("seed", range(150))
def test_the_flow_is_worth_what_the_linear_program_is(seed: int) -> None:
    host, guest, worth, places, number = drawn(seed)

    chosen, _ = flow(host, guest, worth, places, number)

    taken = np.bincount(np.concatenate([host[chosen], guest[chosen]]), minlength=len(places))
    assert (taken <= places).all()
    assert chosen.sum() <= number
    assert float(worth[chosen].sum()) == pytest.approx(linear(host, guest, worth.astype(np.float64), places, number))


@pytest.mark.parametrize("seed", range(60))
def test_a_pair_that_is_forced_in_or_out_loses_its_reduced_cost_at_least(seed: int) -> None:
    host, guest, worth, places, number = drawn(seed)
    chosen, reduced = flow(host, guest, worth, places, number)
    total = int(worth[chosen].sum())

    assert (reduced[~chosen] >= 0).all()
    assert (reduced[chosen] <= 0).all()
    for at in range(min(len(host), 12)):
        keep = np.arange(len(host)) != at
        left = places.copy()
        fewer = number
        gained = 0
        if not chosen[at]:
            left[[host[at], guest[at]]] -= 1
            fewer -= 1
            gained = int(worth[at])
        if left.min() < 0 or fewer < 0:
            continue
        other, _ = flow(host[keep], guest[keep], worth[keep], left, fewer)
        assert total - gained - int(worth[keep][other].sum()) >= abs(reduced[at]) - 1e-6


def test_nothing_to_choose_from_is_an_empty_flow() -> None:
    none = np.zeros(0, np.int64)

    chosen, reduced = flow(none, none, none, np.array([1, 2]), 5)

    assert len(chosen) == len(reduced) == 0
