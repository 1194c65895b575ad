"""A thousand changes of a city as a OneRoster delta: new names, enrolments that end, people who are to be deleted."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from tests.bench.roster_city import City, columns, manifest

CHANGED_AT = "2026-11-20T12:00:00.000Z"
END = "2026-11-20"
NAME = "Renamed"


@dataclass(frozen=True, slots=True)
class Delta:
    """The archive, and what can be read when it is in force: a person's new name, an enrolment's end."""

    archive: Path
    person: str
    name: str
    enrollment: str
    end: str


def write(target: Path, city: City, changes: int) -> Delta:
    """Half of the changes are names of students, the other half ends of enrolments."""
    chosen = np.unique(np.linspace(0, city.shape.students - 1, changes // 2).astype(np.int64))
    people = _rows(city, "users", "student", chosen, {"givenName": NAME})
    numbers = chosen * 4
    ended = _rows(city, "enrollments", "enrollment", numbers, {"endDate": END})
    with ZipFile(target, "w", ZIP_DEFLATED) as packed:
        packed.writestr("manifest.csv", manifest({"users": "delta", "enrollments": "delta"}))
        for name, rows in (("users", people), ("enrollments", ended)):
            text = io.StringIO(newline="")
            csv.writer(text).writerows([columns(name), *rows])
            packed.writestr(f"{name}.csv", text.getvalue())
    return Delta(target, city.one("student", int(chosen[-1])), NAME, city.one("enrollment", int(numbers[-1])), END)


def _rows(city: City, file: str, kind: str, numbers: np.ndarray, changed: dict[str, str]) -> Sequence[Sequence[str]]:
    """The rows of these records as they are, but for what is changed."""
    wanted = set(city.ids(kind, numbers).to_pylist())
    header = columns(file)
    own, rows = header.index("sourcedId"), []
    for table in city.batches(file):
        at = np.isin(table["sourcedId"].to_numpy(zero_copy_only=False), list(wanted))
        for row in table.filter(at).to_pylist():
            said = {name: "" if value is None else value for name, value in row.items()}
            said |= {"status": "active", "dateLastModified": CHANGED_AT, **changed}
            rows.append([said[name] for name in header])
    assert {row[own] for row in rows} == wanted
    return rows
