"""The parameters of many skills while they are being fitted, and what they make of each symbol."""

from dataclasses import dataclass, replace

import numpy as np

from services.mastery.domain.tracing.counts import Tables
from services.mastery.domain.tracing.evidence import GAPS, Symbols
from services.mastery.domain.tracing.skill import BOUNDS, FORGET_TO_SLIP, GUESS_AND_SLIP, Floats, Ints
from services.mastery.domain.tracing.update import at_difficulty

NAMES = ("prior", "learn", "forget", "guess", "slip")


@dataclass(frozen=True, slots=True)
class Design:
    """By how many logits each coefficient moves the guess and the slip of each symbol, shapes (symbols, coefficients).

    The first coefficient is the weight of difficulty, which takes from guess what it adds to slip; then two for each
    covariate, one for guess and one for slip.
    """

    credit: Floats
    guess: Floats
    slip: Floats

    @classmethod
    def of(cls, symbols: Symbols) -> "Design":
        guess, slip = [-symbols.difficulty], [symbols.difficulty]
        for column in symbols.covariates.T:
            guess += [column, np.zeros(len(symbols))]
            slip += [np.zeros(len(symbols)), column]
        return cls(symbols.credit, np.stack(guess, axis=1), np.stack(slip, axis=1))

    @property
    def is_plain(self) -> bool:
        """Nothing moves guess or slip."""
        return not self.guess.any() and not self.slip.any()


@dataclass(frozen=True, slots=True)
class Model:
    """Probabilities `values` (5, skills, starts) in the order of `NAMES`, and what all skills share by start:
    `coefficients` (coefficients, starts) and `decay` (starts,) per day."""

    values: Floats
    coefficients: Floats
    decay: Floats

    @property
    def starts(self) -> int:
        return int(self.values.shape[2])

    def with_values(self, values: Floats) -> "Model":
        return replace(self, values=values)

    def with_shared(self, other: "Model") -> "Model":
        return Model(self.values, other.coefficients, other.decay)

    def chances(self, design: Design) -> tuple[Floats, Floats]:
        """Guess and slip at every symbol, (skills, symbols, starts)."""
        return (
            at_difficulty(self.values[3][:, np.newaxis], (design.guess @ self.coefficients)[np.newaxis]),
            at_difficulty(self.values[4][:, np.newaxis], (design.slip @ self.coefficients)[np.newaxis]),
        )

    def tables(self, design: Design, gaps: int) -> Tables:
        guess, slip = self.chances(design)
        c = design.credit[:, np.newaxis]
        left = np.exp(-GAPS[:gaps, np.newaxis] * self.decay)
        skills = self.values.shape[1]
        return Tables(
            self.values[0],
            self.values[1],
            self.values[2],
            np.broadcast_to(left, (skills, *left.shape)).copy(),
            c * (1 - slip) + (1 - c) * slip,
            c * guess + (1 - c) * (1 - guess),
        )

    def start(self, best: Ints) -> "Model":
        """One start of each skill, `best` (skills,); what is shared is taken from the first."""
        skills = np.arange(self.values.shape[1])
        return Model(self.values[:, skills, best][:, :, np.newaxis], self.coefficients[:, :1], self.decay[:1])


def bounded(values: Floats) -> Floats:
    """The nearest that is allowed: each within its bounds, guess and slip together, forget within its share of slip."""
    kept = np.stack([np.clip(one, *BOUNDS[name]) for one, name in zip(values, NAMES, strict=True)])
    over = np.maximum(kept[3] + kept[4] - GUESS_AND_SLIP, 0.0) / 2
    kept[3:] -= over * (1 + 1e-9)
    kept[2] = np.minimum(kept[2], np.maximum(FORGET_TO_SLIP * kept[4], BOUNDS["forget"][0]))
    return kept
