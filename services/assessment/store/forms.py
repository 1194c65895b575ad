"""Forms, their versions, and administrations."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from services.assessment.domain import forms
from services.assessment.domain.catalogue import KnownAdministration, KnownForm
from services.assessment.domain.forms import Administration, Form, Purpose
from services.assessment.domain.times import instant, microseconds_of
from shared.db import Transaction


@dataclass(frozen=True, slots=True)
class Published:
    """A version of a form that is new, with our ids of the competencies it names."""

    version_id: UUID
    form: Form
    competencies: Mapping[str, UUID]


@dataclass(frozen=True, slots=True)
class Planned:
    """An administration as it is kept."""

    id: UUID
    administration: Administration


@dataclass(slots=True)
class Saved:
    """What saving did: how many records of each kind, and what others must hear of."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    published: list[Published] = field(default_factory=list)
    planned: list[Planned] = field(default_factory=list)


async def known_forms(tx: Transaction, codes: Collection[str]) -> set[str]:
    """Which of these codes name a form of the district."""
    rows = await tx.fetch("SELECT code FROM forms WHERE code = ANY ($1)", list(codes))
    return {row["code"] for row in rows}


async def known_items(tx: Transaction, codes: Collection[str]) -> set[str]:
    """Which of these codes name an item of any form that is sat now."""
    rows = await tx.fetch(
        """
        SELECT DISTINCT item ->> 'id' AS code
        FROM forms JOIN form_versions v ON v.id = forms.current_version_id,
             jsonb_array_elements(v.content -> 'items') AS item
        WHERE item ->> 'id' = ANY ($1)
        """,
        list(codes),
    )
    return {row["code"] for row in rows}


async def find_administrations(tx: Transaction, codes: Collection[str]) -> dict[str, KnownAdministration | None]:
    """Administrations by code, as answer sheets refer to them; None where there is none."""
    rows = await tx.fetch(
        """
        SELECT a.id, a.code, a.purpose, a.opens_at, a.closes_at,
               array_agg(f.code) FILTER (WHERE f.id IS NOT NULL) AS forms
        FROM administrations a
        LEFT JOIN administration_forms af ON af.administration_id = a.id
        LEFT JOIN forms f ON f.id = af.form_id
        WHERE a.code = ANY ($1) GROUP BY a.id
        """,
        list(codes),
    )
    found = {
        row["code"]: KnownAdministration(
            id=str(row["id"]),
            purpose=Purpose(row["purpose"]),
            opens_at=microseconds_of(row["opens_at"]),
            closes_at=microseconds_of(row["closes_at"]),
            forms=frozenset(row["forms"] or ()),
        )
        for row in rows
    }
    return {code: found.get(code) for code in codes}


async def find_forms(tx: Transaction, codes: Collection[str]) -> dict[str, KnownForm | None]:
    """The current versions of forms by code, as answer sheets refer to them; None where there is none."""
    rows = await tx.fetch(
        """
        SELECT f.id, f.code, v.id AS version_id, v.content::text AS content
        FROM forms f JOIN form_versions v ON v.id = f.current_version_id WHERE f.code = ANY ($1)
        """,
        list(codes),
    )
    found = {
        row["code"]: KnownForm(str(row["id"]), str(row["version_id"]), forms.from_content(json.loads(row["content"])))
        for row in rows
    }
    return {code: found.get(code) for code in codes}


# the stage of an import


async def stage(
    tx: Transaction,
    import_id: UUID,
    sent: Sequence[Form],
    planned: Sequence[Administration],
    competencies: Mapping[str, UUID],
) -> None:
    """Keep a valid file's records until they are merged: forms first, for administrations refer to them."""
    rows: list[tuple[UUID, int, str, str, str | None]] = []
    for form in sent:
        named = {identifier: str(competencies[identifier]) for identifier in sorted(form.competencies)}
        rows.append((import_id, len(rows), "form", json.dumps(forms.content(form)), json.dumps(named)))
    for each in planned:
        content = {
            "id": each.code,
            "title": each.title,
            "purpose": each.purpose.value,
            "opensAt": each.opens_at,
            "closesAt": each.closes_at,
            "forms": list(each.forms),
        }
        rows.append((import_id, len(rows), "administration", json.dumps(content), None))
    await tx.copy("forms", ["import_id", "ordinal", "kind", "content", "competencies"], rows, schema="stage")


@dataclass(frozen=True, slots=True)
class Staged:
    """Records of one kind from the stage; `next` is where the following ones begin."""

    forms: list[tuple[Form, dict[str, UUID]]]
    administrations: list[Administration]
    next: int


async def staged(tx: Transaction, import_id: UUID, start: int, limit: int) -> Staged | None:
    """Records from `start` on; None when there are no more."""
    rows = await tx.fetch(
        """
        SELECT ordinal, kind, content::text AS content, competencies::text AS competencies
        FROM stage.forms WHERE import_id = $1 AND ordinal >= $2 ORDER BY ordinal LIMIT $3
        """,
        import_id,
        start,
        limit,
    )
    if not rows:
        return None
    found: list[tuple[Form, dict[str, UUID]]] = []
    planned: list[Administration] = []
    for row in rows:
        content = json.loads(row["content"])
        if row["kind"] == "form":
            named = {identifier: UUID(id_) for identifier, id_ in json.loads(row["competencies"]).items()}
            found.append((forms.from_content(content), named))
        else:
            planned.append(_staged_administration(content))
    return Staged(found, planned, rows[-1]["ordinal"] + 1)


