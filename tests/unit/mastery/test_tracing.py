"""Bayesian knowledge tracing: what must always hold, and what Corbett and Anderson's equations give by hand."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mastery.domain.tracing import DEFAULT, Floats, Skill, after_response, trace

probabilities = st.floats(0.0001, 0.9999)
credits_ = st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 2 / 3, 1.0])
sequences = st.lists(st.lists(credits_, min_size=1, max_size=12), min_size=1, max_size=8)


@st.composite
def skills(draw: st.DrawFn) -> Skill:
    guess = draw(st.floats(0.01, 0.5))
    slip = draw(st.floats(0.01, 0.49))
    return Skill(draw(st.floats(0.01, 0.99)), draw(st.floats(0, 0.9)), guess, slip)


def known_after(known: float, credit: float, skill: Skill) -> float:
    return float(after_response(np.array([known]), np.array([credit]), skill)[0])


def traced(many: list[list[float]], start: Floats, skill: Skill = DEFAULT) -> tuple[Floats, Floats]:
    lengths = np.array([len(one) for one in many], dtype=np.int64)
    return trace(start, lengths, np.array([credit for one in many for credit in one]), skill)


@given(known=probabilities, skill=skills())
def test_a_right_answer_never_lowers_mastery(known: float, skill: Skill) -> None:
    assert known_after(known, 1.0, skill) >= known * (1 - 1e-15)


@given(known=probabilities, skill=skills())
def test_a_wrong_answer_raises_mastery_by_no_more_than_is_learnt_at_a_response(known: float, skill: Skill) -> None:
    assert known_after(known, 0.0, skill) <= (known + (1 - known) * skill.learn) * (1 + 1e-15)


@given(known=probabilities, credit=credits_, skill=skills())
def test_mastery_stays_a_probability(known: float, credit: float, skill: Skill) -> None:
    assert 0 <= known_after(known, credit, skill) <= 1


@given(known=probabilities, one=credits_, other=credits_, skill=skills())
def test_more_credit_is_never_worse(known: float, one: float, other: float, skill: Skill) -> None:
    less, more = sorted([one, other])

    assert known_after(known, less, skill) <= known_after(known, more, skill) * (1 + 1e-15)


def test_one_error_does_not_erase_mastery() -> None:
    assert known_after(0.95, 0.0, DEFAULT) > 0.7


def test_two_right_answers_and_a_wrong_one_are_what_the_equations_give_by_hand() -> None:
    # Corbett and Anderson 1995, equations 1 and 2, in exact fractions: p(L0)=3/10, p(T)=1/10, p(G)=2/10, p(S)=1/10.
    # Right: (27/100)/(27/100 + 14/100) = 27/41, then 27/41 + 14/41/10 = 142/205.
    # Right: (142*9)/(142*9 + 63*2) = 71/78, then 71/78 + 7/78/10 = 239/260.
    # Wrong: (239*1)/(239*1 + 21*8) = 239/407, then 239/407 + 168/407/10 = 1279/2035.
    by_hand = [Fraction(142, 205), Fraction(239, 260), Fraction(1279, 2035)]

    _, after = traced([[1.0, 1.0, 0.0]], np.array([0.30]))

    assert after == pytest.approx([float(one) for one in by_hand], rel=1e-15)


@given(many=sequences)
def test_every_step_starts_where_the_one_before_it_ended(many: list[list[float]]) -> None:
    before, after = traced(many, np.full(len(many), DEFAULT.prior))

    at = 0
    for one in many:
        assert before[at] == DEFAULT.prior
        assert (before[at + 1 : at + len(one)] == after[at : at + len(one) - 1]).all()
        at += len(one)


@given(many=sequences)
def test_a_sequence_gives_the_same_bits_alone_and_in_company(many: list[list[float]]) -> None:
    _, together = traced(many, np.full(len(many), DEFAULT.prior))

    alone = np.concatenate([traced([one], np.array([DEFAULT.prior]))[1] for one in many])
    assert together.tobytes() == alone.tobytes()


@given(one=st.lists(credits_, min_size=2, max_size=30), cut=st.integers(1, 29))
def test_continuing_gives_the_same_bits_as_starting_over(one: list[float], cut: int) -> None:
    cut = min(cut, len(one) - 1)
    _, whole = traced([one], np.array([DEFAULT.prior]))

    _, first = traced([one[:cut]], np.array([DEFAULT.prior]))
    _, rest = traced([one[cut:]], first[-1:])

    assert np.concatenate([first, rest]).tobytes() == whole.tobytes()


def test_bits_do_not_depend_on_how_many_are_traced_at_once() -> None:
    credit = np.random.default_rng(5).choice([0.0, 1 / 3, 1.0], size=(5_000, 7))
    lengths = np.full(5_000, 7, dtype=np.int64)
    _, together = trace(np.full(5_000, DEFAULT.prior), lengths, credit.ravel(), DEFAULT)

    for size in (1, 3, 8, 17, 1_001):
        _, some = trace(np.full(size, DEFAULT.prior), lengths[:size], credit[:size].ravel(), DEFAULT)
        assert some.tobytes() == together[: size * 7].tobytes()


def test_plain_python_gives_the_same_bits() -> None:
    credits_seen = [1.0, 0.0, 0.5, 1 / 3, 1.0, 1.0, 0.0]
    _, after = traced([credits_seen], np.array([0.30]))

    k, plain = 0.30, []
    for c in credits_seen:
        if_known = c * (1 - 0.10) + (1 - c) * 0.10
        if_unknown = c * 0.20 + (1 - c) * (1 - 0.20)
        posterior = k * if_known / (k * if_known + (1 - k) * if_unknown)
        k = posterior + (1 - posterior) * 0.10
        plain.append(k)

    assert after.tolist() == plain


def test_nothing_to_trace_is_nothing() -> None:
    before, after = trace(np.empty(0), np.empty(0, dtype=np.int64), np.empty(0), DEFAULT)

    assert len(before) == len(after) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"guess": 0.51},
        {"slip": 0.51},
        {"guess": 0.5, "slip": 0.5},
        {"guess": 0.0},
        {"slip": 0.0},
        {"prior": 0.0},
        {"prior": 1.0},
        {"learn": 1.0},
        {"learn": -0.1},
        {"prior": float("nan")},
    ],
)
def test_parameters_outside_their_bounds_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must"):
        Skill(**wrong)


def test_the_version_names_the_model_and_its_parameters() -> None:
    assert DEFAULT.version == "bkt-1:p.30,l.10,g.20,s.10"
    assert Skill(prior=0.125).version == "bkt-1:p.125,l.10,g.20,s.10"
