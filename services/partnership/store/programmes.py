"""Programmes, their areas and their conflicts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.partnership.domain.programme import Area, Programme, programme_id
from services.partnership.store.rules import balance_again, balance_kept, ids_kept, rules_kept, with_rules
from shared.db import Transaction


@dataclass(frozen=True, slots=True)
class Kept:
    """A programme with our ids: of each area's competencies, by its code, and of schools that other rules name.

    Its conflicts are apart, as pairs of ids.
    """

    id: UUID
    programme: Programme
    competencies: Mapping[str, tuple[UUID, ...]]
    conflicts: tuple[tuple[UUID, UUID, str], ...]
    schools: Mapping[str, UUID]
    updated_at: datetime


async def stage(
    tx: Transaction,
    import_id: UUID,
    programme: Programme,
    competencies: Mapping[str, UUID],
    schools: Mapping[str, UUID],
) -> None:
    """Keep a valid programme, with our ids of what it names, until it is merged."""
    content = {
        "code": programme.code,
        "title": programme.title,
        "partnerships": programme.partnerships,
        "budget": f"{programme.budget:f}",
        "cost": f"{programme.cost_per_partnership:f}",
        "currency": programme.currency,
        "max_distance_km": programme.max_distance_km,
        "balance": balance_kept(programme),
        "rules": rules_kept(programme, schools),
        "areas": [
            {
                "code": area.code,
                "title": area.title,
                "identifiers": list(area.identifiers),
                "competencies": list(dict.fromkeys(str(competencies[each]) for each in area.identifiers)),
            }
            for area in programme.areas
        ],
        "conflicts": [
            {"schools": [str(schools[each]) for each in conflict.schools], "reason": conflict.reason}
            for conflict in programme.conflicts
        ],
    }
    await tx.run("INSERT INTO stage.programmes (import_id, content) VALUES ($1, $2)", import_id, json.dumps(content))


async def clear_stage(tx: Transaction, import_id: UUID) -> None:
    """Empty this import's stage."""
    await tx.run("DELETE FROM stage.programmes WHERE import_id = $1", import_id)


async def merge(tx: Transaction, import_id: UUID) -> str | None:
    """Keep the staged programme: `added`, `changed` or `unchanged`; None when nothing is staged."""
    staged = await tx.fetchval("SELECT content::text FROM stage.programmes WHERE import_id = $1", import_id)
    if staged is None:
        return None
    content = json.loads(staged)
    id_ = programme_id(tx.caller.district, content["code"])
    before = await tx.fetchval("SELECT id FROM programmes WHERE id = $1 FOR UPDATE", id_)
    if before is not None and await _said(tx, id_) == content:
        return "unchanged"
    await tx.run(
        """
        INSERT INTO programmes (id, district_id, code, title, partnerships, budget, cost_per_partnership, currency,
                                max_distance_km, balance, rules)
        SELECT $1, $2, said ->> 'code', said ->> 'title', (said ->> 'partnerships')::int,
               (said ->> 'budget')::numeric, (said ->> 'cost')::numeric, said ->> 'currency',
               (said ->> 'max_distance_km')::double precision, said -> 'balance',
               said -> 'rules'
        FROM (SELECT content AS said FROM stage.programmes WHERE import_id = $3) staged
        ON CONFLICT (id) DO UPDATE SET title = excluded.title, partnerships = excluded.partnerships,
            budget = excluded.budget, cost_per_partnership = excluded.cost_per_partnership,
            currency = excluded.currency, max_distance_km = excluded.max_distance_km, balance = excluded.balance,
            rules = excluded.rules, updated_at = now()
        """,
        id_, tx.caller.district, import_id,
    )  # fmt: skip
    await tx.run("DELETE FROM areas WHERE programme_id = $1", id_)
    await tx.run("DELETE FROM conflicts WHERE programme_id = $1", id_)
    await tx.run_many(
        "INSERT INTO areas (programme_id, ordinal, district_id, code, title, identifiers, competencies) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [
            (
                id_, number, tx.caller.district, area["code"], area["title"], area["identifiers"],
                [UUID(each) for each in area["competencies"]],
            )
            for number, area in enumerate(content["areas"])
        ],
    )  # fmt: skip
    await tx.run_many(
        "INSERT INTO conflicts (programme_id, ordinal, district_id, school_id, other_school_id, reason) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        [
            (id_, number, tx.caller.district, *(UUID(each) for each in one["schools"]), one["reason"])
            for number, one in enumerate(content["conflicts"])
        ],
    )
    return "added" if before is None else "changed"


