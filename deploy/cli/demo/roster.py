"""The district as a OneRoster 1.2 CSV zip (bulk)."""

import csv
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np

from deploy.cli.demo import gradebook, resources
from deploy.cli.demo.framework import SUBJECTS
from deploy.cli.demo.gradebook import Row
from deploy.cli.demo.names import FAMILY, GIVEN
from deploy.cli.demo.people import (
    CITY_STUDENTS,
    CITY_TEACHERS,
    DISTRICT,
    YEAR_BEGINS,
    School,
    Section,
    Student,
    Subdistrict,
)

_HEADERS = {
    "academicSessions": "title type startDate endDate parentSourcedId schoolYear",
    "orgs": "name type identifier parentSourcedId metadata.sector metadata.latitude metadata.longitude",
    "courses": "schoolYearSourcedId title courseCode grades orgSourcedId subjects subjectCodes",
    "classes": "title grades courseSourcedId classCode classType location schoolSourcedId termSourcedIds subjects "
    "subjectCodes periods",
    "users": "enabledUser username userIds givenName familyName middleName identifier email sms phone agentSourcedIds "
    "grades password userMasterIdentifier resourceSourcedIds preferredGivenName preferredMiddleName "
    "preferredFamilyName primaryOrgSourcedId pronouns",
    "roles": "userSourcedId roleType role beginDate endDate orgSourcedId userProfileSourcedId",
    "enrollments": "classSourcedId schoolSourcedId userSourcedId role primary beginDate endDate",
    "demographics": "birthDate sex americanIndianOrAlaskaNative asian blackOrAfricanAmerican "
    "nativeHawaiianOrOtherPacificIslander white demographicRaceTwoOrMoreRaces hispanicOrLatinoEthnicity "
    "countryOfBirthCode stateOfBirthAbbreviation cityOfBirth publicSchoolResidenceStatus",
    **gradebook.HEADERS,
    **resources.HEADERS,
}
_FILES = (
    "academicSessions categories classes classResources courses courseResources demographics enrollments "
    "lineItemLearningObjectiveIds lineItems lineItemScoreScales orgs resources resultLearningObjectiveIds results "
    "resultScoreScales roles scoreScales userProfiles userResources users"
)
_TAUGHT = SUBJECTS | {"H": "Homeroom", "S": "Science"}
"""What a section has classes in; homeroom and science are not tested."""

_SUBJECT_CODES = {"M": "02999", "R": "01999", "H": "", "S": "03999"}
_PERIODS = {"H": "0", "M": "1", "R": "2", "S": "3"}
_SCIENCE_FROM = 6
_BEGINS = YEAR_BEGINS.isoformat()
_YEAR = "SY-2026"
_TERMS = "SEM-2026-1,SEM-2026-2"


