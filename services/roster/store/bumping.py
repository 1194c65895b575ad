"""The other ends of relationships: who is referred to by what changed, or was before, changed with it.

What has ended does not change any more: it was told as gone once, and an undo finds it as the import left it.
"""

# ruff: noqa: S608  # the names put into SQL are constants of ours

from collections.abc import Collection

from services.roster.store.records import RECORDS, STAGES, Record
from shared.db import Transaction


async def bump(tx: Transaction, revision: int, changed: Collection[str]) -> None:
    """Put the other ends of what changed into this revision."""
    for target in RECORDS.values():
        ends = _ends(target, changed)
        older = f"SELECT EXISTS (SELECT FROM {target.table} WHERE district_id = $1 AND revision <> $2)"
        if not ends or not await tx.fetchval(older, tx.caller.district, revision):
            continue  # all there are were written just now
        key, collated = ("id", "") if target.is_named else ("sourced_id", ' COLLATE "C"')
        await tx.run(
            f"""
            UPDATE {target.table} t SET revision = $2
            FROM (SELECT DISTINCT one{collated} AS one FROM ({" UNION ALL ".join(ends)}) AS every) AS ends
            WHERE t.district_id = $1 AND t.{key} = ends.one AND t.revision <> $2 AND t.status = 'active'
            """,
            tx.caller.district, revision,
        )  # fmt: skip


def _ends(target: Record, changed: Collection[str]) -> list[str]:
    found = []
    for file in changed:
        for ref in RECORDS[file].refs:
            for name in (ref.name, f"old_{ref.name}") if ref.file == target.file else ():
                one = f"unnest({name})" if ref.many else name
                found.append(f"SELECT {one} AS one FROM d_{STAGES[file]} WHERE change <> 'dated'")
    return found
