"""The same files once more: when nothing else was written meanwhile, they say what is known, and need not be read.

An import that had nothing to tell keeps with its report what its files held and in which revision the roster is what
they say. Whatever else writes to the roster takes a revision of its own, so that the latest one tells whether it still
is. Guard, report and counts take their course as ever.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from services.roster.domain.archive import Archive
from services.roster.domain.contents import READING, Content
from services.roster.domain.delivery import Came, Delivery
from shared.db import Transaction
from shared.imports import Job, applied_summaries

_KEPT = "contents"


async def seen_before(
    job: Job, tx: Transaction, archive: Archive, delivery: Delivery, revision: int
) -> dict[str, Came] | None:
    """The files as they came the last time, when they are the same, and this revision of the roster is theirs."""
    (last, *_) = [*await applied_summaries(tx, job.kind, most=1), {}]
    kept = last.get(_KEPT)
    if kept is None or kept["revision"] != revision or kept["reading"] != _reading(job, delivery):
        return None
    files = kept["files"]
    if {name for name, one in files.items() if not one["derived"]} != {file.name for file in delivery.files}:
        return None
    for file in delivery.files:
        one = files[file.name]
        if not await asyncio.to_thread(archive.holds, file, Content(one["bytes"], one["crc"], one["blake2b"])):
            return None
    return {name: Came(name, "bulk", one["rows"], derived=one["derived"]) for name, one in files.items()}


def keep(
    job: Job, delivery: Delivery, came: Mapping[str, Came], contents: Mapping[str, Content], revision: int
) -> None:
    """Keep with the report what the files held, for the next time; but not where something was to be told of them."""
    is_plain = not job.problems and not job.repairs and "identity" not in job.summary
    if not is_plain or any(one.mode != "bulk" or one.refused for one in came.values()):
        return
    none = Content(0, 0, "")
    files = {
        name: {"rows": one.rows, "derived": one.derived, **contents.get(name, none).kept()}
        for name, one in came.items()
    }
    job.summary[_KEPT] = {"revision": revision, "reading": _reading(job, delivery), "files": files}


def _reading(job: Job, delivery: Delivery) -> list[Any]:
    """What else gives the bytes their meaning."""
    modes = {file.mode for file in delivery.files}
    return [READING, delivery.version, sorted(modes), job.options.get("encoding"), job.options.get("date_order")]
