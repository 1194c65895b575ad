"""What must hold of every update, whatever the parameters, and what the equations give by hand."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from services.mastery.domain.tracing.level import DEVELOPING_AT, LEVELS, MASTERED_AT, level
from services.mastery.domain.tracing.skill import DEFAULT, LOWER, NO_SPREAD, PROBABILITY, UPPER, Floats, Skill, Skills
from services.mastery.domain.tracing.update import after_evidence, after_gap, at_difficulty, kept, likelihoods
from tests.unit.mastery.tracing.made import (
    BELIEFS,
    CREDITS,
    DAYS,
    DIFFICULTIES,
    RESPONSES,
    RIGHT,
    WRONG,
    Response,
    any_skill,
    belief_after,
    replayed,
    replayed_with,
)

ROUNDING = 1e-15
EXACT = Skill(prior=0.30, learn=0.10, forget=0.01, guess=0.20, slip=0.10, decay=0.0, weight=0.0, spread=NO_SPREAD)


def evidence_step(belief: float, credit: float, difficulty: float, skill: Skill) -> Floats:
    """All lanes after Bayes' rule for one response, before anything is learnt or lost."""
    columns = Skills.of([skill])
    if_known, if_unknown = likelihoods(np.array([credit]), np.array([difficulty]), columns)
    return after_evidence(np.full((3, 1), belief), if_known, if_unknown)[:, 0]


@given(belief=BELIEFS, difficulty=DIFFICULTIES, skill=any_skill())
def test_a_right_answer_never_lowers_what_is_believed(belief: float, difficulty: float, skill: Skill) -> None:
    assert (evidence_step(belief, 1.0, difficulty, skill) >= belief * (1 - ROUNDING)).all()


@given(belief=BELIEFS, difficulty=DIFFICULTIES, skill=any_skill())
def test_a_wrong_answer_never_raises_the_evidence(belief: float, difficulty: float, skill: Skill) -> None:
    assert (evidence_step(belief, 0.0, difficulty, skill) <= belief * (1 + ROUNDING)).all()


@given(belief=BELIEFS, one=CREDITS, other=CREDITS, difficulty=DIFFICULTIES, skill=any_skill())
def test_more_credit_is_never_worse(belief: float, one: float, other: float, difficulty: float, skill: Skill) -> None:
    less, more = sorted([one, other])

    lower, higher = (evidence_step(belief, credit, difficulty, skill) for credit in (less, more))

    assert (lower <= higher * (1 + ROUNDING)).all()


@given(belief=BELIEFS, easy=DIFFICULTIES, hard=DIFFICULTIES, skill=any_skill())
def test_a_right_answer_to_a_harder_item_is_never_worth_less_unless_it_is_nearly_a_coin_toss(
    belief: float, easy: float, hard: float, skill: Skill
) -> None:
    easier, harder = sorted([easy, hard])
    guess_at_easier = at_difficulty(np.array(skill.guess), np.array(-skill.weight * max(-4, min(4, easier))))
    assume(guess_at_easier <= 0.41)  # d log((1 - s) / g) = 1 - 2g - s(1 - 2s)/(1 - s) per logit, the last at most .172

    by_easier, by_harder = (evidence_step(belief, 1.0, one, skill)[PROBABILITY] for one in (easier, harder))

    assert by_easier <= by_harder * (1 + ROUNDING)


@given(sequence=st.lists(RESPONSES, min_size=1, max_size=20), skill=any_skill())
def test_a_belief_is_never_certain_and_always_between_its_ends(sequence: list[Response], skill: Skill) -> None:
    before, after = replayed([sequence], [skill])

    for lanes in (before, after):
        assert (lanes > 0).all()
        assert (lanes < 1).all()
        assert (lanes[LOWER] <= lanes[PROBABILITY]).all()
        assert (lanes[PROBABILITY] <= lanes[UPPER]).all()


