"""Bayesian knowledge tracing (Corbett & Anderson 1995, "Knowledge tracing", UMUAI 4, 253-278), many sequences at once.

A student either knows a competency or does not, and each response shifts how sure we are. Only elementwise sums,
products and quotients are used, each rounded once by IEEE 754: a sequence gives the same bits alone or among a
million, in one go or continued from where it stood.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Skill:
    """Probabilities: known before any evidence, learnt at a response, right without knowing, wrong though knowing."""

    prior: float = 0.30
    learn: float = 0.10
    guess: float = 0.20
    slip: float = 0.10

    def __post_init__(self) -> None:
        """Outside these bounds a right answer could be evidence of not knowing."""
        if not 0 < self.prior < 1:
            raise ValueError(f"prior must lie between 0 and 1, not {self.prior}")
        if not 0 <= self.learn < 1:
            raise ValueError(f"learn must be at least 0 and below 1, not {self.learn}")
        for name, value in (("guess", self.guess), ("slip", self.slip)):
            if not 0 < value <= 0.5:
                raise ValueError(f"{name} must be above 0 and at most 0.5, not {value}")
        if not self.guess + self.slip < 1:
            raise ValueError("guess and slip together must stay below 1")

    @property
    def version(self) -> str:
        """Names the model and its parameters, e.g. `bkt-1:p.30,l.10,g.20,s.10`."""
        parts = (("p", self.prior), ("l", self.learn), ("g", self.guess), ("s", self.slip))
        return "bkt-1:" + ",".join(name + _short(value) for name, value in parts)


DEFAULT = Skill()
"""What is assumed of every competency until parameters are fitted."""


def _short(value: float) -> str:
    """`.30` for 0.3; all digits where two do not hold the value."""
    two = f"{value:.2f}"
    return (two if float(two) == value else repr(value)).removeprefix("0")


def likelihoods(credit: Floats, skill: Skill) -> tuple[Floats, Floats]:
    """How probable a response is from who knows and from who does not, elementwise.

    `credit` is points over the maximum, 0 to 1: partial credit counts as that share of a right answer and the rest of a
    wrong one.
    """
    if_known = credit * (1 - skill.slip) + (1 - credit) * skill.slip
    if_unknown = credit * skill.guess + (1 - credit) * (1 - skill.guess)
    return if_known, if_unknown


def learnt(known: Floats, if_known: Floats, if_unknown: Floats, learn: float) -> Floats:
    """Probability of knowing after one more response, elementwise. The one place where evidence becomes belief."""
    evidence = known * if_known
    believed = evidence / (evidence + (1 - known) * if_unknown)
    return np.asarray(believed + (1 - believed) * learn)


def after_response(known: Floats, credit: Floats, skill: Skill) -> Floats:
    """Probability of knowing after one more response of this credit."""
    return learnt(known, *likelihoods(credit, skill), skill.learn)


def trace(start: Floats, lengths: Ints, credit: Floats, skill: Skill) -> tuple[Floats, Floats]:
    """Belief before and after every response, shapes (responses,).

    `start` (sequences,) is the belief each sequence begins with, `lengths` (sequences,) how many responses it has, at
    least one; `credit` (responses,) holds the sequences one after the other, each in the order of evidence.
    """
    if_known, if_unknown = likelihoods(credit, skill)
    before = np.empty_like(credit)
    after = np.empty_like(credit)
    if not len(lengths):
        return before, after
    longest_first = np.argsort(-lengths, kind="stable")
    position = (np.cumsum(lengths) - lengths)[longest_first]
    known = start[longest_first]
    going_on = len(lengths) - np.cumsum(np.bincount(lengths))  # [step]: sequences with more than `step` responses
    for step in range(int(lengths.max())):
        still = int(going_on[step])
        at = position[:still] + step
        before[at] = known[:still]
        known[:still] = learnt(known[:still], if_known[at], if_unknown[at], skill.learn)
        after[at] = known[:still]
    return before, after
