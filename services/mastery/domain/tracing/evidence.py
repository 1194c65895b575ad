"""Responses as a fit reads them: in sequences of one student and one skill, each response one of few symbols.

Item difficulty, elapsed time and partial credit are put in classes for the fit, so that sequences that say the same
collapse; predictions use the exact values.
"""

from dataclasses import dataclass

import numpy as np

from services.mastery.domain.tracing.forest import Forest, forest_of
from services.mastery.domain.tracing.skill import Floats, Ints
from services.mastery.domain.tracing.update import HARDEST

CREDIT_STEPS = 20
"""Partial credit counts in twentieths in a fit."""

DIFFICULTY_STEP = 0.5
"""Item difficulty counts in steps of so many logits in a fit."""

GAPS = np.array([0.0, 0.25, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0])
"""Days between responses count as the nearest of these in a fit; under an hour and a half as none."""

_GAP_BOUNDS = np.array([0.0625, 0.5, *np.sqrt(GAPS[2:-1] * GAPS[3:])])


@dataclass(frozen=True, slots=True)
class Responses:
    """Scored responses in columns (responses,), in any order.

    `user` and `skill` are places in some list of names; `credit` is 0 to 1; `time` orders a user's responses (where two
    are equal, or all are as in None, the row's place decides) and is in days if it `has_time`; `difficulty` in logits;
    `covariates` (responses, columns) are 0 or 1, such as the use of help.
    """

    user: Ints
    skill: Ints
    credit: Floats
    time: Floats | None
    difficulty: Floats
    covariates: Floats
    has_time: bool = True

    def __len__(self) -> int:
        return len(self.user)


@dataclass(frozen=True, slots=True)
class Sequences:
    """Responses in the order (skill, user, time): `rows` (responses,) says which row each is.

    `skill`, `user` and `lengths` (sequences,); `days` (responses,) since the response before it in its sequence.
    """

    rows: Ints
    skill: Ints
    user: Ints
    lengths: Ints
    days: Floats

    @property
    def first(self) -> Ints:
        """The row of each sequence's first response."""
        return np.asarray(self.rows[np.cumsum(self.lengths) - self.lengths])


def sequences_of(responses: Responses) -> Sequences:
    """A sequence for each student and skill."""
    n = len(responses)
    keys = [responses.user, responses.skill]
    rows = np.lexsort(keys if responses.time is None else [responses.time, *keys])  # stable: ties in the order of rows
    user, skill = responses.user[rows], responses.skill[rows]
    begins = np.ones(n, dtype=np.bool_)
    begins[1:] = (user[1:] != user[:-1]) | (skill[1:] != skill[:-1])
    first = np.flatnonzero(begins)
    days = np.zeros(n)
    if responses.time is not None and responses.has_time:
        days[1:] = np.where(begins[1:], 0.0, np.diff(responses.time[rows]))
    return Sequences(rows, skill[first], user[first], np.diff(np.append(first, n)), days)


@dataclass(frozen=True, slots=True)
class Symbols:
    """What each symbol of a fit means: `credit`, `difficulty` (symbols,) and `covariates` (symbols, columns)."""

    credit: Floats
    difficulty: Floats
    covariates: Floats

    def __len__(self) -> int:
        return len(self.credit)


def encode(responses: Responses, sequences: Sequences, skills: int) -> tuple[Forest, Symbols]:
    """The forest of the responses' strings, and the meaning of its symbols."""
    rows = sequences.rows
    columns = [
        np.rint(responses.credit[rows] * CREDIT_STEPS).astype(np.int64),
        np.rint(np.clip(responses.difficulty[rows], -HARDEST, HARDEST) / DIFFICULTY_STEP).astype(np.int64),
        *np.rint(responses.covariates[rows].T).astype(np.int64),
    ]
    code = np.zeros(len(rows), dtype=np.int64)
    for column in columns:
        code = code * (int(column.max(initial=0)) - int(column.min(initial=0)) + 1) + column - column.min(initial=0)
    seen = np.bincount(code)
    distinct = np.flatnonzero(seen)
    number = np.zeros(len(seen), dtype=np.int64)
    number[distinct] = np.arange(len(distinct))
    one_of = np.zeros(len(seen), dtype=np.int64)
    one_of[code] = np.arange(len(code))  # any response with this code
    example = one_of[distinct]
    gap = np.searchsorted(_GAP_BOUNDS, sequences.days, side="right")
    forest = forest_of(
        sequences.skill,
        sequences.lengths,
        number[code],
        gap,
        skills=skills,
        symbols=len(distinct),
        gaps=int(gap.max(initial=0)) + 1,
    )
    return forest, Symbols(
        columns[0][example] / CREDIT_STEPS,
        columns[1][example] * DIFFICULTY_STEP,
        np.stack([column[example] for column in columns[2:]], axis=1).astype(np.float64)
        if len(columns) > 2
        else np.empty((len(distinct), 0)),
    )
