"""The queries that a new platform suggests, about a class, a school and a programme that are really there."""

import csv
import io
import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from deploy.cli.load import Kind, Load
from deploy.home import opened, write_private


@dataclass(frozen=True, slots=True)
class Example:
    """What there is to show, as sourcedIds; None where there is none."""

    class_id: str | None = None
    school: str | None = None
    programme: str | None = None
    day: str | None = None
    """A day of which attendance is known."""


DEMO = Example("CLS-0001-03-1-M", "SCH-0003", "learning-partnerships", "2026-09-15")

_CLASS_PAGE = """query ClassPage {
  class(id: "sourcedId:%s") {
    title
    school { name }
    students(first: 30) {
      nodes {
        givenName
        familyName
        abilities { administration { title } theta standardError rawScore maximum reason }
        mastery { competency { code statement } probability evidenceCount }
      }
    }
  }
}"""
_DAYS = """query Days {
  class(id: "sourcedId:%s") {
    title
    closures(asOf: "%s") { class { title } begin end modality reason }
    students(first: 30) {
      nodes { givenName familyName attendance(begin: "%s", end: "%s") { recorded codes { code status days } } }
    }
  }
}"""
_SCHOOL_PAGE = """query SchoolPage {
  school(id: "sourcedId:%s") {
    name
    sector
    parent { name }
    areas { competency { code statement } snapshotAt learners strength need suppressed }
    willingness { area role eagerness capacity diagnosticsAllowed }
  }
}"""
_PROPOSALS = """query Proposals {
  programme(id: "sourcedId:%s") {
    title
    proposals(first: 20) {
      nodes { area host { name } guest { name } reason hostBasis guestBasis distanceKm state }
    }
    matching {
      state
      explanation
      unmatched(first: 20) { nodes { school { name } area reason } }
    }
  }
}"""
_ADMINISTRATIONS = """query Administrations {
  administrations(first: 10) { nodes { sourcedId title purpose opensAt closesAt } }
}"""


def queries(example: Example) -> Iterator[tuple[str, str]]:
    """A name and a query each: class page, days, school page and proposals; without any of them the administrations."""
    if example.class_id is None and example.school is None and example.programme is None:
        yield "the administrations", _ADMINISTRATIONS
    if example.class_id is not None:
        yield "a class page", _CLASS_PAGE % example.class_id
    if example.class_id is not None and example.day is not None:
        week_later = (date.fromisoformat(example.day) + timedelta(days=7)).isoformat()
        yield "closures and attendance", _DAYS % (example.class_id, example.day, example.day, week_later)
    if example.school is not None:
        yield "a school page", _SCHOOL_PAGE % example.school
    if example.programme is not None:
        yield "a programme's proposals", _PROPOSALS % example.programme


def to_show(home: Path, files: Sequence[Load], is_demo: bool) -> Example:
    """What can be shown: of the files just loaded, of the demonstration, or of an earlier start."""
    if is_demo:
        return DEMO
    kept = found = _kept(home / "example")
    for one in files:
        if one.kind is Kind.ROSTER and (first := _first_enrolled(one.file)):
            found = replace(found, class_id=first[0], school=first[1])
        elif one.kind is Kind.ATTENDANCE and (day := _first_day(one.file)):
            found = replace(found, day=day)
        elif one.kind is Kind.PROGRAMME and (code := _programme_of(one.file)):
            found = replace(found, programme=code)
    if found != kept:
        write_private(opened(home).path / "example", json.dumps(asdict(found)) + "\n")
    return found


def _kept(file: Path) -> Example:
    try:
        return Example(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return Example()


def _first_enrolled(roster: Path) -> tuple[str, str | None] | None:
    """Class and school of the first student enrolled in a OneRoster zip; None where that cannot be told."""
    try:
        with ZipFile(roster) as packed, packed.open("enrollments.csv") as stream:
            for row in csv.DictReader(io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")):
                if row.get("role") == "student" and (found := _plain(row.get("classSourcedId"))):
                    return found, _plain(row.get("schoolSourcedId"))
    except (BadZipFile, KeyError, UnicodeDecodeError, csv.Error):
        return None
    return None


def _first_day(attendance: Path) -> str | None:
    """The day of the first row of a file of attendance; None where that cannot be told."""
    try:
        with attendance.open(encoding="utf-8-sig", newline="") as stream:
            first = next(csv.DictReader(stream), {})
        return date.fromisoformat(first["date"]).isoformat()
    except (ValueError, KeyError, csv.Error):
        return None


def _programme_of(file: Path) -> str | None:
    """The code of the programme in a file; None where that cannot be told."""
    try:
        return _plain(tomllib.loads(file.read_text(encoding="utf-8")).get("id"))
    except ValueError:
        return None


def _plain(code: object) -> str | None:
    """A code that can stand in a query as it is."""
    return code if isinstance(code, str) and code and not set(code) & set('"\\\n\r') else None
