"""What a belief is called."""

import numpy as np
from numpy.typing import NDArray

from services.mastery.domain.tracing.skill import Floats, Ints

LEVELS = ("unknown", "beginning", "developing", "mastered")
"""In rising order; a level's place here is its code."""

MASTERED_AT = 0.85
DEVELOPING_AT = 0.50
SURE_AT = 0.50
"""Mastered only where no parameters in the box put the belief below this."""
LEAST_EVIDENCE = 3
"""Mastered only with so many pieces of evidence: one lucky guess never decides."""


def level(probability: Floats, lower: Floats, count: Ints) -> NDArray[np.uint8]:
    """The code of each belief's level (see `LEVELS`), elementwise.

    Without evidence it is unknown, whatever the prior says: unknown is not zero. Mastered takes a probability of .85,
    a lower end of .50 and three pieces of evidence; developing a probability of .50.
    """
    mastered = (probability >= MASTERED_AT) & (lower >= SURE_AT) & (count >= LEAST_EVIDENCE)
    codes = 1 + (probability >= DEVELOPING_AT).astype(np.uint8) + mastered.astype(np.uint8)
    return np.where(count > 0, codes, 0).astype(np.uint8)
