"""What is believed, a packed row per student."""

from collections.abc import Collection, Container, Iterator, Sequence
from uuid import UUID

import asyncpg
import numpy as np
from numpy.typing import NDArray

from services.mastery.domain.standing import Standing
from services.mastery.domain.study import Believed, Block, Studied
from services.mastery.store import ids
from shared.copying import cut, packed, tuples
from shared.db import Transaction

_COLUMNS = """
    student_id, through_at, through_administration, through_form, model_version, entries,
    competencies, probabilities, lowers, uppers, counts, last_evidence
"""

_LANES = ("probabilities", "lowers", "uppers")


_BLOCKS = """
    SELECT competencies, through_administration, through_form, model_version,
           string_agg(uuid_send(student_id), ''::bytea) AS students,
           string_agg(int8send(through_at), ''::bytea) AS through_at,
           string_agg(probabilities, ''::bytea) AS probabilities,
           string_agg(lowers, ''::bytea) AS lowers,
           string_agg(uppers, ''::bytea) AS uppers,
           string_agg(counts, ''::bytea) AS counts,
           string_agg(last_evidence, ''::bytea) AS last_evidence
    FROM mastery WHERE student_id = ANY ({students})
    GROUP BY competencies, through_administration, through_form, model_version
"""
_OF_HEARD = _BLOCKS.format(students="ARRAY (SELECT student_id FROM heard_sheets)")
_OF_GIVEN = _BLOCKS.format(students="$1::uuid[]")


async def blocks(tx: Transaction) -> list[Block]:
    """Where the students stand whose sheets were heard; those without a standing are left out."""
    return [_block(row) for row in await tx.fetch(_OF_HEARD)]


async def blocks_of(tx: Transaction, students: Collection[bytes]) -> list[Block]:
    """Where these students stand; those without a standing are left out."""
    return [_block(row) for row in await tx.fetch(_OF_GIVEN, ids(students))]


def _block(row: asyncpg.Record) -> Block:
    students = cut(row["students"], 16)
    shape = len(students), len(row["competencies"]) // 16
    return Block(
        competencies=row["competencies"],
        through_administration=row["through_administration"],
        through_form=row["through_form"],
        model_version=row["model_version"],
        students=students,
        through_at=np.frombuffer(row["through_at"], dtype=">i8").astype(np.int64),
        beliefs=np.array([np.frombuffer(row[name], dtype="<f8").reshape(shape) for name in _LANES]),
        counts=np.frombuffer(row["counts"], dtype="<i4").astype(np.int64).reshape(shape),
        last_evidence=np.frombuffer(row["last_evidence"], dtype="<i8").astype(np.int64).reshape(shape),
    )


async def visible_standings(tx: Transaction, students: Collection[UUID]) -> dict[UUID, Standing | None]:
    """Where those of these students stand whom the caller may see, to teach them; None without a single sheet.

    A caller for named schools sees the students placed there today; one for a district all that are known.
    """
    tx.caller.need("mastery:read")
    tx.caller.refuse_accountability()
    rows = await tx.fetch(
        f"""
        SELECT asked, mastery.* FROM unnest($1::uuid[]) AS asked
        LEFT JOIN (SELECT {_COLUMNS} FROM mastery) mastery ON mastery.student_id = asked
        WHERE mastery.student_id IS NOT NULL OR EXISTS (SELECT FROM placements WHERE placements.student_id = asked)
        """,  # noqa: S608  # a constant
        students,
    )
    return {row["asked"]: None if row["student_id"] is None else _standing(row) for row in rows}


_STANDS = """
    student_id uuid, through_at bigint, administration integer, form integer, entries integer,
    competencies bytea, probabilities bytea, lowers bytea, uppers bytea, counts bytea, last_evidence bytea,
    is_new boolean
"""
_NAMES = [column.split()[0] for column in _STANDS.split(",")]
_INSERT = f"""
    INSERT INTO mastery (district_id, {_COLUMNS})
    SELECT (SELECT current_setting('app.district')::uuid), student_id, through_at, ($1::text[])[administration + 1],
           ($2::text[])[form + 1], $3, entries, competencies, probabilities, lowers, uppers, counts, last_evidence
    FROM stands WHERE is_new = $4 ORDER BY student_id
"""  # noqa: S608  # a constant
_REPLACE = f"""
    ON CONFLICT (district_id, student_id) DO UPDATE
    SET {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.replace(",", " ").split()[1:])}
"""  # noqa: S608  # a constant


