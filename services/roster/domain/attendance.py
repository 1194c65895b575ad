"""Daily attendance: a file of it, and what a district's own codes mean.

What a code means is said in the words of CEDS (Attendance Status); an absence of which nobody said whether it was
excused is `Absence`, as in Ed-Fi. A code that is not in the table means nothing to us, and is kept as it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import BinaryIO
from uuid import UUID

from services.roster.domain import sheet
from services.roster.domain.sheet import Record, Wrong

REQUIRED = ("student", "date", "school", "code")
OPTIONAL = ("modality", "status")
MODALITIES = ("in person", "remote", "paper")
LONGEST_CODE = 50

STATUSES = {
    "Present": ("P", "PR", "PRES", "PRESENT", "/", "\\"),
    "Absence": ("A", "AB", "ABS", "ABSENT", "ABSENCE"),
    "ExcusedAbsence": ("E", "EA", "AE", "EX", "EXC", "EXCUSED", "EXCUSED ABSENCE"),
    "UnexcusedAbsence": ("U", "UA", "AU", "UE", "UNX", "UNEXCUSED", "UNEXCUSED ABSENCE"),
    "Tardy": ("T", "TD", "TDY", "TE", "TU", "TARDY", "L", "LATE"),
    "EarlyDeparture": ("ED", "EARLY DEPARTURE", "EARLY DISMISSAL"),
}
"""What common codes mean, in capitals."""

_MEANS = {code: status for status, codes in STATUSES.items() for code in codes}


@dataclass(frozen=True, slots=True)
class Row:
    """A student on a day at a school. `withdrawn`: it was said by mistake."""

    line: int
    student: str
    day: date
    school: str
    code: str
    modality: str | None
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is known of a student on a day."""

    student: UUID
    day: date
    school: UUID
    code: str
    modality: str | None

    @property
    def status(self) -> str | None:
        return status_of(self.code)


def status_of(code: str) -> str | None:
    """What a code means; None of one that means nothing to us."""
    return _MEANS.get(code.upper())


def read(stream: BinaryIO) -> Iterator[Row | Wrong]:
    """Every row of a file of attendance, or what is wrong with it."""
    for record in sheet.records(stream, REQUIRED, OPTIONAL):
        yield record if isinstance(record, Wrong) else _row(record)


def _row(record: Record) -> Row | Wrong:
    day = sheet.day(record, "date")
    if isinstance(day, Wrong):
        return day
    code = record.cells["code"]
    if len(code) > LONGEST_CODE:
        return record.wrong("code", "code", f"A code has at most {LONGEST_CODE} characters.")
    modality = sheet.modality(record, MODALITIES)
    if isinstance(modality, Wrong):
        return modality
    withdrawn = sheet.is_withdrawn(record)
    if isinstance(withdrawn, Wrong):
        return withdrawn
    return Row(record.line, record.cells["student"], day, record.cells["school"], code, modality, withdrawn)
