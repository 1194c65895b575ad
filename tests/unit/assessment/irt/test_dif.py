"""Differential item functioning: as difR has it, and what any comparison of groups must do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.assessment.domain.irt import strata_compiled, strata_plain
from services.assessment.domain.irt.dif import ets_class, mantel_haenszel, naep_class
from services.assessment.domain.irt.logistic import effect_class, logistic_dif
from services.assessment.domain.irt.responses import NOT_PRESENTED
from services.assessment.domain.irt.strata import GroupTooSmall, NothingToMatch, UnreadableScores
from tests.unit.assessment.irt.published import verbal

Scores = NDArray[np.uint8]
Truth = NDArray[np.bool_]


def two_groups(
    students: int, seed: int, harder: dict[int, float] | None = None, impact: float = 0.0, items: int = 20
) -> tuple[Scores, Truth]:
    """Answers of two equally large groups; `harder` by item in logits for the focal, which is `impact` less able."""
    rng = np.random.default_rng(seed)
    focal = np.arange(students) % 2 == 1
    theta = rng.normal(size=students) - impact * focal
    b = np.tile(np.linspace(-1.5, 1.5, items), (students, 1))
    for item, logits in (harder or {}).items():
        b[focal, item] += logits
    return (rng.random(b.shape) < 1 / (1 + np.exp(b - theta[:, np.newaxis]))).astype(np.uint8), focal


def test_mantel_haenszel_is_that_of_difr() -> None:
    scores, focal, theirs = verbal()

    found = mantel_haenszel(scores, focal, purify=False)

    assert np.abs(found.chi2 - theirs["MH"]["chisq"]).max() < 1e-3
    assert np.abs(found.delta - theirs["MH"]["deltaMH"]).max() < 1e-3
    assert np.abs(found.alpha - theirs["MH"]["alpha"]).max() < 1e-3
    assert np.abs((found.se / 2.35) ** 2 - theirs["MH"]["varLambda"]).max() < 1e-3
    assert np.abs(found.standardised_p - theirs["STD_PDIF"]).max() < 1e-3
    assert found.purified == ()
    assert found.thin  # 73 men


def test_purified_mantel_haenszel_is_that_of_difr() -> None:
    scores, focal, theirs = verbal()

    found = mantel_haenszel(scores, focal)

    assert np.abs(found.chi2 - theirs["MH_purified"]["chisq"]).max() < 1e-3
    assert np.abs(found.alpha - theirs["MH_purified"]["alpha"]).max() < 1e-3
    assert [item + 1 for item in found.purified] == theirs["MH_purified"]["flag"]
    assert (found.rounds, found.converged) == (theirs["MH_purified"]["nrPur"], True)


def test_logistic_regression_is_that_of_difr() -> None:
    scores, focal, theirs = verbal()

    found = logistic_dif(scores, focal, purify=False)

    theirs = theirs["Logistik"]
    assert np.abs(found.chi2 - theirs["stat"]).max() < 1e-3
    assert np.abs(found.r2[:, 2] - theirs["R2M0"]).max() < 1e-3
    assert np.abs(found.r2[:, 0] - theirs["R2M1"]).max() < 1e-3
    assert np.abs(found.effect - theirs["deltaR2"]).max() < 1e-3
    assert np.abs(found.coefficients - np.array(theirs["parM0"])).max() < 1e-3
    assert np.abs(found.errors - np.array(theirs["seM0"])).max() < 1e-3


def test_the_parts_of_logistic_dif_add_up() -> None:
    scores, focal = two_groups(2000, 1, {3: 0.6})

    found = logistic_dif(scores, focal, purify=False)

    assert found.uniform_chi2 + found.nonuniform_chi2 == pytest.approx(found.chi2)
    assert (np.diff(found.r2, axis=1) > -1e-12).all()


def test_an_item_made_harder_for_the_focal_group_has_a_negative_delta() -> None:
    scores, focal = two_groups(8000, 2, {4: 0.8, 9: -0.8}, impact=0.5)

    found = mantel_haenszel(scores, focal)

    assert found.delta[4] == pytest.approx(-2.35 * 0.8, abs=0.35)
    assert found.delta[9] == pytest.approx(2.35 * 0.8, abs=0.35)
    assert (found.classes[4], found.classes[9]) == ("C", "C")
    assert [found.classes[item] for item in range(20) if item not in (4, 9)] == ["A"] * 18
    assert not found.thin


def test_purification_takes_the_bias_from_items_without_any() -> None:
    scores, focal = two_groups(2000, 3, dict.fromkeys(range(4), 1.0))

    plainly, purified = (mantel_haenszel(scores, focal, purify=purify) for purify in (False, True))

    assert set(range(4)) <= set(purified.purified)
    assert purified.converged
    assert abs(purified.delta[4:].mean()) < abs(plainly.delta[4:].mean()) / 2
    assert purified.delta[:4].mean() == pytest.approx(-2.35, abs=0.3)


def test_when_every_item_is_flagged_nothing_is_purified_and_it_says_so() -> None:
    scores, focal = two_groups(20000, 3, {place: 2.0 * (-1) ** place for place in range(20)})

    found = mantel_haenszel(scores, focal)

    assert (found.purified, found.converged) == ((), False)
    assert set(found.classes) == {"C"}


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_exchanging_the_groups_turns_every_sign_and_nothing_else(seed: int) -> None:
    scores, focal = two_groups(400, seed, {2: 0.5}, items=8)

    one, other = mantel_haenszel(scores, focal), mantel_haenszel(scores, ~focal)

    assert one.delta == pytest.approx(-other.delta)
    assert one.se == pytest.approx(other.se)
    assert one.chi2 == pytest.approx(other.chi2)
    assert (one.classes, one.purified) == (other.classes, other.purified)


@given(st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_the_order_of_students_changes_nothing(seed: int) -> None:
    scores, focal = two_groups(300, seed, items=8)
    order = np.random.default_rng(seed).permutation(300)

    one, other = mantel_haenszel(scores, focal), mantel_haenszel(scores[order], focal[order])

    assert one.delta.tolist() == other.delta.tolist()
    assert one.chi2.tolist() == other.chi2.tolist()


def slow_counts(scores: Scores, focal: Truth, anchors: Truth, highest: NDArray[np.int64]) -> dict[tuple[int, ...], int]:
    """The counts, one response after the other, by the words of the rule."""
    counts: dict[tuple[int, ...], int] = {}
    for row, group in zip(scores.tolist(), focal.tolist(), strict=True):
        for item, score in enumerate(row):
            if score <= 250:
                inside = [place for place in range(len(row)) if anchors[place] or place == item]
                given = [place for place in inside if row[place] <= 250]
                earned = sum(row[place] for place in given)
                possible, full = (sum(int(highest[place]) for place in places) for places in (given, inside))
                stratum = int(full * earned / possible + 0.5) if possible else 0
                key = (item, stratum, int(group), score)
                counts[key] = counts.get(key, 0) + 1
    return counts


@st.composite
def sheets(draw: st.DrawFn) -> tuple[Scores, Truth, Truth]:
    """Few students, some with responses missing, items of one to three points, some out of the score."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    items, students = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    tops = rng.integers(0, draw(st.integers(1, 3)), items, endpoint=True)
    scores = rng.integers(0, tops, (students, items), endpoint=True).astype(np.uint8)
    if draw(st.booleans()):
        scores[rng.random(scores.shape) < 0.3] = NOT_PRESENTED
    return scores, rng.random(students) < 0.5, rng.random(items) < 0.7


