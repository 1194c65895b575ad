"""Attempts: staged by an import, merged in chunks, corrected with their history kept, listed by student."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.assessment.domain.irt import ENGINE_VERSION
from shared.db import Transaction

STAGED = (
    "import_id",
    "line",
    "id",
    "student_id",
    "administration_id",
    "form_id",
    "form_version_id",
    "completed_at",
    "modality",
    "responses",
    "scores",
    "raw_score",
    "maximum",
    "theta",
    "standard_error",
    "reason",
    "parameter_version",
)
"""The columns of the stage, in the order of `stage`'s rows; `completed_at` in microseconds since 1970 UTC."""

_COMPLETED = "TIMESTAMPTZ 'epoch' + s.completed_at * INTERVAL '1 microsecond'"
_SAME_ATTEMPT = f"""
    a.student_id = s.student_id AND a.administration_id = s.administration_id AND a.form_id = s.form_id
    AND a.completed_at = {_COMPLETED}
"""
_RESULT = (
    "form_version_id, theta, standard_error, raw_score, maximum, modality, reason, parameter_version, responses, scores"
)
_STAGED_RESULT = ", ".join(f"s.{name}" for name in _RESULT.split(", "))
_FORMER_RESULT = ", ".join(f"a.{name}" for name in _RESULT.split(", "))


async def stage(tx: Transaction, rows: Iterable[Sequence[Any]]) -> None:
    """Keep valid sheets until they are merged."""
    await tx.copy("sheets", STAGED, rows, schema="stage")


async def clear_stage(tx: Transaction, import_id: UUID) -> None:
    """Empty this import's stage."""
    await tx.run("DELETE FROM stage.sheets WHERE import_id = $1", import_id)


async def take_out_repeated(tx: Transaction, import_id: UUID) -> list[tuple[int, int]]:
    """Take every attempt that the file has a second time off the stage; its line, and the line of the first."""
    rows = await tx.fetch(
        """
        SELECT line, first
        FROM (
            SELECT line, min(line) OVER (PARTITION BY id) AS first FROM stage.sheets WHERE import_id = $1
        ) AS placed
        WHERE line > first ORDER BY line
        """,
        import_id,
    )
    if rows:
        await tx.run(
            "DELETE FROM stage.sheets WHERE import_id = $1 AND line = ANY ($2::bigint[])",
            import_id,
            [row["line"] for row in rows],
        )
    return [(row["line"], row["first"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Staged sheets as parallel columns. `had` is the version that is kept already, None for a new attempt."""

    lines: Sequence[int] = ()
    attempts: Sequence[UUID] = ()
    students: Sequence[UUID] = ()
    administrations: Sequence[UUID] = ()
    form_versions: Sequence[UUID] = ()
    completed_at: Sequence[int] = ()
    modalities: Sequence[int] = ()
    scores: Sequence[bytes] = ()
    theta: Sequence[float | None] = ()
    standard_error: Sequence[float | None] = ()
    parameter_versions: Sequence[str | None] = ()
    had: Sequence[int | None] = ()
    same: Sequence[bool | None] = ()


async def chunk(tx: Transaction, import_id: UUID, after: int, limit: int) -> Chunk:
    """The staged sheets that follow line `after`, beside what is kept of the same attempts.

    The planner is held to index look-ups: it knows nothing of tables that have grown since it last looked, and would
    read all of them for every chunk.
    """
    await tx.run(
        "SELECT set_config(name, 'off', true) FROM unnest($1::text[]) AS name",
        ["enable_hashjoin", "enable_mergejoin", "enable_seqscan"],
    )
    rows = await tx.fetch(
        f"""
        SELECT s.line, COALESCE(a.id, s.id), s.student_id, s.administration_id, s.form_version_id, s.completed_at,
               s.modality, s.scores, s.theta, s.standard_error, s.parameter_version, a.version,
               a.responses = s.responses AND a.form_version_id = s.form_version_id AND a.modality = s.modality
        FROM stage.sheets s LEFT JOIN attempts a ON {_SAME_ATTEMPT}
        WHERE s.import_id = $1 AND s.line > $2 ORDER BY s.line LIMIT $3
        """,  # noqa: S608 - constants above
        import_id,
        after,
        limit,
    )
    return Chunk(*zip(*rows, strict=True)) if rows else Chunk()


async def add(tx: Transaction, import_id: UUID, lines: Sequence[int]) -> None:
    """Keep the staged sheets of these lines as new attempts."""
    await tx.run(
        f"""
        INSERT INTO attempts (id, district_id, student_id, administration_id, form_id, completed_at, version,
                              engine_version, {_RESULT})
        SELECT s.id, $3, s.student_id, s.administration_id, s.form_id, {_COMPLETED}, 1, $4, {_STAGED_RESULT}
        FROM stage.sheets s WHERE s.import_id = $1 AND s.line = ANY ($2::bigint[])
        """,  # noqa: S608 - constants above
        import_id,
        lines,
        tx.caller.district,
        ENGINE_VERSION,
    )


async def correct(tx: Transaction, import_id: UUID, lines: Sequence[int]) -> None:
    """Replace attempts by the staged sheets of these lines; what they said before goes to the history."""
    await tx.run(
        f"""
        INSERT INTO attempt_history
            (attempt_id, version, district_id, student_id, recorded_at, engine_version, {_RESULT})
        SELECT a.id, a.version, a.district_id, a.student_id, a.recorded_at, a.engine_version, {_FORMER_RESULT}
        FROM stage.sheets s JOIN attempts a ON {_SAME_ATTEMPT}
        WHERE s.import_id = $1 AND s.line = ANY ($2::bigint[])
        """,  # noqa: S608 - constants above
        import_id,
        lines,
    )
    await tx.run(
        f"""
        UPDATE attempts a SET version = a.version + 1, recorded_at = now(), engine_version = $3,
                              ({_RESULT}) = ROW ({_STAGED_RESULT})
        FROM stage.sheets s
        WHERE s.import_id = $1 AND s.line = ANY ($2::bigint[]) AND {_SAME_ATTEMPT}
        """,  # noqa: S608 - constants above
        import_id,
        lines,
        ENGINE_VERSION,
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
    """The students' results in the order of evidence: completed at, administration code, form code."""
    rows = await tx.fetch(
        """
        SELECT t.student_id, t.id, t.administration_id, f.code, t.completed_at, t.theta, t.standard_error,
               t.raw_score, t.maximum, t.reason, t.parameter_version
        FROM attempts t JOIN administrations a ON a.id = t.administration_id JOIN forms f ON f.id = t.form_id
        WHERE t.student_id = ANY ($1)
        ORDER BY t.completed_at, a.code COLLATE "C", f.code COLLATE "C"
        """,
        students,
    )
    found: dict[UUID, list[Result]] = {}
    for student, *result in rows:
        found.setdefault(student, []).append(Result(*result))
    return found
