"""Loading one file through the door, watched from the first byte until its effects can be read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from deploy.cli.door import Door, Report
from deploy.cli.sending import size_of


class Kind(StrEnum):
    """The kinds of file a district sends, in the order in which they build on each other."""

    ROSTER = "roster"
    ATTENDANCE = "attendance"
    CLOSURES = "closures"
    FRAMEWORK = "framework"
    FORMS = "forms"
    ANSWERS = "answers"
    PROGRAMME = "programme"
    WILLINGNESS = "willingness"


@dataclass(frozen=True, slots=True)
class Load:
    """A file to load, or a folder of CSV files; `options` are those that its kind knows."""

    kind: Kind
    file: Path
    keep_good: bool = False
    idempotency_key: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


class Progress(Protocol):
    """Hears how far the work on a subject is; an unknown total is None."""

    def __call__(self, subject: str, done: int | None = None, total: int | None = None) -> None:
        """Now at `done` of `total`."""


async def load(door: Door, what: Load, progress: Progress) -> Report:
    """Send a file, and wait until nothing more comes of it or all that follows can be read: the final report."""
    size = size_of(what.file)
    name = f"{what.kind.value} {what.file.name}"
    sending = f"{name}: sending"
    progress(sending, 0, size)
    accepted = await door.send(
        what.kind,
        what.file,
        options={**({"keep_good": "true"} if what.keep_good else {}), **what.options},
        idempotency_key=what.idempotency_key,
        sent=lambda gone: progress(sending, gone, size),
    )
    return await watched(door, str(accepted["id"]), name, progress)


async def watched(door: Door, import_id: str, name: str, progress: Progress) -> Report:
    """The report of an import once nothing more comes of it; `progress` hears of it meanwhile."""

    def heard(report: Report) -> None:
        if report["state"] == "applied":
            progress(f"{name}: taking effect")
        else:
            progress(f"{name}: {report['state']}", report.get("done"), report.get("total") or None)

    return await door.wait(import_id, heard)
