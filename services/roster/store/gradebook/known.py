"""Records of the gradebook as they are."""

# ruff: noqa: S608  # the names put into SQL are constants of ours

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson

from services.roster.domain.gradebook.bodies import Objective
from services.roster.domain.gradebook.kinds import Kind
from services.roster.domain.gradebook.rows import Row
from services.roster.store.gradebook.kept import KEPT, Kept
from shared.db import Transaction


@dataclass(frozen=True, slots=True)
class Before:
    """A record as it is kept."""

    status: str
    metadata: dict[str, Any]
    columns: Mapping[str, Any]
    objectives: tuple[Objective, ...]
    scales: tuple[str, ...]

    def differs(self, row: Row) -> bool:
        """Whether this row says anything else; when its source changed it does not count."""
        if self.status != row.status or row.status != "active":
            return self.status != row.status
        return (
            self.metadata != row.metadata
            or any(self.columns[name] != value for name, value in row.columns.items())
            or (row.objectives is not None and self.objectives != row.objectives)
            or (row.scales is not None and self.scales != row.scales)
        )


async def before(tx: Transaction, kind: Kind, names: Sequence[str]) -> dict[str, Before]:
    """Those of these records that are there and that the caller may see, by sourcedId."""
    kept = KEPT[kind]
    rows = await tx.fetch(_sql(kept), tx.caller.district, list(names))
    return {row["sourced_id"]: _before(kept, row) for row in rows}


def _before(kept: Kept, row: asyncpg.Record) -> Before:
    return Before(
        status=row["status"],
        metadata=orjson.loads(row["metadata"]),
        columns={
            name: orjson.loads(row[name]) if type_ == "jsonb" else row[name] for name, type_ in kept.columns.items()
        },
        objectives=tuple(Objective(*orjson.loads(one)) for one in row["objectives"]),
        scales=tuple(row["scales"]),
    )


def _sql(kept: Kept) -> str:
    objectives = scales = "'{}'::text[]"
    if kept.objectives is not None:
        more = ", o.score, o.text_score" if kept.scored else ""
        objectives = f"""
            ARRAY(SELECT jsonb_build_array(o.source, o.objective{more})::text FROM {kept.objectives} o
                  WHERE o.district_id = $1 AND o.{kept.own} = t.sourced_id AND o.status = 'active'
                  ORDER BY o.sourced_id)
        """
    if kept.scales is not None:
        scales = f"""
            ARRAY(SELECT o.score_scale FROM {kept.scales} o
                  WHERE o.district_id = $1 AND o.{kept.own} = t.sourced_id AND o.status = 'active'
                  ORDER BY o.sourced_id)
        """
    columns = (f"t.{name}::text AS {name}" if type_ == "jsonb" else f"t.{name}" for name, type_ in kept.columns.items())
    return f"""
        SELECT t.sourced_id, t.status, t.metadata::text AS metadata, {", ".join(columns)},
               {objectives} AS objectives, {scales} AS scales
        FROM {kept.table} t WHERE t.district_id = $1 AND t.sourced_id = ANY ($2::text[])
    """
