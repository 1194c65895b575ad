"""Students' own priors: found where students differ, absent where they do not, and never from what comes later."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mastery.domain.tracing.evidence import Responses, sequences_of
from services.mastery.domain.tracing.predict import predict, quality
from services.mastery.domain.tracing.skill import BOUNDS, Floats, Ints, Skill, Skills
from services.mastery.domain.tracing.students import (
    Standing,
    StudentPrior,
    fit_student_prior,
    predict_students,
    shifted,
    standings,
)
from tests.unit.mastery.tracing.made import CREDITS
from tests.unit.mastery.tracing.simulated import simulated

PLANTED = [Skill(prior, 0.10, 0.005, 0.20, 0.10, 0.0, 0.0) for prior in (0.3, 0.4, 0.5, 0.6, 0.7)]
SKILLS = Skills.of(PLANTED)
NONE = np.empty((0, 2))
STRONG = StudentPrior(12.0, 5.0, 0.0, 0)


def columns(user: list[int], skill: list[int], credit: list[float], time: list[float] | None = None) -> Responses:
    return Responses(
        np.array(user),
        np.array(skill),
        np.array(credit),
        None if time is None else np.array(time),
        np.zeros(len(user)),
        np.empty((len(user), 0)),
    )


def two_kinds(students: int, seed: int) -> Responses:
    """Half of the students are likely to know everything before, half of them nothing."""
    rng = np.random.default_rng(seed)
    weak, able = (simulated([replace(one, prior=p) for one in PLANTED], students, 5, rng) for p in (0.1, 0.9))
    return Responses(
        np.concatenate([weak.user, able.user + students]),
        np.concatenate([weak.skill, able.skill]),
        np.concatenate([weak.credit, able.credit]),
        None,
        np.concatenate([weak.difficulty, able.difficulty]),
        np.empty((2 * len(weak), 0)),
    )


def total_log_likelihood(credit: Floats, expected: Floats) -> float:
    return -quality(credit, expected).log_loss * len(credit)


def test_a_standing_adds_up_what_came_before_of_the_same_student() -> None:
    responses = columns([1, 0, 0, 1, 0, 0], [0, 0, 0, 1, 2, 1], [0, 1, 0, 1, 1, 0], [5, 1, 2, 4, 4, 3])
    expected = np.array([0.5, 0.25, 0.5, 0.75, 0.125, 0.5])

    sequences = sequences_of(responses)
    found = standings(responses, expected, sequences)

    by_sequence = {
        (user, skill): (total, number)
        for user, skill, total, number in zip(
            sequences.user.tolist(), sequences.skill.tolist(), found.total.tolist(), found.number.tolist(), strict=True
        )
    }
    assert by_sequence == {
        (0, 0): (0.0, 0),
        (0, 1): (0.75 - 0.5, 2),
        (0, 2): (0.75 - 0.5 - 0.5, 3),
        (1, 1): (0.0, 0),
        (1, 0): (0.25, 1),
    }


@st.composite
def any_responses(draw: st.DrawFn) -> tuple[Responses, Ints]:
    """Responses of few students to few skills, some to two skills at once, and which rows are one response."""
    given_rows = draw(
        st.lists(
            st.tuples(
                st.integers(0, 2),
                st.lists(st.integers(0, 4), min_size=1, max_size=2, unique=True),
                CREDITS,
                st.floats(-2, 2),
                st.integers(0, 3),
            ),
            min_size=1,
            max_size=14,
        )
    )
    flat = [
        (user, skill, credit, difficulty, time, at)
        for at, (user, several, credit, difficulty, time) in enumerate(given_rows)
        for skill in several
    ]
    user, skill, credit, difficulty, time, event = (np.array(column) for column in zip(*flat, strict=True))
    timed = time.astype(np.float64) if draw(st.booleans()) else None
    return Responses(user, skill, credit, timed, difficulty, np.empty((len(flat), 0))), event


@given(made=any_responses(), cut=st.integers(0, 13), seed=st.integers(0, 99))
def test_what_comes_later_and_the_response_itself_never_change_a_prediction(
    made: tuple[Responses, Ints], cut: int, seed: int
) -> None:
    responses, event = made
    moment = np.zeros(len(event)) if responses.time is None else responses.time
    order = np.lexsort([event, moment])
    place = np.unique(np.stack([moment, event]), axis=1, return_inverse=True)[1].ravel()
    at = place[order[min(cut, len(order) - 1)]]
    other = np.random.default_rng(seed).random(len(event))
    changed = replace(responses, credit=np.where(place >= at, other, responses.credit))

    before, after = (predict_students(one, SKILLS, NONE, STRONG, event=event).expected for one in (responses, changed))

    assert before[place <= at].tobytes() == after[place <= at].tobytes()


@given(made=any_responses(), seed=st.integers(0, 99))
def test_what_others_answer_never_changes_a_prediction(made: tuple[Responses, Ints], seed: int) -> None:
    responses, event = made
    other = np.random.default_rng(seed).random(len(event))
    mine = responses.user == responses.user[0]
    changed = replace(responses, credit=np.where(mine, responses.credit, other))

    before, after = (predict_students(one, SKILLS, NONE, STRONG, event=event).expected for one in (responses, changed))

    assert before[mine].tobytes() == after[mine].tobytes()


def test_who_did_better_than_expected_is_expected_to_know_the_next_skill_rather() -> None:
    answers = {0: [1.0, 1.0, 1.0], 1: [0.0, 0.0, 0.0]}
    responses = columns([0] * 4 + [1] * 4 + [2], [0, 0, 0, 1] * 2 + [1], [*answers[0], 1.0, *answers[1], 1.0, 1.0])

    expected = predict_students(responses, SKILLS, NONE, STRONG).expected

    able, weak, unknown = expected[[3, 7, 8]]
    assert weak < unknown < able
    assert unknown == predict(responses, SKILLS, NONE).expected[8]
    assert expected[0] == expected[4]


def test_a_prior_stays_within_its_bounds_and_where_it_was_without_deviation() -> None:
    usual = np.array([0.01, 0.3, 0.99, 0.5, 0.5])
    standing = Standing(np.array([0.0, 0.0, 0.0, 900.0, -900.0]), np.array([0, 7, 3, 1000, 1000]))

    begin = shifted(usual, standing, 40.0, 1.0)

    assert begin[:3].tobytes() == usual[:3].tobytes()
    assert begin[3:].tolist() == [BOUNDS["prior"][1], BOUNDS["prior"][0]]


def test_a_prior_moves_by_the_strength_on_the_logit_scale() -> None:
    begin = shifted(np.array([0.3]), Standing(np.array([2.0]), np.array([6])), 3.0, 2.0)

    logit = np.log(begin / (1 - begin)) - np.log(0.3 / 0.7)
    assert logit == pytest.approx(3.0 * 2.0 / (6 + 2))


def test_students_who_differ_are_told_apart_and_new_ones_predicted_better() -> None:
    train, test = two_kinds(300, 1), two_kinds(100, 2)

    found = fit_student_prior(train, SKILLS, NONE)
    plain, own = (
        quality(test.credit, one.expected)
        for one in (predict(test, SKILLS, NONE), predict_students(test, SKILLS, NONE, found))
    )

    assert found.strength > 5
    assert found.sequences == 600 * 4
    assert own.log_loss < plain.log_loss - 0.01
    assert own.auc is not None
    assert plain.auc is not None
    assert own.auc > plain.auc + 0.01


def test_the_gain_is_that_of_the_predictions() -> None:
    train = two_kinds(150, 3)

    found = fit_student_prior(train, SKILLS, NONE)

    plain, own = (
        total_log_likelihood(train.credit, one.expected)
        for one in (predict(train, SKILLS, NONE), predict_students(train, SKILLS, NONE, found))
    )
    assert found.gain == pytest.approx(own - plain, rel=1e-9)
    for strength, shrinkage in ((0.9, 1.0), (1.1, 1.0), (1.0, 0.5), (1.0, 2.0)):
        moved = replace(found, strength=found.strength * strength, shrinkage=found.shrinkage * shrinkage)
        assert total_log_likelihood(train.credit, predict_students(train, SKILLS, NONE, moved).expected) < own


def test_students_who_are_all_alike_keep_the_priors_of_the_skills() -> None:
    responses = simulated(PLANTED, 400, 5, np.random.default_rng(4))

    found = fit_student_prior(responses, SKILLS, NONE)

    assert found.strength == 0
    assert found.gain == 0
    assert (
        predict_students(responses, SKILLS, NONE, found).expected.tobytes()
        == predict(responses, SKILLS, NONE).expected.tobytes()
    )


def test_one_skill_alone_tells_nothing_of_a_next_one() -> None:
    responses = simulated(PLANTED[:1], 100, 5, np.random.default_rng(5))

    found = fit_student_prior(responses, SKILLS, NONE)

    assert (found.strength, found.sequences) == (0.0, 0)


def test_a_prior_given_for_a_sequence_takes_the_place_of_its_skills() -> None:
    responses = columns([0, 0, 0], [0, 0, 1], [1.0, 1.0, 1.0])

    low, high = (
        predict_students(responses, SKILLS, NONE, STRONG, np.array([0.3, begin])).expected[2] for begin in (0.1, 0.6)
    )

    assert low < high
    assert low > predict(responses, SKILLS, NONE, np.array([0.3, 0.1])).expected[2]
