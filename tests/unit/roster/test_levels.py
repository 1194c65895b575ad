"""The roster calls a belief what mastery calls it."""

import numpy as np
import pytest

from services.mastery.domain.tracing.level import LEVELS as OF_MASTERY
from services.mastery.domain.tracing.level import level as by_mastery
from services.roster.domain.assessed import LEVELS, levels, packed


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
@pytest.mark.parametrize("lower", [0.0, 0.49, 0.5, 0.9])
@pytest.mark.parametrize("probability", [0.0, 0.4999, 0.5, 0.8499, 0.85, 1.0])
def test_a_belief_has_one_level_everywhere(probability: float, lower: float, count: int) -> None:
    [expected] = by_mastery(np.array([probability]), np.array([lower]), np.array([count]))

    [code] = levels(np.array([probability]), np.array([lower]), np.array([count]))
    [belief] = packed(np.array([probability]), np.array([code]))
    assert LEVELS[code] == OF_MASTERY[expected]
    assert (belief // 10 / 1_000_000, belief % 10) == (probability, code)