@given(sheets())
def test_students_are_counted_at_their_score_over_what_they_were_presented(case: tuple[Scores, Truth, Truth]) -> None:
    scores, focal, anchors = case
    highest = np.where(scores > 250, 0, scores).max(axis=0).astype(np.int64)
    shape = (scores.shape[1], int(highest.sum()) + 1, 2, int(highest.max()) + 1)
    counts, compiled = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)

    strata_plain.matched_counts(scores, focal, anchors, highest, counts)
    strata_compiled.matched_counts(scores, focal, anchors, highest, compiled)

    found = {tuple(int(one) for one in place): int(counts[tuple(place)]) for place in np.argwhere(counts)}
    assert found == slow_counts(scores, focal, anchors, highest)
    assert compiled.tolist() == counts.tolist()


def test_items_of_several_scores_are_compared_by_their_mean() -> None:
    rng = np.random.default_rng(5)
    scores, focal = two_groups(4000, 5)
    hard = (rng.random((4000, 3)) < 0.6).sum(axis=1) - (focal & (rng.random(4000) < 0.5))
    scores[:, 0] = np.maximum(hard, 0)

    found = mantel_haenszel(scores, focal)

    assert found.classes[0] == "C"
    assert found.smd[0] == pytest.approx(-0.45, abs=0.15)
    assert np.isnan(found.delta[0])
    assert found.p[0] < 1e-6
    assert found.reasons[0] is None


