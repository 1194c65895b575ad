"""Learners are counted once each, at their place and in all that it is part of."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.mastery.domain.figures import Count, in_need_between, need_between, need_shown
from services.mastery.domain.organisations import Organisation, tree_of

ADD, SUB = b"add".ljust(16), b"sub".ljust(16)
TREE = [Organisation(b"d", None, False), *(Organisation(one, b"d", True) for one in (b"a", b"b"))]


def packed(*probabilities: float) -> bytes:
    return np.array(probabilities, dtype="<f8").tobytes()


def test_totals_are_those_of_every_learner_below() -> None:
    count = Count()
    count.add([b"a", b"b", b"a"], [ADD + SUB, ADD, SUB], [packed(0.25, 0.5), packed(0.75), packed(0.49)])

    figures = count.figures(tree := tree_of(TREE, count.places))

    assert figures.competencies == (ADD, SUB)
    rows = [tree.ids.index(one) for one in (b"d", b"a", b"b")]
    assert figures.learners[rows].tolist() == [[2, 2], [1, 2], [1, 0]]
    assert figures.in_need[rows].tolist() == [[1, 1], [1, 1], [0, 0]]
    assert figures.strength[rows].tolist() == [[0.5, 0.5], [0.25, 0.5], [0.75, 0.0]]


def test_a_crowd_of_organisations_and_competencies_has_room() -> None:
    count = Count()
    layout = b"".join(b"%016d" % number for number in range(40))
    for school in range(200):
        count.add([b"%d" % school], [layout], [packed(*[0.4] * 40)])

    figures = count.figures(tree_of([], count.places))

    assert (figures.learners == 1).all()
    assert figures.learners.shape == (200, 40)


def test_an_organisation_the_roster_does_not_tell_stands_alone() -> None:
    tree = tree_of(TREE, [b"x"])

    assert tree.parent[tree.place_of[b"x"]] == -1


def test_a_circle_of_organisations_is_opened() -> None:
    ring = [Organisation(b"a", b"b", False), Organisation(b"b", b"c", False), Organisation(b"c", b"a", True)]

    tree = tree_of([*ring, Organisation(b"d", b"c", True)])

    assert set(tree.ids) == {b"a", b"b", b"c", b"d"}
    assert tree.parent.tolist().count(-1) == 1


@given(st.integers(1, 3_000), st.data())
def test_the_numbers_that_a_share_allows_are_exactly_those_that_are_shown_as_it(
    learners: int, data: st.DataObject
) -> None:
    in_need = data.draw(st.integers(0, learners))
    shown = need_shown(np.arange(learners + 1), np.full(learners + 1, learners))

    least, most = in_need_between(float(shown[in_need]), learners)

    assert np.flatnonzero(shown == shown[in_need]).tolist() == list(range(least, most + 1))


def test_nobody_and_everybody_in_need_are_shown_as_few_and_many() -> None:
    assert need_shown(np.array([0, 40]), np.array([40, 40])).tolist() == [0.05, 0.95]


def test_the_interval_of_a_share_is_wilsons_and_of_a_hidden_one_there_is_none() -> None:
    """Newcombe 1998 (Statistics in Medicine 17, 857-872), table I: 15 of 148 is .0624 to .1605."""
    assert need_between([15 / 148, None], [148, None]) == [(0.06, 0.17), None]
