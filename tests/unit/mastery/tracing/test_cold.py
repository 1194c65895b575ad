"""Where a student begins who has shown nothing yet, and how difficult an item is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mastery.domain.tracing.cold import beginnings, prior_from_prerequisites, priors_by_group
from services.mastery.domain.tracing.evidence import sequences_of
from services.mastery.domain.tracing.items import difficulties
from services.mastery.domain.tracing.predict import auc, calibration_curve, parameters_of, quality
from services.mastery.domain.tracing.skill import Skill, Skills
from tests.unit.mastery.tracing.simulated import simulated

CHANCES = st.floats(0.02, 0.95)


def test_each_grade_gets_the_prior_it_was_drawn_with() -> None:
    rng = np.random.default_rng(3)
    low, high = Skill(0.2, 0.1, 0.01, 0.2, 0.1), Skill(0.7, 0.1, 0.01, 0.2, 0.1)
    drawn = simulated([low, high], 2000, 6, rng)  # the two grades, as if they were two skills
    sequences = sequences_of(drawn)
    each = parameters_of(drawn, sequences, Skills.of([Skill(0.45, 0.1, 0.01, 0.2, 0.1)] * 2), np.empty((0, 2)))
    credit, difficulty = drawn.credit[sequences.rows], drawn.difficulty[sequences.rows]

    found = beginnings(sequences.lengths, sequences.days, credit, difficulty, each)
    priors = priors_by_group(found, sequences.skill, 3, np.array([0.45, 0.45, 0.45]))

    assert priors == pytest.approx([0.2, 0.7, 0.45], abs=0.04)


def test_a_beginning_is_weighed_by_the_sum_over_what_can_follow() -> None:
    skill = Skill(0.3, 0.2, 0.05, 0.25, 0.1, 0.1, 0.0)
    columns = Skills.of([skill]).take(np.zeros(2, dtype=np.int64))

    found = beginnings(np.array([2]), np.array([0.0, 3.0]), np.array([1.0, 0.0]), np.zeros(2), columns)

    kept = np.exp(-0.3)
    wrong = {True: 0.1, False: 0.75}

    def later(chance_known: float) -> float:
        known = chance_known * kept + (1 - kept) * 0.3
        return known * wrong[True] + (1 - known) * wrong[False]

    by_known, by_unknown = 0.9 * later(0.95), 0.25 * later(0.2)
    assert found.if_unknown[0] / found.if_known[0] == pytest.approx(by_unknown / by_known, rel=1e-12)


@given(prior=CHANCES, usual=st.lists(CHANCES, min_size=1, max_size=3), dependence=st.floats(0, 1))
def test_prerequisites_of_which_nothing_is_shown_leave_the_prior_as_it_is(
    prior: float, usual: list[float], dependence: float
) -> None:
    base = np.array(usual)

    found = float(prior_from_prerequisites(np.array(prior), base, base, dependence))

    assert found <= prior * (1 + 1e-12)
    unprepared = prior * (1 - dependence)
    if (prior - (1 - base.prod()) * unprepared) / base.prod() <= 0.99:
        assert found == pytest.approx(max(prior, 0.01), rel=1e-9)


@given(prior=CHANCES, one=CHANCES, other=CHANCES, usual=CHANCES, dependence=st.floats(0, 1))
def test_a_prerequisite_known_better_never_lowers_the_prior(
    prior: float, one: float, other: float, usual: float, dependence: float
) -> None:
    less, more = sorted([one, other])
    low, high = (
        float(prior_from_prerequisites(np.array(prior), np.array([known]), np.array([usual]), dependence))
        for known in (less, more)
    )

    assert 0 < low <= high * (1 + 1e-12) < 1


def test_a_dependence_that_is_no_share_is_refused() -> None:
    with pytest.raises(ValueError, match="dependence"):
        prior_from_prerequisites(np.array(0.3), np.array([0.5]), np.array([0.5]), 1.5)


def test_a_harder_item_is_found_harder_and_one_seen_once_hardly_either() -> None:
    # one skill; item 0: 90 of 100 right, item 1: 30 of 100, item 2: one wrong answer
    pair = np.repeat([0, 1, 2], [100, 100, 1])
    credit = np.concatenate([np.repeat([1.0, 0.0], [90, 10]), np.repeat([1.0, 0.0], [30, 70]), [0.0]])

    found = difficulties(pair, np.zeros(3, dtype=np.int64), np.arange(201), credit)

    assert found.of_item[0] < -1
    assert found.of_item[1] > 0.9
    assert 0 < found.of_item[2] < 0.7


def test_a_response_does_not_tell_how_difficult_its_own_item_is() -> None:
    rng = np.random.default_rng(5)
    pair, user = rng.integers(0, 4, 200), rng.integers(0, 40, 200)
    credit = rng.integers(0, 2, 200).astype(np.float64)
    other = credit.copy()
    other[user == 7] = 1 - other[user == 7]

    one, changed = (difficulties(pair, np.zeros(4, dtype=np.int64), user, some).of_response for some in (credit, other))

    assert one[user == 7].tolist() == changed[user == 7].tolist()
    assert one[user == 8].tolist() != changed[user == 8].tolist()


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from([0.1, 0.3, 0.5, 0.7])), min_size=2, max_size=30).filter(
        lambda some: len({right for right, _ in some}) == 2
    )
)
def test_the_auc_is_the_share_of_pairs_in_the_right_order(some: list[tuple[bool, float]]) -> None:
    rights = [p for right, p in some if right]
    wrongs = [p for right, p in some if not right]
    pairs = [(a > b) + (a == b) / 2 for a in rights for b in wrongs]

    found = auc(np.array([right for right, _ in some]), np.array([p for _, p in some]))

    assert found == pytest.approx(sum(pairs) / len(pairs))


def test_predictions_of_the_truth_are_calibrated_and_certain_errors_finite() -> None:
    rng = np.random.default_rng(6)
    expected = rng.random(50_000)
    credit = (rng.random(50_000) < expected).astype(np.float64)

    curve = calibration_curve(credit, expected)

    assert len(curve.number) == 10
    assert ((curve.lower < curve.expected) & (curve.expected < curve.upper)).sum() >= 8
    assert np.isfinite(quality(np.array([1.0, 0.0]), np.array([0.0, 1.0])).log_loss)
