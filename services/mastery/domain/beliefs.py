"""What is believed of many students at once, and how new evidence changes it."""

from dataclasses import dataclass

import numpy as np

from services.mastery.domain.ledger import Bools, Evidence
from services.mastery.domain.tracing import Floats, Ints, Skill, trace


@dataclass(frozen=True, slots=True)
class Beliefs:
    """Columns, an entry per student and competency with evidence, sorted by `pair` (see `Evidence`).

    `probability` that the student knows it, after `count` responses, the last of them at `last` (microseconds since
    1970 UTC).
    """

    pair: Ints
    probability: Floats
    count: Ints
    last: Ints

    def __len__(self) -> int:
        return len(self.pair)

    def where(self, chosen: Bools) -> "Beliefs":
        return Beliefs(self.pair[chosen], self.probability[chosen], self.count[chosen], self.last[chosen])


@dataclass(frozen=True, slots=True)
class Learned:
    """What is believed `now`, and the part of it that `changed`: there, no evidence left is a count of 0."""

    now: Beliefs
    changed: Beliefs


def replay(start: Floats, lengths: Ints, evidence: Evidence, skill: Skill) -> tuple[Floats, Floats]:
    """Belief before and after every entry of the evidence. The one place where evidence becomes belief."""
    return trace(start, lengths, evidence.credit, skill)


def sequences(evidence: Evidence) -> tuple[Ints, Ints]:
    """The pairs that have evidence, and how many entries each has."""
    pair, lengths = np.unique(evidence.pair, return_counts=True)
    return pair, lengths.astype(np.int64)


def learn(stored: Beliefs, continues: Bools, evidence: Evidence, completed_at: Ints, skill: Skill) -> Learned:
    """Beliefs after this evidence.

    `continues` has an entry per stored belief: those go on from where they stood and `evidence` comes after all they
    have seen; the others are dropped, and for their students `evidence` is the whole ledger. `completed_at` (sheets,)
    in microseconds.
    """
    kept = stored.where(continues)
    pair, lengths = sequences(evidence)
    known = np.full(len(pair), skill.prior)
    count = lengths.copy()
    place, found = _find(kept.pair, pair)
    known[found] = kept.probability[place[found]]
    count[found] += kept.count[place[found]]
    _, after = replay(known, lengths, evidence, skill)
    last = np.cumsum(lengths) - 1
    touched = Beliefs(pair, after[last], count, completed_at[evidence.sheet[last]])
    _, was_touched = _find(pair, kept.pair)
    now = _merged(touched, kept.where(~was_touched))
    return Learned(now, _changes(stored, now, skill))


def _changes(stored: Beliefs, now: Beliefs, skill: Skill) -> Beliefs:
    place, found = _find(stored.pair, now.pair)
    same = found.copy()
    at = place[found]
    same[found] = (
        (stored.probability[at] == now.probability[found])
        & (stored.count[at] == now.count[found])
        & (stored.last[at] == now.last[found])
    )
    _, still = _find(now.pair, stored.pair)
    gone = stored.pair[~still]
    nothing = np.zeros(len(gone), dtype=np.int64)
    return _merged(now.where(~same), Beliefs(gone, np.full(len(gone), skill.prior), nothing, nothing))


def _find(haystack: Ints, needles: Ints) -> tuple[Ints, Bools]:
    """Where each needle is in the sorted haystack, and whether it is there at all."""
    place = np.searchsorted(haystack, needles)
    found = np.zeros(len(needles), dtype=np.bool_)
    inside = place < len(haystack)
    found[inside] = haystack[place[inside]] == needles[inside]
    return place, found


def _merged(one: Beliefs, other: Beliefs) -> Beliefs:
    pair = np.concatenate([one.pair, other.pair])
    order = np.argsort(pair, kind="stable")
    return Beliefs(
        pair[order],
        np.concatenate([one.probability, other.probability])[order],
        np.concatenate([one.count, other.count])[order],
        np.concatenate([one.last, other.last])[order],
    )
