"""The invented district: its schools, sections and students, made school by school so that memory does not grow."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from deploy.cli.demo.bank import GROWTH, TESTED
from deploy.cli.demo.names import FAMILY, GIVEN, place

CITY_STUDENTS, CITY_SCHOOLS, CITY_TEACHERS = 1_100_000, 1_850, 75_000
"""A large city; what is smaller has its ratios."""

FEWEST_SCHOOLS = 10
"""A smaller district than a city's ten schools has smaller schools, so that schools can still help each other."""

SMALLEST_SCHOOL = 30
SCHOOLS_PER_SUBDISTRICT = 58
SECTION_SIZE = 25
YEAR_BEGINS = date(2026, 8, 31)
DISTRICT = "DISTRICT"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class School:
    """One school: where it is, who runs it, which grades it teaches, how many students, and the first one's number."""

    number: int
    sourced_id: str
    name: str
    sector: str
    latitude: float
    longitude: float
    grades: range
    size: int
    first_student: int
    parent: str
    """sourcedId of the organisation it belongs to: a sub-district, or the district."""


@dataclass(frozen=True, slots=True)
class Subdistrict:
    """A part of the district, with its schools around a place."""

    sourced_id: str
    name: str
    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class Student:
    """A child as the roster knows them."""

    sourced_id: str
    given_name: str
    family_name: str
    born: date
    sex: str
    race: int
    hispanic: bool
    guardians: tuple[tuple[str, str], ...]
    """sourcedId and given name of each."""


@dataclass(frozen=True, slots=True)
class Section:
    """Students who sit together in all their classes."""

    school: School
    grade: int
    number: int
    students: tuple[Student, ...]
    ability: Floats
    """True ability, one row a student: mathematics, reading."""

    def class_id(self, subject: str) -> str:
        """The sourcedId of the section's class in a subject."""
        return f"CLS-{self.school.number + 1:04d}-{self.grade:02d}-{self.number}-{subject}"


def _sector(number: int) -> str:
    return "private" if number % 20 == 6 else "charter" if number % 7 == 3 else "district"


def number_of_schools(students: int) -> int:
    """A school has as many students as a city's on average, fewer where there would be less than ten schools."""
    size = min(max(students / FEWEST_SCHOOLS, SMALLEST_SCHOOL), CITY_STUDENTS / CITY_SCHOOLS)
    return max(1, round(students / size))


def subdistricts(students: int, seed: int) -> list[Subdistrict]:
    """The parts of the district; a district of one to three schools has none."""
    rng = np.random.default_rng([seed, 6])
    count = number_of_schools(students)
    made = []
    for number in range(1, max(min(2, count // 4), round(count / SCHOOLS_PER_SUBDISTRICT)) + 1):
        latitude, longitude = (float(x) for x in rng.uniform((40.60, -74.05), (40.85, -73.80)))
        made.append(Subdistrict(f"SUB-{number:02d}", f"Community District {number}", latitude, longitude))
    return made


def schools(students: int, seed: int) -> list[School]:
    """The district's schools: grades 3-5 and 6-8 in turn, one school alone has them all."""
    rng = np.random.default_rng([seed, 2])
    count, parts = number_of_schools(students), subdistricts(students, seed)
    ends = np.floor(np.cumsum(share := rng.uniform(0.8, 1.2, count)) / share.sum() * students + 0.5).astype(int)
    ends[-1] = students
    made: list[School] = []
    first = 0
    for number, end in enumerate(int(e) for e in ends):
        grades = TESTED if count == 1 else range(3, 6) if number % 2 == 0 else range(6, 9)
        kind = "School" if count == 1 else "Elementary School" if number % 2 == 0 else "Middle School"
        sector = _sector(number)
        name = f"{place(number)} {'Charter ' if sector == 'charter' else ''}{kind}"
        part = parts[number * len(parts) // count] if parts else Subdistrict(DISTRICT, "", 40.72, -73.92)
        latitude, longitude = (round(float(x), 5) for x in rng.normal((part.latitude, part.longitude), (0.015, 0.02)))
        made.append(
            School(
                number,
                f"SCH-{number + 1:04d}",
                name,
                sector,
                latitude,
                longitude,
                grades,
                size=end - first,
                first_student=first,
                parent=part.sourced_id,
            )
        )
        first = end
    return made


def sections(school: School, seed: int) -> Iterator[Section]:
    """The sections of a school, grade by grade."""
    rng = np.random.default_rng([seed, 3, school.number])
    effect = rng.normal(0, 0.35, 2)
    bounds = [round(school.size * n / len(school.grades)) for n in range(len(school.grades) + 1)]
    for grade, begin, end in zip(school.grades, bounds[:-1], bounds[1:], strict=True):
        count = -(-(end - begin) // SECTION_SIZE)
        cuts = [begin + round((end - begin) * n / count) for n in range(count + 1)] if count else []
        for number, (low, high) in enumerate(pairwise(cuts), 1):
            yield Section(
                school,
                grade,
                number,
                tuple(_students(rng, school.first_student + low, high - low, grade)),
                _abilities(rng, high - low, grade, effect),
            )


def _abilities(rng: np.random.Generator, count: int, grade: int, effect: Floats) -> Floats:
    shared, own = rng.normal(size=(count, 1)), rng.normal(size=(count, 2))
    return np.asarray(GROWTH * (grade - 5) + effect + 0.8 * (np.sqrt(0.7) * shared + np.sqrt(0.3) * own))


def _students(rng: np.random.Generator, first: int, count: int, grade: int) -> Iterator[Student]:
    given, other = rng.integers(len(GIVEN), size=(2, count)).tolist()
    family = rng.integers(len(FAMILY), size=count).tolist()
    days = rng.integers(365, size=count).tolist()
    sexes = rng.choice(["female", "male", "unspecified"], p=[0.49, 0.49, 0.02], size=count).tolist()
    races = rng.choice(6, p=[0.02, 0.18, 0.26, 0.01, 0.47, 0.06], size=count).tolist()
    hispanic = (rng.random(count) < 0.3).tolist()
    adults = rng.choice(3, p=[0.5, 0.3, 0.2], size=count).tolist()
    oldest = date(2020 - grade, 9, 1)
    for n in range(count):
        number = 1_000_001 + first + n
        yield Student(
            f"S{number}",
            GIVEN[given[n]],
            FAMILY[family[n]],
            oldest + timedelta(days=days[n]),
            sexes[n],
            races[n],
            hispanic[n],
            tuple((f"G{number}-{a + 1}", GIVEN[(other[n] + 31 * a) % len(GIVEN)]) for a in range(adults[n])),
        )
