"""Attempts: staged by an import as slices of sheets, merged with their history kept, listed by student."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from uuid import UUID

import numpy as np

from services.assessment.domain.forms import Purpose
from services.assessment.domain.irt import Codes
from services.assessment.domain.sheets import SHEET, Ids, Ints, Sheets, cut
from services.assessment.store import copying, mergers
from shared.db import Transaction

_SLICE = (
    "import_id", "first", "first_line", "last_line", "administration_id", "form_id", "form_version_id", "purpose",
    "reason", "parameter_version", "sheets", "scores", "responses",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Slice:
    """Some of an import's sheets, of one form in one administration.

    `reason` is why a sheet without ability has none; `responses` is UTF-8, one sheet's after the other's.
    """

    administration: UUID
    form: UUID
    form_version: UUID
    purpose: Purpose
    reason: str
    parameter_version: str | None
    sheets: Sheets
    scores: Codes
    responses: bytes


async def stage(tx: Transaction, import_id: UUID, first: int, slices: Iterable[Slice]) -> int:
    """Keep valid sheets until they are merged; `first` is how many there are already, and the answer how many then."""
    rows = []
    for each in slices:
        lines = each.sheets["line"]
        rows.append((
            import_id, first, int(lines.min()), int(lines.max()), each.administration, each.form, each.form_version,
            each.purpose.value, each.reason, each.parameter_version, each.sheets.tobytes(), each.scores.tobytes(),
            each.responses,
        ))  # fmt: skip
        first += len(each.sheets)
    await tx.copy("sheets", _SLICE, rows, schema="stage")
    return first


async def clear_stage(tx: Transaction, import_id: UUID) -> None:
    """Empty this import's stage."""
    await tx.run("DELETE FROM stage.sheets WHERE import_id = $1", import_id)


async def leave_out(tx: Transaction, import_id: UUID, lines: Sequence[int]) -> None:
    """What was staged of these lines, which rise, is not to be merged."""
    slices = await tx.fetch("SELECT first, first_line, last_line FROM stage.sheets WHERE import_id = $1", import_id)
    rows = []
    for each in slices:
        begin, end = bisect_left(lines, each["first_line"]), bisect_right(lines, each["last_line"])
        if begin < end:
            rows.append((import_id, each["first"], lines[begin:end]))
    await tx.run_many("UPDATE stage.sheets SET left_out = $3 WHERE import_id = $1 AND first = $2", rows)


async def list_kept(tx: Transaction, students: Ids, attempts: Ids) -> set[bytes]:
    """Which of these attempts there are, withdrawn or not."""
    asked = _uuids(students)
    now = await mergers.whom(tx, asked)
    rows = await tx.fetch(
        """
        SELECT a.id FROM unnest($1::uuid[], $2::uuid[]) AS asked (student_id, id)
        JOIN attempts a ON (a.student_id, a.id) = (asked.student_id, asked.id)
        """,
        [now.get(one, one) for one in asked] if now else asked,
        _uuids(attempts),
    )
    return {row["id"].bytes for row in rows}


def _uuids(ids: Ids) -> list[UUID]:
    return [UUID(bytes=id_.tobytes()) for id_ in ids]


async def list_staged(tx: Transaction, import_id: UUID, first: int, about: int) -> tuple[list[Slice], int]:
    """Staged sheets from `first` on, at least so many if there are; and where the following ones begin."""
    rows = await tx.fetch(
        """
        SELECT first, left_out, administration_id, form_id, form_version_id, purpose, reason, parameter_version,
               sheets, scores, responses
        FROM stage.sheets WHERE import_id = $1 AND first >= $2 AND first < $2 + $3 ORDER BY first
        """,
        import_id,
        first,
        about,
    )
    slices = []
    for row in rows:
        sheets = np.frombuffer(row["sheets"], dtype=SHEET)
        first = row["first"] + len(sheets)
        scores, responses = np.frombuffer(row["scores"], dtype=np.uint8).reshape(len(sheets), -1), row["responses"]
        if row["left_out"]:
            good = ~np.isin(sheets["line"], row["left_out"])
            responses = b"".join(compress(cut(sheets, responses), good))
            sheets, scores = sheets[good], scores[good]
        slices.append(
            Slice(
                row["administration_id"], row["form_id"], row["form_version_id"], Purpose(row["purpose"]),
                row["reason"], row["parameter_version"], sheets, scores, responses,
            )
        )  # fmt: skip
    return slices, first


