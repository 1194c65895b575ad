"""Forms, sheets and the arrival of both, as the tests of mastery write them down."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from services.mastery.domain.ledger import Form, Sheets, sift
from services.mastery.domain.model import DEFAULT, Model
from services.mastery.domain.standing import Standing
from services.mastery.domain.study import Block, Studied, going_on, study


def an_id(text: str) -> bytes:
    """16 bytes that say what they are."""
    return text.encode().ljust(16, b".")


def a_form(
    code: str,
    alignment: Sequence[Sequence[str]],
    maxima: Sequence[int] | None = None,
    difficulties: Sequence[float] | None = None,
) -> Form:
    """A form whose items are evidence for the competencies named."""
    pairs = [(position, an_id(one)) for position, ones in enumerate(alignment) for one in ones]
    return Form(
        id=an_id("form " + code),
        code=code,
        items=tuple(f"{code}-{number + 1}" for number in range(len(alignment))),
        maxima=np.array(maxima or [1] * len(alignment), dtype=np.int64),
        difficulties=np.array(difficulties or [0] * len(alignment), dtype=np.float64),
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
    withdrawn: bool = False

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
        withdrawn=[one.withdrawn for one in rows],
    )


def blocks_of(standings: Mapping[bytes, Standing]) -> list[Block]:
    """Standings in columns, as the store brings them."""
    alike: dict[tuple[bytes, str, str, str], list[bytes]] = {}
    for student, one in standings.items():
        alike.setdefault((one.competencies, *one.through[1:], one.model_version), []).append(student)
    found = []
    for (competencies, administration, form, version), students in alike.items():
        stand = [standings[student] for student in students]
        shape = len(students), len(competencies) // 16
        columns = [
            np.frombuffer(b"".join(getattr(one, name) for one in stand), dtype=kind).reshape(shape)
            for name, kind in (
                ("probabilities", "<f8"),
                ("lowers", "<f8"),
                ("uppers", "<f8"),
                ("counts", "<i4"),
                ("last_evidence", "<i8"),
            )
        ]
        through = np.array([one.through[0] for one in stand], dtype=np.int64)
        found.append(
            Block(
                competencies, administration, form, version, students, through,
                np.array(columns[:3]), columns[3].astype(np.int64), columns[4].astype(np.int64),
            )
        )  # fmt: skip
    return found


def standings_of(studied: Studied, model: Model) -> dict[bytes, Standing]:
    """What is stored of each student."""
    now = studied.now
    found = {}
    for row, student in enumerate(now.students):
        mine = slice(now.bounds[row], now.bounds[row + 1])
        found[student] = Standing(
            through=studied.through[row],
            model_version=model.version,
            entries=int(now.counts[mine].sum()),
            competencies=now.competencies[mine].tobytes(),
            probabilities=now.beliefs[0, mine].astype("<f8").tobytes(),
            lowers=now.beliefs[1, mine].astype("<f8").tobytes(),
            uppers=now.beliefs[2, mine].astype("<f8").tobytes(),
            counts=now.counts[mine].astype("<i4").tobytes(),
            last_evidence=now.last_evidence[mine].astype("<i8").tobytes(),
        )
    return found


@dataclass
class Ledger:
    """The whole of mastery without a database: what arrives is remembered, continued or traced again."""

    forms: Mapping[bytes, Form]
    administrations: Mapping[bytes, str]
    model: Model = DEFAULT
    standings: dict[bytes, Standing] = field(default_factory=dict)
    seen: dict[bytes, Sheet] = field(default_factory=dict)
    continued: int = 0

    def hear(self, batch: Iterable[Sheet]) -> Studied | None:
        """What it made of these sheets; nothing when it knew them all."""
        sheets = {(sheet.attempt, sheet.version): sheet for sheet in batch}
        heard = sheets_of(sheets.values()).latest()
        versions = {an_id(one.student) + one.attempt: one.version for one in self.seen.values()}
        standing = {student: self.standings[student] for student in set(heard.students) & self.standings.keys()}
        sifted = sift(heard, versions, standing)
        for attempt, version in zip(heard.attempts, heard.versions, strict=True):
            if attempt not in self.seen or self.seen[attempt].version < version:
                self.seen[attempt] = sheets[attempt, version]
        students = sifted.corrected.union(sifted.evidence.students, sifted.newcomers)
        if not students:
            return None
        blocks = blocks_of(standing)
        going = going_on(sifted.evidence, self.forms, self.administrations, blocks, self.model)
        continuing = (going | sifted.newcomers) - sifted.corrected
        self.continued += len(continuing)
        evidence = sifted.evidence.take(
            [row for row, student in enumerate(sifted.evidence.students) if student in continuing]
        ).joined(self.counting(students - continuing))
        studied = study(students, blocks, continuing, evidence, self.forms, self.administrations, self.model)
        self.standings.update(standings_of(studied, self.model))
        return studied

    def counting(self, students: set[bytes]) -> Sheets:
        """What counts in the ledger of these students."""
        return sheets_of(one for one in self.seen.values() if an_id(one.student) in students and not one.withdrawn)
