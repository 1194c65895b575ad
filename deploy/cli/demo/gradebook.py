"""The gradebooks of the invented district: categories, line items, score scales, and what students were given.

Every class has line items and a scale of letters. Every student has a result in mathematics, in points and with the
competency it says something about, and one in reading, as a letter; in other classes a few have one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from deploy.cli.demo.bank import GROWTH
from deploy.cli.demo.framework import identifier, strands
from deploy.cli.demo.people import YEAR_BEGINS, Section

HEADERS = {
    "categories": "title weight",
    "lineItems": "title description assignDate dueDate classSourcedId categorySourcedId academicSessionSourcedId "
    "resultValueMin resultValueMax schoolSourcedId",
    "results": "lineItemSourcedId studentSourcedId scoreStatus score scoreDate comment textScore classSourcedId "
    "inProgress incomplete late missing",
    "scoreScales": "title type orgSourcedId courseSourcedId classSourcedId scoreScaleValue",
    "lineItemLearningObjectiveIds": "lineItemSourcedId source learningObjectiveId",
    "lineItemScoreScales": "title lineItemSourcedId scoreScaleSourcedId",
    "resultLearningObjectiveIds": "resultSourcedId source learningObjectiveId score textScore",
    "resultScoreScales": "title resultSourcedId scoreScaleSourcedId",
}
"""The columns of the gradebook's files behind sourcedId, status and dateLastModified."""

GRADING_PERIODS = (
    ("GP-2026-1", "First quarter", "2026-08-31", "2026-11-13", "SEM-2026-1"),
    ("GP-2026-2", "Second quarter", "2026-11-13", "2027-01-30", "SEM-2026-1"),
    ("GP-2026-3", "Third quarter", "2027-01-30", "2027-04-09", "SEM-2026-2"),
    ("GP-2026-4", "Fourth quarter", "2027-04-09", "2027-06-19", "SEM-2026-2"),
)
"""sourcedId, title, begin, end and term."""

_LETTERS = ((90, "A"), (80, "B"), (70, "C"), (60, "D"), (0, "F"))
_STATUSES = np.array(["fully graded", "partially graded", "submitted", "not submitted", "exempt"])
_SHARES = [0.9, 0.02, 0.03, 0.03, 0.02]
_GRADED = "fully graded"
_LATE = 0.05

Row = tuple[str, str, tuple[object, ...]]
"""The file, the sourcedId, and what stands behind the date of the last change."""


@dataclass(frozen=True, slots=True)
class _Item:
    """A kind of line item: its category, when it is given and due, in days of the school year, and its points."""

    code: str
    title: str
    category: str
    given: int
    due: int
    period: str
    points: int


_CATEGORIES = (
    ("CAT-HOMEWORK", "Homework", 20),
    ("CAT-QUIZ", "Quizzes", 30),
    ("CAT-TEST", "Tests", 40),
    ("CAT-PART", "Taking part", 10),
)
_ITEMS = (
    _Item("H1", "homework 1", "CAT-HOMEWORK", 7, 11, "GP-2026-1", 100),
    _Item("Q1", "quiz 1", "CAT-QUIZ", 18, 18, "GP-2026-1", 20),
    _Item("P1", "taking part, first quarter", "CAT-PART", 0, 70, "GP-2026-1", 10),
    _Item("T1", "test 1", "CAT-TEST", 78, 78, "GP-2026-2", 100),
)
_OF_HOMEROOM = ("H1", "P1")
_FEW = 3


def shared() -> Iterator[Row]:
    """What the whole district shares: grading periods and categories."""
    for own, title, begin, end, term in GRADING_PERIODS:
        yield "academicSessions", own, (title, "gradingPeriod", begin, end, term, "2027")
    for own, title, weight in _CATEGORIES:
        yield "categories", own, (title, weight)


