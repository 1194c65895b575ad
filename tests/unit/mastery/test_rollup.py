"""What is known of clusters and domains: means of what is known, and how much of the whole that is."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mastery.domain.rollup import Hierarchy, RollUp, roll_ups
from services.mastery.domain.standing import Belief

#  maths: numbers (add, sub), shapes (area, angle (acute, right)); add and angle are part of practice, too
PARTS = [
    (b"maths", b"numbers"), (b"maths", b"shapes"), (b"maths", b"practice"), (b"numbers", b"add"), (b"numbers", b"sub"),
    (b"shapes", b"area"), (b"shapes", b"angle"), (b"angle", b"acute"), (b"angle", b"right"), (b"practice", b"add"),
    (b"practice", b"angle"),
]  # fmt: skip


def a_belief(probability: float, count: int = 2, last: int = 5) -> Belief:
    return Belief(probability, probability / 2, (1 + probability) / 2, count, last)


def rolled(asked: bytes, **beliefs: Belief) -> RollUp:
    known = {name.encode(): belief for name, belief in beliefs.items()}
    return roll_ups(known, Hierarchy.of([asked], PARTS))[0]


def test_the_mean_is_over_what_there_is_evidence_for_and_says_how_much_of_the_whole_that_is() -> None:
    found = rolled(b"shapes", acute=a_belief(0.5, 3, 8), area=a_belief(0.75, 4, 6), add=a_belief(0.1))

    assert found == RollUp(0.625, 0.3125, 0.8125, assessed=2, leaves=3, evidence_count=7, last_evidence=8)


def test_where_nothing_is_assessed_nothing_is_known() -> None:
    assert rolled(b"numbers", area=a_belief(0.5)) == RollUp(None, None, None, 0, 2, 0, None)


def test_a_belief_without_evidence_is_none() -> None:
    assert rolled(b"numbers", add=a_belief(0.3, count=0), sub=a_belief(0.7)).probability == 0.7


def test_what_several_ways_lead_to_counts_once() -> None:
    found = rolled(b"maths", **{name: a_belief(0.5) for name in ("add", "sub", "area", "acute", "right")})

    assert (found.assessed, found.leaves, found.evidence_count) == (5, 5, 10)


def test_evidence_for_a_competency_that_has_parts_is_not_a_leafs() -> None:
    assert rolled(b"shapes", angle=a_belief(0.9)).assessed == 0


def test_a_competency_with_nothing_below_it_is_its_own_leaf() -> None:
    assert rolled(b"add", add=a_belief(0.6)) == RollUp(0.6, 0.3, 0.8, 1, 1, 2, 5)


def test_a_circle_is_walked_once() -> None:
    hierarchy = Hierarchy.of([b"a"], [(b"a", b"b"), (b"b", b"c"), (b"c", b"a"), (b"c", b"leaf")])

    assert hierarchy.leaves == (1,)


def test_asked_for_several_each_has_its_own() -> None:
    known = {b"add": a_belief(0.2), b"acute": a_belief(0.8)}

    found = roll_ups(known, Hierarchy.of([b"practice", b"numbers", b"practice"], PARTS))

    assert [one.probability for one in found] == [0.5, 0.2, 0.5]
    assert [one.leaves for one in found] == [3, 2, 3]


@given(
    probabilities=st.lists(st.floats(0.01, 0.99), min_size=1, max_size=12),
    unknown=st.integers(0, 5),
    seed=st.integers(0, 999),
)
def test_the_mean_lies_between_its_ends_and_no_order_can_be_seen(
    probabilities: list[float], unknown: int, seed: int
) -> None:
    leaves = [b"leaf %d" % number for number in range(len(probabilities) + unknown)]
    known = dict(zip(leaves, map(a_belief, probabilities), strict=False))
    shuffled = list(known.items())
    random.Random(seed).shuffle(shuffled)
    hierarchy = Hierarchy.of([b"all"], [(b"all", leaf) for leaf in leaves])

    [found] = roll_ups(known, hierarchy)

    assert found == roll_ups(dict(shuffled), hierarchy)[0]
    assert found.probability == pytest.approx(sum(probabilities) / len(probabilities))
    assert found.lower is not None
    assert found.upper is not None
    assert found.lower <= found.probability <= found.upper
    assert (found.assessed, found.leaves) == (len(probabilities), len(leaves))