class RosterWriter:
    """Writes the CSV files side by side as the schools come, then packs them; the same rows give the same bytes."""

    def __init__(self, target: Path, seed: int) -> None:
        self._target = target
        self._seed = seed
        self._open = ExitStack()
        self._streams: list[TextIO] = []
        self._writers: dict[str, Callable[[Sequence[object]], object]] = {}

    def __enter__(self) -> Self:
        """Open every file and write what the whole district shares."""
        self._folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(dir=self._target.parent)))
        for name, columns in _HEADERS.items():
            stream = self._open.enter_context((self._folder / f"{name}.csv").open("w", encoding="utf-8", newline=""))
            self._streams.append(stream)
            self._writers[name] = csv.writer(stream).writerow
            self._writers[name](["sourcedId", "status", "dateLastModified", *columns.split()])
        self._district()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave nothing but the zip."""
        self._open.close()

    def _row(self, name: str, sourced_id: str, *values: object) -> None:
        self._writers[name]((sourced_id, "", "", *values))

    def _rows(self, rows: Iterable[Row]) -> None:
        for name, sourced_id, values in rows:
            self._row(name, sourced_id, *values)

    def _district(self) -> None:
        self._row("academicSessions", _YEAR, "2026-27", "schoolYear", _BEGINS, "2027-06-19", "", "2027")
        self._row("academicSessions", "SEM-2026-1", "Fall", "term", _BEGINS, "2027-01-30", _YEAR, "2027")
        self._row("academicSessions", "SEM-2026-2", "Spring", "term", "2027-01-30", "2027-06-19", _YEAR, "2027")
        self._row("orgs", DISTRICT, "Demonstration District", "district", "0000001", "", "district", "", "")
        courses: dict[str, str] = {}
        for grade in range(3, 9):
            for subject in _taught(grade):
                course, title = f"CRS-{subject}{grade}", _TAUGHT[subject]
                about = ("" if subject == "H" else title, _SUBJECT_CODES[subject])
                self._row("courses", course, _YEAR, f"{title} {grade}", course, f"{grade:02d}", DISTRICT, *about)
                courses[course] = f"{title} {grade}"
        self._rows(gradebook.shared())
        self._rows(resources.shared(courses))
        self._adult("A0001", "Robin", "Rivera", "districtAdministrator", DISTRICT)

    def _adult(self, sourced_id: str, given: str, family: str, role: str, org: str, children: str = "") -> None:
        login, account = f"{given}.{family}.{sourced_id}".lower(), ""
        if role == "teacher":
            account = resources.profile(sourced_id)
            self._rows(resources.of_teacher(sourced_id, org, login))
        person = ("true", login, "", given, family, "", sourced_id, f"{login}@trellis.example", "", "", children)
        self._row("users", sourced_id, *person, "", "", "", "", "", "", "", org, "")
        self._row("roles", f"ROL-{sourced_id}", sourced_id, "primary", role, _BEGINS, "", org, account)

    def subdistrict(self, part: Subdistrict) -> None:
        """Write a part of the district."""
        where = ("district", f"{part.latitude:.5f}", f"{part.longitude:.5f}")
        self._row("orgs", part.sourced_id, part.name, "district", part.sourced_id, DISTRICT, *where)

    def school(self, school: School, sections: list[Section]) -> None:
        """Write one school and everyone in it."""
        rng = np.random.default_rng([self._seed, 4, school.number])
        given = np.random.default_rng([self._seed, 8, school.number])
        where = (school.sector, f"{school.latitude:.5f}", f"{school.longitude:.5f}")
        self._row("orgs", school.sourced_id, school.name, "school", f"{school.number + 1:07d}", school.parent, *where)
        self._adult(f"P{school.number + 1:04d}", *self._name(rng), "principal", school.sourced_id)
        teachers: dict[tuple[str, int], str] = {}
        classes: list[str] = []
        for order, section in enumerate(sections):
            for subject in _taught(section.grade):
                post = _post(section.grade, subject, order)
                if post not in teachers:
                    teachers[post] = self._teacher(rng, school, len(teachers))
                classes.append(section.class_id(subject))
                self._class(section, subject, teachers[post])
            self._rows(gradebook.results(given, section))
            self._rows(gradebook.few_results(section, _taught(section.grade)[2:]))
            for student in section.students:
                self._student(section, student)
        self._further_teachers(rng, school, len(teachers), classes)

    def _teacher(self, rng: np.random.Generator, school: School, number: int) -> str:
        own = f"T{school.number + 1:04d}-{number + 1:02d}"
        self._adult(own, *self._name(rng), "teacher", school.sourced_id)
        return own

    def _further_teachers(self, rng: np.random.Generator, school: School, there: int, classes: list[str]) -> None:
        """Those who teach beside the class's own teacher, until the school has as many as a city's."""
        for number in range(there, round(school.size * CITY_TEACHERS / CITY_STUDENTS)):
            own = self._teacher(rng, school, number)
            beside = classes[(number - there) % len(classes)]
            who = (beside, school.sourced_id, own, "teacher", "false", _BEGINS, "")
            self._row("enrollments", f"E-{beside}-{own}", *who)

    def _name(self, rng: np.random.Generator) -> tuple[str, str]:
        return GIVEN[int(rng.integers(len(GIVEN)))], FAMILY[int(rng.integers(len(FAMILY)))]

    def _class(self, section: Section, subject: str, teacher: str) -> None:
        school, grade, title = section.school, section.grade, _TAUGHT[subject]
        own = section.class_id(subject)
        course, code = f"CRS-{subject}{grade}", f"{subject}{grade}-{section.number}"
        room, kind = f"Room {grade}{section.number:02d}", "homeroom" if subject == "H" else "scheduled"
        self._row(
            *("classes", own, f"{title} {grade}, section {section.number}", f"{grade:02d}", course, code, kind),
            *(room, school.sourced_id, _TERMS),
            *("" if subject == "H" else title, _SUBJECT_CODES[subject], _PERIODS[subject]),
        )
        self._rows(gradebook.of_class(section, subject, title))
        self._rows(resources.of_class(own, course, f"{title} {grade}"))
        begins = (_BEGINS, "")
        self._row("enrollments", f"E-{own}", own, school.sourced_id, teacher, "teacher", "true", *begins)
        for student in section.students:
            who = student.sourced_id
            self._row("enrollments", f"E-{who}-{subject}", own, school.sourced_id, who, "student", "false", *begins)

    def _student(self, section: Section, student: Student) -> None:
        own, org, grade = student.sourced_id, section.school.sourced_id, f"{section.grade:02d}"
        agents = ",".join(guardian for guardian, _ in student.guardians)
        login = own.lower()
        person = (
            "true",
            login,
            "",
            student.given_name,
            student.family_name,
            "",
            own,
            f"{login}@trellis.example",
            "",
            "",
        )
        self._row("users", own, *person, agents, grade, "", _state_id(own), "", "", "", "", org, "")
        self._row("roles", f"ROL-{own}", own, "primary", "student", _BEGINS, "", org, resources.profile(own))
        self._rows(resources.of_student(section, own, login))
        races = ["true" if n == student.race else "false" for n in range(6)]
        hispanic = "true" if student.hispanic else "false"
        self._row("demographics", own, student.born.isoformat(), student.sex, *races, hispanic, "", "", "", "")
        for number, (guardian, given) in enumerate(student.guardians):
            self._rows(resources.of_guardian(guardian, org))
            self._adult(guardian, given, student.family_name, "guardian" if number else "parent", org, own)

    def pack(self) -> None:
        """Put the files into the zip, times fixed."""
        for stream in self._streams:
            stream.close()
        manifest = [("propertyName", "value"), ("manifest.version", "1.0"), ("oneroster.version", "1.2")]
        manifest += [(f"file.{name}", "bulk" if name in _HEADERS else "absent") for name in _FILES.split()]
        manifest += [("source.systemName", "Trellis demonstration"), ("source.systemCode", "trellis-demo")]
        with (self._folder / "manifest.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows(manifest)
        with ZipFile(self._target, "w", ZIP_DEFLATED) as packed:
            for name in ("manifest", *_HEADERS):
                source = self._folder / f"{name}.csv"
                entry = ZipInfo(f"{name}.csv", date_time=(2026, 8, 31, 0, 0, 0))
                entry.compress_type, entry.create_system, entry.external_attr = ZIP_DEFLATED, 3, 0o644 << 16
                entry.file_size = source.stat().st_size
                with source.open("rb") as plain, packed.open(entry, "w") as target:
                    shutil.copyfileobj(plain, target, 1 << 20)


def _taught(grade: int) -> tuple[str, ...]:
    """What a section of this grade has classes in, those that are tested first."""
    return ("M", "R", "H", "S") if grade >= _SCIENCE_FROM else ("M", "R", "H")


def _state_id(student: str) -> str:
    """What the state calls a student: ten digits."""
    return str(7_000_000_000 + int(student.removeprefix("S")) * 13)


def _post(grade: int, subject: str, order: int) -> tuple[str, int]:
    """Which post of its school teaches this subject to the section of this order.

    One teacher for all to grade 5; from grade 6 one for four sections, and a homeroom belongs to one of these.
    """
    if grade < _SCIENCE_FROM:
        return "", order
    return (subject if subject != "H" else "MRS"[order % 3], order // 4)
