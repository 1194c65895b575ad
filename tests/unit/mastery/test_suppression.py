"""Small groups are hidden, and as many others as it takes, wherever they stand in the tree."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.mastery.domain.organisations import Organisation, Tree, tree_of
from tests.unit.mastery.attacker import Attacker, Page
from tests.unit.mastery.districts import THRESHOLD, Counts, a_tree, at_schools, hidden_in

Shape = list[tuple[int, int]]
"""Schools: the number of the parent, and how many learners."""

SHAPES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), min_size=1, max_size=12)


def counted(shape: Shape, *, in_need: float = 0.4) -> tuple[Tree, Counts]:
    tree = a_tree([parent for parent, _ in shape])
    own = at_schools(tree, np.array([[learners] for _, learners in shape]))
    return tree, Counts.of(tree, own, np.round(own * in_need).astype(np.int64))


def hidden_of(shape: Shape, *, in_need: float = 0.4) -> set[str]:
    """Names of what is hidden; the district is `-`."""
    tree, counts = counted(shape, in_need=in_need)
    hidden, _ = hidden_in(tree, counts)
    return {(tree.ids[place].decode() or "-") for place in np.flatnonzero(hidden[:, 0])}


def test_where_no_group_is_small_nothing_is_hidden() -> None:
    assert hidden_of([(0, 10), (0, 11), (1, 10), (1, 300)]) == set()


def test_the_smallest_that_is_enough_is_hidden_beside_a_small_group() -> None:
    assert hidden_of([(0, 3), (0, 80), (0, 12), (0, 40)]) == {"s0000", "s0002"}


def test_two_small_groups_that_hide_each_other_need_nobody_else() -> None:
    assert hidden_of([(0, 6), (0, 7), (0, 40)]) == {"s0000", "s0001"}


def test_two_that_are_too_small_to_hide_each_other_need_a_third() -> None:
    assert hidden_of([(0, 1), (0, 2), (0, 40), (0, 50)]) == {"s0000", "s0001", "s0002"}


def test_the_parent_of_a_single_small_school_is_hidden_and_a_group_elsewhere() -> None:
    assert hidden_of([(0, 4), (1, 50), (1, 60)]) == {"s0000", "p000", "s0001", "p001"}


def test_where_nothing_else_helps_the_district_itself_is_hidden() -> None:
    assert hidden_of([(0, 3), (0, 4)]) == {"s0000", "s0001", "p000", "-"}


def test_that_nobody_or_everybody_of_the_hidden_is_in_need_is_not_told_either() -> None:
    shape = [(0, 4), (0, 9), (0, 12), (0, 100)]
    tree, counts = counted(shape, in_need=0.0)
    in_need = counts.in_need.copy()
    for name, number in ((b"s0002", 6), (b"s0003", 60), (b"p000", 66), (b"", 66)):
        in_need[tree.ids.index(name)] = number

    hidden, _ = hidden_in(tree, Counts(counts.learners, in_need))

    names = {tree.ids[place].decode() for place in np.flatnonzero(hidden[:, 0])}
    assert names == {"s0000", "s0001"} | names & {"s0002", "s0003"}
    attacker = Attacker(tree, [Page.of(counts.learners[:, 0], in_need[:, 0], hidden[:, 0])])
    for page, place in attacker.hidden():
        fewest, most = attacker.between(attacker.in_need(page, place))
        assert most - fewest >= 1


def test_who_is_placed_in_the_district_itself_is_not_told_by_what_its_parts_lack() -> None:
    tree = tree_of([Organisation(b"d", None, False), Organisation(b"a", b"d", True), Organisation(b"b", b"d", True)])
    own = np.zeros((len(tree), 1), dtype=np.int64)
    for organisation, learners in ((b"d", 2), (b"a", 30), (b"b", 40)):
        own[tree.place_of[organisation]] = learners

    hidden, _ = hidden_in(tree, Counts.of(tree, own, own // 2))

    assert hidden[tree.place_of[b"a"], 0]
    assert hidden[tree.place_of[b"d"], 0]


@given(SHAPES, st.floats(0, 1))
def test_no_hidden_count_can_be_narrowed_below_the_threshold(shape: Shape, in_need: float) -> None:
    tree, counts = counted(shape, in_need=in_need)

    hidden, _ = hidden_in(tree, counts)

    attacker = Attacker(tree, [Page.of(counts.learners[:, 0], counts.in_need[:, 0], hidden[:, 0])])
    for page, place in attacker.hidden():
        low, high = attacker.between(attacker.learners(page, place))
        fewest, most = attacker.between(attacker.in_need(page, place))
        assert high - low >= THRESHOLD
        assert most - fewest >= 1


@given(SHAPES)
def test_every_small_group_is_hidden_and_no_other_without_one(shape: Shape) -> None:
    tree, counts = counted(shape)

    hidden, _ = hidden_in(tree, counts)

    is_small = (counts.learners > 0) & (counts.learners < THRESHOLD)
    assert hidden[is_small].all()
    assert is_small.any() or not hidden.any()
    assert not hidden[counts.learners == 0].any()


@given(SHAPES)
def test_what_has_not_changed_is_hidden_as_before(shape: Shape) -> None:
    tree, counts = counted(shape)
    hidden, said = hidden_in(tree, counts)

    again, said_again = hidden_in(tree, counts, said)

    assert (again == hidden).all()
    assert [one.withheld for one in said_again] == [one.withheld for one in said]


def test_a_group_that_has_grown_stays_hidden_while_its_complement_has_not_changed() -> None:
    tree, before = counted([(0, 3), (0, 12), (0, 40)])
    _, grown = counted([(0, 11), (0, 12), (0, 40)])
    _, all_changed = counted([(0, 12), (0, 13), (0, 40)])
    hidden, said = hidden_in(tree, before)

    while_same, said_later = hidden_in(tree, grown, said)
    when_changed, _ = hidden_in(tree, all_changed, said_later)

    assert (while_same == hidden).all()
    assert not when_changed.any()


def test_a_group_that_has_shrunk_is_hidden_with_one_that_has_changed() -> None:
    tree, before = counted([(0, 10), (0, 12), (0, 40), (0, 50)])
    _, shrunk = counted([(0, 9), (0, 12), (0, 41), (0, 50)])
    _, said = hidden_in(tree, before)

    hidden, _ = hidden_in(tree, shrunk, said)

    assert {tree.ids[place] for place in np.flatnonzero(hidden[:, 0])} == {b"s0000", b"s0002"}