def test_mantel_of_right_and_wrong_is_mantel_haenszel() -> None:
    """The example of Holland & Thayer's formulas by hand: two strata of 2 × 2 tables."""
    tables = [((10, 5), (6, 9)), ((20, 4), (15, 8))]
    rows, groups = [], []
    for stratum, table in enumerate(tables):
        for group, (right, wrong) in enumerate(table):
            # A second item of the other score keeps both kinds of students of a stratum at the same total.
            for score, number in ((1, right), (0, wrong)):
                rows += [[score, 1 - score, stratum]] * number
                groups += [bool(group)] * number

    found = mantel_haenszel(np.array(rows, dtype=np.uint8), np.array(groups), purify=False)

    alpha = (10 * 9 / 30 + 20 * 8 / 47) / (5 * 6 / 30 + 4 * 15 / 47)
    expected = 15 * 16 / 30 + 24 * 35 / 47
    variance = 15 * 15 * 16 * 14 / (30**2 * 29) + 24 * 23 * 35 * 12 / (47**2 * 46)
    assert found.alpha[0] == pytest.approx(alpha)
    assert found.chi2[0] == pytest.approx((abs(30 - expected) - 0.5) ** 2 / variance)


@pytest.mark.parametrize(
    ("delta", "se", "p", "expected"),
    [
        (-1.6, 0.2, 0.001, "C"),
        (-1.6, 0.5, 0.001, "B"),  # large, but not significantly above 1
        (1.2, 0.2, 0.001, "B"),
        (1.2, 0.9, 0.2, "A"),
        (0.9, 0.1, 0.001, "A"),
    ],
)
def test_ets_classes(delta: float, se: float, p: float, expected: str) -> None:
    assert ets_class(delta, se, p) == expected


def test_classes_of_effects() -> None:
    assert [naep_class(effect, 0.01) for effect in (0.1, -0.2, -0.3)] == ["A", "B", "C"]
    assert naep_class(0.4, 0.06) == "A"
    assert [effect_class(effect, 0.01, 0.035, 0.070) for effect in (0.01, 0.05, 0.09)] == ["A", "B", "C"]
    assert effect_class(0.09, 0.06, 0.035, 0.070) == "A"


def test_a_group_that_is_empty_or_small_is_named() -> None:
    scores, focal = two_groups(100, 6)

    with pytest.raises(GroupTooSmall, match="focal group has 0 students"):
        mantel_haenszel(scores, np.zeros(100, dtype=np.bool_))
    with pytest.raises(GroupTooSmall, match="reference group has 5 students; a comparison needs at least 10"):
        mantel_haenszel(scores, np.arange(100) >= 5)
    with pytest.raises(GroupTooSmall, match="needs at least 60"):
        logistic_dif(scores, focal, smallest_group=60)


def test_scores_that_are_none_are_refused() -> None:
    scores, focal = two_groups(100, 6)

    with pytest.raises(UnreadableScores, match="table of students and items"):
        mantel_haenszel(scores.astype(np.float64), focal)  # type: ignore[arg-type]  # floats, as no table of scores is
    with pytest.raises(UnreadableScores, match="each of the 100 students"):
        mantel_haenszel(scores, focal[:50])
    with pytest.raises(UnreadableScores, match="2 item names for 20 items"):
        mantel_haenszel(scores, focal, names=["a", "b"])


