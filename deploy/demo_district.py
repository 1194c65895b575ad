"""Fills an empty database with a district that does not exist, through the door, as any district would be loaded."""

import asyncio
import hashlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from uuid import UUID

from deploy.cli.demo import write_demo
from deploy.cli.door import Door, DoorError, Report
from deploy.cli.load import Kind, Load, Progress, load
from shared.auth import Caller
from shared.db import Database

SEED = 1
KEY_PREFIX = "demonstration-district-"
CONFLICT = 409


class DemoFailed(Exception):
    """The demonstration district was not loaded."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What an earlier start left behind."""

    by_demo: bool
    """The demonstration district is all there."""
    by_others: bool
    """Something else was loaded."""


async def look(databases: Iterable[Database], district: UUID) -> Filled:
    """What has been loaded into this district, the demonstration files and others."""
    applied: set[str] = set()
    for database in databases:
        async with database.reading(Caller.system(district, "start")) as tx:
            rows = await tx.fetch("SELECT COALESCE(idempotency_key, '') AS key FROM imports WHERE state = 'applied'")
            applied.update(row["key"] for row in rows)
    ours = {key for key in applied if key.startswith(KEY_PREFIX)}
    kinds = {key.removeprefix(KEY_PREFIX).partition("-")[0] for key in ours}
    return Filled(by_demo=kinds == {kind.value for kind in Kind}, by_others=bool(applied - ours))


async def fill(door: Door, folder: Path, students: int, progress: Progress) -> None:
    """Makes the files and loads them one after the other; goes on where an earlier start was killed."""

    def heard(done: int, of: int) -> None:
        progress("Making a demonstration district", done, of)

    try:
        files = await asyncio.to_thread(write_demo, folder, students, SEED, heard)
        paths = {kind: Path(getattr(files, kind.value)) for kind in Kind}
        for kind, path in paths.items():
            digest = hashlib.sha256(await asyncio.to_thread(path.read_bytes)).hexdigest()[:16]
            report = await load_under_key(
                door, Load(kind, path, idempotency_key=f"{KEY_PREFIX}{kind.value}-{digest}"), progress
            )
            if report["state"] != "applied":
                why = "".join(f"; {one['rule']}: {one['remedy']}" for one in report["problems"][:1])
                raise DemoFailed(f"the {kind.value} of the demonstration district: {report['state']}{why}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def load_under_key(door: Door, what: Load, progress: Progress) -> Report:
    """Loads a file under its key; one whose sending was cut off by a kill still has the key, and is left to lapse."""
    try:
        return await load(door, what, progress)
    except DoorError as refused:
        if refused.status != CONFLICT:
            raise
    return await load(door, replace(what, idempotency_key=f"{what.idempotency_key}-{token_hex(4)}"), progress)
