"""Purification: when it stops, whatever is compared."""

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.irt.purification import compare_purified

Without = tuple[int, ...]


def play(flags: dict[Without, Without], items: int = 4, purify: bool = True) -> tuple[Without, Without, int, bool]:
    """`flags` says what a comparison flags without some items; answers found, left out, rounds and converged."""

    def compare(anchors: NDArray[np.bool_]) -> Without:
        return flags[tuple(int(item) for item in np.flatnonzero(~anchors))]

    found = compare_purified(items, compare, lambda made: made, purify)
    return found.found, found.without, found.rounds, found.converged


def test_nothing_flagged_is_settled_at_once() -> None:
    assert play({(): ()}) == ((), (), 0, True)


def test_without_purification_the_first_comparison_stands() -> None:
    assert play({(): (1,)}, purify=False) == ((1,), (), 0, True)


def test_it_goes_on_until_the_set_is_the_one_before() -> None:
    assert play({(): (1,), (1,): (1, 2), (1, 2): (1, 2)}) == ((1, 2), (1, 2), 2, True)


def test_sets_that_alternate_are_no_agreement() -> None:
    assert play({(): (1,), (1,): (2,), (2,): (1,)}) == ((1,), (2,), 2, False)


def test_a_score_without_any_item_is_never_tried() -> None:
    assert play({(): (0,), (0,): (0, 1, 2, 3)}) == ((0, 1, 2, 3), (0,), 1, False)


def test_flags_that_vanish_once_items_are_out_lead_back_to_the_start() -> None:
    assert play({(): (1,), (1,): ()}) == ((), (1,), 1, False)
