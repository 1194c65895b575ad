"""An import is undone: what it ended comes back, and what it recognised under a new name has its old one again."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from services.roster.handlers import applying
from services.roster.store import identity, revisions, staging, undoing
from shared.db import Transaction


async def undo(tx: Transaction, import_id: UUID) -> Mapping[str, Any]:
    """Bring back what an import ended, in a revision of its own; by file, how much came back and how much did not.

    What has changed since stays as it is: somebody has said so later.
    """
    revision = await revisions.begin(tx)
    renamed = await identity.undo_import(tx, import_id, revision)
    await staging.begin(tx)
    found = await undoing.find(tx, import_id)
    size = sum(one.came_back + one.ended for one in found.values())
    await staging.plan_for(tx, size)
    # The facts of the import have ids that follow from its own; those that take them back have ids of theirs.
    cause = UUID(int=import_id.int ^ revision)
    changed = [file for file, one in found.items() if one.some]
    if changed:
        await applying.apply(tx, changed, size, cause=cause, revision=revision)
    elif renamed:
        await revisions.stamp(tx, revision)
    return {
        "renamed": renamed,
        "types": {
            file: {"came_back": one.came_back, "changed_since": one.changed_since, "ended": one.ended}
            for file, one in found.items()
        },
    }
