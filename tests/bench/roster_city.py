"""A city's roster as a OneRoster 1.2 bulk archive, made in columns: 1,850 schools, 1.1 million students, 4 million
enrolments.

    python -m tests.bench.roster_city --students 1100000 --seed 1 --out city.zip

Whatever is smaller has the same shape. Identifiers look like UUIDs and follow from a row's number and the seed, so that
no table of them is kept: memory does not grow with the city. The same arguments give the same bytes.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from deploy.cli.demo.names import FAMILY, GIVEN, place
from deploy.cli.demo.people import CITY_SCHOOLS, CITY_STUDENTS, CITY_TEACHERS
from tests.bench.figures import say

SECTION_SIZE = 25
AT_ONCE = 40
"""Schools whose rows are in memory together."""

BEGINS, ENDS = "2026-08-31", "2027-06-19"
FILES = ("orgs", "academicSessions", "courses", "classes", "users", "roles", "enrollments", "demographics")
ABSENT = (
    "categories", "classResources", "courseResources", "lineItemLearningObjectiveIds", "lineItems",
    "lineItemScoreScales", "resources", "resultLearningObjectiveIds", "results", "resultScoreScales", "scoreScales",
    "userProfiles", "userResources",
)  # fmt: skip
HEADERS = {
    "orgs": "name type identifier parentSourcedId",
    "academicSessions": "title type startDate endDate parentSourcedId schoolYear",
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
}
_SUBJECTS = np.array(["Homeroom", "Mathematics", "Reading", "Science"])
_KINDS = {
    name: number
    for number, name in enumerate(
        ("org", "session", "course", "class", "student", "teacher", "principal", "role", "enrollment", "guardian",
         "second role")
    )
}  # fmt: skip
_HEX = np.frombuffer("".join(f"{n:02x}" for n in range(256)).encode(), dtype=np.uint8).reshape(256, 2)
_PLACES = np.array([n for n in range(36) if n not in (8, 13, 18, 23)])

Integers = NDArray[np.int64]
Text = Any
"""A column of texts; Arrow's types say nothing of their content."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How large the city is, and where each school's students, sections and teachers begin."""

    seed: int
    first_student: Integers
    first_section: Integers
    first_teacher: Integers

    @property
    def schools(self) -> int:
        return len(self.first_student) - 1

    @property
    def students(self) -> int:
        return int(self.first_student[-1])

    @property
    def teachers(self) -> int:
        return int(self.first_teacher[-1])


def shape(students: int, seed: int) -> Shape:
    """The city of so many students."""
    rng = np.random.default_rng([seed, 1])
    schools = max(1, round(students * CITY_SCHOOLS / CITY_STUDENTS))
    share = rng.uniform(0.4, 1.6, schools)
    ends = np.floor(np.cumsum(share) / share.sum() * students + 0.5).astype(np.int64)
    sizes = np.diff(ends, prepend=0)
    teachers = np.floor(ends * CITY_TEACHERS / CITY_STUDENTS + 0.5).astype(np.int64)
    teachers = np.cumsum(np.maximum(np.diff(teachers, prepend=0), 1))
    sections = np.cumsum(-(-sizes // SECTION_SIZE))
    return Shape(seed, *(np.concatenate([[0], each]) for each in (ends, sections, teachers)))


class City:
    """The rows of each file, a batch at a time."""

    def __init__(self, students: int, seed: int = 1, *, guardians: bool = False) -> None:
        self.shape = shape(students, seed)
        self._guardians = guardians

    def ids(self, kind: str, numbers: Integers) -> Text:
        """The sourcedIds of these: 36 characters that look like a random UUID."""
        start = np.uint64(self.shape.seed * 1_000_003 + _KINDS[kind])
        high = _mixed(numbers.astype(np.uint64) + (start << np.uint64(40)))
        halves = np.stack([high, _mixed(high ^ np.uint64(0x9E3779B97F4A7C15))], axis=1)
        digits = _HEX[halves.view(np.uint8)].reshape(len(numbers), 32)
        text = np.full((len(numbers), 36), ord("-"), dtype=np.uint8)
        text[:, _PLACES] = digits
        text[:, 14] = ord("4")
        offsets = np.arange(len(numbers) + 1, dtype=np.int32) * 36
        return pa.Array.from_buffers(pa.string(), len(numbers), [None, pa.py_buffer(offsets), pa.py_buffer(text)])

    def one(self, kind: str, number: int) -> str:
        """The sourcedId of one."""
        return str(self.ids(kind, np.array([number]))[0])

    def batches(self, file: str) -> Iterator[pa.Table]:
        """The rows of a file."""
        if file == "academicSessions":
            yield self._sessions()
        elif file == "courses":
            yield self._courses()
        else:
            makers = {
                "orgs": (self._orgs,), "classes": (self._classes,), "users": (self._students, self._adults),
                "roles": (self._roles,), "enrollments": (self._enrolled, self._teaching),
                "demographics": (self._demographics,),
            }  # fmt: skip
            for begin in range(0, self.shape.schools, AT_ONCE):
                end = min(begin + AT_ONCE, self.shape.schools)
                for make in makers[file]:
                    yield make(begin, end)

    def _org(self, schools: Integers) -> Text:
        """Schools come after the district, which is number 0."""
        return self.ids("org", schools + 1)

    def _sessions(self) -> pa.Table:
        year, *terms = (self.one("session", n) for n in range(3))
        return _table("academicSessions", self.ids("session", np.arange(3)), {
            "title": ["2026-27", "Fall", "Spring"],
            "type": ["schoolYear", "term", "term"],
            "startDate": [BEGINS, BEGINS, "2027-01-30"],
            "endDate": [ENDS, "2027-01-30", ENDS],
            "parentSourcedId": [None, *[year] * len(terms)],
            "schoolYear": ["2027"] * 3,
        })  # fmt: skip

    def _courses(self) -> pa.Table:
        numbers = np.arange(13 * len(_SUBJECTS))
        grade, subject = numbers // len(_SUBJECTS), _SUBJECTS[numbers % len(_SUBJECTS)]
        return _table("courses", self.ids("course", numbers), {
            "schoolYearSourcedId": _same(self.one("session", 0), len(numbers)),
            "title": _joined([pa.array(subject), _padded(grade, 2)], " "),
            "courseCode": _joined([pa.array(subject), _padded(grade, 2)], "-"),
            "grades": _padded(grade, 2),
            "orgSourcedId": _same(self.one("org", 0), len(numbers)),
            "subjects": pa.array(subject),
        })  # fmt: skip

    def _orgs(self, begin: int, end: int) -> pa.Table:
        schools = np.arange(begin, end)
        rows = _table("orgs", self._org(schools), {
            "name": [f"{place(int(number))} School" for number in schools],
            "type": _same("school", len(schools)),
            "identifier": _padded(schools + 1, 7),
            "parentSourcedId": _same(self.one("org", 0), len(schools)),
        })  # fmt: skip
        if begin:
            return rows
        own = {"name": ["City"], "type": ["district"], "identifier": ["0000000"], "parentSourcedId": [None]}
        return pa.concat_tables([_table("orgs", self.ids("org", np.zeros(1, np.int64)), own), rows])

    def _sections(self, begin: int, end: int) -> tuple[Integers, Integers, Integers]:
        """Section, school and grade of each section of these schools."""
        sections = np.arange(self.shape.first_section[begin], self.shape.first_section[end])
        school = np.searchsorted(self.shape.first_section, sections, side="right") - 1
        return sections, school, self._grade(sections, school)

    def _grade(self, sections: Integers, school: Integers) -> Integers:
        """Every other school is an elementary one, the rest middle and high schools in turn."""
        first, count = self.shape.first_section[school], np.diff(self.shape.first_section)[school]
        lowest = np.choose(school % 4, [0, 6, 0, 9])
        grades = np.choose(school % 4, [6, 3, 6, 4])
        return np.asarray(lowest + (sections - first) * grades // count)

    def _classes_of(self, sections: Integers, grade: Integers) -> tuple[Integers, Integers, Integers]:
        """The number of each class, the row of its section, its subject: from grade 6 on there is science."""
        rows, subject = np.nonzero(np.arange(len(_SUBJECTS)) < np.where(grade < 6, 3, 4)[:, None])
        return sections[rows] * len(_SUBJECTS) + subject, rows, subject

    def _classes(self, begin: int, end: int) -> pa.Table:
        sections, school, grade = self._sections(begin, end)
        number, row, subject = self._classes_of(sections, grade)
        order = sections - self.shape.first_section[school] + 1
        name = pa.array(_SUBJECTS[subject])
        level = _padded(grade[row], 2)
        terms = f"{self.one('session', 1)},{self.one('session', 2)}"
        return _table("classes", self.ids("class", number), {
            "title": _joined([name, level, _same("section", len(number)), _text(order[row])], " "),
            "grades": level,
            "courseSourcedId": self.ids("course", grade[row] * len(_SUBJECTS) + subject),
            "classCode": _joined([level, _text(order[row]), _text(subject)], "-"),
            "classType": pa.array(np.where(subject == 0, "homeroom", "scheduled")),
            "location": _joined([_same("Room", len(number)), _text(100 + order[row])], " "),
            "schoolSourcedId": self._org(school[row]),
            "termSourcedIds": _same(terms, len(number)),
            "subjects": name,
            "periods": _text(subject),
        })  # fmt: skip

    def _pupils(self, begin: int, end: int) -> tuple[Integers, Integers, Integers, Integers]:
        """Student, school, section and grade of each student of these schools."""
        students = np.arange(self.shape.first_student[begin], self.shape.first_student[end])
        school = np.searchsorted(self.shape.first_student, students, side="right") - 1
        within = (students - self.shape.first_student[school]) // SECTION_SIZE
        section = self.shape.first_section[school] + within
        return students, school, section, self._grade(section, school)

    def _students(self, begin: int, end: int) -> pa.Table:
        students, school, _, grade = self._pupils(begin, end)
        login = _joined([_same("s", len(students)), _text(100_000 + students)], "")
        more: dict[str, Text] = {}
        if self._guardians:
            more["agentSourcedIds"] = self.ids("guardian", students)
        return self._people("student", students, self._org(school), login, {
            "grades": _padded(grade, 2),
            "identifier": _padded(100_000 + students, 9),
            "userMasterIdentifier": _text(7_000_000_000 + students * 13),
            **more,
        })  # fmt: skip

    def _adults(self, begin: int, end: int) -> pa.Table:
        teachers, at = self._teachers(begin, end)
        heads = np.arange(begin, end)
        tables = [
            self._people("teacher", teachers, self._org(at), _joined([_same("t", len(teachers)), _text(teachers)], "")),
            self._people("principal", heads, self._org(heads), _joined([_same("p", len(heads)), _text(heads)], "")),
        ]
        if self._guardians:
            students, school, _, _ = self._pupils(begin, end)
            login = _joined([_same("g", len(students)), _text(students)], "")
            children = {"agentSourcedIds": self.ids("student", students)}
            tables.append(self._people("guardian", students, self._org(school), login, children))
        return pa.concat_tables(tables)

    def _teachers(self, begin: int, end: int) -> tuple[Integers, Integers]:
        teachers = np.arange(self.shape.first_teacher[begin], self.shape.first_teacher[end])
        return teachers, np.searchsorted(self.shape.first_teacher, teachers, side="right") - 1

    def _people(
        self, kind: str, numbers: Integers, org: Text, login: Text, more: dict[str, Text] | None = None
    ) -> pa.Table:
        drawn = _mixed(numbers.astype(np.uint64) + np.uint64((self.shape.seed * 31 + _KINDS[kind]) << 32))
        given = np.array(GIVEN)[(drawn % len(GIVEN)).astype(np.int64)]
        family = np.array(FAMILY)[((drawn >> np.uint64(20)) % len(FAMILY)).astype(np.int64)]
        middle = np.array([chr(65 + n) for n in range(26)])[((drawn >> np.uint64(40)) % 26).astype(np.int64)]
        return _table("users", self.ids(kind, numbers), {
            "enabledUser": _same("true", len(numbers)),
            "username": login,
            "givenName": pa.array(given),
            "familyName": pa.array(family),
            "middleName": pa.array(middle),
            "email": _joined([login, _same("city.example", len(numbers))], "@"),
            "primaryOrgSourcedId": org,
            **(more or {}),
        })  # fmt: skip

    def _roles(self, begin: int, end: int) -> pa.Table:
        """A primary role of everybody, and of every fiftieth teacher a second one at the next school."""
        students, school, _, _ = self._pupils(begin, end)
        teachers, at = self._teachers(begin, end)
        heads = np.arange(begin, end)
        both = teachers % 50 == 0
        elsewhere = (at[both] + 1) % self.shape.schools
        parts = [
            ("role", "student", students, school, "student", "primary"),
            ("role", "teacher", teachers, at, "teacher", "primary"),
            ("role", "principal", heads, heads, "principal", "primary"),
            ("second role", "teacher", teachers[both], elsewhere, "teacher", "secondary"),
        ]
        if self._guardians:
            parts.append(("role", "guardian", students, school, "guardian", "primary"))
        return pa.concat_tables(
            _table("roles", self.ids(own, numbers + (_KINDS[kind] << 32)), {
                "userSourcedId": self.ids(kind, numbers),
                "roleType": _same(primary, len(numbers)),
                "role": _same(role, len(numbers)),
                "beginDate": _same(BEGINS, len(numbers)),
                "orgSourcedId": self._org(org),
            })
            for own, kind, numbers, org, role, primary in parts
        )  # fmt: skip

    def _enrolled(self, begin: int, end: int) -> pa.Table:
        students, school, section, grade = self._pupils(begin, end)
        number, row, subject = self._classes_of(section, grade)
        own = students[row] * len(_SUBJECTS) + subject
        return self._enrolments(own, number, school[row], self.ids("student", students[row]), "student", "false")

    def _teaching(self, begin: int, end: int) -> pa.Table:
        sections, school, grade = self._sections(begin, end)
        number, row, _ = self._classes_of(sections, grade)
        first, count = self.shape.first_teacher[school[row]], np.diff(self.shape.first_teacher)[school[row]]
        who = self.ids("teacher", first + number % count)
        return self._enrolments(number + (1 << 36), number, school[row], who, "teacher", "true")

    def _enrolments(
        self, own: Integers, number: Integers, school: Integers, who: Text, role: str, primary: str
    ) -> pa.Table:
        return _table("enrollments", self.ids("enrollment", own), {
            "classSourcedId": self.ids("class", number),
            "schoolSourcedId": self._org(school),
            "userSourcedId": who,
            "role": _same(role, len(own)),
            "primary": _same(primary, len(own)),
            "beginDate": _same(BEGINS, len(own)),
        })  # fmt: skip

    def _demographics(self, begin: int, end: int) -> pa.Table:
        students, _, _, grade = self._pupils(begin, end)
        drawn = _mixed(students.astype(np.uint64) + np.uint64(self.shape.seed << 44))
        race = (drawn % 6).astype(np.int64)
        sex = np.where((drawn >> np.uint64(8)) % 2 == 0, "female", "male")
        sex = np.where((drawn >> np.uint64(16)) % 50 == 0, "unspecified", sex)
        oldest = (np.datetime64(date(2020, 9, 1)) - np.datetime64("1970-01-01", "D")).astype(np.int64)
        born = (oldest - 365 * grade + (drawn >> np.uint64(24)) % 365).astype(np.int32)
        flags = {
            name: _flags(race == number)
            for number, name in enumerate(HEADERS["demographics"].split()[2:8])
        }  # fmt: skip
        return _table("demographics", self.ids("student", students), {
            "birthDate": pc.cast(pa.array(born).cast(pa.date32()), pa.string()),
            "sex": pa.array(sex),
            **flags,
            "hispanicOrLatinoEthnicity": _flags((drawn >> np.uint64(33)) % 10 < 3),
        })  # fmt: skip


def write_city(target: Path, city: City) -> dict[str, int]:
    """Write the archive; how many rows each file has."""
    rows = {}
    with ZipFile(target, "w", ZIP_DEFLATED, compresslevel=1) as packed:
        for name in FILES:
            with packed.open(f"{name}.csv", "w", force_zip64=True) as stream:
                rows[name] = write_rows(stream, name, city.batches(name))
        with packed.open("manifest.csv", "w") as stream:
            stream.write(manifest(dict.fromkeys(FILES, "bulk")).encode())
    return rows


def write_rows(stream: Any, file: str, batches: Iterator[pa.Table]) -> int:
    """Write a file of the archive into a stream of bytes; how many rows it has."""
    schema = pa.schema([(column, pa.string()) for column in columns(file)])
    stream.write((",".join(columns(file)) + "\n").encode())
    count = 0
    has_commas = file == "classes"  # in its lists of terms
    options = csv.WriteOptions(include_header=False, quoting_style="needed" if has_commas else "none")
    with csv.CSVWriter(pa.PythonFile(stream, "w"), schema, write_options=options) as writer:
        for table in batches:
            writer.write_table(table)
            count += table.num_rows
    return count


def manifest(said: dict[str, str]) -> str:
    """The manifest of an archive with these files."""
    lines = ["propertyName,value", "manifest.version,1.0", "oneroster.version,1.2"]
    lines += [f"file.{name},{said.get(name, 'absent')}" for name in sorted((*FILES, *ABSENT))]
    return "\n".join([*lines, "source.systemName,City", "source.systemCode,city"]) + "\n"


def columns(file: str) -> list[str]:
    """The header of a file."""
    return ["sourcedId", "status", "dateLastModified", *HEADERS[file].split()]


def _table(file: str, own: Text, said: dict[str, Text]) -> pa.Table:
    """Rows of a file; what is not said is empty."""
    nothing = pa.nulls(len(own), pa.string())
    arrays = [own if name == "sourcedId" else said.get(name, nothing) for name in columns(file)]
    return pa.table([pa.array(each, pa.string()) if isinstance(each, list) else each for each in arrays],
                    names=columns(file))  # fmt: skip


def _same(text: str, count: int) -> Text:
    return pa.repeat(pa.scalar(text, pa.string()), count)


def _text(numbers: Integers) -> Text:
    return pc.cast(pa.array(numbers), pa.string())


def _padded(numbers: Integers, width: int) -> Text:
    return pc.utf8_lpad(_text(numbers), width, "0")


def _joined(parts: list[Text], between: str) -> Text:
    return pc.binary_join_element_wise(*parts, between)


def _flags(which: NDArray[np.bool_]) -> Text:
    return pa.array(np.where(which, "true", "false"))


def _mixed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Splitmix64: numbers that look drawn, each from its own."""
    with np.errstate(over="ignore"):
        z = numbers + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(z ^ (z >> np.uint64(31)))


def main() -> None:
    """Write an archive and say how many rows it has."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--students", type=int, default=CITY_STUDENTS)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--guardians", action="store_true")
    words.add_argument("--out", type=Path, required=True)
    asked = words.parse_args()
    begun = time.perf_counter()
    rows = write_city(asked.out, City(asked.students, asked.seed, guardians=asked.guardians))
    for name, count in rows.items():
        say(f"{count:>10,} {name}")
    say(f"{asked.out.stat().st_size:,} bytes in {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
