"""Skills and sequences for the tests of tracing, drawn by Hypothesis from all that is allowed."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from services.mastery.domain.tracing.replay import replay
from services.mastery.domain.tracing.skill import (
    BOUNDS,
    FORGET_TO_SLIP,
    GUESS_AND_SLIP,
    Floats,
    Ints,
    Skill,
    Skills,
    Spread,
)

CREDITS = st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 2 / 3, 1.0])
DIFFICULTIES = st.floats(-6, 6)
DAYS = st.sampled_from([0.0, 0.0, 0.01, 1.0, 7.0, 180.0, 4000.0])
BELIEFS = st.floats(0.001, 0.998)


def within(name: str) -> st.SearchStrategy[float]:
    return st.floats(*BOUNDS[name])


@st.composite
def spreads(draw: st.DrawFn) -> Spread:
    return Spread(*(draw(st.floats(0, 0.3)) for _ in range(5)))


@st.composite
def any_skill(draw: st.DrawFn) -> Skill:
    """Any parameters that are allowed, with any box around them."""
    guess = draw(within("guess"))
    slip = draw(st.floats(BOUNDS["slip"][0], min(BOUNDS["slip"][1], GUESS_AND_SLIP - guess - 1e-12)))
    least, most = BOUNDS["forget"]
    forget = draw(st.floats(least, max(least, min(most, FORGET_TO_SLIP * slip))))
    return Skill(
        draw(within("prior")),
        draw(within("learn")),
        forget,
        guess,
        slip,
        draw(within("decay")),
        draw(within("weight")),
        draw(spreads()),
    )


@dataclass(frozen=True, slots=True)
class Response:
    credit: float
    difficulty: float = 0.0
    days: float = 0.0


RESPONSES = st.builds(Response, CREDITS, DIFFICULTIES, DAYS)
RIGHT, WRONG = Response(1.0), Response(0.0)


def start_of(skills: Skills, skill: Ints) -> Floats:
    return skills.prior[:, skill]


def replayed(many: list[list[Response]], skills: list[Skill]) -> tuple[Floats, Floats]:
    """Sequences, each of its own skill, replayed from their priors."""
    return replayed_with(many, Skills.of(skills))


def replayed_with(many: list[list[Response]], skills: Skills) -> tuple[Floats, Floats]:
    """Sequences, each of the skill in its place."""
    which = np.arange(len(many))
    flat = [one for sequence in many for one in sequence]
    return replay(
        start_of(skills, which),
        np.array([len(one) for one in many], dtype=np.int64),
        np.array([one.days for one in flat]),
        np.array([one.credit for one in flat]),
        np.array([one.difficulty for one in flat]),
        skills.take(np.repeat(which, [len(one) for one in many])),
    )


def belief_after(responses: list[Response], skill: Skill) -> tuple[float, float, float]:
    """Probability, lower and upper end after these responses from the prior."""
    _, after = replayed([responses], [skill])
    return float(after[0, -1]), float(after[1, -1]), float(after[2, -1])