async def has_staged(tx: Transaction, import_id: UUID, first: int) -> bool:
    """Whether there are staged sheets from `first` on."""
    return bool(
        await tx.fetchval(
            "SELECT EXISTS (SELECT FROM stage.sheets WHERE import_id = $1 AND first >= $2)", import_id, first
        )
    )


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of attempts that come in again: their places among those that came, and columns beside."""

    places: Ints
    versions: Ints
    withdrawn: Sequence[bool]
    same: Sequence[bool]


class Merging:
    """A chunk of sheets beside the attempts that are kept: in a table of this transaction's own.

    What is the same in a whole slice is not in its rows: statements find it in arrays, by the slice's place.
    """

    def __init__(self, tx: Transaction, slices: Sequence[Slice], engine_version: str) -> None:
        self._tx, self._slices, self._engine_version = tx, slices, engine_version

    async def look(self) -> Kept:
        """Bring the sheets in; what is kept of the same attempts, by the sheets' places in all slices together."""
        await self._tx.temp("coming", f"{copying.COLUMNS}, origin_id uuid")
        await self._tx.copy_binary("coming", copying.NAMES, self._tuples())
        await self._follow()
        rows = await self._tx.fetch(
            """
            SELECT s.number, a.version, a.withdrawn,
                   a.responses = s.responses AND a.modality = s.modality
                   AND a.form_version_id = ($1::uuid[])[s.part]
            FROM coming s
            CROSS JOIN LATERAL (
                SELECT * FROM attempts WHERE (attempts.student_id, attempts.id) = (s.student_id, s.id) LIMIT 1
            ) AS a
            """,  # a look-up for each sheet, whatever the planner believes of a table that was filled a moment ago
            [each.form_version for each in self._slices],
        )
        places, versions, withdrawn, same = zip(*rows, strict=True) if rows else ((), (), (), ())
        return Kept(np.array(places, dtype=np.int64), np.array(versions, dtype=np.int64), withdrawn, same)

    async def _follow(self) -> None:
        """Sheets of students who were merged into others are the others'; whose they were stays with them."""
        await mergers.hold(self._tx, to_change=False)
        rows = await self._tx.fetch(
            "SELECT DISTINCT student_id FROM coming WHERE student_id IN (SELECT absorbed_id FROM mergers WHERE holds)"
        )
        now = await mergers.whom(self._tx, [row["student_id"] for row in rows])
        if now:
            await self._tx.run(
                """
                UPDATE coming s SET student_id = w.now, origin_id = w.origin
                FROM unnest($1::uuid[], $2::uuid[]) AS w (origin, now) WHERE s.student_id = w.origin
                """,
                list(now), list(now.values()),
            )  # fmt: skip

    def _tuples(self) -> Iterable[bytes]:
        first = 0
        for part, each in enumerate(self._slices, start=1):  # PostgreSQL counts from 1
            numbers = np.arange(first, first + len(each.sheets))
            first += len(each.sheets)
            yield copying.tuples(numbers, part, each.sheets, each.scores, cut(each.sheets, each.responses))

    async def add(self, but: Collection[int]) -> None:
        """Keep the sheets that came as new attempts, but for those at these places."""
        await self._tx.run(
            """
            INSERT INTO attempts (
                id, district_id, student_id, administration_id, form_id, form_version_id, completed_at, theta,
                standard_error, raw_score, maximum, version, modality, reason, parameter_version, engine_version,
                responses, scores, origin_id
            )
            SELECT s.id, $1, s.student_id, ($2::uuid[])[s.part], ($3::uuid[])[s.part], ($4::uuid[])[s.part],
                   s.completed_at, NULLIF(s.theta, 'NaN'), NULLIF(s.standard_error, 'NaN'), s.raw_score, s.maximum, 1,
                   s.modality, CASE WHEN s.theta = 'NaN' THEN ($5::text[])[s.part] END, ($6::text[])[s.part], $7,
                   s.responses, s.scores, s.origin_id
            FROM coming s WHERE s.number <> ALL ($8::integer[])
            """,
            self._tx.caller.district,
            [each.administration for each in self._slices],
            [each.form for each in self._slices],
            [each.form_version for each in self._slices],
            [each.reason for each in self._slices],
            [each.parameter_version for each in self._slices],
            self._engine_version,
            but,
        )

    async def replace(self, places: Sequence[int]) -> None:
        """Replace attempts by the sheets at these places; what they said before goes to the history."""
        await self._remember(places)
        await self._tx.run(
            """
            UPDATE attempts a
            SET version = a.version + 1, recorded_at = now(), withdrawn = false, engine_version = $2,
                form_version_id = ($3::uuid[])[s.part], theta = NULLIF(s.theta, 'NaN'),
                standard_error = NULLIF(s.standard_error, 'NaN'), raw_score = s.raw_score, maximum = s.maximum,
                modality = s.modality, reason = CASE WHEN s.theta = 'NaN' THEN ($4::text[])[s.part] END,
                parameter_version = ($5::text[])[s.part], responses = s.responses, scores = s.scores
            FROM coming s
            WHERE s.number = ANY ($1::integer[]) AND (a.student_id, a.id) = (s.student_id, s.id)
            """,
            places,
            self._engine_version,
            [each.form_version for each in self._slices],
            [each.reason for each in self._slices],
            [each.parameter_version for each in self._slices],
        )

    async def withdraw(self, places: Sequence[int]) -> None:
        """Take back the attempts that the sheets at these places speak of; what they say stays, and is not counted."""
        await self._remember(places)
        await self._tx.run(
            """
            UPDATE attempts a SET version = a.version + 1, recorded_at = now(), withdrawn = true
            FROM coming s
            WHERE s.number = ANY ($1::integer[]) AND (a.student_id, a.id) = (s.student_id, s.id)
            """,
            places,
        )

    async def _remember(self, places: Sequence[int]) -> None:
        await self._tx.run(
            """
            INSERT INTO attempt_history (
                attempt_id, version, district_id, student_id, recorded_at, engine_version, form_version_id, theta,
                standard_error, raw_score, maximum, modality, reason, parameter_version, responses, scores, withdrawn
            )
            SELECT a.id, a.version, a.district_id, a.student_id, a.recorded_at, a.engine_version, a.form_version_id,
                   a.theta, a.standard_error, a.raw_score, a.maximum, a.modality, a.reason, a.parameter_version,
                   a.responses, a.scores, a.withdrawn
            FROM coming s JOIN attempts a ON (a.student_id, a.id) = (s.student_id, s.id)
            WHERE s.number = ANY ($1::integer[])
            """,
            places,
        )


@dataclass(frozen=True, slots=True)
class Result:
    """What one attempt found, for readers."""

    attempt: UUID
    administration: UUID
    form: str
    completed_at: datetime
    theta: float | None
    standard_error: float | None
    raw_score: int
    maximum: int
    reason: str | None
    parameter_version: str | None


async def list_results(tx: Transaction, students: Sequence[UUID]) -> dict[UUID, list[Result]]:
    """The students' results in the order of evidence: completed at, administration code, form code.

    Attempts that are withdrawn are none.
    """
    rows = await tx.fetch(
        """
        SELECT t.student_id, t.id, t.administration_id, f.code, t.completed_at, t.theta, t.standard_error,
               t.raw_score, t.maximum, t.reason, t.parameter_version
        FROM attempts t JOIN administrations a ON a.id = t.administration_id JOIN forms f ON f.id = t.form_id
        WHERE t.student_id = ANY ($1) AND NOT t.withdrawn
        ORDER BY t.completed_at, a.code COLLATE "C", f.code COLLATE "C"
        """,
        students,
    )
    found: dict[UUID, list[Result]] = {}
    for student, *result in rows:
        found.setdefault(student, []).append(Result(*result))
    return found
