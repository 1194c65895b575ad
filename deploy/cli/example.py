"""The query that a new platform suggests, about a class that is really there."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from deploy.cli.load import Kind, Load
from deploy.home import opened, write_private

DEMO_CLASS = "CLS-0001-03-1-M"

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
_ADMINISTRATIONS = """query Administrations {
  administrations(first: 10) { nodes { sourcedId title purpose opensAt closesAt } }
}"""


def query(class_id: str | None) -> str:
    """A class page; without a class the administrations."""
    return _CLASS_PAGE % class_id if class_id else _ADMINISTRATIONS


def class_to_show(home: Path, files: Sequence[Load], is_demo: bool) -> str | None:
    """The sourcedId of a class with students: of the roster just loaded, the demonstration, or an earlier start."""
    kept = home / "example"
    for one in files:
        if one.kind is Kind.ROSTER and (found := _class_of(one.file)):
            write_private(opened(home).path / kept.name, found + "\n")
            return found
    if is_demo:
        return DEMO_CLASS
    return kept.read_text().strip() if kept.exists() else None


def _class_of(roster: Path) -> str | None:
    """The class of the first student enrolled in a OneRoster zip; None where that cannot be told."""
    try:
        with ZipFile(roster) as packed, packed.open("enrollments.csv") as stream:
            for row in csv.DictReader(io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")):
                if row.get("role") == "student" and (found := row.get("classSourcedId")) and '"' not in found:
                    return found
    except (BadZipFile, KeyError, UnicodeDecodeError, csv.Error):
        return None
    return None
