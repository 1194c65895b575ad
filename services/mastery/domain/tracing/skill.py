"""What is assumed of a competency: six probabilities and rates, their bounds, and the box of what they could also be.

The bounds are part of the model (Baker, Corbett & Aleven 2008 on degenerate knowledge tracing). A guess or a slip above
one half would make a right answer evidence of not knowing; a belief of exactly 1 could never be shaken, which the floor
of forgetting prevents; and who forgets more easily than they slip would lose mastery by one error.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PROBABILITY, LOWER, UPPER = 0, 1, 2
"""The three lanes of a belief: what is believed, the least and the most that the box of parameters allows."""

LANES = 3
KernelName = Literal["numpy", "numba"]

BOUNDS: Mapping[str, tuple[float, float]] = {
    "prior": (0.01, 0.99),
    "learn": (0.001, 0.50),
    "forget": (0.002, 0.15),
    "guess": (0.01, 0.50),
    "slip": (0.01, 0.50),
    "decay": (0.0, 1.0),
    "weight": (0.0, 2.0),
}
"""The least and the most of each parameter; prior to slip are probabilities, decay is per day, weight per logit."""

GUESS_AND_SLIP = 0.95
"""Guess and slip together stay at or below this: a response always tells something."""

FORGET_TO_SLIP = 0.5
"""Forgetting at a response is at most this share of the slip, or one error would erase mastery."""

_BOX_GUESS_AND_SLIP = 0.98


class SkillError(ValueError):
    """A competency's parameters lie outside their bounds."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How far each probability could be off: half the width of its interval (1.96 standard errors where fitted)."""

    prior: float = 0.10
    learn: float = 0.03
    forget: float = 0.003
    guess: float = 0.05
    slip: float = 0.03

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value < float("inf"):
                raise SkillError(f"the half-width of {field.name} must be a number of at least 0, not {value}")


NO_SPREAD = Spread(0.0, 0.0, 0.0, 0.0, 0.0)
"""Parameters taken as exact."""


@dataclass(frozen=True, slots=True)
class Skill:
    """What is assumed of one competency.

    `prior`: known before any evidence. `learn`, `forget`: learnt, or lost, at a response. `guess`: right without
    knowing. `slip`: wrong though knowing, both at an item of average difficulty. `decay` (per day): how fast what was
    known fades towards the prior. `weight`: by how many logits guess falls and slip rises with each logit of item
    difficulty. `spread`: the box of parameters that could be true as well.
    """

    prior: float = 0.30
    learn: float = 0.10
    forget: float = 0.005
    guess: float = 0.20
    slip: float = 0.10
    decay: float = 0.002
    weight: float = 0.5
    spread: Spread = Spread()

    def __post_init__(self) -> None:
        """Outside these bounds a right answer could lower mastery, or one answer decide it."""
        for name, (least, most) in BOUNDS.items():
            value = getattr(self, name)
            if not least <= value <= most:
                raise SkillError(f"{name} must lie between {least} and {most}, not {value}")
        if not self.guess + self.slip <= GUESS_AND_SLIP:
            raise SkillError(f"guess and slip together must be at most {GUESS_AND_SLIP}, not {self.guess + self.slip}")
        if not self.forget <= max(FORGET_TO_SLIP * self.slip, BOUNDS["forget"][0]):
            raise SkillError(
                f"forget must be at most {FORGET_TO_SLIP} of slip ({FORGET_TO_SLIP * self.slip}), not {self.forget}"
            )

    @property
    def canonical(self) -> str:
        """All that makes this skill what it is, every digit of it: equal skills and no others have the same text."""
        own = [repr(float(getattr(self, name))) for name in BOUNDS]
        return ",".join(own + [repr(float(getattr(self.spread, field.name))) for field in fields(Spread)])


DEFAULT = Skill()
"""What is assumed of a competency until its parameters are fitted."""


def model_version(skills: Mapping[str, Skill], kernel: KernelName) -> str:
    """Names the model, its parameters and what computes it, e.g. `bkt-2:5f0c9a31:numpy`.

    `skills` are all that the model is made of, by name (the default under the name ""); order does not matter.
    """
    lines = (f"{name!r}:{skills[name].canonical}" for name in sorted(skills))
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return f"bkt-2:{digest[:8]}:{kernel}"


@dataclass(frozen=True, slots=True)
class Skills:
    """Parameters of many competencies in columns, shapes (3, skills) by lane, `decay` and `weight` (skills,).

    Each lane holds what makes it itself: of prior and learn the lower lane has the least in the box, of forget the
    most. The lanes of guess and slip are the central, the least and the most; which of them makes a belief higher
    depends on the response.
    """

    prior: Floats
    learn: Floats
    forget: Floats
    guess: Floats
    slip: Floats
    decay: Floats
    weight: Floats

    def __len__(self) -> int:
        return len(self.decay)

    @classmethod
    def of(cls, skills: Iterable[Skill]) -> Self:
        """The columns of these skills, in their order."""
        several = list(skills)
        guess, slip = _uncertain(several)
        least_forget, most_forget = _box(several, "forget")
        return cls(
            np.array([_column(several, "prior"), *_box(several, "prior")]),
            np.array([_column(several, "learn"), *_box(several, "learn")]),
            np.array([_column(several, "forget"), most_forget, least_forget]),
            guess,
            slip,
            _column(several, "decay"),
            _column(several, "weight"),
        )

    def take(self, which: Ints) -> "Skills":
        """The columns at these places, which may repeat and have any shape: (3, *shape) and (*shape)."""
        return Skills(
            self.prior[:, which],
            self.learn[:, which],
            self.forget[:, which],
            self.guess[:, which],
            self.slip[:, which],
            self.decay[which],
            self.weight[which],
        )


def _column(skills: Sequence[Skill], name: str) -> Floats:
    return np.array([getattr(skill, name) for skill in skills], dtype=np.float64)


def _box(skills: Sequence[Skill], name: str) -> tuple[Floats, Floats]:
    """The least and the most of a parameter within its spread and its bounds."""
    least, most = BOUNDS[name]
    value = _column(skills, name)
    half = np.array([getattr(skill.spread, name) for skill in skills], dtype=np.float64)
    return np.maximum(value - half, least), np.minimum(value + half, most)


def _uncertain(skills: Sequence[Skill]) -> tuple[Floats, Floats]:
    """Guess and slip with the least and the most of each; the two most together stay below 1, so each gets half."""
    guess, slip = _column(skills, "guess"), _column(skills, "slip")
    room = np.maximum(_BOX_GUESS_AND_SLIP - guess - slip, 0.0) / 2
    (least_guess, most_guess), (least_slip, most_slip) = _box(skills, "guess"), _box(skills, "slip")
    return (
        np.array([guess, least_guess, np.minimum(most_guess, guess + room)]),
        np.array([slip, least_slip, np.minimum(most_slip, slip + room)]),
    )