async def save(tx: Transaction, studied: Studied, standing: Container[bytes], model_version: str) -> None:
    """Keep where these students stand; `standing` are those who stood somewhere before, and are held.

    The codes of their last sheets are few and go once.
    """
    administrations: dict[str, int] = {}
    forms: dict[str, int] = {}
    columns = (
        packed(studied.now.students),
        np.array([place[0] for place in studied.through], dtype=np.int64),
        np.array([administrations.setdefault(place[1], len(administrations)) for place in studied.through], np.int32),
        np.array([forms.setdefault(place[2], len(forms)) for place in studied.through], dtype=np.int32),
    )
    is_new = np.array([student not in standing for student in studied.now.students], dtype=np.bool_)
    await tx.temp("stands", _STANDS)
    await tx.copy_binary("stands", _NAMES, _tuples(studied.now, columns, is_new))
    said = list(administrations), list(forms), model_version
    if is_new.any():
        await tx.run(_INSERT, *said, True)
    if not is_new.all():
        await tx.run(_INSERT + _REPLACE, *said, False)


def _tuples(now: Believed, heads: Sequence[NDArray[np.generic]], is_new: NDArray[np.bool_]) -> Iterator[bytes]:
    """A row for each student; those who know about as many competencies are written at once."""
    sizes = np.diff(now.bounds)
    entries = np.concatenate([[0], np.cumsum(now.counts)])[now.bounds]
    for size in np.unique(sizes).tolist():
        rows = np.flatnonzero(sizes == size)
        cells = now.bounds[rows, np.newaxis] + np.arange(size)
        yield tuples(
            *(column[rows] for column in heads),
            np.diff(entries)[rows].astype(np.int32),
            now.competencies[cells].reshape(len(rows), 16 * size),
            *(_bytes(lane[cells].astype("<f8")) for lane in now.beliefs),
            _bytes(now.counts[cells].astype("<i4")),
            _bytes(now.last_evidence[cells].astype("<i8")),
            is_new[rows],
        )


def _bytes(column: NDArray[np.generic]) -> NDArray[np.uint8]:
    rows, width = column.shape
    return np.frombuffer(column.tobytes(), dtype=np.uint8).reshape(rows, width * column.itemsize)


def _standing(row: asyncpg.Record) -> Standing:
    return Standing(
        through=(row["through_at"], row["through_administration"], row["through_form"]),
        model_version=row["model_version"],
        entries=row["entries"],
        competencies=row["competencies"],
        probabilities=row["probabilities"],
        lowers=row["lowers"],
        uppers=row["uppers"],
        counts=row["counts"],
        last_evidence=row["last_evidence"],
    )


async def note_district(tx: Transaction, model_version: str) -> None:
    """Students of the caller's district are traced by this model; nothing when that is known of it, or of another."""
    await tx.run(
        "INSERT INTO stage.traced VALUES (current_setting('app.district')::uuid, $1) ON CONFLICT DO NOTHING",
        model_version,
    )


async def outdated_districts(tx: Transaction, model_version: str) -> list[UUID]:
    """The districts not all of whose students were traced by this model."""
    rows = await tx.fetch(
        "SELECT district_id FROM stage.traced WHERE model_version <> $1 ORDER BY district_id", model_version
    )
    return [row["district_id"] for row in rows]


async def outdated_students(tx: Transaction, model_version: str, after: UUID, most: int) -> list[UUID]:
    """Students who were traced by another model, by id, so many of those after this one."""
    rows = await tx.fetch(
        """
        SELECT student_id FROM mastery WHERE student_id > $2 AND model_version <> $1 ORDER BY student_id LIMIT $3
        """,
        model_version, after, most,
    )  # fmt: skip
    return [row["student_id"] for row in rows]


async def finish_district(tx: Transaction, model_version: str) -> None:
    """All students of the caller's district are traced by this model."""
    await tx.run(
        "UPDATE stage.traced SET model_version = $1 WHERE district_id = current_setting('app.district')::uuid",
        model_version,
    )


async def forget(tx: Transaction, students: Collection[UUID]) -> None:
    """Who has no sheet in the ledger any more has no standing."""
    await tx.run(
        """
        DELETE FROM mastery m WHERE student_id = ANY ($1::uuid[])
          AND NOT EXISTS (SELECT FROM sheets s WHERE s.student_id = m.student_id)
        """,
        students,
    )
