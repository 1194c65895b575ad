"""What assessments found out: our own copies of what is needed to tell it as OneRoster does."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from uuid import UUID, uuid5

import numpy as np
import orjson

from services.roster.domain.assessed import MASTERY, Attempts, Beliefs, Form, Window, points
from shared.copying import arrays, packed, tuples
from shared.db import Transaction

_ARRIVALS = 0x61737364
"""Names the advisory lock; "assd"."""
_SINCE_2000 = 10_957
"""Days before the first that PostgreSQL counts."""


def item_of(administration: UUID, form: UUID) -> str:
    """The sourcedId of a form as it is given in an administration."""
    return str(uuid5(administration, form.hex))


async def hold_arrivals(tx: Transaction) -> None:
    """One at a time per district from here to the commit: what arrives, and who decides to wait for it."""
    await tx.run("SELECT pg_advisory_xact_lock($1, hashtext($2))", _ARRIVALS, str(tx.caller.district))


async def save_forms(tx: Transaction, forms: Sequence[Form]) -> None:
    """Keep versions of forms, which never change, and the names of their competencies."""
    names: dict[UUID, str | None] = {}
    for form in forms:
        for competency, name in zip(form.competencies, form.identifiers, strict=True):
            names[competency] = name or names.get(competency)
    await tx.run(
        """
        INSERT INTO assessed_competencies AS t (district_id, id, identifier)
        SELECT $1, i.* FROM unnest($2::uuid[], $3::text[]) AS i ORDER BY 2
        ON CONFLICT (district_id, id) DO UPDATE SET identifier = excluded.identifier
        WHERE t.identifier IS NULL AND excluded.identifier IS NOT NULL
        """,
        tx.caller.district, list(names), list(names.values()),
    )  # fmt: skip
    numbers = await numbers_of(tx, names)
    await tx.run_many(
        """
        INSERT INTO assessed_forms (district_id, id, title, maxima, items, objectives) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT DO NOTHING
        """,
        [
            (
                tx.caller.district,
                form.id,
                form.title,
                form.maxima,
                form.items,
                [numbers[form.competencies[place]] for place in form.objectives],
            )
            for form in forms
        ],
    )


async def numbers_of(tx: Transaction, competencies: Iterable[UUID]) -> dict[UUID, int]:
    """The numbers of those of these competencies that are known."""
    rows = await tx.fetch(
        "SELECT id, number FROM assessed_competencies WHERE district_id = $1 AND id = ANY ($2::uuid[])",
        tx.caller.district, list(competencies),
    )  # fmt: skip
    return {row["id"]: row["number"] for row in rows}


async def save_windows(tx: Transaction, number: int, windows: Iterable[Window]) -> int:
    """Keep administrations as they are planned now; how many are new or different."""
    several = {window.id: window for window in windows}
    return await tx.changed(
        """
        INSERT INTO assessed_items AS t (district_id, sourced_id, status, revision, since, title, about)
        SELECT $1, sourced_id, 'active', $2, $2, title, about::jsonb
        FROM unnest($3::text[], $4::text[], $5::text[]) AS i (sourced_id, title, about)
        ON CONFLICT (district_id, sourced_id) DO UPDATE
        SET title = excluded.title, about = excluded.about, revision = excluded.revision
        WHERE (t.title, t.about) IS DISTINCT FROM (excluded.title, excluded.about)
        """,
        tx.caller.district, number, [str(id_) for id_ in several], [window.title for window in several.values()],
        [
            orjson.dumps({"trellis.code": window.code, "trellis.purpose": window.purpose}).decode()
            for window in several.values()
        ],
    )  # fmt: skip


async def known_items(tx: Transaction, items: Collection[str]) -> dict[str, int]:
    """Which of these forms as given are known, and how many items each has."""
    rows = await tx.fetch(
        """
        SELECT i.sourced_id, cardinality(f.maxima) AS items
        FROM assessed_items i JOIN assessed_forms f ON f.district_id = i.district_id AND f.id = i.form_id
        WHERE i.district_id = $1 AND i.sourced_id = ANY ($2::text[])
        """,
        tx.caller.district, list(items),
    )  # fmt: skip
    return {row["sourced_id"]: row["items"] for row in rows}


async def arrived(tx: Transaction, administrations: Collection[UUID], forms: Collection[UUID]) -> set[UUID]:
    """Which of these administrations and forms are here."""
    rows = await tx.fetch(
        """
        SELECT id FROM assessed_forms WHERE district_id = $1 AND id = ANY ($2::uuid[])
        UNION ALL
        SELECT sourced_id::uuid FROM assessed_items WHERE district_id = $1 AND sourced_id = ANY ($3::text[])
        """,
        tx.caller.district, list(forms), [str(one) for one in administrations],
    )  # fmt: skip
    return {row["id"] for row in rows}


async def give(tx: Transaction, number: int, given: Mapping[str, tuple[UUID, UUID]]) -> None:
    """These forms are given in these administrations (by the sourcedId of the one in the other)."""
    await tx.run(
        """
        INSERT INTO assessed_items
            (district_id, sourced_id, status, revision, since, title, parent, form_id, result_value_max, about)
        SELECT $1, i.sourced_id, 'active', $2, $2, f.title, i.parent, f.id,
               (SELECT sum(m) FROM unnest(f.maxima) m), '{}'
        FROM unnest($3::text[], $4::text[], $5::uuid[]) AS i (sourced_id, parent, form_id)
        JOIN assessed_forms f ON f.district_id = $1 AND f.id = i.form_id
        ORDER BY i.sourced_id ON CONFLICT DO NOTHING
        """,
        tx.caller.district, number, list(given), [str(administration) for administration, _ in given.values()],
        [form for _, form in given.values()],
    )  # fmt: skip


_SCORED = """
    attempt uuid, person_id uuid, given integer, version integer, score double precision, score_date date,
    modality smallint, ability double precision, standard_error double precision, gone boolean, scores bytea