def _staged_administration(content: Mapping[str, Any]) -> Administration:
    return Administration(
        code=content["id"],
        title=content["title"],
        purpose=Purpose(content["purpose"]),
        opens_at=content["opensAt"],
        closes_at=content["closesAt"],
        forms=tuple(content["forms"]),
    )


async def clear_stage(tx: Transaction, import_id: UUID) -> None:
    """Empty this import's stage."""
    await tx.run("DELETE FROM stage.forms WHERE import_id = $1", import_id)


# saving


async def save_forms(tx: Transaction, sent: Iterable[tuple[Form, Mapping[str, UUID]]]) -> Saved:
    """Keep forms: the same content is unchanged, other content a new version (or an earlier one, taken up again)."""
    district, saved = tx.caller.district, Saved()
    for form, competencies in sent:
        digest = forms.content_hash(form)
        form_id = forms.form_id(district, form.code)
        version_id = forms.version_id(district, form.code, digest)
        current = await tx.fetchval("SELECT current_version_id FROM forms WHERE id = $1", form_id)
        if current == version_id:
            saved.unchanged += 1
            continue
        if current is None:
            saved.added += 1
            await tx.run(
                "INSERT INTO forms (id, district_id, code, current_version_id) VALUES ($1, $2, $3, $4)",
                form_id,
                district,
                form.code,
                version_id,
            )
        else:
            saved.changed += 1
            await tx.run("UPDATE forms SET current_version_id = $2 WHERE id = $1", form_id, version_id)
        made = await tx.fetchval(
            """
            INSERT INTO form_versions
                (id, district_id, form_id, number, content_hash, content, competencies, parameter_version)
            SELECT $1, $2, $3, 1 + COALESCE(max(number), 0), $4, $5, $6, $7 FROM form_versions WHERE form_id = $3
            ON CONFLICT (id) DO NOTHING RETURNING id
            """,
            version_id,
            district,
            form_id,
            digest,
            json.dumps(forms.content(form)),
            json.dumps({identifier: str(id_) for identifier, id_ in competencies.items()}),
            form.parameter_version,
        )
        if made is not None:
            saved.published.append(Published(version_id, form, competencies))
    return saved


async def save_administrations(tx: Transaction, sent: Iterable[Administration]) -> Saved:
    """Keep administrations; each replaces what was known of it, its list of forms included."""
    district, saved = tx.caller.district, Saved()
    for each in sent:
        id_ = forms.administration_id(district, each.code)
        form_ids = {forms.form_id(district, code) for code in each.forms}
        facts = (each.title, each.purpose.value, instant(each.opens_at), instant(each.closes_at))
        before = await tx.fetchrow("SELECT title, purpose, opens_at, closes_at FROM administrations WHERE id = $1", id_)
        rows = await tx.fetch("SELECT form_id FROM administration_forms WHERE administration_id = $1", id_)
        had = {row["form_id"] for row in rows}
        if before is None:
            saved.added += 1
        elif tuple(before) == facts and had == form_ids:
            saved.unchanged += 1
            continue
        else:
            saved.changed += 1
        if before is None or tuple(before) != facts:
            await tx.run(
                """
                INSERT INTO administrations (id, district_id, code, title, purpose, opens_at, closes_at)
                VALUES ($1, $2, $3, $4, $5, $6, $7)
                ON CONFLICT (id) DO UPDATE SET title = excluded.title, purpose = excluded.purpose,
                    opens_at = excluded.opens_at, closes_at = excluded.closes_at
                """,
                id_,
                district,
                each.code,
                *facts,
            )
            saved.planned.append(Planned(id_, each))
        await tx.run(
            "DELETE FROM administration_forms WHERE administration_id = $1 AND form_id = ANY ($2)",
            id_,
            list(had - form_ids),
        )
        await tx.run(
            """
            INSERT INTO administration_forms (administration_id, form_id, district_id)
            SELECT $1, unnest($2::uuid[]), $3
            """,
            id_,
            list(form_ids - had),
            district,
        )
    return saved


# reading


async def list_administrations(tx: Transaction, ids: Sequence[UUID], codes: Sequence[str]) -> list[Planned]:
    """The administrations with one of these ids or codes, ordered by opening and id."""
    rows = await tx.fetch(
        """
        SELECT id, code, title, purpose, opens_at, closes_at FROM administrations
        WHERE id = ANY ($1) OR code = ANY ($2) ORDER BY opens_at, id
        """,
        ids,
        codes,
    )
    return [_planned(row) for row in rows]


async def page_of_administrations(tx: Transaction, first: int, after: UUID | None) -> list[Planned]:
    """One administration more than the page holds, if there are more; ordered by opening and id."""
    rows = await tx.fetch(
        """
        SELECT id, code, title, purpose, opens_at, closes_at FROM administrations
        WHERE $2::uuid IS NULL
           OR (opens_at, id) > (SELECT seen.opens_at, seen.id FROM administrations seen WHERE seen.id = $2)
        ORDER BY opens_at, id LIMIT $1 + 1
        """,
        first,
        after,
    )
    return [_planned(row) for row in rows]


def _planned(row: asyncpg.Record) -> Planned:
    return Planned(
        row["id"],
        Administration(
            code=row["code"],
            title=row["title"],
            purpose=Purpose(row["purpose"]),
            opens_at=microseconds_of(row["opens_at"]),
            closes_at=microseconds_of(row["closes_at"]),
            forms=(),
        ),
    )