def of_class(section: Section, subject: str, title: str) -> Iterator[Row]:
    """The scale and the line items of a class, with what they are about."""
    own, school = section.class_id(subject), section.school.sourced_id
    scale = _scale(own)
    values = ",".join(f"{{{least}-{most}:{letter}}}" for least, most, letter in _bands())
    yield "scoreScales", scale, ("Letters", "letter grade", school, f"CRS-{subject}{section.grade}", own, values)
    for item in _ITEMS:
        if subject == "H" and item.code not in _OF_HOMEROOM:
            continue
        line = _line(own, item.code)
        given, due = ((YEAR_BEGINS + timedelta(days=days)).isoformat() for days in (item.given, item.due))
        about = (f"{title} {item.title}", "", given, due)
        yield "lineItems", line, (*about, own, item.category, item.period, 0, item.points, school)
        if item.code in ("H1", "T1"):
            yield "lineItemScoreScales", f"LSS-{line}", ("Letters", line, scale)
        if subject in "MR" and item.code in ("Q1", "T1"):
            yield "lineItemLearningObjectiveIds", f"LLO-{line}", (line, "case", _objective(section, subject, item.code))


def results(rng: np.random.Generator, section: Section) -> Iterator[Row]:
    """What the students of a section were given in mathematics and in reading."""
    for column, (subject, code) in enumerate((("M", "Q1"), ("R", "H1"))):
        item = next(item for item in _ITEMS if item.code == code)
        own = section.class_id(subject)
        line, scale = _line(own, code), _scale(own)
        above = section.ability[:, column] - GROWTH * (section.grade - 5)
        share = 1 / (1 + np.exp(-(1 + above + rng.normal(0, 0.5, len(above)))))
        status = _STATUSES[rng.choice(len(_STATUSES), p=_SHARES, size=len(above))]
        late = rng.random(len(above)) < _LATE
        about = _objective(section, subject, code)
        day = (YEAR_BEGINS + timedelta(days=item.due + 3)).isoformat()
        for row, student in enumerate(section.students):
            result, graded = f"RES-{student.sourced_id}-{subject}", status[row] == _GRADED
            points = round(float(share[row]) * item.points)
            letter = _letter(points) if subject == "R" and graded else ""
            yield (
                *("results", result),
                (
                    *(line, student.sourced_id, str(status[row]), points if graded else "", day, "", letter, own),
                    *("false", "false", _said(bool(late[row])), _said(status[row] == "not submitted")),
                ),
            )
            if not graded:
                continue
            if subject == "M":
                yield "resultLearningObjectiveIds", f"RLO-{result}", (result, "case", about, points, "")
            else:
                yield "resultScoreScales", f"RSS-{result}", ("Letters", result, scale)


def few_results(section: Section, subjects: Iterable[str]) -> Iterator[Row]:
    """What the first few students of a section were given for taking part in these classes."""
    item = next(item for item in _ITEMS if item.code == "P1")
    day = (YEAR_BEGINS + timedelta(days=item.due + 3)).isoformat()
    for subject in subjects:
        own = section.class_id(subject)
        for order, student in enumerate(section.students[:_FEW]):
            about = (_line(own, item.code), student.sourced_id, _GRADED, item.points - order, day, "", "", own)
            yield "results", f"RES-{student.sourced_id}-{subject}", (*about, "false", "false", "false", "false")


def _said(value: bool) -> str:
    return "true" if value else "false"


def _bands() -> Iterator[tuple[int, int, str]]:
    most = 100
    for least, letter in _LETTERS:
        yield least, most, letter
        most = least - 1


def _letter(points: int) -> str:
    return next(letter for least, letter in _LETTERS if points >= least)


def _scale(class_id: str) -> str:
    return f"SCL-{class_id.removeprefix('CLS-')}"


def _line(class_id: str, code: str) -> str:
    return f"LI-{class_id.removeprefix('CLS-')}-{code}"


def _objective(section: Section, subject: str, code: str) -> str:
    """The competency an item is about: the first strand's for a quiz, the second's for a test."""
    return identifier(f"TR.{subject}.{section.grade}.{list(strands(subject))[0 if code == 'Q1' else 1]}")
