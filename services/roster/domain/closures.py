"""Closures of schools and classes: a file of them.

In the file the last day is the end, as people say it; from there on the end is the first day after.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import BinaryIO
from uuid import UUID

from services.roster.domain import sheet
from services.roster.domain.attendance import MODALITIES
from services.roster.domain.sheet import Record, Wrong

REQUIRED = ("school", "begin")
OPTIONAL = ("class", "end", "modality", "reason", "status")


@dataclass(frozen=True, slots=True)
class Row:
    """A school, or a class of it, from a day on until a day (exclusive; None: until further notice)."""

    line: int
    school: str
    class_: str | None
    begin: date
    end: date | None
    modality: str | None
    reason: str | None
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """A closure as it is known. `modality`: how there is teaching meanwhile; None: not at all."""

    id: UUID
    school: UUID
    class_: UUID | None
    begin: date
    end: date | None
    modality: str | None
    reason: str | None


def read(stream: BinaryIO) -> Iterator[Row | Wrong]:
    """Every row of a file of closures, or what is wrong with it."""
    for record in sheet.records(stream, REQUIRED, OPTIONAL):
        yield record if isinstance(record, Wrong) else _row(record)


def _row(record: Record) -> Row | Wrong:
    begin = sheet.day(record, "begin")
    if isinstance(begin, Wrong):
        return begin
    last = sheet.day(record, "end") if record.cells["end"] else None
    if isinstance(last, Wrong):
        return last
    if last is not None and not begin <= last < date.max:
        return record.wrong("end", "dates-reversed", "The end is the last day of the closure: not before its begin.")
    modality = sheet.modality(record, MODALITIES)
    if isinstance(modality, Wrong):
        return modality
    withdrawn = sheet.is_withdrawn(record)
    if isinstance(withdrawn, Wrong):
        return withdrawn
    end = None if last is None else last + timedelta(days=1)
    class_, reason = record.cells["class"] or None, record.cells["reason"] or None
    return Row(record.line, record.cells["school"], class_, begin, end, modality, reason, withdrawn)