def test_students_who_all_have_the_same_score_cannot_be_matched() -> None:
    scores = np.ones((60, 5), dtype=np.uint8)

    with pytest.raises(NothingToMatch):
        mantel_haenszel(scores, np.arange(60) % 2 == 0)


def test_an_item_all_answer_alike_has_its_reason_and_no_number() -> None:
    scores, focal = two_groups(400, 7)
    scores[:, 2] = 1
    scores[:, 5] = NOT_PRESENTED
    scores[focal, 8] = NOT_PRESENTED
    names = [f"Q{number}" for number in range(20)]

    by_odds, by_regression = mantel_haenszel(scores, focal, names=names), logistic_dif(scores, focal, names=names)

    assert by_odds.reasons[2] == "Q2: everybody got the same score."
    assert by_odds.reasons[5] == "Q5: nobody answered it."
    assert by_odds.reasons[8] == "Q8: only one of the groups answered it."
    for found in (by_odds, by_regression):
        assert [place for place, reason in enumerate(found.reasons) if reason] == [2, 5, 8]
        assert np.flatnonzero(np.isnan(found.p)).tolist() == [2, 5, 8]
        assert [place for place, one in enumerate(found.classes) if one is None] == [2, 5, 8]


def test_an_odds_ratio_without_bound_is_said() -> None:
    scores, focal = two_groups(300, 8, items=6)
    scores[:, 0] = focal
    scores[0, 0] = 1

    found = mantel_haenszel(scores, focal, purify=False)

    assert found.reasons[0] is not None
    assert "no bound" in found.reasons[0]
    assert np.isnan(found.se[0])
    assert found.classes[0] is None


def test_an_item_that_only_discriminates_less_is_non_uniform() -> None:
    rng = np.random.default_rng(11)
    scores, focal = two_groups(6000, 11)
    theta = (scores[:, 1:].mean(axis=1) - 0.5) * 5
    slope = np.where(focal, 0.2, 1.5)
    scores[:, 0] = rng.random(6000) < 1 / (1 + np.exp(-slope * theta))

    found = logistic_dif(scores, focal)

    assert found.nonuniform_p[0] < 1e-10
    assert found.uniform_chi2[0] < found.nonuniform_chi2[0]
    assert found.coefficients[0, 3] < 0  # the focal group's slope on the score is flatter
    assert found.classes[0] in ("B", "C")


def test_items_of_several_scores_are_no_regression_but_count_in_the_score() -> None:
    scores, focal = two_groups(500, 12, items=5)
    scores[:, 4] *= 3

    found = logistic_dif(scores, focal, purify=False)

    assert found.reasons[4] == "item 5: it has more than two scores, and the regression is of right and wrong."
    assert np.isnan(found.chi2[4])
    assert found.reasons[:4] == (None,) * 4
    assert found.chi2[0] != logistic_dif(scores[:, :4], focal, purify=False).chi2[0]


def test_right_and_wrong_told_without_error_is_no_regression() -> None:
    ability = np.tile(np.arange(5), 40)
    scores = (ability[:, np.newaxis] > np.arange(4)).astype(np.uint8)  # a perfect Guttman scale

    found = logistic_dif(scores, np.arange(200) % 3 == 0, purify=False)

    assert all(reason is not None and "without error" in reason for reason in found.reasons)
    assert np.isnan(found.effect).all()
    assert found.classes == (None,) * 4


def test_a_million_students_are_ten_times_as_sure_as_ten_thousand() -> None:
    scores, focal = two_groups(1000, 13, {2: 0.4}, items=6)

    few = logistic_dif(scores, focal, purify=False)
    many = logistic_dif(np.tile(scores, (100, 1)), np.tile(focal, 100), purify=False)

    assert many.chi2 == pytest.approx(100 * few.chi2)
    assert many.errors == pytest.approx(few.errors / 10)
    assert many.effect == pytest.approx(few.effect)
