"""Nobody can compute what is hidden: a solver that knows all that is published, in two snapshots, tries."""

import numpy as np
import pytest

from services.mastery.domain.organisations import Tree
from services.mastery.domain.suppression import Bools
from tests.unit.mastery.attacker import Attacker, Page
from tests.unit.mastery.districts import THRESHOLD, Counts, a_district, hidden_in, later

Widths = list[tuple[float, float]]
"""Of everything hidden: between how many learners, and how many in need, the solver cannot tell."""


def widths(tree: Tree, snapshots: list[tuple[Counts, Bools]]) -> Widths:
    """What is left open, to somebody who also knows which counts have not changed from one snapshot to the next."""
    found = []
    for number in range(snapshots[0][0].learners.shape[1]):
        learners = [counts.learners[:, number] for counts, _ in snapshots]
        in_need = [counts.in_need[:, number] for counts, _ in snapshots]
        pages = [
            Page.of(learners[at], in_need[at], hidden[:, number]) for at, (_, hidden) in enumerate(snapshots)
        ]  # fmt: skip
        same = []
        for at in range(len(snapshots) - 1):
            as_many = learners[at] == learners[at + 1]
            as_needy = as_many & (in_need[at] == in_need[at + 1])
            same.append((at, at + 1, np.flatnonzero(as_many).tolist(), np.flatnonzero(as_needy).tolist()))
        attacker = Attacker(tree, pages, same)
        for page, place in attacker.hidden():
            low, high = attacker.between(attacker.learners(page, place))
            fewest, most = attacker.between(attacker.in_need(page, place))
            assert low <= learners[page][place] <= high, "the solver is wrong: the truth is not among what it thinks"
            assert fewest <= in_need[page][place] <= most
            found.append((high - low, most - fewest))
    return found


def narrowest(found: Widths) -> tuple[float, float]:
    return min(learners for learners, _ in found), min(in_need for _, in_need in found)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0], ids=["nothing changed", "much changed", "everything changed"])
def test_two_snapshots_of_200_schools_leave_every_hidden_count_open(share: float) -> None:
    tree, own, own_in_need = a_district(20261122, schools=220, parents=8, competencies=2)
    first = Counts.of(tree, own, own_in_need)
    second = Counts.of(tree, *later(7, own, own_in_need, share=share))

    hidden, said = hidden_in(tree, first)
    hidden_later, _ = hidden_in(tree, second, said)
    found = widths(tree, [(first, hidden), (second, hidden_later)])

    assert len(found) > 100
    learners, in_need = narrowest(found)
    assert learners >= THRESHOLD
    assert in_need >= 1


@pytest.mark.parametrize("seed", range(8))
def test_small_districts_snapshot_after_snapshot_leave_every_hidden_count_open(seed: int) -> None:
    tree, own, own_in_need = a_district(seed, schools=24, parents=3, competencies=2)
    counts = [Counts.of(tree, own, own_in_need)]
    for number, share in enumerate((0.5, 0.0, 0.5)):
        own, own_in_need = later(100 * seed + number, own, own_in_need, share=share)
        counts.append(Counts.of(tree, own, own_in_need))

    said, snapshots = None, []
    for some in counts:
        hidden, said = hidden_in(tree, some, said)
        snapshots.append((some, hidden))

    learners, in_need = narrowest(widths(tree, snapshots))
    assert learners >= THRESHOLD
    assert in_need >= 1


def test_the_order_in_which_schools_come_changes_nothing() -> None:
    tree, own, own_in_need = a_district(3, schools=60, parents=4, competencies=2)
    counts = Counts.of(tree, own, own_in_need)
    hidden, said = hidden_in(tree, counts)

    turned = Counts(counts.learners[:, ::-1], counts.in_need[:, ::-1])
    hidden_turned, _ = hidden_in(tree, turned, said[::-1])

    assert (hidden_turned[:, ::-1] == hidden).all()


def test_the_solver_finds_what_is_hidden_without_complements() -> None:
    tree, own, own_in_need = a_district(5, schools=40, parents=8, competencies=4)
    counts = Counts.of(tree, own, own_in_need)
    small_alone = (counts.learners > 0) & (counts.learners < THRESHOLD)

    found = widths(tree, [(counts, small_alone)])

    assert narrowest(found)[0] == 0


def test_the_solver_finds_what_is_hidden_by_patterns_that_do_not_know_of_each_other() -> None:
    tree, own, own_in_need = a_district(11, schools=60, parents=4, competencies=3)
    first = Counts.of(tree, own, own_in_need)
    second = Counts.of(tree, *later(2, own, own_in_need, share=0.3))

    found = widths(tree, [(first, hidden_in(tree, first)[0]), (second, hidden_in(tree, second)[0])])

    assert narrowest(found)[0] == 0
