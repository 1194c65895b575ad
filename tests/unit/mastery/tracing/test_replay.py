"""A batch, a replay and a single sequence are the same numbers, to the last bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.mastery.domain.tracing.replay import replay
from services.mastery.domain.tracing.skill import (
    DEFAULT,
    Skill,
    SkillError,
    Skills,
    Spread,
    model_version,
)
from services.mastery.domain.tracing.update import after_gap, after_response, kept, likelihoods
from tests.unit.mastery.tracing.made import RESPONSES, Response, any_skill, replayed

sequences = st.lists(st.tuples(st.lists(RESPONSES, min_size=1, max_size=9), any_skill()), min_size=1, max_size=6)


@given(many=sequences)
def test_a_sequence_alone_has_the_same_bits_as_among_many(many: list[tuple[list[Response], Skill]]) -> None:
    together = replayed([one for one, _ in many], [skill for _, skill in many])

    at = 0
    for one, skill in many:
        alone = replayed([one], [skill])
        for whole, part in zip(together, alone, strict=True):
            assert whole[:, at : at + len(one)].tobytes() == part.tobytes()
        at += len(one)


@given(sequence=st.lists(RESPONSES, min_size=2, max_size=12), cut=st.integers(1, 11), skill=any_skill())
def test_a_sequence_continued_from_where_it_stood_has_the_same_bits(
    sequence: list[Response], cut: int, skill: Skill
) -> None:
    cut = min(cut, len(sequence) - 1)
    columns = Skills.of([skill])
    _, whole = replayed([sequence], [skill])

    belief = replayed([sequence[:cut]], [skill])[1][:, -1:]
    for one in sequence[cut:]:
        belief = after_gap(belief, kept(np.array([one.days]), columns.decay), columns.prior)
        if_known, if_unknown = likelihoods(np.array([one.credit]), np.array([one.difficulty]), columns)
        belief = after_response(belief, if_known, if_unknown, columns.learn, columns.forget)

    assert belief.tobytes() == whole[:, -1:].tobytes()


def test_nothing_to_replay_is_nothing() -> None:
    none = np.empty(0)

    before, after = replay(np.empty((3, 0)), np.empty(0, np.int64), none, none, none, Skills.of([]))

    assert before.shape == after.shape == (3, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"guess": 0.51},
        {"slip": 0.51},
        {"guess": 0.5, "slip": 0.46},
        {"guess": 0.0},
        {"slip": 0.0},
        {"prior": 0.0},
        {"prior": 1.0},
        {"learn": 0.0},
        {"learn": 0.51},
        {"forget": 0.0},
        {"forget": 0.06, "slip": 0.1},
        {"decay": -0.1},
        {"weight": -0.1},
        {"prior": float("nan")},
        {"weight": float("nan")},
    ],
)
def test_parameters_outside_their_bounds_are_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(SkillError, match=next(iter(wrong))):
        Skill(**wrong)


@pytest.mark.parametrize("half", [-0.1, float("nan"), float("inf")])
def test_a_half_width_that_is_none_is_refused(half: float) -> None:
    with pytest.raises(SkillError, match="half-width of guess"):
        Spread(guess=half)


@given(skill=any_skill())
def test_the_box_keeps_within_the_bounds_and_guess_and_slip_below_one(skill: Skill) -> None:
    columns = Skills.of([skill])

    for box in (columns.prior, columns.learn, columns.guess, columns.slip):
        assert box[1] <= box[0] <= box[2]
    assert columns.forget[2] <= columns.forget[0] <= columns.forget[1]
    assert columns.guess[2] + columns.slip[2] < 1
    assert columns.learn[2] + columns.forget[1] < 1


def test_the_version_names_the_model_its_parameters_and_what_computes_it() -> None:
    version = model_version({"": DEFAULT}, "numpy")

    assert version == "bkt-2:3848cfa3:numpy"
    assert model_version({"": Skill(slip=0.11)}, "numpy") != version
    assert model_version({"": Skill(spread=Spread(slip=0.04))}, "numpy") != version
    assert model_version({"a": DEFAULT, "": Skill()}, "numba") == model_version({"": Skill(), "a": DEFAULT}, "numba")
    assert model_version({"a": DEFAULT}, "numpy") != model_version({"": DEFAULT}, "numpy")
