"""A small forms file, and answer sheets to it."""

import copy
from typing import Any

ADD, COUNT = "11111111-0000-4000-8000-00000000000a", "11111111-0000-4000-8000-00000000000b"

FORMS: dict[str, Any] = {
    "format": "trellis-forms/1",
    "forms": [
        {
            "id": "M4-A",
            "title": "Mathematics 4 A",
            "parameterVersion": "2026-spring",
            "items": [
                {
                    "id": "m4-001",
                    "maximum": 1,
                    "competencies": [ADD],
                    "options": ["A", "B", "C", "D"],
                    "key": "B",
                    "parameters": {"model": "2pl", "a": 1.1, "b": -0.3},
                },
                {
                    "id": "m4-002",
                    "maximum": 3,
                    "competencies": [ADD, COUNT],
                    "rubric": {"0": "nothing", "1": "a start", "2": "nearly", "3": "all"},
                    "parameters": {"model": "gpcm", "a": 0.8, "b": [-1.0, 0.1, 0.9]},
                },
                {"id": "m4-003", "maximum": 2, "competencies": [], "key": {"7": 2, "seven": 1}},
            ],
        },
        {
            "id": "M4-B",
            "title": "Mathematics 4 B",
            "items": [
                {
                    "id": "m4-101",
                    "maximum": 1,
                    "competencies": [COUNT],
                    "options": ["A", "B"],
                    "key": "A",
                }
            ],
        },
    ],
    "administrations": [
        {
            "id": "2026-fall",
            "title": "Fall diagnostic",
            "purpose": "diagnostic",
            "opensAt": "2026-09-01T00:00:00Z",
            "closesAt": "2026-10-01T00:00:00-05:00",
            "forms": ["M4-A", "M4-B"],
        },
        {
            "id": "2026-check",
            "title": "A check",
            "purpose": "formative",
            "opensAt": "2026-09-01T00:00:00Z",
            "closesAt": "2026-12-01T00:00:00Z",
            "forms": ["M4-A"],
        },
    ],
}

HEADER = "administration,student,form,completed_at,modality,m4-001,m4-002,m4-003,m4-101"


def forms_file(*steps_and_value: Any) -> dict[str, Any]:
    """The forms file, with one value changed: steps to it, then the value; DELETE removes it."""
    made = copy.deepcopy(FORMS)
    if steps_and_value:
        *steps, last, value = steps_and_value
        place: Any = made
        for step in steps:
            place = place[step]
        if value is DELETE:
            del place[last]
        else:
            place[last] = value
    return made


DELETE = object()