"""
_NAMES = [column.split()[0] for column in _SCORED.split(",")]


async def save_attempts(
    tx: Transaction, number: int, attempts: Attempts, items: Mapping[tuple[bytes, bytes], str]
) -> int:
    """Keep these attempts, each with the form as given that it is of; how many are news."""
    places = {of: place for place, of in enumerate(items)}
    await tx.temp("s_scored", _SCORED)
    await tx.copy_binary("s_scored", _NAMES, _tuples(attempts, [places[of] for of in attempts.of]))
    return await tx.changed(
        """
        INSERT INTO scored_attempts AS t
            (district_id, sourced_id, status, ended_on, revision, since, until, person_id, item, form_id, version,
             score, score_date, modality, ability, standard_error, scores)
        SELECT $1, i.attempt, CASE WHEN i.gone THEN 'tobedeleted' ELSE 'active' END,
               CASE WHEN i.gone THEN current_date END, $2, $2, CASE WHEN i.gone THEN $2::bigint END, i.person_id,
               ($3::text[])[i.given + 1], ($4::uuid[])[i.given + 1], i.version, i.score, i.score_date, i.modality,
               NULLIF(i.ability, 'NaN'), NULLIF(i.standard_error, 'NaN'), i.scores
        FROM s_scored i ORDER BY i.attempt
        ON CONFLICT (district_id, sourced_id) DO UPDATE SET
            status = excluded.status, revision = excluded.revision,
            ended_on = CASE WHEN excluded.status = 'active' THEN NULL ELSE COALESCE(t.ended_on, excluded.ended_on) END,
            since = CASE WHEN t.status <> 'active' AND excluded.status = 'active' THEN excluded.since ELSE t.since END,
            until = CASE WHEN excluded.status = 'active' THEN NULL ELSE COALESCE(t.until, excluded.until) END,
            person_id = excluded.person_id, item = excluded.item, form_id = excluded.form_id,
            version = excluded.version, score = excluded.score, score_date = excluded.score_date,
            modality = excluded.modality, ability = excluded.ability, standard_error = excluded.standard_error,
            scores = excluded.scores
        WHERE t.version < excluded.version
        """,
        tx.caller.district, number, list(items.values()), [UUID(bytes=form) for _, form in items],
    )  # fmt: skip


def _tuples(attempts: Attempts, given: Sequence[int]) -> Iterator[bytes]:
    """A row for each attempt; those with as many items are written at once."""
    sizes = np.array([len(scores) for scores in attempts.scores])
    place = np.array(given, dtype=np.int32)
    for size in np.unique(sizes).tolist():
        rows = np.flatnonzero(sizes == size)
        scores = np.frombuffer(b"".join([attempts.scores[row] for row in rows]), dtype=np.uint8).reshape(len(rows), -1)
        yield tuples(
            packed([attempts.ids[row] for row in rows]),
            packed([attempts.students[row] for row in rows]),
            place[rows],
            attempts.versions[rows].astype(np.int32),
            points(scores).astype(np.float64),
            (attempts.days[rows] - _SINCE_2000).astype(np.int32),
            attempts.modalities[rows].astype(np.int16),
            attempts.abilities[rows],
            attempts.standard_errors[rows],
            attempts.withdrawn[rows],
            scores,
        )


async def save_standings(
    tx: Transaction, number: int, rounds: Sequence[Sequence[Beliefs]], numbers: Mapping[bytes, int]
) -> None:
    """Add these to what is believed of students; `numbers` are the competencies'."""
    for beliefs in rounds:
        await tx.temp("s_beliefs", "person_id uuid, competencies integer[], beliefs integer[]")
        await tx.copy_binary(
            "s_beliefs", ("person_id", "competencies", "beliefs"), [_beliefs(one, numbers) for one in beliefs]
        )
        await tx.run(_STAND, tx.caller.district, number, MASTERY)
    await tx.run(
        """
        INSERT INTO assessed_items
            (district_id, sourced_id, status, revision, since, title, result_value_max, about)
        SELECT $1, $3, 'active', $2, $2, 'Mastery', 1, '{}'
        WHERE NOT EXISTS (SELECT FROM assessed_items WHERE district_id = $1 AND sourced_id = $3)
        ON CONFLICT DO NOTHING
        """,
        tx.caller.district, number, MASTERY,
    )  # fmt: skip


