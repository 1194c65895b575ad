"""The guard of a district's rosters: what an import may do without a person being asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

ROWS_SPARED = 10
"""So many rows more or fewer never ask a person, however small the file."""
REMEMBERED = 5
"""A file's rows are compared with those of so many imports before."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Shares in percent.

    More than `school_percent` of a school's people leaving asks a person (one may always leave), and so does at least
    `class_percent` of a class of `class_least` students or more; a file with fewer rows than `rows_least_percent` of
    the fewest, or more than `rows_most_percent` of the most, of the last imports; and a file that is absent and was
    there, unless absent files are allowed.
    """

    school_percent: float = 5
    class_percent: float = 50
    class_least: int = 5
    rows_least_percent: float = 90
    rows_most_percent: float = 200
    absent_files: Literal["hold", "allow"] = "hold"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a person is asked: what it is about, and what to do."""

    file: str
    column: str | None
    value: str | None
    rule: str
    remedy: str


def rows_out_of_range(file: str, rows: int, before: Sequence[int], allowed: Thresholds) -> Reason | None:
    """Whether a file has far fewer or more rows than in the imports before."""
    if not before or not rows:  # a header alone has a rule of its own
        return None
    fewest, most = min(before), max(before)
    if rows * 100 < fewest * allowed.rows_least_percent and fewest - rows > ROWS_SPARED:
        said = f"fewer than {_percent(allowed.rows_least_percent)} of the fewest ({fewest:,})"
    elif rows * 100 > most * allowed.rows_most_percent and rows - most > ROWS_SPARED:
        said = f"more than {_percent(allowed.rows_most_percent)} of the most ({most:,})"
    else:
        return None
    last = "the last import" if len(before) == 1 else f"the last {len(before)} imports"
    remedy = (
        f"The file has {rows:,} rows, {said} of {last}. See that the export is whole; if it is, approve this import."
    )
    return Reason(f"{file}.csv", None, f"{rows}", "row-count", remedy)


def absent(file: str, rows: int) -> Reason:
    """A file that came with the last import and does not come with this one."""
    remedy = (
        f"The last import brought {rows:,} rows of this file; now it is absent. Send it too; or approve this import, "
        "and what it said before stays."
    )
    return Reason(f"{file}.csv", None, None, "absent-file", remedy)


def school_empties(school: str, name: str, people: int, leaving: int, allowed: Thresholds) -> Reason:
    """Many people would leave a school."""
    remedy = (
        f"{leaving:,} of the {people:,} people of {name} would leave ({100 * leaving / people:.0f} %; without asking "
        f"{_percent(allowed.school_percent)} may). See that the files have everybody; then approve this import."
    )
    return Reason("enrollments.csv", "schoolSourcedId", school, "mass-removal", remedy)


def class_empties(section: str, title: str, people: int, leaving: int, allowed: Thresholds) -> Reason:
    """Many students would leave a class."""
    remedy = (
        f"{leaving:,} of the {people:,} students of {title} would leave ({100 * leaving / people:.0f} %; without "
        f"asking fewer than {_percent(allowed.class_percent)} may). See that the files have everybody; then "
        "approve this import."
    )
    return Reason("enrollments.csv", "classSourcedId", section, "class-removal", remedy)


def _percent(share: float) -> str:
    return f"{share:g} %"
