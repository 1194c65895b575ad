"""Forms, sheets and the arrival of both, as the tests of mastery write them down."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from services.mastery.domain.ledger import Form, Sheets
from services.mastery.domain.standing import Standing, going_on, places, study
from services.mastery.domain.tracing import DEFAULT, Skill


def an_id(text: str) -> bytes:
    """16 bytes that say what they are."""
    return text.encode().ljust(16, b".")


def a_form(code: str, alignment: Sequence[Sequence[str]], maxima: Sequence[int] | None = None) -> Form:
    """A form whose items are evidence for the competencies named."""
    pairs = [(position, an_id(one)) for position, ones in enumerate(alignment) for one in ones]
    return Form(
        id=an_id("form " + code),
        code=code,
        items=tuple(f"{code}-{number + 1}" for number in range(len(alignment))),
        maxima=np.array(maxima or [1] * len(alignment), dtype=np.int64),
        aligned_items=np.array([position for position, _ in pairs], dtype=np.int64),
        aligned_competencies=tuple(competency for _, competency in pairs),
    )


@dataclass(frozen=True)
class Sheet:
    """One answer sheet."""

    student: str
    form: str
    completed_at: int
    scores: bytes
    administration: str = "fall"
    version: int = 1

    @property
    def attempt(self) -> bytes:
        named = f"{self.administration}|{self.student}|{self.form}|{self.completed_at}"
        return blake2b(named.encode(), digest_size=16).digest()


def sheets_of(some: Iterable[Sheet]) -> Sheets:
    rows = list(some)
    return Sheets(
        attempts=[one.attempt for one in rows],
        versions=[one.version for one in rows],
        students=[an_id(one.student) for one in rows],
        administrations=[an_id(one.administration) for one in rows],
        forms=[an_id("form " + one.form) for one in rows],
        completed_at=[one.completed_at for one in rows],
        modalities=[1] * len(rows),
        purposes=[1] * len(rows),
        scores=[one.scores for one in rows],
    )


@dataclass
class Ledger:
    """The whole of mastery without a database: what arrives is remembered, continued or traced again."""

    forms: Mapping[bytes, Form]
    administrations: Mapping[bytes, str]
    skill: Skill = DEFAULT
    standings: dict[bytes, Standing] = field(default_factory=dict)
    seen: dict[bytes, Sheet] = field(default_factory=dict)
    continued: int = 0

    def hear(self, batch: Iterable[Sheet]) -> None:
        new, corrected = [], set()
        for sheet in batch:
            known = self.seen.get(sheet.attempt)
            if known is None:
                new.append(sheet)
            elif known.version < sheet.version:
                corrected.add(an_id(sheet.student))
            else:
                continue
            self.seen[sheet.attempt] = sheet
        columns = sheets_of(new)
        students = sorted(corrected.union(columns.students))
        at = places(columns, self.forms, self.administrations)
        continuing = going_on(columns, at, self.standings, self.skill) - corrected
        self.continued += len(continuing)
        sheets = sheets_of(
            [sheet for sheet in new if an_id(sheet.student) in continuing]
            + [sheet for sheet in self.seen.values() if an_id(sheet.student) in set(students) - continuing]
        )
        stands, _ = study(students, self.standings, continuing, sheets, self.forms, self.administrations, self.skill)
        self.standings.update(zip(students, stands, strict=True))
