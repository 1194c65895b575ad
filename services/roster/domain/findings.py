"""What was found wrong in an archive: problems that refuse, repairs that are told."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

TOLD_OF_A_KIND = 100
"""Findings of one file, column and rule that are told one by one; of the rest only how many they are."""
NOT_OF_THE_FILE = frozenset({"older-than-known"})
"""Rules that say something of what is known here already: no file could have kept them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as the standard has it. `repaired`: it could be read all the same. `count` of its kind."""

    file: str
    line: int | None
    column: str | None
    value: str | None
    rule: str
    remedy: str
    repaired: bool = False
    count: int = 1


class Unreadable(Exception):
    """The archive cannot be read to its end, so nothing in it can be trusted: not even what is absent from it."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.rule)
        self.finding = finding


class Findings:
    """Findings in the order they were made, the first hundred of a kind one by one.

    Who is strict refuses what could have been repaired.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.problems = 0
        self._strict = strict
        self._new: list[Finding] = []
        self._told: Counter[tuple[str, str | None, str]] = Counter()
        self._untold: dict[tuple[str, str | None, str], Finding] = {}

    def add(self, finding: Finding) -> None:
        """Note a finding. How many there are stays exact, whatever is told."""
        if self._strict and finding.repaired and finding.rule not in NOT_OF_THE_FILE:
            remedy = f"Mend it in the file: a strict import repairs nothing. A tolerant one: {finding.remedy}"
            finding = replace(finding, repaired=False, remedy=remedy)
        self.problems += 0 if finding.repaired else finding.count
        kind = (finding.file, finding.column, finding.rule)
        if finding.count == 1 and self._told[kind] < TOLD_OF_A_KIND:
            self._told[kind] += 1
            self._new.append(finding)
        elif kind in self._untold:
            so_far = self._untold[kind]
            self._untold[kind] = replace(so_far, count=so_far.count + finding.count)
        else:
            self._untold[kind] = replace(finding, line=None, value=None)

    def take(self) -> Iterator[Finding]:
        """What is to be told since this was last asked."""
        new, self._new = self._new, []
        yield from new

    def take_rest(self) -> Iterator[Finding]:
        """At the end: one finding for each kind that was cut short, saying how many more there are."""
        rest, self._untold = self._untold, {}
        for finding in rest.values():
            yield replace(finding, remedy=f"{finding.count} more like this. {finding.remedy}")
