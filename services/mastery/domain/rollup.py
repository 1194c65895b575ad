"""From single competencies to what they are part of: clusters, domains, by the framework's hierarchy.

The mean is over what there is evidence for, and says how much of the whole that is. An unknown competency has no part
in it: neither as zero nor as the prior.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from services.mastery.domain.standing import Belief


@dataclass(frozen=True, slots=True)
class RollUp:
    """What is believed of everything below a competency.

    `leaves` counts the competencies below it that have none below themselves, `assessed` those of them with evidence.
    `probability`, `lower` and `upper` are means over the assessed ones, None where there are none: as each belief lies
    between its ends, their mean lies between the means. `last_evidence` in microseconds since 1970 UTC.
    """

    probability: float | None
    lower: float | None
    upper: float | None
    assessed: int
    leaves: int
    evidence_count: int
    last_evidence: int | None


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Some competencies, how many leaves each has, and below which of them (places, rising) each leaf lies."""

    leaves: tuple[int, ...]
    above: Mapping[bytes, tuple[int, ...]]

    @classmethod
    def of(cls, asked: Sequence[bytes], parts: Iterable[tuple[bytes, bytes]]) -> "Hierarchy":
        """The hierarchy below these competencies; `parts` are all pairs of a parent and a child there.

        A competency with nothing below it is its own leaf. One that several ways lead to counts once, and a circle is
        walked once.
        """
        children: dict[bytes, list[bytes]] = {}
        for parent, child in parts:
            children.setdefault(parent, []).append(child)
        above: dict[bytes, list[int]] = {}
        counts = []
        for place, one in enumerate(asked):
            seen, waiting, leaves = {one}, [one], 0
            while waiting:
                at = waiting.pop()
                below = children.get(at, ())
                if not below:
                    leaves += 1
                    above.setdefault(at, []).append(place)
                fresh = [child for child in below if child not in seen]
                seen.update(fresh)
                waiting += fresh
            counts.append(leaves)
        return cls(tuple(counts), {leaf: tuple(places) for leaf, places in above.items()})


def roll_ups(beliefs: Mapping[bytes, Belief], hierarchy: Hierarchy) -> list[RollUp]:
    """One student's roll-up to each competency of the hierarchy, from what is believed by competency.

    Sums are exact before they are rounded (`math.fsum`), so no order of the leaves can be seen in the bits.
    """
    under: list[list[Belief]] = [[] for _ in hierarchy.leaves]
    for competency, belief in beliefs.items():
        if belief.evidence_count > 0:
            for place in hierarchy.above.get(competency, ()):
                under[place].append(belief)
    return [_rolled_up(some, leaves) for some, leaves in zip(under, hierarchy.leaves, strict=True)]


def _rolled_up(assessed: Sequence[Belief], leaves: int) -> RollUp:
    if not assessed:
        return RollUp(None, None, None, 0, leaves, 0, None)
    return RollUp(
        fsum(one.probability for one in assessed) / len(assessed),
        fsum(one.lower for one in assessed) / len(assessed),
        fsum(one.upper for one in assessed) / len(assessed),
        len(assessed),
        leaves,
        sum(one.evidence_count for one in assessed),
        max(one.last_evidence for one in assessed),
    )
