"""Competency frameworks: staged under their import, merged set by set, read back field by field."""

from collections.abc import Iterable, Sequence
from uuid import UUID, uuid5

import orjson

from services.mastery.domain.framework import Package, same_identifier
from services.mastery.domain.skills import Competency
from services.mastery.store import ids
from shared.db import Transaction
from shared.imports import Counts

_STAGES = ("frameworks", "competencies", "associations")


def competency_id(district: UUID, identifier: str) -> UUID:
    """A CFItem's id. It is derived, never drawn, so that forms may name an item before its framework is here."""
    return uuid5(district, f"case:CFItem:{same_identifier(identifier)}")


def framework_id(district: UUID, identifier: str) -> UUID:
    return uuid5(district, f"case:CFDocument:{same_identifier(identifier)}")


def _association_id(district: UUID, identifier: str) -> UUID:
    return uuid5(district, f"case:CFAssociation:{same_identifier(identifier)}")


async def stage(tx: Transaction, import_id: UUID, package: Package, pointers: Sequence[str], *, is_whole: bool) -> None:
    """Keep the package until it is merged; `pointers` say where in the file each item stood."""
    district, document = tx.caller.district, package.document
    await tx.copy(
        "frameworks",
        ["import_id", "id", "identifier", "title", "source", "definitions", "rest", "is_whole"],
        [
            (
                import_id,
                framework_id(district, document.identifier),
                document.identifier,
                document.title,
                _json(document.source),
                _json(document.definitions),
                _json(document.rest),
                is_whole,
            )
        ],
        schema="stage",
    )
    await tx.copy(
        "competencies",
        ["import_id", "id", "pointer", "identifier", "statement", "code", "parent_id", "source"],
        [
            (
                import_id,
                competency_id(district, item.identifier),
                pointer,
                item.identifier,
                item.statement,
                item.code,
                None if item.parent is None else competency_id(district, item.parent),
                _json(item.source),
            )
            for item, pointer in zip(package.items, pointers, strict=True)
        ],
        schema="stage",
    )
    root = same_identifier(document.identifier)

    def node(identifier: str) -> UUID:
        return framework_id(district, root) if identifier == root else competency_id(district, identifier)

    await tx.copy(
        "associations",
        ["import_id", "id", "identifier", "type", "origin_id", "destination_id", "sequence_number", "source"],
        [
            (
                import_id,
                _association_id(district, one.identifier),
                one.identifier,
                one.type,
                node(one.origin),
                node(one.destination),
                one.sequence,
                _json(one.source),
            )
            for one in package.associations
        ],
        schema="stage",
    )


async def clear(tx: Transaction, import_id: UUID) -> None:
    """Empty this import's stages."""
    for name in _STAGES:
        await tx.run(f"DELETE FROM stage.{name} WHERE import_id = $1", import_id)  # noqa: S608  # constants


async def foreign_items(tx: Transaction, import_id: UUID) -> list[tuple[str, str, str]]:
    """Staged items that are another framework's: where they stand in the file, which they are, whose."""
    rows = await tx.fetch(
        """
        SELECT s.pointer, s.identifier, COALESCE(f.title, '') AS title
        FROM stage.competencies s
        JOIN stage.frameworks mine ON mine.import_id = s.import_id
        JOIN competencies c ON c.id = s.id AND c.framework_id <> mine.id
        LEFT JOIN frameworks f ON f.id = c.framework_id
        WHERE s.import_id = $1 ORDER BY s.pointer
        """,
        import_id,
    )
    return [(row["pointer"], row["identifier"], row["title"]) for row in rows]


async def drop_staged(tx: Transaction, import_id: UUID, identifiers: Iterable[str]) -> None:
    """Leave these items out of the merge, and what hangs on them stays a link."""
    await tx.run(
        "DELETE FROM stage.competencies WHERE import_id = $1 AND identifier = ANY ($2::text[])",
        import_id,
        list(identifiers),
    )
    await tx.run("UPDATE stage.frameworks SET is_whole = false WHERE import_id = $1", import_id)


