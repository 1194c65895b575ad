"""Scoring: what the responses in a column earn, and what a sheet adds up to.

One byte per item: 0 to 250 the score, 253 not reached, 254 omitted, 255 not presented. Facts carry these bytes and
other services read them; never change them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from services.assessment.domain.forms import Form, Item
from services.assessment.domain.irt import (
    HIGHEST_SCORE,
    NOT_PRESENTED,
    NOT_REACHED,
    OMITTED,
    Codes,
    Parameters,
    Responses,
    plain,
)
from services.assessment.domain.irt.ability import Estimates, eap
from services.assessment.domain.irt.kernels import Kernel
from services.assessment.domain.irt.models import Floats
from services.assessment.domain.irt.packing import pack
from services.assessment.domain.irt.responses import usable

NOT_ALLOWED = 252
"""Never stored: marks a response that the item does not allow."""

SPECIAL = {"": NOT_PRESENTED, "-": OMITTED, "/": NOT_REACHED}
"""What an empty cell, a hyphen and a slash mean, on every item."""

Reason = Literal["NOT_CALIBRATED", "NO_RESPONSES"]
Counts = NDArray[np.int64]

REMEMBERED = 1_000  # unlisted responses an open item keeps, so that a column of essays cannot fill the memory


class ScoreOf(dict[str, int]):
    """The byte for each response to one item; looked up for a whole column with `map(table.__getitem__, column)`.

    An item without options allows any response and unlisted ones earn 0, but one with spaces around it is taken
    for a slip of the sender, not for a wrong answer.
    """

    def __init__(self, item: Item) -> None:
        super().__init__(item.scores | SPECIAL)
        self._otherwise = NOT_ALLOWED if item.closed else 0
        self._room = REMEMBERED

    def __missing__(self, response: str) -> int:
        byte = self._otherwise if response == response.strip() else NOT_ALLOWED
        if self._room:
            self._room -= 1
            self[response] = byte
        return byte


def score_columns(items: Sequence[Item], columns: Sequence[Sequence[str]]) -> Codes:
    """Raw responses, one column per item, to bytes of shape (students, items); 252 where a response is not allowed."""
    students = len(columns[0]) if columns else 0
    scored = np.empty((len(items), students), dtype=np.uint8)
    for position, (item, column) in enumerate(zip(items, columns, strict=True)):
        table = ScoreOf(item)
        scored[position] = np.frombuffer(bytes(map(table.__getitem__, column)), dtype=np.uint8)
    return np.ascontiguousarray(scored.T)


def raw_scores(scores: Codes) -> Counts:
    """Points of every student: the sum of the item scores, omitted and not reached counting 0."""
    return np.asarray(np.where(scores <= HIGHEST_SCORE, scores, 0).sum(axis=1, dtype=np.int64))


def maxima(scores: Codes, items: Sequence[Item]) -> Counts:
    """Points that were to be had by every student: the maxima of all items but those not presented."""
    most = np.array([item.maximum for item in items], dtype=np.int64)
    return np.asarray(np.where(scores != NOT_PRESENTED, most, 0).sum(axis=1, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class Results:
    """What scoring finds, one entry per student. `theta` and `standard_error` are NaN where there is none."""

    raw: Counts
    maximum: Counts
    theta: Floats
    standard_error: Floats


def results(form: Form, scores: Codes, kernel: Kernel = plain) -> Results:
    """Raw scores and abilities of students who took one form; scores (students, items)."""
    found = abilities(scores, [item.parameters for item in form.items], kernel)
    return Results(
        raw=raw_scores(scores), maximum=maxima(scores, form.items), theta=found.theta, standard_error=found.se
    )


def abilities(scores: Codes, items: Sequence[Parameters | None], kernel: Kernel = plain) -> Estimates:
    """EAP abilities from the items that have parameters; omitted is wrong, not reached and not presented say nothing.

    Bytes always have room for not presented, so a student's estimate has the same bits whoever else is there.
    """
    calibrated = [place for place, item in enumerate(items) if item is not None]
    used = [item for item in items if item is not None]
    packed = pack(Responses(usable(scores[:, calibrated])), [item.categories for item in used], missing=True)
    return eap(packed, used, kernel=kernel)


def why_no_ability(form: Form) -> Reason:
    """Why a sheet of this form can lack an ability: the form was never calibrated, or nothing usable was answered."""
    return "NO_RESPONSES" if form.calibrated else "NOT_CALIBRATED"
