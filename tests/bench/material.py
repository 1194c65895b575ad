"""The files of a bench: a small roster of many students, one form of forty items over ten competencies, its sheets."""

import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

COMPETENCIES = 10
STUDENTS_PER_CLASS = 30
STUDENTS_PER_SCHOOL = 600
ADMINISTRATION = "BENCH"
FORM = "BENCH-40"
_OPTIONS = np.array(["A", "B", "C", "D"])
_BLOCK = 10_000
_NOT_SENT = (
    "categories", "classResources", "courseResources", "demographics", "lineItems", "resources", "results",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Material:
    """Where the files are, and what a reader must find when all is loaded."""

    roster: Path
    framework: Path
    forms: Path
    answers: Path
    sheets: int
    items: int
    students: int

    @property
    def entries(self) -> int:
        """Pieces of evidence: every item of every sheet is answered, and stands for one competency."""
        return self.sheets * self.items

    @property
    def last_student(self) -> str:
        return student((self.sheets - 1) % self.students)


def student(number: int) -> str:
    """The sourcedId of the student of this number, from 0."""
    return f"B{number:07d}"


def class_of(number: int) -> str:
    """The sourcedId of the class of the student of this number."""
    return f"C{number // STUDENTS_PER_CLASS:06d}"


def write(folder: Path, sheets: int, items: int, seed: int, *, students: int | None = None) -> Material:
    """Write the four files: a student for each sheet, or so many students who take the form day after day."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Material(
        roster=folder / "roster.zip",
        framework=folder / "framework.json",
        forms=folder / "forms.json",
        answers=folder / "answers.csv",
        sheets=sheets,
        items=items,
        students=students or sheets,
    )
    _roster(made.roster, made.students)
    made.framework.write_text(json.dumps(_framework()))
    made.forms.write_text(json.dumps(_forms(items, seed)))
    with made.answers.open("wb") as out:
        out.writelines(answers(sheets, items, seed, made.students))
    return made


def answers(sheets: int, items: int, seed: int, students: int) -> Iterator[bytes]:
    """The sheets as CSV, block by block; a right answer in about two of three."""
    rng = np.random.default_rng([seed, 1])
    keys = _keys(items, seed)
    yield (",".join(["administration", "student", "form", "completed_at", "modality", *_items(items)]) + "\n").encode()
    begins = datetime(2026, 9, 8, 13, tzinfo=UTC)
    for first in range(0, sheets, _BLOCK):
        count = min(_BLOCK, sheets - first)
        picked = np.where(rng.random((count, items)) < 0.55, keys, rng.integers(4, size=(count, items)))
        lines = np.char.add(",", _OPTIONS[picked])
        rows = np.frombuffer(np.ascontiguousarray(lines).astype("S2").tobytes(), dtype=f"S{2 * items}")
        out = io.BytesIO()
        for number, row in enumerate(rows.tolist(), first):
            at = (begins + timedelta(days=number // students, seconds=number % 20_000)).isoformat()
            out.write(f"{ADMINISTRATION},{student(number % students)},{FORM},{at},in person".encode() + row + b"\n")
        yield out.getvalue()


def one_sheet(number: int, at: datetime, items: int) -> bytes:
    """A file with a single sheet of one student."""
    cells = ",".join("ABCD"[(number + place) % 4] for place in range(items))
    header = ",".join(["administration", "student", "form", "completed_at", "modality", *_items(items)])
    return f"{header}\n{ADMINISTRATION},{student(number)},{FORM},{at.isoformat()},remote,{cells}\n".encode()


def _items(items: int) -> list[str]:
    return [f"b{number:03d}" for number in range(items)]


def _keys(items: int, seed: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.random.default_rng([seed, 0]).integers(4, size=items)


def _competency(number: int) -> str:
    return f"00000000-0000-4000-8000-{number + 1:012d}"


def _framework() -> dict[str, object]:
    document = "00000000-0000-4000-8000-000000000000"
    moment = "2026-01-01T00:00:00Z"
    return {
        "CFDocument": {
            "identifier": document, "uri": f"urn:uuid:{document}", "creator": "Trellis", "title": "Bench",
            "lastChangeDateTime": moment, "CFPackageURI": {"title": "Bench", "identifier": document,
            "uri": f"urn:uuid:{document}"},
        },
        "CFItems": [
            {
                "identifier": _competency(number), "uri": f"urn:uuid:{_competency(number)}",
                "fullStatement": f"Competency {number + 1}", "humanCodingScheme": f"B.{number + 1}",
                "lastChangeDateTime": moment,
            }
            for number in range(COMPETENCIES)
        ],
        "CFAssociations": [],
    }  # fmt: skip


def _forms(items: int, seed: int) -> dict[str, object]:
    rng = np.random.default_rng([seed, 2])
    keys = _keys(items, seed)
    return {
        "format": "trellis-forms/1",
        "forms": [
            {
                "id": FORM, "title": "Bench", "parameterVersion": "bench-1",
                "items": [
                    {
                        "id": name, "maximum": 1, "competencies": [_competency(place % COMPETENCIES)],
                        "options": _OPTIONS.tolist(), "key": str(_OPTIONS[keys[place]]),
                        "parameters": {
                            "model": "2pl", "a": round(float(rng.uniform(0.7, 1.6)), 3),
                            "b": round(float(rng.normal()), 3),
                        },
                    }
                    for place, name in enumerate(_items(items))
                ],
            }
        ],
        "administrations": [
            {
                "id": ADMINISTRATION, "title": "Bench", "purpose": "diagnostic", "opensAt": "2026-09-01T00:00:00Z",
                "closesAt": "2026-12-31T00:00:00Z", "forms": [FORM],
            }
        ],
    }  # fmt: skip


def _roster(path: Path, students: int) -> None:
    """OneRoster 1.1, where a student is two rows."""
    schools = -(-students // STUDENTS_PER_SCHOOL)
    classes = -(-students // STUDENTS_PER_CLASS)
    per_school = STUDENTS_PER_SCHOOL // STUDENTS_PER_CLASS
    sent: dict[str, Iterator[str]] = {
        "orgs": _lines(
            "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId",
            ["D,,,Bench,district,,", *(f"H{n:05d},,,School {n},school,,D" for n in range(schools))],
        ),
        "academicSessions": _lines(
            "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear",
            ["T,,,The year,schoolYear,2026-08-31,2027-06-30,,2027"],
        ),
        "courses": _lines(
            "sourcedId,status,dateLastModified,schoolYearSourcedId,title,courseCode,grades,orgSourcedId,subjects,"
            "subjectCodes",
            ["K,,,T,Mathematics,M,5,D,Mathematics,"],
        ),
        "classes": _lines(
            "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,"
            "schoolSourcedId,termSourcedIds,subjects,subjectCodes,periods",
            (f"C{n:06d},,,Class {n},5,K,,scheduled,,H{n // per_school:05d},T,Mathematics,," for n in range(classes)),
        ),
        "users": _lines(
            "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,userIds,givenName,familyName,"
            "middleName,identifier,email,sms,phone,agentSourcedIds,grades,password",
            (
                f"{student(n)},,,true,H{n // STUDENTS_PER_SCHOOL:05d},student,{student(n)},,Given,Family{n},,,,,,,5,"
                for n in range(students)
            ),
        ),
        "enrollments": _lines(
            "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,"
            "endDate",
            (
                f"E{n:07d},,,{class_of(n)},H{n // STUDENTS_PER_SCHOOL:05d},{student(n)},student,,2026-08-31,"
                for n in range(students)
            ),
        ),
    }
    manifest = ["propertyName,value", "manifest.version,1.0", "oneroster.version,1.1"]
    manifest += [f"file.{name},bulk" for name in sent] + [f"file.{name},absent" for name in _NOT_SENT]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as zipped:
        zipped.writestr("manifest.csv", "\n".join(manifest) + "\n")
        for name, lines in sent.items():
            with zipped.open(f"{name}.csv", "w") as out:
                out.writelines(line.encode() for line in lines)


def _lines(header: str, rows: Iterable[str]) -> Iterator[str]:
    yield header + "\n"
    for row in rows:
        yield f"{row}\n"