@given(sequence=st.lists(RESPONSES, min_size=1, max_size=8), skill=any_skill(), seed=st.integers(0, 99))
def test_no_parameters_in_the_box_leave_the_lanes(sequence: list[Response], skill: Skill, seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = Skills.of([skill])
    corner = {
        "prior": rng.choice(columns.prior[:, 0]),
        "learn": rng.choice(columns.learn[:, 0]),
        "forget": rng.choice(columns.forget[:, 0]),
        "guess": rng.choice(columns.guess[:, 0]),
        "slip": rng.choice(columns.slip[:, 0]),
    }
    inside = Skills(*(np.full((3, 1), value) for value in corner.values()), columns.decay, columns.weight)

    _, lanes = replayed([sequence], [skill])
    _, other = replayed_with([sequence], inside)

    assert (other[PROBABILITY] >= lanes[LOWER] * (1 - 1e-12)).all()
    assert (other[PROBABILITY] <= lanes[UPPER] * (1 + 1e-12)).all()


@given(skill=any_skill(), more=st.integers(30, 60))
def test_after_thirty_right_answers_one_error_does_not_erase_mastery(skill: Skill, more: int) -> None:
    before = belief_after([RIGHT] * more, skill)[PROBABILITY]
    assume(before >= MASTERED_AT)

    after = belief_after([RIGHT] * more + [WRONG], skill)[PROBABILITY]

    assert after >= DEVELOPING_AT


@given(difficulty=DIFFICULTIES, many=st.integers(30, 60))
def test_with_the_default_parameters_one_error_leaves_a_belief_above_four_fifths_on_any_item(
    difficulty: float, many: int
) -> None:
    after = belief_after([RIGHT] * many + [Response(0.0, difficulty)], DEFAULT)[PROBABILITY]

    assert after > 0.8


def test_with_the_default_parameters_one_error_on_an_average_item_leaves_mastery_mastered() -> None:
    probability, lower, _ = belief_after([RIGHT] * 30 + [WRONG], DEFAULT)

    assert LEVELS[level(np.array(probability), np.array(lower), np.array(31))] == "mastered"


@given(skill=any_skill(), response=RESPONSES)
def test_one_response_never_gives_mastery(skill: Skill, response: Response) -> None:
    probability, lower, _ = belief_after([response], skill)

    assert LEVELS[level(np.array(probability), np.array(lower), np.array(1))] != "mastered"


@given(
    wrong=st.lists(st.builds(Response, st.just(0.0), DIFFICULTIES), min_size=1, max_size=20), difficulty=DIFFICULTIES
)
def test_with_the_default_parameters_a_lucky_guess_after_errors_never_gives_mastery(
    wrong: list[Response], difficulty: float
) -> None:
    probability, lower, _ = belief_after([*wrong, Response(1.0, difficulty)], DEFAULT)

    assert probability < MASTERED_AT
    assert LEVELS[level(np.array(probability), np.array(lower), np.array(len(wrong) + 1))] != "mastered"


@given(probability=st.floats(0, 1), lower=st.floats(0, 1))
def test_without_evidence_the_level_is_unknown_whatever_is_assumed(probability: float, lower: float) -> None:
    assert LEVELS[level(np.array(probability), np.array(lower), np.array(0))] == "unknown"


@pytest.mark.parametrize(
    ("probability", "lower", "count", "expected"),
    [
        (0.85, 0.50, 3, "mastered"),
        (0.8499, 0.50, 3, "developing"),
        (0.99, 0.4999, 30, "developing"),
        (0.99, 0.90, 2, "developing"),
        (0.50, 0.10, 1, "developing"),
        (0.4999, 0.30, 9, "beginning"),
        (0.0001, 0.0, 1, "beginning"),
    ],
)
def test_a_level_begins_exactly_at_its_bound(probability: float, lower: float, count: int, expected: str) -> None:
    assert LEVELS[level(np.array(probability), np.array(lower), np.array(count))] == expected


def test_two_right_answers_and_a_wrong_one_are_what_the_equations_give_by_hand() -> None:
    # prior 3/10, learn 1/10, forget 1/100, guess 2/10, slip 1/10. Right: (27/100)/(27/100 + 14/100) = 27/41, then
    # 27/41 * 99/100 + 14/41 * 1/10, and so on in exact fractions.
    known, by_hand = Fraction(3, 10), []
    for if_known, if_unknown in [(Fraction(9, 10), Fraction(2, 10))] * 2 + [(Fraction(1, 10), Fraction(8, 10))]:
        post = known * if_known / (known * if_known + (1 - known) * if_unknown)
        known = post * Fraction(99, 100) + (1 - post) * Fraction(1, 10)
        by_hand.append(float(known))

    _, after = replayed([[RIGHT, RIGHT, WRONG]], [EXACT])

    assert by_hand[0] == pytest.approx(2813 / 4100, rel=1e-15)
    assert after[PROBABILITY] == pytest.approx(by_hand, rel=1e-14)


def test_parameters_taken_as_exact_have_no_room_between_the_ends() -> None:
    _, after = replayed([[RIGHT, WRONG, RIGHT, RIGHT]], [EXACT])

    assert after[LOWER].tolist() == after[PROBABILITY].tolist() == after[UPPER].tolist()


@given(chance=st.floats(0.01, 0.5), shift=st.floats(-8, 8))
@example(chance=0.5, shift=-7.0)
def test_difficulty_moves_a_chance_by_logits_of_its_double_and_never_beyond_one_half(
    chance: float, shift: float
) -> None:
    moved = float(at_difficulty(np.array(chance), np.array(shift)))

    odds = np.inf if chance == 0.5 else 2 * chance / (1 - 2 * chance) * np.exp(shift)
    assert moved == pytest.approx(0.5 if odds == np.inf else 0.5 * odds / (1 + odds), rel=1e-12)
    assert 0 < moved <= 0.5


def test_an_average_item_leaves_guess_and_slip_as_they_are_to_the_last_bit() -> None:
    columns = Skills.of([DEFAULT])

    if_known, if_unknown = likelihoods(np.array([1.0]), np.array([0.0]), columns)

    assert if_known[PROBABILITY, 0] == 1 - DEFAULT.slip
    assert if_unknown[PROBABILITY, 0] == DEFAULT.guess


@given(belief=BELIEFS, days=DAYS, skill=any_skill())
def test_time_without_evidence_leads_towards_the_prior_and_never_past_it(
    belief: float, days: float, skill: Skill
) -> None:
    later = float(after_gap(np.array(belief), kept(np.array(days), np.array(skill.decay)), np.array(skill.prior)))

    low, high = sorted([belief, skill.prior])
    assert low * (1 - ROUNDING) <= later <= high * (1 + ROUNDING)


def test_no_time_changes_nothing_and_long_enough_a_time_everything() -> None:
    belief, prior = np.array([0.9312345]), np.array([0.3])

    at_once, much_later = (after_gap(belief, kept(np.array([days]), np.array([0.01])), prior) for days in (0.0, 1e6))

    assert at_once.tolist() == belief.tolist()
    assert much_later.tolist() == prior.tolist()