_HERE = "current_setting('app.district')::uuid"
_MERGES = (
    f"""
    INSERT INTO frameworks AS kept (district_id, id, identifier, title, source, definitions, rest)
    SELECT {_HERE}, id, identifier, title, source::jsonb, definitions::jsonb, rest::jsonb
    FROM stage.frameworks WHERE import_id = $1
    ON CONFLICT (district_id, id) DO UPDATE SET
        identifier = excluded.identifier, title = excluded.title, source = excluded.source,
        definitions = excluded.definitions, rest = excluded.rest
    WHERE (kept.identifier, kept.title, kept.source, kept.definitions, kept.rest) IS DISTINCT FROM
          (excluded.identifier, excluded.title, excluded.source, excluded.definitions, excluded.rest)
    """,  # noqa: S608  # a constant
    f"""
    INSERT INTO competencies AS kept (
        district_id, id, framework_id, identifier, statement, code, parent_id, is_current, source
    )
    SELECT {_HERE}, s.id, f.id, s.identifier, s.statement, s.code, s.parent_id, true, s.source::jsonb
    FROM stage.competencies s JOIN stage.frameworks f USING (import_id) WHERE import_id = $1 ORDER BY s.id
    ON CONFLICT (district_id, id) DO UPDATE SET
        framework_id = excluded.framework_id, identifier = excluded.identifier, statement = excluded.statement,
        code = excluded.code, parent_id = excluded.parent_id, is_current = true, source = excluded.source
    WHERE (kept.framework_id, kept.identifier, kept.parent_id, kept.is_current, kept.source) IS DISTINCT FROM
          (excluded.framework_id, excluded.identifier, excluded.parent_id, true, excluded.source)
    """,  # noqa: S608  # a constant
    f"""
    INSERT INTO associations AS kept (
        district_id, id, framework_id, identifier, type, origin_id, destination_id, sequence_number, source
    )
    SELECT {_HERE}, s.id, f.id, s.identifier, s.type, s.origin_id, s.destination_id, s.sequence_number, s.source::jsonb
    FROM stage.associations s JOIN stage.frameworks f USING (import_id) WHERE import_id = $1 ORDER BY s.id
    ON CONFLICT (district_id, id) DO UPDATE SET
        framework_id = excluded.framework_id, identifier = excluded.identifier, type = excluded.type,
        origin_id = excluded.origin_id, destination_id = excluded.destination_id,
        sequence_number = excluded.sequence_number, source = excluded.source
    WHERE (kept.framework_id, kept.identifier, kept.source) IS DISTINCT FROM
          (excluded.framework_id, excluded.identifier, excluded.source)
    """,  # noqa: S608  # a constant
)


async def merge(tx: Transaction, import_id: UUID, counts: Counts) -> None:
    """Make the framework what the package says: all of it at once, nothing touched that is the same.

    Items that a whole package no longer lists stay, because evidence refers to them, and are current no more; such
    associations go. Both count as changed.
    """
    for table, sql in zip(_STAGES, _MERGES, strict=True):
        row = await tx.fetchrow(
            f"""
            WITH written AS ({sql} RETURNING (xmax = 0) AS is_new)
            SELECT count(*) FILTER (WHERE is_new) AS added, count(*) FILTER (WHERE NOT is_new) AS changed,
                   (SELECT count(*) FROM stage.{table} WHERE import_id = $1) AS staged
            FROM written
            """,  # noqa: S608  # constants
            import_id,
        )
        assert row is not None
        counts.added += row["added"]
        counts.changed += row["changed"]
        counts.unchanged += row["staged"] - row["added"] - row["changed"]
    counts.changed += await tx.changed(
        """
        UPDATE competencies c SET is_current = false
        FROM stage.frameworks f
        WHERE f.import_id = $1 AND f.is_whole AND c.framework_id = f.id AND c.is_current
          AND NOT EXISTS (SELECT FROM stage.competencies s WHERE s.import_id = $1 AND s.id = c.id)
        """,
        import_id,
    )
    counts.changed += await tx.changed(
        """
        DELETE FROM associations a USING stage.frameworks f
        WHERE f.import_id = $1 AND f.is_whole AND a.framework_id = f.id
          AND NOT EXISTS (SELECT FROM stage.associations s WHERE s.import_id = $1 AND s.id = a.id)
        """,
        import_id,
    )


async def competencies(tx: Transaction, wanted: Iterable[UUID], identifiers: Iterable[str]) -> list[Competency]:
    """The competencies with these ids or CASE identifiers, for any caller who may read students or their mastery."""
    tx.caller.need_any("mastery:read", "roster:read")
    named = (competency_id(tx.caller.district, identifier) for identifier in identifiers)
    rows = await tx.fetch(
        """
        SELECT id, identifier, statement, code, parent_id FROM competencies WHERE id = ANY ($1::uuid[]) ORDER BY id
        """,
        list({*wanted, *named}),
    )
    return [Competency(*row) for row in rows]


async def above(tx: Transaction, some: Iterable[bytes]) -> list[UUID]:
    """Every competency that one of these is a part of, at any level, for a caller who may read mastery.

    Those of the present frameworks alone: what a newer package left out is no part of anything, and has no parts.
    """
    tx.caller.need("mastery:read")
    rows = await tx.fetch(
        """
        WITH RECURSIVE above AS (
            SELECT destination_id AS id FROM associations WHERE type = 'isChildOf' AND origin_id = ANY ($1::uuid[])
            UNION SELECT a.destination_id FROM associations a JOIN above ON a.origin_id = above.id
            WHERE a.type = 'isChildOf'
        )
        SELECT c.id FROM above JOIN competencies c USING (id) WHERE c.is_current
        """,
        ids(some),
    )
    return [row["id"] for row in rows]


async def parts(tx: Transaction, wholes: Iterable[UUID]) -> list[tuple[bytes, bytes]]:
    """Every pair of a parent and its child at these competencies and below, in the present frameworks."""
    tx.caller.need("mastery:read")
    rows = await tx.fetch(
        """
        WITH RECURSIVE below AS (
            SELECT destination_id AS parent, origin_id AS child FROM associations
            WHERE type = 'isChildOf' AND destination_id = ANY ($1::uuid[])
            UNION SELECT a.destination_id, a.origin_id FROM associations a JOIN below ON a.destination_id = below.child
            WHERE a.type = 'isChildOf'
        )
        SELECT uuid_send(below.parent) AS parent, uuid_send(below.child) AS child
        FROM below JOIN competencies c ON c.id = below.child AND c.is_current
        """,
        list(wholes),
    )
    return [(row["parent"], row["child"]) for row in rows]


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