_STAND = """
    INSERT INTO standings AS t
        (district_id, sourced_id, status, revision, since, person_id, score_date, competencies, beliefs)
    SELECT $1, $3 || '-' || i.person_id, 'active', $2, $2, i.person_id, current_date, i.competencies, i.beliefs
    FROM s_beliefs i ORDER BY i.person_id
    ON CONFLICT (district_id, sourced_id) DO UPDATE SET
        revision = excluded.revision, score_date = excluded.score_date,
        competencies = CASE WHEN t.competencies = excluded.competencies THEN t.competencies ELSE excluded.competencies
            || ARRAY(SELECT o.n FROM unnest(t.competencies) AS o (n) WHERE o.n <> ALL (excluded.competencies)) END,
        beliefs = CASE WHEN t.competencies = excluded.competencies THEN excluded.beliefs ELSE excluded.beliefs
            || ARRAY(SELECT o.b FROM unnest(t.competencies, t.beliefs) AS o (n, b)
                     WHERE o.n <> ALL (excluded.competencies)) END
"""


def _beliefs(said: Beliefs, numbers: Mapping[bytes, int]) -> bytes:
    """A row for each student."""
    own = np.array([numbers[one] for one in said.competencies], dtype=np.int32)
    return tuples(
        packed(said.students),
        arrays(np.broadcast_to(own, said.packed.shape)),
        arrays(said.packed.astype(np.int32)),
    )


async def is_ours(tx: Transaction, table: str, name: str) -> bool:
    """Whether this sourcedId is of an assessment line item or result that is made of facts."""
    tables = ("assessed_items",) if table == "assessment_line_items" else ("scored_attempts", "standings")
    found = " OR ".join(
        f"EXISTS (SELECT FROM {one} WHERE district_id = $1 AND sourced_id = $2)"  # constants
        for one in tables
    )
    return bool(await tx.fetchval(f"SELECT {found}", tx.caller.district, name))  # constants