async def _said(tx: Transaction, id_: UUID) -> dict[str, Any]:
    """A programme that is kept, in the words of the stage."""
    [kept] = await list_programmes(tx, [id_], [])
    programme = kept.programme
    return {
        "code": programme.code,
        "title": programme.title,
        "partnerships": programme.partnerships,
        "budget": f"{programme.budget:f}",
        "cost": f"{programme.cost_per_partnership:f}",
        "currency": programme.currency,
        "max_distance_km": programme.max_distance_km,
        "balance": balance_kept(programme),
        "rules": rules_kept(programme, kept.schools),
        "areas": [
            {
                "code": area.code,
                "title": area.title,
                "identifiers": list(area.identifiers),
                "competencies": [str(each) for each in kept.competencies[area.code]],
            }
            for area in programme.areas
        ],
        "conflicts": [{"schools": [str(one), str(other)], "reason": why} for one, other, why in kept.conflicts],
    }


async def known_areas(tx: Transaction) -> set[str]:
    """The codes of every area that a programme of the district names."""
    return {row["code"] for row in await tx.fetch("SELECT DISTINCT code FROM areas")}


async def list_programmes(tx: Transaction, ids: Sequence[UUID], codes: Sequence[str]) -> list[Kept]:
    """The programmes with one of these ids or codes, ordered by title and id."""
    rows = await tx.fetch(
        """
        SELECT * FROM programmes
        WHERE id = ANY ($1) OR code = ANY ($2) ORDER BY title, id
        """,
        list(ids), list(codes),
    )  # fmt: skip
    return await _whole(tx, rows)


async def page_of_programmes(tx: Transaction, first: int, after: UUID | None) -> list[Kept]:
    """One programme more than the page holds, if there are more; ordered by title and id."""
    rows = await tx.fetch(
        """
        SELECT * FROM programmes
        WHERE $2::uuid IS NULL OR (title, id) > (SELECT seen.title, seen.id FROM programmes seen WHERE seen.id = $2)
        ORDER BY title, id LIMIT $1 + 1
        """,
        first, after,
    )  # fmt: skip
    return await _whole(tx, rows)


async def _whole(tx: Transaction, rows: Sequence[asyncpg.Record]) -> list[Kept]:
    ids = [row["id"] for row in rows]
    areas: dict[UUID, list[asyncpg.Record]] = {id_: [] for id_ in ids}
    for row in await tx.fetch("SELECT * FROM areas WHERE programme_id = ANY ($1) ORDER BY programme_id, ordinal", ids):
        areas[row["programme_id"]].append(row)
    conflicts: dict[UUID, list[tuple[UUID, UUID, str]]] = {id_: [] for id_ in ids}
    for row in await tx.fetch(
        "SELECT * FROM conflicts WHERE programme_id = ANY ($1) ORDER BY programme_id, ordinal", ids
    ):
        conflicts[row["programme_id"]].append((row["school_id"], row["other_school_id"], row["reason"]))
    return [_kept(row, areas[row["id"]], conflicts[row["id"]]) for row in rows]


def _kept(row: asyncpg.Record, areas: Sequence[asyncpg.Record], conflicts: Sequence[tuple[UUID, UUID, str]]) -> Kept:
    return Kept(
        row["id"],
        with_rules(
            Programme(
                code=row["code"],
                title=row["title"],
                partnerships=row["partnerships"],
                budget=row["budget"],
                cost_per_partnership=row["cost_per_partnership"],
                currency=row["currency"],
                max_distance_km=row["max_distance_km"],
                areas=tuple(Area(area["code"], area["title"], tuple(area["identifiers"])) for area in areas),
                balance=balance_again(row["balance"]),
                conflicts=(),
            ),
            row["rules"],
        ),
        {area["code"]: tuple(area["competencies"]) for area in areas},
        tuple(conflicts),
        ids_kept(row["rules"]),
        row["updated_at"],
    )
