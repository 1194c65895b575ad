"""A week of attendance in the invented district, and the days on which schools were closed."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import numpy as np

from deploy.cli.demo.people import School, Section

ATTENDANCE_HEADER = b"student,date,school,code,modality\n"
CLOSURES_HEADER = b"school,class,begin,end,modality,reason\n"
WEEK = tuple(date(2026, 9, 14) + timedelta(days=n) for n in range(5))
"""Monday to Friday."""

_WITHOUT_WATER, _WITHOUT_POWER = WEEK[2], WEEK[4]
_CODES = ("P", "A", "E", "T")
"""Present, absent, absent with an excuse, tardy."""
_SHARES = [0.91, 0.03, 0.03, 0.03]


def closures(school: School, sections: Sequence[Section]) -> Iterator[bytes]:
    """The days on which a school, or one of its classes, did not meet as usual."""
    if _remote(school):
        yield f"{school.sourced_id},,{_WITHOUT_WATER},{_WITHOUT_WATER},remote,No water in the building\n".encode()
    if _shut(school):
        yield f"{school.sourced_id},,{_WITHOUT_POWER},{_WITHOUT_POWER},,Power failure\n".encode()
    if school.number == 0 and sections:
        who = f"{school.sourced_id},{sections[0].class_id('M')}"
        yield f"{who},{WEEK[1]},{WEEK[2]},paper,The teacher was ill\n".encode()


def attendance(school: School, sections: Sequence[Section], seed: int) -> Iterator[bytes]:
    """A line for every student and day on which the school met."""
    rng = np.random.default_rng([seed, 9, school.number])
    names = [student.sourced_id for section in sections for student in section.students]
    online = rng.random(len(names)) < 0.03
    for day in WEEK:
        codes = rng.choice(len(_CODES), p=_SHARES, size=len(names)).tolist()
        if day == _WITHOUT_POWER and _shut(school):
            continue
        everyone = day == _WITHOUT_WATER and _remote(school)
        middle = f",{day},{school.sourced_id},"
        ends = [[f"{middle}{code},{how}\n" for how in ("in person", "remote")] for code in _CODES]
        rows = zip(names, codes, (online | everyone).tolist(), strict=True)
        yield "".join(f"{name}{ends[code][remote]}" for name, code, remote in rows).encode()


def _remote(school: School) -> bool:
    return school.number % 9 == 4


def _shut(school: School) -> bool:
    return school.number % 9 == 7
