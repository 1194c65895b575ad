"""Scored sheets as PostgreSQL's binary COPY writes tuples, made in columns.

A tuple is its number of fields (16 bits), then each field's length (32 bits) and bytes, all big-endian; a timestamp is
in microseconds since 2000. All but the responses is equally wide in all sheets of a form.
(PostgreSQL 18 documentation, COPY, "Binary Format".)
"""

import numpy as np

from services.assessment.domain.irt import Codes
from services.assessment.domain.sheets import Ints, Sheets

COLUMNS = (
    "number integer, part integer, id uuid, student_id uuid, completed_at timestamptz, raw_score integer, "
    "maximum integer, modality smallint, theta double precision, standard_error double precision, scores bytea, "
    "responses text"
)
NAMES = [column.strip().partition(" ")[0] for column in COLUMNS.split(",")]
_YEAR_2000 = 946_684_800_000_000  # microseconds since 1970


def tuples(numbers: Ints, part: int, sheets: Sheets, scores: Codes, responses: list[bytes]) -> bytes:
    """These sheets as tuples of `COLUMNS`; theta and standard error are NaN where there is none."""
    fields: list[tuple[str, str, object]] = [
        ("number", ">i4", numbers),
        ("part", ">i4", part),
        ("id", "(16,)u1", sheets["attempt"]),
        ("student_id", "(16,)u1", sheets["student"]),
        ("completed_at", ">i8", sheets["completed_at"] - _YEAR_2000),
        ("raw_score", ">i4", sheets["raw"]),
        ("maximum", ">i4", sheets["maximum"]),
        ("modality", ">i2", sheets["modality"]),
        ("theta", ">f8", sheets["theta"]),
        ("standard_error", ">f8", sheets["standard_error"]),
        ("scores", f"({scores.shape[1]},)u1", scores),
    ]
    layout = [("fields", ">i2")]
    for name, type_, _ in fields:
        layout += [(f"{name} length", ">i4"), (name, type_)]
    heads = np.empty(len(sheets), dtype=[*layout, ("responses length", ">i4")])
    heads["fields"] = len(NAMES)
    for name, _, column in fields:
        heads[name] = column
        heads[f"{name} length"] = heads.dtype[name].itemsize
    heads["responses length"] = sheets["width"]
    whole, width = heads.tobytes(), heads.itemsize
    pieces = [b""] * (2 * len(sheets))
    pieces[::2] = [whole[start : start + width] for start in range(0, len(whole), width)]
    pieces[1::2] = responses
    return b"".join(pieces)
