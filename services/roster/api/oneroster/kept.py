"""Answers that were given, for as long as they are true: until the district's next revision.

Several vendors read the same pages between two imports. Every request still asks PostgreSQL which revision is the
newest; only then is an answer given again. Bounded by its bytes, and by the day, for a school sees by dates.
"""

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

_OF_AN_ENTRY = 600  # what the key and the headers take


@dataclass(frozen=True, slots=True)
class Answer:
    """A body with its headers, and the revision that was the newest when it was made."""

    body: bytes
    headers: Mapping[str, str]
    latest: int


class Kept:
    """Answers by question; those not asked for longest are forgotten first."""

    def __init__(self, most_bytes: int = 32_000_000) -> None:
        self._most_bytes = most_bytes
        self._answers: OrderedDict[Hashable, Answer] = OrderedDict()
        self._bytes = 0

    def find(self, question: Hashable) -> Answer | None:
        found = self._answers.get(question)
        if found is not None:
            self._answers.move_to_end(question)
        return found

    def keep(self, question: Hashable, answer: Answer) -> None:
        old = self._answers.pop(question, None)
        self._bytes += len(answer.body) - (len(old.body) if old else -_OF_AN_ENTRY)
        self._answers[question] = answer
        while self._bytes > self._most_bytes:
            _, gone = self._answers.popitem(last=False)
            self._bytes -= len(gone.body) + _OF_AN_ENTRY
