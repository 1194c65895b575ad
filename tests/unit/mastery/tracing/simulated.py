"""Responses drawn from known parameters."""

import numpy as np

from services.mastery.domain.tracing.evidence import Responses
from services.mastery.domain.tracing.skill import Floats, Skill
from services.mastery.domain.tracing.update import at_difficulty, kept


def simulated(
    skills: list[Skill],
    students: int,
    length: int,
    rng: np.random.Generator,
    *,
    difficulties: Floats | None = None,
    days: Floats | None = None,
) -> Responses:
    """Every student answers `length` items of every skill, with difficulties drawn from `difficulties` and `days`
    between responses drawn from `days`."""
    user, which, credit, time, difficulty = [], [], [], [], []
    for place, skill in enumerate(skills):
        knows = rng.random(students) < skill.prior
        now = np.zeros(students)
        for step in range(length):
            gap = np.zeros(students) if days is None or step == 0 else rng.choice(days, students)
            redrawn = rng.random(students) >= kept(gap, np.array(skill.decay))
            knows = np.where(redrawn, rng.random(students) < skill.prior, knows)
            now += gap
            d = np.zeros(students) if difficulties is None else rng.choice(difficulties, students)
            slip = at_difficulty(np.array(skill.slip), skill.weight * d)
            guess = at_difficulty(np.array(skill.guess), -skill.weight * d)
            credit.append((rng.random(students) < np.where(knows, 1 - slip, guess)).astype(np.float64))
            knows = np.where(knows, rng.random(students) >= skill.forget, rng.random(students) < skill.learn)
            user.append(np.arange(students))
            which.append(np.full(students, place))
            time.append(now.copy())
            difficulty.append(d)
    return Responses(
        np.concatenate(user),
        np.concatenate(which),
        np.concatenate(credit),
        None if days is None else np.concatenate(time),
        np.concatenate(difficulty),
        np.empty((students * length * len(skills), 0)),
    )
