"""What the two kernels exchange: parameters of many skills and starts in, expected counts out."""

from dataclasses import dataclass

import numpy as np

from services.mastery.domain.tracing.forest import Forest
from services.mastery.domain.tracing.skill import Floats


@dataclass(frozen=True, slots=True)
class Tables:
    """Parameters of every skill at every start, shapes (skills, starts); a start is one set of parameters.

    `left` (skills, gaps, starts) is what is kept over each time between responses; `if_known` and `if_unknown` (skills,
    symbols, starts) how probable each response is.
    """

    prior: Floats
    learn: Floats
    forget: Floats
    left: Floats
    if_known: Floats
    if_unknown: Floats


@dataclass(frozen=True, slots=True)
class Counts:
    """Expected counts given the responses, the sufficient statistics of Baum and Welch.

    `known`, `unknown` (skills, symbols, starts): responses of each kind given in each state. `first` (skills, starts):
    sequences that began known. `moves` (skills, 4, starts): known to known, known to unknown, unknown to known, unknown
    to unknown. `redrawn` (skills, gaps, starts): states drawn anew from the prior over each time; `redrawn_known`
    (skills, starts): those of them that came out known. `log_likelihood` (skills, starts).
    """

    known: Floats
    unknown: Floats
    first: Floats
    moves: Floats
    redrawn: Floats
    redrawn_known: Floats
    log_likelihood: Floats

    @classmethod
    def none(cls, forest: Forest, starts: int) -> "Counts":
        skills = len(forest.bounds) - 1
        return cls(
            np.zeros((skills, forest.symbols, starts)),
            np.zeros((skills, forest.symbols, starts)),
            np.zeros((skills, starts)),
            np.zeros((skills, 4, starts)),
            np.zeros((skills, forest.gaps, starts)),
            np.zeros((skills, starts)),
            np.zeros((skills, starts)),
        )
